"""From a model to a machine and back: one stage a file, each a Backend around a Backend."""

from rapid_ising.machine.parts import Parts as Parts
from rapid_ising.machine.scaled import Scaled as Scaled
from rapid_ising.machine.stage import PlainStage as PlainStage
from rapid_ising.machine.stage import SplitStage as SplitStage
from rapid_ising.machine.stage import Stage as Stage
