"""A profile as tables in a terminal, and as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slipstream import settings
from slipstream.compiler.describe import shape_text
from slipstream.compiler.peak import peak
from slipstream.compiler.profile import Loaded, Measured, Profile, ProfiledProgram
from slipstream.files import write_aside

MOST_INPUTS = 3  # that a heading shows
WIDTH = 160  # of a table, where no terminal says how wide it is
COLUMNS = ("kind", "what", "threads", "calls", "total ms", "µs a call", "least µs", "share",
           "GFLOP/s", "of peak", "GB/s")  # fmt: skip


class Machine:
    """The peak of one thread and of as many as programs use: GFLOP/s in float32."""

    def __init__(self) -> None:
        self.threads = settings.thread_count()
        self.all = max(peak(self.threads, repeats=30) for _ in range(3))
        self.one = max(peak(1, repeats=30), self.all / self.threads)

    def share(self, measured: Measured) -> float | None:
        """Which part of the peak the fastest call of a contraction reached."""
        entry = measured.entry
        if entry.flops is None or not measured.least:
            return None
        whole = self.all if entry.is_shared else self.one
        return entry.flops / measured.least / (whole / 2 if entry.is_double else whole)


def print_profile(profile: Profile, top: int = 20, *, by_least: bool = False) -> None:
    """A table for each program that has run, the longest first: its `top` hottest kernels.

    The share is that of all the time in the program. With `by_least` every kernel counts as often
    as it ran at its fastest, which is the truth where other processes take time away. The rates
    are those of the fastest call: multiplications and additions of a contraction, bytes of others.
    """
    from rich.console import Console

    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH)
    ran = [loaded for loaded in profile.loaded if loaded.program.runs_made]
    if not ran:
        console.print("No compiled program has run.")
        return
    machine = Machine()
    for loaded in sorted(ran, key=lambda one: -one.program.nanoseconds):
        console.print(_table(loaded, machine, top, by_least))
    console.print(
        f"Peak, measured now: {machine.one:.0f} GFLOP/s of one thread, {machine.all:.0f} of "
        f"{machine.threads}, in float32.", highlight=False,
    )  # fmt: skip


def _table(loaded: Loaded, machine: Machine, top: int, by_least: bool) -> Any:
    from rich import box
    from rich.table import Table

    table = Table(title=heading(loaded), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        is_text = name in ("kind", "what")
        table.add_column(
            name, justify="left" if is_text else "right", no_wrap=name != "what",
            overflow="fold", ratio=1 if name == "what" else None,
        )  # fmt: skip
    for row in rows(loaded.program, machine, top, by_least):
        table.add_row(*row)
    return table


def heading(loaded: Loaded) -> str:
    """What a program is, how often it ran, what it cost to compile."""
    program, planned = loaded.program, loaded.program.planned
    graph, runs = planned.graph, program.runs_made
    given = [f"{v.type.dtype.name}({shape_text(v.type.shape)})" for v in graph.inputs]
    shown = ", ".join(given if len(given) <= MOST_INPUTS else [*given[:MOST_INPUTS], "..."])
    mean = program.nanoseconds / runs
    least = sum(one.least * one.calls for one in program.measured()) / runs
    return (
        f"{graph.name} of {shown or 'nothing'}: {runs} runs of {mean / 1e6:.3f} ms, "
        f"{least / 1e6:.3f} ms with every kernel at its fastest; arena "
        f"{planned.places.arena_bytes / 1e6:.2f} MB; planned in {loaded.planning:.3f} s, code in "
        f"{loaded.coding:.3f} s"
    )


def rows(
    program: ProfiledProgram, machine: Machine, top: int, by_least: bool
) -> list[tuple[str, ...]]:
    """The cells of the hottest entries, of all others together, and of what is none."""

    def cost(one: Measured) -> int:
        return one.least * one.calls if by_least else one.total

    found = sorted(program.measured(), key=cost, reverse=True)
    inside = sum(one.total for one in found)
    outside = max(0, program.nanoseconds - inside)
    whole = sum(map(cost, found)) + (0 if by_least else outside)
    made = [_row(one, machine, cost(one) / whole) for one in found[:top]]
    rest = found[top:]
    if rest:
        made.append(_sum(f"{len(rest)} others", sum(o.total for o in rest),
                         sum(map(cost, rest)) / whole))  # fmt: skip
    share = None if by_least else outside / whole
    made.append(_sum("outside kernels: Python, starting, waiting", outside, share))
    made.append(_sum("all", program.nanoseconds, None))
    return made


def _row(one: Measured, machine: Machine, share: float) -> tuple[str, ...]:
    entry, least = one.entry, max(one.least, 1)
    of_peak = machine.share(one)
    is_product = entry.flops is not None
    return (
        entry.kind, entry.text, "all" if entry.is_shared else "1", str(one.calls),
        f"{one.total / 1e6:.2f}", f"{one.total / one.calls / 1e3:.2f}", f"{one.least / 1e3:.2f}",
        f"{share:.1%}", f"{entry.flops / least:.1f}" if entry.flops is not None else "",
        "" if of_peak is None else f"{of_peak:.0%}",
        "" if is_product or not entry.bytes else f"{entry.bytes / least:.1f}",
    )  # fmt: skip


def _sum(text: str, nanoseconds: int, share: float | None) -> tuple[str, ...]:
    shown = "" if share is None else f"{share:.1%}"
    return ("", text, "", "", f"{nanoseconds / 1e6:.2f}", "", "", shown, "", "", "")


def save_profile(profile: Profile, path: Path) -> None:
    """Everything that was measured, as JSON: times in nanoseconds, work of one call."""
    machine = Machine()
    programs: Sequence[Any] = [_saved(one) for one in profile.loaded if one.program.runs_made]
    held = {"peak": {"one": machine.one, "all": machine.all, "threads": machine.threads},
            "programs": programs}  # fmt: skip
    with write_aside(path, "profile") as aside:
        aside.write_text(json.dumps(held, indent=1), encoding="utf-8")


def _saved(loaded: Loaded) -> dict[str, Any]:
    program = loaded.program
    return {
        "name": program.planned.graph.name,
        "inputs": [str(v.type) for v in program.planned.graph.inputs],
        "runs": program.runs_made,
        "nanoseconds": program.nanoseconds,
        "planning_seconds": loaded.planning,
        "coding_seconds": loaded.coding,
        "arena_bytes": program.planned.places.arena_bytes,
        "kernels": [
            {**vars(one.entry), "calls": one.calls, "total": one.total, "least": one.least}
            for one in program.measured()
        ],
    }
