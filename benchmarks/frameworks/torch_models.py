"""The workloads' models in PyTorch; pictures come with their channels first."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from workloads import ROWS


def tower() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.5), nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def dense(*sizes: int) -> nn.Module:
    """Dense layers with ReLU between them."""
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class Siamese(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tower, self.head = tower(), nn.Linear(10, 1)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.head((self.tower(left) - self.tower(right)).square())


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm, self.head = nn.LSTM(28, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(x)[0][:, -1])


def normalised(before: int, filters: int, size: int, stride: int) -> list[nn.Module]:
    options = {"stride": stride, "padding": size // 2, "bias": False}
    return [nn.Conv2d(before, filters, size, **options), nn.BatchNorm2d(filters)]


class Block(nn.Module):
    def __init__(self, before: int, filters: int, stride: int) -> None:
        super().__init__()
        first, last = normalised(before, filters, 3, stride), normalised(filters, filters, 3, 1)
        self.body = nn.Sequential(*first, nn.ReLU(), *last)
        shortcut = [] if before == filters else normalised(before, filters, 1, stride)
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.shortcut(x) + self.body(x))


def residual() -> nn.Module:
    sizes = ((3, 32, 1), (32, 32, 1), (32, 64, 2), (64, 64, 1), (64, 128, 2), (128, 128, 1))
    pool = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    return nn.Sequential(*(Block(*size) for size in sizes), *pool)


class Transformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        layer = [nn.TransformerEncoderLayer(128, 4, 512, 0.0, batch_first=True) for _ in range(2)]
        self.body, self.head = nn.Sequential(*layer), nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean(1))


class Embeddings(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tables = nn.ModuleList(nn.Embedding(rows, 32) for rows in ROWS)
        self.head = dense(64, 64, 1)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.head(torch.cat([self.tables[0](left), self.tables[1](right)], -1))


MAKE: dict[str, Callable[[], nn.Module]] = {
    "mlp": lambda: dense(784, 128, 10),
    "cnn": tower,
    "siamese": Siamese,
    "lstm": Recurrent,
    "autoencoder": lambda: dense(784, 256, 64, 256, 784),
    "residual": residual,
    "transformer": Transformer,
    "embeddings": Embeddings,
}
