"""Train Boltzmann machines with low-energy samples from any Ising machine."""

from rapid_ising.backend import Backend as Backend
from rapid_ising.backend import LocalBackend as LocalBackend
from rapid_ising.backend import Request as Request
from rapid_ising.capabilities import Capabilities as Capabilities
from rapid_ising.couplings import Bipartite as Bipartite
from rapid_ising.couplings import Couplings as Couplings
from rapid_ising.couplings import Dense as Dense
from rapid_ising.couplings import Patterns as Patterns
from rapid_ising.couplings import Sparse as Sparse
from rapid_ising.dimod_samplers import WrappedSampler as WrappedSampler
from rapid_ising.dimod_samplers import as_dimod_sampler as as_dimod_sampler
from rapid_ising.enumeration import check_enumerable as check_enumerable
from rapid_ising.enumeration import enumerate_model as enumerate_model
from rapid_ising.gibbs import gibbs_sweeps as gibbs_sweeps
from rapid_ising.gibbs import sample_spins as sample_spins
from rapid_ising.ising import IsingModel as IsingModel
from rapid_ising.job import Job as Job
from rapid_ising.registry import as_backend as as_backend
from rapid_ising.registry import available_backends as available_backends
from rapid_ising.registry import load_backend as load_backend
from rapid_ising.version import __version__ as __version__
