"""Encoders' parameters, counted on models that transformers builds from released configurations."""

from __future__ import annotations

from typing import Any

import pytest

from proofdeck import witnesses
from tests.witnesses import published
from verifiers import encoders

# all parameters, as the releases' lists of weights add up to
TOTALS = {
    "bert-base": 109_482_240,
    "bert-large": 335_141_888,
    "t5-small": 60_506_624,
    "t5-base": 222_903_552,
    "t5-large": 737_668_096,
    "t5-3b": 2_851_598_336,
    "t5-11b": 11_307_321_344,
    "vit-b/16": 86_567_656,
    "vit-b/32": 88_224_232,
    "vit-l/16": 304_326_632,
    "vit-h/14": 632_045_800,
    "clip-vit-b/32": 151_277_313,
    "clip-vit-l/14": 427_616_513,
    "whisper-tiny": 37_760_640,
    "whisper-base": 72_593_920,
    "whisper-small": 241_734_912,
    "whisper-medium": 763_857_920,
    "whisper-large": 1_543_304_960,
    "whisper-large-v3": 1_543_490_560,
}
HEADS = {
    # width of a head does not show in a count of parameters
    "bert-base": 12,
    "bert-large": 16,
    "vit-b/16": 12,
    "vit-b/32": 12,
    "vit-l/16": 16,
    "vit-h/14": 16,
}


@witnesses("encoders.count")
@pytest.mark.parametrize("name", encoders.TABLE)
def test_totals_are_those_of_the_releases(name: str) -> None:
    assert encoders.count(name) == TOTALS[name] == encoders.parts(name)["total"]
    assert all(isinstance(count, int) for count in encoders.parts(name).values())


def part_of(name: str, family: str) -> str:
    """Tell from a parameter's name what it belongs to."""
    norm = any(word in name.lower() for word in ("norm", "layrnorm"))
    if "relative_attention_bias" in name or (family == "whisper" and "encoder.embed_positions" in name):
        return "position"
    if ("embeddings" in name and not norm) or "shared" in name or "embed_" in name or ".conv" in name:
        return "embedding"
    if any(word in name for word in ("pooler", "classifier", "projection", "logit_scale")):
        return "head"
    if norm:
        return "norm"
    attention = ("attention.", "attn.", "SelfAttention", "EncDecAttention")
    return "attention" if any(word in name for word in attention) else "feed_forward"


@witnesses("encoders.parts", "encoders.count")
@pytest.mark.parametrize("name", encoders.TABLE)
def test_every_part_equals_that_of_the_built_model(name: str) -> None:
    pytest.importorskip("transformers")
    model: Any = published.build(*published.ENCODERS[name])
    found: dict[str, int] = {}
    for label, parameter in model.named_parameters():
        part = part_of(label, name.split("-")[0])
        found[part] = found.get(part, 0) + parameter.numel()
    told = encoders.parts(name)
    assert {part: told[part] for part in told if part != "total" and told[part]} == found


@witnesses("encoders.patches")
def test_patches_are_counted_by_a_convolution() -> None:
    torch = pytest.importorskip("torch")
    for image, patch in ((224, 16), (224, 32), (224, 14), (384, 16), (6, 6), (1, 1)):
        tokens = torch.nn.Conv2d(3, 1, patch, stride=patch, device="meta")(
            torch.empty(1, 3, image, image, device="meta")
        )
        assert encoders.patches(image, patch) == tokens.numel() + 1
        assert isinstance(encoders.patches(image, patch), int)
        assert encoders.patches(image, patch, extra=0) == tokens.numel()
        assert encoders.patches(image, patch, extra=5) == tokens.numel() + 5
    for wrong in ((224, 15), (0, 1), (16, 0), (16, 32), (16, 16, -1)):
        with pytest.raises(ValueError):
            encoders.patches(*wrong)


def test_heads_are_those_of_the_releases() -> None:
    for name, heads in HEADS.items():
        model = encoders.get(name)
        assert isinstance(model, encoders.Bert | encoders.Vision) and model.stack.heads == heads
        assert isinstance(model, encoders.Bert) or model.image == 224
    for name, text, vision in (("clip-vit-b/32", 8, 12), ("clip-vit-l/14", 12, 16)):
        clip = encoders.get(name)
        assert isinstance(clip, encoders.Clip)
        assert (clip.text.heads, clip.vision.stack.heads) == (text, vision)
        assert clip.vision.image == 224
    sizes = {"tiny": 6, "base": 8, "small": 12, "medium": 16, "large": 20, "large-v3": 20}
    for name, heads in ((f"whisper-{size}", heads) for size, heads in sizes.items()):
        whisper = encoders.get(name)
        assert isinstance(whisper, encoders.Whisper)
        assert whisper.encoder.heads == whisper.decoder.heads == heads


def test_layers_may_have_fewer_biases_and_other_heads() -> None:
    plain = encoders.Stack(2, 12, 3, 20).parts()
    assert plain == {
        "attention": 2 * 4 * (144 + 12),
        "feed_forward": 2 * (480 + 32),
        "norm": 2 * 2 * 24,
    }
    bare = encoders.Stack(2, 12, 3, 20, cross=True, head_dim=5, bias=False).parts()
    assert bare == {"attention": 2 * 2 * 4 * 12 * 15, "feed_forward": 2 * 480, "norm": 2 * 3 * 12}
    keyless = encoders.Stack(2, 12, 3, 20, key_bias=False).parts()
    assert plain["attention"] - keyless["attention"] == 2 * 12


def test_an_unknown_encoder_is_refused() -> None:
    for function in (encoders.count, encoders.parts, encoders.get):
        with pytest.raises(ValueError, match="did you mean 'bert-base'"):
            function("bert_base")
