"""The site as files: pages, pictures and assets, written only where their bytes differ."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache as memoise
from importlib import resources
from pathlib import Path
from typing import Any

from proofdeck.cache import Cache, digest_of, engine_fingerprint
from proofdeck.errors import Problem
from proofdeck.evidence.gather import Progress
from proofdeck.guard import exclusive
from proofdeck.package.notetypes import css
from proofdeck.parallel import no_collector
from proofdeck.preview.folder import Folder
from proofdeck.preview.home import shelves, summary
from proofdeck.preview.links import to_root
from proofdeck.preview.reading import STATES, Reading, read
from proofdeck.preview.search import index_of
from proofdeck.preview.topics import NoteView, Topic, cards_of, functions_of, topics_of
from proofdeck.project import Project
from proofdeck.report.pages import pages as evidence_pages

NAV = (
    ("cards", "index.html", "Cards"),
    ("evidence", "evidence/index.html", "Evidence"),
    ("errata", "evidence/errata.html", "Errata"),
)


@dataclass
class SiteReport:
    """What `preview` wrote."""

    out: str
    pages: int = 0
    notes: int = 0
    cards: int = 0
    media: int = 0
    written: list[str] = field(default_factory=list)
    """Files whose bytes changed."""
    removed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)
    """Notes that wait for a measurement."""
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        problems = [problem.as_json() for problem in self.problems]
        return vars(self) | {"problems": problems, "seconds": round(self.seconds, 3)}


def write_site(
    project: Project, out: Path, *, jobs: int = 0, live: bool = False, progress: Progress | None = None
) -> SiteReport:
    """Write the project's site into `out`; with `live`, pages that reload when the server says so.

    What is wrong with cards is shown in the site and listed in the report. Raises UsageError where `out` holds
    something else than a site of ours.
    """
    begin = time.perf_counter()
    folder = Folder(out)
    with exclusive(project), no_collector(), Cache(project.state).closing() as cache:
        reading = read(project, cache, jobs=jobs, progress=progress)
        topics = topics_of(reading)
        notes = [note for topic in topics for note in topic.notes]
        common = _common(reading, topics, live)
        for path, text in _pages(reading, topics, common, cache):
            folder.write(path, text.encode("utf-8", "surrogatepass"))
        pages = len(folder.files)
        for name, source in reading.media.items():
            folder.write(f"media/{name}", (project.root / source).read_bytes())
        for path, text in _assets(notes, reading):
            folder.write(path, text.encode("utf-8", "surrogatepass"))
    folder.finish()
    held = [note.id for note in notes if note.state == "held back"]
    return SiteReport(
        str(out), pages, len(notes), sum(note.cards for note in notes), len(reading.media), folder.written,
        folder.removed, reading.problems, held, time.perf_counter() - begin,
    )  # fmt: skip


def _common(reading: Reading, topics: list[Topic], live: bool) -> dict[str, Any]:
    """Return what every page shows."""
    pages = {topic.file: topic for topic in topics}
    problems = []
    for problem in reading.problems:
        topic = pages.get(problem.file)
        note = next((n for n in topic.notes if problem in n.problems), None) if topic else None
        page = f"{topic.page}#{note.id}" if topic and note else topic.page if topic else ""
        problems.append(
            {"place": problem.where, "message": problem.message, "hint": problem.hint, "page": page}
        )
    titles = [manifest.under or manifest.title for manifest in reading.found.manifests]
    title = titles[0].partition("::")[0] if titles else reading.project.root.name
    return {"title": title, "nav": NAV, "problems": problems, "live": live}


def _pages(
    reading: Reading, topics: list[Topic], common: dict[str, Any], cache: Cache
) -> Iterator[tuple[str, str]]:
    """Yield every page as path and HTML."""
    notes = [note for topic in topics for note in topic.notes]
    home = summary(reading, notes) | {"shelves": shelves(reading, topics)}
    yield "index.html", _render("index.html", "index.html", "cards", common, **home)
    bodies = _bodies(reading, topics, cache)
    for topic in topics:
        body = bodies[topic.file]
        yield topic.page, _render("topic.html", topic.page, "cards", common, topic=topic, body=body)
    for path, template, context in evidence_pages(reading, cache):
        here = "errata" if path.endswith("/errata.html") else "evidence"
        yield path, _render(template, path, here, common, **{k: v for k, v in context.items() if k != "here"})


def _bodies(reading: Reading, topics: list[Topic], cache: Cache) -> dict[str, str]:
    """Return the cards of every topic as HTML; those that an earlier preview rendered come from the cache."""
    known = cache.all("page")
    bodies: dict[str, str] = {}
    fresh = []
    for topic in topics:
        source = reading.found.by_file[topic.file]
        # by line: until its author mends it, a file may have an id twice
        built = {note.line: note for note in reading.built.get(topic.file, ())}
        state = [
            (n.id, n.state, n.kinds, n.problems, built[n.line].hash if n.line in built else "")
            for n in topic.notes
        ]
        digest = digest_of(engine_fingerprint(), source.digest, state)
        if topic.file in known and known[topic.file][0] == digest:
            bodies[topic.file] = known[topic.file][1]
            continue
        heads = {head.line: head for head in source.heads}
        rows = [
            {
                "note": note, "why": STATES[note.state], "functions": functions_of(heads[note.line]),
                "cards": list(cards_of(built[note.line], " ".join(sorted(set(note.tags))), topic.page)) if note.line in built else [],
            }
            for note in topic.notes
        ]  # fmt: skip
        template = _environment().get_template("cards.html")
        bodies[topic.file] = template.render(rows=rows, root=to_root(topic.page))
        fresh.append((topic.file, digest, bodies[topic.file]))
    cache.put("page", fresh)
    cache.prune("page", bodies)
    return bodies


def _render(template: str, path: str, here: str, common: dict[str, Any], **context: Any) -> str:
    made: str = (
        _environment().get_template(template).render(root=to_root(path), here=here, site=common, **context)
    )
    return made


@memoise
def _environment() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("proofdeck.preview", "pages"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


def _assets(notes: list[NoteView], reading: Reading) -> Iterator[tuple[str, str]]:
    folder = resources.files("proofdeck.preview") / "assets"
    for file in folder.iterdir():
        yield f"assets/{file.name}", file.read_text(encoding="utf-8")
    yield "assets/card.css", css()
    # a script, since a page from disk may not read any other file
    index = json.dumps(index_of(notes, reading.built), ensure_ascii=False, separators=(",", ":"))
    yield "assets/search-index.js", f"window.PROOFDECK = {index};\n"
