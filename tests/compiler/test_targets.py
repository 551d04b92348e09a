"""Targets: the same programs limited to older processors agree, and code for AArch64 is vectors."""

import re
import runpy
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from comparison import check, types_of

import slipstream as tf
from slipstream.compiler.code import object_files
from slipstream.compiler.codegen.emit import kernel_text
from slipstream.compiler.codegen.image import ObjectFile
from slipstream.compiler.codegen.machine import Compiler
from slipstream.compiler.codegen.team import TeamWriter
from slipstream.compiler.kernels import WORTH_SHARING, Contraction, LoopNest, plain, work
from slipstream.compiler.pipeline import KernelStep, schedule
from slipstream.compiler.target import LEVELS, levels, named, target
from slipstream.ir.dtypes import float32
from slipstream.primitives import REGISTRY
from slipstream.primitives.tracing import trace
from slipstream.runtime import executor

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
WORKLOADS = runpy.run_path(str(BENCHMARKS / "workloads.py"))["WORKLOADS"]
C_LIBRARY = re.compile(
    "(sin|cos|atan|atan2|pow|exp|log|tanh|fmod|erf|lgamma|tgamma)f?|mem(set|cpy)"
)
keras, layers = tf.keras, tf.keras.layers


# ---- x86-64 ----------------------------------------------------------------------------------


def mlp():
    return [layers.Input((20,)), layers.Dense(33, activation="tanh"), layers.Dense(5)]


def cnn():
    return [
        layers.Input((9, 9, 3)),
        layers.Conv2D(17, 3, activation="relu", padding="same"),
        layers.MaxPooling2D(),
        layers.BatchNormalization(),
        layers.Flatten(),
        layers.Dense(5),
    ]


def lstm():
    return [layers.Input((6, 7)), layers.LSTM(19), layers.Dense(5)]


def trained(make, samples=24):
    """Weights after three steps from one seed, and the losses."""
    keras.utils.set_random_seed(3)
    model = keras.Sequential(make())
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss)
    random = np.random.default_rng(0)
    x = random.normal(size=(samples, *model.input_shape[1:])).astype(np.float32)
    y = random.integers(0, 5, samples)
    history = model.fit(x, y, batch_size=8, verbose=0, shuffle=False)
    return [*model.get_weights(), np.asarray(history.history["loss"])]


@pytest.fixture(scope="module")
def expected():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLIPSTREAM_EXECUTOR", "reference")
        return {make: trained(make) for make in (mlp, cnn, lstm)}


@pytest.mark.parametrize("level", levels())
@pytest.mark.parametrize("make", [mlp, cnn, lstm])
def test_training_agrees_on_every_level(make, level, expected, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_TARGET", level)
    for found, wanted in zip(trained(make), expected[make], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)


FIRST_SAMPLES = [
    pytest.param(primitive, primitive.samples[0], id=name)
    for name, primitive in sorted(REGISTRY.items())
    if primitive.samples and float32 in primitive.facts.get("dtypes", (float32,))
]


@pytest.mark.parametrize("level", [name for name in levels() if name != "native"])
@pytest.mark.parametrize(("primitive", "sample"), FIRST_SAMPLES)
def test_primitives_agree_on_every_level(primitive, sample, level, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_TARGET", level)
    arrays = list(sample.arrays(float32))
    graph = trace(lambda *xs: primitive(*xs, **sample.params), types_of(arrays), primitive.name)
    check(graph, arrays)


def test_a_level_makes_vectors_of_its_width():
    (kernel,) = kernels_of(*drawn_product(64))
    registers = ["xmm", "ymm", "zmm"]
    for place, level in enumerate(LEVELS):
        text = assembly(kernel, named(level))
        assert registers[place] in text
        assert not [wider for wider in registers[place + 1 :] if wider in text]


@pytest.mark.parametrize("name", ["aarch64", "x86-64-v9", "z80"])
def test_what_does_not_run_here_is_refused(name, monkeypatch):
    monkeypatch.setenv("SLIPSTREAM_TARGET", name)
    with pytest.raises(ValueError, match=f"SLIPSTREAM_TARGET={name} is"):
        target()


def test_a_wider_level_than_the_processor_has_is_refused(monkeypatch):
    monkeypatch.setattr("slipstream.compiler.target.LEVELS", {"x86-64-v4": 10**6})
    monkeypatch.setenv("SLIPSTREAM_TARGET", "x86-64-v4")
    with pytest.raises(ValueError, match="this processor does not run; it runs native"):
        target()


# ---- AArch64 ---------------------------------------------------------------------------------


class Drawn(Exception):
    """A program is asked for: its graph and the pairs in place."""


class Drawing:
    """An executor that shows the first program and runs none."""

    name, in_place = "native", True

    def load(self, graph, in_place=()):
        raise Drawn(graph, in_place)


def drawn(name, monkeypatch):
    """The training step, or the function, of a benchmark."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from frameworks.keras_programs import prepare

    monkeypatch.setenv("SLIPSTREAM_EXECUTOR", "native")
    monkeypatch.setitem(executor.EXECUTORS, "native", Drawing())
    program = prepare("slipstream", replace(WORKLOADS[name], steps=1))
    with pytest.raises(Drawn) as found:
        program.first()
    return found.value.args


def drawn_product(size):
    x = np.zeros((size, size), np.float32)
    labels = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}
    return trace(lambda a, b: REGISTRY["contract"](a, b, **labels), types_of([x, x]), "p"), ()


def kernels_of(graph, in_place):
    """The kernels of a program, those of its loops among them."""
    steps = schedule(graph, in_place).steps
    calls = [call for step in steps if isinstance(step, KernelStep) for call in step.calls]
    return list(dict.fromkeys(plain(calls)))


def assembly(kernel, chosen):
    return Compiler(chosen).assembly(kernel_text(kernel, "kernel", chosen))


def is_vector(word):
    """Whether an instruction of AArch64 computes with, loads or stores 128 bits of a register.

    "Arm Architecture Reference Manual for A-profile", C4.1: Advanced SIMD data processing has 0, Q,
    U, 0111 in its highest bits; loads and stores of registers have 1 in bit 26, and those of 128
    bits 00 in their size and 1 in bit 23, or for pairs 10 in their size.
    """
    if (word >> 24) & 0xDE == 0x4E:
        return True
    if (word >> 24) & 0x3E in (0x3C, 0x3D) and word >> 30 == 0:
        return bool(word & 1 << 23)
    return (word >> 24) & 0x3E == 0x2C and word >> 30 == 2


def is_multiply_add(word):
    """FMLA on four or two floats, by a vector or by one element of it."""
    return word & 0xFFA0FC00 == 0x4E20CC00 or word & 0xFF80F400 == 0x4F801000


@pytest.mark.parametrize("name", WORKLOADS)
def test_benchmarks_are_vector_code_for_aarch64(name, monkeypatch):
    kernels = kernels_of(*drawn(name, monkeypatch))
    assert kernels
    for kernel, content in object_files(kernels, named("aarch64")).items():
        file = ObjectFile(content)
        assert file.machine == 183  # EM_AARCH64
        assert all(C_LIBRARY.fullmatch(symbol) for symbol in file.outside), file.outside
        words = [word for (word,) in struct.iter_unpack("<I", file.code)]
        if isinstance(kernel, Contraction) and kernel.columns.size >= 4:
            assert any(map(is_multiply_add, words)), kernel
        if isinstance(kernel, LoopNest) and work(kernel) >= WORTH_SHARING:
            assert any(map(is_vector, words)), kernel


def test_the_team_is_code_for_aarch64():
    chosen = named("aarch64")
    file = ObjectFile(Compiler(chosen).object_code(TeamWriter(chosen).write()))
    assert file.outside == {"syscall", "clock_gettime"}  # what threads sleep in, and how long
    assert b"\x3f\x20\x03\xd5" in file.code  # yield


def test_a_product_is_read_as_one():
    (kernel,) = kernels_of(*drawn_product(64))
    text = assembly(kernel, named("aarch64"))
    file = ObjectFile(object_files([kernel], named("aarch64"))[kernel])
    words = [word for (word,) in struct.iter_unpack("<I", file.code)]
    assert len(re.findall(r"\bfmla\sv", text)) == sum(map(is_multiply_add, words)) >= 16
