"""`import slipstream` costs little more than what it cannot do without: numpy and llvmlite."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

ROUNDS = 7
FLOOR = "import numpy, llvmlite.binding"
OURS = "import slipstream"
MOST_TIMES_THE_FLOOR = 1.5

# The child measures itself, so that starting Python, which takes about as long, hides nothing.
MEASURED = """
import time
begin = time.perf_counter()
{statement}
print(time.perf_counter() - begin)
"""


def output(program: str, byte_code: Path) -> str:
    """What a fresh Python prints; its byte code is kept in a folder of the test."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(byte_code)
    command = [sys.executable, "-c", program]
    finished = subprocess.run(
        command, capture_output=True, text=True, env=environment, check=True, timeout=120
    )
    return finished.stdout


def seconds(statement: str, byte_code: Path) -> float:
    """How long a fresh Python takes over an import."""
    return float(output(MEASURED.format(statement=statement), byte_code))


def test_import_takes_at_most_half_as_long_again_as_numpy_and_llvmlite(tmp_path: Path) -> None:
    for statement in (FLOOR, OURS):  # from here on all byte code is compiled
        seconds(statement, tmp_path)
    rounds = [(seconds(FLOOR, tmp_path), seconds(OURS, tmp_path)) for _ in range(ROUNDS)]
    floor, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    assert ours <= MOST_TIMES_THE_FLOOR * floor, (
        f"{OURS} takes {ours * 1e3:.0f} ms, which is {ours / floor:.2f} times {FLOOR} "
        f"({floor * 1e3:.0f} ms); python -X importtime -c '{OURS}' shows what is slow"
    )


def test_import_leaves_optional_and_foreign_packages_alone(tmp_path: Path) -> None:
    names = ("h5py", "ml_dtypes", "rich", "matplotlib", "PIL", "sklearn", "tensorflow", "keras")
    program = f"import sys, slipstream; print([n for n in {names} if n in sys.modules])"
    assert output(program, tmp_path).strip() == "[]"
