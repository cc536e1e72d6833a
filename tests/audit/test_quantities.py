"""Known quantities: every rule tells a right statement from a wrong one, and is silent where something is unclear."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofdeck.audit.auditing import Auditor
from proofdeck.audit.rules import read_quantities
from proofdeck.errors import Problem
from proofdeck.project import Project

ROOT = Path(__file__).parents[2]
EXAMPLES = {
    "key/value cache of a named model": (
        "The KV cache of Llama-3-8B at 8192 tokens takes 1.07 GB in FP16.",
        "The KV cache of Llama-3-8B at 8192 tokens takes 8 GB in FP16.",
    ),
    "key/value cache of a named model with multi-query attention": (
        "Llama-2-7B at 4096 tokens in FP16: MQA needs 67 MB.",
        "Llama-2-7B at 4096 tokens in FP16: MQA needs 300 MB.",
    ),
    "key/value cache of a named model with multi-head attention": (
        "Llama-2-7B at 4096 tokens in FP16: MHA cache = 2.1 GB.",
        "Llama-2-7B at 4096 tokens in FP16: MHA cache = 0.4 GB.",
    ),
    "key/value cache that one token adds": (
        "Llama-2-70B adds 328 KB per token of KV in FP16.",
        "Llama-2-70B adds 80 KB per token of KV in FP16.",
    ),
    "shrinking of the cache by fewer key/value heads": (
        "A quarter of the KV cache: it quarters with 8 KV heads instead of 32.",
        "With 4 KV heads instead of 32 it halves the KV cache.",
    ),
    "bytes of a model's weights": ("A 13B model takes 26 GB in FP16.", "A 13B model takes 60 GB in FP16."),
    "bytes that full training keeps": (
        "To train a 7B model with Adam in mixed precision takes 112 GB.",
        "To train a 7B model with Adam in mixed precision takes 30 GB.",
    ),
    "training compute 6ND": (
        "A 13B model on 1T tokens takes 7.8e22 FLOPs.",
        "A 13B model on 1T tokens takes 2.6e22 FLOPs.",
    ),
    "tokens for each parameter": (
        "A 7B model on 2T tokens sees 286 tokens per parameter.",
        "A 7B model on 2T tokens sees 28 tokens per parameter.",
    ),
    "compute-optimal tokens by twenty for each parameter": (
        "By Chinchilla a 10B model wants 200B tokens.",
        "By Chinchilla a 10B model wants 2T tokens.",
    ),
    "two training runs called equal in compute": (
        "A 10B model on 200B tokens has the same compute as a 20B model on 100B tokens.",
        "A 10B model on 200B tokens has the same compute as a 20B model on 400B tokens.",
    ),
    "model and data that accelerator hours pay for": (
        "By Chinchilla 1M A100-hours suit a 60B model on 1.2T tokens.",
        "By Chinchilla 1M A100-hours suit a 7B model on 140B tokens.",
    ),
    "compute between two perplexities": (
        "From perplexity 100 to 20 takes 187x the compute.",
        "From perplexity 100 to 20 takes 8x the compute.",
    ),
    "perplexity of a loss": ("A loss of 3.0 is a perplexity of 20.", "A loss of 3.0 is a perplexity of 8."),
    "parameters of a named model": (
        "Mistral-7B has 7.2B parameters.",
        "Mistral-7B has 9.5B parameters.",
    ),
    "active parameters of a named mixture": (
        "Mixtral-8x7B has 12.9B active parameters.",
        "Mixtral-8x7B has 7B active parameters.",
    ),
    "parameters of an embedding table": (
        "A vocabulary of 32000 and a width of 4096 give an embedding of 131M parameters.",
        "A vocabulary of 32000 and a width of 4096 give an embedding of 500M parameters.",
    ),
    "parameters of a LoRA adapter of one matrix": (
        "LoRA of rank 8 on a 4096x4096 matrix trains 65,536 parameters.",
        "LoRA of rank 8 on a 4096x4096 matrix trains 32,768 parameters.",
    ),
    "bytes of one matrix of attention scores": (
        "One attention matrix at 32768 tokens takes 2.1 GB in FP16.",
        "One attention matrix at 32768 tokens takes 8 GB in FP16.",
    ),
    "entries of one matrix of attention scores": (
        "Attention over 2048 tokens has 4.2M scores.",
        "Attention over 2048 tokens has 9M scores.",
    ),
    "arithmetic intensity of a product of square matrices": (
        "In bf16 a matmul with N = 6144 has an intensity of 2048.",
        "In bf16 a matmul with N = 6144 has an intensity of 3072.",
    ),
    "ridge of an accelerator": (
        "The ridge of an H100 lies at 295 FLOPs/byte.",
        "The ridge of an H100 lies at 90 FLOPs/byte.",
    ),
    "memory bandwidth of an accelerator": (
        "The H200 has a memory bandwidth of 4.8 TB/s.",
        "The H200 has a memory bandwidth of 2 TB/s.",
    ),
    "tokens a second of one request, bounded by reading the weights": (
        "Llama-3-8B in FP16 on one A100 gives 80 tokens/s per request.",
        "Llama-3-8B in FP16 on one A100 gives 900 tokens/s per request.",
    ),
    "time of a reply, bounded by reading the weights for every token": (
        "With Llama-3-8B in FP16 on an A100 a latency for 100 output tokens of 2 s is possible.",
        "With Llama-3-8B in FP16 on an A100 a latency for 100 output tokens of 100 ms is possible.",
    ),
    "time to move bytes at a bandwidth": (
        "To read 140 GB at 2 TB/s takes 70 ms.",
        "To read 140 GB at 2 TB/s takes 20 ms.",
    ),
    "bytes of raw vectors": (
        "An index of 10M vectors with 1024 dimensions in float32 takes 41 GB.",
        "An index of 10M vectors with 1024 dimensions in float32 takes 400 GB.",
    ),
    "bytes that a second index adds": (
        "With 100M vectors of 512 dimensions that is 205 GB of additional storage in float32.",
        "With 100M vectors of 512 dimensions that is 700 GB of additional storage in float32.",
    ),
    "bytes of an HNSW graph beside its vectors": (
        "For 100M vectors and M = 32 the HNSW links take 27 GB.",
        "For 100M vectors and M = 32 the HNSW links take 200 GB.",
    ),
    "half-width of a rate's confidence interval": (
        "An accuracy of 80% on 400 questions is known to ±4%.",
        "An accuracy of 80% on 400 questions is known to ±1%.",
    ),
    "success of all steps of a chain": (
        "At 95% per step, 10 steps succeed in 60% of the runs.",
        "At 95% per step, 10 steps succeed in 85% of the runs.",
    ),
    "downtime that an availability allows": (
        "An availability of 99.9% leaves 43 minutes of downtime a month.",
        "An availability of 99.9% leaves 9 hours of downtime a month.",
    ),
    "ROUGE of two texts that are shown": (
        'reference = "the cat sat on a mat" and hypothesis = "the cat sat on the rug" give rouge2: 0.6',
        'reference = "the cat sat on a mat" and hypothesis = "the cat sat on the rug" give rouge2: 0.2',
    ),
    "mean requests a second": (
        "At 10M requests per day the service sees 116 QPS.",
        "At 10M requests per day the service sees 1200 QPS.",
    ),
    "requests in flight by Little's law": (
        "By Little 50 requests per second of 4 s each keep 200 requests in flight.",
        "By Little 50 requests per second of 4 s each keep 50 requests in flight.",
    ),
    "hourly rent of a fleet": (
        "A fleet of 1000 H100s at $3/GPU-hour costs $3K per hour.",
        "A fleet of 1000 H100s at $3/GPU-hour costs $9K per hour.",
    ),
    "monthly rent of a fleet": (
        "The fleet of 100 H100s at $3/GPU-hour costs $219K per month.",
        "The fleet of 100 H100s at $3/GPU-hour costs $500K per month.",
    ),
    "monthly rent of a fleet in a program's result": (
        "At $2.00/hr it prints {'new_gpus': 500, 'new_monthly_usd': 730000.0}",
        "At $2.00/hr it prints {'new_gpus': 500, 'new_monthly_usd': 731000.0}",
    ),
    "wall-clock or device hours between two goodputs": (
        "Over 30 days a goodput of 80% or 90% makes a difference of 72 hours.",
        "Over 30 days a goodput of 80% or 90% makes a difference of 720 hours.",
    ),
    "tokens that a cached prefix need not compute again": (
        "A 1000-token prompt over 500 requests saves computing 500K prompt tokens.",
        "A 1000-token prompt over 500 requests saves computing 300K prompt tokens.",
    ),
    "price of a prompt sent several times without a cache": (
        "At $3 per 1M input tokens, a 200K-token prompt sent ten times with no caching costs $6.",
        "At $3 per 1M input tokens, a 200K-token prompt sent ten times with no caching costs $9.",
    ),
    "costs in proportion to output tokens": (
        "A short reply has 100 tokens and a long one (400 tokens). The output costs $2 or $8.",
        "A short reply has 100 tokens and a long one (400 tokens). The output costs $4 or $8.",
    ),
    "patches of a square image": (
        "A 384x384 image in 16x16 patches has 576 tokens.",
        "A 384x384 image in 16x16 patches has 256 tokens.",
    ),
    "bubble of a pipeline": (
        "With 4 stages and 12 micro-batches the bubble is 20%.",
        "With 4 stages and 12 micro-batches the bubble is 5%.",
    ),
    "speedup by Amdahl's law": (
        "With 90% parallel work 9 workers are 5x faster.",
        "With 90% parallel work 9 workers are 8x faster.",
    ),
    "chance that one of several samples passes": (
        "At a success rate of 30% 5 attempts give a 83% chance of at least one.",
        "At a success rate of 30% 5 attempts give a 95% chance of at least one.",
    ),
    "drafts' tokens a pass": (
        "Speculative decoding at 80% acceptance with 4 drafts gives 3.4 tokens per pass.",
        "Speculative decoding at 80% acceptance with 4 drafts gives 4.5 tokens per pass.",
    ),
}
UNCLEAR = [
    "The KV cache takes 1 GB.",
    "The KV cache of Llama-3-8B and of Llama-2-7B at 4096 tokens takes 9 GB.",
    "The KV cache of Llama-3-8B at 4096 tokens takes 9 GB per layer.",
    "A 7B model trained on 80 GB cards in FP16.",
    "In FP16 a 7B model needs 14 GB or 30 GB.",
    "By Chinchilla a 7B model on 15T tokens is far beyond the optimum.",
    "At a peak of 5 times the mean, 10M requests per day are 600 QPS.",
]
PROBLEMS = [
    ("- quantity: x\n  about: a\n", 1, "no `call:`"),
    ("- quantity: x\n  about: '('\n  call: m.f()\n", 1, "rule cannot be read"),
    ("- quantity: x\n  about: a\n  call: m.f({n})\n", 1, "nothing takes"),
    ("- quantity: x\n  about: a\n  call: m.f()\n  colour: red\n", 1, "no `colour:`"),
    ("- quantity: x\n  about: a\n  call: m.f()\n- 7\n", 4, "a rule is a mapping"),
    ("- quantity: x\n  about: a\n  call: m.f({n})\n  takes: {n: {}}\n", 1, "an argument needs"),
    ("- quantity: x\n  about: a\n  call: m.f()\n  sense: high\n", 1, "none of most, least"),
    ("- quantity: [\n", 2, "not YAML"),
    ("quantity: x\n", 1, "not a list"),
]


@pytest.fixture(scope="module")
def verdicts() -> dict[str, list[tuple[str, str]]]:
    """Verdicts and rules of all examples, their calls made at once."""
    texts = [text for pair in EXAMPLES.values() for text in pair] + UNCLEAR
    told: dict[str, list[tuple[str, str]]] = {text: [] for text in texts}
    for found in Auditor(Project(ROOT)).audit((text, 1, text) for text in texts):
        told[found.file].append((found.rule, found.verdict))
    return told


@pytest.mark.parametrize("rule", EXAMPLES)
def test_a_rule_tells_right_from_wrong(rule: str, verdicts: dict[str, list[tuple[str, str]]]) -> None:
    right, wrong = EXAMPLES[rule]
    assert verdicts[right] == [(rule, "right")]
    assert (rule, "wrong") in verdicts[wrong]


@pytest.mark.parametrize("text", UNCLEAR)
def test_what_is_unclear_is_never_wrong(text: str, verdicts: dict[str, list[tuple[str, str]]]) -> None:
    assert "wrong" not in [verdict for _, verdict in verdicts[text]]


def test_every_rule_has_examples() -> None:
    problems: list[Problem] = []
    assert {quantity.name for quantity in read_quantities(ROOT, problems)} == set(EXAMPLES)
    assert problems == []


@pytest.mark.parametrize("text, line, message", PROBLEMS)
def test_a_rule_that_cannot_be_read_is_told_with_its_place(
    text: str, line: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / "verifiers").mkdir()
    (tmp_path / "verifiers" / "quantities.yaml").write_text(text, encoding="utf-8")
    problems: list[Problem] = []
    read_quantities(tmp_path, problems)
    assert [problem.line for problem in problems] == [line]
    assert message in str(problems[0])
