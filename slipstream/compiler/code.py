"""Machine code of programs: a kernel at a time, from the cache, else compiled and put there.

Equal kernels are compiled once, whatever programs they are in. Those that are missing are written
one after the other, and compiled side by side meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from slipstream import settings
from slipstream.compiler import cache, collector
from slipstream.compiler.codegen.emit import Segment, SegmentWriter, kernel_text
from slipstream.compiler.codegen.image import Image, LinkedByLLVM, linked
from slipstream.compiler.codegen.machine import Pool
from slipstream.compiler.kernels import Kernel, plain
from slipstream.compiler.target import Target

Writes = Callable[[], str]  # the text of a module


def compiled(wanted: Mapping[str, Writes], target: Target) -> list[bytes]:
    """The object files of modules by their names in the cache, in order."""
    found = cache.read(wanted)
    missing = [key for key in wanted if key not in found]
    if missing:
        with Pool(target, settings.thread_count()) as pool:
            waiting = {key: pool.object_code(text) for key, text in _written(wanted, missing)}
            made = {key: future.result() for key, future in waiting.items()}
        cache.write(made)
        found.update(made)
    return [found[key] for key in wanted]


def _written(wanted: Mapping[str, Writes], keys: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The texts of modules by their keys."""
    with collector.paused():
        for key in keys:
            yield key, wanted[key]()
            collector.collect_young()  # the module


def object_files(kernels: Iterable[Kernel], target: Target) -> dict[Kernel, bytes]:
    """The object file of each kernel, for any target: also of a machine of another kind."""
    names = _names(kernels, target)
    return dict(zip(names, compiled(_writers(names, target), target), strict=True))


def loaded(
    segments: Sequence[Segment], target: Target
) -> tuple[Image | LinkedByLLVM, tuple[str, ...]]:
    """Functions `segment0`, `segment1`, ... that run these segments; the files they are in."""
    names = _names((kernel for segment in segments for kernel in plain(segment.calls)), target)

    def calls() -> str:
        writer = SegmentWriter(target, names)
        for segment in segments:
            writer.segment(segment)
        return writer.text()

    # the functions that call are the longest: the others are compiled beside them
    wanted = {cache.key_of(repr(segments), target): calls} | _writers(names, target)
    return linked(compiled(wanted, target), target), tuple(wanted)


def _names(kernels: Iterable[Kernel], target: Target) -> dict[Kernel, str]:
    """The name of each kernel's function, and of its file in the cache."""
    different = dict.fromkeys(kernels)
    return {kernel: f"kernel_{cache.key_of(repr(kernel), target)}" for kernel in different}


def _writers(names: Mapping[Kernel, str], target: Target) -> dict[str, Writes]:
    return {name: partial(kernel_text, kernel, name, target) for kernel, name in names.items()}
