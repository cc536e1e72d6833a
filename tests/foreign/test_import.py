"""`proofdeck import`: documents to card files that build, with nothing lost in silence."""

from __future__ import annotations

import json
import re
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nh3
import pytest
from click.testing import CliRunner

from proofdeck.cli import main
from proofdeck.parse.document import parse
from proofdeck.project import Project

TREES = """\
Q1 — Why is a cache kept?

Model answer.

It keeps keys and values so that no step computes them again.

It grows with every token.

Depth tree. - L1: How large is it? (two numbers a head and a layer) - L2: What bounds it (in practice)? (memory) - L3: What then? (pages (blocks) of it)

Pit-of-failure. "It caches words." Signals: never sized one.

→ Phase 3.


Q2 — Why are scores scaled?

Model answer.

Their variance grows with the width: 64 × 64 = 4,095 is no width.

Depth tree. - L1: By what? (the root) - L2: Why the root? (variance) - L3: And then? (nothing)

Pit-of-failure. Saying "to make them small" without a variance.
"""

NOTES = """\
---
tags: [caches]
---
# Notes

## What is a cache?

A *memory* of `keys`. See [the paper](https://example.org/p) and $x^2$.

## Why does it grow?

- one entry a token
- and {value}`os.system("x")`, {cite}`nobody`

```python
a = [1]
```

## What is empty?

## How large is it?

Doubled from 32K to 128K.
"""

HOSTILE = """\
# Questions

## What does a script do?

<script>alert(1)</script> Text <img src=x onerror=alert(2)> and <iframe src="https://evil.example"></iframe>
[click](javascript:alert(3)) ![pixel](https://evil.example/p.png) ![up](../../secret.png)
<a href="javascript:alert(4)" onclick="alert(5)">here</a> [data](data:text/html;base64,PHNjcmlwdD4=)

<svg onload=alert(6)><style>*{display:none}</style></svg>

## What do templates do {{cloze:Text}} {#stolen-id .x}?

{{c1::hidden}} [sound:x.mp3] [latex]\\input{/etc/passwd}[/latex] \\(x\\) [$]x[/$]

---
deck: Stolen
---

# Another note {#stolen}

## What is \u202ebackwards\u202c?

%%PDF \x07 bell, <a href="https://ok.example">fine</a>.
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"trees.txt": TREES, "notes.md": NOTES, "hostile.md": HOSTILE}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run(*words: str | Path, status: int = 0) -> Any:
    """Run the command line; return its JSON, or its text where it was not asked for JSON."""
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    assert result.exit_code == status, result.output + result.stderr
    if status:
        return result.stderr
    return json.loads(result.stdout) if "--json" in words else result.stdout


def parsed(root: Path) -> dict[str, Any]:
    """Read every card file of a project: notes by id."""
    notes = {}
    for file in Project(root).card_files():
        found = parse((root / file).read_text(encoding="utf-8"), file)
        assert found.problems == ()
        notes |= {note.id: note for note in found.notes}
    return notes


def fields(package: Path) -> list[str]:
    """Return the fields of every note of a package."""
    import sqlite3

    import zstandard

    with zipfile.ZipFile(package) as archive:
        data = zstandard.ZstdDecompressor().decompressobj().decompress(archive.read("collection.anki21b"))
    path = package.with_suffix(".db")
    path.write_bytes(data)
    with sqlite3.connect(path) as database:
        rows = database.execute("select flds from notes").fetchall()
    database.close()
    return [row[0] for row in rows]


def test_a_document_becomes_a_project_that_builds(folder: Path) -> None:
    [report] = run("import", folder / "trees.txt", "-o", folder / "deck", "--json")["files"]
    assert report["format"] == "depth-trees"
    assert (report["questions"], report["answers"], report["traps"], report["notes"]) == (2, 2, 2, 2)
    assert report["levels"] == {"L1": 2, "L2": 2, "L3": 2}
    [built] = run("build", "--root", folder / "deck", "--json")["decks"]
    assert (built["notes"], built["cards"]) == (2, 10)
    note = parsed(folder / "deck")["trees-why-is-a-cache-kept"]
    assert [part.name for part in note.parts] == ["root", "L1", "L2", "L3", "trap"]
    assert note.covers == ("trees/q1", "trees/q1.l1", "trees/q1.l2", "trees/q1.l3", "trees/q1.trap")
    assert {"unverified", "imported", "trees"} <= set(note.tags)
    assert note.deck == "Imported::Trees"


def test_cards_say_that_nobody_has_verified_them_and_what_is_wrong(folder: Path) -> None:
    run("import", folder / "trees.txt", folder / "notes.md", "-o", folder / "deck")
    run("build", "--root", folder / "deck")
    found = fields(folder / "deck" / "decks" / "build" / "imported.apkg")
    assert all("unverified: nothing on this card has been tested" in text for text in found)
    [cache] = [text for text in found if "How large is it?" in text and "Doubled" in text]
    assert "is wrong: computed 4×" in cache
    [scores] = [text for text in found if "4,095 is no width" in text]
    assert "is wrong: computed 4,096" in scores
    assert not any("is wrong" in text for text in found if text not in (cache, scores))


def test_what_has_no_whole_answer_is_a_draft_and_says_so(folder: Path) -> None:
    [report] = run("import", folder / "notes.md", "-o", folder / "deck", "--json")["files"]
    assert (report["questions"], report["answers"], report["empty_answers"], report["drafts"]) == (4, 3, 1, 1)
    told = run("build", "--root", folder / "deck", "--json")
    assert (told["decks"][0]["notes"], told["drafts"]) == (3, 1)
    assert "1 draft left out; --drafts packages them" in run("build", "--root", folder / "deck")
    told = run("build", "--drafts", "--root", folder / "deck", "--json")
    assert (told["decks"][0]["notes"], told["drafts"]) == (4, 0)
    found = fields(folder / "deck" / "decks" / "build" / "imported.apkg")
    assert sum("The source gives no answer." in text for text in found) == 1


def test_a_draft_that_was_released_is_not_retired(folder: Path) -> None:
    run("import", folder / "notes.md", "-o", folder / "deck")
    run("build", "--drafts", "--root", folder / "deck")
    [built] = run("build", "--root", folder / "deck", "--json")["decks"]
    assert (built["notes"], built["retired"]) == (3, 0)


def test_roles_of_other_people_never_run(folder: Path) -> None:
    run("import", folder / "notes.md", "-o", folder / "deck")
    note = parsed(folder / "deck")["notes-why-does-it-grow"]
    assert all(isinstance(segment, str) for part in note.parts for segment in part.answer)
    assert "os.system" in "".join(str(segment) for segment in note.parts[0].answer)


class Elements(HTMLParser):
    """Collects what a browser would make of a field."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


ALLOWED = {
    "p", "ul", "ol", "li", "code", "pre", "a", "em", "strong", "span", "table", "thead", "tbody", "tr", "th", "td",
    "blockquote", "br", "hr", "img", "h1", "h2", "h3", "h4", "h5", "h6",
}  # fmt: skip


def test_no_field_of_a_hostile_document_can_do_anything(folder: Path) -> None:
    [report] = run("import", folder / "hostile.md", "-o", folder / "deck", "--json")["files"]
    assert report["repairs"]["invisible directions and tags, taken out"] == 2
    assert report["repairs"]["control characters, taken out"] == 1
    run("build", "--drafts", "--root", folder / "deck")
    found = fields(folder / "deck" / "decks" / "build" / "imported.apkg")
    assert len(found) >= 3
    for text in found:
        for html in text.split("\x1f"):
            assert "{{" not in html and not re.search(r"\[(sound|latex|\$|anki)", html, re.I)
            for tag, attributes in Elements(html).found:
                assert tag in ALLOWED
                assert not any(name.startswith("on") for name in attributes)
                assert str(attributes.get("href") or "https:").startswith(("https:", "http:", "mailto:"))
                assert "//" not in str(attributes.get("src") or "")
            # a second judge: the sanitiser takes no element or attribute out
            kept = nh3.clean(
                html, tags=ALLOWED, attributes={"*": {"class", "title", "href", "src", "alt"}}, link_rel=None
            )
            assert Elements(kept).found == Elements(html).found
    ids = set(parsed(folder / "deck"))
    assert all(name.startswith("hostile-") for name in ids)
    assert not any(note.deck == "Stolen" for note in parsed(folder / "deck").values())


def test_importing_again_follows_the_source_and_leaves_edits(folder: Path) -> None:
    run("import", folder / "trees.txt", "-o", folder / "deck")
    [file] = (folder / "deck" / "cards" / "imported" / "trees").glob("*.md")
    file.write_text(file.read_text().replace("no step computes them again", "MINE"))
    (folder / "trees.txt").write_text(
        TREES.replace("It grows", "It swells").replace("(the root)", "(its square root)")
    )
    [report] = run("import", folder / "trees.txt", "-o", folder / "deck", "--json")["files"]
    assert (report["kept"], report["updated"]) == (["trees-why-is-a-cache-kept"], 1)
    text = file.read_text()
    assert "MINE" in text and "It grows" in text and "its square root" in text
    assert "edited by you" in run("import", folder / "trees.txt", "-o", folder / "deck")


def test_documents_of_one_name_do_not_take_each_others_cards(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "trees.txt").write_text(TREES.replace("cache", "window"))
    run("import", folder / "trees.txt", "-o", folder / "deck")
    for _ in range(2):
        run("import", folder / "sub" / "trees.txt", "-o", folder / "deck")
    assert {"trees-why-is-a-cache-kept", "trees-2-why-is-a-window-kept"} <= set(parsed(folder / "deck"))
    (folder / "trees.txt").rename(folder / "sub" / "moved.txt").rename(folder / "other.txt")
    [report] = run("import", folder / "sub" / "trees.txt", "-o", folder / "deck", "--json")["files"]
    assert report["unchanged"] == 2


@pytest.mark.parametrize("name", ["null", "true", "no", "1e5", "12", "a: b", "-x"])
def test_a_document_may_have_any_name(folder: Path, name: str) -> None:
    (folder / f"{name}.txt").write_text(TREES)
    run("import", folder / f"{name}.txt", "-o", folder / "deck")
    [built] = run("build", "--root", folder / "deck", "--json")["decks"]
    assert built["notes"] == 2


def test_near_duplicates_within_and_across_documents_are_named(folder: Path) -> None:
    (folder / "more.md").write_text(
        "# A\n\n## Why is the cache kept?\n\nSo.\n\n## Explain why scores are scaled.\n\nSo.\n"
    )
    first, second = run("import", folder / "trees.txt", folder / "more.md", "-o", folder / "deck", "--json")[
        "files"
    ]
    assert (first["duplicates"], second["duplicates"]) == (0, 2)
    assert "trees.txt:1: Why is a cache kept?" in second["near_duplicates"][0][1]


def test_everything_that_makes_no_card_is_in_the_report(folder: Path) -> None:
    [report] = run("import", folder / "hostile.md", "-o", folder / "deck", "--json")["files"]
    listed = " ".join(row["text"] for row in report["listed"])
    assert report["dropped"] == sum(report["dropped_by_reason"].values()) > 0
    text = (folder / "deck" / "cards" / "imported" / "hostile" / "import-report.txt").read_text()
    for lost in ("evil.example/p.png", "secret.png"):
        assert lost in listed and lost in text


def test_cards_go_below_an_existing_project_and_into_a_deck(folder: Path) -> None:
    run("init", folder / "mine")
    run("import", folder / "trees.txt", "-o", folder / "mine" / "cards" / "others")
    names = {deck["name"] for deck in run("build", "--root", folder / "mine", "--json")["decks"]}
    assert "others" in names or len(names) == 1
    assert run("check", "--root", folder / "mine") is not None


@pytest.mark.parametrize(
    "words, told",
    [
        (["nothing.txt"], "is not there"),
        (["."], "is a folder"),
        (["trees.txt", "--format", "depth-tree"], "unknown format `depth-tree`; did you mean `depth-trees`?"),
        (["prose.txt"], "in no format that is known"),
        (["binary.txt"], "is no text"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(folder)
    (folder / "prose.txt").write_text("Just a text.\nWith two lines.\n")
    (folder / "binary.txt").write_bytes(b"\x00\x01\x02" * 100)
    assert told in run("import", *words, "notes.md", "-o", "deck", status=2)
    assert not (folder / "deck").exists()


def test_cards_cannot_go_where_a_project_has_no_cards(folder: Path) -> None:
    run("init", folder / "mine")
    assert "not below its cards/" in run(
        "import", folder / "trees.txt", "-o", folder / "mine" / "decks", status=2
    )


def test_pictures_of_the_document_come_along_and_no_others(folder: Path) -> None:
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a b.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    text = "# P\n\n## What does it show?\n\n![a cache](<pictures/a b.svg>)\n\n![gone](pictures/no.png)\n\nA cache.\n"
    (folder / "p.md").write_text(text)
    [report] = run("import", folder / "p.md", "-o", folder / "deck", "--json")["files"]
    [built] = run("build", "--root", folder / "deck", "--json")["decks"]
    assert built["media"] == 1
    assert "picture not taken" in {row["what"] for row in report["listed"]}
