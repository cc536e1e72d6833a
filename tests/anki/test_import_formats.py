"""The containers that Anki's importer takes (the table "Package formats"), and how it opens ours."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest
import zstandard

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from tests.helpers import (
    DAY,
    NOW,
    DeckProject,
    Learner,
    Log,
    Note,
    cloze,
    database,
    differences,
    media_names,
    rows,
    svg,
    tree,
)


@pytest.fixture
def package(project: DeckProject) -> Path:
    project.file("cards/p.svg", svg())
    project.put(Note("alpha", "![A](p.svg)"), tree("beta"), cloze("gamma"))
    return project.build()


def parts(package: Path) -> dict[str, zipfile.ZipInfo]:
    with zipfile.ZipFile(package) as archive:
        assert archive.testzip() is None
        return {entry.filename: entry for entry in archive.infolist()}


def part(package: Path, name: str) -> bytes:
    with zipfile.ZipFile(package) as archive:
        return archive.read(name)


def test_the_modern_container_says_so_in_two_bytes(package: Path) -> None:
    assert part(package, "meta") == b"\x08\x03"
    assert list(parts(package)) == ["meta", "collection.anki21b", "collection.anki2", "media", "0"]


def test_the_modern_container_compresses_with_zstd_and_stores(package: Path) -> None:
    entries = parts(package)
    for name in ("collection.anki21b", "media", "0"):
        assert part(package, name).startswith(b"\x28\xb5\x2f\xfd")
        assert entries[name].compress_type == zipfile.ZIP_STORED
    assert zstandard.ZstdDecompressor().decompress(part(package, "0")) == svg().encode()


@pytest.mark.parametrize("padding", [0, 20_000])
def test_the_media_list_names_size_and_sha1(project: DeckProject, learner: Learner, padding: int) -> None:
    from anki.import_export_pb2 import MediaEntries

    picture = svg() + " " * padding
    project.file("cards/p.svg", picture)
    project.put(Note("alpha", "![A](p.svg)"))
    package = project.build()
    [entry] = MediaEntries.FromString(zstandard.ZstdDecompressor().decompress(part(package, "media"))).entries
    assert [entry.name] == media_names(package)
    assert (entry.size, entry.sha1) == (len(picture), hashlib.sha1(picture.encode()).digest())


def test_the_collection_is_a_whole_database_of_schema_11(package: Path) -> None:
    with database(package) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        assert db.execute("select ver, usn, ls from col").fetchone() == (11, 0, 0)
        indexes = {name for (name,) in db.execute("select name from sqlite_master where type = 'index'")}
    assert indexes >= {"ix_notes_csum", "ix_cards_nid", "ix_cards_sched", "ix_revlog_cid"}


def test_a_client_of_long_ago_is_told_to_update(package: Path, learner: Learner, tmp_path: Path) -> None:
    old = tmp_path / "old.apkg"
    with zipfile.ZipFile(old, "w") as archive:
        archive.writestr("collection.anki2", part(package, "collection.anki2"))
        archive.writestr("media", "{}")
    assert learner.imports(old) == Log(new=1)
    [(fields,)] = learner.all("select flds from notes")
    assert "Please update Anki" in fields
    assert learner.problems() == []


def test_that_note_does_not_disturb_the_real_import(package: Path, learner: Learner, tmp_path: Path) -> None:
    test_a_client_of_long_ago_is_told_to_update(package, learner, tmp_path)
    assert learner.imports(package) == Log(new=3)
    assert differences(learner, package) == learner.problems() == []
    kind = learner.note("alpha").note_type()
    assert kind["name"] == "proofdeck Basic" and kind["mod"] > 0


def test_the_legacy_container_imports_and_is_deflated(
    project: DeckProject, package: Path, learner: Learner
) -> None:
    legacy = project.build(legacy=True)
    assert list(parts(legacy)) == ["collection.anki2", "media", "0"]
    assert {entry.compress_type for entry in parts(legacy).values()} == {zipfile.ZIP_DEFLATED}
    assert part(legacy, "collection.anki2").startswith(b"SQLite format 3\0")
    assert json.loads(part(legacy, "media")) == {"0": media_names(package)[0]}
    assert learner.imports(legacy) == Log(new=3)
    assert learner.media() == set(media_names(package))
    assert differences(learner, package) == learner.problems() == []


def test_both_containers_hold_the_same_collection(
    project: DeckProject, package: Path, learner: Learner
) -> None:
    legacy = project.build(legacy=True)
    assert zstandard.ZstdDecompressor().decompress(part(package, "collection.anki21b")) == part(
        legacy, "collection.anki2"
    )
    learner.imports(legacy)
    assert learner.imports(package) == Log(duplicate=3)


def test_the_same_sources_and_ledger_give_the_same_bytes(
    project: DeckProject, package: Path, tmp_path: Path
) -> None:
    project.forget()
    (project.root / "decks/build/demo.apkg").unlink()
    assert project.build(at=NOW + DAY).read_bytes() == package.read_bytes()
    twin = DeckProject(tmp_path / "elsewhere" / "twin")
    twin.notes = project.notes
    twin.file("cards/p.svg", svg())
    twin.file("decks/history.lock", (project.root / "decks/history.lock").read_bytes())
    assert twin.build(at=NOW + 2 * DAY).read_bytes() == package.read_bytes()


def test_a_package_without_pictures_imports(project: DeckProject, learner: Learner) -> None:
    project.put(Note("alpha"))
    for legacy in (False, True):
        package = project.build(legacy=legacy)
        assert media_names(package) == []
        learner.imports(package)
    assert learner.guids() == ["proofdeck:alpha"]


def test_a_large_package_imports(project: DeckProject, learner: Learner) -> None:
    for number in range(400):
        project.file(f"cards/p{number}.svg", svg(f"#{number:06}"))
    project.put(*(tree(f"note-{number}", "L1", "L2", "L3", "Trap") for number in range(400)))
    for number, note in enumerate(project.notes.values()):
        note.answer = f"![A](p{number}.svg) " + "Words of an answer. " * 20
    package = project.build()
    assert learner.imports(package) == Log(new=400)
    assert learner.col.card_count() == 2000 and len(learner.media()) == 400
    assert learner.col.fix_integrity()[1]
    assert sorted(learner.all("select id, nid from cards")) == sorted(
        rows(package, "select id, nid from cards")
    )
