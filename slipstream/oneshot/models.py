"""The networks: a convolutional tower, two of them that share weights, and a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np

from slipstream.keras import layers
from slipstream.keras.layers.layer import Layer
from slipstream.oneshot.affine import AffineRange, random_maps, warp
from slipstream.oneshot.pictures import SIDE, to_floats
from slipstream.oneshot.recipe import Recipe
from slipstream.ops.arithmetic import maximum, sqrt, square
from slipstream.ops.linear import matmul
from slipstream.ops.normalization import l2_normalize
from slipstream.ops.reduction import reduce_sum
from slipstream.ops.shaping import split
from slipstream.runtime.function import function

SMALLEST_SIDE = 4  # a picture is halved while it is at least so wide
BATCH = 200  # pictures embedded at a time: one traced program for any number
MOMENTUM = 0.9  # of batch normalisation: trainings here have a thousand steps, not a million
GENTLE = AffineRange(rotation=8, scale=0.1, shear=0.1, translation=1.5)
DARKEST = 1e-6  # a power below 1 has no derivative at zero
TINY = 1e-9  # keeps the derivative of a distance finite where it is zero


class Residual(Layer):
    """A 3x3 convolution, normalised and rectified, added to what it gets: `[n, h, w, count]`.

    He and others, "Deep residual learning for image recognition", 2016.
    """

    def __init__(self, count: int) -> None:
        super().__init__(name="residual")
        self.convolve = layers.Conv2D(count, 3, padding="same", use_bias=False)
        self.normalise = layers.BatchNormalization(momentum=MOMENTUM)
        self.rectify = layers.ReLU()

    def call(self, values: Any, training: bool = False) -> Any:
        return values + self.rectify(self.normalise(self.convolve(values), training=training))


class Tower(Layer):
    """Pictures `[n, 28, 28, 1]`, values 0 to 1, to embeddings `[n, size]` of length one.

    Each convolution is 3x3, pooled by two, normalised over the batch and rectified; pooling comes
    first because it makes the rest four times smaller and changes little. The recipe may have
    further ones after each, added to what they get. A projected recipe leaves
    out the dense layer at the end, and its embeddings are as large as what the convolutions give.
    """

    def __init__(self, recipe: Recipe, normalised: bool = True) -> None:
        super().__init__(name="tower")
        self.normalised, self.gamma = normalised, recipe.gamma
        self.mirrored = recipe.mirrored
        self.steps: list[Layer] = []
        side = SIDE
        for count in recipe.channels:
            self.steps.append(layers.Conv2D(count, 3, padding="same", use_bias=False))
            if side >= SMALLEST_SIDE:
                self.steps.append(layers.MaxPooling2D(2))
                side //= 2
            self.steps += [layers.BatchNormalization(momentum=MOMENTUM), layers.ReLU()]
            self.steps += [Residual(count) for _ in range(recipe.residual)]
        self.steps.append(layers.Flatten())
        # Without a last layer to weigh them, all that the convolutions give shall count alike.
        even = layers.BatchNormalization(momentum=MOMENTUM, center=False, scale=False)
        self.steps.append(even if recipe.projected else layers.Dense(recipe.embedding))

    def call(self, pictures: Any, training: bool = False) -> Any:
        values = pictures if self.gamma == 1 else maximum(pictures, DARKEST) ** self.gamma
        for step in self.steps:
            normalises = isinstance(step, (layers.BatchNormalization, Residual))
            values = step(values, training=training) if normalises else step(values)
        return l2_normalize(values, axis=-1) if self.normalised else values


class Similarity(Layer):
    """The distance of two embeddings, `[n]`, and the log-odds that they are of one class.

    The log-odds fall with the squared distance, `sharpness * (reach - distance^2)`; both numbers
    are trained. Calling gives (distances, log-odds).
    """

    def build(self, input_shape: Any) -> None:
        self.sharpness = self.add_weight(shape=(), initializer=_constant(4.0), name="sharpness")
        self.reach = self.add_weight(shape=(), initializer=_constant(0.8), name="reach")

    def call(self, inputs: Any) -> Any:
        squares = reduce_sum(square(inputs[0] - inputs[1]), axis=-1)
        return sqrt(squares + TINY), self.sharpness * (self.reach - squares)


class Siamese(Layer):
    """Two towers that share their weights, and a similarity on top.

    Called with the first pictures of all pairs followed by all the second ones,
    `[2 * pairs, 28, 28, 1]`, it gives the distance of each pair and the log-odds that it is equal.

    Bromley and others, "Signature verification using a siamese time delay neural network", 1993.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(name="siamese")
        self.tower = Tower(recipe)
        self.projection = layers.Dense(recipe.embedding) if recipe.projected else None
        self.similarity = Similarity(name="similarity")

    def call(self, pictures: Any, training: bool = False) -> Any:
        first, second = split(self.judged(pictures, training), 2)
        return self.similarity([first, second])

    def judged(self, pictures: Any, training: bool) -> Any:
        """The embeddings as the loss sees them: of length one, projected if the recipe says so."""
        embeddings = self.tower(pictures, training=training)
        if self.projection is None:
            return embeddings
        return l2_normalize(self.projection(embeddings), axis=-1)


class Classifier(Layer):
    """The same tower with one output a class: the baseline whose features are compared."""

    def __init__(self, recipe: Recipe, classes: int) -> None:
        super().__init__(name="classifier")
        self.tower = Tower(recipe, normalised=False)
        self.rectify, self.outputs = layers.ReLU(), layers.Dense(classes)

    def call(self, pictures: Any, training: bool = False) -> Any:
        return self.outputs(self.rectify(self.tower(pictures, training=training)))


class Proxies(Layer):
    """One trained vector a class; calling gives the cosine of each embedding with each.

    Movshovitz-Attias and others, "No fuss distance metric learning using proxies", 2017.
    """

    def __init__(self, classes: int) -> None:
        super().__init__(name="proxies")
        self.classes = classes

    def build(self, input_shape: Any) -> None:
        shape = (self.classes, input_shape[-1])
        self.vectors = self.add_weight(shape=shape, initializer="random_normal", name="vectors")

    def call(self, embeddings: Any) -> Any:
        return matmul(embeddings, l2_normalize(self.vectors, axis=-1), transpose_b=True)


def _constant(value: float) -> Any:
    """An initializer of one number."""
    return lambda shape, dtype=None, **_: np.full(shape, value, np.float32)


def build(network: Any) -> Any:
    """The network with its weights made."""
    network(np.zeros((2, SIDE, SIDE, 1), np.float32))
    return network


def moved(pictures: np.ndarray, view: int) -> np.ndarray:
    """Every picture moved a little in the same way, so that no answer depends on its neighbours."""
    matrices, shifts = random_maps(1, np.random.default_rng(view), GENTLE)
    count = len(pictures)
    return warp(pictures, matrices.repeat(count, 0), shifts.repeat(count, 0))


class Embedder:
    """Embeds pictures with a tower: traced once, in batches of one size.

    With `views` above one, the embeddings of the picture and of slightly moved copies are averaged,
    so many in all; every second is mirrored if the tower learned that right and left are the same.
    The copies are the same each time. Results are float32 of length one.
    """

    def __init__(self, tower: Tower, views: int = 1) -> None:
        self.views, self.mirrored = views, tower.mirrored
        self.run = function(lambda pictures: tower(pictures))

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """`[n, 28, 28]`, uint8 or floats in 0 to 1, to float32 `[n, size]`."""
        pictures = to_floats(images)
        parts = [self.batch(pictures[i : i + BATCH]) for i in range(0, len(pictures), BATCH)]
        return np.concatenate(parts)

    def batch(self, pictures: np.ndarray) -> np.ndarray:
        """The embeddings of at most `BATCH` pictures, whatever else is embedded with them."""
        total = self.once(pictures)
        for view in range(1, self.views):
            copies = moved(pictures, view)
            mirrored = self.mirrored and view % 2
            total = total + self.once(copies[:, :, ::-1] if mirrored else copies)
        return np.asarray(total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12))

    def once(self, pictures: np.ndarray) -> np.ndarray:
        """One pass of the tower, padded to the batch it was traced for."""
        size = 1 if len(pictures) == 1 else BATCH
        padded = np.zeros((size, SIDE, SIDE, 1), np.float32)
        padded[: len(pictures), ..., 0] = pictures
        return np.asarray(self.run(padded).numpy())[: len(pictures)]
