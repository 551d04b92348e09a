"""tf.image against formulas and loops written out, eager and traced."""

import colorsys

import numpy as np
import pytest

from slipstream.errors import InvalidArgumentError
from slipstream.ops import image as tf
from slipstream.ops.random import set_seed
from slipstream.runtime.convert import convert
from slipstream.runtime.function import function
from slipstream.runtime.tape import GradientTape

RANDOM = np.random.default_rng(9)


def floats(*shape):
    return RANDOM.random(shape).astype(np.float32)


def bytes_(*shape):
    return RANDOM.integers(0, 256, shape).astype(np.uint8)


def check_gradient(python_function, *arrays):
    """Against central differences in float32, along a random direction of all arrays."""
    tensors = [convert(a) for a in arrays]
    with GradientTape() as tape:
        tape.watch(tensors)
        result = python_function(*tensors)
    weights = RANDOM.normal(size=result.type.shape)
    found = tape.gradient(result, tensors, output_gradients=convert(weights.astype(np.float32)))
    steps = [RANDOM.normal(size=a.shape).astype(np.float32) for a in arrays]
    h = np.float32(1e-2)
    above, below = (
        np.sum(python_function(*(a + w * s for a, s in zip(arrays, steps, strict=True))).numpy()
               * weights)
        for w in (h, -h)
    )  # fmt: skip
    exact = sum(np.sum(f.numpy() * s) for f, s in zip(found, steps, strict=True))
    assert exact == pytest.approx((above - below) / (2 * h), rel=2e-2, abs=2e-2)


# --- colours ---


@pytest.mark.parametrize(
    ("source", "target", "numbers", "expected"),
    [
        ("uint8", "float32", [0, 51, 255], [0, 0.2, 1]),
        ("float32", "uint8", [0, 0.5, 1], [0, 127, 255]),
        ("uint8", "uint16", [0, 1, 255], [0, 256, 65280]),
        ("uint16", "uint8", [0, 300, 65535], [0, 1, 255]),
        ("float32", "float64", [0.5], [0.5]),
        ("uint8", "uint8", [7], [7]),
    ],
)
def test_dtypes_are_scaled(source, target, numbers, expected):
    found = tf.convert_image_dtype(np.array(numbers, source), target).numpy()
    assert found.dtype == target
    np.testing.assert_allclose(found, expected, 1e-6)


def test_saturation_of_dtypes():
    numbers = np.array([-1.0, 2.0], np.float32)
    assert tf.convert_image_dtype(numbers, "uint8", saturate=True).numpy().tolist() == [0, 255]
    with pytest.raises(AttributeError, match="floating point or integer"):
        tf.convert_image_dtype(numbers, "bool")


def test_brightness_contrast_and_gamma():
    x, y = floats(4, 5, 3), bytes_(4, 5, 3)
    np.testing.assert_allclose(tf.adjust_brightness(x, 0.1).numpy(), x + 0.1, 1e-6)
    brighter = tf.adjust_brightness(y, 0.2).numpy()
    assert brighter.dtype == np.uint8
    assert np.abs(brighter - np.minimum(y + 51.0, 255)).max() <= 1
    mean = x.mean((0, 1))
    np.testing.assert_allclose(tf.adjust_contrast(x, 2.0).numpy(), (x - mean) * 2 + mean, 1e-5)
    batch = floats(2, 4, 5, 3)
    one = tf.adjust_contrast(batch, 0.5).numpy()[1]
    np.testing.assert_allclose(one, tf.adjust_contrast(batch[1], 0.5).numpy(), 1e-5)
    np.testing.assert_allclose(tf.adjust_gamma(x, 2.0, 3.0).numpy(), 3 * x**2, 1e-5)
    with pytest.raises(ValueError, match="Gamma"):
        tf.adjust_gamma(x, -1)


def test_standardization():
    x = floats(2, 4, 5, 3) * 7
    found = tf.per_image_standardization(x).numpy()
    np.testing.assert_allclose(found.mean((1, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(found.std((1, 2, 3)), 1, 1e-5)
    flat = tf.per_image_standardization(np.full((3, 3, 1), 9, np.uint8))
    assert flat.numpy().dtype == np.float32 and not flat.numpy().any()


def test_grey_and_colour():
    x = floats(4, 5, 3)
    grey = tf.rgb_to_grayscale(x).numpy()
    np.testing.assert_allclose(grey[..., 0], x @ [0.2989, 0.5870, 0.1140], 1e-5)
    assert tf.rgb_to_grayscale(bytes_(4, 5, 3)).numpy().dtype == np.uint8
    assert tf.grayscale_to_rgb(grey).shape == (4, 5, 3)
    with pytest.raises(InvalidArgumentError, match="3 channels"):
        tf.rgb_to_grayscale(grey)


def test_colour_spaces():
    x = floats(50, 3)
    x[0], x[1], x[2] = 0, 0.5, (1, 0, 0)
    expected = np.array([colorsys.rgb_to_hsv(*c) for c in x])
    found = tf.rgb_to_hsv(x).numpy()
    np.testing.assert_allclose(found, expected, 1e-5, 1e-5)
    np.testing.assert_allclose(tf.hsv_to_rgb(found).numpy(), x, 1e-5, 1e-5)
    for to, back in ((tf.rgb_to_yiq, tf.yiq_to_rgb), (tf.rgb_to_yuv, tf.yuv_to_rgb)):
        np.testing.assert_allclose(back(to(x)).numpy(), x, 1e-4, 1e-5)
        np.testing.assert_allclose(to(x).numpy()[:, 0], x @ [0.299, 0.587, 0.114], 1e-5, 1e-6)


def test_hue_and_saturation():
    x = floats(20, 1, 3)
    hsv = [colorsys.rgb_to_hsv(*c) for c in x[:, 0]]
    turned = np.array([colorsys.hsv_to_rgb((h + 0.3) % 1, s, v) for h, s, v in hsv])
    np.testing.assert_allclose(tf.adjust_hue(x, 0.3).numpy()[:, 0], turned, 1e-4, 1e-5)
    pale = np.array([colorsys.hsv_to_rgb(h, min(1, s * 1.7), v) for h, s, v in hsv])
    np.testing.assert_allclose(tf.adjust_saturation(x, 1.7).numpy()[:, 0], pale, 1e-4, 1e-5)
    assert tf.adjust_hue(bytes_(3, 3, 3), -0.2).numpy().dtype == np.uint8


# --- geometry ---


def test_flips_and_turns():
    x = bytes_(2, 3, 4, 2)
    for image in (x, x[0]):
        rows, columns = image.ndim - 3, image.ndim - 2
        pairs = [
            (tf.flip_left_right(image), np.flip(image, columns)),
            (tf.flip_up_down(image), np.flip(image, rows)),
            (tf.transpose(image), np.swapaxes(image, rows, columns)),
        ]
        pairs += [(tf.rot90(image, k), np.rot90(image, k, (rows, columns))) for k in range(-1, 5)]
        for found, expected in pairs:
            np.testing.assert_array_equal(found.numpy(), expected)
    with pytest.raises(ValueError, match="3 or 4 dimensions"):
        tf.flip_up_down(np.zeros((1, 1, 1, 1, 1)))


def test_crops_and_borders():
    x = bytes_(6, 8, 1)
    np.testing.assert_array_equal(tf.crop_to_bounding_box(x, 1, 2, 3, 4).numpy(), x[1:4, 2:6])
    padded = tf.pad_to_bounding_box(x, 1, 2, 10, 12).numpy()
    np.testing.assert_array_equal(padded, np.pad(x, ((1, 3), (2, 2), (0, 0))))
    np.testing.assert_array_equal(tf.central_crop(x, 0.5).numpy(), x[1:5, 2:6])
    np.testing.assert_array_equal(tf.central_crop(x, 1.0).numpy(), x)
    both = tf.resize_with_crop_or_pad(x, 3, 11).numpy()
    np.testing.assert_array_equal(both, np.pad(x[1:4], ((0, 0), (1, 2), (0, 0))))
    for call in (
        lambda: tf.crop_to_bounding_box(x, 4, 0, 3, 3),
        lambda: tf.pad_to_bounding_box(x, 0, 0, 5, 8),
        lambda: tf.central_crop(x, 0.0),
        lambda: tf.resize_with_crop_or_pad(x, 0, 3),
    ):
        with pytest.raises(ValueError, match=r"received|central_fraction"):
            call()


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize(("kernel", "stride", "rate"), [(3, 2, 1), (2, 3, 1), (2, 1, 2)])
def test_patches(padding, kernel, stride, rate):
    x = floats(2, 7, 6, 2)
    found = tf.extract_patches(
        x, [1, kernel, kernel, 1], [1, stride, stride, 1], [1, rate, rate, 1], padding
    ).numpy()
    span = (kernel - 1) * rate + 1
    if padding == "SAME":
        pads = [max((-(-n // stride) - 1) * stride + span - n, 0) for n in (7, 6)]
        x = np.pad(x, ((0, 0), *((p // 2, p - p // 2) for p in pads), (0, 0)))
    for i in range(found.shape[1]):
        for j in range(found.shape[2]):
            a, b = i * stride, j * stride
            patch = x[:, a : a + span : rate, b : b + span : rate]
            np.testing.assert_array_equal(found[:, i, j], patch.reshape(2, -1))
    assert found.shape[1] == (x.shape[1] - span) // stride + 1


# --- sizes ---


def sampled(image, height, width):
    """Bilinear interpolation between points at halves, one point after the other."""
    rows, columns = image.shape[:2]
    out = np.zeros((height, width, image.shape[2]))
    for i in range(height):
        for j in range(width):
            y = min(max((i + 0.5) * rows / height - 0.5, 0), rows - 1)
            x = min(max((j + 0.5) * columns / width - 0.5, 0), columns - 1)
            a, b = int(y), int(x)
            c, d = min(a + 1, rows - 1), min(b + 1, columns - 1)
            v, u = y - a, x - b
            out[i, j] = ((1 - v) * ((1 - u) * image[a, b] + u * image[a, d])
                         + v * ((1 - u) * image[c, b] + u * image[c, d]))  # fmt: skip
    return out


@pytest.mark.parametrize("size", [(9, 11), (3, 4), (5, 13), (5, 7), (1, 1)])
def test_bilinear_against_points_one_by_one(size):
    x = floats(5, 7, 2)
    np.testing.assert_allclose(tf.resize(x, size).numpy(), sampled(x, *size), 1e-5, 1e-6)


def test_nearest_takes_points_in_their_own_dtype():
    x = bytes_(2, 4, 6, 1)
    found = tf.resize(x, [8, 4], "nearest").numpy()
    assert found.dtype == np.uint8
    expected = x[:, np.arange(8) // 2][:, :, [0, 2, 3, 5]]
    np.testing.assert_array_equal(found, expected)


def test_area_averages():
    x = floats(4, 6, 1)
    expected = x.reshape(2, 2, 3, 2, 1).mean((1, 3))
    np.testing.assert_allclose(tf.resize(x, [2, 3], "area").numpy(), expected, 1e-5)
    thirds = tf.resize(np.arange(3.0, dtype=np.float32).reshape(1, 3, 1), [1, 2], "area")
    np.testing.assert_allclose(thirds.numpy().reshape(-1), [1 / 3, 5 / 3], 1e-6)


@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize(
    "method", ["bilinear", "bicubic", "lanczos3", "lanczos5", "gaussian", "mitchellcubic", "area"]
)
def test_every_method_keeps_a_constant_and_a_slope(method, antialias):
    flat = np.full((8, 8, 1), 3.0, np.float32)
    for size in ([5, 5], [13, 20]):
        found = tf.resize(flat, size, method, antialias=antialias).numpy()
        np.testing.assert_allclose(found, 3.0, 1e-5)
    slope = np.arange(32.0, dtype=np.float32).reshape(1, 32, 1)
    middle = tf.resize(slope, [1, 16], method, antialias=antialias).numpy().reshape(-1)[6:10]
    np.testing.assert_allclose(middle, 2 * np.arange(6, 10) + 0.5, 1e-4)


def test_antialiased_triangle_of_a_point():
    point = np.zeros((1, 8, 1), np.float32)
    point[0, 3] = 1
    found = tf.resize(point, [1, 4], antialias=True).numpy().reshape(-1)
    inner, edge = np.array([1, 3, 3, 1]) / 8, np.array([3, 3, 1]) / 7
    np.testing.assert_allclose(found, [0, inner[2], inner[0], 0], 1e-6)
    point[0, 3], point[0, 1] = 0, 1
    found = tf.resize(point, [1, 4], antialias=True).numpy().reshape(-1)
    np.testing.assert_allclose(found, [edge[1], inner[0], 0, 0], 1e-6)


def test_bicubic_of_keys():
    x = np.array([0, 0, 1, 0, 0, 0], np.float32).reshape(1, 6, 1)
    found = tf.resize(x, [1, 12], "bicubic").numpy().reshape(-1)
    weights = {0.25: 0.8671875, 0.75: 0.2265625, 1.25: -0.0703125, 1.75: -0.0234375}
    np.testing.assert_allclose(
        found[3:8], [weights[0.75], weights[0.25], weights[0.25], weights[0.75], weights[1.25]],
        1e-5,
    )  # fmt: skip


def test_sizes_and_ratios():
    x = bytes_(4, 8, 3)
    assert tf.resize(x, [2, 2]).numpy().dtype == np.float32
    assert tf.resize(x, [4, 8]).numpy().dtype == np.uint8
    assert tf.resize(x, [20, 20], preserve_aspect_ratio=True).shape == (10, 20, 3)
    padded = tf.resize_with_pad(np.ones((4, 8, 1), np.float32), 8, 8).numpy()
    assert padded[2:6].min() == 1 and padded[:2].max() == padded[6:].max() == 0
    for size, text in (([2], "2 elements"), ([0, 3], "positive")):
        with pytest.raises(ValueError, match=text):
            tf.resize(x, size)
    with pytest.raises(ValueError, match="not implemented"):
        tf.resize(x, [2, 2], "magic")


def test_crops_of_boxes():
    x = floats(2, 5, 7, 3)
    whole = [[0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0]]
    found = tf.crop_and_resize(x, whole, [0, 1], [5, 7]).numpy()
    np.testing.assert_allclose(found[0], x[0], 1e-5)
    np.testing.assert_allclose(found[1], x[1, ::-1, ::-1], 1e-5)
    part = tf.crop_and_resize(x, [[0.25, 0.0, 0.75, 0.5]], [1], [3, 4], "nearest").numpy()
    np.testing.assert_allclose(part[0], x[1, 1:4, 0:4], 1e-6)
    middle = tf.crop_and_resize(x, [[0.25, 0.5, 0.25, 0.5]], [0], [1, 1]).numpy()
    np.testing.assert_allclose(middle[0, 0, 0], x[0, 1, 3], 1e-5)
    outside = tf.crop_and_resize(x, [[-1.0, 0.0, 1.0, 1.0]], [0], [3, 2], extrapolation_value=9.0)
    assert np.all(outside.numpy()[0, 0] == 9) and np.all(outside.numpy()[0, 1:] < 9)
    with pytest.raises(InvalidArgumentError, match="shapes"):
        tf.crop_and_resize(x, [[0.0, 0.0, 1.0]], [0], [2, 2])


# --- measures ---


def test_measures():
    x, y = floats(2, 16, 14, 3), floats(2, 16, 14, 3)
    error = ((x - y) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(tf.psnr(x, y, 1.0).numpy(), -10 * np.log10(error), 1e-4)
    near = tf.psnr(bytes_(8, 8, 1), np.zeros((8, 8, 1), np.uint8), 255)
    assert near.numpy().dtype == np.float32
    total = np.abs(np.diff(x, axis=1)).sum((1, 2, 3)) + np.abs(np.diff(x, axis=2)).sum((1, 2, 3))
    np.testing.assert_allclose(tf.total_variation(x).numpy(), total, 1e-5)
    down, across = tf.image_gradients(x)
    np.testing.assert_allclose(down.numpy()[:, :-1], np.diff(x, axis=1), 1e-6)
    assert not down.numpy()[:, -1].any() and not across.numpy()[:, :, -1].any()


def test_structural_similarity():
    x, y = floats(2, 16, 14, 2).astype(np.float64), floats(2, 16, 14, 2).astype(np.float64)
    places = np.arange(11) - 5.0
    window = np.exp(-0.5 * (places / 1.5) ** 2)
    window = np.outer(window, window) / window.sum() ** 2

    def filtered(z):
        parts = np.lib.stride_tricks.sliding_window_view(z, (11, 11), (1, 2))
        return np.einsum("bijcyx,yx->bijc", parts, window)

    a, b = filtered(x), filtered(y)
    covariance, variances = filtered(x * y) - a * b, filtered(x * x + y * y) - a * a - b * b
    expected = ((2 * a * b + 1e-4) * (2 * covariance + 9e-4)
                / ((a * a + b * b + 1e-4) * (variances + 9e-4)))  # fmt: skip
    np.testing.assert_allclose(tf.ssim(x, y, 1.0).numpy(), expected.mean((1, 2, 3)), 1e-9)
    found = tf.ssim(x, y, 1.0, return_index_map=True).numpy()
    np.testing.assert_allclose(found, expected.mean(3), 1e-9)
    with pytest.raises(InvalidArgumentError, match="smaller than the window"):
        tf.ssim(x[:, :8], y[:, :8], 1.0)


# --- chance ---


def test_random_flips_flip_half_of_the_pictures():
    x = np.arange(400.0, dtype=np.float32).reshape(200, 1, 2, 1)
    set_seed(3)
    found = tf.random_flip_left_right(x).numpy()
    flipped = np.any(found != x, (1, 2, 3))
    assert 60 < flipped.sum() < 140
    np.testing.assert_array_equal(found[flipped], x[flipped][:, :, ::-1])
    set_seed(3)
    np.testing.assert_array_equal(tf.random_flip_left_right(x).numpy(), found)
    assert np.any(tf.random_flip_left_right(x).numpy() != found)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("random_brightness", {"max_delta": 0.3}),
        ("random_hue", {"max_delta": 0.3}),
        ("random_contrast", {"lower": 0.2, "upper": 1.8}),
        ("random_saturation", {"lower": 0.2, "upper": 1.8}),
        ("random_flip_up_down", {}),
        ("random_crop", {"size": [3, 4, -1]}),
    ],
)
def test_random_changes_repeat_by_their_seeds(name, options):
    x = floats(6, 7, 3)
    x = floats(8, 6, 7, 3) if "flip" in name else x
    stateless = getattr(tf, f"stateless_{name}")
    first, again = (stateless(x, **options, seed=[1, 2]).numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    others = [stateless(x, **options, seed=[1, s]).numpy() for s in range(3, 9)]
    assert any(np.any(first != other) for other in others)
    traced = function(lambda x: stateless(x, **options, seed=[1, 2]))(convert(x)).numpy()
    np.testing.assert_allclose(traced, first, 1e-5, 1e-6)
    set_seed(5)
    drawn = getattr(tf, name)(x, **options).numpy()
    set_seed(5)
    np.testing.assert_array_equal(getattr(tf, name)(x, **options).numpy(), drawn)


def test_random_crops_are_parts():
    x = np.arange(5 * 6).reshape(5, 6, 1)
    corners = {int(tf.random_crop(x, [2, 3, 1]).numpy()[0, 0, 0]) for _ in range(200)}
    assert corners == {6 * i + j for i in range(4) for j in range(4)}
    part = tf.random_crop(x, [2, 3, 1]).numpy()
    assert np.all(np.diff(part[:, :, 0], axis=1) == 1) and np.all(
        np.diff(part[..., 0], axis=0) == 6
    )
    with pytest.raises(ValueError, match="need value"):
        tf.random_crop(x, [9, 1, 1])


def test_bounds_of_chance():
    x = floats(2, 2, 3)
    for call in (
        lambda: tf.random_brightness(x, -1),
        lambda: tf.random_hue(x, 0.6),
        lambda: tf.random_contrast(x, 2, 1),
        lambda: tf.random_saturation(x, -1, 1),
    ):
        with pytest.raises(ValueError, match=r"max_delta|upper|non-negative"):
            call()
    np.testing.assert_array_equal(tf.random_hue(x, 0).numpy(), x)


# --- derivatives and traces ---


@pytest.mark.parametrize(
    "python_function",
    [
        lambda x: tf.resize(x, [7, 3]),
        lambda x: tf.resize(x, [2, 9], "nearest"),
        lambda x: tf.resize(x, [2, 3], "bicubic", antialias=True),
        lambda x: tf.per_image_standardization(x),
        lambda x: tf.adjust_contrast(x, 2.0),
        lambda x: tf.rgb_to_yuv(tf.rot90(x)),
        lambda x: tf.resize_with_pad(x, 6, 6),
        lambda x: tf.stateless_random_crop(x, [2, 3, 3], seed=[1, 2]),
    ],
)
def test_gradients(python_function):
    check_gradient(python_function, floats(4, 5, 3))


def test_gradients_of_boxes():
    boxes = np.array([[0.13, 0.22, 0.71, 0.83]], np.float32)
    x = floats(1, 5, 6, 2)
    smooth = np.cumsum(np.cumsum(x, 1), 2).astype(np.float32) * 0.01

    def f(image):
        return tf.crop_and_resize(image, boxes, [0], [3, 3])

    check_gradient(f, smooth)


def test_a_traced_pipeline_is_the_eager_one():
    def pipeline(x):
        x = tf.convert_image_dtype(x, "float32")
        x = tf.resize(tf.central_crop(x, 0.6), [5, 5])
        return tf.adjust_saturation(tf.flip_left_right(x), 0.7)

    x = bytes_(9, 12, 3)
    traced = function(pipeline)(convert(x)).numpy()
    np.testing.assert_allclose(traced, pipeline(x).numpy(), 1e-5, 1e-6)
