"""`import slipstream` costs little more than what it cannot do without: numpy and llvmlite."""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 7
FLOOR = "import numpy, llvmlite.binding"
OURS = "import slipstream"
MOST_TIMES_THE_FLOOR = 1.5

# The child measures itself, so that starting Python, which takes as long, blurs nothing.
MEASURED = """
import time
begin = time.process_time()
{statement}
print(time.process_time() - begin)
"""


def seconds(statement: str) -> float:
    """The processor time a fresh Python spends on an import."""
    command = [sys.executable, "-c", MEASURED.format(statement=statement)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_import_takes_at_most_half_as_long_again_as_numpy_and_llvmlite() -> None:
    for statement in (FLOOR, OURS):  # byte code is written and files are read once
        seconds(statement)
    rounds = [(seconds(FLOOR), seconds(OURS)) for _ in range(ROUNDS)]
    floor, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    assert ours <= MOST_TIMES_THE_FLOOR * floor, (
        f"{OURS} takes {ours * 1e3:.0f} ms of processor time, which is {ours / floor:.2f} times "
        f"{FLOOR} ({floor * 1e3:.0f} ms); python -X importtime -c '{OURS}' shows what is slow"
    )


def test_import_leaves_large_optional_packages_alone() -> None:
    names = ("h5py", "ml_dtypes", "rich", "matplotlib", "PIL", "sklearn", "tensorflow", "keras")
    program = f"import sys, slipstream; print([n for n in {names} if n in sys.modules])"
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "[]"
