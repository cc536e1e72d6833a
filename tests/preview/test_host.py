"""The preview's server: what it answers, and what it refuses."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from proofdeck.errors import UsageError

from .serving import PATIENCE, Client, Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "project")


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
