"""Verifier modules: what each function says of itself, its source, its witnesses, its calls and their users."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proofdeck.cache import Cache, digest_of, engine_fingerprint
from proofdeck.evidence.runs import Ran
from proofdeck.parallel import spread
from proofdeck.parse.markdown import highlight
from proofdeck.record import Record
from proofdeck.report.model import User

if TYPE_CHECKING:
    from proofdeck.evidence.code import Function

KIND = "highlighted"
"""What the cache files coloured sources under."""
_FIELD = re.compile(r"^(Formula|Unit|Source|Witness):\s*(.*)$")


@dataclass(frozen=True, slots=True)
class Page(Record):
    """What a function's own text gives: its docstring by field, and its source in colours."""

    text: tuple[str, ...]
    """Paragraphs after the summary."""
    fields: tuple[tuple[str, str], ...]
    """`Formula`, `Source`, `Witness` as written."""
    html: str


@dataclass(frozen=True, slots=True)
class Called:
    """A call of a verifier by cards or claims tables."""

    call: str
    state: str
    value: str
    message: str
    ran: Ran | None
    """The last run of this very code on this machine."""
    accepted: str
    """Date on which the result was committed to the lock."""
    users: tuple[User, ...]


@dataclass(frozen=True, slots=True)
class Documented:
    """A verifier or measurement."""

    function: Function
    text: tuple[str, ...]
    formula: str
    witness: str
    sources: tuple[str, ...]
    html: str
    tests: tuple[str, ...]
    """Tests marked as its witnesses."""
    calls: tuple[Called, ...]

    @property
    def anchor(self) -> str:
        return self.function.name.rpartition(".")[2]


def read_functions(
    functions: Mapping[str, Function],
    calls: Mapping[str, Called],
    witnesses: Mapping[str, list[str]],
    cache: Cache,
) -> dict[str, list[Documented]]:
    """Return every function by module, in the order of their files."""
    by_function: dict[str, list[Called]] = {}
    for text, called in calls.items():
        by_function.setdefault(text.partition("(")[0], []).append(called)
    sources = _pages([function.source for function in functions.values()], cache)
    modules: dict[str, list[Documented]] = {}
    for name, function in sorted(functions.items(), key=lambda item: (item[1].file, item[1].line)):
        page = sources[function.source]
        fields = dict(page.fields)
        documented = Documented(
            function, page.text, fields.get("Formula", ""), fields.get("Witness", ""), function.references, page.html,
            tuple(witnesses.get(name, ())), tuple(sorted(by_function.get(name, ()), key=lambda c: c.call)),
        )  # fmt: skip
        modules.setdefault(name.rpartition(".")[0], []).append(documented)
    return modules


def _pages(sources: Iterable[str], cache: Cache) -> dict[str, Page]:
    """Return the page of every source; those that changed since the last time are coloured on all cores."""
    wanted = {source: digest_of(source) for source in sources}
    engine = engine_fingerprint()
    known = {key: page for key, (digest, page) in cache.all(KIND).items() if digest == engine and page}
    changed = [source for source, key in wanted.items() if key not in known]
    made = spread(_page, changed, weight=40 * sum(map(len, changed)))  # colouring is slow work
    known |= {wanted[source]: page for source, page in zip(changed, made, strict=True)}
    cache.put(KIND, [(wanted[source], engine, page) for source, page in zip(changed, made, strict=True)])
    cache.prune(KIND, wanted.values())
    return {source: known[key] for source, key in wanted.items()}


def _page(source: str) -> Page:
    text, fields = docstring(source)
    return Page(text, fields, highlight(source, "python"))


def docstring(source: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return a function's paragraphs after its summary, and its `Formula:`, `Unit:`, … lines by name."""
    node = ast.parse(source).body[0]
    assert isinstance(node, ast.FunctionDef)
    paragraphs: list[list[str]] = [[]]
    fields: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in inspect.cleandoc(ast.get_docstring(node) or "").split("\n")[1:]:
        if match := _FIELD.match(line):
            current = fields.setdefault(match[1], [])
            current.append(match[2])
        elif current is not None and line.startswith(" "):
            current.append(line.strip())
        elif line.strip():
            current = None
            paragraphs[-1].append(line.strip())
        else:
            current = None
            paragraphs.append([])
    texts = tuple(" ".join(lines) for lines in paragraphs if lines)
    return texts, tuple((name, " ".join(lines)) for name, lines in fields.items())
