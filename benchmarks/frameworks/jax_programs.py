"""The workloads in plain JAX: one jitted step of training, Adam written out, a plain loop.

python -m frameworks.jax_programs raw mlp
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from workloads import MATMUL, PREDICT, Workload, inputs, square_matrices

from frameworks.jax_models import MAKE, Weights
from frameworks.measure import Program, batches, data, main

RATE, BETA_1, BETA_2, EPSILON = 1e-3, 0.9, 0.999, 1e-7


def loss_of(target: str, outputs: Array, wanted: Array) -> Array:
    if target == "input":
        return jnp.square(outputs - wanted).mean()
    if target == "binary":
        return (jnp.logaddexp(0, outputs) - wanted * outputs).mean()
    chosen = jnp.take_along_axis(jax.nn.log_softmax(outputs), wanted[:, None], 1)
    return -chosen.mean()


def adam(count: Array, gradient: Array, value: Array, m: Array, v: Array) -> tuple[Array, ...]:
    """New value and moments (Kingma and Ba 2015, the form with one rate a step)."""
    m = BETA_1 * m + (1 - BETA_1) * gradient
    v = BETA_2 * v + (1 - BETA_2) * gradient**2
    rate = RATE * jnp.sqrt(1 - BETA_2**count) / (1 - BETA_1**count)
    return value - rate * m / (jnp.sqrt(v) + EPSILON), m, v


def step_of(work: Workload) -> Any:
    """The jitted step: (state, inputs, targets) to a new state, which takes the old one's place."""

    def loss(values: Any, averages: Any, key: Array, given: Any, wanted: Array) -> Any:
        weights = Weights(values, averages, key)
        outputs = MAKE[work.model](weights, *given)
        return loss_of(work.target, outputs, wanted), weights.averages

    def step(state: Any, given: Any, wanted: Array) -> Any:
        values, firsts, seconds, averages, key, count = state
        key, used = jax.random.split(key)
        gradients, averages = jax.grad(loss, has_aux=True)(values, averages, used, given, wanted)
        updated = [
            adam(count + 1, *of) for of in zip(gradients, values, firsts, seconds, strict=True)
        ]
        return (*map(list, zip(*updated, strict=True)), averages, key, count + 1)

    return jax.jit(step, donate_argnums=0)


def training(work: Workload) -> Program:
    given, wanted = data(work)
    weights = Weights()
    MAKE[work.model](weights, *(x[:2] for x in given))
    zeros = [[jnp.zeros_like(value) for value in weights.given] for _ in range(2)]
    averages = [jnp.zeros_like(average) for average in weights.averages]
    state = (weights.given, *zeros, averages, jax.random.key(0), jnp.float32(0))
    step = step_of(work)

    def run(steps: int) -> None:
        nonlocal state
        for chosen, _ in zip(batches(work), range(steps), strict=False):
            state = step(state, [x[chosen] for x in given], wanted[chosen])
        jax.block_until_ready(state)

    return Program(lambda: run(1), lambda: run(work.steps))


def prediction(work: Workload) -> Program:
    (sample,) = inputs(work, 1)
    weights = Weights()
    MAKE[work.model](weights, sample)
    forward = jax.jit(lambda values, x: MAKE[work.model](Weights(values), x))

    def predict() -> None:
        jax.device_get(forward(weights.given, sample))

    return Program(predict, predict)


def prepare(_: str, work: Workload) -> Program:
    if work.kind == MATMUL:
        left, right = map(jnp.asarray, square_matrices(work))
        multiply = jax.jit(jnp.matmul)

        def call() -> None:
            multiply(left, right).block_until_ready()

        return Program(call, call)
    return (prediction if work.kind == PREDICT else training)(work)


if __name__ == "__main__":
    main(prepare, lambda _: f"JAX {jax.__version__}")
