"""`cards/references.yaml`: the works that cards cite."""

from __future__ import annotations

from dataclasses import dataclass

from proofdeck.errors import Problem, did_you_mean
from proofdeck.mapping import YamlFile
from proofdeck.project import Project
from proofdeck.record import Record

KEYS = ("authors", "title", "year", "venue", "url")


@dataclass(frozen=True, slots=True)
class Reference(Record):
    """A work that a claim rests on."""

    key: str
    authors: str
    title: str
    year: str
    venue: str
    url: str

    @property
    def short(self) -> str:
        return f"{self.authors} {self.year}".strip()


def read_references(project: Project, problems: list[Problem]) -> dict[str, Reference]:
    """Read the references; add what is wrong to `problems`."""
    if not project.references.exists():
        return {}
    file = project.references.relative_to(project.root).as_posix()
    found: dict[str, Reference] = {}
    source = YamlFile(project.references, file, problems)
    for key, entry in (source.read() or {}).items():
        if not isinstance(entry, dict):
            source.wrong(f"`{key}` is not a mapping", f"keys are: {' '.join(KEYS)}", key)
            continue
        for name in entry:
            if name not in KEYS:
                hint = did_you_mean(str(name), KEYS) or f"keys are: {' '.join(KEYS)}"
                source.wrong(f"`{key}`: unknown key `{name}`", hint, key, name)
        values = {name: str(entry.get(name, "")).strip() for name in KEYS}
        for name in ("authors", "title", "year"):
            if not values[name]:
                source.wrong(f"`{key}` has no {name}", "", key)
        if values["url"] and not values["url"].startswith(("https://", "http://")):
            source.wrong(f"`{key}`: `{values['url']}` is no web address", "", key, "url")
        found[str(key)] = Reference(str(key), **values)
    return found
