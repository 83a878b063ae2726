"""Fields as couplings to one extra spin, for machines without fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Hashable
from typing import ClassVar, final

import numpy as np

from rapid_ising.capabilities import Capabilities
from rapid_ising.couplings import Couplings, Dense, Patterns, Sparse, from_pairs
from rapid_ising.ising import IsingModel
from rapid_ising.machine.parts import once_each
from rapid_ising.machine.stage import Decode, PlainStage
from rapid_ising.request import Answer, Request
from rapid_ising.typing import Floats


@final
@dataclasses.dataclass(frozen=True)
class Ancilla(PlainStage):
    r"""Turn each field into a coupling to one extra spin a, the last one, and decode by its sign.

    .. math:: \sum_i h_i s_i \to \sum_i h_i s_i s_a, \quad s_i \leftarrow s_i s_a

    Without fields a state and its opposite are alike, so that the law of the s_i s_a is that of the model.
    Patterns that couple every pair keep their structure when the fields are a sum of them: the extra spin is
    then one more column. Other couplings become single pairs, or a matrix where many are coupled.

    A problem without fields, and any problem for a machine that has fields, goes on as it is.

    Parameters
    ----------
    backend
        The machine.

    Examples
    --------
    >>> answer = Ancilla("exact").sample(IsingModel([9.0], [[0.0]]), seed=0)
    >>> answer.info["rapid_ising"]["stages"][-1]
    {'stage': 'ancilla', 'spins': 0}
    """

    stage: ClassVar[str] = "ancilla"
    does: ClassVar[str] = "fields as couplings to one extra spin"

    def _offered(self, facts: Capabilities) -> Capabilities:
        if facts.fields:
            return facts
        most = facts.max_variables
        return dataclasses.replace(
            facts,
            fields=True,
            field_range=facts.coupling_range,
            max_variables=None if most is None else most - 1,
        )

    def _encode(self, request: Request) -> tuple[Request, Decode]:
        if self.inner.capabilities.fields or not request.model.fields.any():
            record = {"stage": self.stage, "spins": 0}
            return self._asked(request), lambda answer: answer.with_stage(record)
        model = with_ancilla(request.model)
        record = {"stage": self.stage, "spins": 1, "couplings": type(model.couplings).__name__}
        states = request.initial_states
        start = None if states is None else np.pad(states, ((0, 0), (0, 1)), constant_values=1)
        variables = [*request.variables, unused_label(request.variables)]

        def decode(answer: Answer) -> Answer:
            found = answer.with_stage(record, states=answer.states[:, :-1] * answer.states[:, -1:])
            # A state and its opposite are the same now.
            return once_each(found) if request.returns == "distinct" else found

        return self._asked(request, model=model, initial_states=start, variables=variables), decode


def with_ancilla(model: IsingModel) -> IsingModel:
    """Return the model in which the fields are couplings to one extra spin, the last one.

    >>> with_ancilla(IsingModel([0.5, 0.0], [[0, -1], [-1, 0]])).couplings.to_dense()
    array([[ 0. , -1. ,  0.5],
           [-1. ,  0. ,  0. ],
           [ 0.5,  0. ,  0. ]])
    """
    n, dtype = model.num_variables, model.dtype
    return IsingModel(np.zeros(n + 1, dtype), _coupled(model.couplings, model.fields), model.offset)


def _coupled(couplings: Couplings, fields: Floats) -> Couplings:
    if isinstance(couplings, Patterns) and couplings.layers is None:
        column = pattern_column(couplings, fields)
        if column is not None:
            return Patterns(np.column_stack([couplings.patterns, column]), float(couplings.scale))
    n = len(fields)
    if isinstance(couplings, Dense | Patterns) and couplings.layers is None:
        matrix = np.zeros((n + 1, n + 1), np.result_type(couplings.dtype, fields))
        matrix[:n, :n] = couplings.to_dense()
        matrix[n, :n] = matrix[:n, n] = fields
        return Dense(matrix)
    rows, columns, values = couplings.to_coo()
    coupled = np.flatnonzero(fields)
    i, j = np.concatenate([rows, coupled]), np.concatenate([columns, np.full(len(coupled), n)])
    both = np.concatenate([values, fields[coupled]])
    return Sparse(n + 1, i, j, both) if isinstance(couplings, Sparse) else from_pairs(n + 1, i, j, both)


def pattern_column(couplings: Patterns, fields: Floats) -> Floats | None:
    """Return the x with scale * sum_k xi_ki x_k = h_i for every i; None when the fields are no such sum.

    >>> pattern_column(Patterns([[1.0, 2.0, 3.0]], scale=0.5), np.array([1.0, 2.0, 3.0]))
    array([2.])
    """
    rows = float(couplings.scale) * couplings.patterns.T.astype(np.float64)
    found = np.linalg.lstsq(rows, fields.astype(np.float64), rcond=None)[0]
    column: Floats = found.astype(couplings.dtype)
    # What the rounding of K products and of their sum may leave.
    eps = max(float(np.finfo(kind).eps) for kind in (couplings.dtype, fields.dtype))
    noise = 8 * np.sqrt(max(1, rows.shape[1])) * eps * np.abs(fields).max()
    return column if np.abs(rows @ column - fields).max() <= noise else None


def unused_label(taken: Collection[Hashable]) -> str:
    """Return a label that no other spin has.

    >>> unused_label(["a", "ancilla"])
    "ancilla'"
    """
    label = "ancilla"
    while label in taken:
        label += "'"
    return label
