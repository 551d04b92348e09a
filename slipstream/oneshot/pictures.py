"""Any picture to the small grey square a network sees: 28x28, light ink on a dark ground."""

from __future__ import annotations

import struct
import warnings
import zlib
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from slipstream.errors import DataLossError, InvalidArgumentError, NotFoundError, message
from slipstream.oneshot.extras import require_extra

SIDE = 28
INK_SIDE = 20  # MNIST fits its digits into 20x20 and centres them by mass in 28x28
WORKING_SIDE = 224  # centring looks for the ink in a picture of at most this size
EXTENSIONS = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"}
    | {".pgm", ".ppm", ".pbm", ".avif", ".jp2", ".tga"}
)
UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)


@dataclass(frozen=True)
class PictureOptions:
    """How a picture is brought to the form the network was trained on.

    `invert`: `"yes"`, `"no"`, or `"auto"`, which inverts a picture whose border is light. `centre`:
    crop to the ink, scale it into 20x20 and put its centre of mass in the middle, as MNIST does.
    """

    invert: str = "auto"
    centre: bool = False

    def __post_init__(self) -> None:
        if self.invert not in ("auto", "yes", "no"):
            received = {"invert": repr(self.invert)}
            expected = "'auto', 'yes' or 'no'"
            text = message("pictures", "unknown option", expected=expected, received=received)
            raise InvalidArgumentError(text)


DEFAULT = PictureOptions()


def read_picture(source: Path | str | bytes, options: PictureOptions = DEFAULT) -> np.ndarray:
    """A picture file, or its bytes, as float32 `[28, 28]` in 0 to 1.

    Any size and mode that Pillow reads: palettes, 16 bits, transparency (laid over the ground that
    shows the ink), animations (first frame), rotated by its EXIF note. The aspect ratio is kept.

    Raises `NotFoundError` when there is no such file, `DataLossError` when it is no picture or a
    damaged one, `InvalidArgumentError` when it is too large to open safely.
    """
    image = open_picture(source)
    grey = to_grey(image, WORKING_SIDE if options.centre else SIDE)
    if options.invert == "yes" or (options.invert == "auto" and has_light_ground(grey)):
        grey = 1 - grey
    return centre(grey) if options.centre else to_square(grey)


def open_picture(source: Path | str | bytes) -> Any:
    """The decoded first frame as a Pillow image, upright."""
    image_module = require_extra("PIL.Image")
    upright = require_extra("PIL.ImageOps").exif_transpose
    name = "the picture" if isinstance(source, bytes) else str(source)
    if not isinstance(source, bytes) and not Path(source).is_file():
        raise NotFoundError(message("read_picture", f"there is no picture {name}"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", image_module.DecompressionBombWarning)
            with image_module.open(
                BytesIO(source) if isinstance(source, bytes) else source
            ) as file:
                return upright(file)
    except (image_module.DecompressionBombError, image_module.DecompressionBombWarning) as problem:
        happened = f"{name} is too large to open safely: {problem}"
        raise InvalidArgumentError(message("read_picture", happened)) from problem
    except UNREADABLE as problem:
        hint = "opening it in a viewer, saving it again as PNG"
        happened = f"{name} cannot be read as a picture: {problem}"
        raise DataLossError(message("read_picture", happened, hint=hint)) from problem


def to_grey(image: Any, longest: int) -> np.ndarray:
    """Luminance in 0 to 1 with the longer side at most `longest`, antialiased."""
    resampling = require_extra("PIL.Image").Resampling.LANCZOS
    scale = longest / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    small = single_channel(image).resize(size, resampling, reducing_gap=3.0)
    return np.clip(np.asarray(small, np.float32), 0, 1)


def single_channel(image: Any) -> Any:
    """The picture as one channel of 32-bit floats in 0 to 1 (Pillow's mode F)."""
    from_array = require_extra("PIL.Image").fromarray
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return from_array(scale_wide(np.asarray(image, np.float32)))
    if image.mode in ("LA", "La", "RGBA", "RGBa", "PA") or "transparency" in image.info:
        return from_array(flatten(np.asarray(image.convert("RGBA"), np.float32) / 255))
    if image.mode not in ("L", "1"):
        image = image.convert("RGB")
    return from_array(np.asarray(image.convert("L"), np.float32) / 255)


def scale_wide(values: np.ndarray) -> np.ndarray:
    """16-bit integers and floats to 0 to 1, by the smallest of the usual ranges that holds them."""
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max(initial=0.0))
    return values / next((limit for limit in (1.0, 255.0, 65535.0) if top <= limit), top)


def flatten(rgba: np.ndarray) -> np.ndarray:
    """Transparency laid over white, or over black when what is drawn is light."""
    grey = rgba[..., :3] @ np.array([0.299, 0.587, 0.114], np.float32)
    alpha = rgba[..., 3]
    drawn = float((grey * alpha).sum() / max(float(alpha.sum()), 1e-6))
    ground = 0.0 if drawn > 0.5 else 1.0
    return np.asarray(grey * alpha + ground * (1 - alpha), np.float32)


def border(grey: np.ndarray) -> np.ndarray:
    """The outermost pixels."""
    return np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])


def has_light_ground(grey: np.ndarray) -> bool:
    """Whether most of the border is light, as of ink on paper."""
    return float(np.median(border(grey))) > 0.5


def to_square(grey: np.ndarray, side: int = SIDE) -> np.ndarray:
    """A picture no larger than the square, in its middle, on its own ground."""
    square = np.full((side, side), np.median(border(grey)), np.float32)
    top, left = (side - grey.shape[0]) // 2, (side - grey.shape[1]) // 2
    square[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
    return square


def centre(grey: np.ndarray, side: int = SIDE, ink_side: int = INK_SIDE) -> np.ndarray:
    """Light ink cropped, scaled into `ink_side` and centred by mass in `[side, side]`, float32.

    A picture with no ink comes back empty. Source: the preparation of MNIST by LeCun and others.
    """
    ink = find_ink(np.asarray(grey, np.float32))
    if ink is None:
        return np.zeros((side, side), np.float32)
    image_module = require_extra("PIL.Image")
    scale = ink_side / max(ink.shape)
    height, width = (max(1, round(length * scale)) for length in ink.shape)
    resized = image_module.fromarray(ink).resize((width, height), image_module.Resampling.LANCZOS)
    return place_by_mass(np.clip(np.asarray(resized, np.float32), 0, 1), side)


def find_ink(grey: np.ndarray) -> np.ndarray | None:
    """The part of the picture that stands out from its ground, full contrast; None when empty."""
    level = grey - np.median(border(grey))
    top = float(level.max())
    if top < 0.05:
        return None
    level = np.clip(level / top, 0, 1).astype(np.float32)
    # Half contrast finds strokes on paper that is shaded or dirty; a quarter keeps their edges.
    rows, columns = (np.flatnonzero((level > 0.35).any(axis)) for axis in (1, 0))
    inside = level[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.where(inside > 0.1, inside, np.float32(0))


def place_by_mass(ink: np.ndarray, side: int) -> np.ndarray:
    """The ink on an empty square, its centre of mass in the middle as far as it fits."""
    square = np.zeros((side, side), np.float32)
    mass = max(float(ink.sum()), 1e-6)
    starts = []
    for axis, length in enumerate(ink.shape):
        mean = float((ink.sum(1 - axis) * (np.arange(length) + 0.5)).sum()) / mass
        starts.append(int(np.clip(round(side / 2 - mean), 0, side - length)))
    top, left = starts
    square[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return square


def thicken(images: np.ndarray, amount: float = 1.0) -> np.ndarray:
    """Strokes made wider: each pixel moves by `amount` (0 to 1) to the brightest of its cross.

    `images` is `[n, height, width]` of any dtype, which is kept. Drawings with a thin pen
    (Omniglot's, brought to 28x28, are about one pixel wide) come nearer to those with a thick one.
    """
    padded: np.ndarray = np.pad(images, ((0, 0), (1, 1), (1, 1)))
    neighbours = (padded[:, :-2, 1:-1], padded[:, 2:, 1:-1], padded[:, 1:-1, :-2])
    widest: np.ndarray = np.maximum(images, padded[:, 1:-1, 2:])
    for neighbour in neighbours:
        np.maximum(widest, neighbour, out=widest)
    if amount >= 1:
        return widest
    mixed: np.ndarray = images + amount * (widest.astype(np.float32) - images)
    return mixed.astype(images.dtype)


def to_bytes(pictures: np.ndarray) -> np.ndarray:
    """Floats in 0 to 1 as uint8, rounded; uint8 stays as it is."""
    if pictures.dtype == np.uint8:
        return pictures
    levels: np.ndarray = np.rint(np.clip(pictures, 0, 1) * 255)
    return levels.astype(np.uint8)


def to_floats(pictures: np.ndarray) -> np.ndarray:
    """uint8 as float32 in 0 to 1; floats become float32."""
    floats: np.ndarray = pictures.astype(np.float32)
    if pictures.dtype == np.uint8:
        floats /= np.float32(255)
    return floats
