"""What is measured: one table of names, sizes and batches, which every framework's programs read.

Only NumPy is needed here, so each peer's environment can import it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
ROWS = (100_000, 50_000)  # of the two tables of embeddings
CLASSES, PREDICT, MATMUL = 10, "predict", "matmul"


@dataclass(frozen=True)
class Workload:
    """One measurement: `steps` of training an epoch, or `steps` calls of something short."""

    model: str
    batch: int
    shape: tuple[int, ...]  # of one sample of one input
    steps: int
    kind: str = "train"
    inputs: int = 1
    target: str = "classes"  # or "binary", or "input": the model gives back what it was given
    first: int = 0  # multiply-adds a sample in layers that read the input: no gradient by it
    rest: int = 0  # multiply-adds a sample in every other layer
    lazy: bool = False  # of tables, the optimizer steps only the rows that the batch used
    note: str = field(default="", compare=False)

    @property
    def flops(self) -> int:
        """Floating-point operations of a step in products and convolutions; 0: not counted.

        Training computes every product thrice: forward, and the gradient by either operand.
        """
        if self.kind == "train":
            return 2 * self.batch * (2 * self.first + 3 * self.rest)
        return 2 * self.shape[0] ** 3 if self.kind == MATMUL else 0


def _residual_stage(side: int, before: int, filters: int) -> int:
    """Multiply-adds of a stage: the first convolution, three more, and the shortcut's."""
    return side * side * filters * (9 * before + 27 * filters + before)


TOWER = 11 * 11 * 9 * 32 * 64 + 1600 * 128 + 128 * CLASSES
BLOCK = 64 * (4 * 128 * 128 + 2 * 64 * 128 + 2 * 128 * 512)
STEM = 32 * 32 * 32 * 3 * 10  # the two convolutions that read the picture
RESIDUAL = (
    _residual_stage(32, 3, 32) - STEM + _residual_stage(16, 32, 64) + _residual_stage(8, 64, 128)
)
PICTURE = (28, 28, 1)

WORKLOADS: dict[str, Workload] = {
    "mlp": Workload("mlp", 64, (784,), 600, first=784 * 128, rest=128 * CLASSES,
        note="784-128-10"),
    "cnn": Workload("cnn", 64, PICTURE, 100, first=26 * 26 * 9 * 32, rest=TOWER,
        note="28x28x1: conv 32, pool, conv 64, pool, dropout, dense 128, 10"),
    "siamese": Workload("siamese", 64, PICTURE, 60, inputs=2, target="binary",
        first=2 * 26 * 26 * 9 * 32, rest=2 * TOWER + CLASSES, note="two such towers, pairs"),
    "lstm": Workload("lstm", 64, (28, 28), 100, first=28 * 28 * 512,
        rest=28 * 128 * 512 + 128 * CLASSES, note="LSTM 128 over 28 steps of 28"),
    "autoencoder": Workload("autoencoder", 128, (784,), 200, target="input",
        first=784 * 256, rest=2 * 256 * 64 + 256 * 784, note="784-256-64-256-784"),
    "residual": Workload("residual", 32, (32, 32, 3), 20, first=STEM,
        rest=RESIDUAL + 128 * CLASSES,
        note="32x32x3, filters 32-64-128, two blocks with batch normalisation a stage"),
    "transformer": Workload("transformer", 32, (64, 128), 20, rest=2 * BLOCK + 128 * CLASSES,
        note="two blocks, 64 tokens of width 128, 4 heads, inner width 512"),
    "embeddings": Workload("embeddings", 256, (), 100, inputs=2, target="binary",
        note="100,000 and 50,000 rows x 32, dense 64, 1"),
    "embeddings-lazy": Workload("embeddings", 256, (), 100, inputs=2, target="binary", lazy=True,
        note="the same, and the optimizer leaves unused rows alone"),
    "matmul-1024": Workload("matmul", 1, (1024, 1024), 40, MATMUL, note="1024 square"),
    "matmul-2048": Workload("matmul", 1, (2048, 2048), 10, MATMUL, note="2048 square"),
    "predict-mlp": Workload("mlp", 1, (784,), 200, PREDICT, note="one sample"),
    "predict-cnn": Workload("cnn", 1, PICTURE, 200, PREDICT, note="one sample"),
}  # fmt: skip


def inputs(work: Workload, samples: int) -> list[Array]:
    """Random samples, one array an input; indices of rows for the embeddings."""
    random = np.random.default_rng(0)
    if work.model == "embeddings":
        return [random.integers(0, rows, samples, dtype=np.int32) for rows in ROWS]
    shape = (samples, *work.shape)
    return [random.random(shape, dtype=np.float32) for _ in range(work.inputs)]


def targets(work: Workload, given: list[Array]) -> Array:
    """What the model should give: classes, zeros and ones of shape [n, 1], or its input."""
    random = np.random.default_rng(1)
    if work.target == "input":
        return given[0]
    if work.target == "binary":
        return random.integers(0, 2, (len(given[0]), 1)).astype(np.float32)
    return random.integers(0, CLASSES, len(given[0]))


def square_matrices(work: Workload) -> tuple[Array, Array]:
    """The two operands of a matrix product."""
    random = np.random.default_rng(0)
    return random.random(work.shape, np.float32), random.random(work.shape, np.float32)
