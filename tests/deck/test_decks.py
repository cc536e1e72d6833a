"""The decks of this repository: complete, witnessed, and unable to change without somebody noticing."""

from __future__ import annotations

import ast
import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofdeck.errors import Problem
from proofdeck.evidence.code import Code, Function, read_module
from proofdeck.listing import list_notes, list_verifiers
from proofdeck.project import Project
from proofdeck.references import read_references

ROOT = Path(__file__).parents[2]
CONTENT = ("cards", "decks", "verifiers", "figures", "pyproject.toml", "tests/witnesses", "tests/kernels")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the content, to be written in."""
    root = tmp_path_factory.mktemp("project")
    for name in CONTENT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, root / name, ignore=shutil.ignore_patterns("__pycache__", "build"))
        elif source.exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, root / name)
    return root


def proofdeck(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "proofdeck", *arguments, "--root", str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_deck_has_what_it_promises(copy: Path) -> None:
    notes = list_notes(Project(copy))
    assert sum(note["type"] == "depth-tree" for note in notes) >= 10
    assert {note["type"] for note in notes} == {"depth-tree", "basic", "cloze"}
    for note in notes:
        if note["type"] == "depth-tree":
            assert note["parts"] == ["root", "L1", "L2", "L3", "trap"], note["id"]
        assert sum(note["evidence"].values()) > 0, note["id"]
    total = {kind: sum(note["evidence"][kind] for note in notes) for kind in notes[0]["evidence"]}
    proven = total["computed"] + total["checked"] + total["measured"]
    assert proven >= 0.8 * sum(total.values()), total


def test_no_work_is_listed_twice() -> None:
    problems: list[Problem] = []
    works = read_references(Project(ROOT), problems).values()
    assert not problems
    for texts in ([work.title.casefold() for work in works], [work.url for work in works if work.url]):
        assert [text for text, times in Counter(texts).items() if times > 1] == []


def test_every_verifier_has_a_witness(copy: Path) -> None:
    verifiers = list_verifiers(Project(copy))
    assert len(verifiers) >= 15
    assert [row["name"] for row in verifiers if row["kind"] == "verifier" and not row["witness"]] == []


def test_every_verifier_stands_on_a_card_or_in_a_claims_table(copy: Path) -> None:
    rows = [row for row in list_verifiers(Project(copy)) if row["kind"] == "verifier"]
    assert len(rows) > 1000
    assert [row["name"] for row in rows if not row["cards"] and not row["statements"]] == []


def test_the_committed_locks_build_every_deck(copy: Path) -> None:
    done = proofdeck(copy, "build", "--locked", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert all(deck["new"] == deck["changed"] == deck["retired"] == 0 for deck in report["decks"])
    assert sum(deck["media"] for deck in report["decks"]) >= 6


def literals(text: str) -> Iterator[tuple[ast.Constant, str]]:
    """Yield every literal of a function or constant of a module, with another value to put there."""
    tree = ast.parse(text)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or node.value is None or node.lineno != node.end_lineno:
            continue
        parent = parents[node]
        if isinstance(parent, ast.Expr | ast.JoinedStr | ast.FormattedValue):  # docstrings, parts of messages
            continue
        if isinstance(node.value, bool):
            yield node, repr(not node.value)
        elif isinstance(node.value, int | float):
            yield node, repr(node.value + 1)
        elif isinstance(node.value, str):
            yield node, repr(node.value + "x")


def mutate(text: str, node: ast.Constant, other: str) -> str:
    lines = text.split("\n")
    line = lines[node.lineno - 1].encode()
    assert node.end_col_offset is not None
    lines[node.lineno - 1] = (line[: node.col_offset] + other.encode() + line[node.end_col_offset :]).decode()
    return "\n".join(lines)


def test_no_literal_behind_a_card_changes_unseen(copy: Path) -> None:
    """Whatever literal changes in a verifier that a card rests on, the hash of that verifier changes."""
    used = [row["name"] for row in list_verifiers(Project(copy)) if row["cards"]]
    code = Code(copy)
    seen = 0
    for name in used:
        function = code.functions[name]
        module = f"verifiers.{name.rpartition('.')[0]}"
        before, _, _ = code.closure("verifiers", name)
        text = (copy / function.file).read_text()
        whole = code.modules[module]
        first, last = lines_of(function)
        for node, other in literals(text):
            if not first <= node.lineno <= last:
                continue
            code.modules[module] = read_module(module, function.file, mutate(text, node, other))
            fresh = code.fresh_closure("verifiers", name)
            seen += 1
            assert fresh[0] != before, (
                f"{function.file}:{node.lineno}:{node.col_offset}: {node.value!r} → {other}"
            )
        code.modules[module] = whole
    assert seen > 300


def lines_of(function: Function) -> tuple[int, int]:
    """Return first and last line of a marked function, decorators included."""
    lines = function.source.split("\n")
    first = function.line - next(index for index, line in enumerate(lines) if line.startswith("def "))
    return first, first + len(lines) - 1


def test_a_changed_literal_fails_verification_and_names_the_card(copy: Path) -> None:
    """Run `verify` on a sample of mutants: each fails, and says which card, where, old and new."""
    used = {
        row["name"] for row in list_verifiers(Project(copy)) if row["cards"] and row["kind"] == "verifier"
    }
    code = Code(copy)
    mutants = []
    for function in sorted((code.functions[name] for name in used), key=lambda function: function.name):
        first, last = lines_of(function)
        text = (copy / function.file).read_text()
        mutants += [(function.file, n, o) for n, o in literals(text) if first <= n.lineno <= last]
    assert proofdeck(copy, "verify").returncode == 0
    for file, node, other in random.Random(7).sample(mutants, 12):
        text = (copy / file).read_text()
        (copy / file).write_text(mutate(text, node, other))
        try:
            done = proofdeck(copy, "verify", "--json")
            build = proofdeck(copy, "build")
        finally:
            (copy / file).write_text(text)
        where = f"{file}:{node.lineno}: {node.value!r} → {other}"
        assert done.returncode == 1, where
        failed = json.loads(done.stdout)["failed"]
        assert failed, where
        assert any(failure["file"].startswith("cards/") for failure in failed), where
        for failure in failed:
            assert failure["file"].startswith(("cards/", "verifiers/claims/")), where
            assert failure["line"] > 0 and failure["column"] > 0, where
            assert failure["note"] and failure["message"], where
        assert build.returncode == 1, where
    assert proofdeck(copy, "verify").returncode == 0


def test_a_wrong_number_typed_into_a_card_fails(copy: Path) -> None:
    card = next(path for path in sorted((copy / "cards").rglob("*.md")) if "{check}`" in path.read_text())
    text = card.read_text()
    try:
        card.write_text(text + "\n# Bare? {#bare-number}\n\nIt takes 1234 bytes.\n")
        done = proofdeck(copy, "check")
        assert done.returncode == 1 and "`1234` is a bare number" in done.stderr
        compared = 'It takes 1235 bytes {check}`kv_cache.nbytes("llama-2-7b", tokens=1) ≈ 1235`.'
        card.write_text(text + f"\n# Wrong? {{#wrong-number}}\n\n{compared}\n")
        assert proofdeck(copy, "check").returncode == 0
        done = proofdeck(copy, "verify")
        assert done.returncode == 1 and "wrong-number" in done.stderr and "false" in done.stderr
    finally:
        card.write_text(text)
