"""Scores of a text against a reference: BLEU, ROUGE, exact match, token F1, edit distance, error rates."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence

from proofdeck import verifier
from verifiers import arguments

Counts = Counter[tuple[str, ...]]


def words(text: str) -> list[str]:
    """Split into lower-case runs of letters and digits."""
    return re.findall(r"[a-z0-9]+", text.lower())


def ngrams(tokens: Sequence[str], n: int) -> Counts:
    """Count the runs of n tokens."""
    return Counter(tuple(tokens[start : start + n]) for start in range(len(tokens) - n + 1))


def _shared(a: Counts, b: Counts) -> int:
    return (a & b).total()


def _f1(hits: int, predicted: int, wanted: int) -> dict[str, float]:
    precision = hits / predicted if predicted else 0.0
    recall = hits / wanted if wanted else 0.0
    return {"precision": precision, "recall": recall, "f1": 2 * hits / (predicted + wanted) if hits else 0.0}


@verifier
def bleu_precision(candidate: str, references: Sequence[str], n: int) -> dict[str, int]:
    """Clipped n-gram matches of a candidate, and its n-grams; tokens are split at spaces.

    Formula: Σ min(count in the candidate, largest count in one reference), Σ count in the candidate.
    Unit: 1
    Source: papineni2002
    """
    if isinstance(references, str):
        raise ValueError("references are a list of texts, not one text")
    arguments.counts(n=n, references=len(references))
    allowed: Counts = Counter()
    for reference in references:
        allowed |= ngrams(reference.split(), n)
    own = ngrams(candidate.split(), n)
    return {"matches": _shared(own, allowed), "total": own.total()}


@verifier
def brevity_penalty(candidate_length: int, reference_length: int) -> float:
    """Factor by which BLEU punishes a candidate that is shorter than its reference.

    Formula: min(1, exp(1 − reference / candidate)).
    Unit: 1
    Source: papineni2002
    """
    arguments.counts(candidate_length=candidate_length, reference_length=reference_length)
    return min(1.0, math.exp(1 - reference_length / candidate_length))


@verifier
def bleu(candidate: str, references: Sequence[str], order: int = 4, smooth: bool = False) -> float:
    """BLEU of one sentence; `smooth` puts ½, ¼, … for the matches of each higher order without any.

    Formula: brevity penalty · (Π p_n)^(1 / order); the reference nearest in length counts, the shorter
    of two equally near ones.
    Unit: 1
    Source: papineni2002, post2018
    """
    arguments.counts(order=order)
    length = len(candidate.split())
    near = min((len(text.split()) for text in references), key=lambda other: (abs(other - length), other))
    logs, virtual = 0.0, 1.0
    for n in range(1, order + 1):
        found = bleu_precision(candidate, references, n)
        matches = float(found["matches"])
        if not matches and smooth and n > 1:
            virtual /= 2
            matches = virtual
        if not matches or not found["total"]:
            return 0.0
        logs += math.log(matches / found["total"])
    return brevity_penalty(length, near) * math.exp(logs / order)


@verifier
def rouge_n(candidate: str, reference: str, n: int) -> dict[str, float]:
    """ROUGE-N without stemming: n-grams that candidate and reference share.

    Formula: precision = shared / candidate's, recall = shared / reference's, f1 = 2 · shared / both.
    Unit: 1
    Source: lin2004
    """
    arguments.counts(n=n)
    a, b = ngrams(words(candidate), n), ngrams(words(reference), n)
    return _f1(_shared(a, b), a.total(), b.total())


def _common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    best = [0] * (len(b) + 1)
    for token in a:
        diagonal = 0
        for place, other in enumerate(b, 1):
            above = best[place]
            best[place] = diagonal + 1 if token == other else max(above, best[place - 1])
            diagonal = above
    return best[-1]


@verifier
def rouge_l(candidate: str, reference: str) -> dict[str, float]:
    """ROUGE-L without stemming: the longest sequence of words that both hold in the same order.

    Formula: precision = LCS / candidate's words, recall = LCS / reference's, f1 = 2 · LCS / both.
    Unit: 1
    Source: lin2004
    """
    a, b = words(candidate), words(reference)
    return _f1(_common_subsequence(a, b), len(a), len(b))


def normalised(text: str) -> list[str]:
    """Drop case, ASCII punctuation and articles, as SQuAD does; return the words."""
    bare = text.lower().translate(str.maketrans("", "", string.punctuation))
    return re.sub(r"\b(a|an|the)\b", " ", bare).split()


@verifier
def exact_match(prediction: str, reference: str) -> int:
    """1 where two answers are the same but for case, ASCII punctuation, articles and spaces; else 0.

    Formula: [normalised prediction = normalised reference].
    Unit: 1
    Source: rajpurkar2016
    """
    return int(normalised(prediction) == normalised(reference))


@verifier
def token_f1(prediction: str, reference: str) -> float:
    """F1 of the words of two answers, without case, ASCII punctuation and articles; 1 if both are empty.

    Formula: 2 · shared words / (words of the prediction + words of the reference).
    Unit: 1
    Source: rajpurkar2016
    """
    a, b = ngrams(normalised(prediction), 1), ngrams(normalised(reference), 1)
    return _f1(_shared(a, b), a.total(), b.total())["f1"] if a or b else 1.0


def _distance(a: Sequence[str], b: Sequence[str]) -> int:
    best = list(range(len(b) + 1))
    for row, token in enumerate(a, 1):
        diagonal, best[0] = best[0], row
        for place, other in enumerate(b, 1):
            change = diagonal + (token != other)
            diagonal = best[place]
            best[place] = min(change, diagonal + 1, best[place - 1] + 1)
    return best[-1]


@verifier
def edit_distance(a: str, b: str) -> int:
    """Fewest insertions, deletions and substitutions of characters that turn one text into another.

    Formula: Levenshtein distance.
    Unit: 1
    Source: definition
    """
    return _distance(a, b)


@verifier
def word_error_rate(hypothesis: str, reference: str) -> float:
    """Edit distance in words over the words of the reference; it can exceed one.

    Formula: (substitutions + deletions + insertions) / reference words, split at spaces.
    Unit: 1
    Source: definition
    """
    wanted = reference.split()
    arguments.counts(reference=len(wanted))
    return _distance(hypothesis.split(), wanted) / len(wanted)


@verifier
def character_error_rate(hypothesis: str, reference: str) -> float:
    """Edit distance in characters over the characters of the reference.

    Formula: (substitutions + deletions + insertions) / reference characters.
    Unit: 1
    Source: definition
    """
    arguments.counts(reference=len(reference))
    return _distance(hypothesis, reference) / len(reference)
