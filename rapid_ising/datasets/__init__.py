"""Images to train on and to hold models against."""

from rapid_ising.datasets.arrays import from_array as from_array
from rapid_ising.datasets.bars_stripes import bars_and_stripes as bars_and_stripes
from rapid_ising.datasets.bars_stripes import stripes as stripes
from rapid_ising.datasets.catalogue import load as load
from rapid_ising.datasets.dataset import Dataset as Dataset
from rapid_ising.datasets.idx import idx_images as idx_images
from rapid_ising.datasets.idx import idx_labels as idx_labels
from rapid_ising.datasets.mnist_files import fashion_mnist as fashion_mnist
from rapid_ising.datasets.mnist_files import from_idx as from_idx
from rapid_ising.datasets.mnist_files import mnist as mnist
from rapid_ising.datasets.scikit_learn import digits as digits
from rapid_ising.datasets.scikit_learn import openml as openml
