"""The evidence lock: one line a claim, nothing lost, nothing guessed."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofdeck.errors import ContentError
from proofdeck.evidence.lock import Result, read_lock, same, write_lock

RESULTS = [
    Result("m.f(1)", 1342177280, "B", "c0"),
    Result("m.g('é', b=[1, None])", 0.1, "1", "c1", (("numpy", "2.0"), ("torch", "2.13"))),
    Result("m.h()", {"weights": 2, "share": 0.5}, "weights=B, share=1", "c2"),
    Result("m.rows()", [{"a": 1, "b": "x"}, {"a": 2, "b": None}], "1", "c3"),
    Result("m.check()", None, "check", "c4"),
    Result("a.big()", 10**40, "1", "c5"),
    Result("a.text()", "a\nline and 🙂", "text", "c6"),
    Result("a.time()", 0.25, "s", "c7", (), (("machine", "one"), ("device", "H200"), ("samples", [1, 2]))),
    Result("a.time()", 0.5, "s", "c7", (), (("machine", "two"), ("device", "CPU"))),
]


def filed(results: list[Result]) -> dict[str, Result]:
    return {result.key: result for result in results}


def test_what_was_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "evidence.lock"
    write_lock(path, filed(RESULTS))
    assert read_lock(path, tmp_path) == filed(RESULTS)


def test_no_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "evidence.lock", tmp_path) == {}


def test_lines_are_sorted_by_call_one_a_claim_after_a_header(tmp_path: Path) -> None:
    path = tmp_path / "evidence.lock"
    write_lock(path, filed(RESULTS[::-1]))
    first = path.read_bytes()
    write_lock(path, filed(RESULTS))
    assert path.read_bytes() == first
    header, *lines = first.decode().removesuffix("\n").split("\n")
    assert json.loads(header)["format"] == "proofdeck evidence lock"
    calls = [json.loads(line)["call"] for line in lines]
    assert calls == sorted(calls)
    assert len(lines) == len(RESULTS)


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\r", "\n"])
def test_a_text_may_hold_any_line_separator(separator: str, tmp_path: Path) -> None:
    path = tmp_path / "evidence.lock"
    result = Result(f"m.f({f'a{separator}b'!r})", f"c{separator}d", "text", "c0")
    write_lock(path, filed([result, RESULTS[0]]))
    assert read_lock(path, tmp_path) == filed([result, RESULTS[0]])


def test_one_moved_value_changes_one_line(tmp_path: Path) -> None:
    path = tmp_path / "evidence.lock"
    write_lock(path, filed(RESULTS))
    before = path.read_text().split("\n")
    write_lock(path, filed([Result("m.f(1)", 7, "B", "c0"), *RESULTS[1:]]))
    after = path.read_text().split("\n")
    assert sum(old != new for old, new in zip(before, after, strict=True)) == 1


def test_what_is_not_used_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "evidence.lock"
    write_lock(path, filed([RESULTS[0]]))
    assert (
        path.read_text().split("\n")[1]
        == '{"call": "m.f(1)", "value": 1342177280, "unit": "B", "code": "c0"}'
    )


@pytest.mark.parametrize(
    "line",
    [
        "not json",
        "{",
        "[]",
        '"text"',
        "7",
        "{}",
        '{"call": "m.x()"}',
        '{"call": "m.x()", "value": 1, "unit": "B"}',
        '{"call": "m.x()", "value": 1, "unit": "B", "code": "c", "libraries": 7}',
        '{"call": "m.x()", "value": 1, "unit": "B", "code": "c", "record": [1]}',
        # a record belongs to a machine that a card can name, and to a call that one can write
        '{"call": "m.x()", "value": 1, "unit": "B", "code": "c", "record": {}}',
        '{"call": "m.x()", "value": 1, "unit": "B", "code": "c", "record": {"samples": 3}}',
        '{"call": "m.x()", "value": 1, "unit": "B", "code": "c", "record": {"machine": 5}}',
        '{"call": "m.x()", "value": 1, "unit": "B", "code": "c", "record": {"machine": "My Box"}}',
        '{"call": "m.x(", "value": 1, "unit": "B", "code": "c", "record": {"machine": "acme-9"}}',
        '{"call": "m.x( )", "value": 1, "unit": "B", "code": "c", "record": {"machine": "acme-9"}}',
        '{"call": "m.x() @ a", "value": 1, "unit": "B", "code": "c", "record": {"machine": "acme-9"}}',
        '{"call": 5, "value": 1, "unit": "B", "code": "c"}',
        '{"call": "m.x()", "value": 1, "unit": null, "code": "c"}',
        '{"call": "m.x()", "value": 1, "unit": "B", "code": 7}',
        "<<<<<<< HEAD",
        '{"format": "something else", "version": 1}',
    ],
)
def test_a_broken_line_is_an_error_with_its_number(line: str, tmp_path: Path) -> None:
    path = tmp_path / "verifiers" / "evidence.lock"
    write_lock(path, filed(RESULTS[:3]))
    lines = path.read_text().split("\n")
    path.write_text("\n".join([*lines[:3], line, *lines[3:]]))
    with pytest.raises(ContentError) as caught:
        read_lock(path, tmp_path)
    assert [str(problem).split("\n")[0] for problem in caught.value.problems] == [
        "verifiers/evidence.lock:4: not a line of an evidence lock"
    ]


def test_every_broken_line_is_told(tmp_path: Path) -> None:
    path = tmp_path / "evidence.lock"
    path.write_text("x\n\ny\nz\n")
    with pytest.raises(ContentError) as caught:
        read_lock(path, tmp_path)
    assert [problem.line for problem in caught.value.problems] == [1, 3, 4]


def test_a_call_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "evidence.lock"
    write_lock(path, filed(RESULTS[:1]))
    path.write_text(path.read_text() + Result("m.f(1)", 8, "B", "c0").line() + "\n")
    with pytest.raises(ContentError, match=r"a second line for `m.f\(1\)`"):
        read_lock(path, tmp_path)


def test_a_lock_of_a_newer_version_is_not_misread(tmp_path: Path) -> None:
    path = tmp_path / "evidence.lock"
    write_lock(path, filed(RESULTS[:1]))
    path.write_text(path.read_text().replace('"version": 1', '"version": 2'))
    with pytest.raises(ContentError, match="upgrade proofdeck"):
        read_lock(path, tmp_path)


def test_bytes_that_are_no_text_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "evidence.lock"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ContentError):
        read_lock(path, tmp_path)


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(value=values)
@settings(max_examples=100, deadline=None)
def test_any_value_survives(value: object, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("lock") / "evidence.lock"
    write_lock(path, {"m.f()": Result("m.f()", value, "1", "c")})
    read = read_lock(path, path.parent)["m.f()"].value
    assert read == value and type(read) is type(value)
    assert same(value, read, 0.0)


@pytest.mark.parametrize(
    ("old", "new", "tolerance", "expected"),
    [
        (1, 1, 0, True),
        (1, 2, 0, False),
        (1, 1.0, 1e-9, True),
        (1.0, 1.0 + 1e-12, 1e-9, True),
        (1.0, 1.0 + 1e-6, 1e-9, False),
        (1.0, 1.0 + 1e-6, 1e-5, True),
        (1e-30, 2e-30, 1e-9, False),
        (0.0, 1e-300, 1e-9, False),
        (0.0, -0.0, 0, True),
        (math.inf, math.inf, 0, True),
        (math.inf, -math.inf, 1, False),
        (math.nan, math.nan, 0, True),
        (math.nan, 1.0, 1, False),
        (10**40, 10**40, 0, True),
        pytest.param(10**400, 10**400, 1e-9, True, id="huge"),
        pytest.param(10**400, 2 * 10**400, 1e-9, False, id="huge-moved"),
        pytest.param(10**400, 1.5, 1e-9, False, id="huge-float"),
        ("a", "a", 0, True),
        ("a", "b", 1, False),
        ("1", 1, 1, False),
        (True, 1, 1, False),
        (True, True, 0, True),
        (None, None, 0, True),
        (None, 0, 1, False),
        ([1.0, 2.0], [1.0, 2.0 + 1e-12], 1e-9, True),
        ([1.0, 2.0], [1.0], 1e-9, False),
        ([1, 2], [2, 1], 1e-9, False),
        ({"a": 1.0}, {"a": 1.0 + 1e-12}, 1e-9, True),
        ({"a": 1.0}, {"a": 1.1}, 1e-9, False),
        ({"a": 1}, {"b": 1}, 1, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, 1, False),
        ({"a": [1, {"b": 2.0}]}, {"a": [1, {"b": 2.0 + 1e-13}]}, 1e-9, True),
        ([], {}, 1, False),
        ([1], 1, 1, False),
    ],
)
def test_same_compares_values_within_a_relative_tolerance(
    old: object, new: object, tolerance: float, expected: bool
) -> None:
    assert same(old, new, tolerance) is expected
    assert same(new, old, tolerance) is expected
