"""Pictures of every kind, read as the 8-bit RGB that models expect."""

import base64
import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from promptlab.errors import DataError
from promptlab.types import Images

# Pictures beyond this are refused before they are decoded: a few kilobytes can claim gigabytes. Pillow warns from here on.
MOST_PIXELS = 89_478_485
# How a reason begins that the disk gave, not the picture: it may be gone the next time.
UNREAD = "cannot be opened"
# Models scale the short side to about 224: a picture flatter than this would be blown up to gigabytes.
FLATTEST = 100
# Only what folders are searched for: Pillow knows dozens more, and hands EPS to Ghostscript whatever the file's ending says.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
# A picture is read or refused with a reason; Pillow's warnings in between would reach the terminal.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


def read_rgb(data: bytes) -> Image.Image:
    """The picture, upright (EXIF), its first frame, 16-bit scaled to 8, transparency on white.

    Raises DataError when it has too many pixels; Pillow's errors when it is broken.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if max(picture.size) > FLATTEST * min(picture.size):
                raise DataError(f"{picture.width} x {picture.height} pixels are too flat for a model")
            picture.seek(0)
            return _rgb(ImageOps.exif_transpose(picture))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"it has more than {MOST_PIXELS:,} pixels") from error


def prepare(images: Images, i: int, transform: Callable[[Image.Image], Any]) -> Any:
    """What `transform` makes of picture i, or the reason (str) why it could not be read."""
    try:
        data = images.read(i)
    except DataError as error:
        return error.message
    except OSError as error:
        return f"{UNREAD}: {error.strerror or error}"
    try:
        return transform(read_rgb(data))
    except MemoryError:
        raise
    except DataError as error:
        return error.message
    except Exception as error:  # Pillow raises many kinds on broken files
        said = re.sub(r" <_io\.BytesIO[^>]*>", "", str(error))  # not the picture's name, and never the same twice
        return f"{type(error).__name__}: {said}" if said else type(error).__name__


def thumbnail(images: Images, i: int, side: int = 208) -> str:
    """A small JPEG of picture i in base64, at most `side` pixels wide and high; empty when it cannot be read."""
    try:
        picture = read_rgb(images.read(i))
    except Exception:  # Pillow raises many kinds on broken files
        return ""
    picture.thumbnail((side, side))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return base64.b64encode(out.getvalue()).decode("ascii")


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return _scaled(picture)
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    opaque = Image.new("RGBA", picture.size, "white")
    opaque.alpha_composite(picture.convert("RGBA"))
    return opaque.convert("RGB")


def _scaled(picture: Image.Image) -> Image.Image:
    """16-bit and float grey as 8-bit, what is no number black: Pillow's own conversion cuts everything above 255 to white."""
    grey = np.asarray(picture, np.float32)
    grey = np.where(np.isfinite(grey), grey, 0)
    deep = picture.mode.startswith("I;16") or grey.max() > 255
    top = 65535.0 if deep else 255.0 if grey.max() > 1 else 1.0
    return Image.fromarray(np.clip(grey * (255.0 / top), 0, 255).astype(np.uint8)).convert("RGB")
