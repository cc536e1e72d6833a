"""References with what uses them, and what is openly the author's judgement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from proofdeck.report.claims import Claims
from proofdeck.report.model import Stated

if TYPE_CHECKING:
    from proofdeck.evidence.code import Function
    from proofdeck.preview.reading import Reading
    from proofdeck.references import Reference


@dataclass(frozen=True, slots=True)
class Citation:
    """A work, the claims that cite it, and the verifiers that name it as their source."""

    work: Reference
    claims: tuple[Stated, ...]
    functions: tuple[Function, ...]

    @property
    def used(self) -> bool:
        return bool(self.claims or self.functions)

    @property
    def identifier(self) -> str:
        """DOI or arXiv number, where the address tells one.

        >>> from proofdeck.references import Reference
        >>> Citation(Reference("k", "A", "T", "2023", "", "https://arxiv.org/abs/2309.06180"), (), ()).identifier
        'arXiv:2309.06180'
        """
        url = self.work.url
        if "doi.org/" in url:
            return "doi:" + url.partition("doi.org/")[2]
        if "arxiv.org/abs/" in url:
            return "arXiv:" + url.partition("arxiv.org/abs/")[2]
        return ""


def read_citations(reading: Reading, claims: Claims) -> list[Citation]:
    """Return every reference in the order of authors and years."""
    citing: dict[str, list[Stated]] = {}
    for claim in claims.cards:
        for key in dict.fromkeys(claim.keys):
            citing.setdefault(key, []).append(claim)
    naming: dict[str, list[Function]] = {}
    for function in reading.found.code.functions.values():
        for key in dict.fromkeys(function.references):
            naming.setdefault(key, []).append(function)
    works = sorted(reading.found.references.values(), key=lambda w: (w.authors.casefold(), w.year, w.title))
    return [Citation(w, tuple(citing.get(w.key, ())), tuple(naming.get(w.key, ()))) for w in works]
