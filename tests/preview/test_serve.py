"""The preview's server: how open pages follow the sources."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from proofdeck.errors import UsageError
from proofdeck.preview import events

from .serving import PATIENCE, Client, Report, Site, until, until_named


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "project")


@pytest.fixture
def client(site: Site) -> Iterator[Client]:
    with site.running() as client:
        yield client


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
