"""Independent ways to the numbers of verifiers/streaming.py."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from proofdeck import witnesses
from verifiers import streaming


@witnesses("streaming.reading_rate")
@pytest.mark.parametrize(("words", "tokens"), [(240, 1.3), (60, 1), (500, 2)])
def test_reading_rate_is_a_minute_of_words_over_its_seconds(words: int, tokens: float) -> None:
    minute = sum(tokens for _ in range(words))
    assert streaming.reading_rate(words, tokens) == pytest.approx(minute / 60)


def by_lines(text: str) -> list[str]:
    """Data of events, from lines as Python's own universal newlines give them."""
    events: list[str] = []
    data: list[str] = []
    for line in io.StringIO(text, newline=None):
        if not line.endswith("\n"):
            break
        line = line[:-1]
        if line == "":
            events += ["\n".join(data)] if data else []
            data = []
        elif line == "data" or line.startswith("data:"):
            value = line[5:]
            data.append(value[1:] if value[:1] == " " else value)
    return events


SAMPLES = [
    "data: a\n\n",
    "data: a\r\n\r\n",
    "data: a\r\rdata: b\r\r",
    "data:a\ndata:  b\n\n",
    ": note\nid: 1\nevent: x\ndata: a\n\nretry: 3\n\n",
    "data\n\n",
    "data: a\n",
    "data: a",
    "\n\n\ndata: a:b\n\n\n",
    "database: a\n\n",
    "",
]


@witnesses("streaming.events")
@pytest.mark.parametrize("text", SAMPLES)
def test_events_equal_those_of_universal_newlines(text: str) -> None:
    assert streaming.parse_events([text]) == by_lines(text)
    pieces = text.split("\n\n")
    assert streaming.events(text) == {"events": len(by_lines(text)), "by_double_lf": len(pieces) - 1}
    assert streaming.parse_events(list(text)) == by_lines(text)


@witnesses("streaming.events_survive_any_chunks")
def test_parsers_that_forget_between_chunks_are_noticed() -> None:
    chance = random.Random(2)
    for _ in range(300):
        text = "".join(chance.choices(["data: x", "data:", ":c", "id: 2", "\n", "\r\n", "\r", "y"], k=12))
        places = sorted(chance.randrange(len(text) + 1) for _ in range(4))
        chunks = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
        assert streaming.parse_events(chunks) == by_lines(text), chunks
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "parse_events", lambda chunks: [])
        with pytest.raises(AssertionError):
            streaming.events_survive_any_chunks()
    assert streaming.events_survive_any_chunks() == {"events": 5, "seeds": 10, "cuts": 20}
    streaming.confirm_events(lambda chunks: by_lines("".join(chunks)), 4, 6, 10)
    broken = [
        lambda chunks: [event for chunk in chunks for event in by_lines(chunk)],
        lambda chunks: ["".join(chunks).replace("\r\n", "\n")],
        lambda chunks: by_lines("".join(chunks).replace("\r\n", "\n").replace("\r", "")),
        lambda chunks: by_lines("".join(chunks))[:-1],
    ]
    for parse in broken:
        with pytest.raises(AssertionError):
            streaming.confirm_events(parse, 4, 6, 10)


def test_streams_cover_all_line_ends_and_many_cuts() -> None:
    seen: list[list[str]] = []

    def parse(chunks: Any) -> list[str]:
        seen.append(list(chunks))
        return by_lines("".join(chunks))

    streaming.confirm_events(parse, 5, 3, 20)
    texts = ["".join(chunks) for chunks in seen]
    assert [texts[0].count(end) > 0 for end in ("\n", "\r")] == [True, False]
    assert texts[20].count("\r\n") == texts[20].count("\n") > 0
    assert texts[40].count("\r") > 0 and "\n" not in texts[40]
    assert {len(chunks) for chunks in seen} == {1, 2, 3, 4, 5, 6}
    assert max(text.count("data:") for text in texts) <= 15
    assert {event.count("\n") for text in texts for event in by_lines(text)} == {0, 1, 2}
    assert len({chunk for chunks in seen for chunk in chunks if chunk}) > 50
    assert any(chunks[-1] == "" for chunks in seen) or any("" in chunks for chunks in seen)


def test_cuts_fall_anywhere() -> None:
    chance = random.Random(1)
    cuts = [streaming.cut("ab", chance) for _ in range(3000)]
    assert all("".join(pieces) == "ab" for pieces in cuts)
    ends = {"".join(pieces[: n + 1]) for pieces in cuts for n in range(len(pieces) - 1)}
    assert ends == {"", "a", "ab"}
    assert {len(pieces) for pieces in cuts} == {1, 2, 3, 4, 5, 6}
    single = [pieces for pieces in cuts if len(pieces) == 2]
    assert sum(pieces == ["ab", ""] for pieces in single) == pytest.approx(len(single) / 3, rel=0.2)


def test_two_cuts_are_tried_everywhere() -> None:
    tried = []

    def remember(chunks: Any) -> str:
        tried.append(tuple(chunks))
        return b"".join(chunks).decode()

    streaming.confirm_decoding(remember, ["ab"])
    assert sorted(tried) == sorted(
        [
            (b"", b"", b"ab"),
            (b"", b"a", b"b"),
            (b"", b"ab", b""),
            (b"a", b"", b"b"),
            (b"a", b"b", b""),
            (b"ab", b"", b""),
        ]
    )


def decode_by_reader(chunks: Iterable[bytes]) -> str:
    """Python's text reader over a pipe that gives one chunk at a time."""

    class Pipe(io.RawIOBase):
        def __init__(self, parts: Iterator[bytes]) -> None:
            self.parts = parts

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            part = next(self.parts, b"")
            buffer[: len(part)] = part
            return len(part)

    full = [chunk for chunk in chunks if chunk]
    return io.TextIOWrapper(io.BufferedReader(Pipe(iter(full))), encoding="utf-8", newline="").read()


@witnesses("streaming.bad_splits")
@pytest.mark.parametrize("text", ["abc", "é", "naïve 日本", "🎉x", "a"])
def test_bad_splits_are_the_bytes_that_continue_a_character(text: str) -> None:
    data = text.encode()
    inside = sum(byte & 0b11000000 == 0b10000000 for byte in data)
    assert streaming.bad_splits(text) == {"splits": len(data) - 1, "damaged": inside}


@witnesses("streaming.one_decoder_is_exact")
def test_a_text_reader_passes_and_separate_decoding_fails() -> None:
    streaming.confirm_decoding(decode_by_reader, ["aé日🎉", "naïve"])
    assert streaming.one_decoder_is_exact() == {"texts": 4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming, "decode_on", streaming.decode_apart)
        with pytest.raises(AssertionError, match="reads"):
            streaming.one_decoder_is_exact()
    with pytest.raises(AssertionError, match="reads"):
        streaming.confirm_decoding(streaming.decode_apart, ["é"])
    with pytest.raises(AssertionError, match="reads"):
        streaming.confirm_decoding(lambda chunks: b"".join(list(chunks)[:2]).decode(errors="ignore"), ["abc"])
    streaming.confirm_decoding(streaming.decode_apart, ["plain"])


def test_damaged_text_is_marked() -> None:
    halves = ["é".encode()[:1], "é".encode()[1:]]
    assert streaming.decode_apart(halves) == "\ufffd\ufffd"
    assert streaming.decode_on(halves) == "é"
    assert streaming.decode_on([b"a\xff"]) == "a\ufffd"
    assert streaming.decode_on([b"a", "é".encode()[:1]]) == "a\ufffd"


@witnesses("streaming.produced")
@pytest.mark.parametrize("buffer", [0, 1, 3, None])
def test_produced_equals_a_producer_that_fills_a_queue(buffer: int | None) -> None:
    for total in (0, 4, 9):
        for taken in range(total + 1):
            made: list[int] = []

            def items(made: list[int] = made, total: int = total) -> Iterator[int]:
                for number in range(total):
                    made.append(number)
                    yield number

            source, queue = items(), []
            for _ in range(taken):
                if not queue:
                    queue.append(next(source))
                queue.pop(0)
                while buffer is None or len(queue) < buffer:
                    try:
                        queue.append(next(source))
                    except StopIteration:
                        break
            if taken == 0:  # nobody has asked yet, but a queue is filled ahead
                queue = [
                    item for item, _ in zip(source, range(total if buffer is None else buffer), strict=False)
                ]
                made = made[: len(queue)]
            found = streaming.produced(total, taken, buffer)
            assert found == {"produced": taken + len(queue), "waiting": len(queue)}
            if buffer == 0:
                assert streaming.produced(total, taken) == found
                assert found["produced"] == len(made) == taken


@witnesses("streaming.plain_loop_refuses_async_stream")
def test_python_itself_refuses_the_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TypeError):
        for _ in streaming.ticks(3):  # type: ignore[attr-defined]
            pass

    async def collect() -> list[int]:
        return [number async for number in streaming.ticks(4)]

    assert asyncio.run(collect()) == [0, 1, 2, 3]
    assert streaming.plain_loop_refuses_async_stream() == {"count": 3}
    with pytest.raises(AssertionError, match="takes the stream"):
        streaming.confirm_refusal(iter([1, 2]))
    monkeypatch.setattr(streaming, "ticks", range)
    with pytest.raises(AssertionError, match="takes the stream"):
        streaming.plain_loop_refuses_async_stream()


def test_missing_items_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def short(count: int) -> Any:
        for number in range(count - 1):
            yield number

    monkeypatch.setattr(streaming, "ticks", short)
    with pytest.raises(AssertionError, match="missing"):
        streaming.plain_loop_refuses_async_stream()


@pytest.mark.parametrize(
    "call",
    [
        lambda: streaming.reading_rate(0, 1),
        lambda: streaming.reading_rate(1, 0),
        lambda: streaming.produced(1, 2),
        lambda: streaming.produced(1, -1),
        lambda: streaming.produced(1, 1, -1),
    ],
)
def test_wrong_arguments_are_refused(call: Any) -> None:
    with pytest.raises(ValueError):
        call()
