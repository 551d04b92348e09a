"""What code is made for: the processor, its instruction set, the width of its vectors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import llvmlite.binding as llvm

from slipstream import settings

LEVELS = {"x86-64-v2": 128, "x86-64-v3": 256, "x86-64-v4": 512}


@dataclass(frozen=True)
class Target:
    """An instruction set: what LLVM calls it, and the bits and number of its vector registers."""

    triple: str
    cpu: str
    features: str
    vector_bits: int

    @property
    def registers(self) -> int:
        """Vector registers: 32 with AVX-512 and on AArch64, else 16."""
        return 32 if self.vector_bits == 512 or self.triple.startswith("aarch64") else 16

    def lanes(self, bits: int) -> int:
        """How many elements of so many bits a vector holds."""
        return max(1, self.vector_bits // bits)

    def machine(self) -> Any:
        """LLVM's machine for this target."""
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.cpu, features=self.features, opt=2
        )


def _initialize() -> None:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    llvm.initialize_native_asmparser()  # for the hint in loops that wait


def _own_bits(features: dict[str, bool]) -> int:
    if features.get("avx512f"):
        return 512
    return 256 if features.get("avx2") else 128


@lru_cache(maxsize=8)
def _target(name: str) -> Target:
    _initialize()
    triple = llvm.get_default_triple()
    if name in LEVELS and triple.startswith("x86_64"):
        return Target(triple, name, "", LEVELS[name])
    if name != "native":
        raise ValueError(f"SLIPSTREAM_TARGET={name} is no target; they are native, {[*LEVELS]}")
    features = llvm.get_host_cpu_features()
    return Target(triple, llvm.get_host_cpu_name(), features.flatten(), _own_bits(features))


def target() -> Target:
    """The target `SLIPSTREAM_TARGET` names: this very processor unless it says otherwise.

    Raises ValueError for a name that is none, or of another kind of processor.
    """
    return _target(settings.read("SLIPSTREAM_TARGET", "native"))
