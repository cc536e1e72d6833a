"""Values that changed over time, read from small git repositories with an evidence lock."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from proofdeck.cache import Cache
from proofdeck.evidence.lock import Result, write_lock
from proofdeck.report.history import History, read_history
from proofdeck.report.values import from_to, told


class Repository:
    """A git repository with a lock; `commit` writes it."""

    def __init__(self, root: Path, inside: str = "") -> None:
        self.top = root
        self.root = root / inside
        (self.root / "verifiers").mkdir(parents=True)
        self.days = 0
        self.git("init", "-q")

    def git(self, *arguments: str) -> None:
        date = f"2026-03-{self.days or 1:02}T12:00:00+00:00"
        names = {
            f"GIT_{who}_{what}": "t@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        plain = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        subprocess.run(["git", *arguments], cwd=self.top, env=os.environ | names | dates | plain, check=True)

    def write(self, *results: Result) -> dict[str, Result]:
        found = {result.key: result for result in results}
        write_lock(self.root / "verifiers/evidence.lock", found)
        return found

    def commit(self, subject: str, *results: Result) -> dict[str, Result]:
        self.days += 1
        found = self.write(*results)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return found

    def history(self) -> History:
        with Cache(self.root / "state").closing() as cache:
            return read_history(self.root, cache)


def r(
    call: str, value: Any, unit: str = "1", code: str = "c1", record: tuple[tuple[str, Any], ...] = ()
) -> Result:
    return Result(call, value, unit, code, (), record)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "repo")


def test_changes_of_value_and_unit_are_listed_the_newest_first(repository: Repository) -> None:
    repository.commit("first", r("a.f()", 1), r("a.g()", 5, "B"))
    repository.commit("a value", r("a.f()", 2), r("a.g()", 5, "B"))
    repository.commit("a unit", r("a.f()", 2), r("a.g()", 5, "bit"))
    history = repository.history()
    assert [(m.date, m.subject, m.call, m.before, m.unit_before, m.after, m.unit) for m in history.moved] == [
        ("2026-03-03", "a unit", "a.g()", 5, "B", 5, "bit"),
        ("2026-03-02", "a value", "a.f()", 1, "1", 2, "1"),
    ]
    assert (history.commits, history.since, history.missing, history.cut) == (3, "2026-03-01", "", False)


@pytest.mark.parametrize(
    "after",
    [
        r("a.f()", 1.5, code="c2"),
        r("a.f()", 1.5 * (1 + 1e-12)),
        r("a.renamed()", 7.0),
    ],
    ids=["other code", "last bits", "another name"],
)
def test_other_code_last_bits_and_other_names_are_no_change(repository: Repository, after: Result) -> None:
    repository.commit("first", r("a.f()", 1.5))
    repository.commit("second", after)
    assert repository.history().moved == ()


def test_what_a_property_check_tried_is_no_value(repository: Repository) -> None:
    repository.commit("first", r("a.holds()", {"tried": 3}, "check"))
    repository.commit("second", r("a.holds()", {"tried": 4}, "check"))
    assert repository.history().moved == ()


def test_a_call_that_was_away_is_compared_with_what_it_was(repository: Repository) -> None:
    repository.commit("first", r("a.f()", 1), r("a.g()", 1))
    repository.commit("gone", r("a.g()", 1))
    repository.commit("back", r("a.f()", 3), r("a.g()", 1))
    assert [(m.before, m.after) for m in repository.history().moved] == [(1, 3)]


def test_measurements_are_told_apart_by_machine(repository: Repository) -> None:
    one, other = (("machine", "gpu-one"),), (("machine", "gpu-two"),)
    repository.commit("first", r("a.t()", 1.0, "s", record=one))
    repository.commit("second", r("a.t()", 1.0, "s", record=one), r("a.t()", 2.0, "s", record=other))
    assert repository.history().moved == ()
    repository.commit("third", r("a.t()", 4.0, "s", record=one), r("a.t()", 2.0, "s", record=other))
    assert [(m.key, m.before, m.after) for m in repository.history().moved] == [("a.t() @ gpu-one", 1.0, 4.0)]


def test_the_date_of_a_line_is_that_of_the_commit_that_brought_it(repository: Repository) -> None:
    repository.commit("first", r("a.f()", 1), r("a.g()", 1))
    repository.commit("other code", r("a.f()", 1, code="c2"), r("a.g()", 1))
    results = repository.write(r("a.f()", 1, code="c2"), r("a.g()", 9), r("a.h()", 1))
    assert repository.history().dates(results) == {"a.f()": "2026-03-02"}  # a.g() and a.h() are not committed


def test_a_new_commit_is_seen_and_a_project_may_lie_inside_a_repository(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "repo", "deep/project")
    repository.commit("first", r("a.f()", 1))
    assert repository.history().moved == ()
    repository.commit("second", r("a.f()", 2))
    assert len(repository.history().moved) == 1


def test_lines_that_are_none_of_a_lock_are_passed_over(repository: Repository) -> None:
    repository.commit("first", r("a.f()", 1))
    lock = repository.root / "verifiers/evidence.lock"
    for number, text in enumerate(
        ('{"call": "a.f()", "value"', "[1]", '{"call": "a.f()", "value": 2, "unit": "1", "code": "x"}')
    ):
        lock.write_text(f"{text}\n")
        repository.git("commit", "-q", "-a", "-m", f"hand {number}")
    assert [(m.before, m.after) for m in repository.history().moved] == [(1, 2)]


def test_no_repository_no_commit_and_no_git_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with Cache(tmp_path / "state").closing() as cache:
        assert "no git repository" in read_history(tmp_path, cache).missing
        repository = Repository(tmp_path / "repo")
        assert "no git repository with a commit" in read_history(repository.root, cache).missing
        repository.git("commit", "-q", "--allow-empty", "-m", "empty")
        assert "no commit holds" in read_history(repository.root, cache).missing
        monkeypatch.setenv("PATH", str(tmp_path))
        assert "git is not installed" in read_history(repository.root, cache).missing


def test_a_shallow_clone_is_said_to_be_cut(repository: Repository, tmp_path: Path) -> None:
    repository.commit("first", r("a.f()", 1))
    repository.commit("second", r("a.f()", 2))
    repository.git("clone", "-q", "--depth=1", f"file://{repository.top}", str(tmp_path / "clone"))
    with Cache(tmp_path / "state").closing() as cache:
        history = read_history(tmp_path / "clone", cache)
    assert history.cut and history.moved == ()


@pytest.mark.parametrize(
    ("before", "unit_before", "after", "unit", "shown"),
    [
        (1e9, "B", 2_500_000_000, "B", ("1 GB", "2.5 GB")),
        (5, "B", 5, "bit", ("5 B", "5 bit")),
        (0.12345, "1", 0.12346, "1", ("0.12345", "0.12346")),
        ({"a": 1, "b": 2}, "1", {"a": 1, "b": 3, "c": 4}, "1", ("b: 2, c: —", "b: 3, c: 4")),
        ({"a": 1}, "a=B", {"a": 1}, "a=s", ("a: 1 B", "a: 1 s")),
        ([1, 2, 3], "1", [1, 5, 3], "1", ("3 entries", "1 of 3 changed")),
        ("x", "text", "y", "text", ("x", "y")),
        (1, "1", {"a": 1}, "1", ("1", '{"a": 1}')),
    ],
)
def test_a_change_is_told_so_that_it_shows(
    before: Any, unit_before: str, after: Any, unit: str, shown: tuple[str, str]
) -> None:
    found = from_to(before, unit_before, after, unit)
    assert tuple(text.replace("\N{NO-BREAK SPACE}", " ") for text in found) == shown


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "check", "passed"),
        ({}, "check", "passed"),
        ({"width": 2_000_000_000, "share": 0.25}, "width=B, share=1", "width: 2 GB, share: 0.25"),
        ([{"name": "a", "area": 1}], "area=B", "1 row: name, area"),
        ([1, 2], "1", "[1, 2]"),
        (True, "1", "true"),
        ("x" * 300, "text", "x" * 159 + "…"),
    ],
)
def test_results_are_told_in_a_line(value: Any, unit: str, text: str) -> None:
    assert told(value, unit).replace("\N{NO-BREAK SPACE}", " ") == text
