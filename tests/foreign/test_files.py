"""Card files brought up to date: what nobody edited follows the source, what somebody edited stays."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofdeck.errors import UsageError
from proofdeck.foreign.files import LEDGER, Changes, Folder, chunks

HEAD = "---\ndeck: D\n---\n"


def note(name: str, answer: str = "Answer.") -> tuple[str, str]:
    return name, f"# Question of {name} {{#{name}}}\n\n{answer}\n"


def update(
    path: Path, files: dict[str, list[tuple[str, str]]], keys: dict[str, str] | None = None
) -> Changes:
    """Import `files`, the way an import does: section after section."""
    path.mkdir(exist_ok=True)
    folder = Folder(path)
    for file, notes in files.items():
        named = []
        for name, text in notes:
            given = folder.identify(name, text.split("\n")[0], (keys or {}).get(name, ""))
            named.append((given, text.replace(f"{{#{name}", f"{{#{given}")))
        folder.write(file, HEAD, named)
    folder.close()
    return folder.changes


def edit(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))


def test_a_first_import_writes_everything(tmp_path: Path) -> None:
    changes = update(tmp_path, {"a.md": [note("one"), note("two")]})
    assert changes == Changes(new=["one", "two"])
    assert (tmp_path / "a.md").read_text() == HEAD + "\n" + note("one")[1] + "\n" + note("two")[1]


def test_a_second_import_of_the_same_touches_nothing(tmp_path: Path) -> None:
    files = {"a.md": [note("one"), note("two")], "b.md": [note("three")]}
    update(tmp_path, files)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.md")}
    assert update(tmp_path, files) == Changes(unchanged=3)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.md")} == before


def test_what_nobody_edited_follows_the_source(tmp_path: Path) -> None:
    update(tmp_path, {"a.md": [note("one"), note("two"), note("three")]})
    changes = update(tmp_path, {"a.md": [note("two", "Better."), note("one"), note("four")]})
    assert changes == Changes(new=["four"], updated=["two"], unchanged=1, gone=["three"])
    assert [name for name, _ in chunks((tmp_path / "a.md").read_text())] == ["", "two", "one", "four"]


def test_an_edit_is_never_overwritten(tmp_path: Path) -> None:
    update(tmp_path, {"a.md": [note("one"), note("two"), note("three")]})
    for name in ("one", "two", "three"):
        edit(
            tmp_path / "a.md",
            f"# Question of {name} {{#{name}}}\n\nAnswer.",
            f"# Mine {{#{name}}}\n\nMy {name}.",
        )
    changes = update(tmp_path, {"a.md": [note("one"), note("two", "Better.")]})
    assert changes == Changes(unchanged=1, kept=["two"], orphaned=["three"])
    text = (tmp_path / "a.md").read_text()
    assert all(f"My {name}." in text for name in ("one", "two", "three"))
    again = update(tmp_path, {"a.md": [note("one"), note("two", "Better.")]})
    assert again == Changes(unchanged=1, kept=["two"], orphaned=["three"])
    assert (tmp_path / "a.md").read_text() == text


def test_an_edit_that_is_taken_back_follows_the_source_again(tmp_path: Path) -> None:
    update(tmp_path, {"a.md": [note("one")]})
    edit(tmp_path / "a.md", "Answer.", "Mine.")
    update(tmp_path, {"a.md": [note("one", "Better.")]})
    edit(tmp_path / "a.md", "Mine.", "Answer.")
    assert update(tmp_path, {"a.md": [note("one", "Better.")]}) == Changes(updated=["one"])


def test_a_note_that_somebody_deleted_stays_away(tmp_path: Path) -> None:
    files = {"a.md": [note("one"), note("two")]}
    update(tmp_path, files)
    edit(tmp_path / "a.md", note("one")[1], "")
    for _ in range(2):
        assert update(tmp_path, files) == Changes(unchanged=1, deleted=["one"])
    assert "#one" not in (tmp_path / "a.md").read_text()


def test_somebodys_own_notes_and_front_matter_stay(tmp_path: Path) -> None:
    update(tmp_path, {"a.md": [note("one"), note("two")]})
    edit(tmp_path / "a.md", "deck: D", "deck: Mine")
    edit(tmp_path / "a.md", note("two")[1], note("own", "By hand.")[1] + "\n" + note("two")[1])
    update(tmp_path, {"a.md": [note("one"), note("two", "Better.")]})
    text = (tmp_path / "a.md").read_text()
    assert text.startswith("---\ndeck: Mine\n")
    assert [name for name, _ in chunks(text)] == ["", "one", "own", "two"]


@pytest.mark.parametrize("order", [["a.md", "b.md"], ["b.md", "a.md"]])
def test_a_note_may_move_to_another_section(tmp_path: Path, order: list[str]) -> None:
    update(tmp_path, {"a.md": [note("one"), note("moving")], "b.md": [note("two")]})
    after = {"a.md": [note("one")], "b.md": [note("two"), note("moving", "Better.")]}
    assert update(tmp_path, {file: after[file] for file in order}) == Changes(updated=["moving"], unchanged=2)
    assert "#moving" not in (tmp_path / "a.md").read_text()
    assert "Better." in (tmp_path / "b.md").read_text()


@pytest.mark.parametrize("order", [["a.md", "b.md"], ["b.md", "a.md"]])
def test_an_edited_note_moves_with_its_edit(tmp_path: Path, order: list[str]) -> None:
    update(tmp_path, {"a.md": [note("one"), note("moving")], "b.md": [note("two")]})
    edit(tmp_path / "a.md", note("moving")[1], note("moving", "Mine.")[1])
    after = {"a.md": [note("one")], "b.md": [note("two"), note("moving", "Better.")]}
    assert update(tmp_path, {file: after[file] for file in order}) == Changes(unchanged=2, kept=["moving"])
    assert "Mine." in (tmp_path / "b.md").read_text()
    assert "#moving" not in (tmp_path / "a.md").read_text()


def test_a_note_that_somebody_moved_is_not_lost(tmp_path: Path) -> None:
    files = {"a.md": [note("one"), note("two")], "b.md": [note("three")]}
    update(tmp_path, files)
    edit(tmp_path / "a.md", note("two")[1], "")
    edit(tmp_path / "b.md", note("three")[1], note("three")[1] + "\n" + note("two")[1])
    update(tmp_path, files)
    assert "#two" in (tmp_path / "b.md").read_text()
    assert "#two" not in (tmp_path / "a.md").read_text()


def test_a_section_that_is_gone_takes_its_file_along_but_no_edit(tmp_path: Path) -> None:
    update(tmp_path, {"a.md": [note("one")], "b.md": [note("two"), note("three")]})
    assert update(tmp_path, {"b.md": [note("two"), note("three")]}) == Changes(unchanged=2, gone=["one"])
    assert not (tmp_path / "a.md").exists()
    edit(tmp_path / "b.md", note("three")[1], note("three", "Mine.")[1])
    assert update(tmp_path, {}) == Changes(gone=["two"], orphaned=["three"])
    assert (tmp_path / "b.md").read_text() == HEAD + "\n" + note("three", "Mine.")[1]


def test_a_question_whose_words_change_keeps_its_id(tmp_path: Path) -> None:
    update(tmp_path, {"a.md": [note("why-is-a-cache-kept")]}, {"why-is-a-cache-kept": "q1"})
    changes = update(tmp_path, {"a.md": [note("why-is-the-cache-kept")]}, {"why-is-the-cache-kept": "q1"})
    assert changes.new == changes.gone == []
    other = {"a.md": [note("something-else-altogether-now")]}
    changes = update(tmp_path, other, {"something-else-altogether-now": "q1"})
    assert (changes.new, changes.gone) == (["something-else-altogether-now"], ["why-is-a-cache-kept"])


def test_equal_questions_get_ids_of_their_own(tmp_path: Path) -> None:
    assert update(tmp_path, {"a.md": [note("one"), note("one")]}).new == ["one", "one-2"]


def test_an_import_that_was_interrupted_is_taken_up_again(tmp_path: Path) -> None:
    update(tmp_path, {"a.md": [note("one")]})
    ledger = (tmp_path / LEDGER).read_text()
    update(tmp_path, {"a.md": [note("one", "Better.")]})
    (tmp_path / LEDGER).write_text(ledger)  # the new file was written, the ledger was not
    assert update(tmp_path, {"a.md": [note("one", "Better.")]}) == Changes(unchanged=1)


@pytest.mark.parametrize(
    "text", ["", "[]", '{"notes": {"a": 3}}', '{"notes": {"a": ["../../etc/x", "", "", ""]}}']
)
def test_a_broken_ledger_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / LEDGER).write_text(text)
    with pytest.raises(UsageError, match="cannot tell what you edited"):
        Folder(tmp_path)
    assert (tmp_path / LEDGER).read_text() == text


def test_a_card_file_that_is_no_text_is_refused_and_left_alone(tmp_path: Path) -> None:
    update(tmp_path, {"a.md": [note("one")]})
    (tmp_path / "a.md").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="not UTF-8"):
        update(tmp_path, {"a.md": [note("one", "Better.")]})
    assert (tmp_path / "a.md").read_bytes() == b"\xff\xfe\xff"


def test_headings_inside_code_begin_no_note() -> None:
    text = "# A {#a}\n\n```md\n# B {#b}\n```\n\n~~~\n```\n# C {#c}\n~~~\n\n# D {#d}\nx\n"
    assert [name for name, _ in chunks(text)] == ["", "a", "d"]


NAMES = st.lists(st.sampled_from("abcdef"), unique=True, max_size=6)


@given(data=st.data())
def test_no_edit_is_ever_lost(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any imports with any edits between: every edited text stands somewhere until its writer removes it."""
    path = tmp_path_factory.mktemp("cards")
    edited: dict[str, str] = {}
    for version in range(4):
        names = data.draw(NAMES)
        cut = data.draw(st.integers(0, len(names)))
        texts = {name: note(name, f"Answer {data.draw(st.integers(0, 1))}.") for name in names}
        update(path, {"x.md": [texts[n] for n in names[:cut]], "y.md": [texts[n] for n in names[cut:]]})
        everything = "".join(file.read_text() for file in path.glob("*.md"))
        assert all(text in everything for text in edited.values())
        files = [file for file in path.glob("*.md") if len(chunks(file.read_text())) > 1]
        if files and data.draw(st.booleans()):
            file = data.draw(st.sampled_from(sorted(files)))
            name, text = data.draw(st.sampled_from(chunks(file.read_text())[1:]))
            mine = text.rstrip("\n") + f" And mine, {version}.\n"
            edit(file, text, mine)
            edited[name] = mine
    assert json.loads((path / LEDGER).read_text())["format"] == "proofdeck import"
