"""Loops of known length: the body compiled once, called with other addresses each step.

Elements of stacked arrays are found by adding to an address; the carry goes to and fro between two
places, such that the last step writes where the result is to be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipstream.ir.graph import Array, Node


@dataclass(frozen=True)
class Carried:
    """A value that a step hands to the next: the body's slots, and its two places."""

    read: int
    written: int
    first: Array
    last: Array
    other: Array

    def places(self, step: int, length: int) -> tuple[int, int]:
        """The addresses to read from and to write to."""
        mine, others = self.last, self.other
        if (length - 1 - step) % 2:
            mine, others = others, mine
        before = others if step else self.first
        return before.ctypes.data, mine.ctypes.data


class Loop:
    """A scan whose body is all kernels; `body` is its program."""

    def __init__(self, node: Node, body: Any) -> None:
        self.node, self.body = node, body

    def run(self, arrays: Sequence[Array], outputs: Sequence[Array]) -> None:
        """All steps, on inputs and into outputs that lie in rows."""
        params, body = self.node.params, self.body
        length, carry, xs = params["length"], params["carry"], params["xs"]
        frame = body.frame()
        try:
            carried = [
                Carried(body.inputs[i], body.outputs[i], arrays[i], out, np.empty_like(out))
                for i, out in enumerate(outputs[:carry])
            ]
            moving = [
                *zip(body.inputs[carry : carry + xs], arrays[carry : carry + xs], strict=True),
                *zip(body.outputs[carry:], outputs[carry:], strict=True),
            ]
            for slot, array in zip(body.inputs[carry + xs :], arrays[carry + xs :], strict=True):
                frame.table[slot] = array.ctypes.data
            steps = [
                (slot, array.ctypes.data, array.strides[0] if array.size else 0)
                for slot, array in moving
            ]
            self._steps(frame, carried, steps, length)
        finally:
            body.release(frame)
        if not length:
            for i, out in enumerate(outputs[:carry]):
                np.copyto(out, arrays[i])

    def _steps(
        self, frame: Any, carried: Sequence[Carried], moving: Sequence[tuple[int, int, int]],
        length: int,
    ) -> None:  # fmt: skip
        table, runs = frame.table, self.body.runs
        turns = _turns(carried, length)
        order = reversed(range(length)) if self.node.params["reverse"] else range(length)
        for step, place in enumerate(order):
            for slot, base, stride in moving:
                table[slot] = base + place * stride
            for slot, address in turns(step):
                table[slot] = address
            for run in runs:
                run(frame)


def _turns(carried: Sequence[Carried], length: int) -> Callable[[int], Sequence[tuple[int, int]]]:
    """What the slots of the carry hold in each step: two cases, but for the first step."""
    known: dict[tuple[bool, int], list[tuple[int, int]]] = {}

    def turn(step: int) -> Sequence[tuple[int, int]]:
        key = step == 0, step % 2
        if key not in known:
            known[key] = [
                pair
                for c in carried
                for pair in zip((c.read, c.written), c.places(step, length), strict=True)
            ]
        return known[key]

    return turn
