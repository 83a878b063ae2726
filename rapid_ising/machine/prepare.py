"""From a machine's capabilities to the chain of stages that a model needs on it."""

from __future__ import annotations

import sys
import warnings
from typing import Protocol, TypedDict, Unpack, runtime_checkable

import dimod
from dimod.core.sampler import Sampler

from rapid_ising.backend import Backend, Problem
from rapid_ising.capabilities import Capabilities
from rapid_ising.errors import InvalidParameterError
from rapid_ising.ising import IsingModel
from rapid_ising.log import logger
from rapid_ising.machine.ancilla import Ancilla
from rapid_ising.machine.batched import Batched
from rapid_ising.machine.calibrated import Calibrated
from rapid_ising.machine.chain_strength import TORQUE
from rapid_ising.machine.embedded import Embedded
from rapid_ising.machine.gauged import Gauged, symmetric
from rapid_ising.machine.plan import Plan, rehearse, too_coarse
from rapid_ising.machine.quantized import Quantized
from rapid_ising.machine.refined import Refined
from rapid_ising.machine.reweighted import Reweighted
from rapid_ising.machine.scaled import Scaled, step_of
from rapid_ising.machine.sent_law import sent_law
from rapid_ising.machine.stage import Stage
from rapid_ising.machine.tiled import Tiled
from rapid_ising.machine.two_starts import TwoStarts
from rapid_ising.notices import RoundingWarning
from rapid_ising.registry import as_backend
from rapid_ising.validation import positive_integer

log = logger(__name__)


@runtime_checkable
class Asking(Protocol):
    """What has an Ising problem: every model."""

    def ising(self) -> IsingModel:
        """Return the problem."""


class Choices(TypedDict, total=False):
    """What is a matter of choice in a chain; see ``staged``."""

    gauges: int | None
    tiled: bool
    refine: int
    two_starts: bool
    reweight: bool
    strict: float | None
    prefactor: float


def prepare(
    backend: str | Backend | Sampler,
    model: Asking | Problem,
    *,
    beta: float = 1.0,
    num_reads: int = 100,
    show: bool = True,
    **choices: Unpack[Choices],
) -> Backend:
    """Return the machine with the stages around it that the model needs, ready to be a ``backend=``.

    From the outside in, each only where the machine calls for it: weights, two starts and refinement (only
    on demand); ``Calibrated`` where the temperature is the machine's own; ``Ancilla`` where there are no
    fields; ``Embedded`` (or ``Tiled``) where there is a graph; ``Scaled`` where there are ranges;
    ``Quantized`` where there are steps; ``Gauged`` where the temperature is the machine's own; ``Batched``
    where the reads of a call are limited. Where a range is wider on one side of 0, which chains make use of,
    ``Gauged`` is just inside ``Calibrated``. A machine that takes the model as it is comes back as it is.
    Nothing is sent.

    Parameters
    ----------
    backend
        A name, a Backend or any ``dimod.Sampler``.
    model
        The model whose samples are wanted, or an Ising problem; its values may change later.
    beta, num_reads
        The request that the plan is made for.
    show
        Whether to print the plan, to standard error. If not, what it would say against the reads as samples
        of this model, for the machine's steps, is a warning.
    **choices
        ``gauges``, ``tiled``, ``refine``, ``two_starts``, ``reweight``, ``strict``, ``prefactor``; see
        ``staged``.

    Raises
    ------
    CapabilityError, ProblemTooLargeError
        If the machine cannot take the model.

    Warns
    -----
    RoundingWarning
        If the steps of the machine change the law of the model by more than ``sent_law.BOUND``.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> prepare("exact", IsingModel([1.0], [[0.0]]), show=False)
    Exact()
    """
    machine, problem = as_backend(backend), problem_of(model)
    chain = staged(machine, **choices)
    if show:
        print(rehearse(chain, problem, beta=beta, num_reads=num_reads), file=sys.stderr)
        return chain
    chain.check(problem, num_reads=num_reads, beta=beta)
    if chain is not machine:
        made = [part.stage for part in stages(chain) if isinstance(part, Stage)]
        log.info("around %s for %d spins: %s", machine.name, problem.num_variables, ", ".join(made))
    if step_of(machine.capabilities):
        law = sent_law(chain, problem, beta)
        reason = "" if law is None else too_coarse(chain.name, law)
        if reason:
            warnings.warn(reason, RoundingWarning, stacklevel=2)
    return chain


def plan(
    backend: str | Backend | Sampler,
    model: Asking | Problem,
    *,
    beta: float = 1.0,
    num_reads: int = 100,
    **choices: Unpack[Choices],
) -> Plan:
    """Return what ``prepare`` would do with this model, as a table; nothing is sent.

    Examples
    --------
    >>> from rapid_ising import IsingModel
    >>> print(plan("exact", IsingModel([1.0], [[0.0]])))
    exact: 1 spin, 100 reads at beta = 1
    1 call, 100 reads
    """
    chain = staged(as_backend(backend), **choices)
    return rehearse(chain, problem_of(model), beta=beta, num_reads=num_reads)


def staged(
    machine: Backend,
    *,
    gauges: int | None = None,
    tiled: bool = False,
    refine: int = 0,
    two_starts: bool = False,
    reweight: bool = False,
    strict: float | None = None,
    prefactor: float = TORQUE,
) -> Backend:
    """Return the machine with the stages that its capabilities and the choices call for.

    Parameters
    ----------
    machine
        The machine.
    gauges
        The random gauges that the reads are split over; None takes 4 where the temperature is the machine's
        own, since such a machine is analog and has a bias of its own, and else 1.
    tiled
        Whether to read many copies of a small model at once, as many as the machine's graph holds.
    refine
        The Gibbs sweeps at the asked beta from the machine's states.
    two_starts
        Whether to compare reads from random states with reads from given ones.
    reweight
        Whether to weight the reads from the beta they look drawn at to the asked one.
    strict
        The largest relative error of rounding that is accepted; None accepts any and reports it.
    prefactor
        The strength of the chains of an embedding, in units of the rule.
    """
    facts = machine.capabilities
    chain = machine
    number = positive_integer("gauges", default_gauges(facts) if gauges is None else gauges)
    ranges = {"field_range": facts.field_range, "coupling_range": facts.coupling_range}
    even = {kind: symmetric(allowed) for kind, allowed in ranges.items()}
    if facts.reads_a_call is not None:
        chain = Batched(chain)
    if number > 1 and even == ranges:
        # Nearest to the machine, so that scaling and rounding are done once for all gauges.
        chain = Gauged(chain, gauges=number)
    if facts.integer_coefficients:
        chain = Quantized(chain, strict=strict)
    if facts.field_range is not None or facts.coupling_range is not None:
        # In each gauge other couplings are positive: without chains, the same range for both signs gives all
        # gauges one factor.
        one = number > 1 and facts.topology is None
        chain = Scaled(chain, **even) if one and even != ranges else Scaled(chain)
    if facts.topology is not None:
        chain = Tiled(chain, prefactor=prefactor) if tiled else Embedded(chain, prefactor=prefactor)
    elif tiled:
        raise InvalidParameterError(f"{machine.name} has no graph to lay tiles on: leave tiled out")
    if not facts.fields:
        chain = Ancilla(chain)
    if number > 1 and even != ranges:
        # Chains need the wide side of a range, and a gauge nearer to the machine would turn their signs.
        chain = Gauged(chain, gauges=number)
    if facts.temperature == "effective" and facts.returns == "multiset":
        chain = Calibrated(chain)
    if positive_integer("refine", refine, minimum=0):
        chain = Refined(chain, sweeps=refine)
    if two_starts:
        chain = TwoStarts(chain)
    if reweight:
        chain = Reweighted(chain)
    return chain


def default_gauges(facts: Capabilities) -> int:
    """Return the gauges of a machine when none are asked for."""
    return 4 if facts.temperature == "effective" and facts.structures is None else 1


def problem_of(model: Asking | Problem) -> Problem:
    """Return the Ising problem of a model, or the problem itself."""
    if isinstance(model, IsingModel | dimod.BinaryQuadraticModel):
        return model
    if isinstance(model, Asking):
        return model.ising()
    raise InvalidParameterError(
        f"model must be a Model, an IsingModel or a BinaryQuadraticModel, not {type(model).__name__}"
    )


def stages(backend: Backend) -> list[Backend]:
    """Return a chain from the outside in, the machine last.

    >>> [type(part).__name__ for part in stages(Scaled("exact", coupling_range=(-1, 1)))]
    ['Scaled', 'Exact']
    """
    found = [backend]
    while isinstance(found[-1], Stage):
        found.append(found[-1].inner)
    return found
