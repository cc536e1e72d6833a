"""Calculations in prose, judged by how precisely they are stated."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofdeck.audit.calculations import calculations
from proofdeck.audit.ratios import ratios
from proofdeck.audit.sentences import sentences
from proofdeck.audit.tokens import tokens


def judged(text: str) -> list[tuple[str, str]]:
    cut = tokens(text)
    return [(found.verdict, found.computed) for found in (*calculations(text, cut), *ratios(text, cut))]


RIGHT = [
    "2 (K and V) x 80 layers × 8 KV heads (GQA) × 128 d_k × 4096 seq × 2 bytes = 1.34 GB a request",
    "4096x4096 = 16M entries",
    "$3.50/hr × 24 h = $84",
    "512*2048 + 2048 = 1,050,624",
    "70B × 1.4T × 6 = 5.88e23 FLOPs",
    "6 · 70·10⁹ · 1.4·10¹² ≈ 5.9 × 10²³",
    "1.4T / 70B = 20 tokens a parameter",
    "sqrt(64) = 8",
    "√64 = 8",
    "2^10 = 1024",
    "95% × 95% ≈ 90%",
    "0.9^10 = 0.35",
    "30% of 200 = 60",
    "70 × 2 = 140 GB",
    "1M users × 5 calls/day = 5M calls/day",
    "1000 tok/s × 60 s = 60,000 tokens",
    "5 × 0.9M × $2.50/M = $11.25",
    "(1 - 0.9) * 50 = 5",
    "50M * 1536 * 4 = ~300GB of vectors + ~150GB of links = 450GB",
    "140 GB / 3.35 TB/s = 42 ms",
    "3 × 4 = 12 = 24 / 2",
]
WRONG = [
    ("512*2048 + 2048 = 1,050,642", "1,050,624"),
    ("5 × 900K × $2.50/M = $12.50", "11.25"),
    ("30% of 200 = 70", "60"),
    ("sqrt(64) = 9", "8"),
    ("10 × 4 + 3 = 44", "43"),
    ("7B × 2 bytes = 28 GB", "14,000,000,000"),
    ("7072 × 3.50 × 730 = $18,073,040", "18,068,960"),
    ("0.5 + 0.25 = 0.9", "0.75"),
    ("8 × 8 ≈ 90", "64"),
]
IMPRECISE = ["7B × 2 bytes = 13.5 GB", "2^30 × 1 bytes = 1.00 GB", "3 × 33.4 ≈ 110"]
SILENT = [
    "d × 4 × 2 = 8",
    "2 × d_model × 4 = 8",
    "2 × 3 × d = 8",
    "16x16 patches = 196 tokens",
    "lr = 3e-4 and N = 7",
    "GPT-4 = 8 experts",
    "Llama-3.1-8B on 2 A100-80GB",
    "4-8 = many",
    "24 × 2 = 3 days",
    "8 × 10 = 80 of 100 and 2 × d = 9",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right(text: str) -> None:
    verdicts = [verdict for verdict, _ in judged(text)]
    assert verdicts and set(verdicts) == {"right"}


@pytest.mark.parametrize("text, computed", WRONG)
def test_what_is_wrong(text: str, computed: str) -> None:
    assert judged(text) == [("wrong", computed)]


@pytest.mark.parametrize("text", IMPRECISE)
def test_what_is_imprecise(text: str) -> None:
    assert [verdict for verdict, _ in judged(text)] == ["imprecise"]


@pytest.mark.parametrize("text", SILENT)
def test_what_nobody_can_tell_is_never_called_wrong(text: str) -> None:
    assert "wrong" not in [verdict for verdict, _ in judged(text)]


@pytest.mark.parametrize(
    "text, verdict",
    [
        ("The vocabulary doubled from 32K to 64K.", "right"),
        ("The vocabulary doubled from 32K to 128K.", "wrong"),
        ("Bandwidth is 4.8 TB/s vs 3.35 TB/s, a 43% increase.", "right"),
        ("Bandwidth is 4.8 TB/s vs 3.35 TB/s, a 60% increase.", "wrong"),
        ("It is 8× smaller (64 vs 8 heads).", "right"),
        ("It shrinks by 75% (32 → 8).", "right"),
        ("It shrinks by 50% (32 → 8).", "wrong"),
        ("Cached tokens cost 10% of the others ($1.50/M vs $15/M).", "right"),
    ],
)
def test_ratios(text: str, verdict: str) -> None:
    assert [found for found, _ in judged(text)] == [verdict]


@pytest.mark.parametrize(
    "text",
    [
        "Perplexity from 100 to 20 takes 10x more compute.",
        "From 2017 to 2020 it doubled the staff of 30.",
        "Recall rose from 60% to 90%.",
        "It is 3× faster and grew from 10 to 20 layers, while 5 to 6 remain.",
        "Doubling context from 4K to 8K quadruples memory.",
    ],
)
def test_a_factor_of_something_else_is_no_wrong_ratio(text: str) -> None:
    assert "wrong" not in [verdict for verdict, _ in judged(text)]


@given(st.integers(2, 999), st.integers(2, 999))
def test_a_product_is_right_and_its_neighbour_wrong(a: int, b: int) -> None:
    assert [verdict for verdict, _ in judged(f"It is {a} × {b} = {a * b} in all.")] == ["right"]
    off = a * b + (7 if (a * b + 7) % 10 else 3)
    assert [verdict for verdict, _ in judged(f"It is {a} × {b} = {off} in all.")] == ["wrong"]


@given(
    st.text(st.sampled_from(list("0123456789.,×x*/+-−^=≈~()%$ KMGTBs→ab²⁻√eE")), max_size=60)
    | st.text(max_size=60)
)
def test_any_text_is_read_without_error(text: str) -> None:
    judged(text)


@pytest.mark.parametrize("piece", ["1+", "2*", "(", "√", "2^", "= 1 ", "1K + ", "$", "%"])
def test_a_sentence_of_nothing_but_signs_is_read_without_error(piece: str) -> None:
    judged(piece * 1500 + "1 = 5")


def test_sentences_end_where_they_end() -> None:
    text = "It is 3.5 GB, e.g. Twice that. Then more; 4 × 2 = 8.\nLast one?"
    found = [sentence.strip() for _, sentence in sentences(text)]
    assert found == ["It is 3.5 GB, e.g. Twice that.", "Then more;", "4 × 2 = 8.", "Last one?"]
    assert all(text[offset : offset + len(sentence)] == sentence for offset, sentence in sentences(text))
