"""`verifiers/claims/*.yaml`: claims that stand on no card.

A statement is read as a note without a card: `verify` runs its checks, the lock accepts their results, and
nothing of it is packaged.
"""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import yaml

from proofdeck.errors import Problem, did_you_mean
from proofdeck.parse.expressions import ExpressionError, machine_name
from proofdeck.parse.model import Check, Note, Part, Place, needs_of_notes
from proofdeck.parse.roles import READERS
from proofdeck.sources import Job, Source
from proofdeck.units import FormatError

KEYS = ("claim", "check", "machine", "covers", "said", "because", "heard")
"""What is true, the checks that show it, the machine whose measurements they show, the source items it settles,
what people say instead, why that is off, and patterns of how they say it, by which an audit knows it."""


def statement_files(root: Path) -> list[str]:
    """Return every claims table, as paths from the root."""
    folder = root / "verifiers" / "claims"
    return sorted(p.relative_to(root).as_posix() for p in folder.glob("*.yaml")) if folder.is_dir() else []


def read_statements(job: Job) -> Source:
    """Read one claims table, given as (file, content, digest)."""
    file, data, digest = job
    problems: list[Problem] = []
    notes: list[Note] = []
    try:
        root = yaml.compose(data, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        told = getattr(error, "problem", None) or "not UTF-8"
        problems.append(Problem(file, line, column, f"not YAML: {told}"))
        root = None
    if root is not None and not isinstance(root, yaml.SequenceNode):
        problems.append(
            _place(file, root).problem("not a list", "write `- claim: …` and `check: …` below it")
        )
    elif root is not None:
        notes = [note for row in root.value if (note := _statement(file, row, problems))]
    return Source(
        file, digest, (), needs_of_notes(notes), tuple(problems), pickle.dumps(tuple(notes), protocol=5),
        any(note.machine for note in notes),
    )  # fmt: skip


def _place(file: str, node: yaml.Node) -> Place:
    return Place(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _statement(file: str, row: yaml.Node, problems: list[Problem]) -> Note | None:
    place = _place(file, row)
    if not isinstance(row, yaml.MappingNode):
        problems.append(place.problem("a statement is a mapping", f"keys are: {' '.join(KEYS)}"))
        return None
    texts: dict[str, list[tuple[Place, str]]] = {}
    for key, value in row.value:
        if key.value not in KEYS:
            hint = did_you_mean(str(key.value), KEYS) or f"keys are: {' '.join(KEYS)}"
            problems.append(_place(file, key).problem(f"unknown key `{key.value}`", hint))
            continue
        items = value.value if isinstance(value, yaml.SequenceNode) else [value]
        texts[key.value] = [
            (_place(file, item), str(item.value)) for item in items if isinstance(item, yaml.ScalarNode)
        ]
        if len(texts[key.value]) < len(items) or not all(text.strip() for _, text in texts[key.value]):
            problems.append(_place(file, value).problem(f"`{key.value}` is a text, or a list of texts"))
    for name in ("claim", "check"):
        if not texts.get(name):
            problems.append(place.problem(f"a statement without `{name}:`"))
            return None
    checks = [check for where, text in texts["check"] if (check := _check(where, text, problems))]
    for where, text in texts.get("heard", []):
        try:
            re.compile(text)
        except re.error as error:
            problems.append(where.problem(f"`heard` is no pattern: {error}"))
    machine = _machine(texts.get("machine", []), problems)
    claim = texts["claim"][0][1]
    part = Part("root", place, (claim,), tuple(checks), claim)
    covers = tuple(text for _, text in texts.get("covers", []))
    return Note(f"{file}:{place.line}", place, "statement", "", (), (part,), covers=covers, machine=machine)


def _machine(texts: list[tuple[Place, str]], problems: list[Problem]) -> str:
    for where, _ in texts[1:]:
        problems.append(where.problem("a second machine", "a statement has one; `… @ machine` names another"))
    try:
        return machine_name(texts[0][1]) if texts else ""
    except ExpressionError as error:
        problems.append(texts[0][0].problem(str(error), error.hint))
        return ""


def _check(place: Place, text: str, problems: list[Problem]) -> Check | None:
    try:
        check = READERS["check"](text, place, lambda *_: ())
    except (ExpressionError, FormatError) as error:
        hint = getattr(error, "hint", "") or "write `module.property()` or `module.function() ≈ 2 ± 5%`"
        problems.append(place.problem(str(error), hint))
        return None
    assert isinstance(check, Check)
    return check
