"""A build that dies at any moment, and two builds at once, leave whole files behind."""

from __future__ import annotations

import io
import json
import random
import sqlite3
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import zstandard

from proofdeck.draw.figures import read_drawings
from proofdeck.evidence.lock import read_lock
from proofdeck.package.ledger import read_ledger
from proofdeck.project import Project

KILLS = 100

CARD = """---
deck: Durability
---

# What is the square of the edit? {{#square}}

Edit-number text {words}: {{value}}`numbers.square({number})`.

{{figure}}`bars.bar({number})`

# What is its double? {{#double-{generation}}}

{{value}}`numbers.double({number})`.
"""
VERIFIERS = '''from proofdeck import verifier


@verifier
def square(n: int) -> int:
    """Square.

    Unit: 1
    """
    return n * n


@verifier
def double(n: int) -> int:
    """Double.

    Unit: 1
    """
    return 2 * n
'''
FIGURES = '''from proofdeck import figure


@figure
def bar(height: int):
    """One bar."""
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(2, 1))
    drawing.subplots().bar([0], [height])
    return drawing
'''


def write_project(root: Path) -> None:
    for folder in ("cards", "decks", "verifiers", "figures"):
        (root / folder).mkdir(parents=True)
    (root / "verifiers" / "numbers.py").write_text(VERIFIERS)
    (root / "figures" / "bars.py").write_text(FIGURES)
    (root / "decks" / "d.yaml").write_text("title: Durability\n")


def edit(root: Path, number: int) -> None:
    """Change everything that a build writes: values, drawing, package, ledger, retired notes."""
    text = CARD.format(number=number, words="word " * (number % 7 + 1), generation=number // 10)
    (root / "cards" / "a.md").write_text(text)


def start(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "proofdeck", "build", "--root", str(root)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, start_new_session=True)


def assert_whole(root: Path) -> None:
    """Read every file that a build writes; each must be a complete one."""
    project = Project(root)
    read_lock(project.evidence_lock, root)
    read_drawings(project)
    ledger = read_ledger(project.history_lock, root)
    package = project.packages / "d.apkg"
    if not package.exists():
        return
    with zipfile.ZipFile(io.BytesIO(package.read_bytes())) as archive:
        assert archive.testzip() is None
        data = zstandard.ZstdDecompressor().decompress(archive.read("collection.anki21b"))
    db = sqlite3.connect(":memory:")
    db.deserialize(data)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    released = {entry.guid: entry.mod for entry in ledger.notes.values()}
    rows = db.execute("SELECT guid, mod FROM notes").fetchall()
    db.close()
    assert rows
    for guid, mod in rows:
        assert mod <= released[guid], "the package carries a time that the ledger does not know"


@pytest.mark.timeout(600)
def test_a_build_killed_at_a_hundred_moments_leaves_no_torn_file(tmp_path: Path) -> None:
    write_project(tmp_path)
    edit(tmp_path, 1)
    begin = time.monotonic()
    assert start(tmp_path).wait() == 0
    length = time.monotonic() - begin
    dice = random.Random(20)
    killed = 0
    for number in range(2, KILLS + 2):
        edit(tmp_path, number)
        build = start(tmp_path)
        # a third of the kills anywhere, the others late, where files are written
        share = dice.uniform(0, 1.1) if number % 3 == 0 else dice.uniform(0.5, 1.1)
        try:
            build.wait(length * share)
        except subprocess.TimeoutExpired:
            build.kill()
            killed += 1
        build.wait()
        assert_whole(tmp_path)
    assert killed > KILLS / 4
    assert start(tmp_path).wait() == 0
    assert_whole(tmp_path)
    leftovers = [path for path in tmp_path.rglob(".*.tmp") if ".proofdeck" not in path.parts]
    assert leftovers == []
    package = (tmp_path / "decks" / "build" / "d.apkg").read_bytes()
    (tmp_path / "decks" / "build" / "d.apkg").unlink()
    assert start(tmp_path).wait() == 0
    assert (tmp_path / "decks" / "build" / "d.apkg").read_bytes() == package


def test_two_builds_at_once_do_not_harm_each_other(tmp_path: Path) -> None:
    write_project(tmp_path)
    for number in range(1, 6):
        edit(tmp_path, number)
        builds = [start(tmp_path) for _ in range(3)]
        for build in builds:
            assert build.wait() == 0
        assert_whole(tmp_path)
    command = [sys.executable, "-m", "proofdeck", "build", "--json", "--locked", "--root", str(tmp_path)]
    report = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (report["decks"][0]["new"], report["decks"][0]["changed"]) == (0, 0)


def test_workers_end_with_a_build_that_is_killed(tmp_path: Path) -> None:
    write_project(tmp_path)
    (tmp_path / "verifiers" / "slow.py").write_text(
        "import os, time\nfrom pathlib import Path\nfrom proofdeck import verifier\n\n\n@verifier\ndef hang() -> int:\n"
        '    """Hang.\n\n    Unit: 1\n    """\n'
        f"    Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\n    time.sleep(60)\n    return 1\n"
    )
    (tmp_path / "cards" / "a.md").write_text("---\ndeck: D\n---\n\n# Q? {#q}\n\n{value}`slow.hang()`\n")
    build = start(tmp_path)
    deadline = time.monotonic() + 30
    while not (tmp_path / "pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    worker = int((tmp_path / "pid").read_text())
    build.kill()
    build.wait()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{worker}").exists() and time.monotonic() < deadline:
        state = Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # ended, and nobody has collected it yet
            return
        time.sleep(0.05)
    assert not Path(f"/proc/{worker}").exists()
