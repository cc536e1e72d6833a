"""`import`: foreign documents to card files, a section at a time, with a report of all that was lost.

Holds one section of a document in memory, and of the rest only the questions and their ids.
"""

from __future__ import annotations

import re
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from proofdeck.audit.auditing import Auditor
from proofdeck.audit.model import Finding
from proofdeck.errors import UsageError, did_you_mean
from proofdeck.foreign import notes as make
from proofdeck.foreign.files import MOST, Folder, document_of
from proofdeck.foreign.model import Aside, Entry, Item, Passage, Reference
from proofdeck.foreign.notes import ForeignNote
from proofdeck.foreign.readers import FORMATS, reader, recognise
from proofdeck.foreign.report import FileReport
from proofdeck.foreign.similar import near_duplicates
from proofdeck.foreign.target import Target
from proofdeck.foreign.text import head_of_file, lines_of_file
from proofdeck.guard import exclusive
from proofdeck.project import Project

PICTURES = (".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp")
LARGEST_PICTURE = 10 * 2**20
REPORT = "import-report.txt"


@dataclass
class Document:
    """A foreign document, recognised."""

    path: Path
    format: str
    slug: str
    title: str


@dataclass
class _Section:
    """Notes that wait to be written to one card file."""

    heading: tuple[str, ...] = ()
    notes: list[tuple[str, ForeignNote]] = field(default_factory=list)


def recognise_documents(paths: Sequence[Path], wanted: str = "") -> list[Document]:
    """Say of each file what it is; raise UsageError naming every file that nobody can read."""
    if wanted and wanted not in FORMATS:
        raise UsageError(
            f"unknown format `{wanted}`; " + (did_you_mean(wanted, FORMATS) or f"known: {', '.join(FORMATS)}")
        )
    wrong: list[str] = []
    found: list[Document] = []
    slugs: set[str] = set()
    for path in paths:
        if not path.is_file():
            wrong.append(f"{path} is {'a folder' if path.is_dir() else 'not there'}: name files")
            continue
        try:
            name = wanted or recognise(head_of_file(path))
        except UsageError as error:
            wrong.append(str(error))
            continue
        if not name:
            wrong.append(
                f"{path.name} is in no format that is known; say which with --format: {', '.join(FORMATS)}"
            )
            continue
        slug = base = make.slug(path.stem) or "document"
        number = 2
        while slug in slugs:
            slug = f"{base}-{number}"
            number += 1
        slugs.add(slug)
        found.append(Document(path, name, slug, re.sub(r"[-_\s]+", " ", path.stem).strip().capitalize()))
    if wrong:
        raise UsageError("; ".join(wrong))
    return found


def import_documents(
    paths: Sequence[Path], out: Path, wanted: str = "", root: Path | None = None
) -> list[FileReport]:
    """Read documents and write their card files below `out`; return what came of each.

    `out` is a folder of a project's cards, or a folder that becomes a project.
    """
    documents = recognise_documents(paths, wanted)
    target = Target.at(out, root)
    target.root.mkdir(parents=True, exist_ok=True)
    with exclusive(Project(target.root)):
        for document in documents:
            document.slug = _folder_name(
                document, target, {other.slug for other in documents if other is not document}
            )
        return _import_all(documents, target)


def _folder_name(document: Document, target: Target, taken: set[str]) -> str:
    """Return the name of a document's folder: its own of before, or one that no other document has."""
    names = [document.slug, *(f"{document.slug}-{number}" for number in range(2, 100))]
    holds = {name: document_of(target.cards / name) for name in names if name not in taken}
    mine = document.path.resolve()
    own = [name for name, held in holds.items() if held == mine]
    return next(iter(own + [name for name, held in holds.items() if held is None]), document.slug)


def _import_all(documents: Sequence[Document], target: Target) -> list[FileReport]:
    auditor = Auditor(target.project)
    reports: list[FileReport] = []
    asked: list[tuple[int, str, str]] = []
    for index, document in enumerate(documents):
        report = FileReport(str(document.path), document.format, (target.cards / document.slug).as_posix())
        reports.append(report)
        for line, question in _Import(document, target, report, auditor).run():
            asked.append((index, f"{document.path.name}:{line}", question))
    for earlier, later in near_duplicates([question for _, _, question in asked]):
        owner, place, question = asked[later]
        _, other, same = asked[earlier]
        reports[owner].duplicates.append((f"{place}: {question}", f"{other}: {same}"))
    for document, report in zip(documents, reports, strict=True):
        _append_duplicates(target.cards / document.slug / REPORT, report)
    target.finish(report.folder for report in reports)
    return reports


class _Import:
    """One document on its way to card files."""

    def __init__(self, document: Document, target: Target, report: FileReport, auditor: Auditor) -> None:
        self.auditor = auditor
        self.document = document
        self.target = target
        self.report = report
        self.folder = Folder(target.cards / document.slug, document.path)
        self.files: dict[str, int] = {}
        self.section = _Section()

    def run(self) -> Iterator[tuple[int, str]]:
        """Write the document's card files; yield line and text of every question."""
        self.folder.path.mkdir(parents=True, exist_ok=True)
        lines = lines_of_file(self.document.path, self.report.repairs)
        with ExitStack() as stack:
            log = stack.enter_context((self.folder.path / REPORT).open("w", encoding="utf-8"))
            for item in reader(self.document.format).read(lines):
                self.report.tally.add(item)
                self._tell(item, log)
                if isinstance(item, Entry):
                    yield from self._entry(item, log)
            self._flush()
        self.folder.close()
        self.report.changes = self.folder.changes

    def _entry(self, entry: Entry, log: TextIO) -> Iterator[tuple[int, str]]:
        if entry.section != self.section.heading or len(self.section.notes) >= MOST:
            self._flush()
            self.section = _Section(entry.section)
        for note in make.notes_of(self.document.slug, self._with_pictures(entry, log)):
            if entry.kind != "code":  # whose question is the name of its module
                yield note.line, note.question
            self.report.notes += 1
            self.report.drafts += note.draft
            name = self.folder.identify(
                make.identity(self.document.slug, note.question), note.question, note.key
            )
            self.section.notes.append((name, note))

    def _with_pictures(self, entry: Entry, log: TextIO) -> Entry:
        """Copy the pictures that an answer shows; what cannot be copied becomes its description."""
        from dataclasses import replace

        if not any(passage.kind == "picture" for passage in entry.answer):
            return entry
        answer = []
        for passage in entry.answer:
            if passage.kind == "picture" and not (name := self._copy_picture(passage)):
                self._log(log, passage.line, "picture not taken", passage.language)
                passage = replace(
                    passage, kind="paragraph", text=f"[picture: {passage.text or passage.language}]"
                )
            elif passage.kind == "picture":
                passage = replace(passage, language=name)
            answer.append(passage)
        return replace(entry, answer=tuple(answer))

    def _copy_picture(self, passage: Passage) -> str:
        """Return the path of a picture beside the card file, empty where it is none of the document's own."""
        home = self.document.path.resolve().parent
        source = (home / passage.language).resolve()
        if not source.is_relative_to(home) or source.suffix.lower() not in PICTURES:
            return ""
        if not source.is_file() or not 0 < source.stat().st_size <= LARGEST_PICTURE:
            return ""
        stem = make.slug(source.relative_to(home).with_suffix("").as_posix()) or "picture"
        name = f"pictures/{stem}{source.suffix.lower()}"
        copy = self.folder.path / name
        copy.parent.mkdir(exist_ok=True)
        if not copy.exists() or copy.read_bytes() != source.read_bytes():
            shutil.copyfile(source, copy)
        return name

    def _flush(self) -> None:
        if not self.section.notes:
            return
        base = "-".join(filter(None, (make.slug(name, 8) for name in self.section.heading))) or "questions"
        base = base[:80].strip("-")
        self.files[base] = number = self.files.get(base, 0) + 1
        file = f"{base}.md" if number == 1 else f"{base}-{number}.md"
        self.folder.write(file, self._front(), self._audited())
        self.section.notes = []

    def _audited(self) -> Iterator[tuple[str, str]]:
        """Yield id and text of every note that waits, with what the audit found wrong in it."""
        path = str(self.document.path)
        passages = [
            (name, passage.line, passage.text)
            for name, note in self.section.notes
            for passage in note.passages
            if passage.kind != "code"
        ]
        wrong: dict[str, list[Finding]] = defaultdict(list)
        for finding in self.auditor.audit(passages):
            if finding.verdict == "wrong":
                wrong[finding.file].append(finding.at(path, finding.line))
        self.report.wrong += sum(map(len, wrong.values()))
        for name, note in self.section.notes:
            yield name, make.write_note(make.with_errors(note, wrong[name]), name)

    def _front(self) -> str:
        levels = [_deck_word(name) for name in (self.document.title, *self.section.heading)]
        deck = "::".join(filter(None, levels))
        quoted = deck.replace("\\", "\\\\").replace('"', '\\"')
        return f'---\ndeck: "{self.target.deck}{quoted}"\ntags: [unverified, imported, "{self.document.slug}"]\n---\n'

    def _tell(self, item: Item, log: TextIO) -> None:
        """Write down everything of an item that does not come through whole."""
        if isinstance(item, Aside):
            self._log(log, item.line, item.why, item.text)
        elif isinstance(item, Reference):
            print(f"{item.line}: reference: {item.text} {item.url}".rstrip(), file=log)
        else:
            for damage in item.damage:
                self._log(log, item.line, damage, item.question)
            sides = (*item.levels, *item.follow_ups, *item.rapid_fire, *item.glossary)
            for side in (*sides, *filter(None, [item.trap])):
                for damage in side.damage:
                    self._log(log, side.line, damage, side.question)
            for passage in item.answer:
                for damage in set(passage.damage) - set(item.damage):
                    self._log(log, passage.line, f"{damage}, left out", passage.text)

    def _log(self, log: TextIO, line: int, what: str, text: str) -> None:
        print(f"{line}: {what}: {' '.join(text.split())}", file=log)
        self.report.tell(line, what, " ".join(text[:400].split()))


def _deck_word(text: str) -> str:
    return " ".join(re.sub(r"::+|[\x00-\x1f\x7f\"<>]", " ", text).split())[:80]


def _append_duplicates(path: Path, report: FileReport) -> None:
    with path.open("a", encoding="utf-8") as log:
        for later, earlier in report.duplicates:
            print(f"near-duplicate: {later}\n    of {earlier}", file=log)
        for what, count in sorted(report.repairs.items()):
            print(f"{what}: {count}", file=log)


def all_items(
    paths: Iterable[Path], wanted: str = ""
) -> Iterator[tuple[Document, Iterator[tuple[Entry, str, str]]]]:
    """Yield every document with an iterator of (entry, item, text) of what a deck can answer."""
    for document in recognise_documents(list(paths), wanted):
        yield document, _items(document)


def _items(document: Document) -> Iterator[tuple[Entry, str, str]]:
    for item in reader(document.format).read(lines_of_file(document.path)):
        if isinstance(item, Entry) and item.kind == "question":
            for name, text in make.items_of(document.slug, item):
                yield item, name, text
