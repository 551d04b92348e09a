"""What the machine can do at most: float32 multiply-adds a second of one core and of all.

    python benchmarks/peak.py

The loop that is timed is that of `slipstream profile`, in `slipstream/compiler/peak.py`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm

from slipstream.compiler.peak import peak

ATTEMPTS = 3


def cores() -> int:
    """Cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """The processor's name and family, as the system tells them, and LLVM's name for it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else 'processor'} ({llvm.get_host_cpu_name()})"


def measured() -> dict[str, Any]:
    """GFLOP/s of one core and of all: the best of many runs, as others only take time away."""
    return {
        "core": peak(),
        "all": max(peak(cores()) for _ in range(ATTEMPTS)),
        "cores": cores(),
        "processor": processor(),
    }


if __name__ == "__main__":
    print(json.dumps(measured()))
