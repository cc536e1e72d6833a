"""The command line as a whole: exit statuses, JSON, help, and what starting it costs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from proofdeck import __version__
from proofdeck.cli import COMMANDS

from .helpers import REFERENCES, Deck, card

HEAVY = {"torch", "numpy", "matplotlib", "genanki", "scipy", "zstandard", "pygments", "PIL", "hypothesis"}


@pytest.fixture
def deck(deck_at: Callable[..., Deck]) -> Deck:
    return deck_at(
        {
            "cards/references.yaml": REFERENCES,
            "tests/test_shapes.py": "@witnesses('shapes.area', 'shapes.rows')\ndef test_area(): ...\n",
        },
        cards="It is {value}`shapes.area(2)`, {check}`shapes.symmetric()`, {cite}`euclid300`, {judgement}`fine`.",
    )


def command(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "proofdeck", *arguments], capture_output=True, text=True, cwd=cwd, timeout=60
    )


def imported(*arguments: str) -> set[str]:
    """Run a command in a fresh interpreter and return the heavy libraries that it imported."""
    script = (
        "import sys\nfrom proofdeck.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "print('MODULES', *{name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    return HEAVY & set(ran.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("build", "--help"), ("verify", "-h")])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert imported(*arguments) == set()


def test_check_list_and_an_idle_build_import_nothing_heavy(deck: Deck) -> None:
    root = ("--root", str(deck.root))
    assert imported("check", *root) == set()
    time.sleep(0.06)
    deck.ok("build")
    deck.ok("build")
    assert imported("build", *root) == set()
    assert imported("check", *root) == set()
    assert imported("verify", *root) == set()
    assert imported("verify", "--locked", *root) == set()


def test_commands_are_listed_with_help(deck: Deck) -> None:
    told = deck.run("--help", root=False)
    assert told.status == 0
    for name in COMMANDS:
        assert f"\n  {name} " in told.out
        help_text = deck.run(name, "--help", root=False)
        assert help_text.status == 0, name
        assert "--root" in help_text.out or name == "init"
    assert deck.run("--version", root=False).out == f"proofdeck, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("bild",), "Did you mean `build`?"),
        (("build", "nothing"), "no deck `nothing`; decks are: t"),
        (("verify", "nothing"), "`nothing` selects nothing"),
        (("accept", "nothing"), "`nothing` selects nothing"),
        (("build", "--loked"), "--locked"),
        (("verify", "-j", "0"), "-j"),
        (("verify", "-j", "many"), "-j"),
        (("eval",), "EXPRESSION"),
        (("eval", "x"), "`x` is not a call"),
        (("check", "extra"), "extra"),
    ],
)
def test_wrong_usage_ends_with_status_2(arguments: tuple[str, ...], told: str, deck: Deck) -> None:
    before = deck.snapshot()
    ran = deck.run(*arguments)
    assert (ran.status, ran.out, told in ran.err) == (2, "", True)
    assert deck.snapshot() == before


@pytest.mark.parametrize("name", ["build", "check", "verify", "accept", "list"])
def test_a_folder_that_is_no_project_ends_with_status_2(name: str, tmp_path: Path, deck: Deck) -> None:
    for where in (tmp_path, tmp_path / "missing", deck.root / "decks/t.yaml", deck.root / "cards"):
        ran = deck.run(name, "--root", str(where), root=False)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith("error: ")


def test_wrong_content_ends_with_status_1_for_every_command_that_reads_it(deck: Deck) -> None:
    deck.write("cards/a.md", card("{nope}`x`"))
    for arguments in (("check",), ("verify",), ("build",), ("accept",), ("list",), ("list", "--verifiers")):
        ran = deck.run(*arguments)
        assert (ran.status, ran.out) == (1, ""), arguments
        assert "cards/a.md:7:1: unknown role `{nope}`" in ran.err
        as_json = deck.run(*arguments, "--json")
        assert as_json.status == 1
        assert {problem["line"] for problem in as_json.json["problems"]} == {5, 7}


def test_json_is_one_document_with_stable_keys(deck: Deck) -> None:
    build = deck.ok("build", "--json").json
    assert {"decks", "seconds"} <= set(build)
    assert list(build["decks"][0]) == [
        "name", "path", "notes", "cards", "media", "bytes", "new", "changed", "unchanged", "retired",
    ]  # fmt: skip
    verify = deck.ok("verify", "--json").json
    assert {"claims", "ran", "cached", "failed", "stale", "seconds"} <= set(verify)
    assert list(verify["claims"]) == ["computed", "checked", "measured", "cited", "judgement"]
    [note] = deck.ok("list", "--json").json["notes"]
    assert {"id", "guid", "type", "deck", "file", "line", "tags", "parts", "covers", "evidence"} <= set(note)
    assert (note["id"], note["type"], note["deck"], note["file"], note["line"]) == (
        "q",
        "basic",
        "Tests",
        "cards/a.md",
        5,
    )
    assert note["evidence"] == {"computed": 1, "checked": 1, "measured": 0, "cited": 1, "judgement": 1}
    verifiers = deck.ok("list", "--verifiers", "--json").json["verifiers"]
    assert all({"name", "unit", "source", "witness", "kind", "cards"} <= set(entry) for entry in verifiers)
    found = {entry["name"]: entry for entry in verifiers}
    assert list(found) == sorted(found)
    assert found["shapes.area"]["unit"] == "B"
    assert found["shapes.area"]["cards"] == ["q"]
    assert found["shapes.area"]["witness"] == ["tests/test_shapes.py::test_area"]
    assert found["shapes.ratio"]["witness"] == [] and found["shapes.ratio"]["cards"] == []
    assert found["shapes.sides"]["unit"] == "width=B, share=1"
    assert {entry["kind"] for entry in verifiers} == {"verifier"}
    answer = deck.ok("eval", "shapes.area(2)", "--json").json
    assert set(answer) == {"expression", "value", "unit", "text"}


def test_json_of_failures_has_their_places(deck: Deck) -> None:
    deck.write("cards/a.md", card("{check}`shapes.area(1, 1) = 2`"))
    ran = deck.run("verify", "--json")
    assert ran.status == 1
    assert list(ran.json["failed"][0]) == ["note", "file", "line", "column", "expression", "message"]
    ran = deck.run("build", "--json")
    assert ran.status == 1
    assert [(p["file"], p["line"], p["column"]) for p in ran.json["problems"]] == [("cards/a.md", 7, 1)]


def test_json_in_a_real_process_is_all_that_is_on_standard_output(deck: Deck) -> None:
    deck.edit("verifiers/shapes.py", '"""Verifiers for tests."""', '"""V."""\nprint("noise", flush=True)')
    for arguments in (("verify",), ("build",), ("verify", "--all"), ("eval", "shapes.area(2) | kB")):
        ran = command(*arguments, "--json", "--root", str(deck.root))
        assert (ran.returncode, ran.stderr) == (0, ""), arguments
        assert isinstance(json.loads(ran.stdout), dict)


def test_the_project_is_found_from_a_folder_within_it(deck: Deck) -> None:
    (deck.root / "cards/deep").mkdir()
    ran = command("check", cwd=deck.root / "cards/deep")
    assert (ran.returncode, ran.stdout) == (0, "1 note in 1 file: no problem found\n")
    ran = command("check", cwd=deck.root.parent)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "no deck project" in ran.stderr


def test_guids_of_notes_are_known_before_and_after_their_release(deck: Deck) -> None:
    [before] = deck.ok("list", "--json").json["notes"]
    deck.edit("cards/a.md", "{#q}", "{#new formerly=q}")
    assert deck.ok("list", "--json").json["notes"][0]["guid"] == before["guid"]
    deck.edit("cards/a.md", "{#new formerly=q}", "{#q}")
    deck.ok("build")
    [after] = deck.ok("list", "--json").json["notes"]
    assert before["guid"] == after["guid"]
    deck.write("cards/a.md", deck.read("cards/a.md").replace("{#q}", "{#renamed formerly=q}"))
    [renamed] = deck.ok("list", "--json").json["notes"]
    assert (renamed["id"], renamed["guid"]) == ("renamed", before["guid"])


def test_settings_that_are_unknown_are_told(deck: Deck) -> None:
    deck.write("pyproject.toml", "[tool.proofdeck]\nnamespase = 'x'\n")
    ran = deck.run("build")
    assert (ran.status, "namespase" in ran.err) == (2, True)
    deck.write("pyproject.toml", "[tool.proofdeck\n")
    assert deck.run("list").status == 2


def test_a_folder_that_cannot_be_written_is_no_traceback(deck: Deck) -> None:
    deck.ok("build")
    (deck.root / "decks/build/t.apkg").unlink()
    (deck.root / "decks/build").rmdir()
    deck.write("decks/build", "a file where the folder should be")
    ran = deck.run("build")
    assert ran.status == 2
    assert ran.err.startswith("error: ")


@pytest.mark.parametrize("name", ["cache.db", "writer.lock"])
def test_a_folder_in_place_of_the_engines_notebook_is_no_traceback(name: str, deck: Deck) -> None:
    (deck.root / ".proofdeck" / name).mkdir(parents=True)
    ran = deck.run("build")
    assert ran.status in (0, 2)
