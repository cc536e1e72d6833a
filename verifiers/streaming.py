"""Streaming replies: event framing, UTF-8 across chunks, backpressure."""

from __future__ import annotations

import asyncio
import codecs
import random
import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from itertools import combinations_with_replacement, pairwise

from proofdeck import verifier
from verifiers import arguments


@verifier
def reading_rate(words_per_minute: float, tokens_per_word: float) -> float:
    """Tokens per second that a reader takes in: a faster stream is not noticed.

    Formula: words per minute · tokens per word / 60.
    Unit: token/s
    Source: definition
    """
    arguments.positive(words_per_minute=words_per_minute, tokens_per_word=tokens_per_word)
    return words_per_minute * tokens_per_word / 60


class EventParser:
    """Server-sent events from chunks of text; lines end in LF, CR or CRLF, events in an empty line."""

    def __init__(self) -> None:
        self.rest = ""
        self.data: list[str] = []
        self.events: list[str] = []

    def feed(self, chunk: str) -> None:
        """Read one more chunk; a CR at its end waits for the LF that may follow."""
        *lines, self.rest = re.split(r"\r\n|\n|\r(?!\Z)", self.rest + chunk)
        for line in lines:
            self._line(line)

    def close(self) -> list[str]:
        """Read what is left, and return the data of all events; one without its empty line is dropped."""
        if self.rest == "\r":
            self._line("")
        return self.events

    def _line(self, line: str) -> None:
        field, _, value = line.partition(":")
        if line and field == "data":
            self.data.append(value.removeprefix(" "))
        elif not line and self.data:
            self.events.append("\n".join(self.data))
            self.data = []


def parse_events(chunks: Iterable[str]) -> list[str]:
    """Data of the events in a stream that comes in chunks."""
    parser = EventParser()
    for chunk in chunks:
        parser.feed(chunk)
    return parser.close()


@verifier
def events(text: str) -> dict[str, int]:
    """Events of a stream by the standard, and pieces that a search for two LF would find ended.

    Unit: events=1, by_double_lf=1
    Source: whatwg-sse
    """
    return {"events": len(parse_events([text])), "by_double_lf": text.count("\n\n")}


def cut(text: str, chance: random.Random) -> list[str]:
    """Cut a text into pieces at random places."""
    places = sorted(chance.randrange(len(text) + 1) for _ in range(chance.randrange(6)))
    return [text[a:b] for a, b in pairwise([0, *places, len(text)])]


def confirm_events(parse: Callable[[Sequence[str]], list[str]], size: int, seeds: int, cuts: int) -> None:
    """Check that a parser finds the events that were sent, with any line ends and any chunks."""
    for seed in range(seeds):
        chance = random.Random(seed)
        sent = [
            [f"line {chance.choice('abcdefgh')}" for _ in range(chance.randint(1, 3))] for _ in range(size)
        ]
        lines = [
            line for event in sent for line in (":ping", *(f"data: {text}" for text in event), "id: 7", "")
        ]
        end = ("\n", "\r\n", "\r")[seed % 3]
        text = "".join(line + end for line in lines)
        for _ in range(cuts):
            chunks = cut(text, chance)
            assert parse(chunks) == ["\n".join(event) for event in sent], f"seed {seed}: {chunks}"


@verifier
def events_survive_any_chunks(size: int = 5, seeds: int = 10, cuts: int = 20) -> dict[str, int]:
    """Check that events come out whole however the stream is cut, with LF, CR and CRLF line ends.

    Unit: check
    Source: whatwg-sse
    """
    confirm_events(parse_events, size, seeds, cuts)
    return {"events": size, "seeds": seeds, "cuts": cuts}


def decode_apart(chunks: Iterable[bytes]) -> str:
    """Decode every chunk by itself."""
    return "".join(chunk.decode("utf-8", errors="replace") for chunk in chunks)


def decode_on(chunks: Iterable[bytes]) -> str:
    """Decode with one decoder that keeps an unfinished character for the next chunk."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    return "".join(decoder.decode(chunk) for chunk in chunks) + decoder.decode(b"", final=True)


@verifier
def bad_splits(text: str) -> dict[str, int]:
    """Places between two bytes of a text, and those where decoding both halves apart damages it.

    Formula: Σ (bytes of a character − 1) over its characters.
    Unit: splits=1, damaged=1
    Source: rfc3629
    """
    data = text.encode()
    halves = [(data[:at], data[at:]) for at in range(1, len(data))]
    return {"splits": len(halves), "damaged": sum(decode_apart(half) != text for half in halves)}


def confirm_decoding(decode: Callable[[Iterable[bytes]], str], texts: Sequence[str]) -> None:
    """Check that a text comes out whole wherever two cuts fall."""
    for text in texts:
        data = text.encode()
        for first, second in combinations_with_replacement(range(len(data) + 1), 2):
            found = decode([data[:first], data[first:second], data[second:]])
            assert found == text, f"{text!r} cut at {first} and {second} reads {found!r}"


@verifier
def one_decoder_is_exact(
    texts: tuple[str, ...] = ("plain", "naïve", "日本語 text", "👩‍🔬 ok"),
) -> dict[str, int]:
    """Check that one incremental decoder restores a text whatever the chunks.

    Unit: check
    Source: rfc3629
    """
    confirm_decoding(decode_on, texts)
    return {"texts": len(texts)}


@verifier
def produced(total: int, taken: int, buffer: int | None = 0) -> dict[str, int]:
    """Items that a producer has made when its consumer has taken some, and those waiting between them.

    A buffer of 0 is a generator, which runs when it is asked; None is a queue without bound.

    Formula: min(total, taken + buffer).
    Unit: produced=1, waiting=1
    Source: definition
    """
    arguments.counts(0, taken=taken, rest=total - taken)
    if buffer is None:
        return {"produced": total, "waiting": total - taken}
    arguments.counts(0, buffer=buffer)
    made = min(total, taken + buffer)
    return {"produced": made, "waiting": made - taken}


async def ticks(count: int) -> AsyncIterator[int]:
    """Yield numbers, asynchronously."""
    for number in range(count):
        yield number


def confirm_refusal(stream: object) -> None:
    """Check that a plain loop over a stream raises TypeError."""
    try:
        iter(stream)  # type: ignore[call-overload]
    except TypeError:
        return
    raise AssertionError("a plain loop takes the stream")


@verifier
def plain_loop_refuses_async_stream(count: int = 3) -> dict[str, int]:
    """Check that an asynchronous generator cannot be walked by a plain loop, and gives all by an async one.

    Unit: check
    Source: definition
    """
    confirm_refusal(ticks(count))

    async def collect() -> list[int]:
        return [number async for number in ticks(count)]

    assert asyncio.run(collect()) == list(range(count)), "items are missing"
    return {"count": count}
