"""Calls of Python, printing and assertions, eager and traced."""

import io

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import control
from slipstream.ops import host as tf
from slipstream.runtime.convert import convert
from slipstream.runtime.function import TensorSpec, function
from slipstream.runtime.tape import GradientTape


def test_numpy_functions_keep_their_dtypes():
    def both(x, y):
        assert isinstance(x, np.ndarray)
        return x.sum(), np.stack([x, y])

    def call(x, y):
        return tf.numpy_function(both, [x, y], ["float32", "float64"])

    x, y = convert([1.0, 2.0]), convert([3.0, 4.0])
    for total, stacked in (call(x, y), function(call)(x, y)):
        assert float(total) == 3 and total.dtype == "float32"
        assert stacked.dtype == "float64" and stacked.numpy().tolist() == [[1, 2], [3, 4]]


def test_a_spec_with_a_shape_saves_the_trial_with_zeros():
    calls = []

    def recording(x):
        calls.append(x.tolist())
        return x

    traced = function(lambda x: tf.numpy_function(recording, [x], TensorSpec([2], "float32")))
    assert traced(convert([1.0, 2.0])).numpy().tolist() == [1, 2]
    assert calls == [[1.0, 2.0]]


def test_gradients_flow_through_python_functions():
    def cube(x, n):
        assert int(n) in (0, 3)
        return x * x * x

    def f(x):
        with GradientTape() as tape:
            tape.watch(x)
            y = tf.py_function(cube, [x, 3], "float32")
        return tape.gradient(y, x)

    x = convert([1.0, -2.0])
    assert f(x).numpy().tolist() == function(f)(x).numpy().tolist() == [3, 12]


def test_functions_without_results_run_once_a_call():
    seen = []

    @function
    def f(x):
        tf.py_function(lambda v: seen.append(float(v)), [x], [])
        return x + 1.0

    assert float(f(convert(1.0))) == 2 and float(f(convert(5.0))) == 6
    assert seen[-2:] == [1.0, 5.0]


def test_another_number_of_results_is_an_error():
    with pytest.raises(ValueError, match="returned 1 values, not 2"):
        tf.numpy_function(lambda: np.zeros(3), [], ["float32", "float32"])


def printed(*inputs, **options):
    stream = io.StringIO()
    tf.print(*inputs, output_stream=stream, **options)
    return stream.getvalue()


def test_print_writes_as_tensorflow_does():
    assert printed("x:", convert([1.0, 2.5]), 7) == "x: [1 2.5] 7\n"
    assert printed(convert(1 / 3), convert(0.1)) == "0.333333343 0.1\n"
    assert printed(convert(np.arange(10))) == "[0 1 2 ... 7 8 9]\n"
    assert printed(convert(np.arange(8)), summarize=-1) == "[0 1 2 3 4 5 6 7]\n"
    assert printed(convert([[1, 2], [3, 4]])) == "[[1 2]\n [3 4]]\n"
    assert printed(convert("a"), convert(["a", "b"])) == 'a ["a" "b"]\n'
    assert printed([convert(1), {"k": convert(True)}], sep="|", end="") == "[1, {'k': 1}]"


def test_print_in_a_traced_program_writes_when_it_runs(capsys):
    @function
    def f(x):
        tf.print("x =", x)
        control.cond(x > 1, lambda: tf.print("large"), lambda: tf.print("small"))
        return x

    assert capsys.readouterr().err == ""
    f(convert(3))
    f(convert(1))
    assert capsys.readouterr().err == "x = 3\nlarge\nx = 1\nsmall\n"


def test_print_to_a_file_and_misuse(tmp_path):
    path = tmp_path / "log.txt"
    for number in (1, 2):
        tf.print(number, output_stream=f"file://{path}")
    assert path.read_text() == "1\n2\n"
    with pytest.raises(ValueError, match="Unrecognized"):
        tf.print(1, colour="red")
    with pytest.raises(ValueError, match="output_stream"):
        tf.print(1, output_stream=3)


def test_assert_shows_its_data():
    tf.Assert(convert(True), [1])
    with pytest.raises(InvalidArgumentError, match=r"(?s)assertion failed.*\[3 4\]"):
        tf.Assert(convert(False), [convert([3, 4])])

    @function
    def f(x):
        tf.Assert(x < 2, [x])
        return x

    assert int(f(convert(1))) == 1
    with pytest.raises(InvalidArgumentError, match=r"(?s)assertion failed.*5"):
        f(convert(5))
