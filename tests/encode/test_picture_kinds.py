"""Pictures of every kind come out as the RGB that a person sees."""

import io
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from promptlab.encode.pictures import read_rgb
from promptlab.errors import DataError

RED = (220, 30, 40)


def as_bytes(picture: Image.Image, kind: str, **more: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **more)
    return out.getvalue()


def red() -> Image.Image:
    return Image.new("RGB", (20, 10), RED)


def half_clear() -> Image.Image:
    return Image.new("RGBA", (20, 10), (*RED, 0))


KINDS: dict[str, Callable[[], bytes]] = {
    "png": lambda: as_bytes(red(), "PNG"),
    "palette": lambda: as_bytes(red().quantize(4), "PNG"),
    "cmyk": lambda: as_bytes(red().convert("CMYK"), "JPEG", quality=100, subsampling=0),
    "webp": lambda: as_bytes(red(), "WEBP", lossless=True),
    "tiff": lambda: as_bytes(red(), "TIFF"),
    "bmp": lambda: as_bytes(red(), "BMP"),
    "opaque alpha": lambda: as_bytes(Image.new("RGBA", (20, 10), (*RED, 255)), "PNG"),
    "animated": lambda: as_bytes(red(), "GIF", save_all=True, append_images=[Image.new("RGB", (20, 10), "blue")]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_red_is_red_whatever_the_kind(kind: str) -> None:
    picture = read_rgb(KINDS[kind]())
    assert (picture.mode, picture.size) == ("RGB", (20, 10))
    assert np.abs(np.asarray(picture).reshape(-1, 3).mean(0) - RED).max() < 12


@pytest.mark.parametrize("level", [0, 1000, 32768, 65535])
def test_sixteen_bits_are_scaled_not_cut(level: int) -> None:
    deep = Image.fromarray(np.full((8, 8), level, np.uint16))
    assert abs(int(np.asarray(read_rgb(as_bytes(deep, "PNG")))[0, 0, 0]) - level / 257) <= 1


def test_what_is_transparent_is_white() -> None:
    assert np.asarray(read_rgb(as_bytes(half_clear(), "PNG")))[0, 0].tolist() == [255, 255, 255]


def test_a_transparent_palette_is_white_too() -> None:
    made = as_bytes(red().quantize(2), "PNG", transparency=0)
    assert {tuple(p) for p in np.asarray(read_rgb(made)).reshape(-1, 3).tolist()} <= {(255, 255, 255), RED}


@pytest.mark.parametrize(("mode", "colour"), [("RGB", RED), ("L", 77)])
def test_a_colour_that_counts_as_transparent_is_white(mode: str, colour: tuple[int, int, int] | int) -> None:
    made = as_bytes(Image.new(mode, (8, 8), colour), "PNG", transparency=colour)
    assert np.asarray(read_rgb(made))[0, 0].tolist() == [255, 255, 255]


def test_what_is_no_number_is_black() -> None:
    grey = np.full((8, 8), 0.5, np.float32)
    grey[0], grey[1] = np.nan, np.inf
    found = np.asarray(read_rgb(as_bytes(Image.fromarray(grey), "TIFF")))
    assert found[0, 0].tolist() == found[1, 0].tolist() == [0, 0, 0]
    assert found[2, 0].tolist() == [127, 127, 127]


def test_pillow_warns_of_nothing_on_the_terminal() -> None:
    code = """
import warnings
import promptlab.encode.pictures
warnings.warn_explicit("Corrupt EXIF data", UserWarning, "TiffImagePlugin.py", 1, module="PIL.TiffImagePlugin")
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stderr == ""


def test_grey_stays_grey() -> None:
    assert np.asarray(read_rgb(as_bytes(Image.new("L", (8, 8), 77), "PNG")))[0, 0].tolist() == [77, 77, 77]


def test_a_picture_lies_the_way_its_camera_lay() -> None:
    exif = Image.Exif()
    exif[274] = 6
    assert read_rgb(as_bytes(red(), "JPEG", exif=exif)).size == (10, 20)


@pytest.mark.parametrize("size", [(3000, 10), (10, 3000)])
def test_a_picture_too_flat_for_a_model_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="too flat"):
        read_rgb(as_bytes(Image.new("RGB", size), "PNG"))
