"""The rules of the house, held over the syntax trees of the package: floors, cycles, sizes.

Each rule is a function from modules to the violations it finds, a line of text each that begins
with file:line. One test runs it over the package, and another over a fault planted for it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

from slipstream.primitives import REGISTRY

pytestmark = pytest.mark.smoke

ROOT = Path(__file__).parent.parent
PACKAGE = "slipstream"

# From the ground up. A module may import from its own floor and from those below. What stands on
# one floor side by side (keras and v1, say) may meet, but never in a circle.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "settings", "files", "idx", "data_files"),
    ("ir",),
    ("primitives",),
    ("autodiff",),
    ("compiler",),
    ("runtime",),
    ("ops",),
    ("namespaces",),
    ("data", "keras", "v1"),
    ("compat", "oneshot"),
    ("cli", "__main__", "__init__"),
)

# Modules that may be imported inside a function: they are large, and most programs do without.
OPTIONAL = {"h5py", "ml_dtypes", "rich", "matplotlib", "PIL", "sklearn", "llvmlite"}

# Imports within the package that may stand inside a function.
LATE_IMPORTS: dict[tuple[str, str], str] = {
    ("ir.graph", "ir.text"): "print(graph) shows its text, and the text is written from the graph",
    ("runtime.executor", "runtime.native"): "the compiler loads when a program first needs it",
    ("runtime.native", "compiler.guards"): "the checks load where SLIPSTREAM_DEBUG asks for them",
}

# Modules that may import by name.
IMPORTERS_BY_NAME: dict[str, str] = {
    "__init__": "tf.keras, tf.data and the namespaces load when they are first used",
    "namespaces": "a namespace loads when it is first used",
    "v1": "a namespace loads when it is first used",
    "keras": "layers, models, losses load when they are first used",
    "keras.registry": "a saved configuration names classes that build on the registry",
    "keras.layers.operation": "a saved model names the operations it is made of",
    "oneshot.extras": "the optional packages of the application, with a hint how to install them",
}

MOST_LINES_OF_A_FILE = 600
MOST_LINES_OF_A_FUNCTION = 80
MOST_LINES_OF_NINE_IN_TEN = 30
MOST_ARGUMENTS = 7

# Where public functions may take more: their signatures are not ours to choose.
LONG_SIGNATURES: dict[str, str] = {
    "ops": "TensorFlow 2's documented functions",
    "namespaces": "TensorFlow 2's documented functions",
    "data": "tf.data's documented methods",
    "keras": "Keras 3's documented classes",
    "v1": "TensorFlow 1's documented functions",
    "compat": "TensorFlow's and Keras' documented functions",
    "runtime.variable": "tf.Variable",
    "primitives.families": "the fields of a primitive's record, each by its name",
}


@dataclass(frozen=True)
class Module:
    """One file of the package, read."""

    name: str
    path: str
    source: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [node for node in ast.walk(self.tree) if isinstance(node, kinds)]

    @property
    def inner(self) -> str:
        """The name within the package: `ir.graph`; `__init__` for the package itself."""
        return self.name.partition(".")[2] or "__init__"

    @property
    def package(self) -> str:
        """What the dots of a relative import start from."""
        is_package = self.path.endswith("__init__.py")
        return self.name if is_package else self.name.rpartition(".")[0]

    def fault(self, line: int, text: str) -> str:
        return f"{self.path}:{line}: {text}"


Modules = dict[str, Module]


def read_package() -> Modules:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        relative = path.relative_to(ROOT)
        name = ".".join(relative.with_suffix("").parts).removesuffix(".__init__")
        found[name] = Module(name, relative.as_posix(), path.read_text(encoding="utf-8"))
    return found


# ---- imports ---------------------------------------------------------------------------------


TYPING = "TYPE_CHECKING"


@dataclass(frozen=True)
class Import:
    """One name that an import statement brings: the module it is found in, and where it stands."""

    target: str
    line: int
    inside: str  # the function that holds it; TYPING if it never happens; or nothing


def imports(module: Module, modules: Modules) -> list[Import]:
    """The imports of a module; `from package import name` means the module `name` if it is one."""
    found = []
    for node, inside in _with_function(module.tree):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno, inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, module)
            for alias in node.names:
                full = f"{base}.{alias.name}"
                target = full if full in modules else base
                found.append(Import(target, node.lineno, inside))
    return found


def _base(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    parts = module.package.split(".")
    parts = parts[: len(parts) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


def _with_function(node: ast.AST, inside: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Every node below, with the name of the function (or TYPING) around it."""
    for child in ast.iter_child_nodes(node):
        yield child, inside
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _with_function(child, child.name)
        elif isinstance(child, ast.If) and ast.unparse(child.test) == TYPING:
            yield from _with_function(child, TYPING)
        else:
            yield from _with_function(child, inside)


def is_ours(target: str) -> bool:
    return target == PACKAGE or target.startswith(f"{PACKAGE}.")


def floor_of(inner: str) -> int:
    """The number of a module's floor, from its name within the package; -1 if it has none."""
    first = inner.partition(".")[0]
    return next((height for height, names in enumerate(FLOORS) if first in names), -1)


def homeless(modules: Modules) -> list[str]:
    """Modules that stand on no floor."""
    return [
        m.fault(1, f"{m.inner} stands on no floor; add its first part to FLOORS")
        for m in modules.values()
        if floor_of(m.inner) < 0
    ]


def upward_imports(modules: Modules) -> list[str]:
    """Imports of a module by one that stands lower."""
    faults = []
    for module in modules.values():
        here = floor_of(module.inner)
        for found in filter(lambda i: is_ours(i.target), imports(module, modules)):
            inner = found.target.partition(".")[2] or "__init__"
            if floor_of(inner) > here:
                low, high = "/".join(FLOORS[here][:3]), inner.partition(".")[0]
                faults.append(module.fault(found.line, f"floor {low} imports {inner} ({high})"))
    return faults


def import_cycles(modules: Modules) -> list[str]:
    """Circles among the imports of the package, one line for each import that lies on one."""
    edges = {
        name: {i.target: i.line for i in imports(module, modules) if not _is_late(module, i)}
        for name, module in modules.items()
    }
    reached = {name: _reached(name, edges) for name in edges}
    return [
        modules[name].fault(line, f"{target} imports this module in turn")
        for name, targets in edges.items()
        for target, line in targets.items()
        if target != name and name in reached.get(target, ())
    ]


def _reached(start: str, edges: dict[str, dict[str, int]]) -> set[str]:
    """Every module that importing `start` imports."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = edges.get(waiting.pop(), {}).keys() - found
        found |= new
        waiting += new
    return found


def _is_late(module: Module, found: Import) -> bool:
    """Whether an import happens only when a function is called, or never, and may do so."""
    pair = module.inner, found.target.removeprefix(f"{PACKAGE}.")
    return found.inside == TYPING or (bool(found.inside) and pair in LATE_IMPORTS)


def hidden_imports(modules: Modules) -> list[str]:
    """Imports inside functions, or by name, that are neither optional nor excepted."""
    faults = []
    for module in modules.values():
        faults += [
            module.fault(i.line, f"{i.inside}() imports {i.target}; move it to the top")
            for i in imports(module, modules)
            if i.inside and i.target.partition(".")[0] not in OPTIONAL and not _is_late(module, i)
        ]
        faults += [
            module.fault(node.lineno, f"{_callee(node)}(...) imports by name")
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Call) and _callee(node) in {"import_module", "__import__"}
            if module.inner not in IMPORTERS_BY_NAME
        ]
    return faults


def _callee(call: ast.Call) -> str:
    return getattr(call.func, "attr", None) or getattr(call.func, "id", "")


def foreign_imports(modules: Modules) -> list[str]:
    """Packages from elsewhere at the top of a file, but numpy, and llvmlite in the compiler."""
    ours = {PACKAGE, "numpy", "__future__", *sys.stdlib_module_names}
    return [
        m.fault(i.line, f"imports {i.target} at the top; import it where it is used")
        for m in modules.values()
        for i in imports(m, modules)
        if not i.inside and (first := i.target.partition(".")[0]) not in ours
        if not (first == "llvmlite" and m.inner.partition(".")[0] == "compiler")
    ]


# ---- sizes -----------------------------------------------------------------------------------


def long_files(modules: Modules) -> list[str]:
    """Files that one cannot read at a sitting."""
    sizes = {m: len(m.source.splitlines()) for m in modules.values()}
    return [
        m.fault(size, f"{size} lines; a file has at most {MOST_LINES_OF_A_FILE}")
        for m, size in sizes.items()
        if size > MOST_LINES_OF_A_FILE
    ]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` to the end, docstring and all."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def long_functions(modules: Modules) -> list[str]:
    """Functions over the limit for all."""
    return [
        m.fault(f.lineno, f"{f.name} has {length(f)} lines; at most {MOST_LINES_OF_A_FUNCTION}")
        for m in modules.values()
        for f in m.functions
        if length(f) > MOST_LINES_OF_A_FUNCTION
    ]


def many_longish_functions(modules: Modules) -> list[str]:
    """The longest functions, if more than one in ten has 30 lines or more."""
    sizes = [(length(f), m.fault(f.lineno, f.name)) for m in modules.values() for f in m.functions]
    longish = sorted((pair for pair in sizes if pair[0] >= MOST_LINES_OF_NINE_IN_TEN), reverse=True)
    if len(longish) * 10 <= len(sizes):
        return []
    return [f"{place} has {size} lines" for size, place in longish[:20]]


def many_arguments(modules: Modules) -> list[str]:
    """Functions with more arguments than one can remember, documented signatures aside."""
    return [
        m.fault(f.lineno, f"{f.name} takes {count}; at most {MOST_ARGUMENTS} arguments")
        for m in modules.values()
        for f in m.functions
        if (count := _arguments(f)) > MOST_ARGUMENTS and not _is_documented(m, f.name)
    ]


def _arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    signature = function.args
    names = [a.arg for a in (*signature.posonlyargs, *signature.args, *signature.kwonlyargs)]
    return len([name for name in names if name not in {"self", "cls"}])


def _is_documented(module: Module, function: str) -> bool:
    is_public = not function.startswith("_") or function in {"__init__", "__call__"}
    folders = LONG_SIGNATURES
    return is_public and any(f"{module.inner}.".startswith(f"{folder}.") for folder in folders)


# ---- the rest --------------------------------------------------------------------------------


def environment_readers(modules: Modules) -> list[str]:
    """Uses of the environment outside settings.py."""
    names = {"environ", "getenv", "putenv", "environb"}
    return [
        m.fault(node.lineno, "reads the environment; add a switch to settings.py")
        for m in modules.values()
        if m.inner != "settings"
        for node in ast.walk(m.tree)
        if (isinstance(node, ast.Attribute) and node.attr in names and _is_os(node.value))
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and _brings(node, names))
    ]


def _is_os(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "os"


def _brings(node: ast.ImportFrom, names: set[str]) -> bool:
    return any(alias.name in names for alias in node.names)


def operation_lists(modules: Modules) -> list[str]:
    """Lists of operations by name, up to the floor of `ops`; above, a name is a public function's.

    What a compiler or a pass must know of an operation is a fact on its record.
    """
    top = floor_of("ops")
    return [
        m.fault(node.lineno, f"tells operations apart by name ({names[0]}): put it on the record")
        for m in modules.values()
        if floor_of(m.inner) <= top
        for node in ast.walk(m.tree)
        if (names := _operations_named(node)) and not _is_exported(node, m)
    ]


def _operations_named(node: ast.AST) -> list[str]:
    """The operations in a collection of two or more, or those a `.name` is compared with."""
    parts: list[ast.expr | None] = []
    fewest = 2
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        parts = [*node.elts]
    elif isinstance(node, ast.Dict):
        parts = [*node.keys]
    elif isinstance(node, ast.Compare) and ast.unparse(node.left).endswith(".name"):
        parts, fewest = [*node.comparators], 1
    names = [p.value for p in parts if isinstance(p, ast.Constant) and p.value in REGISTRY]
    return [str(name) for name in names] if len(names) >= fewest else []


def _is_exported(node: ast.AST, module: Module) -> bool:
    """Whether this is what the module gives `__all__`."""
    assigned = [n for n in module.tree.body if isinstance(n, ast.Assign) and n.value is node]
    return any(ast.unparse(target) == "__all__" for n in assigned for target in n.targets)


def undocumented(modules: Modules) -> list[str]:
    """Modules that do not say what they hold."""
    return [
        m.fault(1, "the module has no docstring")
        for m in modules.values()
        if not ast.get_docstring(m.tree)
    ]


def stale_exceptions(modules: Modules) -> list[str]:
    """Exceptions that nothing needs any more."""
    late = {
        (m.inner, i.target.removeprefix(f"{PACKAGE}."))
        for m in modules.values()
        for i in imports(m, modules)
        if i.inside
    }
    inner = {m.inner for m in modules.values()}
    stale = [f"the import of {target} by {name}" for name, target in LATE_IMPORTS.keys() - late]
    stale += [f"the module {name}" for name in IMPORTERS_BY_NAME.keys() - inner]
    return [f"tests/test_house.py:1: {what} is excepted, but there is none" for what in stale]


Rule = Callable[[Modules], list[str]]

LONG = "\n".join(["    pass"] * 90)
SHORT_AND_LONGISH = "\n".join(["def f():", *["    pass"] * 40])

# For each rule a package of a few files that breaks it, and how its first complaint begins.
FAULTS: list[tuple[Rule, dict[str, str], str]] = [
    (homeless, {"attic": ""}, "attic.py:1"),
    (upward_imports, {"ir.a": "\nfrom slipstream.ops import b", "ops.b": ""}, "ir/a.py:2"),
    (upward_imports, {"ir.a": "from ..ops.b import c", "ops.b": ""}, "ir/a.py:1"),
    (upward_imports, {"keras.a": "import slipstream as tf"}, "keras/a.py:1"),
    (
        import_cycles,
        {"ir.a": "from slipstream.ir.b import x", "ir.b": "from slipstream.ir import c, a"},
        "ir/a.py:1: slipstream.ir.b imports this module in turn",
    ),
    (hidden_imports, {"ir.a": "def f():\n    import json"}, "ir/a.py:2: f() imports json"),
    (hidden_imports, {"ir.a": "importlib.import_module('slipstream.ops')"}, "ir/a.py:1"),
    (foreign_imports, {"keras.a": "import json\nimport llvmlite"}, "keras/a.py:2"),
    (foreign_imports, {"oneshot.a": "from PIL import Image"}, "oneshot/a.py:1"),
    (operation_lists, {"compiler.a": "x = {'add', 'multiply'}"}, "compiler/a.py:1"),
    (operation_lists, {"autodiff.a": "\nif node.name == 'add': 0"}, "autodiff/a.py:2"),
    (long_files, {"ir.a": "x = 1\n" * 601}, "ir/a.py:601"),
    (long_functions, {"ir.a": f"x = 1\ndef f():\n{LONG}"}, "ir/a.py:2: f has 91"),
    (many_longish_functions, {"ir.a": SHORT_AND_LONGISH}, "ir/a.py:1: f has 41"),
    (many_arguments, {"ir.a": "def f(a, b, c, d, e, *, g, h, i): 0"}, "ir/a.py:1: f takes 8"),
    (many_arguments, {"ops.a": "def _f(a, b, c, d, e, g, h, i): 0"}, "ops/a.py:1: _f takes 8"),
    (environment_readers, {"ir.a": "import os\nos.environ['A']"}, "ir/a.py:2"),
    (environment_readers, {"ir.a": "from os import getenv"}, "ir/a.py:1"),
    (undocumented, {"ir.a": "x = 1"}, "ir/a.py:1"),
    (stale_exceptions, {"ir.a": ""}, "tests/test_house.py:1: the import of "),
]
RULES = list(dict.fromkeys(rule for rule, _, _ in FAULTS))

# What looks like a fault and is none.
INNOCENT: dict[str, str] = {
    "ir.a": "'''A.'''\nimport numpy\nfrom . import b\ndef f():\n    import h5py.h5d",
    "ir.b": "'''B.'''\nfrom slipstream.errors import message",
    "ir.c": "'''C.'''\nif TYPE_CHECKING:\n    from slipstream.ir import d",
    "ir.d": "'''D.'''\nfrom slipstream.ir import c",
    "errors": "'''Errors.'''\ndef message(self, a, b, c, d, e, f, g): 0",
    "settings": "'''Settings.'''\nimport os\nos.environ['A']",
    "compiler.a": "'''Compiler.'''\nimport llvmlite.ir\n__all__ = ['add', 'multiply']",
    "keras.a": "'''Keras.'''\nACTIVATIONS = ['relu', 'tanh']",
    "ops.a": "'''Ops.'''\ndef f(a, b, c, d, e, f, g, h): 0",
}


def planted(sources: dict[str, str]) -> Modules:
    """A package of these files."""
    files = {f"{PACKAGE}.{inner}": (inner, text) for inner, text in sources.items()}
    return {
        name: Module(name, f"{PACKAGE}/{inner.replace('.', '/')}.py", text)
        for name, (inner, text) in files.items()
    }


@pytest.fixture(scope="module")
def package() -> Modules:
    return read_package()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Rule, package: Modules) -> None:
    faults = rule(package)
    assert not faults, f"{len(faults)} {rule.__name__.replace('_', ' ')}:\n" + "\n".join(faults)


@pytest.mark.parametrize(
    ("rule", "sources", "complaint"), FAULTS, ids=lambda v: getattr(v, "__name__", "")
)
def test_the_rule_finds_a_planted_fault(
    rule: Rule, sources: dict[str, str], complaint: str
) -> None:
    faults = rule(planted(sources))
    assert faults
    assert faults[0].removeprefix("slipstream/").startswith(complaint)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_rule_leaves_what_is_allowed(rule: Rule) -> None:
    if rule is not stale_exceptions:
        assert rule(planted(INNOCENT)) == []


def test_the_package_is_found(package: Modules) -> None:
    assert {"slipstream", "slipstream.ir", "slipstream.runtime.variable"} <= set(package)
