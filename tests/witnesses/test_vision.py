"""Independent ways to the numbers of verifiers/vision.py."""

from __future__ import annotations

import numpy as np
import pytest

from proofdeck import witnesses
from verifiers import vision


@witnesses("vision.patch_embedding_is_a_convolution")
def test_patches_and_convolution_are_those_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    image, kernels = rng.standard_normal((3, 8, 12)), rng.standard_normal((5, 3, 4, 4))
    for stride in (1, 4):
        theirs = torch.nn.functional.conv2d(torch.tensor(image)[None], torch.tensor(kernels), stride=stride)[
            0
        ]
        np.testing.assert_allclose(vision.convolve(image, kernels, stride), theirs, atol=1e-12)
    unfolded = torch.nn.functional.unfold(torch.tensor(image)[None], 4, stride=4)[0].T
    np.testing.assert_allclose(vision.patchify(image, 4), unfolded, atol=0)
    assert vision.patch_embedding_is_a_convolution()["seeds"] == 4
    monkeypatch.setattr(vision, "patchify", lambda pixels, patch: unfold_wrongly(pixels, patch))
    with pytest.raises(AssertionError, match="is off by"):
        vision.patch_embedding_is_a_convolution()


def unfold_wrongly(pixels: np.ndarray, patch: int) -> np.ndarray:  # type: ignore[type-arg]
    """Cut without bringing each patch's pixels together."""
    return pixels.reshape(-1, 3 * patch**2)


@witnesses("vision.convolution_commutes_with_shifts")
def test_a_layer_with_a_place_of_its_own_does_not_commute() -> None:
    found = vision.convolution_commutes_with_shifts()
    assert found == {"image": 8, "shift": 3, "seeds": 4, "tolerance": 1e-12}

    def placed(image: np.ndarray, kernels: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return vision.circular(image, kernels) + np.arange(image.shape[2])

    with pytest.raises(AssertionError, match="is off by"):
        vision.convolution_commutes_with_shifts(layer=placed)


def test_circular_convolution_is_that_of_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    image, kernels = rng.standard_normal((3, 6, 6)), rng.standard_normal((2, 3, 3, 3))
    padded = torch.nn.functional.pad(torch.tensor(image)[None], (0, 2, 0, 2), mode="circular")
    theirs = torch.nn.functional.conv2d(padded, torch.tensor(kernels))[0]
    np.testing.assert_allclose(vision.circular(image, kernels), theirs, atol=1e-12)


@witnesses("vision.flops", "vision.attention_share")
@pytest.mark.parametrize(("name", "patch"), [("vit-b/16", None), ("vit-b/16", 8), ("vit-l/16", 32)])
def test_flops_are_those_counted(name: str, patch: int | None) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from torch.utils.flop_counter import FlopCounterMode

    layers, width, heads = {"vit-b/16": (12, 768, 12), "vit-l/16": (24, 1024, 16)}[name]
    config = transformers.ViTConfig(
        hidden_size=width, num_hidden_layers=layers, num_attention_heads=heads, intermediate_size=4 * width,
        patch_size=patch or 16, attn_implementation="eager",
    )  # fmt: skip
    with torch.device("meta"):
        model = transformers.ViTModel(config, add_pooling_layer=False)
        image = torch.zeros(1, 3, 224, 224)
    with FlopCounterMode(display=False) as counter:
        model(image)
    counts = {str(op): count for op, count in counter.get_flop_counts()["Global"].items()}
    squares = sum(count for op, count in counts.items() if "bmm" in op)
    patches = sum(count for op, count in counts.items() if "conv" in op)
    found = vision.flops(name, patch)
    assert found["attention"] == squares
    assert found["total"] == counter.get_total_flops() - patches
    assert found["matrices"] + found["attention"] == found["total"]
    assert vision.attention_share(name, patch) == squares / found["total"]


def test_flops_of_what_is_no_vision_transformer() -> None:
    for name in ("bert-base", "clip-vit-b/32", "vit"):
        with pytest.raises(ValueError):
            vision.flops(name)


@witnesses("vision.tile_tokens")
@pytest.mark.parametrize(
    ("size", "tiles"),
    [
        ((512, 512), 1), ((513, 512), 2), ((1024, 1024), 4), ((2048, 4096), 6), ((4096, 8192), 6), ((100, 100), 1),
        ((768, 2048), 8), ((2048, 768), 8), ((768, 768), 4), ((1536, 1536), 4), ((5000, 100), 4), ((512, 1024), 2),
        ((8192, 2049), 8), ((3072, 4097), 6), ((3072, 4096), 4), ((2049, 100), 4),
    ],
)  # fmt: skip
def test_tiles_are_those_of_an_image_resized_step_by_step(size: tuple[int, int], tiles: int) -> None:
    from fractions import Fraction

    width, height = Fraction(size[0]), Fraction(size[1])
    if max(width, height) > 2048:
        width, height = width * 2048 / max(width, height), height * 2048 / max(width, height)
    if min(width, height) > 768:
        width, height = width * 768 / min(width, height), height * 768 / min(width, height)
    assert -(-width // 512) * -(-height // 512) == tiles
    assert vision.tile_tokens(*size, per_tile=170, base=85) == 85 + 170 * tiles


def test_tile_tokens_of_other_rules() -> None:
    assert vision.tile_tokens(512, 512, per_tile=7, base=0) == 7
    assert vision.tile_tokens(512, 512, per_tile=0, base=3) == 3
    assert vision.tile_tokens(300, 100, 1, 0, tile=100, longest=200, shortest=500) == 2
    assert vision.tile_tokens(300, 200, 1, 0, tile=50, longest=1000, shortest=100) == 6
    right = {"width": 8, "height": 8, "per_tile": 1, "base": 1, "tile": 1, "longest": 8, "shortest": 8}
    for name, wrong in (dict.fromkeys(right, 0) | {"per_tile": -1, "base": -1}).items():
        with pytest.raises(ValueError):
            vision.tile_tokens(**right | {name: wrong})
    assert vision.tile_tokens(**right) == 65
    assert vision.tile_tokens(1, 1, 1, 1, tile=1, longest=1, shortest=1) == 2


@witnesses("vision.area_tokens")
def test_area_tokens_count_blocks_of_pixels() -> None:
    blocks = [(x, y) for x in range(0, 60, 30) for y in range(0, 75, 25)]
    assert vision.area_tokens(60, 75, 750) == len(blocks)
    assert vision.area_tokens(1, 1, 2) == 0.5
    for wrong in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(ValueError):
            vision.area_tokens(*wrong)


@witnesses("vision.missed_event")
def test_missed_events_are_those_that_no_sampled_frame_meets() -> None:
    for every in (1, 2, 5):
        for frames in (1, 2, 3, 5, 9):
            missed = sum(
                not any(start <= frame < start + frames for frame in range(0, 100, every))
                for start in range(every)
            )
            assert vision.missed_event(frames, every) == pytest.approx(missed / every)
    for wrong in ((0, 5), (1, 0)):
        with pytest.raises(ValueError):
            vision.missed_event(*wrong)
