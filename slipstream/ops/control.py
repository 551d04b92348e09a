"""Control flow: `cond`, `case`, `while_loop`, `map_fn`, `scan` and their kin.

Eagerly they run as the Python they stand for. While a program is traced they become one operation
whose branches or body are sub-programs, with sizes and dtypes that do not change from step to step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from slipstream.errors import InvalidArgumentError, message
from slipstream.ir.dtypes import int32
from slipstream.ir.graph import Graph, pruned
from slipstream.primitives import control, loops
from slipstream.primitives.elementwise import equal, less, logical_and, where
from slipstream.primitives.operand import zeros
from slipstream.primitives.structure import concat, reshape, slice_along
from slipstream.primitives.tracing import as_tuple
from slipstream.primitives.turns import turns
from slipstream.runtime.convert import convert
from slipstream.runtime.dispatch import operation
from slipstream.runtime.structure import assert_same_structure, flatten, map_structure, pack
from slipstream.runtime.subprogram import Branches, content, trace_branches
from slipstream.runtime.tensor import constant_value
from slipstream.runtime.tracer import is_tracing

Function = Callable[..., Any]


def _known(value: Any) -> Any:
    """The number of a tensor that is known now, or None."""
    found = constant_value(value)
    return None if found is None else found.reshape(-1)[0] if found.size == 1 else found


def _truth(name: str, predicate: Any) -> Any:
    tensor = convert(predicate)
    if not tensor.dtype.is_bool or tensor.type.shape not in ((), (1,)):
        raise TypeError(
            message(name, "the predicate is not one boolean", received={"pred": tensor.type})
        )
    return tensor if tensor.type.shape == () else reshape(tensor, shape=())


def _check_callables(name: str, functions: Sequence[Any]) -> None:
    for function in functions:
        if not callable(function):
            raise TypeError(f"[{name}] a branch must be callable; received {function!r}")


def _branches(name: str, functions: Sequence[Function]) -> Branches:
    """The functions traced; TypeError unless they return the same structure."""
    branches = trace_branches(functions, [])
    for other in branches.structures[1:]:
        try:
            assert_same_structure(branches.structures[0], other)
        except ValueError as error:
            raise TypeError(f"[{name}] the branches return different structures: {error}") from None
    return branches


def _chosen(branches: Branches, outputs: Any) -> Any:
    """The result of traced branches, after their assignments."""
    flat = as_tuple(outputs)
    results = len(flat) - len(branches.cells)
    branches.write(flat[results:])
    given = iter(flat[:results])
    return map_structure(lambda leaf: None if leaf is None else next(given), branches.structures[0])


@operation
def cond(
    pred: Any, true_fn: Function | None = None, false_fn: Function | None = None,
    name: str | None = None,
) -> Any:  # fmt: skip
    """What `true_fn()` returns if `pred` holds, else what `false_fn()` returns, as `tf.cond`.

    While a program is traced both are traced; they return the same structure of tensors of the same
    shapes and dtypes, and one of them runs. TypeError for a predicate that is not one boolean.

    >>> import slipstream as tf
    >>> int(tf.cond(tf.constant(2) < 3, lambda: tf.constant(10), lambda: tf.constant(20)))
    10
    """
    _check_callables("cond", (true_fn, false_fn))
    assert true_fn is not None and false_fn is not None
    tensor = _truth("cond", pred)
    known = _known(tensor)
    if known is not None:
        return map_structure(_as_tensor, true_fn() if known else false_fn())
    branches = _branches("cond", [true_fn, false_fn])
    primitive = control.fitting(control.cond, *branches.graphs)
    then_graph, else_graph = branches.graphs
    outputs = primitive(tensor, *branches.captures, then_graph=then_graph, else_graph=else_graph)
    return _chosen(branches, outputs)


def _as_tensor(leaf: Any) -> Any:
    return None if leaf is None else convert(leaf)


@operation
def case(
    pred_fn_pairs: Any, default: Function | None = None, exclusive: bool = False,
    strict: bool = False, name: str = "case",
) -> Any:  # fmt: skip
    """What the function of the first predicate that holds returns, else `default()`.

    `pred_fn_pairs` is a list of (boolean, function). Without a default the last function stands for
    it where nothing can be checked; eagerly InvalidArgumentError is raised if none holds, or if
    `exclusive` and several hold.

    >>> import slipstream as tf
    >>> x = tf.constant(5)
    >>> int(tf.case([(x < 3, lambda: x), (x < 9, lambda: x * 2)], default=lambda: -x))
    10
    """
    pairs = [(_truth("case", p), f) for p, f in pred_fn_pairs]
    _check_callables("case", [f for _, f in pairs])
    known = [_known(p) for p, _ in pairs]
    if not pairs:
        raise ValueError("[case] pred_fn_pairs is empty")
    if None not in known:
        return _known_case(pairs, known, default, exclusive)
    (predicate, function), *rest = pairs
    if not rest:
        return function() if default is None else cond(predicate, function, default)
    return cond(predicate, function, lambda: case(rest, default, exclusive, strict))


def _known_case(
    pairs: list[Any], known: list[Any], default: Function | None, exclusive: bool
) -> Any:
    holding = [function for (_, function), holds in zip(pairs, known, strict=True) if holds]
    if exclusive and len(holding) > 1:
        raise InvalidArgumentError(message("case", f"{len(holding)} of the predicates hold, not 1"))
    if not holding and default is None:
        raise InvalidArgumentError(
            message("case", "None of conditions evaluated as True", hint="a default")
        )
    chosen = holding[0] if holding else default
    assert chosen is not None
    return map_structure(_as_tensor, chosen())


def _numbered(branch_fns: Any) -> dict[int, Function]:
    if isinstance(branch_fns, Mapping):
        return {int(k): branch_fns[k] for k in sorted(branch_fns)}
    listed = list(branch_fns)
    if all(callable(f) for f in listed):
        return dict(enumerate(listed))
    pairs = {int(number): function for number, function in listed}
    if len(pairs) < len(listed):
        raise ValueError("[switch_case] two branches have the same number")
    return {k: pairs[k] for k in sorted(pairs)}


@operation
def switch_case(
    branch_index: Any, branch_fns: Any, default: Function | None = None,
    name: str = "switch_case",
) -> Any:  # fmt: skip
    """What the function numbered `branch_index` returns; for other numbers, `default()`.

    `branch_fns` is a list of functions, a dictionary or pairs from numbers to functions. Without a
    default, the last function is it.

    >>> import slipstream as tf
    >>> int(tf.switch_case(tf.constant(1), [lambda: 10, lambda: 20, lambda: 30]))
    20
    """
    numbered = _numbered(branch_fns)
    index, keys = convert(branch_index), list(numbered)
    functions = list(numbered.values()) + ([] if default is None else [default])
    _check_callables("switch_case", functions)
    known = _known(index)
    if known is not None:
        place = keys.index(int(known)) if int(known) in numbered else -1
        return map_structure(_as_tensor, functions[place]())
    branches = _branches("switch_case", functions)
    if keys != list(range(len(keys))):
        index = _places(index, keys, len(functions) - 1)
    primitive = control.fitting(control.switch, *branches.graphs)
    return _chosen(branches, primitive(index, *branches.captures, graphs=branches.graphs))


def _places(index: Any, keys: list[int], otherwise: int) -> Any:
    place = index.coerce(otherwise)
    for number, key in enumerate(keys):
        place = where(equal(index, index.coerce(key)), index.coerce(number), place)
    return place


# --- while ---


def _loop_tensor(new: Any, old: Any) -> Any:
    """A loop variable's new value, which keeps shape and dtype."""
    tensor = convert(new, old.dtype)
    if tensor.type.shape != old.type.shape:
        raise ValueError(
            message(
                "while_loop",
                "the body changes the shape of a loop variable",
                expected=str(old.type),
                received={"returned": tensor.type},
                hint="a variable of the final size that the body fills",
            )
        )
    return tensor


def _packed(returned: Any, count: int) -> Any:
    """What a body returned, as a sequence of loop variables."""
    several = isinstance(returned, (list, tuple)) and not hasattr(returned, "as_list")
    return returned if several and len(returned) == count else (returned,)


@operation
def while_loop(
    cond: Function, body: Function, loop_vars: Any, shape_invariants: Any = None,
    parallel_iterations: int = 10, back_prop: bool = True, swap_memory: bool = False,
    maximum_iterations: Any = None, name: str | None = None,
) -> Any:  # fmt: skip
    """Repeat `loop_vars = body(*loop_vars)` while `cond(*loop_vars)`, as `tf.while_loop`.

    `loop_vars` is a structure of tensors; the result has the same structure. While a program is
    traced, shapes and dtypes must not change from step to step. Derivatives flow to the loop
    variables and to what cond and body capture. The remaining arguments have no effect.

    >>> import slipstream as tf
    >>> i, total = tf.while_loop(lambda i, s: i < 5, lambda i, s: (i + 1, s + i), (0, 0))
    >>> int(total)
    10
    """
    _check_callables("while_loop", (cond, body))
    if not loop_vars:
        raise ValueError("[while_loop] No loop variables provided")
    tensors = [convert(leaf) for leaf in flatten(loop_vars)]
    if not is_tracing():
        return _while_now(cond, body, pack(loop_vars, tensors), maximum_iterations)
    limit = None if maximum_iterations is None else convert(maximum_iterations, int32)
    maximum = None if limit is None else _known(limit)
    if limit is not None and maximum is None:
        return _while_limited(cond, body, loop_vars, limit)
    return _while_traced(cond, body, loop_vars, tensors, maximum)


def _while_now(goes_on: Function, body: Function, state: Any, maximum: Any) -> Any:
    steps, count = 0, len(state)
    structure = state
    while (maximum is None or steps < int(maximum)) and bool(convert(goes_on(*_values(state)))):
        state, steps = _packed(body(*_values(state)), count), steps + 1
        assert_same_structure(list(_values(structure)), list(_values(state)))
    return pack(structure, [convert(leaf) for leaf in flatten(state)])


def _values(state: Any) -> Any:
    return tuple(state.values()) if isinstance(state, Mapping) else tuple(state)


def _while_limited(goes_on: Function, body: Function, loop_vars: Any, limit: Any) -> Any:
    """The loop with a counter, for a bound that is not known while tracing."""
    number = zeros(limit.type)

    def both(number: Any, state: Any) -> Any:
        return logical_and(less(number, limit), _truth("while_loop", goes_on(*_values(state))))

    def step(number: Any, state: Any) -> Any:
        return number + 1, pack(state, flatten(_packed(body(*_values(state)), len(state))))

    return while_loop(both, step, (number, loop_vars))[1]


def _while_traced(
    goes_on: Function, body: Function, loop_vars: Any, tensors: list[Any], maximum: Any
) -> Any:
    def condition(*operands: Any) -> Any:
        return _truth("while_loop", goes_on(*_values(pack(loop_vars, list(operands)))))

    def step(*operands: Any) -> Any:
        state = pack(loop_vars, list(operands))
        returned = _packed(body(*_values(state)), len(state))
        assert_same_structure(list(_values(loop_vars)), list(_values(returned)))
        leaves = flatten(returned)
        return [_loop_tensor(new, old) for new, old in zip(leaves, operands, strict=True)]

    branches = trace_branches([condition, step], [t.type for t in tensors], carry_cells=True)
    test, repeated = branches.graphs
    cond_graph = pruned(Graph(test.inputs, test.nodes, test.outputs[:1], test.name))
    operands = (*tensors, *map(content, branches.cells), *branches.captures)
    carried = len(tensors) + len(branches.cells)
    limit = None if maximum is None else int(maximum)
    count = turns(cond_graph, repeated, [*map(constant_value, operands)], limit)
    if count is not None:  # known turns are derived in as many, and compiled with what is around
        found = loops.scan(
            *operands, body=repeated, length=count, carry=carried, xs=0, reverse=False
        )
    else:
        primitive = control.fitting(loops.while_loop, cond_graph, repeated)
        found = primitive(
            *operands, cond_graph=cond_graph, body_graph=repeated, carried=carried, maximum=limit
        )
    outputs = as_tuple(found)
    branches.write(outputs[len(tensors) :])
    return pack(loop_vars, list(outputs[: len(tensors)]))


# --- loops over the first axis ---


def _element(x: Any, index: int) -> Any:
    return reshape(slice_along(x, 0, index, index + 1), shape=x.type.shape[1:])


def _stacked(steps: list[Any]) -> Any:
    return concat(*(reshape(s, shape=(1, *s.type.shape)) for s in steps), axis=0)


def _repeat_now(
    step: Function, carry: list[Any], xs: list[Any], order: Sequence[int]
) -> tuple[list[Any], list[Any]]:
    rows: dict[int, list[Any]] = {}
    for index in order:
        carry, rows[index] = step(carry, [_element(x, index) for x in xs])
    columns = zip(*(rows[index] for index in sorted(rows)), strict=True)
    return carry, [_stacked(list(column)) for column in columns]


def _repeat_traced(
    step: Function, carry: list[Any], xs: list[Any], length: int, reverse: bool
) -> tuple[list[Any], list[Any]]:
    """`step` as the body of one scan; cells it writes are carried too."""
    types = [c.type for c in carry] + [x.type.with_shape(x.type.shape[1:]) for x in xs]

    def body(*operands: Any) -> Any:
        new, ys = step(list(operands[: len(carry)]), list(operands[len(carry) :]))
        return [*new, *ys]

    branches = trace_branches([body], types, carry_cells=True)
    graph, cells = branches.graphs[0], len(branches.cells)
    a, b = len(carry), len(carry) + len(xs)
    inputs, outputs = graph.inputs, graph.outputs
    last = len(outputs) - cells
    ordered = Graph(
        (*inputs[:a], *inputs[b : b + cells], *inputs[a:b], *inputs[b + cells :]),
        graph.nodes,
        (*outputs[:a], *outputs[last:], *outputs[a:last]),
        graph.name,
    )
    found = as_tuple(
        control.fitting(loops.scan, ordered)(
            *carry, *map(content, branches.cells), *xs, *branches.captures,
            body=ordered, length=length, carry=a + cells, xs=len(xs), reverse=reverse,
        )
    )  # fmt: skip
    branches.write(found[a : a + cells])
    return list(found[:a]), list(found[a + cells :])


def repeat(
    step: Function, carry: list[Any], xs: list[Any], length: int, reverse: bool = False
) -> tuple[list[Any], list[Any]]:
    """(last carry, stacked ys) of step(carry, x) -> (carry, y), lists of tensors, over the first
    axis of `xs`."""
    if is_tracing() or length == 0:
        return _repeat_traced(step, carry, xs, length, reverse)
    order = range(length)
    return _repeat_now(step, carry, xs, order[::-1] if reverse else order)


def _elements(name: str, elems: Any) -> tuple[list[Any], int]:
    """The tensors to go over, and how many elements they have."""
    xs = [convert(leaf) for leaf in flatten(elems)]
    if not xs or any(not x.type.shape for x in xs):
        raise ValueError(f"[{name}] elems must have at least one dimension to go over")
    lengths = {x.type.shape[0] for x in xs}
    if len(lengths) > 1:
        sizes = ", ".join(str(x.type) for x in xs)
        raise ValueError(f"[{name}] elems differ in their first size: {sizes}")
    return xs, lengths.pop()


@operation
def map_fn(
    fn: Function, elems: Any, dtype: Any = None, parallel_iterations: Any = None,
    back_prop: bool = True, swap_memory: bool = False, infer_shape: bool = True,
    name: str | None = None, fn_output_signature: Any = None,
) -> Any:  # fmt: skip
    """`fn` of each element along the first axis, stacked, as `tf.map_fn`.

    `elems` is a tensor or a structure of tensors with equal first sizes; `fn` takes one element in
    the same structure and returns a structure of tensors. dtype and fn_output_signature are not
    needed: what `fn` returns is known.

    >>> import slipstream as tf
    >>> tf.map_fn(lambda x: x * x, tf.constant([1, 2, 3])).numpy().tolist()
    [1, 4, 9]
    """
    _check_callables("map_fn", (fn,))
    xs, length = _elements("map_fn", elems)
    returned: list[Any] = []

    def step(carry: list[Any], elements: list[Any]) -> Any:
        structure = fn(pack(elems, elements))
        returned[:] = [structure]
        return [], [convert(leaf) for leaf in flatten(structure)]

    ys = repeat(step, [], xs, length)[1]
    return pack(returned[0], ys)


@operation
def vectorized_map(
    fn: Function, elems: Any, fallback_to_while_loop: bool = True, warn: bool = True
) -> Any:
    """`map_fn` of functions without a state; first sizes of 1 are repeated, as in TensorFlow.

    >>> import slipstream as tf
    >>> tf.vectorized_map(lambda x: 2 * x, tf.constant([1.0, 2.0])).numpy().tolist()
    [2.0, 4.0]
    """
    xs = [convert(leaf) for leaf in flatten(elems)]
    length = max((x.type.shape[0] for x in xs if x.type.shape), default=0)
    repeated = [concat(*[x] * length, axis=0) if x.type.shape[0] == 1 < length else x for x in xs]
    return map_fn(fn, pack(elems, repeated))


def _begun(
    xs: list[Any], length: int, elems: Any, initializer: Any, last: bool
) -> tuple[Any, list[Any], int]:
    """The first accumulator, and what is left to go over: without one, it is the first element."""
    if initializer is not None:
        return initializer, xs, length
    if length == 0:
        raise ValueError("[scan] elems are empty, and there is no initializer to begin with")
    first = pack(elems, [_element(x, length - 1 if last else 0) for x in xs])
    start = 0 if last else 1
    rest = [slice_along(x, 0, start, start + length - 1) for x in xs]
    return first, rest, length - 1


def _accumulating(fn: Function, accumulator: Any, elems: Any, emit: bool) -> Function:
    def step(carry: list[Any], elements: list[Any]) -> Any:
        returned = fn(pack(accumulator, carry), pack(elems, elements))
        leaves = flatten(returned)
        new = [_loop_tensor(leaf, old) for leaf, old in zip(leaves, carry, strict=True)]
        return new, new if emit else []

    return step


@operation
def scan(
    fn: Function, elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, infer_shape: bool = True,
    reverse: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """The accumulators a = fn(a, x) of each x along the first axis, stacked, as `tf.scan`.

    Without an `initializer` the first element is the first accumulator (with `reverse` the last),
    and the first of the results.

    >>> import slipstream as tf
    >>> tf.scan(lambda a, x: a + x, tf.constant([1, 2, 3])).numpy().tolist()
    [1, 3, 6]
    """
    xs, length = _elements("scan", elems)
    accumulator, rest, count = _begun(xs, length, elems, initializer, reverse)
    carry = [convert(leaf) for leaf in flatten(accumulator)]
    step = _accumulating(fn, accumulator, elems, True)
    ys = repeat(step, carry, rest, count, reverse)[1] if count else None
    if initializer is None:
        heads = [reshape(c, shape=(1, *c.type.shape)) for c in carry]
        pairs = [(h,) for h in heads] if ys is None else list(zip(heads, ys, strict=True))
        ys = [concat(*(p[::-1] if reverse else p), axis=0) for p in pairs]
    elif ys is None:
        ys = repeat(step, carry, rest, 0, reverse)[1]
    return pack(accumulator, ys)


def _folded(name: str, fn: Function, elems: Any, initializer: Any, reverse: bool) -> Any:
    xs, length = _elements(name, elems)
    accumulator, rest, count = _begun(xs, length, elems, initializer, reverse)
    carry = [convert(leaf) for leaf in flatten(accumulator)]
    step = _accumulating(fn, accumulator, elems, False)
    return pack(accumulator, repeat(step, carry, rest, count, reverse)[0] if count else carry)


@operation
def foldl(
    fn: Function, elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """The last accumulator of a = fn(a, x) over the first axis; see `scan`.

    >>> import slipstream as tf
    >>> int(tf.foldl(lambda a, x: a * 10 + x, tf.constant([1, 2, 3])))
    123
    """
    return _folded("foldl", fn, elems, initializer, False)


@operation
def foldr(
    fn: Function, elems: Any, initializer: Any = None, parallel_iterations: int = 10,
    back_prop: bool = True, swap_memory: bool = False, name: str | None = None,
) -> Any:  # fmt: skip
    """`foldl` from the last element to the first.

    >>> import slipstream as tf
    >>> int(tf.foldr(lambda a, x: a * 10 + x, tf.constant([1, 2, 3])))
    321
    """
    return _folded("foldr", fn, elems, initializer, True)


__all__ = [
    "case",
    "cond",
    "foldl",
    "foldr",
    "map_fn",
    "scan",
    "switch_case",
    "vectorized_map",
    "while_loop",
]
