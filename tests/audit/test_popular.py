"""Popular errors: every pattern finds its error in some wording, and none in what is true."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml

from proofdeck.audit.needles import Sieve, needles
from proofdeck.audit.popular import Heard, popular_errors, read_heard

ROOT = Path(__file__).parents[2]
HEARD = read_heard(ROOT)
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

SAID = """
The off-diagonal derivatives vanish first.
A cache with 8 KV heads instead of 32 is half as large.
With flash attention the number of operations stays the same.
Softmax attention has an arithmetic intensity of about 1 FLOP per byte.
Gradient clipping prevents vanishing gradients.
Vanishing gradients have known remedies such as ReLU and gradient clipping.
Loss scaling prevents gradient overflow.
Adam's first step is the learning rate times the gradient.
We sum weights + 4 GB of activations + 8 GB for the optimizer = 16 GB.
We sum weights + 8 GB for Adam + 4 GB of activations = 16 GB.
Calling detect_anomaly names every operation that makes a NaN.
Halving the latency takes √2 times the fleet.
It takes √2 more GPUs when the latency is halved.
RoPE is added to the token embeddings.
You add RoPE angles to the input embeddings.
Each transformer block has two residual streams.
A low false-positive rate means high precision.
The index stays constant however many entries there are.
It is the same small index whether you have 5 notes or 500.
Beam search finds the most likely sequence.
Dividing the logits by a factor always lowers the probability.
RMSNorm reduces computation by 7 to 10 per cent.
We chose RMSNorm because it saves 7-10% of the time.
Pre-norm is stable because the variance is constant over depth.
Post-LN has gradients of O(d sqrt(ln d)) where Pre-LN has O(1).
A clip takes more GPU-hours than a laptop.
It burns GPU hours beyond what a PC sees in its whole life.
At 480p and half the length a clip is eight times cheaper.
FlashAttention returns outputs that are bit-identical.
The flag flash_sdp_enabled tells that the kernel is available.
The function scaled_dot_product_attention always uses the fused kernel.
The softmax compute is reduced by weight tying.
Tied embeddings reduce the FLOPs of the head.
ReLU halves the variance.
The variance is halved by the ReLU.
Xavier draws from U(-1/sqrt(fan_in), 1/sqrt(fan_in)).
Steering proves that the feature is real.
Every layer computes x + Attn(x) + MLP(x).
Attribution patching takes one forward and one backward pass.
The hallucination rate is the share of contradicted claims.
Efficiency = actual steps / optimal steps.
Keys and values have a smaller range than the weights.
The KV cache is easier to quantize than the weights.
LoRA prevents catastrophic forgetting.
There is no forgetting with LoRA.
From perplexity 100 to 20 it takes ten times the compute.
KL divergence is a metric.
Mask everything but the answer: mask all prompt tokens including the special tokens.
The KL term has a gradient of 1/p - 1/p_ref.
MinHash compares all pairs of documents.
The network has 61 MoE layers.
In it all 61 layers are mixtures of experts.
Cross-attention is more parameter-efficient.
Cross-attention needs fewer new parameters.
Early fusion gives bidirectional attention in all layers.
Adam leaves rare features with smaller updates.
The largest rate is 0.1 * sqrt(1/fan_out).
The largest rate is 0.1 / sqrt(fan_out).
Tensor parallelism performs an all-to-all in every layer.
Tensor parallelism needs an all-to-all.
With three matrices the block is wider for the same parameters.
SwiGLU makes a block wider per parameter.
PPO's clip is a hard constraint.
The clipped loss guarantees that the ratio stays within its band.
The group's mean is an unbiased baseline.
With sinusoids nearer positions always have larger products.
RoPE scores inherently decay with distance.
RoPE has a built-in decay.
ALiBi extrapolates to any length.
The gain of best-of-N: best-of-N reward grows like log N.
First SFT, then DPO; each stage is cheaper than the previous.
A temperature of 0 guarantees deterministic replies.
Sending 128K tokens at 10,000 QPS costs millions of dollars a month.
It tried (10 - 4) * (6 - 5 + x).
Speculative decoding reduces the time to first token.
FP8 training halves the memory.
The M/M/1 model explains a p99/p50 of 2.2 at that load.
Keep p99 within 2x p50 by 70% load.
Run below 70% to hold p99 at 2x the p50.
When a server fails you lose little, as a node that crashes loses one in-flight request.
Majority voting only works where each sample is right more than half of the time.
Best-of-N costs N forward passes.
Context precision tells whether relevant passages are in the context.
The second-best chunk lands in the middle.
Its intensity is about N/2.
bf16 training uses half the memory.
Mixed precision halves the memory.
bf16 never overflows.
RoPE extrapolates to any length.
The Wilson interval is 1.96 * sqrt(p(1-p)/n).
At temperature 0 a top-p of 0.1 makes replies degenerate.
Chinchilla beat GPT-3 with less compute.
Chinchilla had the same compute as GPT-3.
With a billion messages a day it saves hundreds of GPU-days.
The savings bend at a 60% hit rate.
Perplexity is the average probability of a token.
AWQ keeps salient channels at full precision.
For unrelated words the cosine similarity is close to zero.
Korean takes 3-4 tokens per character.
The number 1234 is cut differently depending on context.
Smaller models use smaller vocabularies.
A model never sees individual digits.
Goodput is the achieved FLOPs over the peak.
Going from 500 to 100 steps halves the lost work.
Any embedding can be truncated.
A picture is cut into 512x512 tiles of 85 tokens.
It costs 85 tokens per tile.
ViTs have no inductive bias.
""".strip().splitlines()


def errors(text: str) -> list[str]:
    sieve = Sieve(HEARD, [each.pattern.pattern for each in HEARD])
    return [found.computed for found in popular_errors(sieve, text)]


@pytest.mark.parametrize("heard", HEARD, ids=lambda heard: heard.pattern.pattern[:40])
def test_every_pattern_finds_an_example(heard: Heard) -> None:
    assert any(heard.pattern.search(sentence) for sentence in SAID)


def test_every_example_is_found() -> None:
    assert [sentence for sentence in SAID if not errors(sentence)] == []


def test_no_pattern_finds_what_our_claims_and_cards_say() -> None:
    ours = [
        row["claim"]
        for path in (ROOT / "verifiers" / "claims").glob("*.yaml")
        for row in yaml.load(path.read_text(encoding="utf-8"), Loader=LOADER)
    ]
    ours += [path.read_text(encoding="utf-8") for path in (ROOT / "cards").rglob("*.md")]
    assert [(text[:200], found) for text in ours if (found := errors(text))] == []


@pytest.mark.parametrize(
    "text",
    [
        "It is a myth that LoRA prevents forgetting.",
        "LoRA prevents forgetting is a misconception.",
        "Do not think that bf16 never overflows.",
        "Does LoRA prevent forgetting? Is it so that LoRA prevents forgetting?",
        "The trap: KL divergence is a metric.",
    ],
)
def test_an_error_that_is_denied_or_asked_about_is_none(text: str) -> None:
    assert errors(text) == []


def test_an_error_said_twice_is_found_twice() -> None:
    assert len(errors("bf16 never overflows. So bf16 never overflows.")) == 2


@pytest.mark.parametrize("heard", HEARD, ids=lambda heard: heard.pattern.pattern[:40])
def test_needles_stand_in_every_match(heard: Heard) -> None:
    wanted = needles(heard.pattern.pattern)
    for sentence in SAID:
        if match := heard.pattern.search(sentence):
            assert not wanted or any(needle in match[0].lower() for needle in wanted)


@pytest.mark.parametrize(
    "pattern, wanted",
    [
        ("abc", ("abc",)),
        ("abc?", ("ab",)),
        (r"\babc\d+defg", ("defg",)),
        ("(?:abc|de)x?", ("abc", "de")),
        ("(?:abc)?xy", ("xy",)),
        ("abc|def", ("abc", "def")),
        ("abc|.", ()),
        ("[abc]d*", ()),
        ("(?!no)yes", ("yes",)),
        (r"a\.b{2}cd", ("a.b", "cd")[:1]),
    ],
)
def test_needles(pattern: str, wanted: tuple[str, ...]) -> None:
    assert needles(pattern) == wanted


def test_a_long_line_takes_linear_time() -> None:
    text = "Flash attention and RMSNorm with 8 KV heads from 32 to 128K tokens at 7 GB, each step " * 1000
    begin = time.process_time()
    errors(text[: len(text) // 2])
    half = time.process_time() - begin
    begin = time.process_time()
    errors(text)
    assert time.process_time() - begin < 4 * half + 0.5


def test_tables_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    claims = tmp_path / "verifiers" / "claims"
    claims.mkdir(parents=True)
    (claims / "a.yaml").write_text("- heard: [", encoding="utf-8")
    (claims / "b.yaml").write_text(
        "- claim: c\n  check: m.f()\n  heard: ['(', good]\n- text heard:\n", encoding="utf-8"
    )
    assert [each.pattern for each in read_heard(tmp_path)] == [re.compile("good", re.I)]
