"""Exact Boltzmann averages, samples and ground states of small models, by visiting every state.

Two ways, chosen by ``enumerate_model``. *Halves*: the N spins are cut into a half a and two quarters q and p,
E(a, q, p) = E_a + x_aq + y_ap + t_qp, and so exp(-beta E) is a product that matrix products sum. *Layers*:
in a model of two layers the spins x of the larger one are independent given the smaller one s, so that they
are summed out: sum_x exp(-beta E(s, x)) = exp(-beta (c + h s)) prod_a 2 cosh(beta f_a(s)).
"""

from rapid_ising.enumeration.choice import check_enumerable as check_enumerable
from rapid_ising.enumeration.choice import enumerate_model as enumerate_model
from rapid_ising.enumeration.choice import enumeration_work as enumeration_work
from rapid_ising.enumeration.halves import HalvesEnumeration as HalvesEnumeration
from rapid_ising.enumeration.law import Enumeration as Enumeration
from rapid_ising.enumeration.law import Moments as Moments
from rapid_ising.enumeration.law import log_2cosh_sums as log_2cosh_sums
from rapid_ising.enumeration.law import spin_states as spin_states
from rapid_ising.enumeration.layers import LayersEnumeration as LayersEnumeration
