"""`proofdeck preview`: what it writes and says, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proofdeck.errors import Problem, UsageError
from tests.engine.helpers import Deck, make_deck

from .serving import PATIENCE, Client, Report


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return make_deck(tmp_path / "deck")


@pytest.fixture
def write_site(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands for the writer of the site: remembers how it was called, and gives or raises what a test says."""
    stub = SimpleNamespace(calls=[], result=Report(12, 34, 56, 1, written=["index.html"], seconds=0.5))

    def write(project: Any, out: Path, **options: Any) -> Report:
        stub.calls.append((project.root, out, options))
        if isinstance(stub.result, Exception):
            raise stub.result
        return stub.result

    monkeypatch.setitem(sys.modules, "proofdeck.preview.site", SimpleNamespace(write_site=write))
    return stub


def test_the_command_writes_a_site_and_says_where(deck: Deck, write_site: SimpleNamespace) -> None:
    ran = deck.ok("preview", "-j", "2")
    out = deck.root / ".proofdeck" / "site"
    [(root, folder, options)] = write_site.calls
    assert (root, folder) == (deck.root, out)
    assert (options["jobs"], options["live"]) == (2, False)
    assert ran.out.splitlines() == [
        f"{out}/index.html  12 pages, 34 notes, 56 cards, 1 picture  (1 file changed)",
        "0.50 s",
    ]


def test_the_command_writes_where_it_is_told(deck: Deck, write_site: SimpleNamespace, tmp_path: Path) -> None:
    write_site.result = Report(held_back=["kernel"])
    ran = deck.ok("preview", "-o", str(tmp_path / "there"))
    [(_, folder, _)] = write_site.calls
    assert folder == tmp_path / "there"
    assert "nothing changed" in ran.out
    assert "1 note not measured yet: kernel" in ran.out


def test_problems_are_told_beside_the_site(deck: Deck, write_site: SimpleNamespace) -> None:
    write_site.result.problems = [Problem("cards/a.md", 7, 3, "the claim is false", "say 6 B")]
    ran = deck.run("preview")
    assert ran.status == 1
    assert ran.err == "cards/a.md:7:3: the claim is false\n    say 6 B\n1 problem\n"
    assert "index.html" in ran.out
    ran = deck.run("preview", "--json")
    assert ran.status == 1
    assert ran.json["problems"][0]["line"] == 7
    assert (ran.json["pages"], ran.err) == (12, "")


@pytest.mark.parametrize("options", [(), ("--json",), ("--serve", "--port", "0")])
def test_a_folder_that_is_no_site_of_ours_is_refused(
    deck: Deck, write_site: SimpleNamespace, options: tuple[str, ...]
) -> None:
    write_site.result = UsageError("/home is not empty, and no site of ours")
    ran = deck.run("preview", *options)
    assert (ran.status, ran.err) == (2, "error: /home is not empty, and no site of ours\n")
    assert ran.out == ""


def test_the_command_says_when_the_port_is_in_use(deck: Deck, write_site: SimpleNamespace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = deck.run("preview", "--serve", "--port", str(port))
    assert ran.status == 2
    assert f"port {port}" in ran.err
    assert "--port" in ran.err
    assert not write_site.calls, "it built for nobody"


@pytest.mark.parametrize("options", [("--serve", "--json"), ("--serve", "--port", "65536"), ("--port", "x")])
def test_what_makes_no_sense_is_refused(
    deck: Deck, write_site: SimpleNamespace, options: tuple[str, ...]
) -> None:
    ran = deck.run("preview", *options)
    assert ran.status == 2
    assert ran.out == ""
    assert not write_site.calls


SERVING = """
import os, sys, time, types
from dataclasses import dataclass, field

@dataclass
class Report:
    written: list = field(default_factory=list)
    removed: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    seconds: float = 0.0

def write_site(project, out, **options):
    print("building", flush=True)
    if os.environ.get("HANG"):
        time.sleep(600)
    return Report(["index.html"])

sys.modules["proofdeck.preview.site"] = types.SimpleNamespace(write_site=write_site)
from proofdeck.cli import main
main(["preview", "--serve", "--port", "0", "--root", sys.argv[1]])
"""


@contextmanager
def command_running(root: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVING, str(root)], env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "building\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_it_with_pages_open(deck: Deck, number: int) -> None:
    with command_running(deck.root) as process:
        assert process.stdout.readline() == "built 1 page in 0.0 s\n"
        line = process.stdout.readline()
        port = int(re.fullmatch(r"serving http://127\.0\.0\.1:(\d+)/, Ctrl-C ends it\n", line)[1])
        with Client(port).listening() as event:
            assert event()[0] == "reload"
            process.send_signal(number)
            _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")


def test_an_interruption_ends_a_build(deck: Deck) -> None:
    with command_running(deck.root, HANG="1") as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
