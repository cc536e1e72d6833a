"""`preview --serve`: the site on this machine's own address, built again at every save, shown at once.

    watch    a source was saved
    host     the folder over HTTP, and the events for open pages
    serve    builds when something was saved, and tells the pages and the terminal what came of it

A build that fails leaves the former site as it is: open pages show the reason above it.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from proofdeck.errors import Problem, ProofdeckError, UsageError
from proofdeck.preview.events import Events
from proofdeck.preview.host import Host
from proofdeck.preview.watch import Watcher

TURN = 0.5
"""Seconds after which a waiting server looks whether it was interrupted, where the system does not wake it."""


class Report(Protocol):
    """What the server needs to know of a build."""

    @property
    def written(self) -> Sequence[str]:
        """Files of the site, by paths from its root, whose bytes changed."""

    @property
    def removed(self) -> Sequence[str]: ...

    @property
    def problems(self) -> Sequence[Problem]: ...

    @property
    def seconds(self) -> float: ...


class Preview:
    """A site that follows its sources."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        build: Callable[[], Report],
        port: int,
        tell: Callable[[str], None],
    ) -> None:
        """`build` writes the site of the project at `root` into `folder`; `tell` shows a line to the author.

        Raises UsageError where nothing can be served on the port.
        """
        self._build = build
        self._tell = tell
        self._changed = threading.Event()
        self._stopped = threading.Event()
        self._events = Events()
        self._watcher = Watcher(root, self._changed, folder)
        self._host = Host(folder, port, self._events)
        self.address = self._host.address

    def run(self) -> None:
        """Build, serve, and build again at every save, until `stop` or an interruption."""
        try:
            with self._watcher:
                # a project or a folder that cannot be used at all ends the command; later it may be a slip
                self._rebuild(first=True)
                self._serve()
        finally:
            self._host.server_close()

    def stop(self) -> None:
        """End `run` from another thread."""
        self._stopped.set()
        self._changed.set()

    def _serve(self) -> None:
        answering = threading.Thread(
            target=self._host.serve_forever, kwargs={"poll_interval": 0.05}, name="proofdeck-serve"
        )
        answering.start()
        try:
            self._tell(f"serving {self.address}, Ctrl-C ends it")
            while not self._stopped.is_set():
                if self._changed.wait(TURN) and not self._stopped.is_set():
                    if self._watcher.failed:
                        raise UsageError(f"cannot watch the sources any more: {self._watcher.failed}")
                    # what is saved from here on, while the build runs, leads to one more
                    self._changed.clear()
                    self._rebuild()
        finally:
            self._host.shutdown()
            answering.join()

    def _rebuild(self, first: bool = False) -> None:
        try:
            report = self._build()
        except UsageError as error:
            if first:
                raise
            self._failed(str(error))
        except ProofdeckError as error:
            self._failed(str(error))
        except Exception as error:
            # an error of ours: the terminal gets what a report needs
            self._failed(f"{type(error).__name__}: {error}", traceback.format_exc().rstrip())
        else:
            self._events.rebuilt([*report.written, *report.removed])
            for problem in report.problems:
                self._tell(str(problem))
            pages = sum(name.endswith(".html") for name in report.written)
            verb = "built" if first else "rebuilt"
            self._tell(f"{verb} {pages:,} page{'' if pages == 1 else 's'} in {report.seconds:.1f} s")

    def _failed(self, text: str, details: str = "") -> None:
        self._events.failed(text)
        self._tell(f"{details or text}\nthe site stays as it was")
