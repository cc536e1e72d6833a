"""What the engine's tests share: text fixtures, small projects on disk, and the command line in-process."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from click.testing import CliRunner

from proofdeck.cli import main
from proofdeck.parse.model import (
    Body,
    Check,
    Cite,
    Cloze,
    Figure,
    Image,
    Judgement,
    Parsed,
    Table,
    Value,
)

FIXTURES = Path(__file__).parents[1] / "fixtures"


@dataclass(frozen=True)
class Case:
    """One entry of a text fixture: title, `.`, input, `.`, expected, `.`."""

    line: int
    title: str
    text: str
    expected: str


def read_cases(name: str) -> list[Case]:
    """Read `tests/fixtures/NAME.txt`."""
    lines = (FIXTURES / f"{name}.txt").read_text(encoding="utf-8").split("\n")
    cases: list[Case] = []
    block: list[str] = []
    blocks: list[str] = []
    begin = 0
    for number, line in enumerate(lines, start=1):
        if line == ".":
            blocks.append("\n".join(block))
            block = []
            if len(blocks) == 3:
                title, text, expected = blocks
                cases.append(Case(begin, title.strip(), text, expected))
                blocks, begin = [], 0
        elif blocks or line.strip():
            begin = begin or number
            block.append(line)
    assert not blocks and not block, f"{name}.txt ends in the middle of a case"
    return cases


def cases(name: str, broken: Mapping[str, str] | None = None) -> list[Any]:
    """Return the cases of a fixture as pytest parameters; `broken` maps a title to why it fails for now."""
    broken = broken or {}
    parameters = []
    found = read_cases(name)
    titles = [case.title for case in found]
    assert len(set(titles)) == len(titles), f"two cases of {name}.txt have one title"
    assert set(broken) <= set(titles), f"no such case in {name}.txt: {set(broken) - set(titles)}"
    for case in found:
        marks = [pytest.mark.xfail(strict=True, reason=broken[case.title])] if case.title in broken else []
        parameters.append(pytest.param(case, id=f"{case.line}-{case.title}", marks=marks))
    return parameters


def files_of(text: str) -> dict[str, str]:
    """Split `>>> path` sections into files by path."""
    pieces = re.split(r"^>>> (\S+)\n", text, flags=re.M)
    assert not pieces[0].strip(), "text before the first `>>> path`"
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


MANIFEST = "title: Tests\n"

VERIFIERS = '''
"""Verifiers for tests."""

from proofdeck import verifier


@verifier
def area(width: float = 2, height: float = 3) -> float:
    """Area of a rectangle.

    Unit: B
    Source: definition
    """
    return width * height


@verifier
def ratio(a: float = 1, b: float = 4) -> float:
    """One number by another.

    Unit: 1
    """
    return a / b


@verifier
def symmetric(d: int = 3) -> dict[str, int]:
    """Area does not change when sides are swapped.

    Unit: check
    """
    assert area(d, 7) == area(7, d), "the area changed"
    return {"d": d}


@verifier
def wrong() -> None:
    """A property that is false.

    Unit: check
    """
    assert area(1, 1) == 2, "one is not two"


@verifier
def sides() -> dict[str, float]:
    """Sides by name.

    Unit: width=B, share=1
    """
    return {"width": 2_000_000_000, "share": 0.25}


@verifier
def rows() -> list[dict[str, object]]:
    """Areas by width.

    Unit: area=B
    """
    return [{"name": "a", "area": area(1, 1000)}, {"name": "b", "area": area(2, 1000)}]
'''

FIGURES = '''
"""Figures for tests."""

from proofdeck import figure

from verifiers import shapes


@figure
def line():
    """A line up to the area."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(2, 1.5))
    drawing.subplots().plot([0, shapes.area(2, 3)])
    return drawing
'''

REFERENCES = """
euclid300:
  authors: Euclid
  title: Elements
  year: -300
  url: https://example.org/elements
"""


def card(body: str, *, name: str = "q", title: str = "Question?", head: str = "deck: Tests") -> str:
    """Return a card file with one note; its body begins in line 7 where the front matter has one line."""
    return f"---\n{head}\n---\n\n# {title} {{#{name}}}\n\n{body.strip()}\n"


@dataclass
class Ran:
    """What a command printed, and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


@dataclass
class Deck:
    """A deck project on disk."""

    root: Path

    def write(self, path: str, text: str | bytes) -> Path:
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(text.encode() if isinstance(text, str) else text)
        return full

    def read(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert text.count(old) == 1, f"{path} holds {text.count(old)} times {old!r}"
        self.write(path, text.replace(old, new))

    def run(self, *arguments: str, root: bool = True) -> Ran:
        """Run `proofdeck ARGUMENTS --root here`; fail where it ends in a traceback."""
        words = [*arguments, "--root", str(self.root)] if root else list(arguments)
        result = runner().invoke(main, words)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise AssertionError(f"traceback from {' '.join(arguments)}") from result.exception
        out, err = (text.replace("\N{NO-BREAK SPACE}", " ") for text in (result.stdout, result.stderr))
        return Ran(result.exit_code, out, err)

    def ok(self, *arguments: str) -> Ran:
        """Run a command that must succeed."""
        ran = self.run(*arguments)
        assert ran.status == 0, ran.err
        return ran

    def lock(self) -> dict[str, dict[str, Any]]:
        """The evidence lock, by call."""
        lines = [json.loads(line) for line in self.read("verifiers/evidence.lock").splitlines()]
        return {line["call"]: line for line in lines if "call" in line}

    def snapshot(self) -> dict[str, str]:
        """Digest of every file, but for the engine's own notebook."""
        return {
            path.relative_to(self.root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and ".proofdeck" not in path.relative_to(self.root).parts
        }


def runner() -> CliRunner:
    try:
        return CliRunner(mix_stderr=False)  # type: ignore[call-arg]
    except TypeError:  # click 8.2 keeps the two streams apart by itself
        return CliRunner()


def make_deck(root: Path, files: Mapping[str, str] | None = None, cards: str | None = None) -> Deck:
    """Make a project with a manifest, the verifiers above, and `files`; `cards` is the body of cards/a.md."""
    deck = Deck(root)
    for folder in ("cards", "decks", "verifiers", "figures"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    wanted = {"decks/t.yaml": MANIFEST, "verifiers/shapes.py": VERIFIERS, **(files or {})}
    if cards is not None:
        wanted["cards/a.md"] = card(cards)
    for path, text in wanted.items():
        deck.write(path, text)
    return deck


def verifier_source(body: str, name: str = "f", unit: str = "1", options: str = "", before: str = "") -> str:
    """Return a module with one verifier."""
    body = dedent(body).strip().replace("\n", "\n    ")
    return (
        f"from proofdeck import verifier\n{dedent(before)}\n\n@verifier{options}\n"
        f'def {name}():\n    """Something.\n\n    Unit: {unit}\n    """\n    {body}\n'
    )


def dump(parsed: Parsed) -> str:
    """Write a parsed file in lines that a test can compare."""
    out: list[str] = []
    for note in parsed.notes:
        out.append(f"{note.type} #{note.id} at {note.place.line} in {note.deck or '-'}")
        for name in ("tags", "formerly", "needs", "covers"):
            if words := getattr(note, name):
                out.append(f"  {name}: {' '.join(words)}")
        for part in note.parts:
            out.append(f"  {part.name} at {part.place.line}: {_told(part.question)}")
            out.append(f"    title: {part.title}")
            out.append(f"    {_told(part.answer)}")
        if note.extra:
            out.append(f"  extra: {_told(note.extra)}")
    return "\n".join(out)


def _told(body: Body) -> str:
    words = []
    for segment in body:
        if isinstance(segment, str):
            words.append(segment.replace("\n", "⏎"))
        else:
            words.append(f"⟦{_claim(segment)} @{segment.place.line}:{segment.place.column}⟧")
    return "".join(words).removesuffix("⏎")


def _claim(claim: object) -> str:
    match claim:
        case Value():
            return f"value {claim.operand} {claim.format.unit} {claim.format.spec}".strip()
        case Check():
            test = claim.test
            if hasattr(test, "operator"):
                slack = (
                    "" if test.tolerance is None else f" ± {test.tolerance:g}{' relative' * test.relative}"
                )
                return f"check {test.left} {test.operator} {test.right}{slack}"
            return f"check {test}"
        case Table():
            formats = ",".join(f"{name}={how.unit}{how.spec}" for name, how in claim.formats)
            return f"table {claim.call} {formats}".strip()
        case Figure():
            return f"figure {claim.call}"
        case Cite():
            return f"cite {' '.join(claim.keys)}"
        case Judgement():
            return f"judgement {_told(claim.body)}"
        case Cloze():
            return f"cloze {claim.number} {_told(claim.body)}" + (f" hint={claim.hint}" if claim.hint else "")
        case Image():
            return f"image {claim.path} alt={claim.alt}"
    raise TypeError(type(claim))
