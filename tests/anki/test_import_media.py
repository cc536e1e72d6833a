"""Rules I-31 to I-35 of Anki's importer: media."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

import pytest

pytest.importorskip(
    "anki.collection", reason="the `anki` package is not installed: pip install 'proofdeck[test]'"
)

from proofdeck.errors import ContentError, UsageError
from proofdeck.package.apkg import build_apkg, check_media_name
from proofdeck.package.notetypes import NOTE_TYPES, css
from tests.helpers import DeckProject, Learner, Log, Note, cloze, forged, media_names, rows, svg, tree

ODD = [
    "P X.SVG",
    "Größe 50%.svg",
    "_logo.svg",
    "latex-a.svg",
    "con.svg",
    "a&b.svg",
    "図.svg",
    "x" * 200 + ".svg",
]
"""Names that authors give to pictures, and that Anki would rename, forbid, or treat in a way of its own."""

FORBIDDEN = [f"a{mark}b.svg" for mark in '[]<>:"/?*^\\|\x01\x7f']
FORBIDDEN += ["con.svg", "NUL", "lpt1.svg", "e\u0301.svg", "Upper.svg", "a ", "a.", "", "x" * 121]


def names_in_fields(package: Path) -> set[str]:
    fields = "".join(text for (text,) in rows(package, "select flds from notes"))
    return set(re.findall(r'src="([^"]*)"', fields))


@pytest.mark.parametrize("name", ODD)
def test_i_31_every_picture_is_named_by_a_field_as_it_is_in_the_package(
    project: DeckProject, learner: Learner, name: str
) -> None:
    project.file(f"cards/{name}", svg())
    project.put(Note("alpha", f"![A sketch](<{name}>)"), tree("beta"))
    project.notes["beta"].parts["Trap"] += f" ![Again](<{name}>)"
    package = project.build()
    assert names_in_fields(package) == set(media_names(package)) != set()
    learner.imports(package)
    assert learner.media() == set(media_names(package))
    assert learner.problems() == learner.unused_media() == []


def test_i_31_text_that_looks_like_a_reference_is_text(project: DeckProject, learner: Learner) -> None:
    texts = [
        '<img src="gone.png">',
        "[sound:gone.mp3]",
        '`<img src="gone.png">`',
        "[latex]x[/latex]",
        "{{Title}}",
    ]
    project.put(Note("alpha", " and ".join(texts)), tree("beta"), cloze("gamma"))
    project.notes["beta"].question = " ".join(texts)
    project.notes["gamma"].answer += " {cloze}`3: [sound:gone.mp3] {{Title}}`"
    learner.imports(project.build())
    assert learner.problems() == []
    answer = learner.note("alpha").cards()[0].answer()
    for text in ("&lt;img", "&#91;sound:gone.mp3]", "&#91;latex]", "&#123;{Title&#125;}"):
        assert text in answer
    assert not learner.note("alpha").cards()[0].answer_av_tags()


def test_i_31_templates_and_style_need_no_file() -> None:
    for kind in NOTE_TYPES.values():
        html = "".join(template.front + template.back for template in kind.templates)
        assert not re.search(r"src=|href=|url\(|@import|<link|<iframe", html + css())


def test_i_32_a_picture_whose_name_begins_with_an_underscore_can_be_replaced(
    project: DeckProject, learner: Learner
) -> None:
    for name in ("_logo.svg", "latex-1.svg"):
        project.file(f"cards/{name}", svg("red"))
    project.put(Note("alpha", "![A](_logo.svg) ![B](latex-1.svg)"))
    learner.imports(project.build())
    before = learner.media()
    for name in ("_logo.svg", "latex-1.svg"):
        project.file(f"cards/{name}", svg("blue"))
    package = project.build()
    assert learner.imports(package) == Log(updated=1)
    shown = names_in_fields(package)
    assert len(shown) == 2 and shown.isdisjoint(before) and not any(name.startswith("_") for name in shown)
    assert all("blue" in (Path(learner.col.media.dir()) / name).read_text() for name in shown)


def test_i_33_a_changed_picture_has_another_name_and_moves_its_notes_alone(
    project: DeckProject, learner: Learner
) -> None:
    project.file("cards/one.svg", svg("red"))
    project.file("cards/two.svg", svg("green"))
    project.put(Note("alpha", "![A](one.svg)"), Note("beta", "![B](two.svg)"), Note("gamma", "![C](one.svg)"))
    first = project.build()
    learner.imports(first)
    project.file("cards/one.svg", svg("blue"))
    second = project.build()
    assert learner.imports(second) == Log(updated=2, duplicate=1)
    [old] = set(media_names(first)) - set(media_names(second))
    assert learner.unused_media() == [old]
    assert names_in_fields(second) == set(media_names(second)) == learner.media() - {old}
    assert learner.problems() == []


def test_i_33_a_users_file_of_the_same_kind_of_name_is_not_overwritten(
    project: DeckProject, learner: Learner
) -> None:
    learner.col.media.write_data("sketch.svg", b"his own")
    project.file("cards/sketch.svg", svg())
    project.put(Note("alpha", "![A](sketch.svg)"))
    package = project.build()
    learner.imports(package)
    assert (Path(learner.col.media.dir()) / "sketch.svg").read_bytes() == b"his own"
    assert learner.media() == {"sketch.svg", *media_names(package)}


@pytest.mark.parametrize("name", ODD)
def test_i_34_names_are_lower_case_and_end_in_a_hash(project: DeckProject, name: str) -> None:
    project.file(f"cards/{name}", svg())
    project.put(Note("alpha", f"![A sketch](<{name}>)"))
    [media] = media_names(project.build())
    assert re.fullmatch(r"[a-z0-9-]*-[0-9a-f]{12}\.svg", media)
    assert check_media_name(media) == ""
    assert len(media) <= 120


@pytest.mark.parametrize("name", FORBIDDEN)
def test_i_34_a_name_that_anki_would_change_is_refused(learner: Learner, name: str) -> None:
    with pytest.raises(UsageError, match=r"(?s)media file"):
        build_apkg(b"", [(name, b"x")])
    if name not in ("Upper.svg", ""):
        assert learner.col.media.write_data(name, b"x") != name


@pytest.mark.parametrize("legacy", [False, True], ids=["modern", "legacy"])
def test_i_35_every_name_in_the_list_is_in_the_archive(
    project: DeckProject, learner: Learner, legacy: bool
) -> None:
    for number in range(12):
        project.file(f"cards/p{number}.svg", svg(f"#{number:06}"))
        project.put(Note(f"note-{number}", f"![A](p{number}.svg)"))
    package = project.build(legacy=legacy)
    names = media_names(package)
    with zipfile.ZipFile(package) as archive:
        numbers = [name for name in archive.namelist() if name.isdigit()]
    assert numbers == [str(number) for number in range(12)] and len(names) == 12
    learner.imports(package)
    for name in names:  # each under its own name, which ends in its hash
        data = (Path(learner.col.media.dir()) / name).read_bytes()
        assert name.endswith(f"-{hashlib.sha256(data).hexdigest()[:12]}.svg")


def test_i_35_because_anki_would_refuse_the_package(project: DeckProject, learner: Learner) -> None:
    from anki.errors import BackendError

    project.file("cards/p.svg", svg())
    project.put(Note("alpha", "![A](p.svg)"))
    with pytest.raises(BackendError, match="0 missing from archive"):
        learner.imports(forged(project.build(), without="0"))
    assert learner.guids() == []


def test_i_35_a_file_too_large_for_ankiweb_is_refused(
    project: DeckProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proofdeck.package.apkg.LARGEST_MEDIA", 100)
    project.file("cards/p.svg", svg())
    project.put(Note("alpha", "![A](p.svg)"))
    with pytest.raises(UsageError, match="is larger than 100 MB"):
        project.build()


def test_i_35_an_empty_picture_which_anki_takes_for_a_missing_one_is_refused(project: DeckProject) -> None:
    project.file("cards/p.svg", "")
    project.put(Note("alpha", "![A](p.svg)"))
    with pytest.raises(ContentError, match=r"the picture `cards/p\.svg` does not exist or is empty"):
        project.build()
