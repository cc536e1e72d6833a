"""`changes`: what an update brings to learners, and whether it keeps their reviews."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .helpers import Deck, card

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")

KEYS = [
    "since", "new", "changed", "retired", "moved", "renamed", "cards", "types", "values", "at_risk", "unbuilt", "safe",
]  # fmt: skip
TREE = "{value}`shapes.area(2, 5)`\n\n## L1: Deeper?\n\n{value}`shapes.area(3)`\n\n## L2: Deepest?\n\n{value}`shapes.area(4)`"
FILES = {
    "cards/a.md": card("{value}`shapes.area(2, 5) | kB`", name="plain", title="Plain?"),
    "cards/b.md": card(TREE, name="tree", title="Tree?"),
    "cards/c.md": card(
        "{cloze}`1: one` and {cloze}`2: two` {judgement}`so`",
        name="gaps",
        title="Gaps?",
        head="deck: Tests::More",
    ),
    "verifiers/claims/c.yaml": "- claim: ten\n  check: shapes.area(2, 5) >= 10\n- claim: one\n  check: shapes.area(1, 1) >= 1\n",
}


def git(deck: Deck, *arguments: str, day: int = 1) -> str:
    """Run git in a project as nobody in particular, on a day of its own: tags are sorted by date."""
    date = f"2026-01-{day:02}T12:00:00Z"
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    ran = subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false", *arguments],
        cwd=deck.root, env=env | {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return ran.stdout.strip()


def commit(deck: Deck, tag: str = "", day: int = 1) -> None:
    git(deck, "add", "-A")
    git(deck, "commit", "-q", "--allow-empty", "-m", "x", day=day)
    if tag:
        git(deck, "tag", tag)


def release(deck: Deck, tag: str = "", day: int = 1) -> None:
    """Build, commit and tag."""
    deck.ok("verify")
    deck.ok("build")
    commit(deck, tag, day)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose first release is tagged v1; tests work on copies."""
    from .helpers import make_deck

    deck = make_deck(
        tmp_path_factory.mktemp("released") / "deck", {**FILES, ".gitignore": ".proofdeck/\ndecks/build/\n"}
    )
    git(deck, "init", "-q", "-b", "main")
    release(deck, "v1")
    return deck.root


@pytest.fixture
def deck(released: Path, tmp_path: Path) -> Deck:
    shutil.copytree(released, tmp_path / "deck", symlinks=True)
    return Deck(tmp_path / "deck")


def report(deck: Deck, *arguments: str) -> Any:
    return deck.ok("changes", "--json", *arguments).json


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["note"] for row in rows]


def relate(deck: Deck, change: Callable[[dict[str, Any]], object], note: str) -> None:
    """Change the line of a note in the ledger."""
    lines = [json.loads(line) for line in deck.read("decks/history.lock").splitlines()]
    for line in lines:
        if line.get("note") == note:
            change(line)
    deck.write("decks/history.lock", "".join(f"{json.dumps(line)}\n" for line in lines if line))


def test_nothing_changed(deck: Deck) -> None:
    told = report(deck)
    assert list(told) == KEYS
    assert told == {key: [] for key in KEYS} | {"since": "v1", "safe": True}
    assert deck.ok("changes").out.splitlines() == [
        "Since v1: no note changed.",
        "Safe to update: import the new package over the old one; every card keeps its reviews.",
    ]


def test_every_kind_of_change_once(deck: Deck) -> None:
    deck.write(
        "cards/new.md", card("{judgement}`x`\n\n## L1: More?\n\n{judgement}`x`", name="fresh", title="Fresh?")
    )
    deck.edit("cards/a.md", "{value}", "It is {value}")
    deck.edit("cards/a.md", "deck: Tests", "deck: Tests::Apart")
    deck.edit("cards/a.md", "{#plain}", '{#simple formerly="plain"}')
    deck.edit("cards/c.md", "{cloze}`2: two`", "{cloze}`2: two` and {cloze}`3: three`")
    deck.write("decks/u.yaml", "title: More\nunder: Top\ncards: [cards/c.md]\n")
    deck.write("decks/t.yaml", "title: Tests\ncards: [cards/a.md, cards/b.md, cards/new.md]\n")
    deck.edit("verifiers/shapes.py", "return width * height", "return width * height * 1000")
    deck.ok("accept")
    deck.ok("build")
    told = report(deck, "--since", "v1")
    assert told["new"] == [{"note": "fresh", "title": "Fresh?", "deck": "Tests", "cards": 2}]
    assert [(row["note"], row["what"]) for row in told["changed"]] == [
        ("tree", "evidence"), ("simple", "text"), ("gaps", "text"),
    ]  # fmt: skip
    assert told["renamed"] == [
        {"note": "simple", "title": "Plain?", "deck": "Tests::Apart", "formerly": "plain"}
    ]
    assert told["moved"] == [
        {"note": "simple", "title": "Plain?", "deck": "Tests::Apart", "deck_before": "Tests", "packages_before": ["t"], "packages": ["t"]},
        {"note": "gaps", "title": "Gaps?", "deck": "Top::Tests::More", "deck_before": "Tests::More", "packages_before": ["t"], "packages": ["u"]},
    ]  # fmt: skip
    assert told["cards"] == [
        {"note": "gaps", "title": "Gaps?", "deck": "Top::Tests::More", "added": ["c3"], "gone": []}
    ]
    assert told["values"][0] == {
        "call": "shapes.area(1, 1)", "unit": "B", "unit_before": "B", "before": 1, "after": 1000, "notes": [],
        "statements": ["verifiers/claims/c.yaml:3"],
    }  # fmt: skip
    assert told["values"][1] == {
        "call": "shapes.area(2, 5)", "unit": "B", "unit_before": "B", "before": 10, "after": 10000,
        "notes": ["simple", "tree"], "statements": ["verifiers/claims/c.yaml:1"],
    }  # fmt: skip
    assert (told["retired"], told["unbuilt"], told["at_risk"], told["safe"]) == ([], [], [], True)
    assert deck.ok("changes").out.splitlines() == [
        "Since v1: 1 new note, 3 notes changed, 2 notes moved, 1 note under a new id, 3 new cards, 3 values moved on cards.",
        "Safe to update: import the new package over the old one; every card keeps its reviews.",
        "",
        "New notes",
        "  Tests",
        "  - Fresh?  (2 cards)",
        "",
        "Changed notes",
        "  Tests::Apart",
        "  - Plain?",
        "  Top::Tests::More",
        "  - Gaps?",
        "",
        "Same text, other evidence or looks",
        "  Tests",
        "  - Tree?",
        "",
        "New and lost cards of notes that stay",
        "  Top::Tests::More",
        "  - Gaps?  (c3 new)",
        "",
        "Moved notes: cards that you have stay in their deck, new ones come into the new one",
        "  Tests::Apart",
        "  - Plain?  (from Tests)",
        "  Top::Tests::More",
        "  - Gaps?  (from Tests::More; package t → u)",
        "",
        "Notes under a new id",
        "  Tests::Apart",
        "  - Plain?  (was plain)",
        "",
        "Values that moved",
        "- shapes.area(2, 5): 10 B → 10 kB  (simple, tree)",
        "- shapes.area(3): 9 B → 9 kB  (tree)",
        "- shapes.area(4): 12 B → 12 kB  (tree)",
        "- 1 value moved that stands on no card",
    ]


def test_a_note_that_moved_to_a_deck_beside_names_what_differs(deck: Deck) -> None:
    deck.edit("cards/c.md", "Tests::More", "Tests::Less::Deep")
    deck.ok("build")
    lines = deck.ok("changes").out.splitlines()
    assert lines[0] == "Since v1: 1 note moved."
    assert lines[-2:] == ["  Tests::Less::Deep", "  - Gaps?  (from …::More)"]


def test_a_retired_note_stays_with_those_who_have_it(deck: Deck) -> None:
    (deck.root / "cards/a.md").unlink()
    deck.ok("build")
    told = report(deck)
    assert told["retired"] == [{"note": "plain", "title": "Plain?", "deck": "Tests"}]
    assert (told["safe"], told["unbuilt"]) == (True, [])
    assert "  - Plain?  (Id:plain)\n" in deck.ok("changes").out
    commit(deck)
    deck.write("cards/a.md", FILES["cards/a.md"])
    deck.ok("build")
    assert ids(report(deck, "--since", "HEAD")["new"]) == ["plain"], "what comes back is new"
    assert ids(report(deck, "--since", "v1")["new"]) == []


def test_tags_are_text_and_the_code_behind_a_number_is_evidence(deck: Deck) -> None:
    deck.edit("cards/c.md", "deck: Tests::More", "deck: Tests::More\ntags: [hard]")
    deck.edit("verifiers/shapes.py", "return width * height", "return height * width")
    deck.ok("accept")
    deck.ok("build")
    told = report(deck)
    assert {row["note"]: row["what"] for row in told["changed"]} == {
        "plain": "evidence",
        "tree": "evidence",
        "gaps": "text",
    }
    assert told["values"] == []


def test_a_unit_that_changed_is_a_value_that_moved(deck: Deck) -> None:
    deck.edit("verifiers/shapes.py", "Unit: B\n    Source", "Unit: bit\n    Source")
    deck.edit("cards/a.md", " | kB", "")
    deck.ok("accept")
    deck.ok("build")
    assert "- shapes.area(2, 5): 10 B → 10 bit  (plain, tree)\n" in deck.ok("changes").out
    assert {(row["unit_before"], row["unit"]) for row in report(deck)["values"]} == {("B", "bit")}


@pytest.mark.parametrize(
    ("unit", "before", "after", "told"),
    [
        ("B", 1342177280, 1e10, "1.34 GB → 10 GB"),
        ("1", 0.1, 0.30000000000000004, "0.1 → 0.3"),
        ("1", 0.123456, 0.123457, "0.123456 → 0.123457"),
        ("s", 2, 0.5, "2 s → 0.5 s"),
        ("text", "a", "b", "a → b"),
        (
            "width=B, share=1",
            {"width": 1, "share": 0.5},
            {"width": 1, "share": 0.25},
            "share: 0.5 → share: 0.25",
        ),
        ("area=B", [{"area": 1}, {"area": 2}], [{"area": 1}, {"area": 3}], "2 entries → 1 of 2 changed"),
        ("area=B", [{"area": 1}], [], '[{"area": 1}] → []'),
        ("parsec", 1, 2, "1 parsec → 2 parsec"),
    ],
)
def test_values_are_told_as_people_write_them(
    unit: str, before: object, after: object, told: str, deck: Deck
) -> None:
    lock = deck.read("verifiers/evidence.lock").splitlines()
    for value in (before, after):
        line = {"call": "shapes.area(2, 5)", "value": value, "unit": unit, "code": "x"}
        deck.write("verifiers/evidence.lock", "\n".join([lock[0], json.dumps(line)]))
        if value is before:
            commit(deck)
    assert f"- shapes.area(2, 5): {told}  (plain, tree)\n" in deck.ok("changes", "--since", "HEAD").out


def test_what_checks_tried_is_no_value(deck: Deck) -> None:
    line = '\n{"call": "shapes.symmetric(4)", "value": {"d": 4}, "unit": "check", "code": "x"}\n'
    lock = deck.read("verifiers/evidence.lock").rstrip("\n")
    deck.write("verifiers/evidence.lock", lock + line)
    commit(deck)
    deck.write("verifiers/evidence.lock", lock + line.replace('"d": 4', '"d": 5'))
    assert report(deck, "--since", "HEAD")["values"] == []


def test_a_new_style_is_told_and_safe(deck: Deck) -> None:
    deck.edit(
        "decks/history.lock",
        deck.read("decks/history.lock").splitlines()[1],
        '{"notetype": "basic", "hash": "old", "mod": 1}',
    )
    commit(deck)
    git(deck, "checkout", "-q", "v1", "--", "decks/history.lock")
    told = report(deck, "--since", "HEAD")
    assert (told["types"], told["safe"]) == ([{"type": "basic", "name": "proofdeck Basic"}], True)
    assert (
        "New style or templates: proofdeck Basic. If you changed yours, yours stay.\n"
        in deck.ok("changes", "--since", "HEAD").out
    )


def test_other_fields_put_a_whole_note_type_at_risk(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from proofdeck.changes import FIELDS
    from proofdeck.package.notetypes import NOTE_TYPES

    assert {key: (len(kind.fields), len(kind.templates)) for key, kind in NOTE_TYPES.items()} == FIELDS
    line = next(
        line for line in deck.read("decks/history.lock").splitlines() if '"notetype": "basic"' in line
    )
    deck.edit("decks/history.lock", line, '{"notetype": "basic", "hash": "other", "mod": 9}')
    assert report(deck)["safe"], "a style"
    basic = NOTE_TYPES["basic"]
    for fields in (basic.fields[:-1], basic.fields[::-1]):
        monkeypatch.setitem(NOTE_TYPES, "basic", replace(basic, fields=fields))
        [risk] = report(deck)["at_risk"]
        assert risk == {
            "note": "", "why": "the fields or cards of `proofdeck Basic` are others: Anki updates none of its notes",
        }  # fmt: skip


RISKS = [
    ("plain", lambda line: line.clear(), "plain", "vanished from the ledger without `formerly`"),
    ("plain", lambda line: line.update(guid="other"), "plain", "its GUID changed from `proofdeck:plain` to `other`"),
    ("plain", lambda line: line.update(type="cloze"), "plain", "it was a basic note and is a cloze note"),
    ("tree", lambda line: line.update(parts=["root", "L1"]), "tree", "its card L2 is gone: empty, until"),
    ("gaps", lambda line: line.update(clozes=[3]), "gaps", "its cards c1, c2 are gone: empty, until"),
    ("plain", lambda line: line.update(hash="other"), "plain", "its time in the ledger did not: Anki skips the update"),
    ("tree", lambda line: line.update(guid="proofdeck:plain"), "tree", "it has the GUID of `plain`"),
]  # fmt: skip


@pytest.mark.parametrize(("note", "change", "told", "why"), RISKS, ids=[why for *_, why in RISKS])
def test_what_puts_progress_at_risk(
    note: str, change: Callable[[dict[str, Any]], object], told: str, why: str, deck: Deck
) -> None:
    relate(deck, change, note)
    found = report(deck)
    assert not found["safe"]
    assert any(risk["note"] == told and why in risk["why"] for risk in found["at_risk"]), found["at_risk"]
    assert len(found["at_risk"]) <= 2
    lines = deck.ok("changes").out.splitlines()
    assert lines[1] == "Progress is at risk:"
    assert any(line.startswith(f"- {told}: ") and why in line for line in lines[2:4])
    assert not any(line.startswith("Safe") for line in lines)


def test_a_cloze_number_that_comes_back_is_another_card(deck: Deck) -> None:
    relate(deck, lambda line: line.update(clozes=[1], retired_clozes=[2]), "gaps")
    commit(deck)
    relate(deck, lambda line: line.update(clozes=[1, 2], retired_clozes=[]), "gaps")
    [risk] = report(deck, "--since", "HEAD")["at_risk"]
    assert (risk["note"], risk["why"]) == ("gaps", "c2 is in use again: it was another card once")


def test_a_card_that_is_gone_in_a_real_build(deck: Deck) -> None:
    deck.edit("cards/c.md", " and {cloze}`2: two`", "")
    deck.ok("build")
    told = report(deck)
    assert told["cards"] == [
        {"note": "gaps", "title": "Gaps?", "deck": "Tests::More", "added": [], "gone": ["c2"]}
    ]
    assert ids(told["at_risk"]) == ["gaps"]
    assert deck.ok("changes").out.startswith("Since v1: 1 note changed, 1 card gone.\n")


def test_an_id_that_changed_without_formerly_is_suspected_by_its_title(deck: Deck) -> None:
    deck.edit("cards/a.md", "{#plain}", "{#simple}")
    deck.ok("build")
    [risk] = report(deck)["at_risk"]
    assert risk["note"] == "plain"
    assert '`{#simple formerly="plain"}`' in risk["why"]


def test_cards_newer_than_the_build_are_told(deck: Deck) -> None:
    deck.write("cards/new.md", card("{judgement}`x`", name="fresh"))
    deck.write("cards/draft.md", card("{judgement}`x`", name="idea", head="deck: Tests\ntags: [draft]"))
    deck.edit("cards/a.md", "{#plain}", "{#simple}")
    assert report(deck)["unbuilt"] == ["fresh", "plain", "simple"]
    assert "3 notes not compared: fresh, plain, simple (" in deck.ok("changes").out


def test_the_default_is_the_release_before(deck: Deck) -> None:
    deck.write("cards/new.md", card("{judgement}`x`", name="one"))
    deck.ok("build")
    assert report(deck)["since"] == "v1"
    commit(deck, "v2", day=2)
    assert report(deck)["since"] == "v1", "HEAD is v2: what v2 brought"
    assert ids(report(deck)["new"]) == ["one"]
    deck.write("cards/newer.md", card("{judgement}`x`", name="two"))
    deck.ok("build")
    assert report(deck)["since"] == "v2", "HEAD is v2, but more has been built"
    commit(deck, day=3)
    assert report(deck)["since"] == "v2"
    git(deck, "tag", "-d", "v1", "v2")
    first = git(deck, "rev-list", "--max-parents=0", "HEAD")
    assert report(deck)["since"] == first[:12]
    assert ids(report(deck)["new"]) == ["one", "two"]


def test_long_lists_are_cut_but_not_in_json(deck: Deck) -> None:
    deck.write(
        "cards/many.md",
        "---\ndeck: Tests\n---\n"
        + "".join(f"\n# Nr {chr(97 + n)}? {{#n{n}}}\n\n{{judgement}}`x`\n" for n in range(15)),
    )
    deck.ok("build")
    cut = deck.ok("changes").out
    assert "Nr j?" in cut and "Nr k?" not in cut
    assert "  … and 5 more (--all shows them)\n" in cut
    assert "Nr o?" in deck.ok("changes", "--all").out
    assert len(report(deck)["new"]) == 15


def test_a_project_below_the_repository_with_odd_file_names(tmp_path: Path, released: Path) -> None:
    shutil.copytree(released, tmp_path / "repo/über deck", ignore=shutil.ignore_patterns(".git"))
    deck = Deck(tmp_path / "repo/über deck")
    deck.write('cards/é "x"\n.md', card("{judgement}`x`", name="odd", title="Odd?"))
    git(deck, "init", "-q", "..")
    release(deck)
    (deck.root / 'cards/é "x"\n.md').unlink()
    deck.ok("build")
    assert report(deck, "--since", "HEAD")["retired"] == [{"note": "odd", "title": "Odd?", "deck": "Tests"}]


def test_nothing_is_written(deck: Deck) -> None:
    before = deck.snapshot()
    deck.ok("changes")
    assert deck.snapshot() == before


def test_a_ledger_file_and_the_evidence_beside_it(deck: Deck, tmp_path: Path) -> None:
    old = tmp_path / "old/history.lock"
    old.parent.mkdir()
    shutil.copy(deck.root / "decks/history.lock", old)
    shutil.copy(deck.root / "verifiers/evidence.lock", old.parent)
    shutil.rmtree(deck.root / ".git")
    deck.edit("cards/a.md", "{value}", "It is {value}")
    deck.edit("cards/c.md", "Tests::More", "Tests::Less")
    (deck.root / "cards/b.md").unlink()
    deck.edit("verifiers/shapes.py", "return width * height", "return width * height * 2")
    deck.edit("verifiers/claims/c.yaml", "1) >= 1", "1) >= 2")
    deck.ok("accept")
    deck.ok("build")
    told = report(deck, "--since", str(old))
    assert [(row["note"], row["what"]) for row in told["changed"]] == [("plain", "unknown")]
    assert told["retired"] == [{"note": "tree", "title": "", "deck": ""}]
    assert [row["call"] for row in told["values"]] == ["shapes.area(1, 1)", "shapes.area(2, 5)"]
    assert told["moved"] == [], "no ledger knows decks"
    assert (told["since"], told["safe"]) == (str(old), True)
    (old.parent / "evidence.lock").unlink()
    assert report(deck, "--since", str(old))["values"] == []
    old.write_text(old.read_text().replace('["t"]', '["s"]'))
    assert "  - Gaps?  (package s → t)\n" in deck.ok("changes", "--since", str(old)).out
    shutil.copytree(deck.root, tmp_path / "other")
    assert report(deck, "--since", str(tmp_path / "other/decks/history.lock"))["since"].endswith(
        "history.lock"
    )


def refused(deck: Deck, *arguments: str) -> str:
    """Return the one line in which `changes` refuses."""
    for form in ((), ("--json",)):
        ran = deck.run("changes", *arguments, *form)
        assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1), ran.err
        assert ran.err.startswith("error: ")
    return ran.err


@pytest.mark.parametrize(
    "since", ["v2", "", "--help", "-n", "HEAD~7", "HEAD..v1", "cards", "HEAD:cards", "x\0", "ü", "\udc80"]
)
def test_an_unknown_revision(since: str, deck: Deck) -> None:
    git(deck, "branch", "topic")
    told = "` is neither a file nor a revision in git; tags are: v1\n"
    assert refused(deck, f"--since={since}").endswith(told)


def test_an_unknown_revision_may_be_a_tag_misspelt(deck: Deck) -> None:
    git(deck, "tag", "release-1.0")
    assert "did you mean `release-1.0`?" in refused(deck, "--since", "releas-1.0")
    assert "tags are: release-1.0, v1" in refused(deck, "--since", "zzz")


def test_a_revision_without_a_ledger(deck: Deck) -> None:
    git(deck, "rm", "-q", "--cached", "decks/history.lock")
    git(deck, "commit", "-q", "-m", "x")
    first = git(deck, "rev-parse", "v1")[:12]
    assert refused(deck, "--since", "HEAD") == (
        f"error: `HEAD` has no decks/history.lock; the first commit with one is `{first}`\n"
    )


def test_no_ledger_was_ever_committed(deck: Deck) -> None:
    shutil.rmtree(deck.root / ".git")
    git(deck, "init", "-q")
    for _ in range(2):
        assert "no commit holds decks/history.lock yet: commit it, or compare with a ledger file" in refused(
            deck
        )
        git(deck, "commit", "-q", "--allow-empty", "-m", "x")


def test_no_ledger_here(deck: Deck) -> None:
    (deck.root / "decks/history.lock").unlink()
    assert "no decks/history.lock here: nothing has been released; `proofdeck build` writes it" in refused(
        deck
    )


def test_no_repository_and_no_git(deck: Deck, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(deck.root / ".git")
    assert "(not a git repository" in refused(deck)
    assert "`v1` is no file, and git knows no history" in refused(deck, "--since", "v1")
    monkeypatch.setenv("PATH", str(deck.root))
    assert refused(deck) == "error: git is not installed; compare with a ledger file instead: --since FILE\n"


BROKEN = [
    "<<<<<<< HEAD", '{"note": "x"}', "[]", "5", '{"note": 5, "guid": "g", "type": "t", "mod": 1, "hash": "h", "packages": []}',
    '{"note": "x", "guid": "g", "type": "t", "mod": 1e999, "hash": "h", "packages": []}', "[" * 100_000,
    '{"note": "\\ud800", "guid": "g", "type": "t", "mod": 1, "hash": "h", "packages": []}',
    '{"note": "x", "guid": null, "type": "t", "mod": 1, "hash": "h", "packages": []}',
    '{"note": "x", "guid": "g", "type": "t", "mod": 1, "hash": "h", "packages": [], "clozes": ["1"]}',
]  # fmt: skip


@pytest.mark.parametrize("line", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_ledger(line: str, deck: Deck, tmp_path: Path) -> None:
    whole = deck.read("decks/history.lock")
    old = tmp_path / "old.lock"
    old.write_text(whole + line + "\n")
    assert f"error: {old}" in refused(deck, "--since", str(old))
    deck.write("decks/history.lock", whole + line + "\n")
    assert "error: decks/history.lock" in refused(deck)
    commit(deck)
    deck.write("decks/history.lock", whole)
    assert "error: decks/history.lock of `HEAD`" in refused(deck, "--since", "HEAD")


@pytest.mark.parametrize(
    "data", [b"", b"\0\xff", b"{}\n", b"PK\x03\x04", b"# Cards\n", b'{"format": "other"}\n']
)
def test_a_file_that_is_no_ledger(data: bytes, deck: Deck, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    assert f"error: {tmp_path / 'x'}" in refused(deck, "--since", str(tmp_path / "x"))


def test_a_broken_evidence_lock(deck: Deck) -> None:
    whole = deck.read("verifiers/evidence.lock")
    for line in (
        "<<<<<<< HEAD",
        '{"call": "f()", "value": 1, "unit": 5, "code": "c"}',
        '{"call": "f()", "value": "\\ud800", "unit": "text", "code": "c"}',
        "[" * 100_000,
    ):
        deck.write("verifiers/evidence.lock", f"{whole}{line}\n")
        assert refused(deck).startswith("error: verifiers/evidence.lock")
        commit(deck)
        deck.write("verifiers/evidence.lock", whole)
        assert refused(deck, "--since", "HEAD").startswith("error: verifiers/evidence.lock of `HEAD`")


def test_wrong_cards_end_with_status_1(deck: Deck) -> None:
    deck.write("cards/a.md", card("{nope}`x`"))
    ran = deck.run("changes")
    assert (ran.status, "unknown role `{nope}`" in ran.err) == (1, True)


def test_wrong_cards_of_the_past_do_not_matter(deck: Deck) -> None:
    deck.write("cards/a.md", card("{nope}`x`"))
    deck.write("cards/z.md", b"\xff\xfe")
    deck.write("decks/t.yaml", "nonsense: [")
    commit(deck)
    git(deck, "checkout", "-q", "v1", "--", "cards", "decks")
    (deck.root / "cards/z.md").unlink()
    assert report(deck, "--since", "HEAD")["safe"]
