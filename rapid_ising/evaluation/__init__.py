"""How good a model is: reconstruction, likelihood, and both in one summary."""

from rapid_ising.evaluation.accessibility import Accessibility as Accessibility
from rapid_ising.evaluation.accessibility import PatternLoad as PatternLoad
from rapid_ising.evaluation.accessibility import accessibility as accessibility
from rapid_ising.evaluation.accessibility import ground_energy as ground_energy
from rapid_ising.evaluation.accessibility import pattern_load as pattern_load
from rapid_ising.evaluation.annealed_importance import AISEstimate as AISEstimate
from rapid_ising.evaluation.annealed_importance import annealed_importance as annealed_importance
from rapid_ising.evaluation.annealed_importance import bracket as bracket
from rapid_ising.evaluation.annealed_importance import (
    reverse_annealed_importance as reverse_annealed_importance,
)
from rapid_ising.evaluation.density_of_states import DensityOfStates as DensityOfStates
from rapid_ising.evaluation.density_of_states import EnergyWalk as EnergyWalk
from rapid_ising.evaluation.density_of_states import density_of_states as density_of_states
from rapid_ising.evaluation.estimated_likelihood import LikelihoodCurve as LikelihoodCurve
from rapid_ising.evaluation.estimated_likelihood import estimated_log_likelihood as estimated_log_likelihood
from rapid_ising.evaluation.estimated_likelihood import log_likelihood_curve as log_likelihood_curve
from rapid_ising.evaluation.frustration import Frustration as Frustration
from rapid_ising.evaluation.frustration import frustration as frustration
from rapid_ising.evaluation.frustration import misfit as misfit
from rapid_ising.evaluation.likelihood import log_likelihood as log_likelihood
from rapid_ising.evaluation.likelihood import log_partition as log_partition
from rapid_ising.evaluation.likelihood import log_probabilities as log_probabilities
from rapid_ising.evaluation.overlaps import OverlapDistribution as OverlapDistribution
from rapid_ising.evaluation.overlaps import overlap_distribution as overlap_distribution
from rapid_ising.evaluation.overlaps import overlaps as overlaps
from rapid_ising.evaluation.overlaps import ultrametricity as ultrametricity
from rapid_ising.evaluation.pseudo_likelihood import pseudo_log_likelihood as pseudo_log_likelihood
from rapid_ising.evaluation.pseudo_likelihood import pseudo_log_probabilities as pseudo_log_probabilities
from rapid_ising.evaluation.reconstruction import hamming_distance as hamming_distance
from rapid_ising.evaluation.reconstruction import known_rows as known_rows
from rapid_ising.evaluation.sample_quality import ClassBalance as ClassBalance
from rapid_ising.evaluation.sample_quality import ImageDistances as ImageDistances
from rapid_ising.evaluation.sample_quality import SampleQuality as SampleQuality
from rapid_ising.evaluation.sample_quality import class_balance as class_balance
from rapid_ising.evaluation.sample_quality import image_distances as image_distances
from rapid_ising.evaluation.sample_quality import sample_quality as sample_quality
from rapid_ising.evaluation.summary import Evaluation as Evaluation
from rapid_ising.evaluation.summary import evaluate as evaluate
from rapid_ising.evaluation.summary import first_known as first_known
from rapid_ising.evaluation.temperature import best_temperature as best_temperature
