"""The same work as `keras_steps.py` in PyTorch, eager: a plain loop over batches.

python benchmarks/torch_steps.py mlp
"""

import json
import resource
import sys
import time
from itertools import pairwise

import torch
from torch import nn

STEPS, EPOCHS = 100, 4


class Recurrent(nn.Module):
    """An LSTM whose last output a dense layer reads."""

    def __init__(self):
        super().__init__()
        self.lstm, self.dense = nn.LSTM(28, 128, batch_first=True), nn.Linear(128, 10)

    def forward(self, x):
        return self.dense(self.lstm(x)[0][:, -1])


def tower():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(),
        nn.MaxPool2d(2), nn.Dropout(0.5), nn.Flatten(), nn.Linear(1600, 128), nn.ReLU(),
        nn.Linear(128, 10),
    )  # fmt: skip


def autoencoder():
    sizes = (784, 256, 64, 256)
    pairs = pairwise(sizes)
    layers = [layer for a, b in pairs for layer in (nn.Linear(a, b), nn.ReLU())]
    return nn.Sequential(*layers, nn.Linear(256, 784))


WORK = {
    "mlp": (lambda: nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10)), (784,), 64),
    "cnn": (tower, (1, 28, 28), 64),
    "lstm": (Recurrent, (28, 28), 64),
    "autoencoder": (autoencoder, (784,), 128),
}


def main(name):
    make, shape, batch = WORK[name]
    model = make()
    optimizer = torch.optim.Adam(model.parameters())
    is_picture = name == "autoencoder"
    loss = nn.MSELoss() if is_picture else nn.CrossEntropyLoss()
    x = torch.rand(STEPS * batch, *shape)
    y = x if is_picture else torch.randint(0, 2, (len(x),))
    found = []
    for _ in range(EPOCHS + 1):
        start = time.perf_counter()
        for i in range(0, len(x), batch):
            optimizer.zero_grad()
            loss(model(x[i : i + batch]), y[i : i + batch]).backward()
            optimizer.step()
        found.append((time.perf_counter() - start) / STEPS * 1e3)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"ms": found[1:], "first_s": None, "peak_mb": memory}))


if __name__ == "__main__":
    main(*sys.argv[1:])
