from .boltzmann_machine import BoltzmannMachine as BoltzmannMachine
from .rapid_rbm import RapidRBM as RapidRBM
