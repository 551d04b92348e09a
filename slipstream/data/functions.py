"""Stages that call the user's functions: map, filter, interleave, scan, take_while."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from slipstream import settings
from slipstream.data.elements import Row, row_of, spec_of, wrap
from slipstream.data.stage import UNKNOWN, Following, Stage
from slipstream.errors import NotWhileTracing
from slipstream.ops.host import ShapesUnknown
from slipstream.runtime.abstract import infer_outputs
from slipstream.runtime.convert import convert
from slipstream.runtime.function import Function, TensorSpec
from slipstream.runtime.structure import map_structure


def as_arguments(element: Any) -> tuple[Any, ...]:
    """A tuple's parts are separate arguments of the user's function."""
    return tuple(element) if isinstance(element, tuple) else (element,)


class Traced:
    """A user's function: traced once for each signature of its arguments.

    One that cannot be traced runs eagerly: it calls Python whose results have shapes that nobody
    knows before, decides by `if` on a tensor, or makes tensors whose sizes are values of others.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._python = function
        self._function: Callable[..., Any] = Function(
            function, getattr(function, "__name__", "mapped")
        )

    def __call__(self, spec: Any, row: Row) -> Any:
        arguments = as_arguments(wrap(spec, row))
        try:
            result = self._function(*arguments)
        except NotWhileTracing:
            if self._function is self._python:
                raise
            self._function = self._python
            result = self._python(*arguments)
        return tuple(result) if isinstance(result, list) else result

    def spec(self, spec: Any) -> Any:
        """The specs of what it returns for elements of `spec`; None if only a call can tell."""
        try:
            result = infer_outputs(self._python, *as_arguments(spec))
        except NotWhileTracing:
            self._function = self._python
            return None
        return tuple(result) if isinstance(result, list) else result

    def spec_by_call(self, before: Stage) -> Any:
        """The specs learnt from the first element of a stage."""
        first = next(before.rows(), None)
        if first is None:
            raise ShapesUnknown("the dataset has no element to learn from what the function gives")
        result = self(before.element_spec, first)
        return map_structure(lambda t: TensorSpec(None, convert(t).dtype), result)


class Mapped(Following):
    """A function of each element."""

    def __init__(self, before: Stage, function: Callable[..., Any], parallel: int | None) -> None:
        super().__init__(before)
        self._function = Traced(function)
        self._workers = settings.thread_count() if parallel == -1 else int(parallel or 0)
        self.label = "ParallelMap" if parallel else "Map"
        self._spec = self._function.spec(before.element_spec)

    @property
    def element_spec(self) -> Any:
        if self._spec is None:
            self._spec = self._function.spec_by_call(self.before)
        return self._spec

    def rows(self) -> Iterator[Row]:
        return self._parallel() if self._workers > 1 else map(self._one, self.before.rows())

    def _one(self, row: Row) -> Row:
        return row_of(self._function(self.before.element_spec, row))

    def _parallel(self) -> Iterator[Row]:
        """Several calls under way, results in order."""
        source = self.before.rows()
        with ThreadPoolExecutor(self._workers) as pool:
            waiting: deque[Future[Row]] = deque()
            for row in itertools.islice(source, 2 * self._workers):
                waiting.append(pool.submit(self._one, row))
            while waiting:
                done = waiting.popleft().result()
                following = next(source, None)
                if following is not None:
                    waiting.append(pool.submit(self._one, following))
                yield done


class Filtered(Following):
    """The elements for which a function is true."""

    label = "Filter"

    def __init__(self, before: Stage, predicate: Callable[..., Any]) -> None:
        super().__init__(before)
        self._predicate = Traced(predicate)

    def size(self) -> int:
        return UNKNOWN

    def rows(self) -> Iterator[Row]:
        spec = self.element_spec
        return (row for row in self.before.rows() if bool(self._predicate(spec, row)))


class TakenWhile(Filtered):
    """The elements before the first for which a function is false."""

    label = "TakeWhile"

    def rows(self) -> Iterator[Row]:
        spec = self.element_spec
        return itertools.takewhile(lambda r: bool(self._predicate(spec, r)), self.before.rows())


class Interleaved(Following):
    """Elements of the datasets that a function gives, in turn."""

    def __init__(self, before: Stage, function: Callable[..., Any], cycle: int, block: int) -> None:
        super().__init__(before)
        self._function, self._cycle, self._block = function, cycle, block
        self.label = "FlatMap" if cycle == 1 else "Interleave"
        self._spec: Any = None

    @property
    def element_spec(self) -> Any:
        """The spec of the datasets, learnt from the first one."""
        if self._spec is None:
            first = next(self._stages(), None)
            if first is None:
                raise ValueError("a dataset without elements tells nothing of what map_func gives")
            self._spec = first.element_spec
        return self._spec

    def size(self) -> int:
        return UNKNOWN

    def _stages(self) -> Iterator[Stage]:
        spec = self.before.element_spec
        for row in self.before.rows():
            made = self._function(*as_arguments(wrap(spec, row)))
            if not hasattr(made, "stage"):
                raise TypeError(
                    f"`map_func` must return a `Dataset` object. Got {type(made).__name__}"
                )
            yield made.stage

    def rows(self) -> Iterator[Row]:
        stages = self._stages()
        open_ones = [stage.rows() for stage in itertools.islice(stages, self._cycle)]
        place = 0
        while open_ones:
            place %= len(open_ones)
            block = list(itertools.islice(open_ones[place], self._block))
            yield from block
            if len(block) == self._block:
                place += 1
                continue
            following = next(stages, None)
            if following is None:
                del open_ones[place]
            else:
                open_ones[place] = following.rows()
                place += 1 if block else 0


class Scanned(Following):
    """A function that carries a state from element to element."""

    label = "Scan"

    def __init__(self, before: Stage, initial: Any, function: Callable[..., Any]) -> None:
        super().__init__(before)
        self._initial, self._function = map_structure(convert, initial), function
        state = spec_of(map_structure(lambda t: t.array, self._initial))
        self._spec = infer_outputs(lambda s, e: function(s, e)[1], state, before.element_spec)

    @property
    def element_spec(self) -> Any:
        return self._spec

    def rows(self) -> Iterator[Row]:
        state, spec = self._initial, self.before.element_spec
        for row in self.before.rows():
            state, output = self._function(state, wrap(spec, row))
            yield row_of(output)
