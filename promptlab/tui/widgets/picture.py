"""A picture in the terminal: half blocks everywhere, Kitty's graphics where the terminal draws them."""

import io
import sys
import warnings
from functools import cache
from typing import TYPE_CHECKING

from PIL import Image, ImageOps, UnidentifiedImageError
from rich.color import Color
from rich.console import RenderableType
from rich.padding import Padding
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from promptlab import config
from promptlab.display import safe

if TYPE_CHECKING:
    from textual_image.renderable import TGPImage

MOST_PIXELS = 60_000_000  # beyond, a file of a few kilobytes may claim gigabytes
LARGEST = 1024  # pixels that are kept of the longer side: no place in a terminal shows more
FORMATS = ("JPEG", "PNG", "WEBP")
HALF = (1, 2)  # a cell of half blocks is this many pixels wide and high
# Pillow's warnings would be written across the screen.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)


@cache
def graphics() -> bool:
    """Whether pictures are drawn by Kitty's protocol. The first call may ask the terminal, so it comes before the app starts.

    Raises UsageError when PROMPTLAB_PICTURES is no way to draw.
    """
    way = config.pictures()
    if way == "blocks" or not (sys.__stdout__ and sys.__stdout__.isatty()):
        return False
    try:
        from textual_image import renderable
        from textual_image._terminal import get_cell_size

        get_cell_size()  # asked once; later the app reads what the terminal answers
    except Exception:  # a package that is optional, and asks a terminal that may answer anything
        return False
    return way == "kitty" or renderable.Image is renderable.TGPImage


def decoded(data: bytes) -> Image.Image | str:
    """The picture as RGB, no side longer than LARGEST pixels, or why there is none."""
    if not data:
        return "there is no picture"
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return f"it has more than {MOST_PIXELS:,} pixels"
            picture.draft("RGB", (LARGEST, LARGEST))  # a large JPEG is read small at once
            picture.thumbnail((LARGEST, LARGEST))
            return _on_white(ImageOps.exif_transpose(picture))
    except UnidentifiedImageError:
        return "it is no JPEG, PNG or WebP"
    except Exception as error:  # Pillow raises many kinds on broken files
        return f"it is broken: {safe(str(error), 80)}"


def fitted(size: tuple[int, int], box: tuple[int, int], cell: tuple[int, int] = HALF) -> tuple[int, int]:
    """(columns, rows) of the largest picture of these proportions in a box of (columns, rows); (0, 0) where there is no room."""
    if min(*size, *box) < 1:
        return 0, 0
    scale = min(box[0] * cell[0] / size[0], box[1] * cell[1] / size[1])
    columns, rows = round(size[0] * scale / cell[0]), round(size[1] * scale / cell[1])
    return min(max(columns, 1), box[0]), min(max(rows, 1), box[1])


def blocks(picture: Image.Image, columns: int, rows: int) -> Segments:
    """The picture as half blocks: the colour of the text is the upper pixel, that behind it the lower one."""
    small = picture.resize((columns, rows * 2), Image.Resampling.BOX if picture.width > columns else Image.Resampling.NEAREST)
    raw, width = small.tobytes(), columns * 3
    segments = []
    for y in range(0, rows * 2, 2):
        upper, lower = (raw[at * width : (at + 1) * width] for at in (y, y + 1))
        for x in range(0, width, 3):
            front, behind = Color.from_rgb(*upper[x : x + 3]), Color.from_rgb(*lower[x : x + 3])
            segments.append(Segment("▀", Style(color=front, bgcolor=behind)))
        segments.append(Segment.line())
    return Segments(segments)


class _Canvas(Widget):
    """The picture itself, in the middle of its box, or a sentence."""

    ALLOW_SELECT = False
    DEFAULT_CSS = """
    _Canvas { height: 1fr; width: 1fr; content-align: center middle; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._picture: Image.Image | str = ""
        self._drawn: TGPImage | None = None

    def set_picture(self, picture: Image.Image | str) -> None:
        self._picture = picture
        self.refresh()

    def on_unmount(self) -> None:
        self._forget()

    def render(self) -> RenderableType | Content:
        self._forget()
        if isinstance(self._picture, str):
            return Content(self._picture)
        width, height = self.content_size
        columns, rows = fitted(self._picture.size, (width, height), _cell())
        if not columns:
            return Content("")
        left, above = (width - columns) // 2, (height - rows) // 2
        return Padding(self._draw(self._picture, columns, rows), (above, width - columns - left, height - rows - above, left))

    def _draw(self, picture: Image.Image, columns: int, rows: int) -> RenderableType:
        if not graphics():
            return blocks(picture, columns, rows)
        from textual_image.renderable import TGPImage

        self._drawn = drawn = TGPImage(picture, columns, rows)
        return drawn

    def _forget(self) -> None:
        """Takes what was drawn out of the terminal's memory."""
        if self._drawn is not None:
            self._drawn.cleanup()
            self._drawn = None


class Picture(Vertical):
    """A picture as large as its box allows, and a line under it."""

    DEFAULT_CSS = """
    Picture { width: 1fr; height: 1fr; }
    Picture > .picture--caption { height: 1; width: 1fr; text-align: center; text-wrap: nowrap; text-overflow: ellipsis; }
    """

    def __init__(self, data: bytes | None = None, caption: Text | str = "", id: str | None = None, classes: str | None = None) -> None:
        """data: as for `show`; None is for later."""
        super().__init__(id=id, classes=classes)
        self._canvas, self._caption = _Canvas(), Static("", classes="picture--caption", markup=False)
        if data is None:
            self._say(caption)
        else:
            self.show(data, caption)

    def compose(self) -> ComposeResult:
        yield self._canvas
        yield self._caption

    def show(self, data: bytes, caption: Text | str = "") -> None:
        """Shows a JPEG, PNG or WebP, or says why it cannot be shown."""
        found = decoded(data)
        self._canvas.set_picture(f"No picture: {found}." if isinstance(found, str) else found)
        self._say(caption)

    def lack(self, reason: str, caption: Text | str = "") -> None:
        """Says why there is no picture."""
        self._canvas.set_picture(safe(reason))
        self._say(caption)

    def _say(self, caption: Text | str) -> None:
        self._caption.update(Text(safe(caption)) if isinstance(caption, str) else caption)


def _cell() -> tuple[int, int]:
    """(width, height) of a cell in pixels of the picture."""
    if not graphics():
        return HALF
    from textual_image._terminal import get_cell_size

    return get_cell_size()


def _on_white(picture: Image.Image) -> Image.Image:
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    opaque = Image.new("RGBA", picture.size, "white")
    opaque.alpha_composite(picture.convert("RGBA"))
    return opaque.convert("RGB")
