"""Bytes to lines: encodings, Thai mojibake, and what no reader sees."""

from __future__ import annotations

import codecs
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofdeck.errors import UsageError
from proofdeck.foreign import mojibake
from proofdeck.foreign.text import HEAD, LONGEST, head_of_file, lines_of_file


def broken(text: str) -> str:
    """Read UTF-8 bytes as windows-874, then windows-1252; drop the bytes that neither knows."""
    out = []
    for byte in text.encode():
        for page in ("cp874", "cp1252"):
            try:
                out.append(bytes([byte]).decode(page))
                break
            except UnicodeDecodeError:
                continue
    return "".join(out)


PROSE = "Loss — a mean · over N tokens: 3 × 4 → 12 … α ≤ β ★☆ “so”"


def test_the_damage_is_undone_exactly() -> None:
    assert mojibake.repair(broken(PROSE)) == PROSE
    assert mojibake.is_damaged(broken(PROSE))


@pytest.mark.parametrize("char", [*"←ρ₁⁻⁸⁶", "\ufe0f"])
def test_a_lost_byte_is_put_back_where_one_character_makes_sense(char: str) -> None:
    assert len(broken(char)) < len(char.encode())
    assert mojibake.repair(f"a {broken(char)} b") == f"a {char} b"


def test_what_cannot_be_known_is_marked() -> None:
    house = "\N{BUILDING CONSTRUCTION}"  # F0 9F 8F 97: the third byte is lost
    assert mojibake.repair(broken(house)) == "\N{REPLACEMENT CHARACTER}"


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"])))
def test_genuine_text_of_other_scripts_stays(text: str) -> None:
    if not any("\u0e00" <= char <= "\u0e7f" for char in text):
        assert mojibake.repair(text) == text


def test_thai_prose_is_not_taken_for_damage() -> None:
    thai = "ความสนใจคือทั้งหมดที่คุณต้องการ การเรียนรู้เชิงลึก และแบบจำลองภาษา"
    assert not mojibake.is_damaged(thai)


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def read(path: Path) -> tuple[list[str], Counter[str]]:
    repairs: Counter[str] = Counter()
    return [line for _, line in lines_of_file(path, repairs)], repairs


def test_lines_are_numbered_whatever_ends_them(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one\r\ntwo\rthree\n\nfive")
    assert list(lines_of_file(path)) == [(1, "one"), (2, "two"), (3, "three"), (4, ""), (5, "five")]


@pytest.mark.parametrize("mark, encoding", [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le")])
def test_a_byte_order_mark_says_the_encoding(tmp_path: Path, mark: bytes, encoding: str) -> None:
    path = write(tmp_path / "a.txt", mark + "naïve\nλ".encode(encoding))
    assert read(path)[0] == ["naïve", "λ"]


def test_invisible_characters_are_taken_out_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "a\x07b \u202edrow\u202c c\U000e0041d\ne")
    lines, repairs = read(path)
    assert lines == ["ab drow cd", "e"]
    assert repairs == {
        "control characters, taken out": 1,
        "invisible directions and tags, taken out": 3,
    }


def test_bytes_that_are_no_text_are_marked_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"good words here and \xff\xfe more words of a text\n")
    lines, repairs = read(path)
    assert lines == ["good words here and \ufffd\ufffd more words of a text"]
    assert repairs == {"characters that cannot be read": 2}


@pytest.mark.parametrize("data", [b"\x00\x01" * 50, bytes(range(128, 256)) * 4])
def test_what_is_no_text_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(UsageError, match=r"a\.bin is no text"):
        read(write(tmp_path / "a.bin", data))


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    lines = list(lines_of_file(write(tmp_path / "a.txt", "x" * (2 * LONGEST + 5) + "\nnext")))
    assert [(number, len(line)) for number, line in lines] == [(1, LONGEST), (1, LONGEST), (1, 5), (2, 4)]


def test_the_head_is_the_beginning_as_readers_see_it(tmp_path: Path) -> None:
    assert head_of_file(write(tmp_path / "a.txt", broken(PROSE))) == PROSE
    assert len(head_of_file(write(tmp_path / "b.txt", "word " * HEAD))) == HEAD
    assert head_of_file(write(tmp_path / "c.txt", "")) == ""


@given(data=st.binary(max_size=400))
def test_any_bytes_give_lines_or_a_refusal(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write(tmp_path_factory.mktemp("bytes") / "a.txt", data)
    try:
        lines, _ = read(path)
    except UsageError:
        return
    assert not any(char < " " and char != "\t" for line in lines for char in line)
