"""Card files to notes: grammar, errors, places."""

from __future__ import annotations

import dataclasses
import re

import pytest

from proofdeck.errors import ContentError
from proofdeck.lint.numbers import lint_numbers
from proofdeck.parse import parse
from proofdeck.parse.model import Image, claims_of

from .helpers import Case, card, cases, dump


@pytest.mark.parametrize("case", cases("card_model"))
def test_a_card_file_becomes_notes(case: Case) -> None:
    parsed = parse(case.text, "c.md")
    assert not parsed.problems, ContentError(parsed.problems)
    assert dump(parsed) == case.expected


@pytest.mark.parametrize("case", cases("card_errors"))
def test_a_wrong_card_file_is_told_what_is_wrong_where_and_what_would_be_right(case: Case) -> None:
    assert str(ContentError(parse(case.text, "c.md").problems)) == case.expected


ROLE = re.compile(r"\{(?:value|check|cite|table|figure|judgement|cloze)\}(?=`)")
NO_NUMERAL = re.compile(
    r"\{(?:value|check)\}(`+).*?\1|\{cloze\}`+\d+:|(?<![}`\w])(`+)[^`\n]+\2|\$[^$]*\$|!\[.*?\]|^\s*\d+\.",
    re.M,
)
"""Roles, code, math, pictures and list markers, whose digits no rule is about."""


def places_in(pattern: re.Pattern[str], text: str) -> list[tuple[int, int]]:
    """Return line and column, counted from 1, of every match."""
    return [
        (text.count("\n", 0, found.start()) + 1, found.start() - text.rfind("\n", 0, found.start()))
        for found in pattern.finditer(text)
    ]


@pytest.mark.parametrize("case", cases("places"))
def test_places_are_exact(case: Case) -> None:
    text = card(case.text)
    parsed = parse(text, "c.md")
    assert not parsed.problems, ContentError(parsed.problems)
    roles = sorted(
        (claim.place.line, claim.place.column)
        for claim in claims_of(parsed.notes[0])
        if not isinstance(claim, Image)
    )
    numerals = sorted(
        (problem.line, problem.column)
        for problem in lint_numbers(parsed)
        if re.match(r"`\d+`", problem.message)
    )
    masked = NO_NUMERAL.sub(lambda found: re.sub(r"\d", "#", found[0]), text)
    assert roles == places_in(ROLE, text)
    assert numerals == places_in(re.compile(r"\d+"), masked)
    counts = [
        f"{len(found)} {noun}{'' if len(found) == 1 else 's'}"
        for found, noun in ((roles, "role"), (numerals, "numeral"))
    ]
    assert ", ".join(counts) == case.expected


def test_the_place_of_a_formula_is_exact() -> None:
    parsed = parse(card("Text $a + 1$ on\n\n  $$\nx^2\n$$\n\n- item $$y$$\n"), "c.md")
    found = {p.message: (p.line, p.column) for p in lint_numbers(parsed) if "evidence" in p.message}
    assert found.pop("a note without evidence") == (5, 1)
    assert found.pop("`a + 1` holds a number without evidence")[0] == 7
    assert [line for line, _ in found.values()] == [13]


def test_every_problem_of_a_file_is_reported_at_once_in_order_of_place() -> None:
    wrong = [f"{{nope}}`{n}`" for n in range(20)]
    parsed = parse(card("\n\n".join(wrong)), "c.md")
    places = [(problem.line, problem.column) for problem in ContentError(parsed.problems).problems]
    assert places == [(7 + 2 * n, 1) for n in range(20)]


def test_what_was_parsed_cannot_be_changed() -> None:
    source = card("{value}`m.f(1) | GB` {check}`m.g() = 2` {cite}`a` {judgement}`x`\n\n## L1: Q?\nA")
    parsed = parse(source, "c.md")
    seen: list[object] = []

    def freeze(thing: object) -> None:
        if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
            seen.append(thing)
            for field in dataclasses.fields(thing):
                with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
                    setattr(thing, field.name, None)
                freeze(getattr(thing, field.name))
        elif isinstance(thing, tuple):
            for item in thing:
                freeze(item)
        else:
            assert thing is None or isinstance(thing, str | int | float | bool), type(thing)

    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError, TypeError)):
        parsed.notes = ()  # type: ignore[misc]
    freeze(parsed.notes)
    freeze(parsed.problems)
    kinds = {type(thing).__name__ for thing in seen}
    assert {"Note", "Part", "Place", "Value", "Call", "Operand", "Format", "Comparison", "Judgement"} <= kinds


def test_parsing_twice_gives_equal_results() -> None:
    text = card("{value}`m.f(1) | GB`, {cloze}``1: {check}`m.g() = 2` ``, 3.")
    assert parse(text, "c.md").notes == parse(text, "c.md").notes
    assert parse(text, "c.md").notes != parse(text, "d.md").notes


@pytest.mark.parametrize("newline", ["\r\n", "\r"])
def test_windows_and_old_newlines_and_a_byte_order_mark_are_read(newline: str, deck_at) -> None:
    deck = deck_at(
        {
            "cards/a.md": "\ufeff"
            + card("Two {value}`shapes.area(2)`\n\nand {nope}`x`.").replace("\n", newline)
        }
    )
    ran = deck.run("check")
    assert (ran.status, ran.err.splitlines()[0]) == (1, "cards/a.md:9:5: unknown role `{nope}`")
