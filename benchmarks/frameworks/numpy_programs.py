"""NumPy's matrix product, which is OpenBLAS's: the peer of the square products."""

from __future__ import annotations

import numpy as np
from workloads import Workload, square_matrices

from frameworks.measure import Program, main


def prepare(_: str, work: Workload) -> Program:
    left, right = square_matrices(work)
    return Program(lambda: left @ right, lambda: left @ right)


if __name__ == "__main__":
    main(prepare, lambda _: f"NumPy {np.__version__}")
