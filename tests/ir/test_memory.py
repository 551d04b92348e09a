"""Memory of results: used again when nobody has it, never while somebody does."""

from __future__ import annotations

import gc
import threading

import numpy as np
import pytest

import slipstream as tf
from slipstream.ir import memory
from slipstream.ir.dtypes import as_dtype
from slipstream.ir.types import TensorType

FLOATS = TensorType((512, 512), as_dtype("float32"))


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(memory, "_known", [])


def empty(type):
    return memory.allocator(type)()


def place(array):
    return array.__array_interface__["data"][0]


def test_memory_that_nobody_has_is_used_again():
    first = empty(FLOATS)
    assert place(first) % memory.LINE == 0
    where = place(first)
    del first
    assert place(empty(FLOATS)) == where


@pytest.mark.parametrize(
    "hold",
    [
        lambda a: a,
        lambda a: a[3:4],
        lambda a: a.T,
        lambda a: a.view("int32").reshape(-1)[5:],
        memoryview,
        lambda a: np.lib.stride_tricks.as_strided(a, (3,), (4,)),
    ],
)
def test_memory_that_somebody_has_is_not(hold):
    first = empty(FLOATS)
    where = place(first)
    held = hold(first)
    del first
    second = empty(FLOATS)
    assert place(second) != where
    del held
    gc.collect()
    third = empty(FLOATS)
    assert place(third) == where
    assert place(empty(FLOATS)) not in (where, place(second))


def test_no_more_is_remembered_than_the_limit(monkeypatch):
    monkeypatch.setattr(memory, "MOST", 3 * FLOATS.bytes)
    held = [empty(FLOATS) for _ in range(5)]
    assert len({place(a) for a in held}) == 5
    assert sum(block.nbytes for block in memory._known) <= 3 * FLOATS.bytes
    larger = empty(TensorType((5, 512, 512), as_dtype("float32")))
    assert larger.flags.owndata and larger.nbytes > memory.MOST


def test_threads_never_share_what_they_hold():
    clashes, ready = [], threading.Barrier(4)

    def work(number):
        ready.wait()
        for turn in range(300):
            mine = empty(FLOATS)
            mine[::64] = number * 1000 + turn
            if not (mine[::64] == number * 1000 + turn).all():
                clashes.append((number, turn))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not clashes


def test_results_of_a_function_keep_their_numbers():
    double = tf.function(lambda x: x * 2.0)
    x = np.arange(512 * 512, dtype=np.float32).reshape(512, 512)
    results = [double(x + n) for n in range(4)]
    copies = [result.numpy() for result in results]
    for n, (result, copy) in enumerate(zip(results, copies, strict=True)):
        np.testing.assert_array_equal(result.numpy(), (x + n) * 2)
        copy[...] = 0  # is the caller's own
        np.testing.assert_array_equal(result.numpy(), (x + n) * 2)


def test_strings_are_copied():
    words = tf.constant([[b"a" * 100, b"b"]] * 20_000)
    copy = words.numpy()
    copy[0, 0] = b"c"
    assert words.numpy()[0, 0] == b"a" * 100 and copy[1, 0] == b"a" * 100
