"""A card file to notes: front matter, headings and their order, parts, places.

`parse` never raises for what a file says: every problem is collected, with its place and a hint.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from markdown_it.token import Token
from mdit_py_plugins.attrs.parse import ParseError
from mdit_py_plugins.attrs.parse import parse as parse_attributes

from proofdeck.decknames import read_deck_name
from proofdeck.errors import Problem, did_you_mean
from proofdeck.mapping import Unreadable, read_mapping
from proofdeck.parse.expressions import ExpressionError, machine_name
from proofdeck.parse.inline import Inlines
from proofdeck.parse.markdown import HOLE, reader
from proofdeck.parse.model import (
    PARTS,
    Block,
    Body,
    Cloze,
    Note,
    Parsed,
    Part,
    Place,
    claims_in,
)

ID = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*$")
FRONT_MATTER = ("deck", "tags", "machine")
_TAG = re.compile(r"[^\s\x00-\x1f<>]+")
NO_TAG = "a tag has no spaces and no markup: write `kv-cache`"
ATTRIBUTES = ("id", "class", "formerly", "needs", "covers", "tags", "machine")


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the front matter says of every note of a file."""

    deck: str = ""
    tags: tuple[str, ...] = ()
    machine: str = ""


@dataclass
class _Draft:
    """A note while its file is read."""

    place: Place
    attributes: dict[str, str]
    parts: list[_PartDraft] = field(default_factory=list)


@dataclass
class _PartDraft:
    name: str
    place: Place
    heading: Token
    cut: int = 0
    """Column at which the heading's text begins, behind `## L1:`."""
    tokens: list[Token] = field(default_factory=list)


def parse(text: str, file: str) -> Parsed:
    """Read the card file `file` (path for messages) with content `text`."""
    problems: list[Problem] = []
    tokens = reader().parse(text)
    inlines = Inlines(file, text, problems)
    front, drafts = _structure(tokens, file, problems)
    shared = _front_matter(front, file, problems)
    notes: list[Note] = []
    blocks: list[Block] = []
    for draft in drafts:
        inlines.note = len(notes)
        note = _note(draft, shared, inlines, problems)
        notes.append(note)
    blocks = inlines.blocks
    if not drafts and not problems:
        problems.append(Problem(file, 1, 0, "no note in this file", "begin one with `# Question {#id}`"))
    return Parsed(file, tuple(notes), tuple(blocks), tuple(problems))


def _structure(tokens: list[Token], file: str, problems: list[Problem]) -> tuple[Token | None, list[_Draft]]:
    """Cut the tokens into notes and parts; report text outside any note and wrong headings."""
    front: Token | None = None
    drafts: list[_Draft] = []
    index = 0
    stray = False
    while index < len(tokens):
        token = tokens[index]
        if token.type == "front_matter":
            front = token
        elif token.type == "heading_open" and token.level == 0 and token.tag == "h1":
            place = Place(file, _line(token), 1)
            drafts.append(_Draft(place, _attributes(token, place, problems)))
            drafts[-1].parts.append(_PartDraft("root", place, tokens[index + 1]))
            index += 2
        elif token.type == "heading_open" and token.level == 0 and token.tag == "h2" and drafts:
            place = Place(file, _line(token), 1)
            name = _part_name(token, tokens[index + 1], place, drafts[-1], problems)
            drafts[-1].parts.append(_PartDraft(name, place, tokens[index + 1], token.meta.get("cut", 0)))
            index += 2
        elif drafts:
            drafts[-1].parts[-1].tokens.append(token)
        elif not stray:
            stray = True
            problems.append(
                Problem(
                    file,
                    _line(token),
                    1,
                    "stray text before the first note",
                    "begin a note with `# Question {#id}`",
                )
            )
        index += 1
    return front, drafts


def _line(token: Token) -> int:
    return token.map[0] + 1 if token.map else 1


def _attributes(token: Token, place: Place, problems: list[Problem]) -> dict[str, str]:
    """Read `{#id formerly=old-id needs="a b"}`; `key: value` is understood as well."""
    source = token.meta.get("attributes", "")
    source = re.sub(r'([\w-]+):[ \t]+("[^"]*"|\[[^\]]*\]|[\w-]+)', _keyed, source)
    try:
        _end, attributes = parse_attributes("{" + source + "}")
    except ParseError:
        problems.append(
            place.problem(f"cannot read the attributes `{{{source}}}`", 'write {#id formerly="old-id"}')
        )
        return {}
    for name in attributes:
        if name not in ATTRIBUTES:
            hint = did_you_mean(name, ATTRIBUTES) or f"attributes are: {' '.join(ATTRIBUTES)}"
            problems.append(place.problem(f"unknown attribute `{name}`", hint))
    return dict(attributes)


def _keyed(match: re.Match[str]) -> str:
    return f'{match[1]}="' + match[2].strip('"[]').replace(",", " ") + '"'


def _part_name(token: Token, inline: Token, place: Place, draft: _Draft, problems: list[Problem]) -> str:
    """Return the part that an H2 begins, reporting one that is unknown, double or out of order."""
    label = str(token.meta.get("part", ""))
    name = "trap" if label.lower() == "trap" else label.upper()
    if name not in PARTS:
        written = label or inline.content.split(":")[0][:40]
        hint = (
            did_you_mean(written, ("L1", "L2", "L3", "Trap"))
            or "an H2 begins with `L1:`, `L2:`, `L3:` or `Trap:`"
        )
        problems.append(place.problem(f"`{written}` is no part of a note", hint))
        return ""
    before = [part.name for part in draft.parts]
    if name in before:
        problems.append(place.problem(f"a second `{label}` in one note", "a note has each part once"))
    elif name == "trap":
        pass
    elif "trap" in before:
        problems.append(place.problem(f"`{label}` after the trap", "the trap comes last"))
    else:
        wanted = PARTS[PARTS.index(name) - 1]
        if wanted not in before:
            problems.append(
                place.problem(f"`{label}` without `{wanted}`", f"write `## {wanted}: …` before it")
            )
    return name


def _front_matter(token: Token | None, file: str, problems: list[Problem]) -> _Shared:
    """Return what a file says of all its notes."""
    if token is None:
        problems.append(Problem(file, 1, 0, "no front matter", "begin the file with ---, deck: …, ---"))
        return _Shared()
    try:
        data = read_mapping(token.content)
    except Unreadable as error:
        hint = "" if error.line else "write deck: … and tags: […]"
        problems.append(Problem(file, error.line + 1, error.column, f"front matter is {error}", hint))
        return _Shared()
    for key in data:
        if key not in FRONT_MATTER:
            hint = did_you_mean(str(key), FRONT_MATTER) or f"keys are: {' '.join(FRONT_MATTER)}"
            problems.append(
                Problem(file, _key_line(token, str(key)), 1, f"unknown key `{key}` in the front matter", hint)
            )
    machine = _machine(data.get("machine"), Place(file, _key_line(token, "machine"), 1), problems)
    return _Shared(
        _deck(data.get("deck"), token, file, problems),
        _tags(data.get("tags"), token, file, problems),
        machine,
    )


def _key_line(token: Token, key: str) -> int:
    for number, line in enumerate(token.content.split("\n"), start=2):
        if line.partition(":")[0].strip(" \t'\"") == key:
            return number
    return 1


def _deck(deck: Any, token: Token, file: str, problems: list[Problem]) -> str:
    if not isinstance(deck, str) or not deck.strip():
        problems.append(
            Problem(file, 1, 0, "no deck in the front matter", "write `deck: Inference::KV cache`")
        )
        return ""
    name, wrong = read_deck_name(deck)
    if wrong:
        problems.append(Problem(file, _key_line(token, "deck"), 1, wrong, "write `Parent::Child`"))
    return name


def _tags(tags: Any, token: Token, file: str, problems: list[Problem]) -> tuple[str, ...]:
    if tags is None:
        return ()
    if not isinstance(tags, list):
        problems.append(
            Problem(file, _key_line(token, "tags"), 1, "tags are not a list", "write `tags: [one, two]`")
        )
        return ()
    wrong = [tag for tag in tags if not isinstance(tag, str | int) or not _TAG.fullmatch(str(tag))]
    for tag in wrong:
        place = Place(file, _key_line(token, "tags"), 1)
        problems.append(place.problem(f"`{tag}` is no tag", NO_TAG))
    return tuple(str(tag) for tag in tags if tag not in wrong)


def _machine(name: Any, place: Place, problems: list[Problem]) -> str:
    try:
        return "" if name is None else machine_name(str(name))
    except ExpressionError as error:
        problems.append(place.problem(str(error), error.hint))
        return ""


def _note(draft: _Draft, shared: _Shared, inlines: Inlines, problems: list[Problem]) -> Note:
    parts = [_part(part, inlines, problems) for part in draft.parts]
    clozes = [
        claim
        for part in parts
        for claim in claims_in(part.answer + part.question)
        if isinstance(claim, Cloze)
    ]
    kind = "depth-tree" if len(parts) > 1 else "cloze" if clozes else "basic"
    for cloze in clozes if kind == "depth-tree" else ():
        problems.append(cloze.place.problem("a cloze in a depth tree", "make it a note of its own"))
    extra: Body = ()
    if kind == "cloze":
        extra, parts = _below_the_break(draft.parts[0], parts[0], inlines)
        for claim in claims_in(extra + parts[0].question):
            if isinstance(claim, Cloze):
                problems.append(
                    claim.place.problem("a cloze outside the text of its note", "write it above the break")
                )
    names = {
        name: tuple(draft.attributes.get(name, "").replace(",", " ").split())
        for name in ("formerly", "needs", "covers", "tags")
    }
    for tag in names["tags"]:
        if not _TAG.fullmatch(tag):
            problems.append(draft.place.problem(f"`{tag}` is no tag", NO_TAG))
    return Note(
        _id(draft, parts[0].title, problems),
        draft.place,
        kind,
        shared.deck,
        shared.tags + names["tags"],
        tuple(parts),
        names["formerly"],
        names["needs"],
        names["covers"],
        extra,
        _machine(draft.attributes.get("machine"), draft.place, problems) or shared.machine,
    )


def _id(draft: _Draft, title: str, problems: list[Problem]) -> str:
    identity = draft.attributes.get("id", "")
    slug = "-".join(re.findall(r"[a-z0-9]+", title.lower())[:5])
    if not identity:
        problems.append(draft.place.problem("a note without id", f"write `# … {{#{slug or 'some-id'}}}`"))
    elif not ID.match(identity):
        problems.append(
            draft.place.problem(f"`{identity}` is no id", "an id is lower-case words joined by hyphens")
        )
    return identity


def _part(draft: _PartDraft, inlines: Inlines, problems: list[Problem]) -> Part:
    inlines.part = draft.name
    question = inlines.render_heading(draft.heading, draft.cut)
    title = plain(question)
    if not title and all(isinstance(segment, str) for segment in question):
        problems.append(
            draft.place.problem("a heading without a question", "write the question after the `#`")
        )
    answer = inlines.render_blocks(draft.tokens)
    if not any(not isinstance(segment, str) or segment.strip() for segment in answer):
        problems.append(
            draft.place.problem("a question without an answer", "write the answer below the heading")
        )
    return Part(draft.name, draft.place, question, answer, title)


def _below_the_break(draft: _PartDraft, part: Part, inlines: Inlines) -> tuple[Body, list[Part]]:
    """Split a cloze note at its first thematic break: what follows is shown on the back alone."""
    cut = next((i for i, token in enumerate(draft.tokens) if token.type == "hr" and token.level == 0), None)
    if cut is None:
        return (), [part]
    text = inlines.rendered(draft.tokens[:cut])
    return inlines.rendered(draft.tokens[cut + 1 :]), [
        Part(part.name, part.place, part.question, text, part.title)
    ]


_TAGS = re.compile(r"<[^>]*>")


def plain(body: Body) -> str:
    """Return the text of a body without markup, on one line."""
    from html import unescape

    words: list[str] = []
    for segment in body:
        if isinstance(segment, str):
            words.append(unescape(_TAGS.sub("", HOLE.sub("", segment))))
        elif isinstance(segment, Cloze):
            words.append(plain(segment.body))
    return " ".join("".join(words).split())
