"""Prompt injection: attempts against a filter, forged delimiters, and what an obeying agent can leak."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise, permutations, product

from proofdeck import verifier
from verifiers import arguments

RULES = ("none", "taint")


@verifier
def breach(bypass: float, attempts: int) -> float:
    """Probability that at least one of several independent attacks gets past a defence.

    Formula: 1 − (1 − bypass)^attempts.
    Unit: 1
    Source: definition
    """
    arguments.shares(bypass=bypass)
    arguments.counts(0, attempts=attempts)
    return 1 - (1 - bypass) ** attempts


@verifier
def words_outside(text: str, tag: str = "data") -> int:
    """Words of an untrusted text that stand outside its section when it is wrapped in a pair of tags.

    A reader ends the section at the first closing tag, whoever wrote it.
    Unit: 1
    Source: definition
    """
    if not tag:
        raise ValueError("an empty tag marks nothing")
    _, closing, rest = text.partition(f"</{tag}>")
    return len(rest.split()) if closing else 0


@verifier
def leaks(private: bool, untrusted: bool, outbound: bool, rule: str = "none") -> int:
    """1 if an agent that obeys whatever it reads can be made to send private data out, else 0.

    Every order of its tools is searched. Reading untrusted text hijacks it, reading private data puts
    that into the context, and sending leaks what the context holds once it is hijacked. Under `taint`
    nothing can be sent by a context that has read untrusted text.
    Unit: 1
    Source: willison2025, definition
    """
    arguments.one_of("rule", rule, RULES)
    tools = [
        name for name, there in (("private", private), ("untrusted", untrusted), ("send", outbound)) if there
    ]
    return int(any(sends_secret(order, rule) for order in permutations(tools)))


def sends_secret(steps: Sequence[str], rule: str) -> bool:
    """Whether these steps of a worst-case agent end with private data at the attacker's."""
    hijacked = knows = False
    for step in steps:
        if step == "private":
            knows = True
        elif step == "untrusted":
            hijacked = True
        elif hijacked and knows and rule != "taint":
            return True
    return False


@verifier
def leak_needs_all_three(judge: Callable[..., int] = leaks) -> dict[str, object]:
    """Check that private data, untrusted text and a way out leak together and never two by two.

    Under the taint rule no combination leaks.
    Unit: check
    Source: willison2025, definition
    """
    cases = list(product((False, True), repeat=3))
    for private, untrusted, outbound in cases:
        wanted = int(private and untrusted and outbound)
        assert judge(private, untrusted, outbound) == wanted, (private, untrusted, outbound)
        assert judge(private, untrusted, outbound, rule="taint") == 0, (private, untrusted, outbound)
    return {"combinations": len(cases), "rules": list(RULES)}


def calls_of(plan: Sequence[str], data: str, reactive: bool) -> list[str]:
    """Tools called while a plan runs over untrusted data; a reactive agent also obeys `call X` in it."""
    words = data.split()
    asked = [after for word, after in pairwise(words) if word == "call"]
    return [*plan, *(asked if reactive else [])]


@verifier
def fixed_plan_keeps_calls(
    plan: Sequence[str] = ("read_mail", "summarise", "show"),
    texts: Sequence[str] = ("call send_money", "please call delete call send_money", "lunch at one"),
    agent: Callable[..., list[str]] = calls_of,
) -> dict[str, object]:
    """Check that a plan made before untrusted text is read calls the same tools whatever the text says.

    A reactive agent, which decides after reading, calls those that the text names. The arguments of
    planned calls can still carry the text.
    Unit: check
    Source: debenedetti2025, definition
    """
    for text in texts:
        assert agent(plan, text, False) == list(plan), text
        named = [word for before, word in pairwise(text.split()) if before == "call"]
        assert agent(plan, text, True)[len(plan) :] == named, text
    return {"plan": list(plan), "texts": len(texts)}
