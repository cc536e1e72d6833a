"""No bare numbers: a typed numeral stands beside the evidence that would catch it if it were wrong.

A numeral passes in a sentence that cites a source, or where it equals a number in the text of one of the
sentence's roles (an argument, the side of a comparison), or where the sentence's only evidence is a
property check. So a wrong number beside a comparison fails: it is not the number that is compared.
"""

from __future__ import annotations

import contextlib
import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field

from proofdeck.errors import Problem
from proofdeck.parse.expressions import Comparison, texts
from proofdeck.parse.model import (
    Block,
    Check,
    Cite,
    Claim,
    Judgement,
    Parsed,
    Span,
    Table,
    Value,
    calls_of,
    claims_of,
)

_SUFFIXES = {
    "k": (1e3, 1024.0), "K": (1e3, 1024.0), "M": (1e6, 2.0**20), "B": (1e9,), "G": (1e9, 2.0**30),
    "T": (1e12, 2.0**40), "%": (0.01,), "": (),
}  # fmt: skip
_NUMERAL = re.compile(
    r"(?<![\w.])(?<![A-Za-z]-)(?<![A-Za-z]\N{NON-BREAKING HYPHEN})"  # GPT-2 and fp16 are names
    r"(\d[\d,_]*(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+|[¼-¾⅐-⅞])([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]*)"
    r"(%|[kKMBTG](?![\w])|[x×](?!\w)|(?:[kKMGTP]i?)?(?:B|FLOPs?|bits?)\b|(?:[mµun]?s|h|min|W|nm)\b|(?![A-Za-z\d_]))"
)
_DIGIT = re.compile(r"[\d¼-¾⅐-⅞]")
_NAME = re.compile(r"\b[A-Za-z][A-Za-z\d]*(?:[-\N{NON-BREAKING HYPHEN}][A-Za-z\d]+(?:\.\d+)?)+")
"""Llama-2-70B and FlashAttention-3 are names, digits and all."""
_END = re.compile(r"[.!?…][\"'”’)\]]*(?:\s+|$)")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|et al|vs|cf|resp|approx|no|fig|eq|sec|[A-Z])\.)$", re.I)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


@dataclass
class _Sentence:
    """Words and evidence between two full stops."""

    spans: list[Span] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        return not any(span.text.strip() for span in self.spans)


def lint_numbers(parsed: Parsed) -> Iterator[Problem]:
    """Yield every bare number, every formula without evidence, and every note without any."""
    by_note: dict[int, list[Block]] = {}
    for block in parsed.blocks:
        by_note.setdefault(block.note, []).append(block)
    for index, note in enumerate(parsed.notes):
        if note.unverified:
            continue
        if not any(isinstance(claim, Value | Check | Cite | Table | Judgement) for claim in claims_of(note)):
            yield note.place.problem(
                "a note without evidence",
                "compute with {value}, test with {check}, {cite} a source, or say {judgement}",
            )
        blocks = by_note.get(index, [])
        for position, block in enumerate(blocks):
            if any(_worth_reading(span) for span in block.spans):
                yield from _block(parsed.file, block, position, blocks)


def _unnamed(text: str) -> str:
    """Blank out names that hold digits."""
    hyphenated = "-" in text or "\N{NON-BREAKING HYPHEN}" in text
    return _NAME.sub(lambda match: " " * len(match[0]), text) if hyphenated else text


def _worth_reading(span: Span) -> bool:
    """Say whether a span may need evidence; most do not, and their sentences need not be told apart."""
    if span.kind == "display":
        return True
    if span.kind not in ("text", "math") or not _DIGIT.search(span.text):
        return False
    return span.kind == "math" or _NUMERAL.search(_unnamed(span.text)) is not None


def _block(file: str, block: Block, position: int, blocks: list[Block]) -> Iterator[Problem]:
    part = [other for other in blocks if other.part == block.part]
    if block.kind == "heading":
        if block.part == "trap":  # it quotes the wrong answer, wrong number and all
            return
        claims = [claim for other in part for claim in _claims(other)]
        yield from _sentence(file, _Sentence(list(block.spans), claims), display=True)
        return
    around = [other for other in _around(position, blocks) if other.part == block.part]
    proven = any(isinstance(claim, Check | Cite) for other in around for claim in _claims(other))
    for sentence in _sentences(block) if block.kind != "row" else [_whole(block)]:
        yield from _sentence(file, sentence, display=proven)


def _around(position: int, blocks: list[Block]) -> list[Block]:
    """Return a block, its neighbours, and theirs across a row of displayed formulas."""
    first = last = position
    while first > 0 and (first == position or blocks[first].kind == "display"):
        first -= 1
    while last < len(blocks) - 1 and (last == position or blocks[last].kind == "display"):
        last += 1
    return blocks[first : last + 1]


def _claims(block: Block) -> list[Claim]:
    return [span.claim for span in block.spans if span.claim]


def _whole(block: Block) -> _Sentence:
    return _Sentence(list(block.spans), _claims(block))


def _sentences(block: Block) -> list[_Sentence]:
    """Cut a block at its full stops; evidence right after a full stop belongs to what it follows."""
    sentences = [_Sentence()]
    for span in block.spans:
        if span.claim:
            late = sentences[-1].empty and len(sentences) > 1 and isinstance(span.claim, Check | Cite)
            sentences[-2 if late else -1].claims.append(span.claim)
        if span.kind != "text":
            if not span.claim:
                sentences[-1].spans.append(span)
            continue
        begin = 0
        for end in _END.finditer(span.text):
            following = span.text[end.end() : end.end() + 1]
            if following.islower() or _ABBREVIATION.search(span.text[: end.start() + 1]):
                continue
            sentences[-1].spans.append(_cut(span, begin, end.end()))
            sentences.append(_Sentence())
            begin = end.end()
        if begin < len(span.text):
            sentences[-1].spans.append(_cut(span, begin, len(span.text)))
    return [sentence for sentence in sentences if sentence.spans or sentence.claims]


def _cut(span: Span, begin: int, end: int) -> Span:
    return Span(span.kind, span.text[begin:end], span.offset + begin, span.where)


def _sentence(file: str, sentence: _Sentence, display: bool) -> Iterator[Problem]:
    claims = sentence.claims
    cited = any(isinstance(claim, Cite) for claim in claims)
    if cited:
        return
    evident = any(isinstance(claim, Value | Check | Table) for claim in claims)
    vouched = [number for claim in claims for number in _numbers(claim)]
    compared = any(isinstance(claim, Check) and isinstance(claim.test, Comparison) for claim in claims)
    evidence = [claim for claim in claims if isinstance(claim, Value | Check | Table)]
    property_only = not compared and bool(evidence) and all(isinstance(claim, Check) for claim in evidence)
    names = _names(claims)
    for span in sentence.spans:
        if span.kind == "display" and not display:
            yield Problem(
                file, span.line, span.column, "a displayed formula without evidence",
                "put a {check} or {cite} beside it",
            )  # fmt: skip
        elif span.kind == "math" and re.search(r"\d", span.text):
            if not re.fullmatch(r"[\d,. ]+", span.text):
                if not evident:
                    yield Problem(
                        file, span.line, span.column, f"`{span.text[:40]}` holds a number without evidence",
                        "put a {check} or {cite} in its sentence",
                    )  # fmt: skip
            elif not property_only:
                yield from _numerals(file, span, vouched, names)
        elif span.kind == "text" and not (property_only and not vouched):
            yield from _numerals(file, span, vouched, names)


def _numerals(file: str, span: Span, vouched: list[float], names: list[re.Pattern[str]]) -> Iterator[Problem]:
    text = span.text
    for name in names:
        text = name.sub(lambda match: " " * len(match[0]), text)
    text = _unnamed(text)
    for match in _NUMERAL.finditer(text):
        if _vouched(match, vouched):
            continue
        written = match[0].rstrip(",")
        if vouched:
            tested = ", ".join(f"{number:g}" for number in dict.fromkeys(vouched))
            message = f"`{written}` is not a number that this sentence's evidence names ({tested})"
        else:
            message = f"`{written}` is a bare number"
        hint = f"compute it with {{value}}, compare it with {{check}}`module.function() ≈ {written}`, or {{cite}} it"
        yield Problem(file, *span.where(span.offset + match.start()), message, hint)


def _vouched(match: re.Match[str], vouched: list[float]) -> bool:
    digits, power, suffix = match.groups()
    number = unicodedata.numeric(digits) if len(digits) == 1 else float(re.sub(r"[,_]", "", digits))
    candidates = [number]
    if power and number:
        with contextlib.suppress(ValueError, OverflowError):  # a lone ⁻, or a tower
            candidates.append(number ** int(power.translate(_SUPERSCRIPTS)))
    factors = _SUFFIXES.get(suffix, ())
    candidates += [number * factor for factor in factors]
    return any(
        math.isclose(abs(known), candidate, rel_tol=1e-9) for known in vouched for candidate in candidates
    )


def _numbers(claim: Claim) -> list[float]:
    if isinstance(claim, Check) and isinstance(claim.test, Comparison):
        return list(claim.test.numbers)
    return [number for call in calls_of(claim) for number in call.numbers]


def _names(claims: list[Claim]) -> list[re.Pattern[str]]:
    """A text argument with digits is a name: `llama-2-70b` makes "Llama 2 70B" one."""
    found = {
        text for claim in claims for call in calls_of(claim) for text in texts(call) if re.search(r"\d", text)
    }
    words = [re.findall(r"[A-Za-z]+|\d+", text) for text in sorted(found) if len(text) < 80]
    return [re.compile(r"\b" + r"[\s\-.]*".join(word) + r"\b", re.I) for word in words if word]
