"""Rate limits: buckets and windows, pace towards a quota, and what a missing header does."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from proofdeck import verifier
from verifiers import arguments


def _times(arrivals: Sequence[float]) -> list[Fraction]:
    arguments.non_negative(**{f"arrivals[{index}]": time for index, time in enumerate(arrivals)})
    if list(arrivals) != sorted(arrivals):
        raise ValueError("arrivals must be in order of time")
    return [Fraction(repr(time)) for time in arrivals]


@verifier
def token_bucket(arrivals: Sequence[float], per_second: float, burst: float) -> int:
    """Requests that a bucket admits: it starts full, refills steadily, and each request takes one.

    Formula: level ← min(burst, level + rate · Δt); admitted where the level is at least 1.
    Unit: 1
    Source: definition
    """
    arguments.positive(per_second=per_second)
    arguments.non_negative(burst=burst)
    rate, most = Fraction(repr(per_second)), Fraction(repr(burst))
    level, last, admitted = most, Fraction(0), 0
    for time in _times(arrivals):
        level = min(most, level + rate * (time - last))
        last = time
        if level >= 1:
            level -= 1
            admitted += 1
    return admitted


@verifier
def bucket_total(seconds: float, per_second: float, burst: float) -> int:
    """Most requests a token bucket admits in a time: a full burst and what is refilled meanwhile.

    Formula: ⌊burst + rate · seconds⌋, and none where the bucket cannot hold one token.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(seconds=seconds, burst=burst)
    arguments.positive(per_second=per_second)
    total = Fraction(repr(burst)) + Fraction(repr(per_second)) * Fraction(repr(seconds))
    return math.floor(total) if burst >= 1 else 0


@verifier
def window(arrivals: Sequence[float], limit: int, seconds: float, kind: str = "fixed") -> dict[str, int]:
    """Requests admitted by `limit` a window, and the most that any span of that length let through.

    A fixed window counts from multiples of its length, so twice the limit can pass around its edge; a
    sliding window counts back from each request.

    Unit: admitted=1, worst=1
    Source: definition
    """
    arguments.counts(limit=limit)
    arguments.positive(seconds=seconds)
    arguments.one_of("window", kind, ("fixed", "sliding"))
    span = Fraction(repr(seconds))
    passed: list[Fraction] = []
    worst = 0
    for time in _times(arrivals):
        recent = sum(time - earlier < span for earlier in passed)
        used = recent if kind == "sliding" else sum(t // span == time // span for t in passed)
        if used < limit:
            passed.append(time)
            worst = max(worst, recent + 1)
    return {"admitted": len(passed), "worst": worst}


@verifier
def requests_per_minute(requests: float, tokens: float, tokens_each: float) -> float:
    """Requests a minute under a limit of requests and a limit of tokens: the tighter one binds.

    Formula: min(requests limit, tokens limit / tokens per request).
    Unit: 1
    Source: definition
    """
    arguments.non_negative(requests=requests, tokens=tokens)
    arguments.positive(tokens_each=tokens_each)
    return min(requests, tokens / tokens_each)


RULES = ("elapsed", "remaining")


def _too_fast(
    elapsed: int | Fraction, used: int | Fraction, rule: str, margin: Fraction, whole: int = 1
) -> bool:
    return used > (elapsed if rule == "elapsed" else whole - elapsed) + margin


@verifier
def alarm(elapsed: float, used: float, rule: str = "elapsed", margin: float = 0.0) -> int:
    """1 where a quota counts as used too fast: the used share against a share of time, plus a margin.

    Formula: used > elapsed + margin, or used > (1 − elapsed) + margin.
    Unit: 1
    Source: definition
    """
    arguments.shares(elapsed=elapsed, used=used)
    arguments.non_negative(margin=margin)
    arguments.one_of("rule", rule, RULES)
    return int(_too_fast(Fraction(repr(elapsed)), Fraction(repr(used)), rule, Fraction(repr(margin))))


@verifier
def pace_errors(rule: str, margin: float = 0.0, steps: int = 100) -> dict[str, float]:
    """How a rule agrees with used > elapsed, over a grid of elapsed and used shares.

    `missed` is a share of the cells that are too fast, `false` a share of those that are not.

    Unit: agree=1, missed=1, false=1
    Source: definition
    """
    arguments.counts(steps=steps)
    arguments.non_negative(margin=margin)
    arguments.one_of("rule", rule, RULES)
    slack = Fraction(repr(margin)) * steps
    grid = range(steps + 1)
    cells = [(used > at, _too_fast(at, used, rule, slack, steps)) for at in grid for used in grid]
    fast = [told for true, told in cells if true]
    calm = [told for true, told in cells if not true]
    return {
        "agree": sum(true == told for true, told in cells) / len(cells),
        "missed": fast.count(False) / len(fast),
        "false": calm.count(True) / len(calm),
    }


@verifier
def throttles(remaining: float | None, floor: float, missing: str = "open") -> int:
    """1 where a client slows down since fewer than `floor` requests remain.

    A missing header read as NaN compares false with everything, so the client fails open; `closed` slows
    down where nothing is known.

    Formula: remaining < floor.
    Unit: 1
    Source: IEEE 754
    """
    arguments.non_negative(floor=floor)
    arguments.one_of("way to fail", missing, ("open", "closed"))
    if remaining is not None:
        arguments.non_negative(remaining=remaining)
    elif missing == "open":
        remaining = float("nan")
    return int(remaining is None or remaining < floor)
