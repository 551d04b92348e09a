"""What code is made for: the processor, its instruction set, the width of its vectors.

LLVM is asked once a machine what the processor is; later processes find it in the cache, since
LLVM takes longer to load than all of a small program's code.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from slipstream import settings
from slipstream.compiler import cache

FIRST_CACHE, SECOND_CACHE = 32 << 10, 1 << 20
# Bytes of the levels that each core has to itself, if the system does not tell; no more are used.
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")  # LLVM does not tell them
MANY = 32  # vector registers

LEVELS = {"x86-64-v2": 128, "x86-64-v3": 256, "x86-64-v4": 512}
X86 = "x86_64-unknown-linux-gnu"
NEON = ("aarch64-unknown-linux-gnu", "neoverse-n1", "", 128)
PROCESSORS = Path("/proc/cpuinfo")
ENOUGH = 8192  # bytes of that file: the first core is described in fewer
CHANGING = ("cpu mhz", "bogomips")  # what it says that is another number each time


@dataclass(frozen=True)
class Target:
    """An instruction set: what LLVM calls it, and the bits and number of its vector registers.

    The caches are bytes of the levels that a core has to itself.
    """

    triple: str
    cpu: str
    features: str
    vector_bits: int
    first_cache: int = FIRST_CACHE
    second_cache: int = SECOND_CACHE

    @property
    def registers(self) -> int:
        """Vector registers: 32 with AVX-512 and on AArch64, else 16."""
        return MANY if self.vector_bits == 512 or self.triple.startswith("aarch64") else 16

    @property
    def has_few_registers(self) -> bool:
        """Whether a tile of sums is so small that what it reads must come from the first level."""
        return self.registers < MANY

    @property
    def layout(self) -> str:
        """LLVM's description of sizes and alignments."""
        return _layout(self)

    def lanes(self, bits: int) -> int:
        """How many elements of so many bits a vector holds."""
        return max(1, self.vector_bits // bits)

    def machine(self) -> Any:
        """LLVM's machine for this target."""
        llvm = _llvm()
        if _kind(self.triple) != _kind(llvm.get_default_triple()):
            llvm.initialize_all_targets()
            llvm.initialize_all_asmprinters()
        return llvm.Target.from_triple(self.triple).create_target_machine(
            cpu=self.cpu, features=self.features, opt=2
        )


def _kind(triple: str) -> str:
    """x86_64, aarch64, ..."""
    return triple.partition("-")[0]


@lru_cache(maxsize=8)
def _layout(target: Target) -> str:
    return str(target.machine().target_data)


@lru_cache(maxsize=1)
def _llvm() -> Any:
    """LLVM, ready to write code for this kind of processor."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def _own_bits(features: dict[str, bool]) -> int:
    if features.get("avx512f"):
        return 512
    return 256 if features.get("avx2") else 128


def _asked() -> Target:
    """This very processor, as LLVM sees it."""
    llvm = _llvm()
    features = llvm.get_host_cpu_features()
    name, bits = llvm.get_host_cpu_name(), _own_bits(features)
    return Target(llvm.get_default_triple(), name, features.flatten(), bits)


def _cache_sizes() -> tuple[int, int]:
    """The bytes of the first core's levels: what the system says, but no more than was measured.

    They are part of the target, so code for machines of one name and other caches differs.
    """
    found = {1: FIRST_CACHE, 2: SECOND_CACHE}
    for place in CACHES.glob("index[0-9]"):
        try:
            level, kind, size = ((place / name).read_text() for name in ("level", "type", "size"))
            if kind.strip() != "Instruction" and int(level) in found:
                found[int(level)] = int(size.strip().removesuffix("K")) << 10
        except (OSError, ValueError):  # not told, or in another form
            continue
    return min(found[1], FIRST_CACHE), min(found[2], SECOND_CACHE)


def _described() -> str:
    """What the system says of the first core; nothing, where it has no file for that."""
    try:
        with PROCESSORS.open("rb") as file:
            first, _, _ = file.read(ENOUGH).partition(b"\n\n")
    except OSError:
        return ""
    lines = first.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if not line.lower().startswith(CHANGING))


def _native() -> Target:
    """This very processor, with the caches it has here."""
    first, second = _cache_sizes()
    return replace(_recalled(), first_cache=first, second_cache=second)


def _recalled() -> Target:
    """This very processor as LLVM sees it: from the cache, if it was there once."""
    described = _described()
    if not described:
        return _asked()
    key = cache.key_of(described, sys.platform)
    known = cache.read([key])
    if known:
        return Target(**json.loads(known[key]))
    found = _asked()
    cache.write({key: json.dumps(asdict(found)).encode()})
    return found


@lru_cache(maxsize=8)
def named(name: str) -> Target:
    """A target by the name that `SLIPSTREAM_TARGET` has for it, or `aarch64`; ValueError if none.

    Code can be written for any; whether this machine runs it is another question.
    """
    if name == "aarch64":
        return Target(*NEON)
    native = _native()
    if name in LEVELS:
        is_kin = _kind(native.triple) == "x86_64"
        triple, caches = X86, (FIRST_CACHE, SECOND_CACHE)
        if is_kin:
            triple, caches = native.triple, (native.first_cache, native.second_cache)
        return Target(triple, name, "", LEVELS[name], *caches)
    if name != "native":
        raise ValueError(f"SLIPSTREAM_TARGET={name} is no target; they are native, {[*LEVELS]}")
    return native


def levels() -> tuple[str, ...]:
    """The names of targets that run on this machine, `native` among them."""
    native = named("native")
    if _kind(native.triple) != "x86_64":
        return ("native",)
    return ("native", *(name for name, bits in LEVELS.items() if bits <= native.vector_bits))


def target() -> Target:
    """The target `SLIPSTREAM_TARGET` names: this very processor unless it says otherwise.

    Raises ValueError for a name that is none, or whose code this processor does not run.
    """
    name = settings.read("SLIPSTREAM_TARGET", "native")
    found = named(name)
    if name not in levels():
        raise ValueError(
            f"SLIPSTREAM_TARGET={name} is code that this processor does not run; "
            f"it runs {', '.join(levels())}"
        )
    return found
