"""`build`: packages that depend on nothing but sources, lock and ledger."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from .helpers import FIGURES, REFERENCES, Deck, card, verifier_source

CARDS = {
    "cards/references.yaml": REFERENCES,
    "cards/a/tree.md": card(
        "Root {value}`shapes.area(2, 5) | kB`.\n\n{figure}`plots.line`\n\n## L1: How?\n\n{check}`shapes.symmetric(4)`\n\n"
        '## Trap: "7."\n\nNo {cite}`euclid300`. ![dot](dot.svg)',
        name="tree",
        head="deck: Tests::Trees\ntags: [e, b, d, a, c]",
    ),
    "cards/a/dot.svg": "<svg xmlns='http://www.w3.org/2000/svg' width='1' height='1'/>",
    "cards/b.md": card("A {cloze}`1: hidden` {judgement}`word` and {cloze}`3: more | hint`.", name="gap"),
    "cards/c.md": card("{table}`shapes.rows() | area=kB`", name="plain"),
    "decks/t.yaml": "title: Tests\ndescription: About **tests**.\nunder: Top\ncards: [cards/a/*.md, cards/**/*.md]\n",
    "decks/u.yaml": "title: Other\ncards: [cards/c.md]\n",
    "figures/plots.py": FIGURES,
}


def notes_in(package: Path) -> dict[str, dict[str, str]]:
    """Return fields by note id, in the order in which Anki shows new cards."""
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        name = "collection.anki21b" if "collection.anki21b" in archive.namelist() else "collection.anki2"
        data = archive.read(name)
    if name.endswith("b"):
        data = zstandard.ZstdDecompressor().decompress(data)
    with closing(sqlite3.connect(":memory:")) as db:
        db.deserialize(data)
        models = json.loads(db.execute("SELECT models FROM col").fetchone()[0])
        found = {}
        for model, fields in db.execute(
            "SELECT mid, flds FROM notes JOIN cards ON nid = notes.id GROUP BY notes.id ORDER BY min(due)"
        ):
            names = [field["name"] for field in models[str(model)]["flds"]]
            values = dict(zip(names, fields.split("\x1f"), strict=True))
            found[values["Id"]] = values
    return found


@pytest.fixture
def deck(deck_at: Callable[..., Deck], drawings: dict[str, bytes]) -> Deck:
    """A project whose one figure is drawn already."""
    deck = deck_at(CARDS)
    for path, data in drawings.items():
        deck.write(path, data)
    return deck


def test_a_build_reports_what_it_made(deck: Deck) -> None:
    report = deck.ok("build", "--json").json
    assert {"decks", "seconds"} <= set(report)
    wanted = ["name", "path", "notes", "cards", "media", "bytes", "new", "changed", "unchanged", "retired"]
    assert all(list(entry) == wanted for entry in report["decks"])
    first, second = report["decks"]
    assert (first["name"], first["path"]) == ("t", "decks/build/t.apkg")
    assert [first[key] for key in wanted[2:5]] == [3, 6, 2]
    assert first["bytes"] == (deck.root / first["path"]).stat().st_size
    assert [first[key] for key in wanted[6:]] == [3, 0, 0, 0]
    assert [second[key] for key in wanted[2:5]] == [1, 1, 0]
    assert set(notes_in(deck.root / "decks/build/t.apkg")) == {"tree", "gap", "plain"}
    assert set(notes_in(deck.root / "decks/build/u.apkg")) == {"plain"}


def test_a_card_shows_the_value_and_its_proof(deck: Deck) -> None:
    deck.ok("build", "t")
    fields = notes_in(deck.root / "decks/build/t.apkg")["tree"]
    assert '<span class="value">0.01\N{NO-BREAK SPACE}kB</span>' in fields["Answer"]
    assert "shapes.area(2, 5)" in fields["Proof"]
    assert "width" in fields["Proof"] and "Area of a rectangle." in fields["Proof"]
    assert "Euclid" in fields["Trap Proof"] and "https://example.org/elements" in fields["Trap Proof"]
    assert "d: 4" in fields["L1 Proof"]
    assert fields["L1 Question"] == "How?"
    assert fields["Title"] == "Question?"
    assert fields["Source"] == "cards/a/tree.md#tree"
    assert notes_in(deck.root / "decks/build/t.apkg")["gap"]["Text"] == (
        '<p>A {{c1::hidden}} <span class="judgement" title="judgement: no test settles this">word</span> and {{c3::more::hint}}.</p>'
    )


def test_the_same_sources_and_ledger_give_the_same_bytes_in_another_folder(
    deck: Deck, deck_at: Callable[..., Deck]
) -> None:
    deck.ok("build")
    other = deck_at(CARDS, name="elsewhere/with a space")
    for path in ("decks/history.lock", "verifiers/evidence.lock"):
        other.write(path, deck.read(path))
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "7",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "SOURCE_DATE_EPOCH": "2000000000",
    }
    command = [sys.executable, "-m", "proofdeck", "build", "--root", str(other.root), "-j", "1"]
    subprocess.run(command, env=environment, check=True, cwd="/", capture_output=True)
    for name in ("t.apkg", "u.apkg"):
        one, two = ((d.root / "decks/build" / name).read_bytes() for d in (deck, other))
        assert one == two, name
    assert deck.read("decks/history.lock") == other.read("decks/history.lock")
    assert deck.read("figures/drawn.lock") == other.read("figures/drawn.lock")


def test_an_epoch_makes_first_builds_identical_too(
    deck_at: Callable[..., Deck], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {key: text for key, text in CARDS.items() if "figure" not in key} | {
        "cards/a/tree.md": CARDS["cards/a/tree.md"].replace("{figure}`plots.line`", "")
    }
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    packages = []
    for name in ("one", "two"):
        deck = deck_at(files, name=name)
        deck.ok("build", "--json")
        packages.append((deck.root / "decks/build/t.apkg").read_bytes())
    assert packages[0] == packages[1]


def test_a_second_build_changes_nothing(deck: Deck) -> None:
    deck.ok("build")
    before = deck.snapshot()
    for remove in ((), ("decks/build",), (".proofdeck",)):
        for path in remove:
            shutil.rmtree(deck.root / path)
        report = deck.ok("build", "--json").json
        assert report["ran"] == 0
        assert [(d["new"], d["changed"], d["retired"]) for d in report["decks"]] == [(0, 0, 0)] * 2
        assert deck.snapshot() == before


def test_an_edit_changes_one_note(deck: Deck) -> None:
    deck.ok("build")
    history = deck.read("decks/history.lock").splitlines()
    deck.edit("cards/b.md", "hidden", "covered")
    report = deck.ok("build", "--json").json
    assert [(d["new"], d["changed"], d["unchanged"]) for d in report["decks"]] == [(0, 1, 2), (0, 0, 1)]
    after = deck.read("decks/history.lock").splitlines()
    assert [line for line in after if line not in history] == [line for line in after if '"gap"' in line]


def test_a_build_refuses_a_moved_value_until_it_is_accepted(deck: Deck) -> None:
    deck.ok("build")
    before = deck.snapshot()
    deck.edit("verifiers/shapes.py", "return width * height", "return height * width * 2")
    ran = deck.run("build")
    assert ran.status == 1
    assert (
        "cards/a/tree.md:8:6: `tree`: {value}`shapes.area(2, 5) | kB`: `shapes.area(2, 5)` moved: 10 B → 20 B"
        in ran.err
    )
    assert "`proofdeck accept` takes it" in ran.err
    assert {path: digest for path, digest in deck.snapshot().items() if "shapes" not in path} == {
        path: digest for path, digest in before.items() if "shapes" not in path
    }
    deck.ok("accept")
    report = deck.ok("build", "--json").json
    assert [(d["changed"], d["unchanged"]) for d in report["decks"]] == [(2, 1), (1, 0)]
    assert "0.02\N{NO-BREAK SPACE}kB" in notes_in(deck.root / "decks/build/t.apkg")["tree"]["Answer"]


def test_locked_builds_write_to_no_lock_and_no_ledger(deck: Deck) -> None:
    before = deck.snapshot()
    ran = deck.run("build", "--locked")
    assert (ran.status, "--locked forbids" in ran.err) == (1, True)
    assert deck.snapshot() == before
    deck.ok("build")
    built = deck.snapshot()
    deck.ok("build", "--locked")
    shutil.rmtree(deck.root / ".proofdeck")
    shutil.rmtree(deck.root / "decks/build")
    deck.ok("build", "--locked")
    assert deck.snapshot() == built


@pytest.mark.parametrize(
    ("path", "old", "new", "told"),
    [
        (
            "cards/b.md",
            "hidden",
            "covered",
            "decks/history.lock: out of date: 1 notes changed, and --locked forbids",
        ),
        (
            "cards/c.md",
            "area=kB",
            "area=B",
            "decks/history.lock: out of date: 1 notes changed, and --locked forbids",
        ),
        (
            "cards/a/tree.md",
            "symmetric(4)",
            "symmetric(5)",
            "`shapes.symmetric(5)` has no accepted result, and --locked",
        ),
        (
            "cards/a/tree.md",
            "{check}`shapes.symmetric(4)`",
            "x",
            "`shapes.symmetric(4)` is accepted, but no card needs it",
        ),
        ("figures/plots.py", "[0,", "[1,", "its drawing is out of date, and --locked forbids drawing it"),
        (
            "verifiers/shapes.py",
            "width * height",
            "height * width",
            "the code behind `shapes.area(2, 5)` changed",
        ),
    ],
)
def test_a_locked_build_fails_where_a_lock_is_out_of_date(
    path: str, old: str, new: str, told: str, deck: Deck
) -> None:
    deck.ok("build")
    deck.write(path, deck.read(path).replace(old, new, 1))
    before = deck.snapshot()
    ran = deck.run("build", "--locked")
    assert ran.status == 1
    assert told in ran.err
    assert deck.snapshot() == before


def test_decks_are_chosen_by_name(deck: Deck) -> None:
    assert [d["name"] for d in deck.ok("build", "u", "--json").json["decks"]] == ["u"]
    assert not (deck.root / "decks/build/t.apkg").exists()
    ran = deck.run("build", "v")
    assert (ran.status, ran.err) == (2, "error: no deck `v`; decks are: t, u\n")


def test_one_of_two_decks_retires_nothing_of_the_other(deck: Deck) -> None:
    deck.ok("build")
    deck.write("cards/c.md", card("{judgement}`another`", name="plain"))
    report = deck.ok("build", "u", "--json").json
    assert [(d["changed"], d["retired"]) for d in report["decks"]] == [(1, 0)]
    assert '"retired"' not in deck.read("decks/history.lock")


def test_a_removed_note_is_retired_once(deck: Deck) -> None:
    deck.ok("build")
    (deck.root / "cards/b.md").unlink()
    assert [d["retired"] for d in deck.ok("build", "--json").json["decks"]] == [1, 0]
    assert [d["retired"] for d in deck.ok("build", "--json").json["decks"]] == [0, 0]


def test_a_package_of_a_manifest_that_is_gone_is_removed(deck: Deck) -> None:
    deck.ok("build")
    (deck.root / "decks/u.yaml").unlink()
    deck.ok("build")
    assert sorted(path.name for path in (deck.root / "decks/build").iterdir()) == ["t.apkg"]


def test_a_damaged_package_is_built_again(deck: Deck) -> None:
    deck.ok("build")
    package = deck.root / "decks/build/t.apkg"
    data = package.read_bytes()
    package.write_bytes(data[:100])
    deck.ok("build")
    assert package.read_bytes() == data


def test_legacy_packages_hold_the_same_notes(deck: Deck) -> None:
    deck.ok("build", "t")
    modern = notes_in(deck.root / "decks/build/t.apkg")
    deck.ok("build", "t", "--legacy")
    with zipfile.ZipFile(deck.root / "decks/build/t.apkg") as archive:
        assert sorted(archive.namelist()) == ["0", "1", "collection.anki2", "media"]
    assert notes_in(deck.root / "decks/build/t.apkg") == modern
    deck.ok("build", "t")
    with zipfile.ZipFile(deck.root / "decks/build/t.apkg") as archive:
        assert "collection.anki21b" in archive.namelist()


def test_notes_stand_in_the_order_of_the_manifest_but_after_what_they_need(
    deck_at: Callable[..., Deck],
) -> None:
    note = '# Q{0}? {{#n{0} needs="{1}"}}\n{{judgement}}`x`\n'
    deck = deck_at(
        {
            "cards/a.md": "---\ndeck: D\n---\n" + note.format(1, "n4") + note.format(2, ""),
            "cards/b.md": "---\ndeck: D\n---\n" + note.format(3, "") + note.format(4, "n3"),
        }
    )
    deck.ok("build")
    assert [int(key[1:]) for key in notes_in(deck.root / "decks/build/t.apkg")] == [3, 4, 1, 2]


def test_unverified_cards_build_and_say_so(deck_at: Callable[..., Deck]) -> None:
    deck = deck_at({"cards/a.md": card("It is 42.", head="deck: D\ntags: [unverified]")})
    deck.ok("build")
    fields = notes_in(deck.root / "decks/build/t.apkg")["q"]
    assert "unverified" in fields["Status"]
    deck.write("cards/a.md", card("It is {judgement}`fine`."))
    deck.ok("build")
    assert notes_in(deck.root / "decks/build/t.apkg")["q"]["Status"] == ""


def test_every_source_that_counts_wakes_an_idle_build(deck: Deck) -> None:
    time.sleep(0.06)
    deck.ok("build")
    deck.ok("build")
    stamps = [path for path in (deck.root / ".proofdeck").iterdir() if path.name.startswith("stamp")]
    assert stamps, "the second build of the same state leaves a stamp"
    for path in ("cards/references.yaml", "decks/t.yaml", "cards/a/dot.svg"):
        before = notes_in(deck.root / "decks/build/t.apkg") | {"": deck.read("decks/history.lock")}
        changed = {
            "cards/references.yaml": ("Euclid", "Euklid"),
            "decks/t.yaml": ("under: Top", "under: Tip"),
            "cards/a/dot.svg": ("'1'/", "'2'/"),
        }
        deck.edit(path, *changed[path])
        size = (deck.root / "decks/build/t.apkg").read_bytes()
        deck.ok("build")
        assert (deck.root / "decks/build/t.apkg").read_bytes() != size, path
        assert before


@pytest.mark.parametrize("module", ["common", "figures_common"])
def test_a_module_beside_the_verifiers_wakes_an_idle_build(deck_at: Callable[..., Deck], module: str) -> None:
    source = verifier_source(f"return {module}.VALUE", before=f"import {module}")
    deck = deck_at({f"{module}.py": "VALUE = 1\n", "verifiers/m.py": source}, cards="{value}`m.f()`")
    time.sleep(0.06)
    deck.ok("build")
    deck.ok("build")
    deck.write(f"{module}.py", "VALUE = 2\n")
    assert "moved: 1 → 2" in deck.run("build").err


def test_a_verifiers_comment_is_on_the_card_without_a_new_verdict(deck: Deck) -> None:
    deck.ok("build")
    deck.edit("verifiers/shapes.py", "Area of a rectangle.", "Area of any rectangle.")
    report = deck.ok("build", "--json").json
    assert (report["ran"], report["decks"][0]["changed"]) == (0, 1)
    assert "Area of any rectangle." in notes_in(deck.root / "decks/build/t.apkg")["tree"]["Proof"]


@pytest.mark.parametrize("character", ["\\x00", "\\x1f", "\\x7f"])
def test_control_characters_that_anki_would_drop_are_refused(
    character: str, deck_at: Callable[..., Deck]
) -> None:
    deck = deck_at(
        {"verifiers/m.py": verifier_source(f"return 'a{character}b'", unit="text")}, cards="{value}`m.f()`"
    )
    ran = deck.run("build")
    assert (ran.status, "a control character in the field `Answer`" in ran.err) == (1, True)


def test_notes_that_turn_into_another_type_are_refused(deck: Deck) -> None:
    deck.ok("build")
    before = deck.snapshot()
    deck.write("cards/b.md", card("{judgement}`plain`", name="gap"))
    ran = deck.run("build")
    assert (ran.status, ran.err.splitlines()[0]) == (
        1,
        "cards/b.md:5:1: `gap` was a cloze note and is now a basic note",
    )
    assert deck.run("build", "--locked").status == 1
    assert {k: v for k, v in deck.snapshot().items() if k != "cards/b.md"} == {
        k: v for k, v in before.items() if k != "cards/b.md"
    }


@pytest.mark.parametrize("epoch", ["", "soon", "-1", "1e9"])
def test_a_strange_clock_is_no_traceback(
    epoch: str, deck_at: Callable[..., Deck], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    assert deck_at(cards="{judgement}`x`").run("build").status in (0, 1, 2)
