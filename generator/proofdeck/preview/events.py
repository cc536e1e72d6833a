"""What a running preview tells the pages that are open: a stream of server-sent events for each.

    reload   {"changed": [paths]}   a build ended well; these files of the site are other files now
    problem  {"text": text}         a build failed; the site is still the former one

A page that begins to listen is told at once how things stand.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue

KEEP_ALIVE = 15.0
"""Seconds after which a silent stream sends a comment: that is how a closed page is noticed."""

Event = bytes


def reload(changed: Iterable[str]) -> Event:
    return _event("reload", {"changed": sorted(changed)})


def problem(text: str) -> Event:
    return _event("problem", {"text": text})


def _event(name: str, data: dict[str, object]) -> Event:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


class Stream:
    """The events for one open page."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Event | None] = SimpleQueue()

    def put(self, event: Event | None) -> None:
        """Add an event; None ends the stream."""
        self._waiting.put(event)

    def __iter__(self) -> Iterator[bytes]:
        """Yield what is to be sent, and a comment where there has been nothing for a while."""
        while True:
            try:
                event = self._waiting.get(timeout=KEEP_ALIVE)
            except Empty:
                event = b": still here\n\n"
            if event is None:
                return
            yield event


class Events:
    """Sends every event to every open page."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._streams: set[Stream] = set()
        self._state = reload(())
        """What a page is told that begins to listen."""
        self._closed = False

    @contextmanager
    def listening(self) -> Iterator[Stream]:
        """Give a page its stream for as long as it is open."""
        stream = Stream()
        with self._guard:
            stream.put(None if self._closed else self._state)
            self._streams.add(stream)
        try:
            yield stream
        finally:
            with self._guard:
                self._streams.discard(stream)

    def rebuilt(self, changed: Iterable[str]) -> None:
        """Tell that the site has been built, and which of its files changed or went."""
        self._send(reload(changed), reload(()))

    def failed(self, text: str) -> None:
        """Tell why the site could not be built."""
        self._send(problem(text), problem(text))

    def close(self) -> None:
        """End every stream, and those that would still begin."""
        with self._guard:
            self._closed = True
            for stream in self._streams:
                stream.put(None)

    def _send(self, event: Event, state: Event) -> None:
        with self._guard:
            self._state = state
            for stream in self._streams:
                stream.put(event)
