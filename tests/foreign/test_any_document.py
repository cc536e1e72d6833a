"""Damaged documents: whatever happens to them, an import ends in a report and in cards that build."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proofdeck.errors import UsageError
from proofdeck.foreign.importing import import_documents
from proofdeck.foreign.notes import BROKEN
from proofdeck.foreign.readers import FORMATS
from proofdeck.parse.document import parse
from proofdeck.parse.model import Note
from proofdeck.project import Project

FIXTURES = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "fixtures").iterdir()}


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A format and a document of it that is cut, shuffled, doubled or corrupted."""
    name = draw(st.sampled_from(sorted(FIXTURES)))
    data = FIXTURES[name]
    for _ in range(draw(st.integers(1, 3))):
        how = draw(st.sampled_from(["cut", "begin", "shuffle", "corrupt", "drop", "splice"]))
        lines = data.split(b"\n")
        at = draw(st.integers(0, max(0, len(data) - 1)))
        if how == "cut":
            data = data[:at]
        elif how == "begin":
            data = data[at:]
        elif how == "shuffle":
            data = b"\n".join(draw(st.permutations(lines)))
        elif how == "corrupt":
            data = data[:at] + draw(st.binary(max_size=6)) + data[at + draw(st.integers(0, 6)) :]
        elif how == "drop":
            del lines[draw(st.integers(0, len(lines) - 1))]
            data = b"\n".join(lines)
        else:
            other = FIXTURES[draw(st.sampled_from(sorted(FIXTURES)))]
            data = data[:at] + other[: draw(st.integers(0, len(other)))] + data[at:]
    return name, data


def cards(root: Path) -> list[Note]:
    found = []
    for file in Project(root).card_files():
        parsed = parse((root / file).read_text(encoding="utf-8"), file)
        assert [str(problem) for problem in parsed.problems] == []
        found += parsed.notes
    return found


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(document=damaged(), forced=st.sampled_from(["", *FORMATS]))
def test_a_damaged_document_gives_a_report_and_cards_that_build(
    document: tuple[str, bytes], forced: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    name, data = document
    folder = tmp_path_factory.mktemp("damaged")
    path = folder / f"{name}.txt"
    path.write_bytes(data)
    try:
        [report] = import_documents([path], folder / "out", forced)
    except UsageError:
        return
    notes = cards(folder / "out")
    assert len(notes) == len({note.id for note in notes}) == report.notes
    drafts = [note for note in notes if "draft" in note.tags]
    assert len(drafts) == report.drafts
    for note in drafts:  # what is missing is said on the card
        text = "".join(str(segment) for part in note.parts for segment in part.answer)
        assert any(told in text for told in BROKEN.values())
    # and importing it again changes nothing
    [again] = import_documents([path], folder / "out", forced)
    changes = again.changes
    assert (changes.unchanged, changes.new, changes.updated, changes.gone) == (report.notes, [], [], [])
