"""The preview's server: what it answers, what it refuses, and how open pages follow the sources."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from proofdeck.errors import ContentError, Problem, UsageError
from proofdeck.preview import events
from proofdeck.preview.serve import Preview
from tests.engine.helpers import Deck, make_deck

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


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "project")


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with site.running() as client:
        yield client


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Client]]:
    """The folder and the address of a site whose sources nobody edits."""
    site = Site(tmp_path_factory.mktemp("still") / "project")
    with site.running() as client:
        assert client.ask("/").status == 200
        lay_traps(site.folder)
        yield site.folder, client


def lay_traps(folder: Path) -> None:
    """Put files beside the site, and into it what must not be served."""
    beside = folder.parent
    for path in (
        beside / "secret.html",
        beside / "site-secret/secret.html",
        folder / ".hidden.html",
        folder / "cards/.hidden/secret.html",
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_text("SECRET")
    (folder / "link.html").symlink_to(beside / "secret.html")
    (folder / "linked").symlink_to(beside)
    (folder / "inner.html").symlink_to("cards/a.html")
    os.mkfifo(folder / "pipe.html")


# What it serves.


@pytest.mark.parametrize(
    "name, kind",
    [
        ("page.html", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("code.js", "text/javascript; charset=utf-8"),
        ("index.json", "application/json"),
        ("PICTURE.SVG", "image/svg+xml"),
        ("picture.webp", "image/webp"),
        ("unknown.bin", "application/octet-stream"),
        ("with space & ü?.html", "text/html; charset=utf-8"),
    ],
)
def test_files_come_whole_with_their_type_and_are_not_kept(
    still: tuple[Path, Client], name: str, kind: str
) -> None:
    folder, client = still
    (folder / name).write_bytes(b"\x00content\xff")
    answer = client.ask(f"/{quote(name)}?query#part")
    assert (answer.status, answer.body) == (200, b"\x00content\xff")
    assert answer.headers["Content-Type"] == kind
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_folder_is_its_index_and_is_never_listed(still: tuple[Path, Client]) -> None:
    _, client = still
    assert client.text("/") == client.text("/index.html")
    for target in ("/cards/", "/cards", "/assets/"):
        answer = client.ask(target)
        assert answer.status == 404
        assert b"a.html" not in answer.body


def test_head_tells_what_get_would_send(still: tuple[Path, Client]) -> None:
    _, client = still
    get, head = client.ask("/cards/a.html"), client.ask("/cards/a.html", "HEAD")
    assert head.status == 200
    assert head.body == b""
    for name in ("Content-Type", "Content-Length", "Cache-Control", "Server-Timing"):
        assert head.headers[name] == get.headers[name]
    assert int(head.headers["Content-Length"]) == len(get.body)
    for target in ("/cards/a.html", "/__events", "/absent"):
        with socket.create_connection(("127.0.0.1", client.port), PATIENCE) as connection:
            connection.sendall(f"HEAD {target} HTTP/1.1\r\nHost: localhost:{client.port}\r\n\r\n".encode())
            with connection.makefile("rb") as answer:
                assert answer.read().endswith(b"\r\n\r\n"), "a body follows"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_it_can_only_be_read(still: tuple[Path, Client], method: str) -> None:
    _, client = still
    before = client.text("/cards/a.html")
    assert client.ask("/cards/a.html", method).status == 501
    assert client.text("/cards/a.html") == before


def test_a_page_that_is_not_there_waits_for_it(still: tuple[Path, Client]) -> None:
    _, client = still
    answer = client.ask("/cards/later.html")
    assert answer.status == 404
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert b'<script src="/__reload.js">' in answer.body
    assert "EventSource" in client.text("/__reload.js")


# What it refuses.

ESCAPES = [
    "/../secret.html",
    "/cards/../../secret.html",
    "/%2e%2e/secret.html",
    "/%2E%2E%2Fsecret.html",
    "/cards/..%2f..%2fsecret.html",
    "/..%5csecret.html",
    "/cards%5c..%5c..%5csecret.html",
    "/./index.html",
    "/%252e%252e/secret.html",
    "//secret.html",
    "/cards//a.html",
    "{parent}/secret.html",
    "/{parent}/secret.html",
    "//{parent}/secret.html",
    "file://{parent}/secret.html",
    "http://localhost/../secret.html",
    "secret.html",
    "*",
    "/../site-secret/secret.html",
    "/link.html",
    "/linked/secret.html",
    "/.hidden.html",
    "/cards/.hidden/secret.html",
    "/secret.html%00.html",
    "/index.html%00",
    "/%00",
    "/index.html%0a",
    "/%ff%fe",
    "/[",
    "/" + "a" * 5000,
    "/" + "a/" * 2000,
    "/index.html/",
    "/index.html/secret.html",
    "/pipe.html",
    "/__events/..%2f..%2fsecret.html",
]


@pytest.mark.parametrize("target", ESCAPES, ids=lambda target: target[:40])
def test_nothing_but_the_files_of_the_folder_is_served(still: tuple[Path, Client], target: str) -> None:
    folder, client = still
    answer = client.ask(target.format(parent=folder.parent))
    assert answer.status == 404
    assert b"SECRET" not in answer.body


def test_a_link_inside_the_folder_is_followed(still: tuple[Path, Client]) -> None:
    _, client = still
    assert client.text("/inner.html") == client.text("/cards/a.html")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST"])
def test_it_answers_to_this_machines_names(still: tuple[Path, Client], host: str) -> None:
    _, client = still
    assert client.ask("/", host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:{port}",
        "localhost",
        "127.0.0.1",
        "localhost:1",
        "127.0.0.1:{port}.evil.example",
        "localhost.evil.example:{port}",
        "0.0.0.0:{port}",
        "[::]:{port}",
    ],
)
@pytest.mark.parametrize("target", ["/", "/__events", "/__reload.js", "/absent"])
def test_it_answers_to_no_other_name(still: tuple[Path, Client], host: str | None, target: str) -> None:
    _, client = still
    answer = client.ask_as(target, host and host.format(port=client.port))
    assert answer.status == 403
    assert b"first" not in answer.body


def test_only_this_machine_can_connect(site: Site) -> None:
    preview = site.preview()
    with closing(preview._host.socket):
        assert preview._host.socket.getsockname()[0] == "127.0.0.1"
        assert preview.address == f"http://127.0.0.1:{preview._host.socket.getsockname()[1]}/"


def test_a_port_in_use_is_an_error_that_says_what_to_do(site: Site) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"port {port} .*in use.*--port"):
            site.preview(port)


# How open pages follow the sources.


def test_a_save_rebuilds_and_reloads_the_pages_that_changed(site: Site, client: Client) -> None:
    site.save("b", "other")
    until(lambda: client.ask("/cards/b.html").status == 200)
    with client.listening() as one, client.listening() as two:
        assert one() == two() == ("reload", {"changed": []})
        site.save("a", "second")
        # the save of before may yet have led to an idle build
        for event in (one, two):
            until(lambda: event() == ("reload", {"changed": ["cards/a.html"]}))  # noqa: B023
    assert "second" in client.text("/cards/a.html")
    assert any(re.fullmatch(r"rebuilt 1 page in 0\.\d s", line) for line in site.told)


def test_a_page_that_goes_is_named_too(site: Site, client: Client) -> None:
    until(lambda: site.builds)
    with client.listening() as event:
        (site.root / "cards/a.md").unlink()
        until(lambda: event() == ("reload", {"changed": ["cards/a.html"]}))
    assert client.ask("/cards/a.html").status == 404


@pytest.mark.parametrize(
    "text, shown, line",
    [
        (
            "LOCK",
            "verifiers/evidence.lock:3: not a line of a <lock>\n    restore it",
            "verifiers/evidence.lock:3: not a line",
        ),
        ("USAGE", "pyproject.toml: unknown setting", "pyproject.toml: unknown setting"),
        ("CRASH", "ZeroDivisionError: division by zero", "Traceback"),
    ],
)
def test_a_build_that_fails_is_told_and_the_next_good_one_reloads(
    site: Site, client: Client, text: str, shown: str, line: str
) -> None:
    with client.listening() as event:
        assert event()[0] == "reload"
        site.save("a", text)
        assert until_named(event, "problem") == {"text": shown}
        assert "first" in client.text("/cards/a.html"), "the former site is gone"
        assert any(line in told and "the site stays as it was" in told for told in site.told)
        with client.listening() as later:
            assert later() == ("problem", {"text": shown}), "a page opened now must be told too"
        site.save("a", "mended")
        assert until_named(event, "reload") == {"changed": ["cards/a.html"]}
        with client.listening() as later:
            assert later() == ("reload", {"changed": []})
    assert "mended" in client.text("/cards/a.html")


def until_named(event: Callable[[], tuple[str, Any]], name: str) -> Any:
    return until(lambda: next((data for got, data in [event()] if got == name), None))


def test_problems_of_cards_are_told_with_each_build(site: Site, client: Client) -> None:
    until(lambda: site.builds)
    site.save("a", "WRONG")
    until(lambda: "cards/a.md:1:1: wrong\n    right" in site.told)
    assert "WRONG" in until(lambda: client.text("/cards/a.html"))


def test_a_save_while_a_build_runs_leads_to_one_more(site: Site, client: Client) -> None:
    until(lambda: site.builds)
    site.may_build.clear()
    site.building.clear()
    site.save("a", "second")
    assert site.building.wait(PATIENCE)
    with client.listening() as event:
        for text in ("third", "fourth", "fifth"):
            site.save("a", text)
        assert client.ask("/cards/a.html").status == 200, "it must answer while it builds"
        time.sleep(0.5)  # by now the watch has told, so a server that forgets it shows
        site.may_build.set()
        until_named(event, "reload")
        until(lambda: "fifth" in client.text("/cards/a.html"))


def test_builds_do_not_wake_themselves(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    build, again = site.build, threading.Event()
    site.folder = site.root / "cards" / "site"

    def busy() -> Report:
        for name in (
            "figures/drawn/line.svg",
            "figures/drawn.lock",
            "decks/build/a.apkg",
            "cards/site/b.html",
        ):
            (site.root / name).write_text(f"{site.builds}")
        if site.builds:
            again.set()
        return build()

    for folder in ("figures/drawn", "decks/build", "cards/site"):
        (site.root / folder).mkdir(parents=True)
    monkeypatch.setattr(site, "build", busy)
    with site.running() as client:
        assert "first" in client.text("/cards/a.html")
        assert not again.wait(1.5), "nobody saved anything"
        site.save("a", "second")
        assert again.wait(PATIENCE)


def test_a_page_that_missed_a_build_hears_of_it(site: Site, client: Client) -> None:
    shown = re.search(r'page;desc="(\w+)"', client.ask("/cards/a.html").headers["Server-Timing"])[1]
    absent = re.search(r'page;desc="(\w+)"', client.ask("/cards/b.html").headers["Server-Timing"])[1]
    with client.listening(f"?page=cards/a.html&shows={shown}") as event:
        assert event() == ("reload", {"changed": []})
        site.save("a", "second")
        site.save("b", "new")
        until(lambda: client.ask("/cards/b.html").status == 200 and "second" in client.text("/cards/a.html"))
        # the same page again, as a browser does whose connection broke
        for page, old in (("cards/a.html", shown), ("cards/b.html", absent)):
            with client.listening(f"?page={page}&shows={old}") as again:
                until(lambda: again() == ("reload", {"changed": [page]}))  # noqa: B023


def test_a_closed_page_is_forgotten(
    site: Site, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE", 0.05)
    with site.running() as client:
        open_pages = lambda: [t for t in threading.enumerate() if "process_request" in t.name]  # noqa: E731
        with client.listening() as event:
            assert event()[0] == "reload"
            assert open_pages()
        until(lambda: not open_pages())
        assert client.ask("/").status == 200
    assert capfd.readouterr() == ("", "")


def test_stopping_ends_every_thread_and_every_open_page(site: Site) -> None:
    before = set(threading.enumerate())
    with site.running() as client, client.listening() as event, client.listening() as other:
        assert event() == other() == ("reload", {"changed": []})
        silent = socket.create_connection(("127.0.0.1", client.port), PATIENCE)
        # answered, so the silent one, which came before, has been accepted
        assert client.ask("/").status == 200
        assert len(set(threading.enumerate()) - before) >= 5
        site.running_now.stop()
        assert event() == other() == ("end", None)
    with closing(silent):
        assert silent.recv(1) == b""
    assert set(threading.enumerate()) == before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", client.port))


def test_a_project_that_cannot_be_used_ends_the_command(site: Site) -> None:
    site.save("a", "USAGE")
    before = threading.active_count()
    with pytest.raises(UsageError, match="unknown setting"):
        site.preview().run()
    assert threading.active_count() == before


def test_a_broken_lock_at_the_start_is_shown_until_it_is_mended(site: Site) -> None:
    site.save("a", "LOCK")
    with site.running() as client:
        assert client.ask("/").status == 404
        with client.listening() as event:
            assert event()[0] == "problem"
            site.save("a", "mended")
            assert "index.html" in until_named(event, "reload")["changed"]
        assert client.ask("/").status == 200


def test_a_watch_that_fails_ends_the_command(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*paths: str, **options: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.watch", refuse)
    before = threading.active_count()
    with pytest.raises(UsageError, match=r"cannot watch .*: OS file watch limit reached"):
        site.preview().run()
    assert threading.active_count() == before


# The command.


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    return make_deck(tmp_path / "deck")


@pytest.fixture
def write_site(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stands for the writer of the site: remembers how it was called, and gives or raises what a test says."""
    stub = SimpleNamespace(calls=[], result=Report(12, 34, 56, 1, written=["index.html"], seconds=0.5))

    def write(project: Any, out: Path, **options: Any) -> Report:
        stub.calls.append((project.root, out, options))
        if isinstance(stub.result, Exception):
            raise stub.result
        return stub.result

    monkeypatch.setitem(sys.modules, "proofdeck.preview.site", SimpleNamespace(write_site=write))
    return stub


def test_the_command_writes_a_site_and_says_where(deck: Deck, write_site: SimpleNamespace) -> None:
    ran = deck.ok("preview", "-j", "2")
    out = deck.root / ".proofdeck" / "site"
    [(root, folder, options)] = write_site.calls
    assert (root, folder) == (deck.root, out)
    assert (options["jobs"], options["live"]) == (2, False)
    assert ran.out.splitlines() == [
        f"{out}/index.html  12 pages, 34 notes, 56 cards, 1 picture  (1 file changed)",
        "0.50 s",
    ]


def test_the_command_writes_where_it_is_told(deck: Deck, write_site: SimpleNamespace, tmp_path: Path) -> None:
    write_site.result = Report(held_back=["kernel"])
    ran = deck.ok("preview", "-o", str(tmp_path / "there"))
    [(_, folder, _)] = write_site.calls
    assert folder == tmp_path / "there"
    assert "nothing changed" in ran.out
    assert "1 note not measured yet: kernel" in ran.out


def test_problems_are_told_beside_the_site(deck: Deck, write_site: SimpleNamespace) -> None:
    write_site.result.problems = [Problem("cards/a.md", 7, 3, "the claim is false", "say 6 B")]
    ran = deck.run("preview")
    assert ran.status == 1
    assert ran.err == "cards/a.md:7:3: the claim is false\n    say 6 B\n1 problem\n"
    assert "index.html" in ran.out
    ran = deck.run("preview", "--json")
    assert ran.status == 1
    assert ran.json["problems"][0]["line"] == 7
    assert (ran.json["pages"], ran.err) == (12, "")


@pytest.mark.parametrize("options", [(), ("--json",), ("--serve", "--port", "0")])
def test_a_folder_that_is_no_site_of_ours_is_refused(
    deck: Deck, write_site: SimpleNamespace, options: tuple[str, ...]
) -> None:
    write_site.result = UsageError("/home is not empty, and no site of ours")
    ran = deck.run("preview", *options)
    assert (ran.status, ran.err) == (2, "error: /home is not empty, and no site of ours\n")
    assert ran.out == ""


def test_the_command_says_when_the_port_is_in_use(deck: Deck, write_site: SimpleNamespace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = deck.run("preview", "--serve", "--port", str(port))
    assert ran.status == 2
    assert f"port {port}" in ran.err
    assert "--port" in ran.err
    assert not write_site.calls, "it built for nobody"


@pytest.mark.parametrize("options", [("--serve", "--json"), ("--serve", "--port", "65536"), ("--port", "x")])
def test_what_makes_no_sense_is_refused(
    deck: Deck, write_site: SimpleNamespace, options: tuple[str, ...]
) -> None:
    ran = deck.run("preview", *options)
    assert ran.status == 2
    assert ran.out == ""
    assert not write_site.calls


SERVING = """
import os, sys, time, types
from dataclasses import dataclass, field

@dataclass
class Report:
    written: list = field(default_factory=list)
    removed: list = field(default_factory=list)
    problems: list = field(default_factory=list)
    seconds: float = 0.0

def write_site(project, out, **options):
    print("building", flush=True)
    if os.environ.get("HANG"):
        time.sleep(600)
    return Report(["index.html"])

sys.modules["proofdeck.preview.site"] = types.SimpleNamespace(write_site=write_site)
from proofdeck.cli import main
main(["preview", "--serve", "--port", "0", "--root", sys.argv[1]])
"""


@contextmanager
def command_running(root: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVING, str(root)], env={**os.environ, **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "building\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_it_with_pages_open(deck: Deck, number: int) -> None:
    with command_running(deck.root) as process:
        assert process.stdout.readline() == "built 1 page in 0.0 s\n"
        line = process.stdout.readline()
        port = int(re.fullmatch(r"serving http://127\.0\.0\.1:(\d+)/, Ctrl-C ends it\n", line)[1])
        with Client(port).listening() as event:
            assert event()[0] == "reload"
            process.send_signal(number)
            _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")


def test_an_interruption_ends_a_build(deck: Deck) -> None:
    with command_running(deck.root, HANG="1") as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")


# What a browser makes of it.


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium")
    if not program:
        pytest.skip("no chromium on this machine")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 400, "height": 600})
    page.set_default_timeout(PATIENCE * 1000)
    yield page
    page.close()


LONG = "<p style='height:3000px'>{}</p><details id=one><summary>1</summary>x</details>"
LONG += "<section id=s><details open><summary>2</summary>y</details><details><summary>3</summary>z</details></section>"


def test_a_page_reloads_where_the_reader_was(site: Site, page: Any) -> None:
    site.save("a", LONG.format("before"))
    with site.running() as client:
        page.goto(f"http://127.0.0.1:{client.port}/cards/a.html")
        page.evaluate("document.querySelectorAll('details').forEach(details => details.open = !details.open)")
        page.evaluate("scrollTo(0, 1234)")
        site.save("a", LONG.format("after"))
        page.wait_for_function("document.querySelector('p').textContent === 'after'")
        opened = page.evaluate("[...document.querySelectorAll('details')].map(details => details.open)")
        assert opened == [True, False, True]
        page.wait_for_function("scrollY === 1234")
        assert page.evaluate("sessionStorage.length") == 0


def test_only_a_page_that_changed_reloads(site: Site, page: Any) -> None:
    site.save("b", "other")
    with site.running() as client:
        page.goto(f"http://localhost:{client.port}/cards/b.html")
        page.evaluate("window.kept = true")
        with client.listening() as event:
            event()
            site.save("a", "second")
            until_named(event, "reload")
        # the page hears of this failure after it has heard of the build before
        site.save("a", "LOCK")
        page.wait_for_selector("[role=alert]")
        assert page.evaluate("window.kept")
        site.save("a", "third")
        page.wait_for_selector("[role=alert]", state="detached")
        assert page.evaluate("window.kept")
        # a build puts back what the pages run, and they take it at once
        (site.folder / "assets" / "reload.js").write_text("")
        site.save("a", "fourth")
        page.wait_for_function("window.kept === undefined")


def test_a_failure_is_shown_as_text_above_the_page(site: Site, page: Any) -> None:
    with site.running() as client:
        page.goto(f"http://127.0.0.1:{client.port}/cards/a.html")
        site.save("a", "LOCK")
        told = page.wait_for_selector("[role=alert]").text_content()
        assert "verifiers/evidence.lock:3: not a line of a <lock>\n    restore it" in told
        assert "first" in page.text_content("body")
        page.reload()
        page.wait_for_selector("[role=alert]")
        site.save("a", "mended")
        page.wait_for_function("document.body.textContent.includes('mended')")
        assert page.query_selector("[role=alert]") is None


def test_a_page_waits_for_its_card_file_and_for_the_server(site: Site, page: Any) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    with site.running() as client:
        page.goto(f"http://127.0.0.1:{client.port}/cards/later.html")
        assert page.title() == "Not in the preview"
        site.save("later", "here now")
        page.wait_for_function("document.title === 'later'")
    # the server ends, something is saved, and a server begins on the same port
    site.save("later", "saved meanwhile")
    preview = site.preview(client.port)
    thread = threading.Thread(target=preview.run)
    thread.start()
    try:
        page.wait_for_function("document.body.textContent.includes('saved meanwhile')")
    finally:
        preview.stop()
        thread.join(PATIENCE)
    assert not errors


def test_a_page_on_a_disk_listens_to_nobody(site: Site, page: Any) -> None:
    site.build()
    errors: list[str] = []
    page.on("console", lambda message: errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto((site.folder / "cards/a.html").as_uri())
    assert "first" in page.text_content("body")
    assert not errors
