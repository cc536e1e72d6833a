"""The fronts and backs of every card, in Anki's template language.

Everything is readable without JavaScript: the ladder and the way back are text, deeper levels and the Proof
unfold by `<details>`, a figure grows by a check box. The one script, the timer, adds itself where it can run.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from proofdeck.render.notes import FIELD_PREFIX

LADDER = 180
"""Seconds for a spoken answer that climbs the whole ladder."""
ANSWER = 90
"""Seconds for a spoken answer to one question, or to a root question and its first follow-up."""

GOALS = {"root": ANSWER, "L1": ANSWER, "L2": LADDER, "L3": LADDER, "trap": ANSWER}

FOOT = "<footer>{{Source}}</footer>"
DECK = '<span class="deck">{{Subdeck}}</span>'


def level_name(part: str) -> str:
    """Return what a learner reads for a part.

    >>> level_name("root"), level_name("L2")
    ('Root', 'L2')
    """
    return part if part.startswith("L") else part.capitalize()


@cache
def _script() -> str:
    return (Path(__file__).parent / "timer.js").read_text(encoding="utf-8").strip()


def _timer(seconds: int) -> str:
    return f'<button type="button" class="timer" data-goal="{seconds}" hidden></button>\n<script>\n{_script()}\n</script>'


def question(field: str, head: str, way: str, seconds: int) -> str:
    """Return a front; it is empty, and Anki makes no card, where the question is."""
    return (
        f"{{{{#{field}}}}}<article>\n<header>{head}{DECK}</header>\n"
        f'{way}<div class="question">{{{{{field}}}}}</div>\n{_timer(seconds)}\n</article>{{{{/{field}}}}}'
    )


def answer(field: str, proof: str, deeper: str = "") -> str:
    """Return a back."""
    return (
        f"{{{{FrontSide}}}}\n<article><hr id=answer>\n{{{{Status}}}}\n"
        f'<section class="answer">{{{{{field}}}}}</section>\n{deeper}{{{{{proof}}}}}\n{FOOT}\n</article>'
    )


def kind(name: str) -> str:
    """Return the head of a card that stands on no ladder."""
    return f'<span class="level">{name}</span>'


def ladder(part: str) -> str:
    """Return the levels that the note has, this one marked."""
    steps = []
    for each, prefix in FIELD_PREFIX.items():
        name = level_name(each)
        mark = ' class="trap"' if each == "trap" else ""
        if each == part:
            steps.append(f"<b{mark}>{name}</b>")
        elif each == "root":
            steps.append(f"<span>{name}</span>")
        else:
            steps.append(f"{{{{#{prefix}Question}}}}<span{mark}>{name}</span>{{{{/{prefix}Question}}}}")
    return f'<span class="ladder">{" ".join(steps)}</span>'


def way_to(part: str) -> str:
    """Return the questions that lead to a part: all above it, for the trap the root alone."""
    above = list(FIELD_PREFIX)[: list(FIELD_PREFIX).index(part)]
    if part == "trap":
        above = above[:1]
    steps = [f"<span>{{{{{FIELD_PREFIX[each]}Question}}}}</span>" for each in above]
    return f'<div class="way">{" <i>›</i> ".join(steps)}</div>\n' if steps else ""


def deeper_than(part: str) -> str:
    """Return what lies below a part, folded: the next level with the one after it inside, then the trap."""
    levels = list(FIELD_PREFIX)
    html = ""
    for each in reversed(levels[levels.index(part) + 1 : -1]):
        html = _folded(each, html)
    return html if part == "trap" else html + _folded("trap")


def _folded(part: str, inside: str = "") -> str:
    prefix = FIELD_PREFIX[part]
    mark = " trap" if part == "trap" else ""
    return (
        f'{{{{#{prefix}Question}}}}<details class="deeper{mark}"><summary><b>{level_name(part)}</b> '
        f'{{{{{prefix}Question}}}}</summary>\n<section class="answer">{{{{{prefix}Answer}}}}</section>\n'
        f"{inside}</details>{{{{/{prefix}Question}}}}\n"
    )


def cloze_sides() -> tuple[str, str]:
    """Return front and back of a cloze card; it has no timer, since nobody speaks a gap for long."""
    front = (
        f"<article>\n<header>{kind('Cloze')}{DECK}</header>\n"
        '<div class="way"><span>{{Question}}</span></div>\n<section class="text">{{cloze:Text}}</section>\n</article>'
    )
    extra = '{{#Extra}}<section class="answer">{{Extra}}</section>{{/Extra}}'
    return (
        front,
        f"{front}\n<article><hr id=answer>\n{{{{Status}}}}\n{extra}\n{{{{Proof}}}}\n{FOOT}\n</article>",
    )
