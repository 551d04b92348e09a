"""Any picture becomes 28x28 grey, or a clear error."""

import io

import numpy as np
import pytest
from PIL import Image

from slipstream.errors import DataLossError, InvalidArgumentError, NotFoundError
from slipstream.oneshot.pictures import (
    PictureOptions,
    centre,
    read_picture,
    thicken,
    to_bytes,
    to_floats,
)

KEEP = PictureOptions(invert="no")


def block(height=60, width=60, light=230, dark=10, dtype=np.uint8):
    """A light block left of the middle on a dark ground."""
    picture = np.full((height, width), dark, dtype)
    picture[height // 4 : 3 * height // 4, width // 6 : width // 2] = light
    return picture


def encoded(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def grey_block():
    return Image.fromarray(block())


def palette():
    return encoded(grey_block().convert("RGB").quantize(4))


def transparent_dark_ink():
    rgba = np.zeros((60, 60, 4), np.uint8)
    rgba[..., 3] = block(light=255, dark=0)
    return encoded(Image.fromarray(rgba))


def transparent_light_ink():
    rgba = np.full((60, 60, 4), 255, np.uint8)
    rgba[..., 3] = block(light=255, dark=0)
    return encoded(Image.fromarray(rgba))


def transparent_palette():
    image = grey_block().convert("L").quantize(2)
    return encoded(image, transparency=int(np.asarray(image)[0, 0]))


def sixteen_bits():
    return encoded(Image.fromarray(block(light=60000, dark=3000, dtype=np.uint16)))


def floats():
    return encoded(Image.fromarray(block(light=0.9, dark=0.05, dtype=np.float32)), "TIFF")


def animated():
    frames = [grey_block(), Image.fromarray(block()[:, ::-1])]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def turned_by_exif():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned a quarter to the right
    return encoded(grey_block().transpose(Image.Transpose.ROTATE_90), exif=exif.tobytes())


MODES = {
    "L": lambda: encoded(grey_block()),
    "bilevel": lambda: encoded(grey_block().convert("1")),
    "RGB": lambda: encoded(grey_block().convert("RGB"), "JPEG", quality=95),
    "CMYK": lambda: encoded(grey_block().convert("CMYK"), "TIFF"),
    "LA": lambda: encoded(grey_block().convert("LA")),
    "palette": palette,
    "transparent palette": transparent_palette,
    "dark ink on nothing": transparent_dark_ink,
    "light ink on nothing": transparent_light_ink,
    "16 bits": sixteen_bits,
    "floats": floats,
    "animated": animated,
    "exif": turned_by_exif,
}


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_shows_the_light_block_on_dark(mode):
    picture = read_picture(MODES[mode]())
    assert picture.shape == (28, 28)
    assert picture.dtype == np.float32
    assert picture.min() >= 0
    assert picture.max() <= 1
    assert picture[9:19, 6:12].mean() > 0.8
    assert picture[:, 18:].mean() < 0.2
    assert picture[:5].mean() < 0.2


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (300, 2), (28, 28), (900, 700), (7, 7)])
@pytest.mark.parametrize("centred", [False, True])
def test_every_size(size, centred):
    image = encoded(Image.fromarray(block(*size)))
    picture = read_picture(image, PictureOptions(centre=centred))
    assert picture.shape == (28, 28)
    assert np.isfinite(picture).all()


def test_28x28_passes_unchanged():
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (28, 28)).astype(np.uint8)
    np.testing.assert_array_equal(
        to_bytes(read_picture(encoded(Image.fromarray(picture)), KEEP)), picture
    )


def test_aspect_ratio_is_kept():
    picture = read_picture(encoded(Image.fromarray(np.full((20, 40), 255, np.uint8))), KEEP)
    np.testing.assert_allclose(picture, 1)
    wide = np.zeros((40, 80), np.uint8)
    wide[6:-6, 6:-6] = 255
    picture = read_picture(encoded(Image.fromarray(wide)), KEEP)
    assert picture[:8].max() < 0.02
    assert picture[-8:].max() < 0.02
    assert picture[11:17, 5:-5].min() > 0.9


@pytest.mark.parametrize("invert", ["auto", "yes", "no"])
def test_invert(invert):
    paper = encoded(Image.fromarray(255 - block()))
    picture = read_picture(paper, PictureOptions(invert=invert))
    assert (picture[0].mean() < 0.2) == (invert != "no")
    dark = read_picture(encoded(grey_block()), PictureOptions(invert=invert))
    assert (dark[0].mean() < 0.2) == (invert != "yes")


def test_unknown_option():
    with pytest.raises(InvalidArgumentError, match="expected 'auto', 'yes' or 'no'"):
        PictureOptions(invert="maybe")


def test_centre_makes_small_ink_large_and_puts_its_mass_in_the_middle():
    photo = np.full((400, 300), 200.0)
    photo += np.linspace(-15, 15, 300)  # unevenly lit paper
    photo[40:90, 200:230] = 30
    picture = read_picture(
        encoded(Image.fromarray(photo.astype(np.uint8))), PictureOptions(centre=True)
    )
    rows, columns = np.nonzero(picture > 0.5)
    assert rows.max() - rows.min() + 1 == 20
    assert 11 <= columns.max() - columns.min() + 1 <= 13
    mass = picture / picture.sum()
    assert abs((mass.sum(1) * np.arange(28)).sum() - 13.5) <= 0.5
    assert abs((mass.sum(0) * np.arange(28)).sum() - 13.5) <= 0.5


def test_centre_of_an_empty_picture_is_empty():
    np.testing.assert_array_equal(centre(np.full((28, 28), 0.4, np.float32)), 0)


def test_missing_picture(tmp_path):
    with pytest.raises(NotFoundError, match=r"there is no picture .*hat\.png"):
        read_picture(tmp_path / "hat.png")


@pytest.mark.parametrize(
    "content",
    [b"", b"not a picture", encoded(grey_block())[:60], b"\x89PNG\r\n\x1a\n" + b"\0" * 99],
)
def test_unreadable_picture_is_named(tmp_path, content):
    path = tmp_path / "hat.png"
    path.write_bytes(content)
    with pytest.raises(DataLossError, match=r"hat\.png cannot be read as a picture"):
        read_picture(path)


def test_every_truncation_is_an_error_or_a_picture():
    """JPEG decoders may fill up what is missing; whatever they do, no stray exception."""
    for kind in ("PNG", "JPEG", "GIF", "TIFF"):
        whole = encoded(grey_block().convert("L"), kind)
        for end in range(0, len(whole) - 1, 7):
            try:
                assert read_picture(whole[:end]).shape == (28, 28)
            except DataLossError as problem:
                assert "cannot be read" in str(problem)


def test_too_large_to_open(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(InvalidArgumentError, match="too large to open safely"):
        read_picture(encoded(grey_block()))


def test_thicken_widens_strokes():
    line = np.zeros((1, 7, 7), np.uint8)
    line[0, 3] = 200
    thick = thicken(line)
    assert thick.dtype == np.uint8
    np.testing.assert_array_equal(thick[0, :, 3], [0, 0, 200, 200, 200, 0, 0])
    np.testing.assert_array_equal(thicken(line, 0.5)[0, :, 3], [0, 0, 100, 200, 100, 0, 0])


def test_bytes_and_floats_go_round():
    values = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(to_bytes(to_floats(values)), values)
