"""WordPiece: merges chosen by likelihood, and encoding by the longest match."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

from proofdeck import verifier
from verifiers import arguments

Pair = tuple[str, str]
Parts = Mapping[tuple[str, ...], int]
PREFIX = "##"


def split(corpus: str) -> dict[tuple[str, ...], int]:
    """Return each word as its characters, all but the first marked, and how often it occurs."""
    return {
        (word[0], *(PREFIX + c for c in word[1:])): count for word, count in Counter(corpus.split()).items()
    }


def joined(left: str, right: str) -> str:
    """Return the token that two neighbours make."""
    return left + right.removeprefix(PREFIX)


def occurrences(parts: Parts) -> tuple[Counter[str], Counter[Pair]]:
    """Count tokens and pairs of neighbours."""
    singles: Counter[str] = Counter()
    pairs: Counter[Pair] = Counter()
    for tokens, count in parts.items():
        for token in tokens:
            singles[token] += count
        for pair in pairwise(tokens):
            pairs[pair] += count
    return singles, pairs


def best_pair(parts: Parts) -> Pair | None:
    """Return the pair of the highest score, the first in the order of its texts where several have it."""
    singles, pairs = occurrences(parts)

    def rank(pair: Pair) -> tuple[float, Pair]:
        return -score(pairs[pair], singles[pair[0]], singles[pair[1]]), pair

    return min(pairs, key=rank, default=None)


def merge(tokens: Iterable[str], pair: Pair) -> tuple[str, ...]:
    """Join every occurrence of a pair, from the left."""
    done: list[str] = []
    for token in tokens:
        if done and (done[-1], token) == pair:
            done[-1] = joined(*pair)
        else:
            done.append(token)
    return tuple(done)


def learn(corpus: str, merges: int) -> list[Pair]:
    """Return the first merges of a corpus."""
    parts: Parts = split(corpus)
    learnt: list[Pair] = []
    while len(learnt) < merges and (pair := best_pair(parts)):
        learnt.append(pair)
        parts = {merge(tokens, pair): count for tokens, count in parts.items()}
    return learnt


def encode(word: str, vocabulary: Iterable[str], unknown: str = "[UNK]") -> list[str]:
    """Return a word's tokens, the longest that fits first; one unknown token where a rest has none."""
    known = set(vocabulary)
    tokens: list[str] = []
    start = 0
    while start < len(word):
        prefix = PREFIX if start else ""
        end = next((end for end in range(len(word), start, -1) if prefix + word[start:end] in known), start)
        if end == start:
            return [unknown]
        tokens.append(prefix + word[start:end])
        start = end
    return tokens


@verifier
def score(pair: float, left: float, right: float) -> float:
    """WordPiece's score of a merge: how much more often a pair stands together than its parts' counts let
    one expect.

    Google never released its training; this is how it is commonly reconstructed.

    Formula: f(ab) / (f(a) · f(b)).
    Unit: 1
    Source: huggingface2022wordpiece
    """
    arguments.positive(pair=pair, left=left, right=right)
    if pair > min(left, right):
        raise ValueError("a pair cannot be more frequent than its parts")
    return pair / (left * right)


@verifier
def likelihood_gain(pair: float, left: float, right: float, total: float) -> float:
    """Log-likelihood that a merge adds per occurrence of the pair, under a unigram model, to first order.

    Formula: ln(f(ab) · n / (f(a) · f(b))): the pointwise mutual information, in rising order of the score.
    Unit: nat
    Source: schuster2012
    """
    arguments.positive(total=total)
    if total < max(left, right):
        raise ValueError("a token cannot be more frequent than all tokens together")
    return math.log(score(pair, left, right) * total)


@verifier
def learns(corpus: str, pairs: tuple[tuple[str, str], ...]) -> dict[str, str | int]:
    """Training on a corpus begins with the given merges, in this order; inner tokens begin with ##.

    Unit: check
    Source: huggingface2022wordpiece
    """
    found = learn(corpus, len(pairs))
    if found != [tuple(pair) for pair in pairs]:
        raise AssertionError(f"the first merges are {found}")
    return {"corpus": corpus, "merges": len(pairs)}


@verifier
def encodes_to(word: str, vocabulary: tuple[str, ...], expected: tuple[str, ...]) -> dict[str, str | int]:
    """A word's tokens under a vocabulary, by the longest match from the left, are the expected ones.

    Unit: check
    Source: devlin2019, huggingface2022wordpiece
    """
    found = encode(word, vocabulary)
    if found != list(expected):
        raise AssertionError(f"{word!r} becomes {found}")
    return {"word": word, "vocabulary": len(vocabulary)}


@verifier
def tokens(text: str, vocabulary: tuple[str, ...]) -> int:
    """Tokens of a text's words under a vocabulary, an unknown word counted as one.

    Unit: token
    Source: devlin2019
    """
    return sum(len(encode(word, vocabulary)) for word in text.split())


@verifier
def differs_from_bpe(corpus: str) -> dict[str, str]:
    """The first merge by WordPiece's score is another than the most frequent pair, which BPE takes.

    Unit: check
    Source: huggingface2022wordpiece, sennrich2016
    """
    parts = split(corpus)
    _, pairs = occurrences(parts)
    chosen = best_pair(parts)
    if chosen is None or pairs[chosen] == max(pairs.values()):
        raise AssertionError(f"{chosen} is the most frequent pair as well")
    return {"WordPiece": joined(*chosen)}
