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
from typing import Any

import llvmlite.binding as llvm
import llvmlite.ir as ir
import numpy as np

Array = np.ndarray
Shape = tuple[int, ...]

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
                is the result and g the gradient by y; None where nothing flows
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

    def __add__(self, other: Any) -> Tensor:
        return add(self, other)

    def __sub__(self, other: Any) -> Tensor:
        return subtract(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return subtract(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return multiply(self, other)

    def __truediv__(self, other: Any) -> Tensor:
        return divide(self, other)

    def __matmul__(self, other: Any) -> Tensor:
        return matmul(self, other)

    __radd__, __rmul__ = __add__, __mul__


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
    yield
    INTERPRETERS.pop()


# ---- 3. Thirteen operations ------------------------------------------------------------------
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


def sum_rule(x: Shape, shape: Shape) -> Shape:
    broadcast_rule(shape, x)
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
    rule=sum_rule,
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
    x = b.select(b.fcmp_ordered("<", x, F32(88.0)), x, F32(88.0))
    x = b.select(b.fcmp_ordered(">", x, F32(-87.0)), x, F32(-87.0))
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


def log_scalar(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    """The C library's."""
    return b.call(b.module.declare_intrinsic("llvm.log", [F32]), [x])


def step_scalar(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return b.select(b.fcmp_ordered(">", x, F32(0.0)), F32(1.0), F32(0.0))


def relu_scalar(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return b.select(b.fcmp_unordered("<", x, F32(0.0)), F32(0.0), x)


F32, I32, I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)

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
log = elementwise("log", np.log, lambda g, y, x: [g / x], log_scalar)
tanh = elementwise("tanh", np.tanh, lambda g, y, x: [g * (1.0 - y * y)], tanh_scalar)
step = elementwise("step", lambda x: np.float32(x > 0), lambda g, y, x: [None], step_scalar)
relu = elementwise("relu", lambda x: np.maximum(x, 0), lambda g, y, x: [g * step(x)], relu_scalar)

# Everything else is composed of these, and needs neither a meaning nor a derivative of its own.


def mean(x: Tensor) -> Tensor:
    return sum_to(x, shape=()) / math.prod(x.shape)


def softplus(x: Tensor) -> Tensor:
    """log(1 + e^x), written so that no power overflows."""
    return relu(x) + log(1.0 + exp((relu(x) + relu(x * -1.0)) * -1.0))


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
                if g is not None:
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
            program = Program([*feeds, *variables], fetches, updates)
            self.loaded[key] = variables, self.executor(program)
        variables, loaded = self.loaded[key]
        given = [np.ascontiguousarray(array, np.float32) for array in feeds.values()]
        return loaded([*given, *(self.content(variable) for variable in variables)])

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
        pointers = [F32.as_pointer()] * (len(program.inputs) + len(program.fetches))
        kind = ir.FunctionType(ir.VoidType(), pointers)
        self.function = ir.Function(self.module, kind, "step")
        for argument in self.function.args:
            argument.add_attribute("noalias")
        self.builder = ir.IRBuilder(self.function.append_basic_block())
        self.buffers: dict[Tensor, ir.Value] = dict(zip(program.inputs, self.function.args))
        self.kernels = 0
        self.write(program)
        self.builder.ret_void()

    def write(self, program: Program) -> None:
        """The whole function: what must lie in memory, the fetches, and the variables last."""
        stored = self.worth_storing()
        for tensor in self.order:
            if tensor in stored and tensor not in self.buffers:
                self.store(tensor)
        results = self.function.args[len(program.inputs) :]
        for fetch, result in zip(program.fetches, results, strict=True):
            self.nest(fetch.shape, self.copier(fetch, result))
        contents = {variable: self.allocate(variable.shape) for variable in program.updates}
        for variable, content in contents.items():
            self.nest(variable.shape, self.copier(program.updates[variable], content))
        for variable, content in contents.items():
            again = Tensor(variable.shape)
            self.buffers[again] = content
            self.nest(variable.shape, self.copier(again, self.buffers[variable]))

    def worth_storing(self) -> set[Tensor]:
        """Sums, products, larger constants; and what more than one element is computed from."""
        uses = Counter(x for y in self.order for x in y.inputs)
        repeating = {
            x for y in self.order if y.primitive and not y.primitive.scalar for x in y.inputs
            if y.primitive is not sum_to
        }  # fmt: skip
        return {
            x for x in self.order
            if (x.primitive in (matmul, sum_to))
            or (x.primitive is None and x.shape != ())
            or (x.primitive and x.primitive.scalar and (uses[x] > 1 or x in repeating))
        } | {y.inputs[1] for y in self.order if y.primitive is matmul}  # fmt: skip

    # -- elements --

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
        """Where an element lies, the last axis running fastest."""
        offset: ir.Value = I64(0)
        for size, i in zip(shape, index, strict=True):
            offset = self.builder.add(self.builder.mul(offset, I64(size)), i)
        return self.builder.gep(buffer, [offset], inbounds=True)

    def allocate(self, shape: Shape, content: Array | None = None) -> ir.Value:
        """Memory that belongs to the function, aligned to a cache line."""
        kind = ir.ArrayType(F32, math.prod(shape))
        memory = ir.GlobalVariable(self.module, kind, self.module.get_unique_name("memory"))
        memory.linkage, memory.align = "internal", 64
        numbers = np.zeros(shape) if content is None else content
        memory.initializer = ir.Constant(kind, [float(v) for v in numbers.ravel()])
        return self.builder.bitcast(memory, F32.as_pointer())

    # -- loops --

    def loop(self, count: int, body: Callable[..., Any], carried: Sequence[Any] = ()) -> Any:
        """for i in range(count): carried = body(i, *carried)."""
        if count == 1:
            return body(I64(0), *carried)
        b = self.builder
        before, head, after = b.block, b.append_basic_block(), b.append_basic_block()
        b.branch(head)
        b.position_at_end(head)
        i, *states = [b.phi(v.type) for v in (I64(0), *carried)]
        results = body(i, *states) or ()
        following = b.add(i, I64(1))
        for phi, first, last in zip(
            [i, *states], [I64(0), *carried], [following, *results], strict=True
        ):
            phi.add_incoming(first, before)
            phi.add_incoming(last, b.block)
        b.cbranch(b.icmp_unsigned("<", following, I64(count)), head, after)
        b.position_at_end(after)
        return results

    def nest(self, shape: Shape, body: Callable[[list[ir.Value]], None]) -> None:
        """One loop an axis, and the body in the innermost."""
        self.kernels += 1

        def level(index: list[ir.Value]) -> None:
            if len(index) == len(shape):
                body(index)
            else:
                self.loop(shape[len(index)], lambda i: level([*index, i]))

        level([])

    def copier(self, tensor: Tensor, buffer: ir.Value) -> Callable[[list[ir.Value]], None]:
        """The body of a loop that puts a tensor into memory, fused with what it is made of."""
        return lambda index: self.builder.store(
            self.element(tensor, index), self.address(buffer, tensor.shape, index)
        )

    # -- kernels --

    def store(self, tensor: Tensor) -> None:
        """Give a tensor memory, and write the loops that fill it."""
        buffer = self.allocate(tensor.shape, tensor.value if not tensor.primitive else None)
        if tensor.primitive is sum_to:
            self.sum(tensor, buffer)
        elif tensor.primitive is matmul:
            self.matmul(*tensor.inputs, buffer)
        elif tensor.primitive:
            self.nest(tensor.shape, self.copier(tensor, buffer))
        self.buffers[tensor] = buffer

    def sum(self, tensor: Tensor, buffer: ir.Value) -> None:
        """Zeros, then every element of the input added where it belongs."""
        b, (summed,) = self.builder, tensor.inputs

        def clear(index: list[ir.Value]) -> None:
            b.store(F32(0.0), self.address(buffer, tensor.shape, index))

        def accumulate(index: list[ir.Value]) -> None:
            place = self.address(buffer, tensor.shape, broadcast_place(index, tensor.shape))
            b.store(b.fadd(b.load(place), self.element(summed, index), FAST), place)

        self.nest(tensor.shape, clear)
        self.nest(summed.shape, accumulate)

    def matmul(self, left: Tensor, right: Tensor, buffer: ir.Value) -> None:
        """Tiles of up to 8 rows and 32 columns, held in registers over the whole sum."""
        (m, k), n, b = left.shape, right.shape[1], self.builder
        rows, columns = math.gcd(m, 8), math.gcd(n, 32)  # so that tiles leave no rest
        vector = ir.VectorType(F32, columns)
        self.kernels += 1

        def at(memory: ir.Value, shape: Shape, i: ir.Value, j: ir.Value) -> ir.Value:
            return b.bitcast(self.address(memory, shape, [i, j]), vector.as_pointer())

        def spread(element: ir.Value) -> ir.Value:
            one = b.insert_element(ir.Constant(vector, ir.Undefined), element, I32(0))
            lanes = ir.Constant(ir.VectorType(I32, columns), [0] * columns)
            return b.shuffle_vector(one, ir.Constant(vector, ir.Undefined), lanes)

        def tile(i: ir.Value, j: ir.Value) -> None:
            def multiply_add(p: ir.Value, *sums: ir.Value) -> list[ir.Value]:
                strip = b.load(at(self.buffers[right], right.shape, p, j), align=4)
                column = [self.element(left, [b.add(i, I64(r)), p]) for r in range(rows)]
                return [
                    b.fadd(b.fmul(spread(element), strip, FAST), total, FAST)
                    for element, total in zip(column, sums, strict=True)
                ]

            zeros = [ir.Constant(vector, [0.0] * columns)] * rows
            for r, total in enumerate(self.loop(k, multiply_add, zeros)):
                b.store(total, at(buffer, (m, n), b.add(i, I64(r)), j), align=4)

        self.loop(
            m // rows,
            lambda i: self.loop(
                n // columns, lambda j: tile(b.mul(i, I64(rows)), b.mul(j, I64(columns)))
            ),
        )


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
    for rows, columns in zip(sizes[:-1], sizes[1:], strict=True):
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
