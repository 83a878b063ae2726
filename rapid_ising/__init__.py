"""Train Boltzmann machines with low-energy samples from any Ising machine."""

from rapid_ising import datasets as datasets
from rapid_ising import errors as errors
from rapid_ising import evaluation as evaluation
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
from rapid_ising.evaluation import best_temperature as best_temperature
from rapid_ising.evaluation import evaluate as evaluate
from rapid_ising.evaluation import hamming_distance as hamming_distance
from rapid_ising.evaluation import known_rows as known_rows
from rapid_ising.evaluation import log_likelihood as log_likelihood
from rapid_ising.evaluation import log_partition as log_partition
from rapid_ising.gibbs import gibbs_sweeps as gibbs_sweeps
from rapid_ising.gibbs import sample_spins as sample_spins
from rapid_ising.interrupts import noted_interrupts as noted_interrupts
from rapid_ising.ising import IsingModel as IsingModel
from rapid_ising.job import Job as Job
from rapid_ising.models import RBM as RBM
from rapid_ising.models import Model as Model
from rapid_ising.models import PatternRBM as PatternRBM
from rapid_ising.models import load_model as load_model
from rapid_ising.registry import as_backend as as_backend
from rapid_ising.registry import available_backends as available_backends
from rapid_ising.registry import load_backend as load_backend
from rapid_ising.training import callbacks as callbacks
from rapid_ising.training import train as train
from rapid_ising.training.constraints import Clip as Clip
from rapid_ising.training.constraints import Signs as Signs
from rapid_ising.training.negative_phase import BackendSamples as BackendSamples
from rapid_ising.training.negative_phase import ContrastiveDivergence as ContrastiveDivergence
from rapid_ising.training.negative_phase import ExactExpectation as ExactExpectation
from rapid_ising.training.negative_phase import NegativePhase as NegativePhase
from rapid_ising.training.negative_phase import ParallelTempering as ParallelTempering
from rapid_ising.training.negative_phase import PatternCorrelations as PatternCorrelations
from rapid_ising.training.negative_phase import (
    PersistentContrastiveDivergence as PersistentContrastiveDivergence,
)
from rapid_ising.training.optimizers import SGD as SGD
from rapid_ising.training.optimizers import Adam as Adam
from rapid_ising.training.recipes import Recipe as Recipe
from rapid_ising.training.run import TrainingRun as TrainingRun
from rapid_ising.training.schedules import Constant as Constant
from rapid_ising.training.schedules import Cosine as Cosine
from rapid_ising.training.schedules import Exponential as Exponential
from rapid_ising.version import __version__ as __version__
