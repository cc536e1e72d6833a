"""Independent ways to the numbers of verifiers/latent_cache.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import kv_cache, latent_cache, models


@witnesses("latent_cache.absorbed_equals_decompressed")
def test_attention_to_latents_equals_torch_and_a_wrong_map_is_caught() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(9)
    q, latents = rng.standard_normal((3, 5)), rng.standard_normal((8, 4))
    up_keys, up_values = rng.standard_normal((2, 3, 4, 5))
    keys, values = (torch.from_numpy(np.stack([latents @ m for m in maps])) for maps in (up_keys, up_values))
    expected = torch.nn.functional.scaled_dot_product_attention(
        torch.from_numpy(q)[None, :, None], keys[None], values[None]
    )[0, :, 0].numpy()
    for attend in (latent_cache.absorbed, latent_cache.decompressed):
        assert np.allclose(attend(q, latents, up_keys, up_values), expected, atol=1e-12)

    def keys_for_values(q: np.ndarray, latents: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
        return latent_cache.absorbed(q, latents, k, k)

    def one_element_off(*given: np.ndarray) -> np.ndarray:
        found = latent_cache.decompressed(*given)
        found[1, 2] += 0.1
        return found

    for wrong in (keys_for_values, one_element_off):
        with pytest.raises(AssertionError, match="differs"):
            latent_cache.compare(wrong, 4, 8, 6, 10, 1, 1e-12)
    tried = {"heads": 4, "width": 8, "rank": 6, "tokens": 10, "tolerance": 1e-12}
    assert latent_cache.absorbed_equals_decompressed() == tried


def test_every_seed_gives_another_problem_of_the_shape_asked_for() -> None:
    seen = []

    def records(*given: np.ndarray) -> np.ndarray:
        seen.append(given)
        return latent_cache.decompressed(*given)

    latent_cache.compare(records, 2, 3, 5, 7, 2, 1e-12)
    assert [array.shape for array in seen[0]] == [(2, 3), (7, 5), (2, 5, 3), (2, 5, 3)]
    assert len(seen) == 2
    assert not np.allclose(seen[0][0], seen[1][0])


def test_an_error_as_large_as_the_tolerance_is_too_large() -> None:
    with pytest.raises(AssertionError, match="differs by 0"):
        latent_cache.compare(latent_cache.decompressed, 2, 3, 5, 7, 1, 0)


@witnesses("latent_cache.decode_flops")
@pytest.mark.parametrize("tokens", [1, 50])
@pytest.mark.parametrize("name", ["deepseek-v3", "deepseek-v2-lite"])
def test_flops_equal_those_counted_in_torch(tokens: int, name: str) -> None:
    torch = pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    arch = models.get(name)
    heads, width, rank, rotated = arch.heads, arch.head_dim, 512, 64
    empty = lambda *shape: torch.empty(shape, device="meta")  # noqa: E731
    q, turned = empty(heads, 1, width), empty(heads, 1, rotated)
    latents, rope = empty(heads, tokens, rank), empty(heads, tokens, rotated)
    up_keys, up_values = empty(heads, rank, width), empty(heads, rank, width)
    with FlopCounterMode(display=False) as absorbed:
        moved = torch.bmm(q, up_keys.transpose(1, 2))
        scores = torch.bmm(moved, latents.transpose(1, 2)) + torch.bmm(turned, rope.transpose(1, 2))
        torch.bmm(torch.bmm(scores, latents), up_values)
    with FlopCounterMode(display=False) as rebuilt:
        keys, values = torch.bmm(latents, up_keys), torch.bmm(latents, up_values)
        scores = torch.bmm(q, keys.transpose(1, 2)) + torch.bmm(turned, rope.transpose(1, 2))
        torch.bmm(scores, values)
    assert latent_cache.decode_flops(name, tokens) == arch.layers * absorbed.get_total_flops()
    assert latent_cache.decode_flops(name, tokens, False) == arch.layers * rebuilt.get_total_flops()


@pytest.mark.parametrize(
    "call",
    [
        lambda: latent_cache.nbytes(0, 1, 1, 1),
        lambda: latent_cache.nbytes(1, 0, 1, 1),
        lambda: latent_cache.nbytes(1, 1, -1, 1),
        lambda: latent_cache.nbytes(1, 1, 1, -1),
        lambda: latent_cache.nbytes(1, 1, 1, 1, batch=-1),
        lambda: latent_cache.equivalent_groups("llama-2-7b"),
        lambda: latent_cache.decode_flops("llama-2-7b", 1),
        lambda: latent_cache.decode_flops("deepseek-v3", 0),
    ],
)
def test_wrong_arguments_are_refused(call: object) -> None:
    with pytest.raises(ValueError):
        call()  # type: ignore[operator]


@witnesses("latent_cache.nbytes", "latent_cache.equivalent_groups")
def test_bytes_equal_what_the_projection_of_a_real_layer_writes() -> None:
    """Build DeepSeek-V3's attention and see how wide the projection is whose output is cached."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from transformers.models.deepseek_v3.configuration_deepseek_v3 import DeepseekV3Config
    from transformers.models.deepseek_v3.modeling_deepseek_v3 import DeepseekV3Attention

    config = DeepseekV3Config()
    with torch.device("meta"):
        layer = DeepseekV3Attention(config, 0).to(torch.bfloat16)
        written = layer.kv_a_proj_with_mqa(torch.empty(3, 7, config.hidden_size, dtype=torch.bfloat16))
    held = written.nbytes * config.num_hidden_layers
    rank, rotated = config.kv_lora_rank, config.qk_rope_head_dim
    assert latent_cache.nbytes(config.num_hidden_layers, rank, rotated, 7, "bf16", 3) == held
    assert latent_cache.nbytes(61, 512, 64, 7) * 3 == held
    assert kv_cache.nbytes("deepseek-v3", 7, batch=3) == held
    grouped = torch.empty(2, 7, config.v_head_dim, dtype=torch.bfloat16).nbytes
    assert latent_cache.equivalent_groups("deepseek-v3") == written[0].nbytes / grouped == 2.25
    assert latent_cache.nbytes(1, 5, 0, 0) == latent_cache.nbytes(1, 5, 0, 3, batch=0) == 0
    assert latent_cache.nbytes(1, 5, 0, 3) == 30
