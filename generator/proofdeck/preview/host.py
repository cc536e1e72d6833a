"""The site on this machine's own address: the files of one folder, and the events for the pages that are open.

Only this machine can connect, and only by its own names: a foreign page that has its host name resolve to
127.0.0.1 reads nothing. Requests name files inside the folder; anything else does not exist.
"""

from __future__ import annotations

import hashlib
import os
import socket
import socketserver
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from proofdeck.errors import UsageError
from proofdeck.preview.events import Events, reload

ADDRESS = "127.0.0.1"
NAMES = ("localhost", ADDRESS, "[::1]")
EVENTS, SCRIPT = "/__events", "/__reload.js"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/xml",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
ABSENT = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Not in the preview</title>
<link rel="icon" href="data:,">
</head>
<body>
<main>
<h1>Not in the preview</h1>
<p>The site has no such page now. This one reloads as soon as it has. <a href="/">To the first page</a></p>
</main>
<script src="{SCRIPT}"></script>
</body>
</html>
""".encode()


def find(folder: Path, path: str) -> tuple[str, bytes] | None:
    """Return the content type and the bytes of a file, or None where there is no such file in the folder."""
    if path.endswith("/"):
        path += "index.html"
    first, *parts = path.split("/")
    if first or "\\" in path or any(ord(letter) < 32 for letter in path):
        return None
    if not parts or any(not part or part.startswith(".") for part in parts):
        return None
    real = Path(os.path.realpath(folder.joinpath(*parts)))
    try:
        if real.is_relative_to(os.path.realpath(folder)) and real.is_file():
            return TYPES.get(real.suffix.lower(), "application/octet-stream"), real.read_bytes()
    except OSError:  # gone since, or no name that a file can have
        pass
    return None


class Host(ThreadingHTTPServer):
    """Serves a folder on a port of this machine, a thread a connection."""

    daemon_threads = False  # closing waits for them

    def __init__(self, folder: Path, port: int, events: Events) -> None:
        self.folder = folder
        self.events = events
        self._guard = threading.Lock()
        self._open: set[socket.socket] = set()
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise UsageError(
                f"cannot serve on port {port} of {ADDRESS}: {error.strerror or error}; "
                f"name another port with --port, or take any free one with --port 0"
            ) from None
        self.hosts = {f"{name}:{self.server_port}" for name in NAMES}
        if self.server_port == 80:
            self.hosts.update(NAMES)

    def server_bind(self) -> None:
        # the base class would ask the resolver for this machine's name
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = ADDRESS, self.server_address[1]

    @property
    def address(self) -> str:
        return f"http://{ADDRESS}:{self.server_port}/"

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._guard:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):  # a page may go at any time
            super().handle_error(request, client_address)

    def server_close(self) -> None:
        """End every connection and the thread that serves it."""
        self.events.close()
        with self._guard:
            for connection in self._open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:  # gone already
                    continue
        super().server_close()


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: Host
    server_version, sys_version = "proofdeck", ""
    timeout = 60.0  # for a browser that connects and says nothing, or stops reading

    def do_GET(self) -> None:
        path = self.path.partition("?")[0].partition("#")[0]
        if self.headers.get("Host", "").lower() not in self.server.hosts:
            self.send_error(HTTPStatus.FORBIDDEN, explain="The preview answers to this machine's names only.")
        elif path == EVENTS:
            self._events()
        elif path == SCRIPT:
            self._send(HTTPStatus.OK, TYPES[".js"], (Path(__file__).parent / "assets/reload.js").read_bytes())
        elif found := find(self.server.folder, unquote(path, errors="replace")):
            self._send(HTTPStatus.OK, *found)
        else:
            self._send(HTTPStatus.NOT_FOUND, TYPES[".html"], ABSENT)

    def do_HEAD(self) -> None:
        self.do_GET()

    def _send(self, status: HTTPStatus, kind: str, data: bytes) -> None:
        self._head(status, kind)
        self.send_header("Content-Length", str(len(data)))
        # by this a page can tell later whether it is still what the folder holds
        self.send_header("Server-Timing", f'page;desc="{fingerprint(data)}"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _head(self, status: HTTPStatus, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")

    def _events(self) -> None:
        self._head(HTTPStatus.OK, "text/event-stream")
        self.end_headers()
        if self.command == "HEAD":
            return
        with self.server.events.listening() as stream:
            if missed := self._missed():
                stream.put(reload([missed]))
            self.wfile.write(b"retry: 1000\n\n")
            for event in stream:
                self.wfile.write(event)

    def _missed(self) -> str:
        """Return the page that listens, if what it shows is not what the folder holds now."""
        query = parse_qs(urlsplit(self.path).query)
        page, shows = query.get("page", [""])[0], query.get("shows", [""])[0]
        _, data = find(self.server.folder, f"/{page}") or ("", ABSENT)
        return page if shows and shows != fingerprint(data) else ""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing of requests: the terminal tells of builds."""


def fingerprint(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
