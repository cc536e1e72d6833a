"""Update rules of optimisers: SGD, momentum, RMSprop, Adam, AdamW and Lion, step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from proofdeck import verifier
from verifiers import arguments


@dataclass(frozen=True, slots=True)
class Settings:
    """What an optimiser is set to; each rule reads what it knows."""

    learning_rate: float
    beta1: float
    beta2: float
    epsilon: float
    weight_decay: float

    def check(self) -> None:
        arguments.positive(learning_rate=self.learning_rate)
        arguments.non_negative(epsilon=self.epsilon, weight_decay=self.weight_decay)
        arguments.shares(beta1=self.beta1, beta2=self.beta2)
        arguments.positive(**{"1 − beta1": 1 - self.beta1, "1 − beta2": 1 - self.beta2})


@dataclass(slots=True)
class State:
    """One weight and what the optimiser keeps for it."""

    weight: float
    first: float = 0.0
    second: float = 0.0
    steps: int = 0


def sgd(state: State, gradient: float, to: Settings) -> None:
    state.weight -= to.learning_rate * (gradient + to.weight_decay * state.weight)


def momentum(state: State, gradient: float, to: Settings) -> None:
    """Heavy ball as in PyTorch: the velocity is a sum of gradients, not their mean."""
    state.first = to.beta1 * state.first + gradient + to.weight_decay * state.weight
    state.weight -= to.learning_rate * state.first


def nesterov(state: State, gradient: float, to: Settings) -> None:
    gradient += to.weight_decay * state.weight
    state.first = to.beta1 * state.first + gradient
    state.weight -= to.learning_rate * (gradient + to.beta1 * state.first)


def rmsprop(state: State, gradient: float, to: Settings) -> None:
    gradient += to.weight_decay * state.weight
    state.second = to.beta2 * state.second + (1 - to.beta2) * gradient**2
    state.weight -= to.learning_rate * gradient / (math.sqrt(state.second) + to.epsilon)


def adam(state: State, gradient: float, to: Settings) -> None:
    """With L2 regularisation: the decay joins the gradient and is normalised with it."""
    _adam_step(state, gradient + to.weight_decay * state.weight, to)


def adamw(state: State, gradient: float, to: Settings) -> None:
    """With decoupled decay: the weight shrinks by itself, whatever the gradient's size."""
    state.weight *= 1 - to.learning_rate * to.weight_decay
    _adam_step(state, gradient, to)


def _adam_step(state: State, gradient: float, to: Settings) -> None:
    state.steps += 1
    state.first = to.beta1 * state.first + (1 - to.beta1) * gradient
    state.second = to.beta2 * state.second + (1 - to.beta2) * gradient**2
    mean = state.first / (1 - to.beta1**state.steps)
    square = state.second / (1 - to.beta2**state.steps)
    state.weight -= to.learning_rate * mean / (math.sqrt(square) + to.epsilon)


def lion(state: State, gradient: float, to: Settings) -> None:
    """The sign of a blend, and a second blend kept."""
    blend = to.beta1 * state.first + (1 - to.beta1) * gradient
    state.weight *= 1 - to.learning_rate * to.weight_decay
    state.weight -= to.learning_rate * ((blend > 0) - (blend < 0))
    state.first = to.beta2 * state.first + (1 - to.beta2) * gradient


Rule = Callable[[State, float, Settings], None]
RULES: dict[str, Rule] = {
    "sgd": sgd,
    "momentum": momentum,
    "nesterov": nesterov,
    "rmsprop": rmsprop,
    "adam": adam,
    "adamw": adamw,
    "lion": lion,
}


def known_rule(name: str) -> Rule:
    return RULES[arguments.one_of("optimiser", name, RULES)]


@verifier
def weight_after(
    optimiser: str,
    gradients: Sequence[float],
    weight: float = 1.0,
    learning_rate: float = 1e-3,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    weight_decay: float = 0.0,
) -> float:
    """A weight after an optimiser has seen these gradients, one a step.

    Formula: sgd w − η·g; momentum v = β₁v + g, w − η·v; nesterov w − η·(g + β₁v); rmsprop
    w − η·g/(√v + ε); adam w − η·m̂/(√v̂ + ε), m̂ = m/(1 − β₁^t), v̂ = v/(1 − β₂^t); in all these g has λ·w
    added. adamw: adam's step after w·(1 − η·λ) instead; lion w·(1 − η·λ) − η·sign(β₁m + (1 − β₁)g), where m
    is averaged by β₂. Momentum and Nesterov sum gradients, as PyTorch does.
    Unit: 1
    Source: kingma2015, loshchilov2019, chen2023
    """
    settings = Settings(learning_rate, beta1, beta2, epsilon, weight_decay)
    settings.check()
    arguments.finite(weight=weight, **{f"gradients[{index}]": g for index, g in enumerate(gradients)})
    rule, state = known_rule(optimiser), State(weight)
    for gradient in gradients:
        rule(state, gradient, settings)
    return state.weight


@verifier
def decay_pull(
    optimiser: str,
    gradient_scale: float,
    weight: float = 1.0,
    steps: int = 200,
    learning_rate: float = 1e-3,
    weight_decay: float = 0.1,
    beta1: float = 0.9,
    beta2: float = 0.999,
) -> float:
    """Share of a weight that decay takes away while gradients of one size point up and down in turn.

    Formula: (w without decay − w with decay)/w₀ after gradients +s, −s, +s, …
    Unit: 1
    Source: loshchilov2019
    """
    arguments.counts(steps=steps)
    arguments.positive(weight=weight, gradient_scale=gradient_scale)
    gradients = [(gradient_scale, -gradient_scale)[step % 2] for step in range(steps)]
    free, held = (
        weight_after(optimiser, gradients, weight, learning_rate, beta1, beta2, weight_decay=decay)
        for decay in (0.0, weight_decay)
    )
    return (free - held) / weight


@verifier
def average_bias(beta: float, step: int) -> float:
    """Share of its true mean that a moving average shows which has started from zero.

    Formula: E[m_t] = (1 − β^t)·E[g], so divide by 1 − β^t.
    Unit: 1
    Source: kingma2015
    """
    arguments.shares(beta=beta)
    arguments.counts(step=step)
    return 1 - beta**step


@verifier
def uncorrected_step(step: int, beta1: float = 0.9, beta2: float = 0.999) -> float:
    """Size of Adam's step without bias correction, in learning rates, under a steady gradient.

    Formula: (1 − β₁^t)/√(1 − β₂^t).
    Unit: 1
    Source: kingma2015
    """
    arguments.positive(**{"1 − beta2": 1 - beta2})
    return average_bias(beta1, step) / math.sqrt(average_bias(beta2, step))


@verifier
def uncorrected_peak(beta1: float = 0.9, beta2: float = 0.999) -> dict[str, float]:
    """The largest of Adam's steps without bias correction, and when it comes.

    Formula: max over t of (1 − β₁^t)/√(1 − β₂^t), which rises to one peak and falls to one.
    Unit: step=1, factor=1
    Source: kingma2015
    """
    arguments.positive(**{"beta2 − beta1": beta2 - beta1})  # else it rises to one for ever
    step = 1
    while uncorrected_step(step + 1, beta1, beta2) > uncorrected_step(step, beta1, beta2):
        step += 1
    return {"step": step, "factor": uncorrected_step(step, beta1, beta2)}


@verifier
def memory(beta: float) -> dict[str, float]:
    """How many steps an exponential moving average remembers.

    Formula: mean age 1/(1 − β); the weight of a gradient halves every ln ½ / ln β steps.
    Unit: steps=1, half_life=1
    Source: definition
    """
    arguments.positive(beta=beta, **{"1 − beta": 1 - beta})
    return {"steps": 1 / (1 - beta), "half_life": math.log(2) / -math.log(beta)}


@verifier
def rare_gradient_gain(probability: float, size: float = 1.0) -> float:
    """Factor by which Adam's second moment scales a gradient of one size that comes in a share of the steps.

    Formula: 1/√v = 1/(√p · |g|) on long average: a small gradient and a rare one are both enlarged.
    Unit: 1
    Source: kingma2015
    """
    arguments.shares(probability=probability)
    arguments.positive(probability=probability, size=size)
    return 1 / (math.sqrt(probability) * size)
