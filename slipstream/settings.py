"""Every environment switch Slipstream reads, in one place; `slipstream info` prints them."""

from __future__ import annotations

import os
from pathlib import Path

SWITCHES: dict[str, str] = {
    "SLIPSTREAM_DATA": "folder with one sub-folder a data set, looked in before the cache",
    "SLIPSTREAM_HOME": "folder for downloads, data sets and compiled code (default ~/.slipstream)",
    "SLIPSTREAM_THREADS": "how many threads a compiled program uses (default: every core)",
    "SLIPSTREAM_EXECUTOR": "which executor runs programs: native (the default) or reference",
    "SLIPSTREAM_TARGET": "instruction set compiled for: native, x86-64-v2, x86-64-v3, x86-64-v4",
    "SLIPSTREAM_DEBUG": "1 runs kernels one by one and checks all memory around them (slow)",
}


def read(name: str, default: str = "") -> str:
    """The value of a switch; only names in `SWITCHES` exist."""
    if name not in SWITCHES:
        raise KeyError(f"{name} is not a Slipstream switch; the switches are {sorted(SWITCHES)}")
    return os.environ.get(name) or default


def home() -> Path:
    """The folder for what Slipstream keeps between runs."""
    return Path(read("SLIPSTREAM_HOME", str(Path.home() / ".slipstream"))).expanduser()


def is_debugging() -> bool:
    """Whether compiled programs check their memory: `SLIPSTREAM_DEBUG` is set, and not 0."""
    return read("SLIPSTREAM_DEBUG") not in ("", "0")


def thread_count() -> int:
    """How many threads to use: `SLIPSTREAM_THREADS`, or every core the process may run on."""
    chosen = read("SLIPSTREAM_THREADS")
    if chosen and not chosen.isdigit():
        raise ValueError(f"SLIPSTREAM_THREADS={chosen} is not a number of threads")
    if chosen and int(chosen) > 0:
        return int(chosen)
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
