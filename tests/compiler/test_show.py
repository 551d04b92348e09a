"""A program written down: each pass, group, kernel and place is in the files; it runs as ever."""

import re

import numpy as np
import pytest
from comparison import types_of
from test_loops import loop

from slipstream.compiler import pipeline, show
from slipstream.compiler.kernels import Contraction
from slipstream.compiler.target import levels, target
from slipstream.ir.text import parse_graph, print_graph
from slipstream.primitives import REGISTRY
from slipstream.primitives.evaluate import evaluate
from slipstream.primitives.tracing import trace

apply = REGISTRY.__getitem__
LABELS = {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}
NAMES = ["traced", *(name for name, _, _ in pipeline.PASSES), "groups", "kernels", "memory"]
FILES = [f"{number:02}-{name}.txt" for number, name in enumerate(NAMES)]
PASSED = len(pipeline.PASSES) + 1


def step(x, i, w, v):
    """Rows that are picked, a product of a view, a call to NumPy, a variable's new content."""
    rows = apply("gather")(x, i, axis=0, batch_dims=0)
    y = apply("tanh")(apply("contract")(rows, apply("transpose")(w, permutation=(1, 0)), **LABELS))
    solved = apply("svd")(y, full=False)[0]
    return solved, v + apply("sum")(y, axes=(0,))


def program():
    random = np.random.default_rng(0)
    x, w, v = (random.normal(size=s).astype(np.float32) for s in ((3, 6), (9, 6), (9,)))
    arrays = [x, np.array([2, 0, 1, 2, 2, 1, 0, 1]), w, v]
    return trace(step, types_of(arrays), "step"), arrays


@pytest.fixture
def shown(tmp_path):
    graph, arrays = program()
    loaded = show.show(graph, ((3, 1),), tmp_path, code=True)
    wanted = evaluate(graph, arrays)
    for found, one in zip(loaded(arrays), wanted, strict=True):
        np.testing.assert_allclose(found, one, rtol=1e-5, atol=1e-6)
    return tmp_path


def test_a_file_for_each_pass_and_what_follows(shown):
    assert sorted(p.name for p in shown.iterdir()) == [*FILES, "code"]
    graph, _ = program()
    assert (shown / FILES[0]).read_text() == print_graph(graph)
    for name in FILES[:PASSED]:
        text = (shown / name).read_text()
        assert print_graph(parse_graph(re.sub("^# .*\n", "", text), REGISTRY.__getitem__))


def test_groups_name_the_users_line_and_the_views(shown):
    text = (shown / FILES[PASSED]).read_text()
    assert re.search(r"group \d+: product", text)
    assert f"{__file__}:" in text
    assert "lays out" in text and "strides (1, 6)" in text


def test_kernels_have_their_buffers_places_and_records(shown):
    text = (shown / FILES[PASSED + 1]).read_text()
    for part in ("contraction: contract 8x6, ", "; then tanh", "864 flops", "call to NumPy: svd",
                 "over input 3", "in the arena at 0", "the word for faults", "input 0",
                 "Contraction\n", "Load(Access("):  # fmt: skip
        assert part in text
    assert "<dtype" not in text


def test_memory_has_every_value_of_the_arena(shown):
    graph, _ = program()
    arena = pipeline.schedule(graph, ((3, 1),)).places.arena
    lines = (shown / FILES[PASSED + 2]).read_text().splitlines()
    assert len([line for line in lines if re.match(r" +\d+ +\d+  \d+-\d+ ", line)]) == len(arena)
    assert lines[-1].startswith("output 1: ") and lines[-1].endswith("over input 3")


def test_code_of_each_kernel(shown):
    listed = set(re.findall(r"\d+\. (kernel\d+),", (shown / FILES[PASSED + 1]).read_text()))
    assert {p.stem for p in (shown / "code").iterdir()} == listed
    for name in listed:
        assert '@"kernel0"(' in (shown / "code" / f"{name}.ll").read_text()
        assert "kernel0:" in (shown / "code" / f"{name}.s").read_text()


def test_a_loop_has_its_table_and_its_kernels(tmp_path):
    graph, _ = loop(7, True)
    show.show(graph, (), tmp_path, code=True)
    text = (tmp_path / FILES[PASSED + 1]).read_text()
    assert re.search(r"\d+\. loop: 7 steps of \d+ kernels", text)
    assert re.search(r"entry \d+: buffer \d+, byte \d+, -\d+ bytes a turn", text)
    assert re.search(r"step \d+\. kernel\d+, contraction: 6x5x\[5\]: product; then tanh", text)
    listed = set(re.findall(r"\. (kernel\d+),", text))
    assert {p.stem for p in (tmp_path / "code").iterdir()} == listed


def test_code_is_of_the_target_in_force(monkeypatch):
    (only,) = pipeline.schedule(product(), ()).steps
    record = only.calls[0][0]
    assert isinstance(record, Contraction)
    for name in levels():
        monkeypatch.setenv("SLIPSTREAM_TARGET", name)
        assert f"<{target().lanes(32)} x float>" in show.kernel_code(record)[0]


def product():
    arrays = [np.ones((32, 32), np.float32)] * 2
    return trace(lambda x, w: apply("contract")(x, w, **LABELS), types_of(arrays), "product")


def test_what_cannot_be_compiled_is_written_up_to_there(tmp_path, monkeypatch):
    def broken(graph):
        raise RuntimeError("this pass is wrong")

    passes = (*pipeline.PASSES[:1], ("hoist", broken, ""), *pipeline.PASSES[2:])
    monkeypatch.setattr(show, "PASSES", passes)
    with pytest.raises(RuntimeError, match="this pass is wrong"):
        show.show(program()[0], (), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == FILES[:2]


def test_folders_have_numbers_and_names(tmp_path):
    shown = show.Shown(tmp_path, only="product")
    shown.load(product())
    shown.load(program()[0])
    shown.load(product())
    assert shown.written == [tmp_path / "01-product", tmp_path / "02-product"]
    assert sorted(tmp_path.iterdir()) == shown.written
