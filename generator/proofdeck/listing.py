"""`list`: notes and verifiers as plain data."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Any

from proofdeck.cache import Cache
from proofdeck.evidence.code import as_mapping
from proofdeck.inspect import Inspection, inspect
from proofdeck.package.ledger import read_ledger
from proofdeck.parse.model import calls_of, claims_of
from proofdeck.project import Project
from proofdeck.verify import KINDS


def _inspected(project: Project) -> Inspection:
    with Cache(project.state).closing() as cache:
        found = inspect(project, cache)
    found.require_clean()
    return found


def list_notes(project: Project) -> list[dict[str, Any]]:
    """Return every note: id, guid, type, deck, file, line, tags, parts, covers and evidence by kind."""
    found = _inspected(project)
    ledger = read_ledger(project.history_lock, project.root)
    namespace = project.namespace()
    counts = evidence_counts(found)
    rows = []
    for source in found.sources:
        for head in source.heads:
            released = next((ledger.notes[i] for i in (head.id, *head.formerly) if i in ledger.notes), None)
            guid = (
                released.guid if released else f"{namespace}:{head.formerly[0] if head.formerly else head.id}"
            )
            rows.append(
                {
                    "id": head.id, "guid": guid, "type": head.type, "deck": head.deck, "title": head.title,
                    "file": source.file, "line": head.line, "tags": list(head.tags), "parts": list(head.parts),
                    "covers": list(head.covers), "evidence": {kind: counts[head.id][kind] for kind in KINDS},
                }
            )  # fmt: skip
    return rows


def list_verifiers(project: Project) -> list[dict[str, Any]]:
    """Return every verifier: name, unit, source, witness, kind, and the notes and statements that rest on it.

    Statements are those of the claims tables, as `file:line`.
    """
    found = _inspected(project)
    users: dict[str, dict[str, None]] = {}
    for source in found.sources:
        for head in source.heads:
            for _, verifier in head.claims:
                users.setdefault(verifier, {})[head.id] = None
    stated: dict[str, dict[str, None]] = {}
    for table in found.statements:
        for note in table.notes:
            for verifier in {call.function for claim in claims_of(note) for call in calls_of(claim)}:
                stated.setdefault(verifier, {})[note.id] = None
    seen = witnesses(project.root / "tests", project.root)
    rows = []
    for name, function in sorted(found.code.functions.items()):
        row = as_mapping(function)
        row |= {"witness": seen.get(name, []), "cards": list(users.get(name, {}))}
        rows.append(row | {"statements": list(stated.get(name, {}))})
    return rows


def witnesses(folder: Path, root: Path) -> dict[str, list[str]]:
    """Return the tests that `@witnesses(…)` marks, by verifier; they are read, not imported."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        if "witnesses(" not in text:
            continue
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
        for node in [*tree.body, *(inner for each in classes for inner in each.body)]:
            if not isinstance(node, ast.FunctionDef):
                continue
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func).endswith("witnesses"):
                    names = [arg.value for arg in decorator.args if isinstance(arg, ast.Constant)]
                    for name in names:
                        found.setdefault(str(name), []).append(
                            f"{path.relative_to(root).as_posix()}::{node.name}"
                        )
    return found


def evidence_counts(found: Inspection) -> dict[str, Counter[str]]:
    """Count the evidence of every note by kind, without opening the notes."""
    counts: dict[str, Counter[str]] = {}
    for source in found.sources:
        for head in source.heads:
            kinds: Counter[str] = Counter()
            for role, function in head.claims:
                known = found.code.functions.get(function)
                if role in ("cite", "judgement"):
                    kinds["cited" if role == "cite" else "judgement"] += 1
                elif known and known.kind == "measurement":
                    kinds["measured"] += 1
                elif known:
                    kinds["checked" if role == "check" else "computed"] += 1
            counts[head.id] = kinds
    return counts
