"""Sums of money of which a part is gone: between two dollar signs a text was taken for a formula."""

from __future__ import annotations

import re

_SUM = r"(?<![\w$.,–-])~?[0-9][0-9.,]{0,12}(?:[KMB]\b)?\+?"
_RANGE = r"(?<![\w$.,–-])[0-9][0-9.,]{0,12}[KMB]?[-–][0-9][0-9.,]{0,12}[KMB]?"

LOST = re.compile(
    rf"(?:{_SUM}|{_RANGE})(?:/(?:day|month|year|hour)| each\)| upfront| (?:in compute|per document)\b)"
    rf"|\b[Cc]osts?:? ~?[0-9]+[KMB]?\+?(?= (?:in|per|depending)\b)"
    rf"|\bat ~?[0-9]{{1,9}}\.(?= |$)|\* [0-9]{{1,6}}\.[0-9]{{2}}\.|\b[0-9]{{1,9}}M \(~"
)
"""A sum without its sign where only money can stand."""


def lost_price(text: str) -> tuple[str, ...]:
    """Return the damage of a text whose prices are not to be trusted."""
    return ("lost price",) if LOST.search(text) else ()
