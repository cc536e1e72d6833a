"""What the tests of the preview's server share: a site that a fake build writes, and clients of it."""

from __future__ import annotations

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from proofdeck.errors import ContentError, Problem, UsageError
from proofdeck.preview import events
from proofdeck.preview.serve import Preview

PATIENCE = 60
"""Seconds that a loaded machine is given."""


def until(done: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE
    while not (result := done()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
    return result


@dataclass
class Report:
    """What a build returns."""

    pages: int = 0
    notes: int = 0
    cards: int = 0
    media: int = 0
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


FAILURES = {
    "LOCK": ContentError([Problem("verifiers/evidence.lock", 3, 0, "not a line of a <lock>", "restore it")]),
    "USAGE": UsageError("pyproject.toml: unknown setting"),
    "CRASH": ZeroDivisionError("division by zero"),
}
PAGE = '<!doctype html><html lang="en"><meta charset="utf-8"><title>{0}</title><link rel="icon" href="data:,"><body>{1}<script src="{2}assets/reload.js"></script>'


class Site:
    """A preview of a small project whose pages hold their card files as they stand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / ".proofdeck" / "site"
        self.builds = 0
        self.told: list[str] = []
        self.may_build = threading.Event()
        self.may_build.set()
        self.building = threading.Event()
        for name in ("cards", "decks"):
            (root / name).mkdir(parents=True)
        self.save("a", "first")

    def save(self, name: str, text: str) -> None:
        path = self.root / "cards" / f"{name}.md"
        path.with_suffix(".tmp").write_text(text)
        path.with_suffix(".tmp").replace(path)

    def build(self) -> Report:
        texts = {path.stem: path.read_text() for path in sorted((self.root / "cards").glob("*.md"))}
        self.building.set()
        assert self.may_build.wait(PATIENCE)
        script = Path(events.__file__).parent / "assets" / "reload.js"
        wanted = {"index.html": PAGE.format("Index", "index", ""), "assets/reload.js": script.read_text()}
        report = Report(seconds=0.25)
        for name, text in texts.items():
            if text in FAILURES:
                raise FAILURES[text]
            if text.startswith("WRONG"):
                report.problems.append(Problem(f"cards/{name}.md", 1, 1, "wrong", "right"))
            wanted[f"cards/{name}.html"] = PAGE.format(name, text, "../")
        for name, text in wanted.items():
            path = self.folder / name
            if not path.exists() or path.read_text() != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
                report.written.append(name)
        for path in (self.folder / "cards").glob("*.html"):
            if f"cards/{path.name}" not in wanted:
                path.unlink()
                report.removed.append(f"cards/{path.name}")
        self.builds += 1
        return report

    def preview(self, port: int = 0) -> Preview:
        return Preview(self.root, self.folder, self.build, port, self.told.append)

    @contextmanager
    def running(self) -> Iterator[Client]:
        self.running_now = preview = self.preview()
        thread = threading.Thread(target=preview.run)
        thread.start()
        try:
            yield Client(int(re.search(r":(\d+)/", preview.address)[1]))
        finally:
            self.may_build.set()
            preview.stop()
            thread.join(PATIENCE)
            assert not thread.is_alive()


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Client:
    """A browser, by and large."""

    port: int

    def ask(self, target: str, method: str = "GET", host: str | None = "localhost") -> Answer:
        """Send one request; `host` lacks the port, None sends no host at all."""
        return self.ask_as(target, f"{host}:{self.port}" if host else None, method)

    def ask_as(self, target: str, host: str | None, method: str = "GET") -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)) as connection:
            connection.putrequest(method, target, skip_host=True)
            if host is not None:
                connection.putheader("Host", host)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, answer.headers, answer.read())

    def text(self, target: str) -> str:
        answer = self.ask(target)
        assert answer.status == 200, target
        return answer.body.decode()

    @contextmanager
    def listening(self, query: str = "") -> Iterator[Callable[[], tuple[str, Any]]]:
        """Open the stream of events; yields a function that waits for the next one."""
        with (
            socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection,
            connection.makefile("rb") as stream,
        ):
            connection.sendall(
                f"GET /__events{query} HTTP/1.1\r\nHost: localhost:{self.port}\r\n\r\n".encode()
            )
            assert b"200" in stream.readline()
            assert b"content-type: text/event-stream\r\n" in [
                line.lower() for line in iter(stream.readline, b"\r\n")
            ]
            yield lambda: read_event(stream)


def read_event(stream: Any) -> tuple[str, Any]:
    """Return name and data of the next event; ("end", None) where the stream is over."""
    name = ""
    for line in stream:
        key, _, value = line.decode().rstrip("\n").partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            return name, json.loads(value)
    return "end", None


def until_named(event: Callable[[], tuple[str, Any]], name: str) -> Any:
    return until(lambda: next((data for got, data in [event()] if got == name), None))
