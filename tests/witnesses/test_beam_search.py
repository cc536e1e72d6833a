"""Witnesses of `verifiers/beam_search.py`: generate() of transformers on a tiny model, enumeration."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import beam_search

torch = pytest.importorskip("torch")


def enumerate_texts(model: list[Any]) -> dict[tuple[int, ...], float]:
    vocab = len(model[0])
    return {
        text: sum(float(step[text[: at + 1]]) for at, step in enumerate(model))
        for text in itertools.product(range(vocab), repeat=len(model))
    }


def plain_beam(model: list[Any], width: int) -> tuple[int, ...]:
    """Beam search with one tensor of scores a step, as libraries write it."""
    scores, texts = torch.zeros(1, dtype=torch.float64), [()]
    for step in model:
        table = torch.stack([torch.tensor(step[text]) for text in texts]) + scores[:, None]
        scores, flat = table.flatten().topk(min(width, table.numel()))
        texts = [(*texts[i // table.shape[1]], i % table.shape[1]) for i in flat.tolist()]
    return texts[0]


@witnesses("beam_search.missed")
@pytest.mark.parametrize(
    "width, vocab, length, models, spread, seed",
    [(1, 3, 3, 30, 1.0, 0), (2, 4, 3, 30, 2.0, 1), (1, 2, 1, 3, 1.0, 2), (3, 5, 4, 12, 0.5, 3)],
)
def test_misses_by_enumeration(
    width: int, vocab: int, length: int, models: int, spread: float, seed: int
) -> None:
    gaps = []
    for index in range(models):
        generator = np.random.default_rng((seed, index))
        steps = [
            torch.log_softmax(torch.tensor(spread * generator.standard_normal((vocab,) * n)), -1).numpy()
            for n in range(1, length + 1)
        ]
        every = enumerate_texts(steps)
        gaps.append(max(every.values()) - every[plain_beam(steps, width)])
    ours = beam_search.missed(width, vocab, length, models, spread, seed)
    assert ours["share"] == sum(gap > 1e-12 for gap in gaps) / models
    assert ours["loss"] == pytest.approx(sum(gaps) / models, abs=1e-12)
    if width == 3:
        assert beam_search.missed(1) == beam_search.missed(1, 5, 4, 300, 1.0, 0)
    if length == 1:
        assert ours == {"share": 0, "loss": 0}


@witnesses("beam_search.missed")
def test_flat_models_are_allowed_and_sizes_are_limited() -> None:
    assert beam_search.missed(1, 2, 2, 2, spread=0.0)["loss"] == 0
    assert beam_search.missed(1, 10, 5, 1)["share"] in (0, 1)  # exactly as many texts as are listed


@witnesses("beam_search.widest_beam_is_exhaustive")
def test_a_wide_beam_lists_every_text(monkeypatch: pytest.MonkeyPatch) -> None:
    beam_search.widest_beam_is_exhaustive()
    model = beam_search.random_model(3, 3, (7,), 1.0)
    every = enumerate_texts(model)
    best = sorted(every, key=every.__getitem__, reverse=True)
    assert [text for _, text in beam_search.search(model, 27)] == best
    assert beam_search.search(model, 2)[0][1] == plain_beam(model, 2)
    right = beam_search.search
    monkeypatch.setattr(beam_search, "search", lambda model, width: right(model, width // 2))
    with pytest.raises(AssertionError, match="sorted"):
        beam_search.widest_beam_is_exhaustive()


@witnesses("beam_search.missed", "beam_search.length_score")
def test_generate_of_transformers_finds_the_same_beams() -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    sizes = {"n_layer": 1, "n_head": 1, "n_embd": 8, "vocab_size": 6, "n_positions": 8}
    config = transformers.GPT2Config(**sizes, initializer_range=1.0, bos_token_id=5, eos_token_id=None)
    network = transformers.GPT2LMHeadModel(config).eval()
    with torch.no_grad():
        steps = [
            torch.stack(
                [
                    network(torch.tensor([[5, *text]])).logits[0, -1].double().log_softmax(-1)
                    for text in itertools.product(range(6), repeat=length)
                ]
            ).reshape(*(6,) * length, 6)
            for length in range(3)
        ]
    model = [step.numpy() for step in steps]
    for width in (1, 3):
        found = network.generate(
            torch.tensor([[5]]), attention_mask=torch.ones(1, 1), num_beams=width, num_return_sequences=width,
            max_new_tokens=3, do_sample=False, length_penalty=0.5, pad_token_id=0,
            return_dict_in_generate=True, output_scores=True,
        )  # fmt: skip
        ours = beam_search.search(model, width)
        assert found.sequences[:, 1:].tolist() == [list(text) for _, text in ours]
        if width > 1:
            scores = [beam_search.length_score(score, 3, "length", 0.5) for score, _ in ours]
            assert found.sequences_scores.tolist() == pytest.approx(scores, abs=1e-4)


@witnesses("beam_search.greedy_and_best")
def test_greedy_against_all_paths() -> None:
    first, second = (0.6, 0.4), ((0.35, 0.33, 0.32), (0.9, 0.1, 0.0))
    paths = {(a, b): p * q for a, p in enumerate(first) for b, q in enumerate(second[a])}
    ours = beam_search.greedy_and_best(first, second)
    assert ours == {"greedy": pytest.approx(paths[0, 0]), "best": pytest.approx(max(paths.values()))}
    same = beam_search.greedy_and_best((0.2, 0.8), ((0.5, 0.5), (0.3, 0.7)))
    assert same["greedy"] == same["best"] == pytest.approx(0.56)


@witnesses("beam_search.length_score", "beam_search.sum_favours_short")
def test_length_rules_by_hand() -> None:
    assert beam_search.length_score(-3.0, 7, "sum") == -3
    assert beam_search.length_score(-3.0, 7, "length", 1.0) == pytest.approx(-3 / 7)
    assert beam_search.length_score(-3.0, 7, "length", 0.5) == pytest.approx(-3 / 7**0.5)
    assert beam_search.length_score(-3.0, 7, "gnmt", 1.0) == pytest.approx(-3 / 2)
    assert beam_search.length_score(-3.0, 1, "gnmt", 0.9) == -3  # one token is the reference
    assert beam_search.length_score(-3.0, 7) == pytest.approx(-3 / 2**0.6)
    assert beam_search.length_score(0.0, 7, alpha=0.0) == 0
    ratio = math.prod([0.5] * 3) / math.prod([0.5] * 10)
    assert beam_search.sum_favours_short(3, 10, 0.5) == pytest.approx(ratio)
    assert beam_search.sum_favours_short(1, 1, 1.0) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: beam_search.missed(0),
        lambda: beam_search.missed(1, vocab=1),
        lambda: beam_search.missed(1, length=0),
        lambda: beam_search.missed(1, models=0),
        lambda: beam_search.missed(1, seed=-1),
        lambda: beam_search.missed(1, spread=-1.0),
        lambda: beam_search.missed(1, vocab=10, length=6, models=1),
        lambda: beam_search.missed(1, vocab=20, length=4, models=1),
        lambda: beam_search.greedy_and_best((0.5, 0.4), ((1.0,), (1.0,))),
        lambda: beam_search.greedy_and_best((0.5, 0.5), ((1.0,),)),
        lambda: beam_search.greedy_and_best((0.5, 0.5), ((1.0,), (0.9,))),
        lambda: beam_search.length_score(1.0, 3),
        lambda: beam_search.length_score(-1.0, 0),
        lambda: beam_search.length_score(-1.0, 3, "median"),
        lambda: beam_search.length_score(-1.0, 3, alpha=-1.0),
        lambda: beam_search.sum_favours_short(0, 3, 0.5),
        lambda: beam_search.sum_favours_short(3, 0, 0.5),
        lambda: beam_search.sum_favours_short(3, 4, 0.0),
        lambda: beam_search.sum_favours_short(3, 4, 1.5),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"must|cannot|unknown|too many|needs"):
        call()
