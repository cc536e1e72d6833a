"""Everything a project says, read and checked without running any of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from proofdeck.cache import Cache, engine_fingerprint
from proofdeck.errors import ContentError, Problem, did_you_mean
from proofdeck.evidence.closures import recall_closures
from proofdeck.evidence.code import Code
from proofdeck.machines import machine_problems, on_machines
from proofdeck.parse.model import Claim, Image, Need, Place, claims_of, needs_of
from proofdeck.project import Manifest, Project
from proofdeck.references import Reference, read_references
from proofdeck.sources import Head, Source, read_sources, usable_picture
from proofdeck.statements import read_statements, statement_files
from proofdeck.units import BASE_UNITS, measure


@dataclass
class Inspection:
    """A project's cards, manifests, references and code, and all that is wrong with them."""

    project: Project
    sources: list[Source]
    manifests: list[Manifest]
    selection: dict[str, list[str]]
    """Card files by manifest, in curriculum order."""
    references: dict[str, Reference]
    code: Code
    problems: list[Problem]
    statements: list[Source] = field(default_factory=list)
    """Claims tables, read as card files are; no deck holds them."""

    def needs(self, kind: str) -> dict[str, None]:
        """Return what cards need of a kind (`call`, `figure`, `cite`, `image`), in reading order."""
        return dict.fromkeys(key for source in self.sources for k, key in source.needs if k == kind)

    @property
    def all_sources(self) -> list[Source]:
        """Card files and claims tables."""
        return [*self.sources, *self.statements]

    @cached_property
    def by_file(self) -> dict[str, Source]:
        return {source.file: source for source in self.sources}

    def places(self, need: Need) -> list[tuple[str, Claim | Image]]:
        """Return note id and claim wherever `need` is needed."""
        found = []
        for source in self.all_sources:
            if need in source.needs:
                for note in source.notes:
                    found += [(note.id, claim) for claim in claims_of(note) if need in needs_of(claim)]
        return found

    def in_no_deck(self) -> list[str]:
        """Return the card files that no manifest selects."""
        selected = {file for files in self.selection.values() for file in files}
        return [source.file for source in self.sources if source.file not in selected]

    def require_clean(self) -> None:
        """Raise ContentError where anything is wrong."""
        if self.problems:
            raise ContentError(self.problems)


def inspect(project: Project, cache: Cache) -> Inspection:
    """Read a whole project; every problem of every file is collected."""
    problems: list[Problem] = []
    manifests = project.manifests(problems)
    files = project.card_files()
    selection = {manifest.name: project.select(manifest, files, problems) for manifest in manifests}
    references = read_references(project, problems)
    sources = read_sources(project.root, files, cache)
    statements = read_sources(
        project.root, statement_files(project.root), cache, "statements", read_statements
    )
    code = _code(project, cache)
    sources, statements = ([on_machines(source, code) for source in read] for read in (sources, statements))
    result = Inspection(project, sources, manifests, selection, references, code, problems, statements)
    for source in result.all_sources:
        problems += source.problems
    problems += _code_problems(code)
    problems += _unknown(result)
    problems += machine_problems(result.all_sources, code)
    problems += _identity(sources)
    _, cycles = curriculum(sources)
    problems += cycles
    return result


def _code(project: Project, cache: Cache) -> Code:
    engine = engine_fingerprint()
    kept = {
        key: (digest.removesuffix(engine), module)
        for key, (digest, module) in cache.all("module").items()
        if module and digest.endswith(engine)
    }
    before = {file: digest for file, (digest, _) in kept.items()}
    code = Code(project.root, kept)
    cache.put(
        "module",
        [
            (file, digest + engine, module)
            for file, (digest, module) in kept.items()
            if before.get(file) != digest
        ],
    )
    recall_closures(code, cache)
    return code


def _code_problems(code: Code) -> Iterable[Problem]:
    for name, module in code.modules.items():
        if module and module.error:
            line, column, message = module.error
            yield Problem(code.files[name], line, column, f"not Python: {message}")
    for function in [*code.functions.values(), *code.figures.values()]:
        place = Place(function.file, function.line, 1)
        for name in function.unread:
            yield place.problem(
                f"`{function.name}`: the option `{name}` is not written as a number", f"write {name}=30"
            )
        if function.kind == "figure":
            continue
        if not function.units:
            hint = "put `Unit: B`, `Unit: 1` or, for a property, `Unit: check` into its docstring"
            yield place.problem(f"`{function.name}` says no unit", hint)
        for _, unit in function.units:
            if unit not in ("check", "text", "str") and measure(unit) != (1.0, unit):
                known = measure(unit)
                hint = f"return it in `{known[1]}`" if known else f"base units are: {' '.join(BASE_UNITS)}"
                yield place.problem(f"`{function.name}`: `{unit}` is no base unit", hint)


def _unknown(found: Inspection) -> Iterable[Problem]:
    """Yield every claim that names a verifier, figure, reference or picture that is not there."""
    tables: dict[str, tuple[str, Mapping[str, object]]] = {
        "call": ("verifier", found.code.functions),
        "figure": ("figure", found.code.figures),
        "cite": ("reference", found.references),
    }
    for kind, (noun, table) in tables.items():
        for key in dict.fromkeys(key for s in found.all_sources for k, key in s.needs if k == kind):
            name = key.partition("(")[0]
            if name not in table:
                hint = did_you_mean(name, table) or _where(noun, name, found)
                for _, claim in found.places((kind, key)):
                    yield claim.place.problem(f"unknown {noun} `{name}`", hint)
    for path in found.needs("image"):
        if not usable_picture(found.project.root, path):
            for _, claim in found.places(("image", path)):
                yield claim.place.problem(f"the picture `{path}` does not exist or is empty")


def _where(noun: str, name: str, found: Inspection) -> str:
    if noun == "reference":
        return "add it to cards/references.yaml"
    folder = "verifiers" if noun == "verifier" else "figures"
    module, _, function = name.rpartition(".")
    file = f"{folder}/{module.replace('.', '/')}.py"
    read = found.code.module(f"{folder}.{module}")
    if read and function in read.definitions:
        return f"`{function}` of {file} is not marked with @{noun}"
    return f"write it in {file}, marked with @{noun}"


def _identity(sources: Iterable[Source]) -> Iterable[Problem]:
    """Yield what two notes may not share: ids, former ids, decks that differ in case alone.

    Two notes with one GUID in a package are both added by Anki, and only one is ever updated.
    """
    seen: dict[str, str] = {}
    heads = [(source.file, head) for source in sources for head in source.heads]
    for file, head in heads:
        if head.id and head.id in seen:
            yield Problem(
                file,
                head.line,
                1,
                f"the id `{head.id}` is taken by {seen[head.id]}",
                "ids are unique in the project",
            )
        seen.setdefault(head.id, f"{file}:{head.line}")
    decks: dict[str, str] = {}
    for file, head in heads:
        other = decks.setdefault(head.deck.casefold(), head.deck)
        if other != head.deck:
            message = f"the deck `{head.deck}` is `{other}` in other letters, which Anki takes for the same"
            yield Problem(file, head.line, 1, message, f"write `{other}`")
    former: dict[str, str] = {}
    for file, head in heads:
        for old in head.formerly:
            if old in seen:
                yield Problem(
                    file,
                    head.line,
                    1,
                    f"the former id `{old}` is in use at {seen[old]}",
                    "a note that lives keeps its id",
                )
            elif old in former:
                yield Problem(
                    file, head.line, 1, f"the former id `{old}` is claimed twice, first at {former[old]}"
                )
            former.setdefault(old, f"{file}:{head.line}")
        for needed in head.needs:
            if needed not in seen and needed not in {h.id for _, h in heads}:
                hint = did_you_mean(needed, {h.id for _, h in heads})
                yield Problem(file, head.line, 1, f"it needs the unknown note `{needed}`", hint)


def curriculum(sources: Iterable[Source]) -> tuple[list[tuple[Source, int]], list[Problem]]:
    """Return every note, as (source, index), in the order of the files but after what it needs."""
    notes: dict[str, tuple[Source, int, Head]] = {}
    for source in sources:
        for index, head in enumerate(source.heads):
            notes.setdefault(head.id, (source, index, head))
    if not any(head.needs for _, _, head in notes.values()):
        return [(source, index) for source, index, _ in notes.values()], []
    order: list[tuple[Source, int]] = []
    problems: list[Problem] = []
    state: dict[str, int] = {}
    for start in notes:
        stack = [(start, iter(notes[start][2].needs))] if start not in state else []
        state.setdefault(start, 1)
        while stack:
            current, rest = stack[-1]
            following = next((n for n in rest if n in notes), None)
            if following is None:
                state[current] = 2
                order.append(notes[current][:2])
                stack.pop()
            elif following not in state:
                state[following] = 1
                stack.append((following, iter(notes[following][2].needs)))
            elif state[following] == 1:
                source, _, head = notes[current]
                ring = [name for name, _ in stack][[name for name, _ in stack].index(following) :]
                place = Place(source.file, head.line, 1)
                problems.append(
                    place.problem(f"notes need each other in a ring: {' → '.join([*ring, following])}")
                )
    return order, problems
