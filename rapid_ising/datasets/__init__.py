"""Images to train on and to hold models against."""

from rapid_ising.datasets.arrays import from_array as from_array
from rapid_ising.datasets.bars_stripes import bars_and_stripes as bars_and_stripes
from rapid_ising.datasets.bars_stripes import stripes as stripes
from rapid_ising.datasets.catalogue import load as load
from rapid_ising.datasets.dataset import Dataset as Dataset
