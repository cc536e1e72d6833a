"""What holds for every byte-pair encoding: compression, order of merges, decoding, rare characters."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

from proofdeck import verifier
from verifiers import arguments, bpe
from verifiers.bpe import Pair


def random_corpus(seed: int, alphabet: str, words: int, longest: int) -> str:
    """Return words of random letters, the first letters of the alphabet more frequent."""
    rng = np.random.default_rng(seed)
    weights = np.reciprocal(np.arange(1.0, len(alphabet) + 1))
    weights /= weights.sum()
    lengths = rng.integers(1, longest, words, endpoint=True)
    return " ".join("".join(rng.choice(list(alphabet), length, p=weights)) for length in lengths)


def replayed(word: str, ranks: Mapping[Pair, int]) -> list[str]:
    """Encode a word as training met it: every merge once, in the order in which it was learnt."""
    parts = list(word)
    for pair in ranks:
        parts = bpe.merge(parts, pair)
    return parts


def longest_match(word: str, ranks: Mapping[Pair, int]) -> list[str]:
    """Encode a word by taking the longest known token from the left, as WordPiece does."""
    known = sorted({left + right for left, right in ranks}, key=len, reverse=True)
    return re.findall("|".join([*map(re.escape, known), "."]), word, re.DOTALL)


ENCODERS = {"lowest rank": bpe.encode, "order of training": replayed, "longest match": longest_match}


@verifier
def tokens_by(encoder: str, word: str, merges: tuple[tuple[str, str], ...]) -> int:
    """Tokens of one word under given merges: joined by rank, replayed in order, or the longest first.

    Unit: token
    Source: sennrich2016
    """
    return len(ENCODERS[arguments.one_of("encoder", encoder, ENCODERS)](word, bpe.ranked(merges)))


@verifier
def lowest_rank_replays_training(
    seeds: int = 4, merges: int = 60, words: int = 200, longest: int = 8, alphabet: str = "abcdef"
) -> dict[str, int]:
    """Joining the pair learnt first, again and again, gives what replaying all merges in order gives.

    Unit: check
    Source: sennrich2016
    """
    for seed in range(seeds):
        ranks = bpe.train(random_corpus(seed, alphabet, words, longest), merges, "byte", "gpt2")
        for word in random_corpus(seed + seeds, alphabet, words, longest).split():
            if ENCODERS["order of training"](word, ranks) != bpe.encode(word, ranks):
                raise AssertionError(f"seed {seed}: {word} becomes {bpe.encode(word, ranks)}")
    return {"corpora": seeds, "merges": merges, "words": words}


def tokens_by_merges(corpus: str, merges: int) -> list[int]:
    """Return the tokens of a corpus after 0, 1, 2, … merges learnt from it."""
    counts = Counter(bpe.words(corpus, "byte", "gpt2"))
    parts = {word: list(word) for word in counts}
    found = [sum(counts[word] * len(tokens) for word, tokens in parts.items())]
    for pair in bpe.train(corpus, merges, "byte", "gpt2"):
        parts = {word: bpe.merge(tokens, pair) for word, tokens in parts.items()}
        found.append(sum(counts[word] * len(tokens) for word, tokens in parts.items()))
    return found


@verifier
def every_merge_compresses(
    seeds: int = 4, merges: int = 60, words: int = 200, longest: int = 8, alphabet: str = "abcdef"
) -> dict[str, int]:
    """Each merge leaves the corpus it was learnt from in fewer tokens than before.

    Unit: check
    Source: sennrich2016
    """
    for seed in range(seeds):
        found = tokens_by_merges(random_corpus(seed, alphabet, words, longest), merges)
        if any(later >= earlier for earlier, later in itertools.pairwise(found)):
            raise AssertionError(f"seed {seed}: {found}")
    return {"corpora": seeds, "merges": merges, "words": words}


@verifier
def bytes_survive(
    blocks: tuple[int, ...] = (0x20, 0xC0, 0x5D0, 0xB95, 0x4E00, 0xAC00, 0x13000, 0x1F600),
    characters: int = 40,
    merges: int = 40,
    level: str = "byte",
    alphabet: str = "abcdef",
    seed: int = 0,
) -> dict[str, str | int]:
    """Text of any script comes back from its tokens unchanged, however little of it training met.

    Fails at the level of characters, whose base vocabulary is only what training met.

    Unit: check
    Source: radford2019
    """
    corpus = random_corpus(seed, alphabet, characters, len(alphabet))
    ranks = bpe.train(corpus, merges, level, "gpt2")
    for block in blocks:
        text = "".join(map(chr, range(block, block + characters)))
        if bpe.unknown(text, corpus, level):
            raise AssertionError(f"characters from U+{block:04X} on are outside the vocabulary")
        if bpe.decode(bpe.tokenise(text, ranks, level, "gpt2"), level) != text:
            raise AssertionError(f"characters from U+{block:04X} on come back changed")
    return {"blocks": len(blocks), "characters each": characters}


@verifier
def neighbours_leave_words_alone(
    seeds: int = 4,
    merges: int = 80,
    words: int = 200,
    longest: int = 8,
    alphabet: str = "abcdef",
    pattern: str = "gpt2",
) -> dict[str, int | str]:
    """A word's tokens do not depend on the words beside it, where a pattern cuts words before merging.

    Unit: check
    Source: radford2019
    """
    for seed in range(seeds):
        text = random_corpus(seed, alphabet, words, longest)
        ranks = bpe.train(text, merges, "byte", pattern)
        alone = [bpe.tokenise(f" {word}", ranks, "byte", pattern) for word in text.split()]
        together = bpe.tokenise(f" {text}", ranks, "byte", pattern)
        if [token for word in alone for token in word] != together:
            raise AssertionError(f"seed {seed}: words have other tokens in a text than alone")
    return {"corpora": seeds, "merges": merges, "pattern": pattern}


@verifier
def rare_characters(
    characters: int,
    merges: int,
    exponent: float = 1.0,
    length: int = 100_000,
    first: int = 0x4E00,
    step: int = 1,
) -> dict[str, float]:
    """Byte-level tokens of characters whose frequencies fall as a power of their rank.

    `split` is the share of different characters that take several tokens, `mean` the tokens of one
    character of running text, `worst` the most that a character takes.

    Formula: the character of rank r occurs ⌈length / r^s⌉ times.
    Unit: 1
    Source: definition
    """
    arguments.counts(characters=characters, length=length, first=first, step=step)
    arguments.counts(0, merges=merges)
    arguments.non_negative(exponent=exponent)
    counts = {
        bpe.symbols(chr(first + step * rank), "byte"): int(-(-length // (rank + 1) ** exponent))
        for rank in range(characters)
    }
    ranks = bpe.ranked(bpe.learn(counts, merges))
    tokens = {word: len(bpe.encode(word, ranks)) for word in counts}
    return {
        "split": sum(count > 1 for count in tokens.values()) / characters,
        "mean": sum(counts[word] * tokens[word] for word in counts) / sum(counts.values()),
        "worst": float(max(tokens.values())),
    }
