"""Encoders and encoder-decoders by name: BERT, T5, ViT, CLIP and Whisper, and their parameters."""

from __future__ import annotations

from dataclasses import dataclass

from proofdeck import verifier
from verifiers import arguments


@dataclass(frozen=True, slots=True)
class Stack:
    """Equal transformer layers, with biases and LayerNorm unless said otherwise."""

    layers: int
    d_model: int
    heads: int
    d_ff: int
    cross: bool = False
    """Whether each layer also attends to an encoder's output."""
    head_dim: int = 0
    """Width of a head; 0 for d_model / heads."""
    bias: bool = True
    """Biases of linear maps and norms (BERT, ViT, CLIP); T5 has none of either."""
    key_bias: bool = True
    """Whether the keys' projection has a bias too: Whisper's has none."""

    def parts(self) -> dict[str, int]:
        """Parameters of all layers by part, without a norm after the last."""
        d, inner = self.d_model, self.heads * (self.head_dim or self.d_model // self.heads)
        biases = (2 + self.key_bias) * inner + d if self.bias else 0
        attentions = self.layers * (1 + self.cross)
        norms = (2 + self.cross) * self.layers
        return {
            "attention": attentions * (4 * d * inner + biases),
            "feed_forward": self.layers * (2 * d * self.d_ff + (self.d_ff + d if self.bias else 0)),
            "norm": norms * d * (1 + self.bias),
        }


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {part: count + other[part] for part, count in one.items()}


@dataclass(frozen=True, slots=True)
class Bert:
    stack: Stack
    vocab: int
    positions: int
    segments: int
    source: str

    def parts(self) -> dict[str, int]:
        d = self.stack.d_model
        found = self.stack.parts()
        found["norm"] += 2 * d  # one on the embeddings
        table = (self.vocab + self.positions + self.segments) * d
        return {"embedding": table} | found | {"head": d * d + d}  # the pooler


@dataclass(frozen=True, slots=True)
class T5:
    encoder: Stack
    decoder: Stack
    vocab: int
    buckets: int
    source: str

    def parts(self) -> dict[str, int]:
        d = self.encoder.d_model
        found = _added(self.encoder.parts(), self.decoder.parts())
        found["norm"] += 2 * d
        # one table of position biases a side, held by its first layer; the head is the embedding
        positions = self.buckets * (self.encoder.heads + self.decoder.heads)
        return {"embedding": self.vocab * d} | found | {"position": positions, "head": 0}


@dataclass(frozen=True, slots=True)
class Vision:
    """A transformer on square patches with one class token and a norm after the last layer."""

    stack: Stack
    image: int
    patch: int
    source: str
    classes: int = 1000
    clip: bool = False
    """Whether it is a tower of CLIP: no bias on the patches, a norm before the first layer."""

    def patches(self) -> int:
        return (self.image // self.patch) ** 2

    def parts(self) -> dict[str, int]:
        d = self.stack.d_model
        found = self.stack.parts()
        found["norm"] += 2 * d * (1 + self.clip)
        table = 3 * self.patch**2 * d + (0 if self.clip else d) + (self.patches() + 1) * d + d
        return {"embedding": table} | found | {"head": (d + 1) * self.classes}


@dataclass(frozen=True, slots=True)
class Clip:
    text: Stack
    vision: Vision
    vocab: int
    positions: int
    shared: int
    """Width of the space that both sides project to."""
    source: str

    def parts(self) -> dict[str, int]:
        vision = self.vision.parts()
        found = _added(self.text.parts(), vision)
        found["norm"] += 2 * self.text.d_model
        table = (self.vocab + self.positions) * self.text.d_model + vision["embedding"]
        head = self.shared * (self.text.d_model + self.vision.stack.d_model) + 1  # the temperature
        return {"embedding": table} | found | {"head": head}


@dataclass(frozen=True, slots=True)
class Whisper:
    encoder: Stack
    decoder: Stack
    vocab: int
    mels: int
    source: str
    frames: int = 1500
    positions: int = 448

    def parts(self) -> dict[str, int]:
        d = self.encoder.d_model
        found = _added(self.encoder.parts(), self.decoder.parts())
        found["norm"] += 2 * 2 * d
        convolutions = 3 * self.mels * d + d + 3 * d * d + d
        table = self.vocab * d + self.positions * d
        # the encoder's sinusoids are a fixed table, which released counts include
        return {"embedding": table + convolutions, "position": self.frames * d} | found | {"head": 0}


def _t5(layers: int, d: int, heads: int, d_ff: int, head_dim: int) -> T5:
    side = (layers, d, heads, d_ff)
    encoder = Stack(*side, head_dim=head_dim, bias=False)
    decoder = Stack(*side, cross=True, head_dim=head_dim, bias=False)
    return T5(encoder, decoder, 32128, 32, "raffel2020")


def _vit(layers: int, d: int, heads: int, patch: int) -> Vision:
    return Vision(Stack(layers, d, heads, 4 * d), 224, patch, "dosovitskiy2021")


def _clip(text: tuple[int, int], vision: tuple[int, int], layers: int, patch: int, shared: int) -> Clip:
    """Text and vision are each given by width and heads."""
    (d, heads), (wide, more) = text, vision
    stack = Stack(layers, wide, more, 4 * wide)
    tower = Vision(stack, 224, patch, "radford2021", classes=0, clip=True)
    return Clip(Stack(12, d, heads, 4 * d), tower, 49408, 77, shared, "radford2021")


def _whisper(layers: int, d: int, heads: int, vocab: int = 51865, mels: int = 80) -> Whisper:
    side = (layers, d, heads, 4 * d)
    encoder, decoder = Stack(*side, key_bias=False), Stack(*side, cross=True, key_bias=False)
    return Whisper(encoder, decoder, vocab, mels, "radford2023")


Model = Bert | T5 | Vision | Clip | Whisper
TABLE: dict[str, Model] = {
    "bert-base": Bert(Stack(12, 768, 12, 3072), 30522, 512, 2, "devlin2019"),
    "bert-large": Bert(Stack(24, 1024, 16, 4096), 30522, 512, 2, "devlin2019"),
    "t5-small": _t5(6, 512, 8, 2048, 64),
    "t5-base": _t5(12, 768, 12, 3072, 64),
    "t5-large": _t5(24, 1024, 16, 4096, 64),
    "t5-3b": _t5(24, 1024, 32, 16384, 128),
    "t5-11b": _t5(24, 1024, 128, 65536, 128),
    "vit-b/16": _vit(12, 768, 12, 16),
    "vit-b/32": _vit(12, 768, 12, 32),
    "vit-l/16": _vit(24, 1024, 16, 16),
    "vit-h/14": _vit(32, 1280, 16, 14),
    "clip-vit-b/32": _clip((512, 8), (768, 12), 12, 32, 512),
    "clip-vit-l/14": _clip((768, 12), (1024, 16), 24, 14, 768),
    "whisper-tiny": _whisper(4, 384, 6),
    "whisper-base": _whisper(6, 512, 8),
    "whisper-small": _whisper(12, 768, 12),
    "whisper-medium": _whisper(24, 1024, 16),
    "whisper-large": _whisper(32, 1280, 20),
    "whisper-large-v3": _whisper(32, 1280, 20, 51866, 128),
}


def get(name: str) -> Model:
    """Return the model called `name`, or say which name was probably meant."""
    return TABLE[arguments.one_of("encoder", name, TABLE)]


@verifier
def count(model: str) -> int:
    """Parameters of an encoder or encoder-decoder, with BERT's pooler and ViT's head of 1000 classes.

    Unit: param
    Source: devlin2019, raffel2020, dosovitskiy2021, radford2021, radford2023
    """
    return sum(get(model).parts().values())


@verifier
def parts(model: str) -> dict[str, int]:
    """Parameters by part; attention counts self- and cross-attention, embedding also patches or sound.

    Unit: embedding=param, attention=param, feed_forward=param, norm=param, position=param, head=param,
    total=param
    Source: devlin2019, raffel2020, dosovitskiy2021, radford2021, radford2023
    """
    return get(model).parts() | {"total": count(model)}


@verifier
def patches(image: int, patch: int, extra: int = 1) -> int:
    """Tokens that a vision transformer makes of a square image, class token included.

    Formula: (image / patch)² + extra.
    Unit: token
    Source: dosovitskiy2021
    """
    arguments.divides(image, patch, "pixels a side")
    arguments.counts(0, extra=extra)
    return (image // patch) ** 2 + extra
