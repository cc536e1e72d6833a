"""Test sets in training data: overlap of word n-grams, how it is counted, and what it does to a score."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from proofdeck import verifier
from verifiers import arguments

Gram = tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Return a text's words in lower case, without punctuation."""
    return re.findall(r"\w+", text.lower())


def _grams(words: Sequence[str], n: int) -> list[Gram]:
    arguments.counts(n=n)
    return [tuple(words[start : start + n]) for start in range(len(words) - n + 1)]


def _found(text: str, corpus: str, n: int) -> list[bool]:
    """Return for each n-gram of the text whether it stands in the corpus."""
    known = set(_grams(words_of(corpus), n))
    return [gram in known for gram in _grams(words_of(text), n)]


@verifier
def ngrams(text: str, n: int) -> int:
    """Number of word n-grams of a text, repeated ones counted again.

    Formula: max(words − n + 1, 0).
    Unit: 1
    Source: definition
    """
    return len(_grams(words_of(text), n))


@verifier
def overlap(text: str, corpus: str, n: int = 13) -> float:
    """Share of a text's word n-grams that stand in a corpus; an error for a text of fewer words.

    PaLM calls an example contaminated from 70 % of its 8-grams on.

    Unit: 1
    Source: chowdhery2022
    """
    found = _found(text, corpus, n)
    arguments.counts(ngrams=len(found))
    return sum(found) / len(found)


@verifier
def collisions(text: str, corpus: str, n: int = 13) -> int:
    """Number of a text's word n-grams that stand in a corpus; GPT-3 calls an example dirty from one on.

    Unit: 1
    Source: brown2020
    """
    return sum(_found(text, corpus, n))


@verifier
def token_share(text: str, corpus: str, n: int = 10) -> float:
    """Share of a text's words that lie inside an n-gram that the corpus holds too.

    Llama 2 counts tokens so, with n-grams longer than ten that may differ from the corpus in a few places.

    Unit: 1
    Source: touvron2023b
    """
    words = words_of(text)
    arguments.counts(words=len(words))
    covered: set[int] = set()
    for start, found in enumerate(_found(text, corpus, n)):
        if found:
            covered.update(range(start, start + n))
    return len(covered) / len(words)


@verifier
def dirty(texts: tuple[str, ...], corpus: str, n: int = 13) -> int:
    """Number of examples with at least one word n-gram in a corpus, or, if they are shorter, all their words.

    Unit: 1
    Source: brown2020
    """
    arguments.counts(n=n)
    return sum(any(_found(text, corpus, min(n, len(words_of(text))))) for text in texts)


@verifier
def chance_matches(ngrams: float, corpus: float, bits_per_word: float, n: int = 13) -> float:
    """Expected n-grams of a text that meet a corpus by chance, were words drawn at a given entropy.

    Formula: n-grams · (1 − (1 − 2^(−n·H))^corpus), words independent and their n-grams equally likely.
    Unit: 1
    Source: definition
    """
    arguments.non_negative(ngrams=ngrams, corpus=corpus)
    arguments.positive(bits_per_word=bits_per_word)
    arguments.counts(n=n)
    return -ngrams * math.expm1(corpus * math.log1p(-(2 ** (-n * bits_per_word))))


@verifier
def clean_score(score: float, dirty_share: float, dirty_score: float) -> float:
    """Score on the clean part of a benchmark, from the whole's and the dirty part's.

    Formula: (s − d · s_dirty) / (1 − d).
    Unit: 1
    Source: brown2020
    """
    arguments.shares(score=score, dirty_share=dirty_share, dirty_score=dirty_score)
    arguments.positive(**{"1 − dirty_share": 1 - dirty_share})
    clean = (score - dirty_share * dirty_score) / (1 - dirty_share)
    arguments.shares(clean=clean)
    return clean


@verifier
def inflated_score(clean: float, dirty_share: float, dirty_score: float = 1.0) -> float:
    """Score on a benchmark of which a share was learnt by heart.

    Formula: (1 − d) · s_clean + d · s_dirty.
    Unit: 1
    Source: definition
    """
    arguments.shares(clean=clean, dirty_share=dirty_share, dirty_score=dirty_score)
    return (1 - dirty_share) * clean + dirty_share * dirty_score


@verifier
def order_test(shuffles: int, as_likely: int = 0) -> float:
    """p-value of a test set's published order by the model's likelihood of it and of random shuffles.

    Of items that could stand in any order a clean model finds the published one likeliest no more often
    than any other.

    Formula: (1 + shuffles as likely or likelier) / (1 + shuffles).
    Unit: 1
    Source: oren2023
    """
    arguments.counts(shuffles=shuffles)
    arguments.counts(0, as_likely=as_likely, **{"shuffles − as_likely": shuffles - as_likely})
    return (1 + as_likely) / (1 + shuffles)
