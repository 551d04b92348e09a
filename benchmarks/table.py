"""The measurements as a page of markdown: milliseconds, ratios, shares of the peak, failures."""

from __future__ import annotations

import datetime
from statistics import median
from typing import Any

from workloads import WORKLOADS

Found = dict[str, Any]  # the line of JSON of one process
Results = dict[str, dict[str, list[Found]]]  # by workload, by framework, one a round
MARK = "<!-- measured -->"


def values(rounds: list[Found], name: str) -> list[float]:
    """A number of every round that went well; of a list its median."""
    kept = [found[name] for found in rounds if "error" not in found]
    return [median(value) if isinstance(value, list) else value for value in kept]


def milliseconds(rounds: list[Found]) -> float | None:
    """The median over rounds; None unless every round went well: a number then hides nothing."""
    found = values(rounds, "ms")
    return median(found) if found and len(found) == len(rounds) else None


def rows(cells: list[list[str]]) -> list[str]:
    """A markdown table, the first row its head."""
    head, *body = (f"| {' | '.join(row)} |" for row in cells)
    return [head, f"|{' --- |' * len(cells[0])}", *body]


def cell(row: dict[str, list[Found]], who: str) -> str:
    if who not in row:
        return "-"
    found = milliseconds(row[who])
    return "failed" if found is None else f"{found:.3g}"


def times(results: Results, titles: dict[str, str], peak: float | None) -> list[str]:
    """Milliseconds of everyone, what the best peer takes over Slipstream, share of the peak."""
    table = [["work", *titles.values(), "best peer / Slipstream", "share of peak"]]
    for name, row in results.items():
        found = {who: milliseconds(rounds) for who, rounds in row.items()}
        ours = found.pop("slipstream")
        peers = [ms for ms in found.values() if ms]
        flops = WORKLOADS[name].flops
        table.append([
            f"{name}, batch {WORKLOADS[name].batch}: {WORKLOADS[name].note}",
            *(cell(row, who) for who in titles),
            f"{min(peers) / ours:.2f}" if ours and peers else "-",
            f"{flops / ours / peak / 1e6:.0%}" if ours and flops and peak else "-",
        ])  # fmt: skip
    return rows(table)


def process(row: dict[str, list[Found]], titles: dict[str, str]) -> list[str]:
    """The first step and the peak memory of the processes that train the CNN."""
    table = [["the CNN's training process", *titles.values()]]
    for name, text in (("first_s", "first step, s"), ("peak_mb", "peak memory, MB")):
        found = [values(row.get(who, []), name) for who in titles]
        table.append([text, *(f"{median(each):.3g}" if each else "-" for each in found)])
    return rows(table)


def failures(results: Results, titles: dict[str, str]) -> list[str]:
    """What failed, and the first line of why; equal failures of several rounds once."""
    reasons = {
        f"- {name}, {titles[who]}: {found['error'].replace('|', '/')}": None
        for name, row in results.items()
        for who, rounds in row.items()
        for found in rounds
        if "error" in found
    }
    return ["Failed:", "", *reasons, ""] if reasons else []


def peak_of(peaks: list[Found]) -> tuple[float | None, str]:
    """GFLOP/s of all cores, the median over rounds, and a sentence about the machine."""
    whole, core = values(peaks, "all"), values(peaks, "core")
    if not whole:
        return None, f"The peak was not measured: {peaks[0]['error']}."
    name, cores = peaks[0]["processor"], peaks[0]["cores"]
    rates = f"{median(whole):.0f} GFLOP/s in float32, {median(core):.0f} of one core"
    return median(whole), f"{name}, {cores} cores; measured peak {rates}."


def versions(results: Results) -> str:
    found = {
        found["version"]: None
        for row in results.values()
        for rounds in row.values()
        for found in rounds
        if "version" in found
    }
    return "; ".join(found)


def page(results: Results, titles: dict[str, str], peaks: list[Found], steps: int | None) -> str:
    """Everything measured, as markdown."""
    peak, machine = peak_of(peaks)
    today = datetime.datetime.now(tz=datetime.timezone.utc).date()
    rounds = f"medians of {len(peaks)} rounds" if len(peaks) > 1 else "one round"
    short = f" Only {steps} steps an epoch: rough numbers." if steps else ""
    about = f"{machine} {today}; {rounds}.{short}"
    lines = [about, "", f"{versions(results)}.", "", *times(results, titles, peak), ""]
    if "cnn" in results:
        lines += [*process(results["cnn"], titles), ""]
    return "\n".join(lines + failures(results, titles)).rstrip()
