"""Bytes of a foreign document to lines of text: decoded, repaired, and free of what no reader sees.

Reads a line at a time and no line beyond LONGEST, so that memory stays bounded whatever the file holds.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from proofdeck.errors import UsageError
from proofdeck.foreign import mojibake

HEAD = 65_536
"""Bytes that tell what a document is."""
LONGEST = 2**20
"""Characters of a line; what is longer is cut into several."""
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufeff]")
_INVISIBLE = re.compile("[\u202a-\u202e\u2066-\u2069\u061c\u200e\u200f\U000e0000-\U000e007f]")
"""Directional overrides and tag characters: they make a text look other than it is."""
_BREAKS = re.compile("[\u2028\u2029]")
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def lines_of_file(path: Path, repairs: Counter[str] | None = None) -> Iterator[tuple[int, str]]:
    """Yield number and text of every line; count in `repairs` what was mended or taken out.

    Raises UsageError for a file that is no text at all.
    """
    done: Counter[str] = Counter() if repairs is None else repairs
    with path.open("rb") as file:
        start = file.read(HEAD)
        encoding = encoding_of(start, path.name)
        damaged = mojibake.is_damaged(start.decode(encoding, errors="replace"))
        file.seek(0)
        text = io.TextIOWrapper(file, encoding=encoding, errors="replace", newline=None)
        number, whole = 1, True
        while line := text.readline(LONGEST):
            whole = line.endswith("\n")
            yield number, clean(line.removesuffix("\n"), damaged, done)
            number += whole
            done["lines too long, cut"] += not whole and len(line) == LONGEST
    for name in [name for name, count in done.items() if not count]:
        del done[name]


def head_of_file(path: Path) -> str:
    """Return the beginning of a document as its readers see it."""
    found: list[str] = []
    size = 0
    for _, line in lines_of_file(path):
        found.append(line)
        size += len(line) + 1
        if size >= HEAD:
            break
    return "\n".join(found)[:HEAD]


def encoding_of(start: bytes, name: str) -> str:
    """Return the encoding of a document that begins with `start`; raise UsageError where it is no text."""
    for mark, encoding in _MARKS.items():
        if start.startswith(mark):
            return encoding
    if start.count(0) > len(start) // 100:
        raise UsageError(f"{name} is no text: it holds zero bytes")
    text = start.decode("utf-8", errors="replace")
    lost = text.count("\N{REPLACEMENT CHARACTER}")
    if lost > len(text) // 10:
        raise UsageError(f"{name} is no text in UTF-8: save it as UTF-8 first")
    return "utf-8"


def clean(line: str, damaged: bool, done: Counter[str]) -> str:
    """Return a line repaired and without control characters, counting what was done."""
    if line.isascii() and line.isprintable():
        return line
    before = line.count("\N{REPLACEMENT CHARACTER}")
    done["characters that cannot be read"] += before
    if damaged:
        runs = mojibake.DAMAGED.findall(line)
        line = mojibake.repair(line)
        done["runs of wrongly decoded characters, repaired"] += len(runs)
        done["characters that cannot be known"] += line.count("\N{REPLACEMENT CHARACTER}") - before
    for what, pattern in (
        ("control characters, taken out", _CONTROL),
        ("invisible directions and tags, taken out", _INVISIBLE),
    ):
        line, count = pattern.subn("", line)
        done[what] += count
    return _BREAKS.sub(" ", line)
