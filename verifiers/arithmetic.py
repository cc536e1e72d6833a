"""Plain arithmetic, for claims that are no more than that."""

from __future__ import annotations

import math

from proofdeck import verifier
from verifiers import arguments


@verifier
def ratio(number: float, other: float) -> float:
    """How many times `other` is contained in `number`.

    Formula: number / other.
    Unit: 1
    Source: definition
    """
    arguments.finite(number=number)
    arguments.positive(other=other)
    return number / other


@verifier
def product(*factors: float) -> float:
    """Product of the factors, exact for integers.

    Formula: f₁ · f₂ · … · fₙ.
    Unit: 1
    Source: definition
    """
    arguments.finite(**{f"factors[{index}]": factor for index, factor in enumerate(factors)})
    return math.prod(factors)


@verifier
def total(*terms: float) -> float:
    """Sum of the terms, exact for integers and correctly rounded otherwise.

    Formula: t₁ + t₂ + … + tₙ.
    Unit: 1
    Source: definition
    """
    arguments.finite(**{f"terms[{index}]": term for index, term in enumerate(terms)})
    whole = all(isinstance(term, int) for term in terms)
    return sum(terms) if whole else math.fsum(terms)


@verifier
def change(before: float, after: float) -> float:
    """Relative change from `before` to `after`; negative for a fall.

    Formula: after / before − 1.
    Unit: 1
    Source: definition
    """
    arguments.positive(before=before)
    arguments.finite(after=after)
    return (after - before) / before


@verifier
def compound(rate: float, periods: float) -> float:
    """Factor of growth after `periods` periods at a rate of growth `rate` each; negative rates shrink.

    Formula: (1 + rate)^periods.
    Unit: 1
    Source: definition
    """
    arguments.finite(rate=rate, periods=periods)
    arguments.positive(**{"1 + rate": 1 + rate})
    return float((1 + rate) ** periods)


@verifier
def power(base: float, exponent: float) -> float:
    """`base` to the power of `exponent`, exact for integers.

    Formula: base^exponent.
    Unit: 1
    Source: definition
    """
    arguments.positive(base=base)
    arguments.finite(exponent=exponent)
    raised: float = base**exponent
    return raised
