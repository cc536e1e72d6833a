"""What must hold of a rendered note before it may enter a package."""

from __future__ import annotations

import re
from collections.abc import Iterator

from proofdeck.errors import Problem
from proofdeck.package.notetypes import NOTE_TYPES
from proofdeck.render.notes import Rendered

_CLOZE = re.compile(r"\{\{c(\d+)::(.*?)\}\}", re.S)
_IMAGE = re.compile(r"<img\b[^>]*\bsrc=\"([^\"]*)\"")
_DOLLAR_MATH = re.compile(r"\$\$[^$<]*[\\^_][^$<]*\$\$|\[\$\$?\]|\[latex\]")
_CODE = re.compile(r"<(code|pre)\b.*?</\1>", re.S)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def lint_fields(note: Rendered, file: str) -> Iterator[Problem]:
    """Yield what Anki would silently take wrongly: unknown fields, broken clozes, `$` math, lost media."""

    def problem(message: str, hint: str = "") -> Problem:
        return Problem(file, note.line, 1, f"`{note.id}`: {message}", hint)

    kind = NOTE_TYPES[note.type]
    known = {field.name for field in kind.fields}
    for name, html in note.fields:
        if name not in known:
            yield problem(f"the note type `{kind.name}` has no field `{name}`")
        if _CONTROL.search(html):
            yield problem(f"a control character in the field `{name}`", "Anki would drop it; delete it")
        if ("$" in html or "[latex]" in html) and _DOLLAR_MATH.search(_CODE.sub("", html)):
            yield problem(
                f"`$$` in the field `{name}`",
                "Anki knows \\( \\) and \\[ \\] alone; write one formula a `$$ … $$` pair",
            )
        for name_of in _IMAGE.findall(html):
            if name_of not in note.media:
                yield problem(f"the picture `{name_of}` is not in the package")
    if note.type == "cloze":
        yield from _clozes(note, problem)


def _clozes(note: Rendered, problem: object) -> Iterator[Problem]:
    assert callable(problem)
    text = dict(note.fields).get("Text", "")
    found = [(int(number), body) for number, body in _CLOZE.findall(text)]
    if {number for number, _ in found} != set(note.clozes):
        yield problem(
            "a cloze is cut off by its own text", "`}}` ends a cloze: put a space between the braces"
        )
    for number, body in found:
        if body.count("::") > 1:
            yield problem(f"`::` inside cloze {number}", "it begins a hint: write it with a space")
