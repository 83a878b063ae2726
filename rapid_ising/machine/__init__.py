"""From a model to a machine and back: one stage a file, each a Backend around a Backend."""

from rapid_ising.machine.ancilla import Ancilla as Ancilla
from rapid_ising.machine.batched import Batched as Batched
from rapid_ising.machine.calibrated import Calibrated as Calibrated
from rapid_ising.machine.embedded import Embedded as Embedded
from rapid_ising.machine.gauged import Gauged as Gauged
from rapid_ising.machine.journaled import Journaled as Journaled
from rapid_ising.machine.parts import Parts as Parts
from rapid_ising.machine.plan import Plan as Plan
from rapid_ising.machine.prepare import plan as plan
from rapid_ising.machine.prepare import prepare as prepare
from rapid_ising.machine.quantized import QuantisationError as QuantisationError
from rapid_ising.machine.quantized import Quantized as Quantized
from rapid_ising.machine.quantized import quantisation_error as quantisation_error
from rapid_ising.machine.recorded import Recorded as Recorded
from rapid_ising.machine.refined import Refined as Refined
from rapid_ising.machine.replayed import Replayed as Replayed
from rapid_ising.machine.reweighted import Reweighted as Reweighted
from rapid_ising.machine.scaled import Scaled as Scaled
from rapid_ising.machine.sent_law import SentLaw as SentLaw
from rapid_ising.machine.stage import PlainStage as PlainStage
from rapid_ising.machine.stage import SplitStage as SplitStage
from rapid_ising.machine.stage import Stage as Stage
from rapid_ising.machine.temperature import EffectiveBeta as EffectiveBeta
from rapid_ising.machine.temperature import effective_beta as effective_beta
from rapid_ising.machine.tiled import Tiled as Tiled
from rapid_ising.machine.two_starts import TwoStarts as TwoStarts
