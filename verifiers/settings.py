"""Settings: merging layers, lists and their rules, keys, sorting, parsing twice, stale registries."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from proofdeck import verifier
from verifiers import arguments

Merge = Callable[[Any, Any], Any]


def deep_merge(low: Any, high: Any) -> Any:
    """Merge two settings: objects key by key, anything else is replaced by the higher layer."""
    if isinstance(low, dict) and isinstance(high, dict):
        return {**low, **high, **{key: deep_merge(low[key], high[key]) for key in low if key in high}}
    return high


@verifier
def merged(layers: Sequence[str], path: str) -> int | float | str:
    """Value at a dotted path after merging layers of JSON text, the last one being the highest.

    Unit: 1
    Source: definition
    """
    value: Any = {}
    for layer in layers:
        value = deep_merge(value, json.loads(layer))
    for key in path.split("."):
        if not isinstance(value, dict) or key not in value:
            raise ValueError(f"no setting `{path}`")
        value = value[key]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"`{path}` is no number or text: {value!r}")
    return value


def random_settings(chance: random.Random, depth: int) -> dict[str, Any]:
    """Make settings with few keys, so that layers meet; `in` alone holds further settings."""
    here = chance.choice(("ab", "ab", "a", "b", ""))
    inside = chance.choice(("in", "in", "in", ""))
    settings: dict[str, Any] = {key: chance.randrange(10) for key in here}
    if depth and inside:
        settings[inside] = random_settings(chance, depth - 1)
    return settings


def confirm_merge(merge: Merge, depth: int, seeds: int) -> None:
    """Check that a merge is associative, keeps what stands alone, and lets the higher layer win."""
    for seed in range(seeds):
        chance = random.Random(seed)
        low, middle, high = (random_settings(chance, depth) for _ in range(3))
        assert merge(merge(low, middle), high) == merge(low, merge(middle, high)), (
            f"seed {seed}: grouping counts"
        )
        assert merge(low, {}) == low == merge({}, low) == merge(low, low), f"seed {seed}: a setting is lost"
        assert merge({"x": "low", **low}, {"x": "high"}) == {"x": "high", **low}, (
            f"seed {seed}: the lower layer wins"
        )


@verifier
def deep_merge_is_associative(depth: int = 3, seeds: int = 60) -> dict[str, int]:
    """Check that deep merging gives one result however layers are grouped, the highest winning at each key.

    A key must hold an object in all layers or in none: where a value hides an object, grouping counts.

    Unit: check
    Source: definition
    """
    confirm_merge(deep_merge, depth, seeds)
    return {"depth": depth, "seeds": seeds}


HOWS = ("concatenate", "union", "intersect", "replace")


@verifier
def merged_list(lists: Sequence[Sequence[str]], how: str) -> dict[str, int]:
    """Entries of lists from several layers under a rule of merging, and how many of them are different.

    Unit: entries=1, different=1
    Source: definition
    """
    arguments.one_of("rule", how, HOWS)
    arguments.counts(lists=len(lists))
    if how == "replace":
        result = list(lists[-1])
    elif how == "intersect":
        result = [item for item in lists[0] if all(item in other for other in lists)]
    else:
        result = [item for each in lists for item in each]
        result = list(dict.fromkeys(result)) if how == "union" else result
    return {"entries": len(result), "different": len(set(result))}


STYLES = {
    "snake": r"[a-z0-9]+(_[a-z0-9]+)+", "kebab": r"[a-z0-9]+(-[a-z0-9]+)+",
    "camel": r"[a-z0-9]+([A-Z][a-z0-9]*)+", "pascal": r"([A-Z][a-z0-9]*)+", "plain": r"[a-z0-9]+",
}  # fmt: skip


@verifier
def key_styles(names: Sequence[str]) -> dict[str, int]:
    """How many names are written in each style; one word in small letters is plain, and fits snake, kebab and camel alike.

    Unit: snake=1, kebab=1, camel=1, pascal=1, plain=1, other=1
    Source: definition
    """
    found = dict.fromkeys([*STYLES, "other"], 0)
    for name in names:
        style = next((style for style, form in STYLES.items() if re.fullmatch(form, name)), "other")
        found[style] += 1
    return found


@verifier
def sorted_index(words: Sequence[str], word: str, alphabet: str | None = None) -> int:
    """Place, from 0, of a word among words sorted by an alphabet, or else by code points.

    Unit: 1
    Source: definition
    """
    letters = {letter: place for place, letter in enumerate(alphabet or "")}
    if alphabet is not None:
        for each in words:
            for letter in each:
                arguments.one_of("letter", letter, letters)
        return sorted(words, key=lambda each: [letters[letter] for letter in each]).index(word)
    return sorted(words).index(word)


TRANSFORMS: dict[str, Callable[[str], Any]] = {"trim": str.strip, "lower": str.lower, "number": int}
TRANSFORMS["append"] = lambda text: f"{text}/"


def parse(transform: str, value: Any) -> Any:
    """Validate that a value is text, then transform it."""
    if not isinstance(value, str):
        raise TypeError(f"expected a text, not {value!r}")
    return TRANSFORMS[transform](value)


@verifier
def parses_twice(transform: str, text: str) -> dict[str, int]:
    """Whether validating an input a second time still passes, and whether it leaves it as the first did.

    Unit: passes=1, same=1
    Source: definition
    """
    arguments.one_of("transform", transform, TRANSFORMS)
    once = parse(transform, text)
    try:
        twice = parse(transform, once)
    except TypeError:
        return {"passes": 0, "same": 0}
    return {"passes": 1, "same": int(once == twice)}


@verifier
def stale_lookups(changes: Sequence[float], lookups: Sequence[float], every: float | None = 0) -> int:
    """Lookups that miss a change, in a registry scanned at 0 and then at every multiple of a time.

    A scan with every lookup is 0; None scans only at the start.

    Unit: 1
    Source: definition
    """
    arguments.non_negative(**{f"lookups[{i}]": time for i, time in enumerate(lookups)})
    if every is not None:
        arguments.non_negative(every=every)
        period = Fraction(repr(every))
    arguments.positive(**{f"changes[{i}]": time for i, time in enumerate(changes)})

    def scanned(time: Fraction) -> Fraction:
        if every is None:
            return Fraction(0)
        return time // period * period if every else time

    # decimals as they are written: in binary three tenths are not three times a tenth
    changed = [Fraction(repr(time)) for time in changes]
    looked = [Fraction(repr(time)) for time in lookups]
    return sum(any(scanned(time) < change <= time for change in changed) for time in looked)
