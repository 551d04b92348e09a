"""NumPy's matrix product, which is OpenBLAS's: the peer of the square products."""

from __future__ import annotations

import numpy as np
from frameworks.measure import Program, Workload, main
from workloads import square_matrices


def prepare(_: str, work: Workload) -> Program:
    left, right = square_matrices(work)
    return Program(lambda: left @ right, lambda: left @ right)


if __name__ == "__main__":
    main(prepare, lambda _: f"NumPy {np.__version__}")
