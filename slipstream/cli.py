"""The command `slipstream`: `oneshot ...`, `profile script.py`, `show script.py`, `info`.

What a user can get wrong ends in one message on the error stream and exit status 2.
"""

from __future__ import annotations

import argparse
import os
import platform
import runpy
import sys
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

import slipstream
from slipstream import settings
from slipstream.compiler import cache
from slipstream.compiler.coverage import coverage
from slipstream.compiler.table import print_profile, save_profile
from slipstream.compiler.target import target
from slipstream.errors import InvalidArgumentError, NotFoundError, OpError, message
from slipstream.oneshot.commands import add_commands
from slipstream.runtime.executor import NAMES, executor
from slipstream.runtime.inspection import profiling, showing

SCRIPT_ERROR, USER_ERROR, INTERRUPTED = 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line, that of the process by default; returns the exit status."""
    parsed = parser().parse_args(arguments)
    try:
        status: int | None = parsed.run(parsed)
        sys.stdout.flush()
    except (OpError, ValueError, OSError, MemoryError) as problem:
        return explain(problem)
    except KeyboardInterrupt:
        print("\nslipstream: interrupted", file=sys.stderr)
        return INTERRUPTED
    return status or 0


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
    _add_profile(commands)
    _add_show(commands)
    text = "version, processor, threads and switches"
    info = commands.add_parser("info", help=text, description=text)
    info.add_argument("--ops", action="store_true", help="how each operation is compiled")
    info.set_defaults(run=_info)
    return made


def _add_profile(commands: Any) -> None:
    text = "run a program and print which kernels its time goes to"
    profile = commands.add_parser("profile", help=text, description=text)
    profile.add_argument("--top", type=int, default=20, help="kernels of each program (20)")
    least = "count each kernel at its fastest call: for a machine that is busy with other things"
    profile.add_argument("--least", action="store_true", help=least)
    profile.add_argument("--save", type=Path, metavar="FILE", help="all of it as JSON, too")
    _add_script(profile)
    profile.set_defaults(run=_profile)


def _add_show(commands: Any) -> None:
    text = "run a program and write down what the compiler makes of it"
    show = commands.add_parser("show", help=text, description=text)
    folder = "gets a folder for each compiled program (slipstream-show)"
    show.add_argument("--out", type=Path, default=Path("slipstream-show"), help=folder)
    show.add_argument("--only", default="", metavar="NAME", help="programs of this name alone")
    show.add_argument("--code", action="store_true", help="LLVM text and assembly of kernels, too")
    _add_script(show)
    show.set_defaults(run=_show)


def _add_script(command: argparse.ArgumentParser) -> None:
    command.add_argument("-m", dest="is_module", action="store_true", help="SCRIPT is a module")
    command.add_argument("script", help="a program in Python")
    command.add_argument("arguments", nargs=argparse.REMAINDER, help="what the program is given")


def _profile(parsed: argparse.Namespace) -> int:
    """Runs the script measured; what was measured is printed even if the script fails."""
    _need_native("profile")
    with profiling() as profile:
        status = run_script(parsed.script, parsed.arguments, is_module=parsed.is_module)
    print_profile(profile, parsed.top, by_least=parsed.least)
    if parsed.save is not None:
        save_profile(profile, parsed.save)
    return status


def _show(parsed: argparse.Namespace) -> int:
    """Runs the script; its programs are written as they are compiled."""
    _need_native("show")
    with showing(parsed.out, only=parsed.only, code=parsed.code) as shown:
        status = run_script(parsed.script, parsed.arguments, is_module=parsed.is_module)
    print(*(shown.written or ["No program was compiled."]), sep="\n")
    return status


def _need_native(command: str) -> None:
    if executor().name != "native":
        happened = f"the executor {executor().name} compiles nothing"
        raise InvalidArgumentError(
            message(command, happened, hint="it without SLIPSTREAM_EXECUTOR")
        )


def run_script(script: str, arguments: Sequence[str], *, is_module: bool = False) -> int:
    """Runs a file, or a module, as Python would: as `__main__` with these arguments.

    Gives its exit status. Raises NotFoundError if there is no such file.
    """
    if not is_module and not Path(script).is_file():
        happened, received = "there is no such script", {"script": script}
        raise NotFoundError(message("profile", happened, received=received, hint="-m for a module"))
    folder = Path.cwd() if is_module else Path(script).resolve().parent
    arguments_before, path_before = sys.argv, sys.path
    sys.argv, sys.path = [script, *arguments], [str(folder), *sys.path]
    try:
        _run_as_main(script, is_module)
    except SystemExit as end:
        return _status(end)
    except KeyboardInterrupt:  # what has run so far is worth seeing
        print("\nslipstream: interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        error.__traceback__ = _from_script(error)
        traceback.print_exception(error)
        return SCRIPT_ERROR
    finally:
        sys.argv, sys.path = arguments_before, path_before
    return 0


def _run_as_main(script: str, is_module: bool) -> None:
    if is_module:
        runpy.run_module(script, run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(script, run_name="__main__")


def _status(end: SystemExit) -> int:
    """The exit status that Python would end with; a text is printed, as it does."""
    if end.code is None or isinstance(end.code, int):
        return end.code or 0
    print(end.code, file=sys.stderr)
    return SCRIPT_ERROR


def _from_script(error: BaseException) -> TracebackType | None:
    """The traceback of an error without what ran the script."""
    trace = error.__traceback__
    ours = (__file__, runpy.__file__, "<frozen runpy>")
    while trace is not None and trace.tb_frame.f_code.co_filename in ours:
        trace = trace.tb_next
    return trace or error.__traceback__


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
    chosen = target()
    files, size = cache.usage()
    lines = [
        f"slipstream {slipstream.__version__}",
        f"python     {platform.python_version()}, numpy {np.__version__}",
        f"system     {platform.system()} {platform.release()}",
        f"processor  {processor()}",
        f"target     {chosen.cpu}, vectors of {chosen.vector_bits} bits",
        f"threads    {settings.thread_count()}",
        f"executor   {executor().name} (of {', '.join(NAMES)})",
        f"home       {settings.home()}",
        f"cache      {files} files, {size / 1e6:.1f} MB of compiled code in {cache.folder()}",
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
