"""A project at one moment: as it is now, or as it was at a git revision or by an old ledger file.

An earlier state is laid out in a folder as a project is, so that it is read as one. git is asked by its own
command, without a shell, and only ever to read.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofdeck.errors import ContentError, UsageError, did_you_mean
from proofdeck.evidence.lock import Result, read_lock
from proofdeck.package.ledger import HEADER, Entry, Ledger, read_ledger
from proofdeck.project import Manifest, Project
from proofdeck.sources import Head, Source

Row = dict[str, Any]

HISTORY = "decks/history.lock"
EVIDENCE = "verifiers/evidence.lock"
FILE_INSTEAD = "compare with a ledger file instead: --since FILE"


@dataclass(frozen=True)
class State:
    """A project at one moment."""

    ledger: Ledger
    results: dict[str, Result]
    heads: dict[str, Head] = field(default_factory=dict)
    """Notes by id; none where only a ledger is known."""
    texts: dict[str, tuple[object, ...]] = field(default_factory=dict)
    """What the author wrote of each note."""
    under: dict[str, str] = field(default_factory=dict)
    """Parent deck by package."""

    def title(self, note: Entry) -> str:
        return self.heads[note.id].title if note.id in self.heads else ""

    def deck(self, note: Entry) -> str:
        """Return the deck in which Anki puts the note's new cards."""
        above = next((self.under[name] for name in note.packages if self.under.get(name)), "")
        mine = self.heads[note.id].deck if note.id in self.heads else ""
        return "::".join(name for name in (above, mine) if name) if mine else ""

    def row(self, note: Entry, **more: Any) -> Row:
        return {"note": note.id, "title": self.title(note), "deck": self.deck(note), **more}


def read_locks(project: Project, told: Mapping[str, str]) -> tuple[Ledger, dict[str, Result]]:
    """Read both locks; raise UsageError where one is broken. `told` names them where they are not ours."""
    ledger: Ledger = _whole(project.history_lock, project.root, told, _ledger)
    results: dict[str, Result] = _whole(project.evidence_lock, project.root, told, _evidence)
    return ledger, results


def _whole(path: Path, root: Path, told: Mapping[str, str], read: Callable[[Path, Path], Any]) -> Any:
    file = path.relative_to(root).as_posix()
    place = told.get(file, file)
    try:
        return read(path, root)
    except ContentError as error:
        one = error.problems[0]
        raise UsageError(
            f"{place}{f', line {one.line}' if one.line else ''}: {one.message}; {one.hint}"
        ) from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        noun = "a ledger" if read is _ledger else "an evidence lock"
        raise UsageError(f"{place}: not {noun}; restore the file from version control") from None


def _ledger(path: Path, root: Path) -> Ledger:
    """Read a ledger; raise ValueError or TypeError where a line of it holds what no build writes."""
    ledger = read_ledger(path, root)
    first = path.read_text(encoding="utf-8", errors="replace").partition("\n")[0]
    if json.loads(first).get("format") != HEADER["format"]:
        raise ValueError
    texts = [text for key, (digest, _) in ledger.types.items() for text in (key, digest)]
    for note in ledger.notes.values():
        texts += [note.id, note.guid, note.type, note.hash, *note.packages, *note.parts]
        if not all(isinstance(number, int) for number in (*note.clozes, *note.retired_clozes)):
            raise TypeError
    "".join(texts).encode()
    return ledger


def _evidence(path: Path, root: Path) -> dict[str, Result]:
    """Read an evidence lock; raise as `_ledger` does."""
    results = read_lock(path, root)
    "".join(text for one in results.values() for text in (one.call, one.unit, one.code)).encode()
    json.dumps([one.value for one in results.values()], ensure_ascii=False).encode()
    return results


def state_of(
    ledger: Ledger,
    results: dict[str, Result],
    root: Path,
    sources: Iterable[Source],
    manifests: Iterable[Manifest],
) -> State:
    state = State(ledger, results, under={manifest.name: manifest.under for manifest in manifests})
    for source in sources:
        lines = (root / source.file).read_text(encoding="utf-8-sig", errors="replace").split("\n")
        ends = [head.line - 1 for head in source.heads[1:]] + [len(lines)]
        for head, end in zip(source.heads, ends, strict=False):
            state.heads[head.id] = head
            body = "\n".join(lines[head.line : end]).strip()
            state.texts[head.id] = (head.title, head.tags, body)
    return state


def lay_out(root: Path, since: str | None, folder: Path) -> tuple[str, dict[str, str]]:
    """Write an earlier state of the project at `root` into `folder`.

    `since` is a ledger file, a revision, or None for the last release. Returns what to call the state, and how
    to name its locks where one of them is broken.
    """
    if since and "\0" not in since and Path(since).is_file():
        return since, _from_file(Path(since), folder)
    where = git(root, "rev-parse", "--git-dir")
    if where.returncode:
        why = where.stderr.decode(errors="replace").strip().partition("\n")[0].removeprefix("fatal: ")
        missing = f"`{since}` is no file, and " if since else ""
        raise UsageError(f"{missing}git knows no history of {root} ({why}); {FILE_INSTEAD}")
    name = _last_release(root) if since is None else since
    commit = _commit(root, name)
    if not _holds(root, commit):
        first = _first(root)
        hint = f"the first commit with one is `{first[:12]}`" if first else FILE_INSTEAD
        raise UsageError(f"`{name}` has no {HISTORY}; {hint}")
    _from_git(root, commit, folder)
    return name, {file: f"{file} of `{name}`" for file in (HISTORY, EVIDENCE)}


def _from_file(path: Path, folder: Path) -> dict[str, str]:
    """Copy a ledger, and the evidence lock that lies beside it or where it does in a project."""
    told = {HISTORY: str(path)}
    beside = (path.with_name("evidence.lock"), path.parent.parent / EVIDENCE)
    evidence = next((file for file in beside if file.is_file()), None)
    for source, name in ((path, HISTORY), (evidence, EVIDENCE)):
        (folder / name).parent.mkdir()
        if source is not None:
            shutil.copyfile(source, folder / name)
            told[name] = str(source)
    return told


def git(root: Path, *arguments: str, feed: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run git in a project, feeding it `feed`; raise UsageError where it is not installed."""
    env = os.environ | {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    try:
        return subprocess.run(
            ["git", *arguments], cwd=root, env=env, input=feed, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise UsageError(f"git is not installed; {FILE_INSTEAD}") from None


def _words(root: Path, *arguments: str) -> list[str]:
    """Return what git lists, nothing where it refuses."""
    return git(root, *arguments).stdout.decode(errors="replace").split()


def _commit(root: Path, name: str) -> str:
    if not name.startswith("-") and "\0" not in name:
        asked = git(root, "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}")
        if asked.returncode == 0 and len(found := asked.stdout.decode().split()) == 1:
            return found[0]
    tags = _words(root, "tag", "--sort=-creatordate")
    known = [*tags, *_words(root, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes")]
    hint = did_you_mean(name, known) or (f"tags are: {', '.join(tags[:6])}" if tags else "there are no tags")
    if _words(root, "rev-parse", "--is-shallow-repository") == ["true"]:
        hint += "; this clone is cut short: `git fetch --tags --unshallow`"
    raise UsageError(f"`{name}` is neither a file nor a revision in git; {hint}")


def _holds(root: Path, commit: str) -> bool:
    return git(root, "cat-file", "-e", f"{commit}:./{HISTORY}").returncode == 0


def _first(root: Path) -> str:
    commits = _words(root, "log", "--reverse", "--format=%H", "--", HISTORY)
    return next((commit for commit in commits if _holds(root, commit)), "")


def _last_release(root: Path) -> str:
    """Return the latest tag with a ledger, else the first commit with one.

    Where HEAD itself is tagged and nothing has been built since, the tag before, if there is one: what the
    release brought.
    """
    built = _words(root, "status", "--porcelain", "--", HISTORY, EVIDENCE)
    tags = _words(root, "tag", "--sort=-version:refname", "--sort=-creatordate", "--merged", "HEAD")
    here = set() if built else set(_words(root, "tag", "--points-at", "HEAD"))
    before = [tag for tag in tags if tag not in here]
    name = (
        next((tag for tag in [*before, *tags] if _holds(root, f"refs/tags/{tag}")), "") or _first(root)[:12]
    )
    if not name:
        raise UsageError(f"no commit holds {HISTORY} yet: commit it, or {FILE_INSTEAD}")
    return name


def _from_git(root: Path, commit: str, folder: Path) -> None:
    """Write both locks, the manifests and the card files of a commit."""
    listed = git(root, "ls-tree", "-r", "-z", commit, "--", "cards", "decks", EVIDENCE).stdout
    blobs: dict[str, bytes] = {}
    for row in listed.split(b"\0")[:-1]:
        kind, _, name = row.partition(b"\t")
        path = os.fsdecode(name)
        ours = path.endswith((".md", ".yaml", ".lock")) and ".." not in path.split("/")
        if ours and kind.startswith(b"100"):  # a file, no link
            blobs[path] = kind.split()[2]
    out = io.BytesIO(git(root, "cat-file", "--batch", feed=b"\n".join(blobs.values()) + b"\n").stdout)
    (folder / "cards").mkdir()
    for path in blobs:
        head = out.readline().split()
        if head[-1:] == [b"missing"]:
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(out.read(int(head[2])))
        out.read(1)  # git ends each file with a line break of its own
