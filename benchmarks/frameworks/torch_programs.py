"""The workloads in PyTorch: a plain loop over batches, eager or through `torch.compile`.

    python -m frameworks.torch_programs eager mlp
    python -m frameworks.torch_programs compile mlp

Pictures lie with their channels last and Adam is the fused one: the faster choices here.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from workloads import MATMUL, PREDICT, Array, Workload, inputs, square_matrices

from frameworks.measure import Program, batches, data, main
from frameworks.torch_models import MAKE

LOSSES = {
    "classes": nn.CrossEntropyLoss,
    "binary": nn.BCEWithLogitsLoss,
    "input": nn.MSELoss,
}


def tensor(array: Array) -> Tensor:
    """The array; pictures seen as channels first, which keeps them channels last in memory."""
    made = torch.from_numpy(array)
    return made.permute(0, 3, 1, 2) if made.ndim == 4 else made


def optimizers(model: nn.Module, lazy: bool) -> list[torch.optim.Optimizer]:
    """Adam; where it is lazy, its sparse kind for the tables of embeddings."""
    tables = [m for m in model.modules() if lazy and isinstance(m, nn.Embedding)]
    for table in tables:
        table.sparse = True
    rows = [table.weight for table in tables]
    rest = [p for p in model.parameters() if all(p is not row for row in rows)]
    found: list[torch.optim.Optimizer] = [torch.optim.Adam(rest, fused=True)]
    return [*found, torch.optim.SparseAdam(rows)] if rows else found


def training(compiled: Any, work: Workload) -> Program:
    model = MAKE[work.model]().to(memory_format=torch.channels_last)
    steppers, loss = optimizers(model, work.lazy), LOSSES[work.target]()
    arrays, wanted = data(work)
    given, y = [tensor(array) for array in arrays], tensor(wanted)
    forward = compiled(lambda xs, y: loss(model(*xs), y))

    def step(chosen: Array) -> None:
        index = torch.from_numpy(chosen)
        for stepper in steppers:
            stepper.zero_grad()
        forward([x[index] for x in given], y[index]).backward()
        for stepper in steppers:
            stepper.step()

    def epoch() -> None:
        for chosen in batches(work):
            step(chosen)

    return Program(lambda: step(next(batches(work))), epoch)


def prediction(compiled: Any, work: Workload) -> Program:
    model = compiled(MAKE[work.model]().eval())
    (sample,) = inputs(work, 1)

    def predict() -> None:
        with torch.inference_mode():
            model(tensor(sample)).numpy()

    return Program(predict, predict)


def prepare(name: str, work: Workload) -> Program:
    compiled = torch.compile if name == "compile" else lambda function: function
    if work.kind == MATMUL:
        left, right = map(torch.from_numpy, square_matrices(work))
        multiply = compiled(torch.matmul)
        return Program(lambda: multiply(left, right), lambda: multiply(left, right))
    return (prediction if work.kind == PREDICT else training)(compiled, work)


if __name__ == "__main__":
    main(prepare, lambda _: f"PyTorch {torch.__version__}")
