"""The names `keras.optimizers.legacy.*` of TensorFlow 2.11 to 2.15: the same optimizers."""

from slipstream.keras.optimizers.adam import Adam
from slipstream.keras.optimizers.adaptive import Adadelta, Adagrad, Ftrl, RMSprop
from slipstream.keras.optimizers.moments import Adamax, Nadam
from slipstream.keras.optimizers.optimizer import Optimizer
from slipstream.keras.optimizers.sgd import SGD

__all__ = [
    "SGD", "Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Nadam", "Optimizer", "RMSprop",
]  # fmt: skip
