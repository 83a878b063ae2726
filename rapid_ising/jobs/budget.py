"""What a run may cost, in calls, reads, seconds of the machine, or money."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, final

from rapid_ising.errors import BudgetExceededError, InvalidParameterError
from rapid_ising.validation import finite, positive_integer


class Spent(NamedTuple):
    """What a run has cost so far."""

    calls: int
    reads: int
    seconds: float
    """Seconds of the machine: those that it stated, else those that its capabilities predict."""

    def told(self) -> str:
        """Return it as words.

        >>> Spent(3, 300, 2.5).told()
        '3 calls, 300 reads and 2.5 seconds of the machine'
        """
        counts = {"call": self.calls, "read": self.reads}
        parts = [f"{number} {what}{'' if number == 1 else 's'}" for what, number in counts.items()]
        if self.seconds:
            parts.append(f"{self.seconds:.6g} seconds of the machine")
        return f"{', '.join(parts[:-1])} and {parts[-1]}"


@final
@dataclasses.dataclass(frozen=True)
class Budget:
    """Limits of what a run may ask of a machine; None is none.

    Parameters
    ----------
    calls, reads
        The most calls, and the most reads in all of them.
    seconds
        The most seconds of the machine, where it states them.
    money, price
        The most that may be spent, and what a second of the machine costs, in one currency. No service states
        its price with an answer, so that it is for the user to give.

    Raises
    ------
    InvalidParameterError
        If a limit is not positive, or there is money without a price.

    Examples
    --------
    >>> Budget(calls=3).check("demo", Spent(3, 300, 0.0), reads=100)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    rapid_ising.errors.BudgetExceededError: demo: the budget is reached: 3 calls and 300 reads were used, ...
    """

    calls: int | None = None
    reads: int | None = None
    seconds: float | None = None
    money: float | None = None
    price: float | None = None

    def __post_init__(self) -> None:
        for name in ("calls", "reads"):
            if getattr(self, name) is not None:
                positive_integer(f"the budget of {name}", getattr(self, name))
        for name in ("seconds", "money", "price"):
            if getattr(self, name) is not None:
                finite(f"the budget's {name}", getattr(self, name), minimum=0, exclusive=True)
        if self.money is not None and self.price is None:
            raise InvalidParameterError(
                "a budget of money needs the price of a second of the machine: give price=..., as on the bill"
            )

    def check(self, machine: str, spent: Spent, *, reads: int, seconds: float = 0.0) -> None:
        """Raise BudgetExceededError if one more call of so many reads and seconds would cost too much."""
        after = Spent(spent.calls + 1, spent.reads + reads, spent.seconds + seconds)
        bill = None if self.price is None else after.seconds * self.price
        for name, most, total in (
            ("calls", self.calls, after.calls),
            ("reads", self.reads, after.reads),
            ("seconds of the machine", self.seconds, after.seconds),
            ("of money", self.money, bill),
        ):
            if most is not None and total is not None and total > most:
                raise BudgetExceededError(
                    f"{machine}: the budget is reached: {spent.told()} were used, and the next call would "
                    f"make {total:.6g} {name}, more than {most:g}: not sent"
                )


def parsed(text: str) -> Budget:
    """Return the budget that ``calls=100,seconds=2.5`` names.

    >>> parsed("calls=100,seconds=2.5")
    Budget(calls=100, reads=None, seconds=2.5, money=None, price=None)
    """
    limits: dict[str, Any] = {}
    names = [field.name for field in dataclasses.fields(Budget)]
    for part in text.split(","):
        name, _, value = part.strip().partition("=")
        try:
            limits[name] = int(value) if name in ("calls", "reads") else float(value)
        except ValueError:
            limits = {"": 0}
        if name not in names or "" in limits:
            raise InvalidParameterError(
                f"--budget {text!r} must read NAME=NUMBER,... with {', '.join(names)}, such as calls=100"
            )
    return Budget(**limits)
