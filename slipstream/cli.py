"""The command `slipstream`: `slipstream oneshot ...` and `slipstream info`.

What a user can get wrong ends in one message on the error stream and exit status 2.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import slipstream
from slipstream import settings
from slipstream.compiler.coverage import coverage
from slipstream.errors import OpError
from slipstream.oneshot.commands import add_commands
from slipstream.runtime.executor import NAMES, executor

USER_ERROR, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, that of the process by default; returns the exit status."""
    parsed = parser().parse_args(arguments)
    try:
        parsed.run(parsed)
        sys.stdout.flush()
    except (OpError, ValueError, OSError, MemoryError) as problem:
        return explain(problem)
    except KeyboardInterrupt:
        print("\nslipstream: interrupted", file=sys.stderr)
        return INTERRUPTED
    return 0


def explain(problem: BaseException) -> int:
    """Says what went wrong; the exit status."""
    if isinstance(problem, BrokenPipeError):  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return USER_ERROR
    # The last line names the program that asked; here that is only this command.
    text = str(problem).partition("\n  at ")[0] or type(problem).__name__
    print(f"slipstream: {text}", file=sys.stderr)
    return USER_ERROR


def parser() -> argparse.ArgumentParser:
    """Every command and option."""
    made = argparse.ArgumentParser(prog="slipstream", description="A deep-learning framework.")
    made.add_argument("--version", action="version", version=slipstream.__version__)
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    oneshot = "siamese networks: show a new class once, recognise it from then on"
    add_commands(commands.add_parser("oneshot", help=oneshot, description=oneshot))
    text = "version, processor, threads and switches"
    info = commands.add_parser("info", help=text, description=text)
    info.add_argument("--ops", action="store_true", help="how each operation is compiled")
    info.set_defaults(run=_info)
    return made


def _info(parsed: argparse.Namespace) -> None:
    print("\n".join(operation_lines() if parsed.ops else info_lines()))


def operation_lines() -> list[str]:
    """How each operation runs in a compiled program, and how many in which way."""
    rows = list(coverage())
    width = max(len(name) for name, _, _ in rows)
    lines = [f"{name:{width}}  {family:14}  {how}" for name, family, how in rows]
    counts = Counter(how for _, _, how in rows)
    return [*lines, ", ".join(f"{count} {how}" for how, count in counts.most_common())]


def info_lines() -> list[str]:
    """What a bug report needs."""
    lines = [
        f"slipstream {slipstream.__version__}",
        f"python     {platform.python_version()}, numpy {np.__version__}",
        f"system     {platform.system()} {platform.release()}",
        f"processor  {processor()}",
        f"threads    {settings.thread_count()}",
        f"executor   {executor().name} (of {', '.join(NAMES)})",
        f"home       {settings.home()}",
        "switches",
    ]
    for name, text in settings.SWITCHES.items():
        lines.append(f"  {name}={settings.read(name)}")
        lines.append(f"      {text}")
    return lines


def processor() -> str:
    """The processor's name, as the system gives it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as stream:
            names = [line.partition(":")[2].strip() for line in stream if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()
