"""`tf.data.Dataset`: a pipeline described first, and run each time it is iterated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from slipstream.data.combining import Concatenated, Enumerated, Sampled, Zipped
from slipstream.data.elements import wrap
from slipstream.data.functions import Filtered, Interleaved, Mapped, Scanned, TakenWhile
from slipstream.data.grouping import Batched, PaddedBatched, Unbatched, Windowed
from slipstream.data.keeping import Cached, Prefetched
from slipstream.data.selecting import Repeated, Sharded, Shuffled, Skipped, Taken, Unique
from slipstream.data.sources import Generated, Range, Single, Slices, signature_of
from slipstream.data.stage import INFINITE, UNKNOWN, Stage
from slipstream.errors import OutOfRangeError
from slipstream.runtime.convert import convert
from slipstream.runtime.structure import map_structure
from slipstream.runtime.tensor import EagerTensor

AUTOTUNE = -1
INFINITE_CARDINALITY = INFINITE
UNKNOWN_CARDINALITY = UNKNOWN


class Elements(Iterator[Any]):
    """The elements of a dataset, one after the other."""

    def __init__(self, element_spec: Any, elements: Iterator[Any]) -> None:
        self.element_spec, self._elements = element_spec, elements

    def __next__(self) -> Any:
        return next(self._elements)

    def get_next(self) -> Any:
        """The next element. OutOfRangeError after the last."""
        for element in self._elements:
            return element
        raise OutOfRangeError("End of sequence")


class Dataset:
    """A sequence of elements, each a structure of tensors.

    >>> import slipstream as tf
    >>> data = tf.data.Dataset.range(5).map(lambda x: x * x).batch(2)
    >>> [batch.numpy().tolist() for batch in data]
    [[0, 1], [4, 9], [16]]
    """

    AUTOTUNE = AUTOTUNE

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @property
    def element_spec(self) -> Any:
        """The TensorSpecs of an element, in its structure."""
        return self.stage.element_spec

    # running

    def __iter__(self) -> Elements:
        spec = self.element_spec
        return Elements(spec, (wrap(spec, row) for row in self.stage.rows()))

    def as_numpy_iterator(self) -> Iterator[Any]:
        """The elements with arrays in the place of tensors."""
        return (
            map_structure(lambda t: t.numpy() if isinstance(t, EagerTensor) else t, element)
            for element in self
        )

    def reduce(self, initial_state: Any, reduce_func: Callable[..., Any], name: Any = None) -> Any:
        """The state after `state = reduce_func(state, element)` for each element."""
        state = map_structure(convert, initial_state)
        for element in self:
            state = map_structure(convert, reduce_func(state, element))
        return state

    def get_single_element(self, name: Any = None) -> Any:
        """The only element. ValueError if there are none or several."""
        elements = iter(self.take(2))
        first = next(elements, None)
        if first is None or next(elements, None) is not None:
            raise ValueError("the dataset does not have exactly one element")
        return first

    def cardinality(self) -> Any:
        """How many elements, as an int64 tensor; -1 is infinite, -2 unknown."""
        return EagerTensor(np.asarray(self.stage.size(), np.int64))

    def __len__(self) -> int:
        size = self.stage.size()
        if size < 0:
            kind = "infinite" if size == INFINITE else "unknown"
            raise TypeError(f"The dataset is {kind} in length.")
        return size

    def __bool__(self) -> bool:
        return True

    # making

    @staticmethod
    def from_tensor_slices(tensors: Any, name: Any = None) -> Dataset:
        """One element for each index of the first dimension of arrays of one length."""
        return Dataset(Slices(tensors))

    @staticmethod
    def from_tensors(tensors: Any, name: Any = None) -> Dataset:
        """One element: the tensors themselves."""
        return Dataset(Single(tensors))

    @staticmethod
    def from_generator(
        generator: Callable[..., Any],
        output_types: Any = None,
        output_shapes: Any = None,
        args: Any = None,
        output_signature: Any = None,
        name: Any = None,
    ) -> Dataset:
        """What `generator(*args)` yields, converted to `output_signature` (or types and shapes)."""
        signature = signature_of(output_types, output_shapes, output_signature)
        return Dataset(Generated(generator, args or (), signature))

    @staticmethod
    def range(*args: Any, output_type: Any = "int64", name: Any = None) -> Dataset:
        """Numbers, as Python's range."""
        return Dataset(Range(*args, output_type=output_type))

    @staticmethod
    def zip(*args: Any, datasets: Any = None, name: Any = None) -> Dataset:
        """Elements of several datasets side by side, as long as all have one."""
        single = len(args) == 1 and not isinstance(args[0], Dataset)
        given = datasets if datasets is not None else args[0] if single else args
        return Dataset(Zipped(map_structure(lambda dataset: dataset.stage, given)))

    @staticmethod
    def sample_from_datasets(
        datasets: Any, weights: Any = None, seed: Any = None, stop_on_empty_dataset: bool = False,
        rerandomize_each_iteration: Any = None,
    ) -> Dataset:  # fmt: skip
        """Elements of datasets that are drawn at random, by their weights."""
        return Dataset(Sampled([d.stage for d in datasets], weights, seed, stop_on_empty_dataset))

    # element by element

    def map(
        self,
        map_func: Callable[..., Any],
        num_parallel_calls: Any = None,
        deterministic: Any = None,
        synchronous: Any = None,
        use_unbounded_threadpool: bool = False,
        name: Any = None,
    ) -> Dataset:
        """`map_func` of each element (its parts as arguments, if it is a tuple), in order.

        The function is traced once for each signature. Several calls run in threads with
        `num_parallel_calls`.
        """
        return Dataset(Mapped(self.stage, map_func, num_parallel_calls))

    def filter(self, predicate: Callable[..., Any], name: Any = None) -> Dataset:
        """The elements for which `predicate` is true."""
        return Dataset(Filtered(self.stage, predicate))

    def flat_map(self, map_func: Callable[..., Any], name: Any = None) -> Dataset:
        """The elements of the datasets that `map_func` gives, one dataset after the other."""
        return Dataset(Interleaved(self.stage, map_func, 1, 1))

    def interleave(
        self,
        map_func: Callable[..., Any],
        cycle_length: Any = None,
        block_length: Any = None,
        num_parallel_calls: Any = None,
        deterministic: Any = None,
        name: Any = None,
    ) -> Dataset:
        """Elements of `cycle_length` datasets that `map_func` gives, `block_length` of each in
        turn.
        """
        cycle = 2 if cycle_length in (None, AUTOTUNE) else cycle_length
        return Dataset(Interleaved(self.stage, map_func, cycle, block_length or 1))

    def enumerate(self, start: int = 0, name: Any = None) -> Dataset:
        """(number, element) of each element."""

        return Dataset(Enumerated(self.stage, int(start)))

    def apply(self, transformation_func: Callable[[Dataset], Dataset]) -> Dataset:
        """What a function of datasets makes of this one."""
        return transformation_func(self)

    def scan(self, initial_state: Any, scan_func: Callable[..., Any], name: Any = None) -> Dataset:
        """`state, output = scan_func(state, element)` for each element; the outputs."""
        return Dataset(Scanned(self.stage, initial_state, scan_func))

    def take_while(self, predicate: Callable[..., Any], name: Any = None) -> Dataset:
        """The elements before the first for which `predicate` is false."""
        return Dataset(TakenWhile(self.stage, predicate))

    # which elements, in which order

    def take(self, count: int, name: Any = None) -> Dataset:
        """The first `count` elements; all for -1."""
        return Dataset(Taken(self.stage, int(count)))

    def skip(self, count: int, name: Any = None) -> Dataset:
        """All but the first `count` elements; none for -1."""
        return Dataset(Skipped(self.stage, int(count)))

    def shard(self, num_shards: int, index: int, name: Any = None) -> Dataset:
        """Every `num_shards`-th element, from number `index` on."""
        return Dataset(Sharded(self.stage, int(num_shards), int(index)))

    def repeat(self, count: int | None = None, name: Any = None) -> Dataset:
        """The elements `count` times; for ever without."""
        return Dataset(Repeated(self.stage, -1 if count is None else int(count)))

    def shuffle(
        self,
        buffer_size: int,
        seed: int | None = None,
        reshuffle_each_iteration: bool = True,
        name: Any = None,
    ) -> Dataset:
        """The elements drawn at random from a buffer of `buffer_size` that fills in order."""
        return Dataset(Shuffled(self.stage, int(buffer_size), seed, reshuffle_each_iteration))

    def concatenate(self, dataset: Dataset, name: Any = None) -> Dataset:
        """The elements of this dataset, then those of `dataset`, which are alike."""
        return Dataset(Concatenated(self.stage, dataset.stage))

    def cache(self, filename: str = "", name: Any = None) -> Dataset:
        """The same elements, kept in memory or a file from the first time they are all read."""
        return Dataset(Cached(self.stage, filename))

    def prefetch(self, buffer_size: int = AUTOTUNE, name: Any = None) -> Dataset:
        """The same elements, made ahead of their use by a thread of its own."""
        return Dataset(Prefetched(self.stage, 2 if buffer_size == AUTOTUNE else int(buffer_size)))

    def unique(self, name: Any = None) -> Dataset:
        """The elements without repetitions."""
        return Dataset(Unique(self.stage))

    # groups of elements

    def batch(
        self,
        batch_size: int,
        drop_remainder: bool = False,
        num_parallel_calls: Any = None,
        deterministic: Any = None,
        name: Any = None,
    ) -> Dataset:
        """`batch_size` elements as one, with a first dimension more; the last may be smaller."""
        return Dataset(Batched(self.stage, int(batch_size), drop_remainder))

    def padded_batch(
        self,
        batch_size: int,
        padded_shapes: Any = None,
        padding_values: Any = None,
        drop_remainder: bool = False,
        name: Any = None,
    ) -> Dataset:
        """`batch`, with elements padded at their ends to the largest (or to `padded_shapes`)."""
        return Dataset(
            PaddedBatched(
                self.stage, int(batch_size), padded_shapes, padding_values, drop_remainder
            )
        )

    def unbatch(self, name: Any = None) -> Dataset:
        """The slices of each element along its first dimension."""
        return Dataset(Unbatched(self.stage))

    def rebatch(self, batch_size: int, drop_remainder: bool = False, name: Any = None) -> Dataset:
        """Other batches of the same slices."""
        return self.unbatch().batch(int(batch_size), drop_remainder)

    def window(
        self,
        size: int,
        shift: int | None = None,
        stride: int = 1,
        drop_remainder: bool = False,
        name: Any = None,
    ) -> Dataset:
        """Datasets of `size` elements each, `stride` apart, beginning every `shift` elements."""
        return Dataset(
            Windowed(
                self.stage, Dataset, (int(size), int(shift or size), int(stride)), drop_remainder
            )
        )

    # saying what it is

    def options(self) -> Any:
        return Options()

    def with_options(self, options: Any, name: Any = None) -> Dataset:
        """The same dataset: its options change where work is done, never what is given."""
        return self

    def __repr__(self) -> str:
        return f"<_{self.stage.label}Dataset element_spec={self.element_spec!r}>"


class Options:
    """Accepted for programs that set them; nothing depends on them."""

    def __init__(self) -> None:
        self.deterministic: bool | None = None
