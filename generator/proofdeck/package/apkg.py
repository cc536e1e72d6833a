"""The container of an Anki package: the modern one (zstd, `collection.anki21b`), or the legacy one.

    meta                 which container this is (protobuf, two bytes)
    collection.anki21b   the collection, zstd
    collection.anki2     for clients that know only this: a collection whose one note says to update
    media                names, sizes and SHA-1 of the media files (protobuf, zstd)
    0, 1, …              the media files, each zstd

Byte-identical for identical content: fixed order, fixed times, one zstd setting.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Sequence

from proofdeck.errors import UsageError
from proofdeck.package.notetypes import NOTE_TYPES

ZSTD_LEVEL = 3
"""Anki's own; higher levels win a tenth of the size for thrice the time."""
LARGEST_MEDIA = 100 * 10**6
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FORBIDDEN = re.compile(r"[\[\]<>:\"/?*^\\|\x00-\x1f\x7f]")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?$", re.I)


def check_media_name(name: str) -> str:
    """Return why Anki would rename or refuse a media file, or the empty string."""
    if name != unicodedata.normalize("NFC", name):
        return "it is not in Unicode's composed form (NFC)"
    if _FORBIDDEN.search(name) or _RESERVED.match(name):
        return "it holds a character or a name that Anki forbids"
    if name != name.lower():
        return "it is not in lower case"
    if not name or name != name.strip(" .") or len(name.encode()) > 120:
        return "it is empty, too long, or ends in a space or a full stop"
    return ""


def build_apkg(
    collection: bytes, media: Sequence[tuple[str, bytes]], legacy: bool = False, placeholder: bytes = b""
) -> bytes:
    """Return the bytes of a package; raise UsageError for a media file that Anki would not take.

    `placeholder` is what `please_update` returns, where the caller has it at hand.
    """
    for name, data in media:
        if why := check_media_name(name):
            raise UsageError(f"media file `{name}`: {why}")
        if len(data) > LARGEST_MEDIA:
            raise UsageError(f"media file `{name}` is larger than 100 MB, which AnkiWeb refuses")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        if legacy:
            _entry(archive, "collection.anki2", collection, zipfile.ZIP_DEFLATED)
            names = {str(number): name for number, (name, _) in enumerate(media)}
            _entry(archive, "media", json.dumps(names).encode(), zipfile.ZIP_DEFLATED)
            for number, (_, data) in enumerate(media):
                _entry(archive, str(number), data, zipfile.ZIP_DEFLATED)
        else:
            _entry(archive, "meta", b"\x08\x03", zipfile.ZIP_STORED)
            _entry(archive, "collection.anki21b", _zstd(collection), zipfile.ZIP_STORED)
            _entry(archive, "collection.anki2", placeholder or please_update(), zipfile.ZIP_DEFLATED)
            _entry(archive, "media", _zstd(_media_list(media)), zipfile.ZIP_STORED)
            for number, (_, data) in enumerate(media):
                _entry(archive, str(number), _zstd(data), zipfile.ZIP_STORED)
    return out.getvalue()


def _entry(archive: zipfile.ZipFile, name: str, data: bytes, method: int) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = method
    info.create_system = 3
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)


def _zstd(data: bytes) -> bytes:
    import zstandard

    return zstandard.ZstdCompressor(level=ZSTD_LEVEL, write_content_size=True).compress(data)


def _media_list(media: Sequence[tuple[str, bytes]]) -> bytes:
    """Return the protobuf `MediaEntries{repeated entries=1: {name=1, size=2, sha1=3}}`."""
    out = bytearray()
    for name, data in media:
        entry = (
            _field(1, name.encode()) + b"\x10" + _varint(len(data)) + _field(3, hashlib.sha1(data).digest())
        )
        out += _field(1, entry)
    return bytes(out)


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def please_update() -> bytes:
    """Return the collection that a client sees which knows no modern package."""
    from proofdeck.package.collection import DeckInfo, NoteRow, PackageNote, build_collection, define

    text = "Please update Anki to version 2.1.50 or later, then import this file again."
    fields = {"Title": text, "Question": text, "Answer": "-"}
    joined = "\x1f".join(fields.get(name, "") for name in NOTE_TYPES["basic"].field_names)
    note = PackageNote(
        "proofdeck:please-update", 0, "Please update Anki", NoteRow("basic", " ", joined, text, (0,))
    )
    return build_collection([note], [DeckInfo("Please update Anki")], {"basic": 0}, define())
