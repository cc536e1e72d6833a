"""Questions that ask nearly the same: an exact set-similarity join.

Two questions are near-duplicates where their content words overlap by THRESHOLD (Jaccard). Two sets that do
must share one of their few rarest words, so only questions that share one are compared (prefix filtering:
Chaudhuri, Ganti and Kaushik 2006; Bayardo, Ma and Srikant 2007), and equal questions are compared once.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

THRESHOLD = 0.75
COMPARED = 100
"""Questions with one rare word that a question is compared with at most, so that time stays linear."""
COMMON = frozenset(
    "a an and are as at be by can do does for from how in is it its not of on or so than that the their them "
    "they this to vs was we what when where which while who why with would you your explain describe".split()
)
_WORD = re.compile(r"[^\W_]+")


def content_words(text: str) -> frozenset[str]:
    """Return the words of a question that say what it is about."""
    words = _WORD.findall(text.lower())
    return frozenset(word for word in words if word not in COMMON) or frozenset(words)


def near_duplicates(questions: Sequence[str], threshold: float = THRESHOLD) -> list[tuple[int, int]]:
    """Return (earlier, later) for every question that asks what an earlier one asks.

    Each question is named once as the later one, with the first that it resembles.
    """
    sets = [content_words(question) for question in questions]
    first: dict[frozenset[str], int] = {}
    pairs = []
    for index, words in enumerate(sets):
        if words and first.setdefault(words, index) != index:
            pairs.append((first[words], index))
    frequency = Counter(word for words in first for word in words)
    seen: dict[str, list[int]] = defaultdict(list)
    for words, index in first.items():
        ordered = sorted(words, key=lambda word: (frequency[word], word))
        prefix = ordered[: len(ordered) - math.ceil(threshold * len(ordered)) + 1]
        candidates = sorted({other for word in prefix for other in seen[word][:COMPARED]})
        match = next((other for other in candidates if _jaccard(words, sets[other]) >= threshold), None)
        if match is not None:
            pairs.append((match, index))
        for word in prefix:
            seen[word].append(index)
    return sorted(pairs, key=lambda pair: pair[1])


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)
