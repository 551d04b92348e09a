"""Printed capital letters in the typefaces that matplotlib brings along: needs no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from slipstream.errors import DataLossError, message
from slipstream.oneshot.affine import AffineRange, random_affine
from slipstream.oneshot.extras import require_extra
from slipstream.oneshot.picture_set import PictureSet
from slipstream.oneshot.pictures import centre, to_bytes

LETTERS = "ABCDEFGHIJ"
TYPEFACES = (
    *(f"DejaVuSans{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSansMono{style}" for style in ("", "-Bold", "-Oblique", "-BoldOblique")),
    *(f"DejaVuSerif{style}" for style in ("", "-Bold", "-Italic", "-BoldItalic")),
    *(f"STIXGeneral{style}" for style in ("", "Bol", "Italic", "BolIta")),
    *("cmr10", "cmss10", "cmtt10", "cmb10", "cmmi10"),
)
VIEWS = 5  # of each letter in each typeface
POINTS = 80
MOVED = AffineRange(rotation=12, scale=0.15, shear=0.15, translation=1.5)


def read_letters() -> PictureSet:
    """Ten letters in 21 typefaces and five views of each, prepared as MNIST's digits are.

    Raises `UnavailableError` without matplotlib and pillow, `DataLossError` when a typeface of
    matplotlib's is missing.
    """
    folder = Path(require_extra("matplotlib").get_data_path()) / "fonts" / "ttf"
    drawn = np.stack([draw(face, one) for one in LETTERS for face in typefaces(folder)])
    views = random_affine(drawn.repeat(VIEWS, 0), np.random.default_rng(0), MOVED)
    labels = np.arange(len(LETTERS)).repeat(len(TYPEFACES) * VIEWS)
    return PictureSet("letters", to_bytes(views), labels, tuple(LETTERS))


def typefaces(folder: Path) -> list[Any]:
    """The typefaces, opened."""
    open_typeface = require_extra("PIL.ImageFont").truetype
    try:
        return [open_typeface(str(folder / f"{name}.ttf"), POINTS) for name in TYPEFACES]
    except OSError as problem:
        happened = f"a typeface in {folder} cannot be read: {problem}"
        raise DataLossError(message("letters", happened)) from problem


def draw(typeface: Any, letter: str) -> np.ndarray:
    """A letter, light on dark, float32 `[28, 28]`."""
    image = require_extra("PIL.Image").new("L", (2 * POINTS, 2 * POINTS))
    pen = require_extra("PIL.ImageDraw").Draw(image)
    pen.text((POINTS // 2, POINTS // 4), letter, fill=255, font=typeface)
    return centre(np.asarray(image, np.float32) / 255)
