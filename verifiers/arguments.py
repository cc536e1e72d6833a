"""What arguments a verifier takes: a wrong one gives a clear error, not a number."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable

Number = int | float


def _finite(name: str, number: Number) -> None:
    if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, not {number!r}")


def finite(**numbers: Number) -> None:
    """Raise ValueError unless every number is finite, whatever its sign."""
    for name, number in numbers.items():
        _finite(name, number)


def positive(**numbers: Number) -> None:
    """Raise ValueError unless every number is finite and above zero."""
    for name, number in numbers.items():
        _finite(name, number)
        if number <= 0:
            raise ValueError(f"{name} must be above 0, not {number!r}")


def non_negative(**numbers: Number) -> None:
    """Raise ValueError unless every number is finite and at least zero."""
    for name, number in numbers.items():
        _finite(name, number)
        if number < 0:
            raise ValueError(f"{name} cannot be negative: {number!r}")


def counts(at_least: int = 1, /, **numbers: int) -> None:
    """Raise ValueError unless every number is an integer of at least `at_least`."""
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise ValueError(f"{name} must be an integer, not {number!r}")
        if number < at_least:
            raise ValueError(f"{name} must be at least {at_least}, not {number}")


def shares(**numbers: Number) -> None:
    """Raise ValueError unless every number lies in [0, 1]: a probability, a share, a rate."""
    for name, number in numbers.items():
        _finite(name, number)
        if not 0 <= number <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {number!r}")


def divides(whole: int, parts: int, what: str) -> None:
    """Raise ValueError, saying `what` does not divide, unless `parts` divides `whole`."""
    counts(whole=whole, parts=parts)
    if whole % parts:
        raise ValueError(f"{whole} {what} do not divide evenly by {parts}")


def one_of(kind: str, name: object, known: Iterable[str] | Collection[str]) -> str:
    """Return `name` if it is known; raise ValueError with the nearest known name, or all of them."""
    names = list(known)
    if isinstance(name, str) and name in names:
        return name
    near = difflib.get_close_matches(str(name).lower(), names, cutoff=0.5)
    hint = next((f"did you mean {other!r}?" for other in near), f"known: {', '.join(names)}")
    raise ValueError(f"unknown {kind} {name!r}; {hint}")


def distribution(probabilities: Collection[Number], name: str = "probabilities") -> None:
    """Raise ValueError unless the numbers are at least zero and sum to one (to 1e-9)."""
    non_negative(**{f"{name}[{index}]": number for index, number in enumerate(probabilities)})
    if not math.isclose(sum(probabilities), 1, rel_tol=0, abs_tol=1e-9):
        raise ValueError(f"{name} must sum to 1, not {sum(probabilities)!r}")
