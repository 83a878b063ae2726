"""Training: the loop, where its averages come from, and what steers it."""

from rapid_ising.training import callbacks as callbacks
from rapid_ising.training.train import train as train
