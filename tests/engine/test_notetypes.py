"""The definitions of the note types: dated, safe on every client, and legible in light and dark."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from proofdeck.changes import FIELDS
from proofdeck.package.collection import define, type_hash
from proofdeck.package.notetypes import NOTE_TYPES, NoteType, css, template_problems
from proofdeck.package.templates import ANSWER, GOALS, LADDER
from proofdeck.parse.markdown import highlight
from proofdeck.render.notes import STALE, UNVERIFIED

from .helpers import FIXTURES

RELEASED = FIXTURES / "note_types.txt"


# The day on which each was revised.


Listed = dict[str, list[tuple[int, str, str]]]
"""By note type, oldest first: `revised`, its day, and the hash of the definition."""
DAY = 86400


def released() -> Listed:
    found: Listed = {}
    for line in RELEASED.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            key, day, digest = line.split()
            moment = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())
            found.setdefault(key, []).append((moment, day, digest))
    return found


def check_revised(now: dict[str, tuple[int, str]], listed: Listed, today: int) -> Iterator[str]:
    """Say which note types differ from those that are listed, and what is to be done."""
    fixture = f"tests/fixtures/{RELEASED.name}"
    if set(now) != set(listed):
        yield f"{fixture} lists {sorted(listed)}, and the engine has {sorted(now)}"
    for key in sorted(set(now) & set(listed)):
        revised, digest = now[key]
        moments = [moment for moment, _, _ in listed[key]]
        before, day, known = listed[key][-1]
        if moments != sorted(set(moments)):
            yield f"`{key}`: a day in {fixture} is not later than the one before"
        if revised > today + DAY:
            yield f"`{key}`: its `revised` lies in the future: Anki would take no other definition till then"
        if digest == known and revised != before:
            yield f"`{key}` is what it was: put its `revised` in notetypes.py back to {day}, or styles of users' own are lost"
        if digest != known and revised <= before:
            yield (
                f"`{key}` has changed since {day}, and Anki would not take it: raise its `revised` in notetypes.py to today "
                f"(or tomorrow, if {day} is today), and add a line with that day and {digest} to {fixture}"
            )
        if digest != known and revised > before:
            yield f"`{key}` was revised: add a line with its day and {digest} to {fixture}"


def test_a_definition_changes_with_its_day() -> None:
    """Anki keeps the later of two definitions: one that changes without a later `revised` does not arrive."""
    now = {key: (NOTE_TYPES[key].revised, type_hash(model)) for key, model in define().models.items()}
    assert list(check_revised(now, released(), int(datetime.now(UTC).timestamp()))) == []


def test_the_check_of_days_finds_what_is_wrong() -> None:
    listed: Listed = {"basic": [(90 * DAY, "1970-04-01", "first"), (100 * DAY, "1970-04-11", "old")]}
    today = 200 * DAY
    assert list(check_revised({"basic": (100 * DAY, "old")}, listed, today)) == []
    for now, expected in (
        ((100 * DAY, "new"), "raise its `revised`"),
        ((99 * DAY, "new"), "raise its `revised`"),
        ((100 * DAY, "first"), "raise its `revised`"),
        ((101 * DAY, "new"), "add a line with its day and new"),
        ((101 * DAY, "old"), "back to 1970-04-11"),
        ((202 * DAY, "new"), "lies in the future"),
    ):
        problems = list(check_revised({"basic": now}, listed, today))
        assert expected in problems[0], problems
    for moments in ((100, 100), (101, 100)):
        rows = [(moment * DAY, "1970-04-11", "old") for moment in moments]
        assert "not later" in next(check_revised({"basic": (100 * DAY, "old")}, {"basic": rows}, today))
    assert "lists" in next(check_revised({}, listed, today))


def test_the_hash_covers_fields_templates_and_style() -> None:
    model = define().models["basic"]
    digest = type_hash(model)
    for change in ("css", "name", "latexPre"):
        assert type_hash(model | {change: "x"}) != digest
    for part in ("tmpls", "flds"):
        other = json.loads(json.dumps(model))
        other[part][0]["name"] = "x"
        assert type_hash(other) != digest


def test_what_updates_rely_on_is_what_there_is() -> None:
    assert {key: (len(kind.fields), len(kind.templates)) for key, kind in NOTE_TYPES.items()} == FIELDS


# Templates.

SCRIPT = re.compile(r"<script>(.*?)</script>", re.S)


def sides() -> Iterator[tuple[str, str]]:
    """Yield every front and back, with its name."""
    for kind in NOTE_TYPES.values():
        for template in kind.templates:
            yield f"{kind.key} {template.name} front", template.front
            yield f"{kind.key} {template.name} back", template.back


@pytest.mark.parametrize("name, html", list(sides()), ids=[name for name, _ in sides()])
def test_templates_fetch_nothing_and_leave_nothing_behind(name: str, html: str) -> None:
    for script in SCRIPT.findall(html):
        assert "{{" not in script and "}}" not in script, "Anki would read it as a field"
        assert script.strip().startswith("(function () {") and script.strip().endswith("})();"), (
            "a name at the top level exists already when the next card is shown"
        )
    assert len(re.findall(r"<script", html)) == len(SCRIPT.findall(html)) <= 1
    assert not re.search(r"\b(?:src|href)=|url\(|@import|//[a-z]|\son[a-z]+=", SCRIPT.sub("", html))
    script = "".join(SCRIPT.findall(html))
    assert not re.search(r"https?:|fetch\(|XMLHttp|import\(|\beval\b|innerHTML|src=", script)


def test_what_the_engine_writes_stays_readable_without_script() -> None:
    class Counter(HTMLParser):
        open: list[str] = []
        hidden: list[str] = []

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if "hidden" in dict(attrs):
                self.hidden.append(tag)

    for name, html in sides():
        counter = Counter()
        counter.hidden = []
        counter.feed(html)
        timed = "depth-tree" in name or "basic" in name
        assert counter.hidden == (["button"] if timed and "front" in name else []), name


def test_answers_are_timed_as_they_are_spoken() -> None:
    assert (ANSWER, LADDER) == (90, 180)
    assert GOALS == {"root": 90, "L1": 90, "L2": 180, "L3": 180, "trap": 90}
    for template, seconds in zip(NOTE_TYPES["depth-tree"].templates, GOALS.values(), strict=True):
        assert f'data-goal="{seconds}"' in template.front
    assert "timer" not in NOTE_TYPES["cloze"].templates[0].front


def _with(kind: NoteType, side: str, html: str) -> NoteType:
    first, *rest = kind.templates
    return replace(kind, templates=(replace(first, **{side: html}), *rest))


@pytest.mark.parametrize(
    "key, side, change, expected",
    [
        (
            "basic",
            "front",
            lambda html: html.replace("{{Question}}", "{{Qestion}}"),
            "unknown field `Qestion`",
        ),
        ("basic", "back", lambda html: html + "{{/Source}}", "not closed"),
        ("basic", "front", lambda html: html.replace("{{/Question}}", ""), "not closed"),
        (
            "depth-tree",
            "front",
            lambda html: html.replace("{{/L1 Question}}", "{{/L2 Question}}"),
            "not closed",
        ),
        ("depth-tree", "front", lambda html: NOTE_TYPES["depth-tree"].templates[2].front, "same front"),
        ("basic", "front", lambda html: "{{FrontSide}}", "shows no field"),
        ("basic", "front", lambda html: "{{#Question}}x{{/Question}}", "shows no field"),
        ("cloze", "back", lambda html: html.replace("cloze:", ""), "has no cloze"),
        ("cloze", "front", lambda html: html.replace("cloze:Text", "cloze:Txt"), "unknown field `Txt`"),
    ],
)
def test_planted_defects_of_templates_are_found(key: str, side: str, change: Any, expected: str) -> None:
    kind = NOTE_TYPES[key]
    assert template_problems(kind) == []
    broken = _with(kind, side, change(getattr(kind.templates[0], side)))
    assert broken != kind
    assert any(expected in problem for problem in template_problems(broken)), template_problems(broken)


# Style.

COMMENT = re.compile(r"/\*.*?\*/", re.S)
RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
Colour = tuple[int, int, int]


def rules() -> list[tuple[list[str], dict[str, str]]]:
    """Return the selectors and declarations of every rule."""
    found = []
    for selectors, body in RULE.findall(COMMENT.sub("", css())):
        pairs = [line.partition(":") for line in body.split(";") if line.strip()]
        found.append(([s.strip() for s in selectors.split(",")], {k.strip(): v.strip() for k, _, v in pairs}))
    return found


def test_the_style_is_read_whole() -> None:
    text = COMMENT.sub("", css())
    assert RULE.sub("", text).strip() == "", "a rule inside a rule, or one that is not closed"
    assert len(rules()) > 60


def test_every_rule_is_about_cards() -> None:
    """The preview shows cards beside its own pages, and the style must not reach these."""
    for selectors, _ in rules():
        for selector in selectors:
            assert re.match(r"\.(card|nightMode)(?![\w-])", selector), selector


def test_the_style_fetches_nothing() -> None:
    assert not re.search(r"url\(|@import|@font-face|https?:|//", COMMENT.sub("", css()))


def palette(dark: bool) -> dict[str, Colour]:
    """Return the custom properties of a mode; the rule of the dark ones follows and overrides."""
    found: dict[str, Colour] = {}
    for selectors, body in rules():
        if ".card" in selectors or (dark and ".card.nightMode" in selectors):
            found |= {k: colour(v) for k, v in body.items() if k.startswith("--")}
    return found


def colour(text: str) -> Colour:
    assert re.fullmatch(r"#[0-9a-f]{6}", text), f"{text}: write colours as #rrggbb"
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def contrast(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours as WCAG defines it."""

    def luminance(rgb: Colour) -> float:
        parts = [c / 255 for c in rgb]
        red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_contrast_is_computed_as_wcag_has_it() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((255, 255, 255), (255, 255, 255)) == pytest.approx(1)
    assert contrast(colour("#767676"), (255, 255, 255)) == pytest.approx(4.54, abs=0.005)


def resolved(value: str, known: dict[str, Colour]) -> Colour | None:
    """Return the colour that a declaration names, or None where it takes that of its surroundings."""
    found = re.fullmatch(r"var\((--[\w-]+)\)", value)
    if found:
        return known[found[1]]
    return None if value in ("inherit", "currentColor") else colour(value)


def written(dark: bool) -> Iterator[tuple[str, Colour]]:
    """Yield every colour of text of a mode, with the selector that sets it."""
    known = palette(dark)
    own: dict[str, Colour] = {}
    for selectors, body in rules():
        if "color" not in body:
            continue
        value = resolved(body["color"], known)
        for selector in selectors:
            if selector.startswith((".nightMode", ".card.nightMode")) and not dark:
                continue
            if value is not None:
                bare = re.sub(r"^\.nightMode \.code|^\.card \.code", ".code", selector)
                own[bare] = value
    yield from own.items()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("ground", ["--paper", "--tint"])
def test_every_colour_of_text_is_legible(dark: bool, ground: str) -> None:
    behind = palette(dark)[ground]
    seen = dict(written(dark))
    assert len(seen) > 30
    faint = {
        name: round(contrast(value, behind), 2)
        for name, value in seen.items()
        if contrast(value, behind) < 4.5
    }
    assert faint == {}


def test_nothing_makes_text_fainter_than_its_colour() -> None:
    for selectors, body in rules():
        if "opacity" in body:
            assert all("input" in selector for selector in selectors), selectors
        assert "filter" not in body or all("img" in selector for selector in selectors)
        for name in ("background", "background-color"):
            assert body.get(name, "none") in ("none", "var(--paper)", "var(--tint)"), selectors


CODE = {
    "python": '@deco\nclass A(B):\n    """Doc."""\n    def f(self, x: int = 3) -> None:  # why\n        return not None, 1.5, 0x1F, f"{x!r}\\n", b\'y\', r"z", len(x), self.y + True\n        raise ValueError\nimport a as b\nfrom c import d\nlambda: (yield)\n',
    "bash": 'for f in *.txt; do echo "$f" > /dev/null; done # why\n',
    "json": '{"a": [1, 2.5, null, true]}\n',
}


def test_every_colour_of_code_has_one_for_the_night() -> None:
    """A token that is coloured in light and not in dark would be dark on dark."""
    tokens: dict[bool, set[str]] = {False: set(), True: set()}
    for selectors, body in rules():
        for selector in selectors:
            found = re.fullmatch(r"(\.nightMode|\.card) \.code \.(\w+)", selector)
            if found and "color" in body:
                tokens[found[1] == ".nightMode"].add(found[2])
    assert tokens[False] == tokens[True] != set()
    used = {
        name
        for language, text in CODE.items()
        for name in re.findall(r'<span class="(\w+)">', highlight(text, language))
    }
    assert {"k", "kn", "s2", "c1", "mi", "mf", "nd", "nf", "nc"} <= used & tokens[False]


def test_both_ways_to_the_night_and_a_figure_that_stays_legible() -> None:
    """Anki's desktop puts `nightMode` on the card itself, AnkiDroid and AnkiMobile above it as well."""
    for selectors, body in rules():
        if "--paper" in body and any("nightMode" in s for s in selectors):
            assert set(selectors) == {".card.nightMode", ".nightMode .card"}
            break
    else:
        pytest.fail("no colours for the night")
    assert set(palette(False)) == set(palette(True))
    assert palette(False) != palette(True)
    [inverted] = [selectors for selectors, body in rules() if "invert" in body.get("filter", "")]
    assert {".card.nightMode img.figure", ".nightMode .card img.figure"} == set(inverted)


def test_every_class_that_cards_use_has_a_style() -> None:
    styled = {name for selectors, _ in rules() for s in selectors for name in re.findall(r"\.([\w-]+)", s)}
    html = "".join(html for _, html in sides()) + UNVERIFIED + STALE
    used = {name for group in re.findall(r'class="([^"{]*)"', html) for name in group.split()}
    assert used - styled <= {"unverified", "stale", "source"}, (
        "these stand beside a class that has one, or need none"
    )
