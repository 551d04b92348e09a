"""A deep-learning framework from scratch, to be read from top to bottom in one sitting.

It is Slipstream with everything left out but the idea. An operation is one record. Programs are
graphs of operations. Derivatives are graphs too, so they have derivatives. A whole training step,
forwards, backwards and the update of the weights, becomes one function of machine code.

    python docs/from_scratch.py

trains a small network twice, by NumPy and by the machine code, and compares them.
"""

from __future__ import annotations

import ctypes
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numpy as np

Array = np.ndarray
Shape = tuple[int, ...]
F32, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)

# ---- 1. An operation is one record -----------------------------------------------------------
#
# Whatever the framework has to know about an operation stands on its record, and nowhere else is
# it mentioned by name. The NumPy meaning *is* the operation: whatever else claims to compute it,
# machine code say, must agree with it. (In Slipstream: slipstream/primitives/base.py.)


@dataclass(frozen=True, eq=False)
class Primitive:
    """An operation, whole.

    rule        rule(*shapes, **params): the shape of the result; raises if the inputs do not fit
    meaning     meaning(*arrays, **params): the result, by NumPy
    derivative  derivative(g, y, *inputs, **params): for each input x the gradient by x, where y
                is the result and g the gradient by y
    scalar      scalar(builder, *elements): machine code for one element of the result, if that
                depends on the same element of each input
    place       place(index, shape): if the result only moves elements, where in its input, which
                has that shape, the element at `index` comes from
    """

    name: str
    rule: Callable[..., Shape]
    meaning: Callable[..., Array]
    derivative: Callable[..., Sequence[Any]]
    scalar: Callable[..., ir.Value] | None = None
    place: Callable[[list[ir.Value], Shape], list[ir.Value]] | None = None

    def __call__(self, *inputs: Any, **params: Any) -> Tensor:
        """Apply it, in whatever sense is in force."""
        return INTERPRETERS[-1](self, tuple(as_tensor(x) for x in inputs), params)


# ---- 2. Tensors, and the two senses of applying an operation ---------------------------------
#
# To apply an operation means one of two things: compute it now, or draw it as one more node of a
# graph that is run later. The program cannot tell the difference: the context decides.


class Tensor:
    """A node: what was applied to what. It has a value if it was computed, not only drawn."""

    def __init__(self, shape: Shape, primitive: Primitive | None = None, value: Any = None) -> None:
        self.shape, self.primitive, self.value = shape, primitive, value
        self.inputs: tuple[Tensor, ...] = ()
        self.params: dict[str, Any] = {}


class Variable(Tensor):
    """A tensor that a program may give new contents; these lie in a session (part 5)."""

    def __init__(self, initial: Any) -> None:
        self.initial = np.array(initial, np.float32)
        super().__init__(self.initial.shape)


def placeholder(*shape: int) -> Tensor:
    """A tensor whose value is given when the program is run."""
    return Tensor(shape)


def as_tensor(value: Any) -> Tensor:
    """A number or an array as a tensor, which is a constant wherever it is used."""
    if isinstance(value, Tensor):
        return value
    array = np.asarray(value, np.float32)
    return Tensor(array.shape, value=array)


def draw(primitive: Primitive, inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor:
    """Applying means adding a node."""
    result = Tensor(primitive.rule(*[x.shape for x in inputs], **params), primitive)
    result.inputs, result.params = inputs, params
    return result


def compute(primitive: Primitive, inputs: tuple[Tensor, ...], params: dict[str, Any]) -> Tensor:
    """Applying means computing; the node is kept, so that gradients find their way back."""
    result = draw(primitive, inputs, params)
    if any(x.value is None for x in inputs):
        raise ValueError(f"[{primitive.name}] an input has no value yet; work inside drawing()")
    result.value = np.asarray(primitive.meaning(*[x.value for x in inputs], **params))
    return result


INTERPRETERS = [compute]  # the last is in force


@contextmanager
def drawing() -> Iterator[None]:
    """Within the block operations are drawn."""
    INTERPRETERS.append(draw)
    try:
        yield
    finally:
        INTERPRETERS.pop()


# ---- 3. Eleven operations --------------------------------------------------------------------
#
# First those that move elements and those that add them up. Broadcasting and summing are each
# other's derivatives; so are a transposition and itself.


def sum_meaning(x: Array, shape: Shape) -> Array:
    added = len(x.shape) - len(shape)
    ones = tuple(added + axis for axis, size in enumerate(shape) if size == 1)
    return x.sum((*range(added), *ones), keepdims=True).reshape(shape)


def broadcast_rule(x: Shape, shape: Shape) -> Shape:
    if np.broadcast_shapes(x, shape) != shape:
        raise ValueError(f"[broadcast] {x} does not broadcast to {shape}")
    return shape


def matmul_rule(a: Shape, b: Shape) -> Shape:
    if len(a) != 2 or len(b) != 2 or a[1] != b[0]:
        raise ValueError(f"[matmul] expected shapes (m, k) and (k, n); received {a} and {b}")
    return (a[0], b[1])


def broadcast_place(index: list[ir.Value], shape: Shape) -> list[ir.Value]:
    last = index[len(index) - len(shape) :]
    return [I64(0) if size == 1 else i for i, size in zip(last, shape, strict=True)]


broadcast = Primitive(
    "broadcast",
    rule=broadcast_rule,
    meaning=lambda x, shape: np.broadcast_to(x, shape),
    derivative=lambda g, y, x, shape: [sum_to(g, shape=x.shape)],
    place=broadcast_place,
)
sum_to = Primitive(  # the sum over the axes that broadcasting to x's shape would repeat
    "sum_to",
    rule=lambda x, shape: (broadcast_rule(shape, x), shape)[1],
    meaning=sum_meaning,
    derivative=lambda g, y, x, shape: [broadcast(g, shape=x.shape)],
)
transpose = Primitive(
    "transpose",
    rule=lambda x: x[::-1],
    meaning=np.transpose,
    derivative=lambda g, y, x: [transpose(g)],
    place=lambda index, shape: index[::-1],
)
matmul = Primitive(
    "matmul",
    rule=matmul_rule,
    meaning=np.matmul,
    derivative=lambda g, y, a, b: [g @ transpose(b), transpose(a) @ g],
)

# Then those of one element at a time. Their inputs are broadcast first, by the operation above, so
# that the records themselves never have to think of shapes, nor do their derivatives.


def elementwise(name: str, meaning: Any, derivative: Any, scalar: Any) -> Callable[..., Tensor]:
    """A function of corresponding elements, which broadcasts."""
    primitive = Primitive(name, lambda *shapes: shapes[0], meaning, derivative, scalar)

    def function(*values: Any) -> Tensor:
        tensors = [as_tensor(value) for value in values]
        shape = np.broadcast_shapes(*[x.shape for x in tensors])
        return primitive(*[x if x.shape == shape else broadcast(x, shape=shape) for x in tensors])

    return function


FAST = ("contract", "reassoc", "nsz")  # LLVM may use multiply-add, and sum in any order


def exp_scalar(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """e^x = 2^n e^r with r near 0: the series of e^r, and n put straight into the exponent."""
    x = b.select(b.fcmp_ordered(">", x, F32(88.0)), F32(88.0), x)  # where float32 ends
    x = b.select(b.fcmp_ordered("<", x, F32(-87.0)), F32(-87.0), x)
    magic = F32(1.5 * 2**23)  # adding and subtracting it rounds to a whole number
    n = b.fsub(b.fadd(b.fmul(x, F32(1 / math.log(2))), magic), magic)
    r = b.fsub(b.fsub(x, b.fmul(n, F32(0.693359375))), b.fmul(n, F32(-2.12194440e-4)))
    series = F32(1 / math.factorial(7))
    for term in range(6, -1, -1):
        series = b.fadd(b.fmul(series, r, FAST), F32(1 / math.factorial(term)), FAST)
    exponent = b.shl(b.add(b.fptosi(n, I32), I32(127)), I32(23))
    return b.fmul(series, b.bitcast(exponent, F32))


def tanh_scalar(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """tanh x = 1 - 2 / (e^2x + 1)."""
    doubled = exp_scalar(b, b.fadd(x, x))
    return b.fsub(F32(1.0), b.fdiv(F32(2.0), b.fadd(doubled, F32(1.0))))


add = elementwise("add", np.add, lambda g, y, a, b: [g, g], lambda b, x, y: b.fadd(x, y, FAST))
subtract = elementwise(
    "subtract", np.subtract, lambda g, y, a, b: [g, g * -1.0], lambda b, x, y: b.fsub(x, y, FAST)
)
multiply = elementwise(
    "multiply", np.multiply, lambda g, y, a, b: [g * b, g * a], lambda b, x, y: b.fmul(x, y, FAST)
)
divide = elementwise(
    "divide", np.divide, lambda g, y, a, b: [g / b, g * -1.0 * y / b], lambda b, x, y: b.fdiv(x, y)
)
exp = elementwise("exp", np.exp, lambda g, y, x: [g * y], exp_scalar)
tanh = elementwise("tanh", np.tanh, lambda g, y, x: [g * (1.0 - y * y)], tanh_scalar)
log = elementwise(
    "log",
    np.log,
    lambda g, y, x: [g / x],
    lambda b, x: b.call(b.module.declare_intrinsic("llvm.log", [F32]), [x]),
)

Tensor.__add__ = Tensor.__radd__ = add
Tensor.__mul__ = Tensor.__rmul__ = multiply
Tensor.__truediv__ = divide
Tensor.__sub__ = subtract
Tensor.__rsub__ = lambda self, other: subtract(other, self)
Tensor.__matmul__ = lambda self, other: matmul(self, other)

# Everything else is composed of these, and needs neither a meaning nor a derivative of its own.


def mean(x: Tensor) -> Tensor:
    return sum_to(x, shape=()) / math.prod(x.shape)


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x), written with half the power, so that it overflows late."""
    half = x * 0.5
    return half + log(exp(half) + exp(half * -1.0))


# ---- 4. Derivatives --------------------------------------------------------------------------
#
# The chain rule, from the result back to the inputs (Linnainmaa 1970). The walk applies operations
# like anyone else: inside drawing() it draws the gradient, outside it computes it. Either way the
# gradient is made of tensors with a history, so one can ask for its gradient in turn.


def history(targets: Sequence[Tensor]) -> list[Tensor]:
    """All that the targets depend on and they themselves, each after its inputs."""
    order: dict[Tensor, None] = {}

    def visit(tensor: Tensor) -> None:
        if tensor not in order:
            for x in tensor.inputs:
                visit(x)
            order[tensor] = None

    for target in targets:
        visit(target)
    return list(order)


def gradient(target: Tensor, sources: Sequence[Tensor]) -> list[Tensor]:
    """The derivatives of the sum of the target by each of the sources."""
    gradients: dict[Tensor, Tensor] = {target: broadcast(1.0, shape=target.shape)}
    for y in reversed(history([target])):
        if y.primitive is not None and y in gradients:
            pulled = y.primitive.derivative(gradients[y], y, *y.inputs, **y.params)
            for x, g in zip(y.inputs, pulled, strict=True):
                gradients[x] = gradients[x] + g if x in gradients else g
    return [gradients.get(x) or broadcast(0.0, shape=x.shape) for x in sources]


# ---- 5. Programs, sessions and the interpreter -----------------------------------------------
#
# A program knows no variables: their old contents come in as inputs, their new contents leave as
# outputs, and every pass over it sees plain arithmetic. Writing the contents back in place is left
# to the very end. Who runs a program is an executor; the first is the definition itself.
# (docs/design/001-state-is-ssa.md says why.)


@dataclass(frozen=True)
class Program:
    """From inputs to fetches; and of some inputs, the variables, to their new contents."""

    inputs: list[Tensor]
    fetches: list[Tensor]
    updates: dict[Tensor, Tensor]


Loaded = Callable[[list[Array]], list[Array]]


def interpreted(program: Program) -> Loaded:
    """The executor that computes one NumPy meaning after the other."""
    order = history([*program.fetches, *program.updates.values()])

    def run(arrays: list[Array]) -> list[Array]:
        held = dict(zip(program.inputs, arrays, strict=True))
        for y in order:
            if y.primitive is not None:
                held[y] = y.primitive.meaning(*[held[x] for x in y.inputs], **y.params)
            elif y not in held:
                held[y] = y.value
        results = [np.array(held[y]) for y in program.fetches]
        contents = [np.array(held[y]) for y in program.updates.values()]
        for variable, content in zip(program.updates, contents, strict=True):
            held[variable][...] = content
        return results

    return run


class Session:
    """Holds the contents of variables; draws a program together once and runs it often."""

    def __init__(self, executor: Callable[[Program], Loaded]) -> None:
        self.executor = executor
        self.contents: dict[Tensor, Array] = {}
        self.loaded: dict[Any, tuple[list[Tensor], Loaded]] = {}

    def run(
        self,
        fetches: list[Tensor],
        feeds: dict[Tensor, Array],
        updates: dict[Tensor, Tensor] | None = None,
    ) -> list[Array]:
        """The values of the fetches; then the variables get their new contents."""
        updates = updates or {}
        key = (*fetches, None, *feeds, None, *updates.items())
        if key not in self.loaded:
            known = history([*fetches, *updates.values(), *updates])
            variables: list[Tensor] = [x for x in known if isinstance(x, Variable)]
            given = {*feeds, *variables}
            if any(not x.inputs and x.value is None and x not in given for x in known):
                raise ValueError("[run] a placeholder is needed that is not fed")
            program = Program([*feeds, *variables], fetches, updates)
            self.loaded[key] = variables, self.executor(program)
        variables, loaded = self.loaded[key]
        arrays = [np.asarray(array, np.float32, order="C") for array in feeds.values()]
        for x, array in zip(feeds, arrays, strict=True):
            if x.shape != array.shape:
                raise ValueError(f"[run] a placeholder of shape {x.shape} is fed {array.shape}")
        return loaded([*arrays, *(self.content(variable) for variable in variables)])

    def content(self, variable: Any) -> Array:
        return self.contents.setdefault(variable, variable.initial.copy())


# ---- 6. The compiler -------------------------------------------------------------------------
#
# The second executor turns the program into one native function over its arrays. To it a tensor is
# a way to get at an element: load it, if the tensor lies in memory; follow `place` to another
# element; or write the `scalar` code of an operation over the elements of its inputs. So chains of
# operations melt into whichever loop needs their elements: that is fusion. Only three things are
# worth a loop of their own: sums, products of matrices, and what is needed more than once.


class Compiler:
    """A program becoming one function of pointers: inputs first, then fetches."""

    def __init__(self, program: Program) -> None:
        self.order = history([*program.fetches, *program.updates.values()])
        self.module = ir.Module()
        count = len(program.inputs)
        pointers = [F32.as_pointer()] * (count + len(program.fetches))
        function = ir.Function(self.module, ir.FunctionType(ir.VoidType(), pointers), "step")
        for argument in function.args:
            argument.add_attribute("noalias")
        self.builder = ir.IRBuilder(function.append_basic_block())
        self.buffers = dict(zip(program.inputs, function.args[:count], strict=True))
        self.write(program, function.args[count:])
        self.builder.ret_void()

    def write(self, program: Program, results: Sequence[ir.Value]) -> None:
        """The whole function: what must lie in memory, the fetches, and the variables last."""
        worth_storing = self.worth_storing()
        for tensor in self.order:
            if tensor in worth_storing and tensor not in self.buffers:
                self.store(tensor)
        for fetch, result in zip(program.fetches, results, strict=True):
            self.fill(result, fetch)
        contents = {variable: Tensor(variable.shape) for variable in program.updates}
        for variable, content in contents.items():
            self.buffers[content] = self.memory(content.shape)
            self.fill(self.buffers[content], program.updates[variable])
        for variable, content in contents.items():  # now that nobody needs the old contents
            self.fill(self.buffers[variable], content)

    def worth_storing(self) -> set[Tensor]:
        """Constant arrays, results of loops, and what would otherwise be computed repeatedly."""
        worth = {x for x in self.order if x.primitive in (sum_to, matmul)}
        worth |= {x for x in self.order if x.primitive is None and x.shape != ()}
        uses: Counter[Tensor] = Counter()
        for y in self.order:
            repeats = y.primitive in (broadcast, matmul)  # uses each element more than once
            uses.update(y.inputs * 2 if repeats else y.inputs)
            worth.update(y.inputs[1:] if y.primitive is matmul else ())  # for vectors of it
        return worth | {x for x in uses if x.primitive and x.primitive.scalar and uses[x] > 1}

    def element(self, tensor: Tensor, index: list[ir.Value]) -> ir.Value:
        """Code for one element of a tensor."""
        if tensor in self.buffers:
            return self.builder.load(self.address(self.buffers[tensor], tensor.shape, index))
        if tensor.primitive is None:
            return F32(float(tensor.value))
        if tensor.primitive.place:
            (moved,) = tensor.inputs
            return self.element(moved, tensor.primitive.place(index, moved.shape))
        elements = [self.element(x, index) for x in tensor.inputs]
        return tensor.primitive.scalar(self.builder, *elements)

    def address(self, buffer: ir.Value, shape: Shape, index: list[ir.Value]) -> ir.Value:
        """Where an element lies; the last axis runs fastest."""
        offset: ir.Value = I64(0)
        for size, i in zip(shape, index, strict=True):
            offset = self.builder.add(self.builder.mul(offset, I64(size)), i)
        return self.builder.gep(buffer, [offset], inbounds=True)

    def memory(self, shape: Shape, content: Array | None = None) -> ir.Value:
        """Memory that belongs to the function, aligned to a cache line."""
        kind = ir.ArrayType(F32, math.prod(shape))
        held = ir.GlobalVariable(self.module, kind, self.module.get_unique_name("memory"))
        held.linkage, held.align = "internal", 64
        held.initializer = ir.Constant(kind, None if content is None else content.ravel().tolist())
        return self.builder.bitcast(held, F32.as_pointer())

    def loop(self, count: int, body: Callable[..., Any], carried: Sequence[ir.Value] = ()) -> Any:
        """for i in range(count): carried = body(i, *carried)."""
        if count == 1:
            return body(I64(0), *carried)
        b, initial = self.builder, [I64(0), *carried]
        before, inside, after = b.block, b.append_basic_block(), b.append_basic_block()
        b.branch(inside)
        b.position_at_end(inside)
        i, *states = phis = [b.phi(value.type) for value in initial]
        results = body(i, *states) or []
        following = b.add(i, I64(1))
        for phi, first, later in zip(phis, initial, [following, *results], strict=True):
            phi.add_incoming(first, before)
            phi.add_incoming(later, b.block)
        b.cbranch(b.icmp_unsigned("<", following, I64(count)), inside, after)
        b.position_at_end(after)
        return results

    def nest(self, sizes: Shape, body: Callable[[list[ir.Value]], None], *index: ir.Value) -> None:
        """One loop an axis, and the body in the innermost."""
        if len(index) == len(sizes):
            body([*index])
        else:
            self.loop(sizes[len(index)], lambda i: self.nest(sizes, body, *index, i))

    def fill(self, buffer: ir.Value, tensor: Tensor) -> None:
        """Put a tensor into memory by a loop, into which melts all that it is made of."""

        def put(index: list[ir.Value]) -> None:
            element = self.element(tensor, index)
            self.builder.store(element, self.address(buffer, tensor.shape, index))

        self.nest(tensor.shape, put)

    def store(self, tensor: Tensor) -> None:
        """Give a tensor memory, and write the loops that fill it."""
        buffer = self.memory(tensor.shape, tensor.value if tensor.primitive is None else None)
        if tensor.primitive is sum_to:
            self.sum(buffer, tensor, *tensor.inputs)
        elif tensor.primitive is matmul:
            self.matmul(buffer, *tensor.inputs)
        elif tensor.primitive:
            self.fill(buffer, tensor)
        self.buffers[tensor] = buffer

    def sum(self, buffer: ir.Value, total: Tensor, summed: Tensor) -> None:
        """Zeros, to which every element is added where it belongs."""

        def accumulate(index: list[ir.Value]) -> None:
            place = self.address(buffer, total.shape, broadcast_place(index, total.shape))
            value = self.builder.load(place)
            value = self.builder.fadd(value, self.element(summed, index), FAST)
            self.builder.store(value, place)

        self.fill(buffer, broadcast(0.0, shape=total.shape))
        self.nest(summed.shape, accumulate)

    def matmul(self, buffer: ir.Value, left: Tensor, right: Tensor) -> None:
        """Tiles of up to 8 rows and 32 columns, held in registers over the whole sum."""
        (m, k), n, b = left.shape, right.shape[1], self.builder
        rows, columns = math.gcd(m, 8), math.gcd(n, 32)  # so that tiles leave no rest
        vector, lanes = ir.VectorType(F32, columns), ir.VectorType(I32, columns)
        empty = ir.Constant(vector, ir.Undefined)

        def strip(memory: ir.Value, shape: Shape, *index: ir.Value) -> ir.Value:
            return b.bitcast(self.address(memory, shape, [*index]), vector.as_pointer())

        def spread(element: ir.Value) -> ir.Value:
            first = b.insert_element(empty, element, I32(0))
            return b.shuffle_vector(first, empty, ir.Constant(lanes, [0] * columns))

        def tile(index: list[ir.Value]) -> None:
            i, j = b.mul(index[0], I64(rows)), b.mul(index[1], I64(columns))
            lines = [b.add(i, I64(row)) for row in range(rows)]

            def multiply_add(p: ir.Value, *sums: ir.Value) -> list[ir.Value]:
                across = b.load(strip(self.buffers[right], right.shape, p, j), align=4)
                down = [spread(self.element(left, [line, p])) for line in lines]
                products = [b.fmul(element, across, FAST) for element in down]
                return [b.fadd(x, total, FAST) for x, total in zip(products, sums, strict=True)]

            zeros = [ir.Constant(vector, [0.0] * columns)] * rows
            for line, total in zip(lines, self.loop(k, multiply_add, zeros), strict=True):
                b.store(total, strip(buffer, (m, n), line, j), align=4)

        self.nest((m // rows, n // columns), tile)


def compiled(program: Program) -> Loaded:
    """The executor that runs machine code. LLVM turns the inner loops into vector instructions."""
    engine = machine_code(str(Compiler(program).module))
    shapes = [fetch.shape for fetch in program.fetches]
    pointers = [ctypes.c_void_p] * (len(program.inputs) + len(shapes))
    function = ctypes.CFUNCTYPE(None, *pointers)(engine.get_function_address("step"))

    def run(arrays: list[Array]) -> list[Array]:
        results = [np.empty(shape, np.float32) for shape in shapes]
        function(*[array.ctypes.data for array in (*arrays, *results)])
        return results

    run.engine = engine  # type: ignore[attr-defined]  # the code lives as long as what calls it
    return run


def machine_code(text: str) -> llvm.ExecutionEngine:
    """LLVM's optimised code for this very processor."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    passes = llvm.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine


# ---- 7. A network ----------------------------------------------------------------------------


def two_moons(count: int, seed: int = 0) -> tuple[Array, Array]:
    """Points on two interleaved half circles, with noise; and which of the two they are on."""
    random = np.random.default_rng(seed)
    label = np.arange(count) % 2
    angle = random.uniform(0, np.pi, count)
    x = np.where(label, 1 - np.cos(angle), np.cos(angle))
    y = np.where(label, 0.5 - np.sin(angle), np.sin(angle))
    points = np.stack([x, y], 1) + random.normal(0, 0.1, (count, 2))
    return points.astype(np.float32), label[:, None].astype(np.float32)


def initial_weights(*sizes: int, seed: int = 1) -> list[Array]:
    """A matrix and a bias a layer (Glorot and Bengio 2010)."""
    random = np.random.default_rng(seed)
    weights: list[Array] = []
    for rows, columns in pairwise(sizes):
        limit = math.sqrt(6 / (rows + columns))
        weights += [random.uniform(-limit, limit, (rows, columns)), np.zeros(columns)]
    return [weight.astype(np.float32) for weight in weights]


def network(x: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Layers with tanh between them; the result is the logarithm of the odds."""
    for matrix, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        x = tanh(x @ matrix + bias)
    return x @ weights[-2] + weights[-1]


def cross_entropy(label: Tensor, logit: Tensor) -> Tensor:
    return mean(softplus(logit) - label * logit)


# ---- 8. All of it together -------------------------------------------------------------------


def show_derivatives() -> None:
    """Eagerly: tanh and its derivatives at one point."""
    x = as_tensor(0.5)
    y = tanh(x)
    print("tanh and its derivatives at 0.5:", end="")
    for _ in range(4):
        print(f" {float(y.value):+.5f}", end="")
        (y,) = gradient(y, [x])
    print()


def train(session: Session, steps: int) -> tuple[list[float], float, float]:
    """The losses, the seconds a step takes at best, and the accuracy on points not seen before."""
    points, labels = two_moons(256)
    with drawing():
        x, label = placeholder(256, 2), placeholder(256, 1)
        weights = [Variable(array) for array in initial_weights(2, 32, 32, 1)]
        logit = network(x, weights)
        loss = cross_entropy(label, logit)
        gradients = gradient(loss, weights)
        updates: dict[Tensor, Tensor] = {
            weight: weight - 0.3 * g for weight, g in zip(weights, gradients, strict=True)
        }
    losses, seconds = [], []
    for _ in range(steps):
        begin = time.perf_counter()
        (value,) = session.run([loss], {x: points, label: labels}, updates)
        seconds.append(time.perf_counter() - begin)
        losses.append(float(value))
    unseen, truth = two_moons(256, seed=2)
    (odds,) = session.run([logit], {x: unseen})
    return losses, float(np.median(seconds)), float(np.mean((odds > 0) == truth))


def main() -> None:
    show_derivatives()
    by_numpy, numpy_seconds, _ = train(Session(interpreted), steps=600)
    natively, native_seconds, accuracy = train(Session(compiled), steps=600)
    difference = max(abs(a - b) for a, b in zip(by_numpy, natively, strict=True))
    print("step   loss by NumPy   loss by machine code")
    for number in (0, 1, 10, 100, 599):
        print(f"{number:4}   {by_numpy[number]:.6f}        {natively[number]:.6f}")
    print(f"the losses differ by at most {difference:.1e}; accuracy {accuracy:.1%}")
    print(f"a step takes {numpy_seconds * 1e6:.0f} us by NumPy, ", end="")
    print(f"{native_seconds * 1e6:.0f} us by machine code")


if __name__ == "__main__":
    main()
