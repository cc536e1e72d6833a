"""Independent ways to the numbers of verifiers/settings.py."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from collections import ChainMap, Counter
from itertools import permutations
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import settings


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    """Flatten settings into dotted paths."""
    if not isinstance(value, dict):
        return {path: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= leaves(inner, f"{path}.{key}" if path else key)
    return flat


@witnesses("settings.merged")
def test_merged_equals_a_chain_of_flat_layers() -> None:
    chance = random.Random(6)
    for _ in range(80):
        layers = [settings.random_settings(chance, 3) for _ in range(chance.randint(1, 4))]
        flat = ChainMap(*[leaves(layer) for layer in reversed(layers)])
        texts = [json.dumps(layer) for layer in layers]
        for path, value in flat.items():
            if not isinstance(value, dict):
                assert settings.merged(texts, path) == value


@pytest.mark.parametrize(
    ("layers", "path", "value"),
    [
        (['{"a": 1}', '{"b": 2}'], "a", 1),
        (['{"a": 1}', '{"a": 2}'], "a", 2),
        (['{"a": {"b": 1}}', '{"a": {"c": 2}}'], "a.b", 1),
        (['{"a": {"b": 1}}', '{"a": "text"}'], "a", "text"),
        (['{"a": "text"}', '{"a": {"b": 1.5}}'], "a.b", 1.5),
        (['{"a": [1]}', '{"a": 3}'], "a", 3),
    ],
)
def test_merges_worked_by_hand(layers: list[str], path: str, value: Any) -> None:
    assert settings.merged(layers, path) == value


@witnesses("settings.deep_merge_is_associative")
def test_flat_merging_passes_and_other_merges_fail() -> None:
    def by_leaves(low: Any, high: Any) -> Any:
        result: dict[str, Any] = {}
        for path, value in {**leaves(low), **leaves(high)}.items():
            *folders, key = path.split(".")
            at = result
            for folder in folders:
                at = at.setdefault(folder, {})
            if key and not (value == {} and isinstance(at.get(key), dict)):
                at[key] = value
        return result

    settings.confirm_merge(settings.deep_merge, 2, 20)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "deep_merge", lambda low, high: high)
        with pytest.raises(AssertionError, match="lost"):
            settings.deep_merge_is_associative()
    assert settings.deep_merge_is_associative() == {"depth": 3, "seeds": 60}
    low, high = {"a": 1, "in": {"b": 2}}, {"in": {"a": 3}}
    assert by_leaves(low, high) == settings.deep_merge(low, high) == {"a": 1, "in": {"b": 2, "a": 3}}
    broken: list[tuple[Any, str]] = [
        (lambda low, high: settings.deep_merge(high, low), "lower layer wins"),
        (lambda low, high: high, "is lost"),
        (lambda low, high: {**low, **high, "n": low.get("n", 0) + high.get("n", 0)}, "is lost"),
        (lambda low, high: {key: low[key] for key in low if key not in high} | {k: high[k] for k in high if k not in low}, "counts|lost"),
        (lambda low, high: {**low, **high, "n": 2 * low.get("n", 1) + high.get("n", 1)}, "grouping counts"),
    ]  # fmt: skip
    for merge, message in broken:
        with pytest.raises(AssertionError, match=message):
            settings.confirm_merge(merge, 3, 40)


def test_where_a_value_hides_an_object_grouping_counts() -> None:
    low, middle, high = {"a": {"x": 1}}, {"a": 5}, {"a": {"y": 2}}
    merge = settings.deep_merge
    assert merge(merge(low, middle), high) == {"a": {"y": 2}}
    assert merge(low, merge(middle, high)) == {"a": {"x": 1, "y": 2}}


def test_random_settings_meet_and_differ() -> None:
    made = [settings.random_settings(random.Random(seed), 3) for seed in range(60)]
    depths = [json.dumps(each).count('"in"') for each in made]
    assert set(depths) == {0, 1, 2, 3}
    assert sum("in" in each for each in made) > 36
    keys = Counter(key for each in made for key in each)
    assert 24 <= keys["a"] <= 48 and 24 <= keys["b"] <= 48
    assert {each["a"] for each in made if "a" in each} == set(range(10))
    assert settings.random_settings(random.Random(1), 0).keys() <= {"a", "b"}


@witnesses("settings.merged_list")
def test_merged_lists_equal_sets_and_multisets() -> None:
    chance = random.Random(2)
    for _ in range(60):
        lists = [
            [chance.choice("abcd") for _ in range(chance.randrange(5))] for _ in range(chance.randint(1, 3))
        ]
        every = [item for each in lists for item in each]
        common = set.intersection(*map(set, lists))
        kept = sum(item in common for item in lists[0])
        expected = {
            "concatenate": (sum(Counter(every).values()), len(set(every))),
            "union": (len(set(every)), len(set(every))),
            "intersect": (kept, len(common)),
            "replace": (len(lists[-1]), len(set(lists[-1]))),
        }
        for how, (entries, different) in expected.items():
            assert settings.merged_list(lists, how) == {"entries": entries, "different": different}


@witnesses("settings.key_styles")
@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("when_to_use", "snake"), ("allowed-tools", "kebab"), ("whenToUse", "camel"), ("WhenToUse", "pascal"),
        ("name", "plain"), ("a1_b2", "snake"), ("a-1", "kebab"), ("aB", "camel"), ("AB", "pascal"), ("x9", "plain"),
        ("a_b-c", "other"), ("_a", "other"), ("a__b", "other"), ("a-", "other"), ("", "other"), ("a_B", "other"), ("a.b", "other"),
    ],
)  # fmt: skip
def test_styles_equal_rejoined_words(name: str, style: str) -> None:
    found = settings.key_styles([name])
    assert found == {key: int(key == style) for key in found}
    words = [word for word in name.replace("-", "_").split("_") if word]
    if style in ("snake", "kebab"):
        assert name == {"snake": "_", "kebab": "-"}[style].join(words)
    assert list(found) == ["snake", "kebab", "camel", "pascal", "plain", "other"]
    assert settings.key_styles([name, name, "ok"])[style] == 2 + (style == "plain")


@witnesses("settings.sorted_index")
def test_sorting_by_alphabets() -> None:
    german, swedish = "aäbcdefghijklmnoöpqrstuüvwxyz", "abcdefghijklmnopqrstuvwxyzåäö"
    assert settings.sorted_index(["z", "ä", "a"], "ä", german) == 1
    assert settings.sorted_index(["z", "ä", "a"], "ä", swedish) == 2
    assert settings.sorted_index(["b", "B", "a"], "B") == 0
    chance = random.Random(4)
    for _ in range(40):
        words = ["".join(chance.choices("abc", k=chance.randrange(1, 4))) for _ in range(5)]
        before = [sum(other < word for other in words) for word in words]
        for word, place in zip(words, before, strict=True):
            assert settings.sorted_index(words, word) == place == settings.sorted_index(words, word, "abc")
        for letters in permutations("abc"):
            swapped = str.maketrans(dict(zip(letters, "abc", strict=True)))
            renamed = [word.translate(swapped) for word in words]
            place = sum(other < renamed[0] for other in renamed)
            assert settings.sorted_index(words, words[0], "".join(letters)) == place


def test_locales_of_a_javascript_engine_disagree_alike() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    script = 'for (const l of ["de", "sv"]) console.log(["z", "ä", "a"].sort(new Intl.Collator(l).compare).indexOf("ä"))'
    found = subprocess.run([node, "-e", script], capture_output=True, text=True, timeout=30)
    if found.returncode or found.stdout.split() == ["1", "1"]:
        pytest.skip("needs an engine with these locales")
    assert [int(line) for line in found.stdout.split()] == [
        settings.sorted_index(["z", "ä", "a"], "ä", "aäz"), settings.sorted_index(["z", "ä", "a"], "ä", "azä")
    ]  # fmt: skip


@witnesses("settings.parses_twice")
@pytest.mark.parametrize(
    ("transform", "text", "passes", "same"),
    [("trim", " a ", 1, 1), ("lower", "AbC", 1, 1), ("number", "12", 0, 0), ("append", "x", 1, 0)],
)
def test_parsing_twice_equals_a_typed_model_run_twice(
    transform: str, text: str, passes: int, same: int
) -> None:
    pydantic = pytest.importorskip("pydantic")
    from typing import Annotated

    functions: dict[str, Any] = {
        "trim": str.strip,
        "lower": str.lower,
        "number": int,
        "append": lambda t: t + "/",
    }
    field = Annotated[str, pydantic.AfterValidator(functions[transform])]
    adapter = pydantic.TypeAdapter(field, config=pydantic.ConfigDict(strict=True))
    once = adapter.validate_python(text)
    try:
        twice = adapter.validate_python(once)
        expected = {"passes": 1, "same": int(once == twice)}
    except pydantic.ValidationError:
        expected = {"passes": 0, "same": 0}
    assert settings.parses_twice(transform, text) == expected == {"passes": passes, "same": same}


@witnesses("settings.stale_lookups")
@pytest.mark.parametrize("every", [0, 1, 4, None])
def test_stale_lookups_equal_a_registry_scanned_by_a_clock(every: int | None) -> None:
    chance = random.Random(7)
    for _ in range(60):
        changes = [chance.randrange(1, 20) for _ in range(chance.randrange(4))]
        lookups = [chance.randrange(0, 24) for _ in range(5)]
        stale, known, actual = 0, 0, 0
        for now in range(25):
            actual += changes.count(now)
            if every == 0 or now == 0 or (every is not None and now % every == 0):
                known = actual
            stale += lookups.count(now) * (known != actual)
        assert settings.stale_lookups(changes, lookups, every) == stale
        if every == 0:
            assert settings.stale_lookups(changes, lookups) == stale == 0
    assert settings.stale_lookups([0.5], [0.6]) == 0


def test_scans_fall_on_multiples_of_decimals() -> None:
    for tenths in range(1, 40):
        assert settings.stale_lookups([(10 * tenths - 5) / 100], [tenths / 10], every=0.1) == 0
        assert settings.stale_lookups([(10 * tenths + 5) / 100], [(10 * tenths + 6) / 100], every=0.1) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: settings.merged([], "a"),
        lambda: settings.merged(["{}"], "a"),
        lambda: settings.merged(['{"a": 1}'], "a.b"),
        lambda: settings.merged(['{"a": {}}'], "a"),
        lambda: settings.merged(['{"a": true}'], "a"),
        lambda: settings.merged_list([["a"]], "sum"),
        lambda: settings.merged_list([], "union"),
        lambda: settings.sorted_index(["a", "é"], "a", "abc"),
        lambda: settings.sorted_index(["a"], "b"),
        lambda: settings.sorted_index(["a"], "a", ""),
        lambda: settings.parses_twice("upper", "a"),
        lambda: settings.stale_lookups([0], [1]),
        lambda: settings.stale_lookups([1], [-1]),
        lambda: settings.stale_lookups([1], [1], -1),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
