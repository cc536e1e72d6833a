"""Byte-pair encoding: training, encoding and decoding, from bytes or from characters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import pairwise

from proofdeck import verifier
from verifiers import arguments
from verifiers.pretokenisation import pretokenise

Pair = tuple[str, str]
LEVELS = ("byte", "character")


def symbols(text: str, level: str) -> str:
    """Return a text as base symbols, one character each: its own, or one for each byte of its UTF-8."""
    if arguments.one_of("level", level, LEVELS) == "byte":
        return text.encode().decode("latin-1")
    return text


def words(text: str, level: str, pattern: str) -> list[str]:
    """Return the pieces that merges stay within, as base symbols."""
    return [symbols(piece, level) for piece in pretokenise(text, pattern)]


def merge(parts: Sequence[str], pair: Pair) -> list[str]:
    """Join every occurrence of a pair, from the left."""
    done: list[str] = []
    for part in parts:
        if done and (done[-1], part) == pair:
            done[-1] += part
        else:
            done.append(part)
    return done


def learn(counts: Mapping[str, int], merges: int) -> list[Pair]:
    """Return the first merges of a corpus, given as its words and how often each occurs.

    Of pairs equally frequent that of the older tokens comes first, base symbols in the order of their codes.
    """
    parts = {word: list(word) for word in counts}
    totals: Counter[Pair] = Counter()
    holders: defaultdict[Pair, set[str]] = defaultdict(set)
    ages: dict[str, int] = {}

    def age(token: str) -> tuple[bool, int]:
        return (True, ages[token]) if token in ages else (False, ord(token))

    def count(word: str, times: int) -> None:
        for pair in pairwise(parts[word]):
            totals[pair] += times
            holders[pair].add(word)

    def rank(pair: Pair) -> tuple[int, tuple[bool, int], tuple[bool, int]]:
        return -totals[pair], age(pair[0]), age(pair[1])

    for word, times in counts.items():
        count(word, times)
    learnt: list[Pair] = []
    while len(learnt) < merges and any(totals.values()):
        best = min(totals, key=rank)
        for word in holders[best]:
            count(word, -counts[word])
            parts[word] = merge(parts[word], best)
            count(word, counts[word])
        ages.setdefault("".join(best), len(learnt))
        learnt.append(best)
    return learnt


def encode(word: str, ranks: Mapping[Pair, int]) -> list[str]:
    """Return the tokens of a word: join the pair that was learnt first until no known pair is left."""
    parts = list(word)
    while True:
        known = [pair for pair in pairwise(parts) if pair in ranks]
        if not known:
            return parts
        parts = merge(parts, min(known, key=ranks.__getitem__))


def ranked(merges: Sequence[Sequence[str]], level: str = "character") -> dict[Pair, int]:
    """Return the rank of every merge, given as pairs of texts."""
    return {(symbols(a, level), symbols(b, level)): rank for rank, (a, b) in enumerate(merges)}


def train(corpus: str, merges: int, level: str, pattern: str) -> dict[Pair, int]:
    """Learn a corpus's merges, the first of rank 0."""
    arguments.counts(0, merges=merges)
    return ranked(learn(Counter(words(corpus, level, pattern)), merges))


def tokenise(text: str, ranks: Mapping[Pair, int], level: str, pattern: str) -> list[str]:
    """Return the tokens of a text."""
    return [token for word in words(text, level, pattern) for token in encode(word, ranks)]


def decode(tokens: Sequence[str], level: str) -> str:
    """Return the text of tokens; bytes that are no UTF-8 become replacement characters."""
    text = "".join(tokens)
    return text.encode("latin-1").decode(errors="replace") if level == "byte" else text


@verifier
def vocabulary(merges: int, base: int = 256, specials: int = 0) -> int:
    """Entries of a vocabulary: base symbols, one token a merge, and special tokens.

    Formula: base + merges + specials.
    Unit: token
    Source: sennrich2016, radford2019
    """
    arguments.counts(base=base)
    arguments.counts(0, merges=merges, specials=specials)
    return base + merges + specials


@verifier
def merges_of(vocabulary: int, base: int = 256, specials: int = 0) -> int:
    """Merges behind a vocabulary of given size.

    Formula: vocabulary − base − specials.
    Unit: 1
    Source: sennrich2016, radford2019
    """
    arguments.counts(base=base)
    arguments.counts(0, specials=specials)
    arguments.counts(base + specials, vocabulary=vocabulary)
    return vocabulary - base - specials


@verifier
def pair_count(corpus: str, left: str, right: str, level: str = "byte", pattern: str = "gpt2") -> int:
    """How often a pair of base symbols stands side by side in a corpus: what the first merge goes by.

    Unit: 1
    Source: sennrich2016
    """
    wanted = (symbols(left, level), symbols(right, level))
    if any(len(symbol) != 1 for symbol in wanted):
        raise ValueError(f"{left!r} and {right!r} are not one base symbol each")
    return sum(pair == wanted for word in words(corpus, level, pattern) for pair in pairwise(word))


@verifier
def tokens(text: str, corpus: str, merges: int, level: str = "byte", pattern: str = "gpt2") -> int:
    """Tokens of a text under the merges learnt from a corpus.

    Unit: token
    Source: sennrich2016
    """
    return len(tokenise(text, train(corpus, merges, level, pattern), level, pattern))


@verifier
def compression(text: str, corpus: str, merges: int, level: str = "byte", pattern: str = "gpt2") -> float:
    """Bytes of UTF-8 that one token of a text stands for, under the merges learnt from a corpus.

    Formula: bytes / tokens.
    Unit: B/token
    Source: sennrich2016
    """
    count = tokens(text, corpus, merges, level, pattern)
    arguments.counts(tokens=count)
    return len(text.encode()) / count


@verifier
def words_per_token(text: str, corpus: str, merges: int, level: str = "byte", pattern: str = "gpt2") -> float:
    """Words between spaces that one token of a text stands for, under the merges learnt from a corpus.

    Formula: words / tokens.
    Unit: 1
    Source: rust2021
    """
    count = tokens(text, corpus, merges, level, pattern)
    arguments.counts(tokens=count)
    return len(text.split()) / count


@verifier
def by_merges(
    text: str, corpus: str, merges: tuple[int, ...], level: str = "byte", pattern: str = "gpt2"
) -> dict[str, int]:
    """Tokens of a text after each of several numbers of merges learnt from a corpus, by that number.

    Unit: token
    Source: sennrich2016
    """
    return {str(count): tokens(text, corpus, count, level, pattern) for count in merges}


@verifier
def unknown(text: str, corpus: str, level: str = "byte") -> int:
    """Symbols of a text that a corpus's base vocabulary lacks: none where all 256 bytes are in it.

    Unit: 1
    Source: sennrich2016, radford2019
    """
    text = symbols(text, level)
    known = set(map(chr, range(256)) if level == "byte" else corpus)
    return sum(symbol not in known for symbol in text)


@verifier
def learns(
    corpus: str, pairs: tuple[tuple[str, str], ...], level: str = "byte", pattern: str = "gpt2"
) -> dict[str, str | int]:
    """Training on a corpus begins with the given merges, in this order.

    Unit: check
    Source: sennrich2016
    """
    found = list(train(corpus, len(pairs), level, pattern))
    if found != list(ranked(pairs, level)):
        raise AssertionError(f"the first merges are {found}")
    return {"corpus": corpus, "merges": len(pairs)}


@verifier
def encodes_to(
    text: str,
    merges: tuple[tuple[str, str], ...],
    expected: tuple[str, ...],
    level: str = "byte",
    pattern: str = "gpt2",
) -> dict[str, str | int]:
    """A text's tokens under given merges, the first learnt first, are the expected ones.

    Unit: check
    Source: sennrich2016
    """
    found = tokenise(text, ranked(merges, level), level, pattern)
    if found != [symbols(token, level) for token in expected]:
        raise AssertionError(f"{text!r} becomes {found}")
    return {"text": text, "merges": len(merges)}
