"""The lint of bare numbers."""

from __future__ import annotations

import pytest

from proofdeck.errors import ContentError
from proofdeck.lint.numbers import lint_numbers
from proofdeck.parse import parse

from .helpers import Case, card, cases


def problems(text: str) -> list[str]:
    """Return `line:column message` of each problem; the body begins in line 7."""
    parsed = parse(text, "c.md")
    assert not parsed.problems, ContentError(parsed.problems)
    found = ContentError(lint_numbers(parsed)).problems
    return [f"{p.line}:{p.column} {p.message}" for p in found]


@pytest.mark.parametrize("case", cases("numbers_lint"))
def test_bare_numbers_are_found(case: Case) -> None:
    found = [line for line in problems(card(case.text)) if not line.endswith("a note without evidence")]
    assert "\n".join(found) == case.expected


def test_a_hint_says_how_to_vouch_for_a_number() -> None:
    found = [p for p in lint_numbers(parse(card("It is 42."), "c.md")) if p.line == 7]
    assert [p.hint for p in found] == [
        "compute it with {value}, compare it with {check}`module.function() ≈ 42`, or {cite} it"
    ]


@pytest.mark.parametrize(
    "body",
    ["Words alone.", "{figure}`m.f`", "{cloze}`1: hidden`", "`{value}`", "![x](a.png)", "\\{check}`m.f()`"],
)
def test_a_note_without_evidence_is_wrong(body: str) -> None:
    assert problems(card(body)) == ["5:1 a note without evidence"]


@pytest.mark.parametrize(
    "body",
    [
        "{value}`m.f()`",
        "{check}`m.f()`",
        "{table}`m.f()`",
        "{cite}`a`",
        "{judgement}`x`",
        "{cloze}``1: {cite}`a` ``",
        "{cloze}`1: x`\n\n---\n\n{cite}`a`",
        "A\n\n## L1: B\n{cite}`a`",
    ],
)
def test_any_evidence_of_a_note_will_do(body: str) -> None:
    assert problems(card(body)) == []


def test_an_unverified_note_is_exempt() -> None:
    assert problems(card("It is 42 and $$x = 1$$.", head="deck: D\ntags: [unverified]")) == []
    assert problems("---\ndeck: D\n---\n# Q 7? {#q tags=unverified}\nIt is 42.\n") == []
    assert problems(card("It is 42.", head="deck: D\ntags: [verified]")) != []


def test_an_unverified_note_exempts_no_other_note() -> None:
    text = "---\ndeck: D\n---\n# Q? {#q tags=unverified}\nIt is 42.\n# R? {#r}\nIt is 43.\n"
    assert problems(text) == ["6:1 a note without evidence", "7:7 `43` is a bare number"]


def test_a_number_in_a_question_is_vouched_for_anywhere_in_its_part() -> None:
    assert problems(card("Words.\n\nIt is {check}`m.f() = 42`.", title="Why 42 {value}`m.g()`?")) == []
    assert problems(card("Words.\n\nIt is {check}`m.f() = 41`.", title="Why 42?")) == [
        "5:7 `42` is not a number that this sentence's evidence names (41)"
    ]
    tree = "{cite}`a`\n\n## L1: Why 42?\n\nWords.\n\n## L2: Why 43?\n\nIt is {check}`m.f() = 43`.\n"
    assert problems(card(tree)) == ["9:12 `42` is a bare number"]


def test_a_trap_quotes_wrong_numbers_freely_but_its_answer_does_not() -> None:
    assert problems(card('{cite}`a`\n\n## Trap: "It is 43 and $2^3$."\n\nIt is 44.')) == [
        "11:7 `44` is a bare number"
    ]


def test_notes_of_one_file_do_not_vouch_for_each_other() -> None:
    text = "---\ndeck: D\n---\n# Q? {#q}\n{check}`m.f() = 42`\n# R 42? {#r}\n{judgement}`x`\n"
    assert problems(text) == ["6:5 `42` is a bare number"]
