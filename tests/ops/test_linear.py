"""matmul, matvec, tensordot and einsum against NumPy and against sums written out."""

import itertools

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ir.dtypes import bfloat16, float16, float32, float64, int32, int64
from slipstream.ops.linear import einsum, matmul, matvec, tensordot
from slipstream.primitives.base import LEVEL
from slipstream.primitives.contraction import contract
from slipstream.runtime.convert import convert
from slipstream.runtime.tape import GradientTape

RANDOM = np.random.default_rng(7)


def numbers(*shape, dtype=np.float64):
    drawn = RANDOM.normal(size=shape)
    if np.dtype(dtype).kind == "c":
        drawn = drawn + 1j * RANDOM.normal(size=shape)
    return drawn.astype(dtype)


def summed_out(equation, *operands):
    """An einsum as loops over every label: independent of NumPy's."""
    inputs, output = equation.split("->")
    terms = inputs.split(",")
    sizes = {
        c: n
        for term, x in zip(terms, operands, strict=True)
        for c, n in zip(term, x.shape, strict=True)
    }
    letters = sorted(sizes)
    found = np.zeros([sizes[c] for c in output])
    for index in itertools.product(*(range(sizes[c]) for c in letters)):
        at = dict(zip(letters, index, strict=True))
        product = 1.0
        for term, x in zip(terms, operands, strict=True):
            product *= x[tuple(at[c] for c in term)]
        found[tuple(at[c] for c in output)] += product
    return found


def test_matmul_by_hand():
    assert matmul([[1, 2], [3, 4]], [[5], [6]]).numpy().tolist() == [[17], [39]]


@pytest.mark.parametrize("transpose_a", [False, True])
@pytest.mark.parametrize("transpose_b", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.complex128])
def test_matmul_transposed(transpose_a, transpose_b, dtype):
    a, b = (numbers(3, 5) * 4).astype(dtype), (numbers(5, 2) * 4).astype(dtype)
    left, right = (a.T.copy() if transpose_a else a), (b.T.copy() if transpose_b else b)
    found = matmul(left, right, transpose_a=transpose_a, transpose_b=transpose_b)
    np.testing.assert_allclose(found.numpy(), a @ b, rtol=1e-5)
    assert found.numpy().dtype == dtype


def test_matmul_adjoint_conjugates():
    a, b = numbers(5, 3, dtype=np.complex128), numbers(2, 5, dtype=np.complex128)
    found = matmul(a, b, adjoint_a=True, adjoint_b=True)
    np.testing.assert_allclose(found.numpy(), a.conj().T @ b.conj().T)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((4, 2, 3), (4, 3, 5)),
        ((4, 2, 3), (3, 5)),
        ((2, 3), (4, 3, 5)),
        ((4, 1, 2, 3), (6, 3, 5)),
        ((1, 2, 3), (1, 3, 5)),
        ((7, 1, 2, 3), (1, 6, 3, 5)),
        ((0, 2, 3), (3, 5)),
        ((2, 0), (0, 3)),
        ((1, 1), (1, 1)),
    ],
)
def test_matmul_broadcasts_leading_axes(left, right):
    a, b = numbers(*left), numbers(*right)
    np.testing.assert_allclose(matmul(a, b).numpy(), a @ b)


@pytest.mark.parametrize("dtype", [float16, bfloat16])
def test_sixteen_bits_add_up_in_float32(dtype):
    ones = convert(np.ones((1, 4096), np.float32).astype(dtype.numpy))
    found = matmul(ones, ones, transpose_b=True)
    assert found.dtype is dtype
    assert float(found.numpy()[0, 0]) == 4096  # sixteen bits of their own would stop at 2048 or 256


def test_matmul_output_type_is_where_products_are_formed():
    a = np.full((1, 2), 100, np.int8)
    found = matmul(a, a, transpose_b=True, output_type="int32")
    assert found.dtype is int32
    assert found.numpy().tolist() == [[20000]]


def test_matmul_operator():
    a, b = convert(numbers(2, 3)), convert(numbers(3, 4))
    np.testing.assert_array_equal((a @ b).numpy(), matmul(a, b).numpy())


def test_plain_products_copy_nothing():
    """Either operand transposed is one call to BLAS on a view."""
    a, b = numbers(64, 48), numbers(64, 32)
    given = {"x_labels": (1, 0), "y_labels": (1, 2), "out_labels": (0, 2)}
    (found,) = contract.compute((a, b), given)
    np.testing.assert_array_equal(found, a.T @ b)
    assert found.flags.c_contiguous


@pytest.mark.parametrize("stride", [(0, 0), (0, 8), (16, 0), (-96, 16), (192, 16)])
def test_contract_of_any_strides(stride):
    base = numbers(40, 12)
    start = base.reshape(-1)[240:]
    x = np.lib.stride_tricks.as_strided(start, (3, 5), stride)
    y = numbers(5, 4)
    np.testing.assert_allclose(matmul(x, y).numpy(), np.array(x) @ y)
    (found,) = contract.compute(
        (x, y), {"x_labels": (0, 1), "y_labels": (1, 2), "out_labels": (0, 2)}
    )
    np.testing.assert_allclose(found, np.array(x) @ y)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: matmul(np.ones((2, 3)), np.ones((2, 3))), "inner sizes differ: 3 of a, 2 of b"),
        (lambda: matmul(np.ones(3), np.ones((3, 2))), "rank 1 is no matrix"),
        (lambda: matmul(np.ones((2, 2, 3)), np.ones((3, 3, 1))), "batch sizes do not broadcast"),
        (lambda: matvec(np.ones((2, 3)), np.ones(2)), "inner sizes differ: 3 of a, 2 of b"),
        (lambda: tensordot(np.ones((2, 3)), np.ones((4, 2)), 1), "axis 1 of a has size 3"),
        (lambda: tensordot(np.ones((2, 3)), np.ones((4, 2)), [[2], [0]]), "axes do not fit"),
        (lambda: tensordot(np.ones((2, 3)), np.ones((3, 2)), 3), "axes do not fit"),
        (lambda: einsum("ij,jk->ik", np.ones((2, 3)), np.ones((2, 3))), "'j' stands for sizes 3"),
        (lambda: einsum("ij->i", np.ones(3)), "2 labels, its operand 1 axes"),
        (lambda: einsum("i->ij", np.ones(3)), "'j' of the result is in no term"),
        (lambda: einsum("i,j->ij", np.ones(3)), "2 terms for 1 operands"),
        (lambda: einsum("i+->i", np.ones(3)), "no list of labels"),
    ],
)  # fmt: skip
def test_errors_say_what_does_not_fit(call, text):
    with pytest.raises(InvalidArgumentError) as caught:
        call()
    assert text in str(caught.value)
    assert "test_linear.py" in str(caught.value)


def test_mixed_dtypes_are_refused():
    with pytest.raises((InvalidArgumentError, TypeError), match=r"float32.*float64"):
        matmul(convert(numbers(2, 2).astype("f")), convert(numbers(2, 2)))


def test_matvec():
    a, b = numbers(4, 3, 2), numbers(3)
    np.testing.assert_allclose(matvec(a, b, transpose_a=True).numpy(), np.swapaxes(a, 1, 2) @ b)
    c = numbers(4, 2)
    np.testing.assert_allclose(matvec(a, c).numpy(), np.einsum("bij,bj->bi", a, c))


@pytest.mark.parametrize(
    ("left", "right", "axes"),
    [
        ((2, 3), (4,), 0),
        ((2, 3), (3, 4), 1),
        ((5, 2, 3), (2, 3, 4), 2),
        ((2, 3), (4, 2), [[0], [1]]),
        ((3, 5, 2), (2, 3, 4), [[-1, 0], [-3, -2]]),
        ((2, 3), (4,), [[], []]),
        ((2, 3, 4), (2, 4), (2, 1)),
    ],
)
def test_tensordot(left, right, axes):
    a, b = numbers(*left), numbers(*right)
    np.testing.assert_allclose(tensordot(a, b, axes).numpy(), np.tensordot(a, b, axes))


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("ij,kj->ki", [(2, 3), (4, 3)]),
        ("ii->i", [(3, 3)]),
        ("ii->", [(3, 3)]),
        ("iji->ij", [(3, 2, 3)]),
        ("iii->i", [(3, 3, 3)]),
        ("i->ii", [(3,)]),
        ("ij->jij", [(2, 3)]),
        ("ij->", [(2, 3)]),
        ("ijk->kj", [(2, 3, 4)]),
        ("iij,jk->ki", [(3, 3, 2), (2, 4)]),
        ("bhtd,bhsd->bhts", [(2, 3, 4, 2), (2, 3, 5, 2)]),
        ("bij,bjk,bkl->bil", [(2, 3, 4), (2, 4, 5), (2, 5, 6)]),
        ("ab,bc,cd,de->ae", [(4, 2), (2, 4), (4, 3), (3, 4)]),
        ("i,j,k->kij", [(2,), (3,), (4,)]),
        ("ij,k->i", [(2, 3), (4,)]),
        ("i,i,i->", [(3,), (3,), (3,)]),
        (",ij->ji", [(), (2, 3)]),
        ("ij,jk->ik", [(2, 0), (0, 4)]),
    ],
)
def test_einsum_against_loops(equation, shapes):
    operands = [numbers(*shape) for shape in shapes]
    found = einsum(equation, *operands)
    np.testing.assert_allclose(found.numpy(), summed_out(equation, *operands), atol=1e-12)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("...ij,...jk->...ik", [(5, 1, 2, 3), (4, 3, 6)]),
        ("b...->...b", [(2, 3, 4)]),
        ("...,...->...", [(2, 1), (3,)]),
        ("...ii->...i", [(2, 3, 3)]),
        ("i...,...->i", [(2, 3, 4), (3, 4)]),
        ("...ij,jk", [(5, 2, 3), (3, 4)]),
        ("ba", [(2, 3)]),
        ("ij,ji", [(2, 3), (3, 2)]),
        (" i j , j k -> i k ", [(2, 3), (3, 4)]),
    ],
)
def test_einsum_ellipsis_and_implicit_result(equation, shapes):
    operands = [numbers(*shape) for shape in shapes]
    full = equation
    if equation == "i...,...->i":  # NumPy wants the ellipsis in the result
        full, operands[0] = "ijk,jk->i", operands[0]
    np.testing.assert_allclose(einsum(equation, *operands).numpy(), np.einsum(full, *operands))


class Sizes:
    """A recorder of how large each result is."""

    def __init__(self):
        self.seen = []

    def record(self, primitive, inputs, params, outputs):
        self.seen.append(outputs.type.size)


def test_einsum_takes_the_cheap_pair_first():
    """a b first would make 200 x 200 elements; b v first never makes more than 200."""
    a, b, v = numbers(200, 2), numbers(2, 200), numbers(200)
    sizes = Sizes()
    LEVEL.recorders.append(sizes)
    try:
        found = einsum("ab,bc,c->a", a, b, v, optimize="greedy")
    finally:
        LEVEL.recorders.remove(sizes)
    np.testing.assert_allclose(found.numpy(), a @ (b @ v))
    assert sizes.seen
    assert max(sizes.seen) <= 200


def test_gradients_of_a_broadcast_product():
    a, b = numbers(4, 2, 3), numbers(1, 3, 5)
    x, y = convert(a), convert(b)
    with GradientTape() as tape:
        tape.watch([x, y])
        z = matmul(x, y)
    g = np.ones((4, 2, 5))
    da, db = tape.gradient(z, [x, y])
    np.testing.assert_allclose(da.numpy(), g @ np.swapaxes(b, 1, 2))
    np.testing.assert_allclose(db.numpy(), (np.swapaxes(a, 1, 2) @ g).sum(0, keepdims=True))


def test_integers_of_each_width():
    for dtype in (int32, int64):
        a = np.arange(6).reshape(2, 3).astype(dtype.numpy)
        assert matmul(a, a, transpose_b=True).dtype is dtype
    assert matmul([[1.5]], [[2]]).dtype is float32
    assert matmul(np.ones((1, 1)), [[2]]).dtype is float64
