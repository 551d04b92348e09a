"""The progress bar: how far an epoch is, how long it will take, the losses and metrics so far."""

from __future__ import annotations

import sys
import time
from typing import Any

WIDTH = 20
INTERVAL = 0.1  # seconds between two drawings


class ProgressBar:
    """Draws `12/938 ━━━━━━━━━━━━━━━━━━━━ 3s 2ms/step - loss: 0.5`.

    In a terminal the line is drawn over as batches go by; elsewhere once at the end. For verbose=2
    the line has no bar: `938/938 - 3s - 2ms/step - loss: 0.5`.
    """

    def __init__(self, target: int | None, verbose: int = 1, stream: Any = None) -> None:
        self.target, self.verbose = target, verbose
        self._stream = stream or sys.stdout
        self._live = verbose == 1 and getattr(self._stream, "isatty", lambda: False)()
        self._begun = self._drawn = time.perf_counter()
        self._seen = 0
        self._length = 0

    def headline(self, text: str) -> None:
        """A line of its own before the bar."""
        self._write(text + "\n")
        self._begun = time.perf_counter()

    def update(self, current: int, logs: Any) -> None:
        """`current` batches are done."""
        self._seen = current
        now = time.perf_counter()
        if self._live and now - self._drawn >= INTERVAL:
            self._drawn = now
            self._draw(self._line(now, logs, done=False))

    def finish(self, logs: Any) -> None:
        """The last line, with all losses and metrics."""
        if not self._seen:
            return
        line = self._line(time.perf_counter(), logs, done=True)
        if self._live:
            self._draw(line)
            self._write("\n")
        else:
            self._write(line + "\n")

    def _line(self, now: float, logs: Any, done: bool) -> str:
        spent = now - self._begun
        each = spent / max(1, self._seen)
        total = self.target or (self._seen if done else None)
        width = len(str(total)) if total is not None else 0
        count = f"{self._seen:>{width}}/{total if total is not None else 'Unknown'}"
        if done:
            timing = f"{spent:.0f}s {_duration(each)}/step"
        else:
            left = each * (total - self._seen) if total else spent
            timing = f"{_clock(left)} {_duration(each)}/step"
        facts = "".join(f" - {name}: {_shown(value)}" for name, value in _ordered(logs))
        if self.verbose == 2:
            return f"{count} - {timing.replace(' ', ' - ')}{facts}"
        return f"{count} {self._bar(total)} {timing}{facts}"

    def _bar(self, total: int | None) -> str:
        filled = WIDTH if not total else min(WIDTH, WIDTH * self._seen // total)
        rest = WIDTH - filled
        if self._live:
            return f"\x1b[32m{'━' * filled}\x1b[0m\x1b[37m{'━' * rest}\x1b[0m"
        return "━" * WIDTH

    def _draw(self, line: str) -> None:
        padding = " " * max(0, self._length - len(line))
        self._length = len(line)
        self._write(f"\r{line}{padding}")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


def _ordered(logs: Any) -> list[tuple[str, Any]]:
    """Names in order, those of validation last."""
    return sorted((logs or {}).items(), key=lambda item: (item[0].startswith("val_"), item[0]))


def _shown(value: Any) -> str:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{number:.4f}" if abs(number) > 1e-3 else f"{number:.4e}"


def _duration(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.0f}s"
    return f"{seconds * 1e3:.0f}ms" if seconds >= 1e-3 else f"{seconds * 1e6:.0f}us"


def _clock(seconds: float) -> str:
    whole = int(seconds)
    if whole >= 3600:
        return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}" if whole >= 60 else f"{whole}s"
