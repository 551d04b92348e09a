"""Object code of a program: from the cache, else compiled and put there."""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir

from slipstream.compiler import cache
from slipstream.compiler.codegen.machine import object_code
from slipstream.compiler.target import Target


def cached(description: str, target: Target, write: Callable[[], ir.Module]) -> bytes:
    """The code of the module that `write` makes; the description says all that it depends on."""
    key = cache.key_of(description, target)
    code = cache.read(key)
    if code is None:
        code = object_code(write(), target)
        cache.write(key, code)
    return code
