"""How many known errors of some documents the audit finds: `measure.py DOCUMENTS FACTS [KIND…]`.

FACTS holds YAML lists of checked claims with `id`, `module` or `where`, `claim`, `stated`, `kind`, `verdict`.
A finding stands for a fact if it lies in the fact's section and shares its numbers or its words. The matches
are printed with both texts, so that each can be judged by eye; a few facts without numbers need that.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from proofdeck.audit.auditing import Auditor, passages_of
from proofdeck.audit.model import Finding
from proofdeck.foreign.readers import recognise
from proofdeck.foreign.text import head_of_file
from proofdeck.project import Project, find_root

FORMATS = {
    "s000": "depth-trees",
    "s001": "modules",
    "s002": "long-answers",
    "s003": "question-bank",
    "s004": "cheatsheet",
}
"""What a fact's id begins with, by the format of the document that it is about."""
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_WORD = re.compile(r"[a-z][a-z0-9-]{3,}")
_COMMON = frozenset(
    "about with than that this from each same only more less have does their into when they".split()
)


@dataclass(frozen=True)
class Fact:
    """A claim of a document that was computed again."""

    id: str
    format: str
    section: str
    text: str
    stated: str

    @classmethod
    def of(cls, row: dict[str, Any]) -> Fact:
        section = row.get("module") or re.split(r"[;(]", row["where"])[0]
        return cls(
            row["id"],
            FORMATS[row["id"][:4]],
            section.strip(),
            f"{row['claim']} {row.get('stated', '')}",
            str(row.get("stated")),
        )


def rows_of(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.yaml")):
        yield from yaml.safe_load(path.read_text(encoding="utf-8"))


def sections(path: Path, names: Iterable[str]) -> dict[str, tuple[int, int]]:
    """Return the lines of each section, from its heading to that of the next."""
    lines = [text for _, _, text in passages_of([path])]
    numbers = [number for _, number, _ in passages_of([path])]
    begins = {}
    for name in names:
        title = re.compile(rf'title: "{re.escape(name)}"', re.I)
        heading = re.compile(rf"^(?:\d+\.|\W+)?\s*{re.escape(name)}\s*(?:$|\()", re.I)
        both = zip(numbers, lines, strict=True)
        places = [number for number, text in both if title.search(text) or heading.search(text)]
        if places:
            begins[name] = places[0]
    order = sorted(begins.values())
    ends = dict(zip(order, [*order[1:], numbers[-1] + 1], strict=True))
    return {name: (begin, ends[begin]) for name, begin in begins.items()}


def _numbers(text: str) -> set[str]:
    return {f"{float(number.replace(',', '')):g}" for number in _NUMBER.findall(text)}


def _words(text: str) -> set[str]:
    return {word[:6] for word in _WORD.findall(text.lower())} - {word[:6] for word in _COMMON}


def score(fact: Fact, finding: Finding) -> float:
    """Say how well a finding fits a fact: shared numbers count double."""
    theirs = _numbers(f"{finding.text} {finding.stated}")
    stated, told = _numbers(fact.stated) & theirs, _numbers(fact.text) & theirs
    shared = _words(fact.text) & _words(f"{finding.text} {finding.computed}")
    return 1.5 * len(stated) + 0.5 * len(told) + len(shared)


def main(documents: str, facts: str, *kinds: str) -> None:
    rows = list(rows_of(Path(facts)))
    wanted = kinds or ("arithmetic",)
    known = [Fact.of(row) for row in rows if row["verdict"] == "wrong" and row["kind"] in wanted]
    everything = [Fact.of(row) for row in rows]
    files = [path for path in sorted(Path(documents).iterdir()) if path.is_file()]
    paths = {recognise(head_of_file(path)): path for path in files}
    findings = Auditor(Project(find_root())).audit(passages_of([paths[name] for name in FORMATS.values()]))
    wrong = [finding for finding in findings if finding.verdict == "wrong"]
    rules: Counter[str] = Counter()
    found = 0
    for fact in known:
        path = paths[fact.format]
        names = {each.section for each in everything if each.format == fact.format}
        begin, end = sections(path, names).get(fact.section, (0, 10**9))
        inside = [each for each in wrong if each.file == str(path) and begin <= each.line < end]
        best = max(inside, key=lambda each: score(fact, each), default=None)
        fits = best is not None and score(fact, best) >= 2
        found += fits
        print(f"{'found ' if fits else 'MISSED'} {fact.id} {fact.text[:110]}")
        if best is not None and fits:
            rules[best.rule] += 1
            print(f"    {best.line}: {best.text[:120]} ({best.rule}, score {score(fact, best):g})")
    print(f"\n{found} of {len(known)} wrong facts found")
    print(f"{len(wrong)} findings called wrong, {len(findings)} in all")
    for rule, count in rules.most_common():
        print(f"{count:4} {rule}")


if __name__ == "__main__":
    main(*sys.argv[1:])
