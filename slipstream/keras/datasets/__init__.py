"""Small real data sets, loaded by name: `fashion_mnist.load_data()`, `mnist.load_data()`."""

from slipstream.keras.datasets import fashion_mnist, mnist

__all__ = ["fashion_mnist", "mnist"]
