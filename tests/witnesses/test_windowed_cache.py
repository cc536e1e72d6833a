"""Independent ways to the numbers of verifiers/windowed_cache.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import kv_cache, models, windowed_cache
from verifiers.cached_attention import attend, masked_attention


def test_windows_of_any_size_in_any_number_of_layers() -> None:
    """Add up the rows that each of Llama-3-8B's 32 layers keeps."""
    for window, local in ((10, 0), (10, 5), (1, 32)):
        rows = sum(min(25, window) if layer < local else 25 for layer in range(32))
        found = windowed_cache.nbytes("llama-3-8b", 25, window=window, window_layers=local)
        assert found == rows * 2 * 8 * 128 * 2
        saved = windowed_cache.saving("llama-3-8b", 25, window, local)
        assert saved == pytest.approx(1 - rows / (32 * 25))
    assert windowed_cache.nbytes("mistral-7b", 10, window=4) == 32 * 4 * 2 * 8 * 128 * 2
    assert windowed_cache.nbytes("mistral-7b", 10, window_layers=0) == kv_cache.nbytes("mistral-7b", 10)
    assert windowed_cache.nbytes("mistral-7b", 0) == windowed_cache.nbytes("mistral-7b", 5, batch=0) == 0


@witnesses("windowed_cache.reach", "windowed_cache.reach_of_stacked_windows")
@pytest.mark.parametrize(("layers", "window"), [(1, 1), (1, 5), (3, 4), (4, 2)])
def test_reach_equals_the_positions_with_a_gradient(layers: int, window: int) -> None:
    torch = pytest.importorskip("torch")
    tokens = layers * window + 3
    behind = torch.arange(tokens)[:, None] - torch.arange(tokens)
    band = ((behind >= 0) & (behind < window)).double()
    x = torch.ones(tokens, 1, dtype=torch.float64, requires_grad=True)
    state = x
    for _ in range(layers):
        state = band @ state
    state[-1].sum().backward()
    assert windowed_cache.reach(layers, window) == int((x.grad != 0).sum())
    assert np.count_nonzero(windowed_cache.influence(layers, window, tokens)[-1]) == int((x.grad != 0).sum())


def test_the_reach_check_fails_for_a_reach_of_layers_times_window(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = {"layers and windows": "1, 4; 3, 4; 5, 2; 2, 1"}
    assert windowed_cache.reach_of_stacked_windows() == tried
    windowed_cache.reach_of_stacked_windows(((2, 3),), spare=0)
    monkeypatch.setattr(windowed_cache, "reach", lambda layers, window: layers * window)
    with pytest.raises(AssertionError, match="positions"):
        windowed_cache.reach_of_stacked_windows(((3, 4),))


def test_the_reach_check_looks_beyond_the_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(windowed_cache, "reach", lambda *_: 5)
    monkeypatch.setattr(windowed_cache, "influence", lambda *given: asked.append(given) or np.eye(1, 5) * 5)
    windowed_cache.reach_of_stacked_windows(((2, 3),), spare=7)
    assert asked == [(2, 3, 12)]


@witnesses("windowed_cache.score_pairs")
@pytest.mark.parametrize("window", [1, 3, 9, 10, 50])
def test_pairs_equal_a_count_of_the_mask(window: int) -> None:
    for tokens in (1, 9, 10):
        mask = [[0 <= q - k < window for k in range(tokens)] for q in range(tokens)]
        found = windowed_cache.score_pairs(tokens, window)
        assert found == sum(map(sum, mask))
        assert isinstance(found, int)


@witnesses("windowed_cache.ring_buffer_equals_band_mask")
def test_a_ring_of_another_length_is_caught() -> None:
    torch = pytest.importorskip("torch")
    tried = {"tokens": 12, "windows": "1, 3, 8, 12, 20", "tolerance": 1e-12}
    assert windowed_cache.ring_buffer_equals_band_mask() == tried
    rng = np.random.default_rng(0)
    q, k, v = rng.standard_normal((3, 2, 9, 4))
    rows = torch.arange(9)
    band = (rows[:, None] >= rows) & (rows[:, None] - rows < 4)
    expected = torch.nn.functional.scaled_dot_product_attention(
        *(torch.from_numpy(a)[None] for a in (q, k, v)), attn_mask=band
    )
    assert np.allclose(windowed_cache.decode_in_ring(q, k, v, 4), expected[0].numpy(), atol=1e-12)

    def one_longer(q: np.ndarray, k: np.ndarray, v: np.ndarray, window: int) -> np.ndarray:
        return windowed_cache.decode_in_ring(q, k, v, window + 1)

    def forgets_at_once(q: np.ndarray, k: np.ndarray, v: np.ndarray, window: int) -> np.ndarray:
        return np.stack([attend(q[:, t], k[:, t : t + 1], v[:, t : t + 1]) for t in range(q.shape[1])], 1)

    for wrong in (one_longer, forgets_at_once):
        with pytest.raises(AssertionError, match="differs"):
            windowed_cache.compare_with_band(wrong, (3,), (4, 2), 12, 8, 1e-12)


def test_an_error_as_large_as_the_tolerance_is_too_large() -> None:
    with pytest.raises(AssertionError, match="differs by 0"):
        windowed_cache.compare_with_band(masked_attention, (3,), (4, 2), 12, 8, 0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: windowed_cache.nbytes("llama-3-8b", 10),
        lambda: windowed_cache.nbytes("llama-3-8b", 10, window=4),
        lambda: windowed_cache.nbytes("llama-3-8b", 10, window_layers=4),
        lambda: windowed_cache.saving("llama-3-8b", 10, window=4),
        lambda: windowed_cache.nbytes("llama-3-8b", 10, window=0, window_layers=1),
        lambda: windowed_cache.nbytes("llama-3-8b", 10, window=-1, window_layers=1),
        lambda: windowed_cache.nbytes("llama-3-8b", 10, window=1, window_layers=-1),
        lambda: windowed_cache.nbytes("llama-3-8b", 10, window=1, window_layers=33),
        lambda: windowed_cache.nbytes("mistral-7b", 10, window_layers="all"),  # type: ignore[arg-type]
        lambda: windowed_cache.nbytes("mistral-7b", -1),
        lambda: windowed_cache.nbytes("mistral-7b", 1, batch=-1),
        lambda: windowed_cache.nbytes("mistral-7b", -1, batch=-1),
        lambda: windowed_cache.saving("mistral-7b", 0),
        lambda: windowed_cache.reach(0, 1),
        lambda: windowed_cache.reach(1, 0),
        lambda: windowed_cache.score_pairs(0, 1),
        lambda: windowed_cache.score_pairs(1, 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


@witnesses("windowed_cache.nbytes", "windowed_cache.saving")
@pytest.mark.parametrize("tokens", [100, 8192])
def test_bytes_equal_those_of_a_real_cache_with_sliding_layers(tokens: int) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    for name, kind in (("gemma-2-9b", "Gemma2Config"), ("mistral-7b", "MistralConfig")):
        arch = models.get(name)
        config = getattr(transformers, kind)(
            num_hidden_layers=arch.layers,
            num_attention_heads=arch.heads,
            num_key_value_heads=arch.kv_heads,
            head_dim=arch.head_dim,
            hidden_size=arch.d_model,
            sliding_window=arch.window,
        )
        cache = transformers.StaticCache(config=config, max_cache_len=tokens)
        cache.early_initialization(2, arch.kv_heads, arch.head_dim, torch.float32, "meta")
        held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
        assert windowed_cache.nbytes(name, tokens, "fp32", 2) == held
        assert windowed_cache.nbytes(name, tokens) * 4 == held
        full = 2 * 4 * arch.layers * 2 * arch.kv_heads * arch.head_dim * tokens
        assert windowed_cache.saving(name, tokens) == pytest.approx(1 - held / full)
