"""Independent ways to the numbers of verifiers/tokenisation.py: tokenizers, torch and counted bytes."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import tokenisation

TEXTS = ["plain", "naïve", "தமிழ்", "水は冷たい", "한국어", "𓀀𓀁", "🙂a"]


@witnesses("tokenisation.utf8_bytes", "tokenisation.bytes_per_character", "tokenisation.character_bytes")
@pytest.mark.parametrize("text", TEXTS)
def test_bytes_equal_the_tokens_of_an_untrained_byte_tokeniser(text: str) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    cut = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    ((mapped, _),) = cut.pre_tokenize_str(text)
    assert tokenisation.utf8_bytes(text) == len(mapped)
    assert tokenisation.bytes_per_character(text) == len(mapped) / len(text)
    assert sum(tokenisation.character_bytes(ord(c)) for c in text) == len(mapped)


@witnesses("tokenisation.character_bytes")
def test_character_bytes_equal_those_of_every_boundary() -> None:
    for point in (0, 0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x10FFFF):
        assert tokenisation.character_bytes(point) == len(chr(point).encode("utf-8"))
    for point in (-1, 0xD800, 0xDFFF, 0x110000):
        with pytest.raises(ValueError):
            tokenisation.character_bytes(point)


@witnesses("tokenisation.words_per_token")
def test_words_per_token_equal_a_count() -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.train_from_iterator(["low lower lowest"], tokenizers.trainers.BpeTrainer(show_progress=False))
    text = "low lower slow"
    tokens = len(tokenizer.encode(text).ids)
    found = tokenisation.words_per_token(len(text.split()), tokens)
    assert found * tokens == pytest.approx(3)
    assert tokenisation.words_per_token(0, 1) == 0


@witnesses("tokenisation.worst_premium")
def test_worst_premium_equals_bytes_over_english_tokens() -> None:
    english, other = "water is cold today ", "水は冷たい"
    english_tokens = len(english) / 4
    worst = tokenisation.utf8_bytes(other) / english_tokens
    shorter = len(other) / len(english)
    assert tokenisation.worst_premium(3, 4, shorter) == pytest.approx(worst)
    assert tokenisation.worst_premium(2, 5) == 10


@witnesses("tokenisation.request_factors")
@pytest.mark.parametrize("premium", [0.5, 1.0, 4.5])
def test_request_factors_equal_ratios_of_counts(premium: float) -> None:
    tokens, window = 1000, 8000
    more = premium * tokens
    assert tokenisation.request_factors(premium) == pytest.approx(
        {
            "price": more / tokens,
            "scores": (more * more) / (tokens * tokens),
            "context": (window / more) / (window / tokens),
        }
    )


@witnesses("tokenisation.vocabulary_bits", "tokenisation.id_bytes")
@pytest.mark.parametrize("vocabulary", [1, 2, 255, 256, 257, 50257, 65536, 65537, 2**32, 2**32 + 1, 2**64])
def test_widths_hold_every_number(vocabulary: int) -> None:
    assert 2 ** tokenisation.vocabulary_bits(vocabulary) == pytest.approx(vocabulary)
    narrowest = np.min_scalar_type(vocabulary - 1)
    assert tokenisation.id_bytes(vocabulary) == narrowest.itemsize


@witnesses("tokenisation.embedding_share", "tokenisation.head_flops")
@pytest.mark.parametrize("vocabulary, width", [(101, 8), (64, 3)])
def test_shares_equal_those_of_a_model_of_torch(vocabulary: int, width: int) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    embedding = torch.nn.Embedding(vocabulary, width)
    head = torch.nn.Linear(width, vocabulary, bias=False)
    others = 777
    table = embedding.weight.numel()
    tied = tokenisation.embedding_share(vocabulary, width, table + others)
    assert tied == table / (table + others)
    both = table + head.weight.numel()
    untied = tokenisation.embedding_share(vocabulary, width, both + others, tied=False)
    assert untied == both / (both + others)
    with FlopCounterMode(display=False) as looking_up:
        row = embedding(torch.tensor([3]))
    with FlopCounterMode(display=False) as predicting:
        head(row)
    assert looking_up.get_total_flops() == 0
    assert predicting.get_total_flops() == tokenisation.head_flops(vocabulary, width)
    assert tokenisation.embedding_share(2, 3, 6) == tokenisation.embedding_share(2, 3, 12, False) == 1


@witnesses("tokenisation.text_cost")
def test_text_cost_equals_a_forward_pass_over_a_text() -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    vocabulary, width, tokens, nbytes = 50, 8, 6, 24
    block, head = torch.nn.Linear(width, width, bias=False), torch.nn.Linear(width, vocabulary, bias=False)
    with FlopCounterMode(display=False) as counter:
        head(block(torch.randn(tokens, width)))
    found = tokenisation.text_cost(vocabulary, width, block.weight.numel(), tokens / nbytes)
    assert found == pytest.approx(counter.get_total_flops() / nbytes)


@witnesses("tokenisation.reordered_rows")
def test_reordered_rows_equal_rows_of_a_real_embedding() -> None:
    torch = pytest.importorskip("torch")
    rng = random.Random(0)
    order = list(range(12))
    rng.shuffle(order)
    tokens = tuple(rng.choices(range(12), k=30))
    embedding = torch.nn.Embedding(12, 4)
    moved = torch.nn.Embedding(12, 4)
    with torch.no_grad():
        moved.weight[torch.tensor(order)] = embedding.weight
    before, renumbered = embedding(torch.tensor(tokens)), torch.tensor([order[t] for t in tokens])
    wrong = int((embedding(renumbered) != before).any(dim=1).sum())
    remapped = int((moved(renumbered) != before).any(dim=1).sum())
    found = tokenisation.reordered_rows(tuple(order), tokens)
    assert found == {"wrong": wrong, "remapped": remapped} and wrong > 0 == remapped
    assert tokenisation.reordered_rows((0, 1), (1, 0, 1)) == {"wrong": 0, "remapped": 0}
    assert tokenisation.reordered_rows((0,), ()) == {"wrong": 0, "remapped": 0}


@witnesses("tokenisation.lookup_is_a_one_hot_product")
def test_one_hot_product_equals_torchs_embedding(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    table, tokens = torch.randn(40, 6), torch.randint(40, (15,))
    product = torch.nn.functional.one_hot(tokens, 40).float() @ table
    assert torch.equal(product, torch.nn.functional.embedding(tokens, table))
    ours = tokenisation.one_hot_product(table.numpy(), tokens.numpy())
    assert np.array_equal(ours, product.numpy())
    assert tokenisation.lookup_is_a_one_hot_product()["dtype"] == "float32"
    monkeypatch.setattr(tokenisation, "one_hot_product", lambda table, tokens: table[tokens - 1])
    with pytest.raises(AssertionError, match="differs"):
        tokenisation.lookup_is_a_one_hot_product(seeds=1)


def test_wrong_arguments_are_refused() -> None:
    for call in (
        lambda: tokenisation.bytes_per_character(""),
        lambda: tokenisation.words_per_token(-1, 1),
        lambda: tokenisation.words_per_token(1, 0),
        lambda: tokenisation.worst_premium(0, 1, 1),
        lambda: tokenisation.worst_premium(1, 0, 1),
        lambda: tokenisation.worst_premium(1, 1, 0),
        lambda: tokenisation.request_factors(0),
        lambda: tokenisation.id_bytes(0),
        lambda: tokenisation.id_bytes(2**64 + 1),
        lambda: tokenisation.embedding_share(0, 1, 1),
        lambda: tokenisation.embedding_share(1, 0, 1),
        lambda: tokenisation.embedding_share(1, 1, 0),
        lambda: tokenisation.embedding_share(2, 3, 5),
        lambda: tokenisation.head_flops(0, 1),
        lambda: tokenisation.head_flops(1, 0),
        lambda: tokenisation.text_cost(1, 1, 0, 1),
        lambda: tokenisation.text_cost(1, 1, 1, 0),
        lambda: tokenisation.reordered_rows((0, 0), ()),
        lambda: tokenisation.reordered_rows((0, 2), ()),
        lambda: tokenisation.reordered_rows((), ()),
        lambda: tokenisation.reordered_rows((0, 1), (0, 2)),
        lambda: tokenisation.reordered_rows((0, 1), (-1,)),
    ):
        with pytest.raises(ValueError):
            call()
    with pytest.raises(ValueError, match="vocabulary"):
        tokenisation.vocabulary_bits(0)
    assert tokenisation.head_flops(1, 1) == 2 and math.log2(1) == tokenisation.vocabulary_bits(1)
