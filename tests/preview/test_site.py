"""The site as files: it shows what Anki shows, its links lead somewhere, and it touches nothing else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jinja2")
pytest.importorskip("latex2mathml")

from proofdeck.errors import UsageError
from proofdeck.preview.folder import MARKER
from proofdeck.preview.site import SiteReport, write_site
from proofdeck.project import Project
from tests.engine.helpers import FIGURES, REFERENCES, Deck, card
from tests.preview.helpers import DOT, SAID, Element, Shown, engine_sides, page_texts, text_of, tree


def write(deck: Deck, out: Path, **options: Any) -> SiteReport:
    return write_site(Project(deck.root), out, **options)


def anki_texts(learner: Any) -> Shown:
    """Return the text of both sides of every card, as Anki renders them."""
    return {key: (text_of(front), text_of(back)) for key, (front, back) in engine_sides(learner).items()}


# What Anki shows.


def test_the_pages_show_what_anki_shows(site: Path, importer: Any) -> None:
    shown, anki = page_texts(site), anki_texts(importer)
    assert set(shown) == set(anki)
    assert {key: shown[key] for key in anki if shown[key] != anki[key]} == {}
    words = " ".join(text for sides in anki.values() for text in sides)
    for expected in (
        "⟦( x_{1}⟧",
        "⟦[ \\begin{aligned}",
        "日本",
        "⟦plots-line",
        'alt & "text" <x>⟧',
        "[sound:x.mp3]",
        "stale:",
    ):
        assert expected in words, f"the cards show no {expected}"


def test_the_pages_of_our_decks_show_what_anki_shows(our_site: Path, our_learner: Any) -> None:
    shown, anki = page_texts(our_site), anki_texts(our_learner)
    assert len(anki) > 100
    assert set(shown) == set(anki)
    assert {key: shown[key] for key in anki if shown[key] != anki[key]} == {}


def test_a_missing_card_and_another_word_are_seen(site: Path, importer: Any, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(site, tmp_path / "site"))
    page = copy / "cards/clozes.html"
    text = page.read_text(encoding="utf-8")
    last = r'<div class="site-card">\n<h3>Cloze 12</h3>.*?(?=</section>\n<section class="site-note")'
    cut = re.sub(last, "", text, flags=re.S)
    cut = cut.replace("Behind the break", "Behind the brake", 1)
    page.write_text(cut, encoding="utf-8")
    shown, anki = page_texts(copy), anki_texts(importer)
    assert set(anki) - set(shown) == {("cloze-odd", 11)}
    assert len([key for key in shown if shown[key] != anki[key]]) == 1


def test_what_only_a_reviewer_needs_is_left_out(site: Path) -> None:
    for path in site.glob("cards/**/*.html"):
        page = tree(path.read_text(encoding="utf-8"))
        for card_ in page.having("card"):
            assert not card_.having("timer")
            assert not [e for e in card_.walk() if e.tag in ("script", "style") or "id" in e.attributes]


# Pages that lead somewhere.


def pages(site: Path) -> dict[str, Element]:
    return {
        path.relative_to(site).as_posix(): tree(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
    }


def references(page: Element) -> Iterator[tuple[Element, str]]:
    """Yield all that a page refers to."""
    for element in page.walk():
        for name in ("href", "src", "action", "poster", "data", "srcset"):
            if name in element.attributes:
                yield element, element.attributes[name]


def check_links(site: Path) -> int:
    """Follow every reference of every page; return how many there are."""
    every = pages(site)
    ids = {
        name: [e.attributes["id"] for e in page.walk() if "id" in e.attributes]
        for name, page in every.items()
    }
    lost, count = [], 0
    for name, page in every.items():
        assert len(set(ids[name])) == len(ids[name]), f"{name} has an id twice"
        for element, target in references(page):
            count += 1
            if target.startswith("data:") and element.attributes.get("rel") == "icon":
                continue
            if re.match(r"[a-z]+:|//", target):
                told = name.startswith("evidence/") or any(
                    e is element for c in page.having("card") for e in c.walk()
                )
                if not (told and element.tag == "a" and target.startswith(("https://", "http://"))):
                    lost.append(f"{name}: {element.tag} {target}")
                continue
            path, _, anchor = target.partition("#")
            assert not path.startswith("/"), f"{name}: {target} works on no host but its own"
            to = os.path.normpath(os.path.join(os.path.dirname(name), path)) if path else name
            if not (site / to).is_file() or to.startswith(".."):
                lost.append(f"{name}: {target}")
            elif anchor and anchor not in ids[to]:
                lost.append(f"{name}: {target} has no such place")
    assert lost == []
    return count


def test_every_link_and_picture_resolves(site: Path) -> None:
    assert check_links(site) > 100
    pictures = [target for page in pages(site).values() for e, target in references(page) if e.tag == "img"]
    assert pictures and all("/media/" in target or target.startswith("media/") for target in pictures)


def test_every_link_and_picture_of_our_site_resolves(our_site: Path) -> None:
    assert check_links(our_site) > 1000


@pytest.mark.parametrize("planted", [
    '<a href="nowhere.html">x</a>', '<a href="#nowhere">x</a>', '<img src="../media/lost.svg" alt="">',
    '<img src="https://example.org/x.png" alt="">', '<link rel="stylesheet" href="//example.org/x.css">', '<a href="/index.html">x</a>',
    '<script src="http://example.org/x.js"></script>',
    '<a href="https://example.org/">x</a>', '<a href="javascript:alert(1)">x</a>', '<a href="../../outside.html">x</a>',
])  # fmt: skip
def test_a_lost_link_is_seen(site: Path, tmp_path: Path, planted: str) -> None:
    copy = Path(shutil.copytree(site, tmp_path / "site"))
    page = copy / "cards/clozes.html"
    page.write_text(
        page.read_text(encoding="utf-8").replace("</main>", f"{planted}</main>"), encoding="utf-8"
    )
    with pytest.raises(AssertionError):
        check_links(copy)


def test_style_and_scripts_fetch_nothing_from_elsewhere(our_site: Path) -> None:
    files = [*our_site.glob("assets/*.css"), *our_site.glob("assets/*.js")]
    assert len(files) > 5
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert "@import" not in text and "url(" not in text, path.name
        if path.name != "search-index.js":
            assert not re.search(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", text), path.name


# Nothing in a text becomes part of the page.

EVIL = "<script>alert(1)</script>"


@pytest.fixture
def evil(deck_at: Any) -> Deck:
    tag = "<svg/onload=alert(2)>"
    text = f"""---
deck: "Top {EVIL}::Leaf <svg/onload=alert(3)>"
tags: ["{tag}"]
---

# Title {EVIL} "q" {{#evil}}

Body {EVIL} </div></section> {{{{Front}}}} {{judgement}}`said <b onclick="alert(4)">so</b>` {{value}}`shapes.evil()`

# Cloze {EVIL} {{#cloze}}

Hidden {{cloze}}`1: {EVIL} | {EVIL}` {SAID}

# Wrong {EVIL} {{#wrong}}

{{value}}`shapes.area('{EVIL}')` {{figure}}`nothing.here('{EVIL}')`
"""
    deck: Deck = deck_at({
        "decks/t.yaml": f'title: "{EVIL}"\ndescription: "*about* {EVIL}"\n', "cards/evil.md": text, "cards/references.yaml": REFERENCES,
        "verifiers/shapes.py": f'from proofdeck import verifier\n\n\n@verifier\ndef area(width: float = 1) -> float:\n    """{EVIL}\n\n    Unit: B\n    """\n    return width * 1.0\n\n\n@verifier\ndef evil() -> str:\n    """Text.\n\n    Unit: text\n    """\n    return "{EVIL}"\n',
    })  # fmt: skip
    return deck


def test_nothing_that_is_written_becomes_script(evil: Deck, tmp_path: Path) -> None:
    report = write(evil, tmp_path / "site")
    assert report.problems, "the wrong note is wrong"
    every = pages(tmp_path / "site")
    assert {"index.html", "cards/evil.html", "evidence/index.html", "evidence/verifiers/shapes.html"} <= set(
        every
    )
    said = " ".join(text_of(page) for page in every.values())
    assert said.count(EVIL) > 10, "it is shown as text"
    for name, page in every.items():
        for element in page.walk():
            assert not [a for a in element.attributes if a.startswith("on")], f"{name}: {element}"
            assert element.tag != "svg", f"{name}: {element}"
            if element.tag == "script":
                assert element.attributes.get("src", "").startswith(("../", "assets/")), name
                assert element.children == []
    index = (tmp_path / "site/assets/search-index.js").read_text(encoding="utf-8")
    assert index.startswith("window.PROOFDECK = {") and index.endswith("};\n")


# What is written, and when.


@pytest.fixture
def small(deck_at: Any) -> Deck:
    """Three topics, a figure and a picture."""
    body = f"{{value}}`shapes.ratio()` {{figure}}`plots.line`\n\n![dot](pics/dot.svg) {SAID}"
    deck: Deck = deck_at({
        "cards/a.md": card(body, name="a"), "cards/b.md": card(SAID, name="b"), "cards/deep/c.md": card("{value}`shapes.area()`", name="c"),
        "cards/pics/dot.svg": DOT, "figures/plots.py": FIGURES,
    })  # fmt: skip
    return deck


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Return bytes and time of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {name: data for name, (data, _) in state(folder).items()}


def test_a_second_run_writes_nothing(small: Deck, tmp_path: Path) -> None:
    out = tmp_path / "site"
    first = write(small, out)
    assert (first.pages, first.notes, first.cards, first.media) == (len(pages(out)), 3, 3, 2)
    assert set(first.written) == set(bytes_of(out)) - {MARKER}
    before = state(out)
    second = write(small, out)
    assert (second.written, second.removed) == ([], [])
    after = state(out)
    assert {name for name in before if before[name] != after.get(name)} <= {MARKER}
    assert before[MARKER][0] == after[MARKER][0]


def test_the_same_sources_make_the_same_bytes(small: Deck, tmp_path: Path) -> None:
    write(small, tmp_path / "one")
    write(small, tmp_path / "two")
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    shutil.rmtree(small.root / ".proofdeck")
    write(small, tmp_path / "three")
    # what the report says of runs is when they were and how long they took
    one, three = (
        {name: data for name, data in bytes_of(tmp_path / folder).items() if not name.startswith("evidence/")}
        for folder in ("one", "three")
    )
    assert one == three


def test_an_edited_card_rewrites_its_pages_alone(small: Deck, tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(small, out)
    before = state(out)
    small.edit("cards/b.md", "So says the author.", "So says another.")
    report = write(small, out)
    assert "cards/b.html" in report.written
    assert not {"cards/a.html", "cards/deep/c.html"} & set(report.written)
    assert set(report.written) <= {"cards/b.html", "index.html", "assets/search-index.js"} | {
        name for name in before if name.startswith("evidence/")
    }
    assert b"So says another." in (out / "cards/b.html").read_bytes()
    assert "assets/search-index.js" in report.written
    after = state(out)
    assert {n for n in after if before.get(n) != after[n]} - {MARKER} == set(report.written)
    write(small, tmp_path / "anew")
    assert bytes_of(tmp_path / "anew") == bytes_of(out), "the same as a site written at once"


def test_a_page_tells_what_an_edit_elsewhere_makes_of_it(small: Deck, tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(small, out)
    small.edit("cards/a.md", "{#a}", "{#b}")
    report = write(small, out)
    assert [problem.file for problem in report.problems] == ["cards/b.md"]
    [note] = tree((out / "cards/b.html").read_text(encoding="utf-8")).having("site-note")
    assert "the id `b` is taken" in text_of(note.having("site-problem")[0])
    assert text_of(note.having("site-state")[0]) == "wrong"


def test_what_is_gone_is_removed(small: Deck, tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(small, out)
    pictures = sorted(path.name for path in (out / "media").iterdir())
    assert len(pictures) == 2
    (small.root / "cards/deep/c.md").unlink()
    small.write("cards/a.md", card(SAID, name="a"))
    (out / "mine.txt").write_text("a file of somebody else's")
    report = write(small, out)
    assert set(report.removed) >= {"cards/deep/c.html", *(f"media/{name}" for name in pictures)}
    assert not (out / "cards/deep/c.html").exists()
    assert not any((out / "media" / name).exists() for name in pictures)
    assert (out / "mine.txt").read_text() == "a file of somebody else's"
    assert b"deep/c.html" not in (out / "index.html").read_bytes()


def test_a_damaged_page_is_mended(small: Deck, tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(small, out)
    before = bytes_of(out)
    (out / "cards/a.html").write_text("torn")
    (out / "assets/site.css").unlink()
    assert set(write(small, out).written) == {"cards/a.html", "assets/site.css"}
    assert bytes_of(out) == before


@pytest.mark.parametrize("files", [{"index.html": "mine"}, {"deep/photo.jpg": "mine"}, {".hidden": ""}])
def test_a_foreign_folder_is_refused(small: Deck, tmp_path: Path, files: dict[str, str]) -> None:
    out = tmp_path / "mine"
    for name, text in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    before = state(out)
    with pytest.raises(UsageError, match="something else"):
        write(small, out)
    assert state(out) == before
    ran = small.run("preview", "-o", str(out))
    assert (ran.status, state(out)) == (2, before) and "something else" in ran.err


def test_a_file_is_no_folder(small: Deck, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError):
        write(small, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_an_empty_folder_and_a_former_site_are_taken(small: Deck, tmp_path: Path) -> None:
    out = tmp_path / "site"
    out.mkdir()
    write(small, out)
    before = bytes_of(out)
    (out / MARKER).write_text("")  # a run that died at once
    write(small, out)
    assert bytes_of(out) == before


def test_the_source_folder_is_refused(small: Deck) -> None:
    before = state(small.root / "cards")
    for folder in (small.root, small.root / "cards", small.root / "verifiers"):
        with pytest.raises(UsageError):
            write(small, folder)
    assert state(small.root / "cards") == before


@pytest.mark.parametrize(
    "line", ["../victim.txt", "{outside}", "cards/../../victim.txt", "link/victim.txt", "linked.txt", "."]
)
def test_a_marker_deletes_nothing_outside(small: Deck, tmp_path: Path, line: str) -> None:
    out = tmp_path / "site"
    write(small, out)
    victim = tmp_path / "victim.txt"
    victim.write_text("mine")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "victim.txt").write_text("mine")
    (out / "link").symlink_to(elsewhere)
    (out / "linked.txt").symlink_to(victim)
    with (out / MARKER).open("a", encoding="utf-8") as marker:
        marker.write(line.format(outside=victim) + "\n")
    write(small, out)
    assert victim.read_text() == (elsewhere / "victim.txt").read_text() == "mine"


def test_a_marker_that_is_no_text_stops_nothing(small: Deck, tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(small, out)
    before = bytes_of(out)
    (out / MARKER).write_bytes(b"\xff\xfe\x00 cards/a.html\n\x00\n" + b"long" * 999)
    write(small, out)
    assert bytes_of(out) == before


def test_a_page_that_is_a_link_is_replaced_and_not_written_through(small: Deck, tmp_path: Path) -> None:
    out = tmp_path / "site"
    write(small, out)
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    (out / "cards/a.html").unlink()
    (out / "cards/a.html").symlink_to(mine)
    write(small, out)
    assert mine.read_text() == "mine"
    assert not (out / "cards/a.html").is_symlink()


def test_no_temporary_file_is_left(small: Deck, tmp_path: Path) -> None:
    write(small, tmp_path / "site")
    assert [name for name in bytes_of(tmp_path / "site") if name.endswith(".tmp") or "~" in name] == []


def test_a_live_site_reloads_and_a_published_one_does_not(small: Deck, tmp_path: Path) -> None:
    write(small, tmp_path / "live", live=True)
    write(small, tmp_path / "still")
    for folder, expected in (("live", True), ("still", False)):
        for name, page in pages(tmp_path / folder).items():
            scripts = [e.attributes.get("src", "") for e in page.walk() if e.tag == "script"]
            assert any(src.endswith("reload.js") for src in scripts) == expected, name


def test_the_command_tells_what_it_wrote(small: Deck, tmp_path: Path) -> None:
    out = str(tmp_path / "site")
    told = small.ok("preview", "-o", out, "--json").json
    assert (told["notes"], told["cards"], told["media"], told["problems"]) == (3, 3, 2, [])
    assert "index.html" in told["written"]
    assert "nothing changed" in small.ok("preview", "-o", out).out
    small.edit("cards/b.md", "{judgement}`So says the author.`", "{check}`shapes.wrong()`")
    ran = small.run("preview", "-o", out, "--json")
    assert ran.status == 1
    [problem] = ran.json["problems"]
    assert (problem["file"], problem["line"]) == ("cards/b.md", 7)
