"""Learning rates that fall with the global step, and the step itself (`tf.train`)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from slipstream.ir.dtypes import float32, int64
from slipstream.ops import arithmetic, elementary, indexing
from slipstream.ops.conversion import cast
from slipstream.runtime.convert import convert
from slipstream.v1.face import recording
from slipstream.v1.graph import GraphKeys, get_default_graph
from slipstream.v1.initializers import Constant
from slipstream.v1.scopes import get_variable


def _share(step: Any, decay_steps: Any, staircase: bool = False) -> Any:
    """How many times `decay_steps` the step is; whole times with `staircase`."""
    times = cast(convert(step), float32) / float(decay_steps)
    return arithmetic.floor(times) if staircase else times


@recording
def exponential_decay(
    learning_rate: float, global_step: Any, decay_steps: float, decay_rate: float,
    staircase: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """rate * decay_rate ^ (step / decay_steps)"""
    times = _share(global_step, decay_steps, staircase)
    return learning_rate * elementary.exp(times * math.log(decay_rate))


@recording
def natural_exp_decay(
    learning_rate: float, global_step: Any, decay_steps: float, decay_rate: float,
    staircase: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """rate * exp(-decay_rate step / decay_steps)"""
    times = _share(global_step, decay_steps, staircase)
    return learning_rate * elementary.exp(times * -decay_rate)


@recording
def inverse_time_decay(
    learning_rate: float, global_step: Any, decay_steps: float, decay_rate: float,
    staircase: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """rate / (1 + decay_rate step / decay_steps)"""
    times = _share(global_step, decay_steps, staircase)
    return learning_rate / (times * decay_rate + 1.0)


@recording
def polynomial_decay(
    learning_rate: float, global_step: Any, decay_steps: float, end_learning_rate: float = 0.0001,
    power: float = 1.0, cycle: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """From the rate to the last one within `decay_steps`, by (1 - step / decay_steps) ^ power."""
    times = _share(global_step, decay_steps)
    if cycle:
        times = times / arithmetic.maximum(arithmetic.ceil(times), 1.0)
    left = 1.0 - arithmetic.minimum(times, 1.0)
    return (learning_rate - end_learning_rate) * left**power + end_learning_rate


@recording
def cosine_decay(
    learning_rate: float, global_step: Any, decay_steps: float, alpha: float = 0.0,
    name: str | None = None,
) -> Any:  # fmt: skip
    """From the rate to `alpha` times it along half a cosine (Loshchilov & Hutter 2017)."""
    times = arithmetic.minimum(_share(global_step, decay_steps), 1.0)
    wave = 0.5 * (1.0 + elementary.cos(times * math.pi))
    return learning_rate * ((1.0 - alpha) * wave + alpha)


@recording
def piecewise_constant(
    x: Any, boundaries: Sequence[float], values: Sequence[float], name: str | None = None
) -> Any:
    """values[i] up to and with boundaries[i], the last one after that."""
    if len(boundaries) != len(values) - 1:
        raise ValueError("The length of boundaries should be 1 less than the length of values")
    step = cast(convert(x), float32)
    rate: Any = convert(float(values[-1]))
    for limit, value in zip(reversed(boundaries), reversed(values[:-1]), strict=True):
        rate = indexing.where(step <= float(limit), float(value), rate)
    return rate


def get_global_step(graph: Any = None) -> Any:
    """The variable that counts steps, or None."""
    found = (graph or get_default_graph()).get_collection(GraphKeys.GLOBAL_STEP)
    return found[0] if found else None


def create_global_step(graph: Any = None) -> Any:
    """A new variable that counts steps. ValueError if there is one."""
    graph = graph or get_default_graph()
    if get_global_step(graph) is not None:
        raise ValueError('"global_step" already exists.')
    with graph.as_default():
        step = get_variable("global_step", [], int64, Constant(0), trainable=False)
    graph.add_to_collection(GraphKeys.GLOBAL_STEP, step)
    return step


def get_or_create_global_step(graph: Any = None) -> Any:
    """The variable that counts steps, made if there is none."""
    found = get_global_step(graph)
    return create_global_step(graph) if found is None else found
