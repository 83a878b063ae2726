"""How good a model is: reconstruction, likelihood, and both in one summary."""

from rapid_ising.evaluation.likelihood import log_likelihood as log_likelihood
from rapid_ising.evaluation.likelihood import log_partition as log_partition
from rapid_ising.evaluation.likelihood import log_probabilities as log_probabilities
from rapid_ising.evaluation.reconstruction import hamming_distance as hamming_distance
from rapid_ising.evaluation.reconstruction import known_rows as known_rows
from rapid_ising.evaluation.summary import Evaluation as Evaluation
from rapid_ising.evaluation.summary import evaluate as evaluate
from rapid_ising.evaluation.summary import first_known as first_known
