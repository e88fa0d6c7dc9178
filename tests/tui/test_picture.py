"""Pictures in the terminal: the right colours at the right places, and a reason where there is none."""

import asyncio
import fcntl
import io
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.cells import cell_len
from rich.text import Text
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual.widgets import Static

from promptlab.tui.widgets import picture as module
from promptlab.tui.widgets.picture import HALF, LARGEST, Picture, blocks, decoded, fitted, graphics

from .hostile import HOSTILE

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    graphics.cache_clear()
    yield
    graphics.cache_clear()


def png(picture: Image.Image, kind: str = "PNG", **more: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **more)
    return out.getvalue()


def split(width: int, height: int) -> Image.Image:
    """Red above, blue below."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (0, height // 2, width, height))
    return picture


class Place(App[None]):
    """An app with one picture."""

    def compose(self) -> ComposeResult:
        yield Picture()


def rows(app: App[None]) -> list[list[tuple[str, object, object]]]:
    """(character, colour, colour behind) of every cell on the screen."""
    return [
        [(ch, s.style and s.style.color, s.style and s.style.bgcolor) for s in strip for ch in s.text]
        for strip in (app.screen._compositor.render_strips())
    ]


def text_of(app: App[None]) -> list[str]:
    return ["".join(cell[0] for cell in row) for row in rows(app)]


async def shown(pilot: Pilot[None], data: bytes, caption: Text | str = "") -> list[str]:
    pilot.app.query_one(Picture).show(data, caption)
    await pilot.pause()
    return text_of(pilot.app)


def test_half_blocks_have_the_colours_of_their_two_pixels() -> None:
    segments = blocks(split(2, 2), 2, 1).segments
    assert [s.text for s in segments] == ["▀", "▀", "\n"]
    assert segments[0].style is not None
    assert (segments[0].style.color.triplet, segments[0].style.bgcolor.triplet) == (RED, BLUE)  # type: ignore[union-attr]


@given(*(st.integers(1, 3000),) * 2, *(st.integers(0, 200),) * 2)
def test_a_fitted_picture_fits_and_touches_two_sides(width: int, height: int, columns: int, lines: int) -> None:
    x, y = fitted((width, height), (columns, lines), HALF)
    assert x <= columns
    assert y <= lines
    if columns and lines:
        assert x == columns or y == lines
        assert x >= 1
        assert y >= 1
    if min(x, y) > 10:
        assert x / (2 * y) == pytest.approx(width / height, rel=0.12)


def test_a_picture_is_drawn_in_the_middle_of_its_box_at_every_size() -> None:
    async def scene() -> None:
        app = Place()
        async with app.run_test(size=(40, 11)) as pilot:
            await shown(pilot, png(split(100, 100)), "a cat")
            lines = text_of(app)
            assert lines[0] == " " * 10 + "▀" * 20 + " " * 10
            assert lines[10].strip() == "a cat"
            await pilot.resize_terminal(10, 11)
            await pilot.pause(0.05)
            await pilot.pause()
            lines = text_of(app)
            drawn = [line for line in lines if "▀" in line]
            assert (len(drawn), drawn[0]) == (5, "▀" * 10)
            assert [("▀" in line) for line in lines].index(True) == 2
            for width, height in ((1, 1), (3, 2), (200, 60)):
                await pilot.resize_terminal(width, height)
                await pilot.pause(0.05)
                await pilot.pause()

    asyncio.run(scene())


def test_colours_reach_the_screen() -> None:
    async def scene() -> None:
        app = Place()
        async with app.run_test(size=(4, 3)) as pilot:
            await shown(pilot, png(split(4, 4)))
            top, below = rows(app)[0][1], rows(app)[1][1]
            assert top[1].triplet == RED  # type: ignore[attr-defined]
            assert below[2].triplet == BLUE  # type: ignore[attr-defined]

    asyncio.run(scene())


def test_a_picture_can_be_made_with_what_it_shows() -> None:
    async def scene() -> None:
        app = App[None]()
        async with app.run_test(size=(20, 12)) as pilot:
            await app.mount(Picture(png(split(8, 8)), "[/x]"), Picture(b"", "b"))
            await pilot.pause()
            assert "▀" in "".join(text_of(app)[:6])
            assert [text_of(app)[at].strip() for at in (5, 11)] == ["[/x]", "b"]

    asyncio.run(scene())


def bomb() -> bytes:
    """A PNG of a few bytes that claims 50,000 x 50,000 pixels."""
    whole = bytearray(png(Image.new("RGB", (1, 1))))
    whole[16:24] = (50_000).to_bytes(4) * 2
    whole[29:33] = zlib.crc32(bytes(whole[12:29])).to_bytes(4)
    return bytes(whole)


BROKEN = {
    "empty": (b"", "there is no picture"),
    "text": (b"[@click=app.quit]x[/]", "no JPEG"),
    "cut": (png(split(300, 300), "JPEG")[:400], "broken"),
    "flipped": (png(split(60, 60))[:60] + b"\0" * 60, "broken"),
    "bomb": (bomb(), "broken|pixels"),
    "gif": (png(split(9, 9), "GIF"), "no JPEG"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_picture_says_why(name: str) -> None:
    data, reason = BROKEN[name]
    found = decoded(data)
    assert isinstance(found, str)
    assert any(part in found for part in reason.split("|"))
    assert len(found) < 120

    async def scene() -> None:
        app = Place()
        async with app.run_test(size=(80, 6)) as pilot:
            assert "No picture" in "".join(await shown(pilot, data))

    asyncio.run(scene())


@given(st.binary(max_size=200), st.integers(0, 150))
def test_no_bytes_raise(noise: bytes, at: int) -> None:
    whole = png(split(12, 12))
    decoded(noise)
    decoded(whole[:at] + noise + whole[at + len(noise) :])


def test_pictures_of_every_mode_are_upright_rgb_and_not_too_large() -> None:
    for mode in ("1", "L", "P", "RGBA", "LA", "I;16", "CMYK"):
        found = decoded(png(Image.new(mode, (5, 5)), "JPEG" if mode == "CMYK" else "PNG"))
        assert not isinstance(found, str), (mode, found)
        assert found.mode == "RGB"
    clear = decoded(png(Image.new("RGBA", (2, 2), (0, 0, 0, 0))))
    assert not isinstance(clear, str)
    assert clear.getpixel((0, 0)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = decoded(png(split(40, 20), "JPEG", exif=exif))
    assert not isinstance(turned, str)
    assert turned.size == (20, 40)
    large = decoded(png(Image.new("L", (3000, 10)), "JPEG"))
    assert not isinstance(large, str)
    assert large.width == LARGEST


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:12])
def test_captions_and_reasons_stay_text(text: str) -> None:
    async def scene() -> None:
        app = Place()
        async with app.run_test(size=(60, 8)) as pilot:
            for act in (lambda p: p.show(png(split(8, 8)), text), lambda p: p.lack(text, text)):
                act(app.query_one(Picture))
                await pilot.pause()
                screen = text_of(app)
                assert not [ch for ch in "".join(screen) if ch in "\x1b\x07\u202e"]
                assert all(cell_len(line) <= 60 for line in screen)
                if text.startswith("["):
                    assert text in screen[-1]
            await pilot.click(Static)
            assert app.is_running

    asyncio.run(scene())


def test_a_caption_with_a_style_keeps_it() -> None:
    async def scene() -> None:
        app = Place()
        async with app.run_test(size=(30, 8)) as pilot:
            await shown(pilot, png(split(8, 8)), Text.assemble("is ", ("cat", "bold red")))
            bold = [s.text for strip in app.screen._compositor.render_strips() for s in strip if s.style and s.style.bold]
            assert "".join(bold).strip() == "cat"

    asyncio.run(scene())


@pytest.mark.parametrize("way", ["auto", "kitty"])
def test_without_a_terminal_nothing_is_asked_of_it(way: str) -> None:
    code = (
        "import sys; from promptlab.tui.widgets.picture import graphics; assert not graphics(); assert 'textual_image' not in sys.modules"
    )
    environment = {"PROMPTLAB_PICTURES": way, "KITTY_WINDOW_ID": "1", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_with_kitty_the_picture_is_sent_once_and_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("textual_image")
    from textual_image.renderable import tgp

    sent: list[dict[str, object]] = []
    monkeypatch.setattr(tgp, "_send_tgp_message", lambda **message: sent.append(message))
    monkeypatch.setattr(module, "graphics", lambda: True)

    async def scene() -> None:
        app = Place()
        async with app.run_test(size=(40, 11)) as pilot:
            lines = await shown(pilot, png(split(100, 100)), "a cat")
            assert "\U0010eeee" in "".join(lines)
            assert "▀" not in "".join(lines)
            (placed,) = [m for m in sent if m.get("U")]
            assert (placed["c"], placed["r"]) == (20, 10)
            app.query_one(Picture).lack("gone")
            await pilot.pause()
            assert [m.get("a") for m in sent][-1] == "d"
            await shown(pilot, png(split(100, 100)))
        assert [m.get("a") for m in sent].count("d") == [bool(m.get("U")) for m in sent].count(True)

    asyncio.run(scene())


def asked_in_a_terminal(way: str, answers: bool, cells: int = 80) -> str:
    """What `graphics` says in a terminal that does, or does not, answer as Kitty does."""
    code = "from promptlab.tui.widgets.picture import graphics; print('it is', graphics())"
    environment = {"PROMPTLAB_PICTURES": way, "KITTY_WINDOW_ID": "1", "PYTHONPATH": ":".join(sys.path), "TERM": "xterm-kitty"}
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if cells else 0, cells, cells * 10, 480))
    process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    heard = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            fresh = os.read(ours, 4096)
        except OSError:  # how the end of a terminal is told
            break
        heard += fresh
        if answers and b"\x1b_G" in fresh:
            os.write(ours, b"\x1b_Gi=" + fresh.partition(b"\x1b_Gi=")[2].partition(b",")[0] + b";OK\x1b\\")
        if answers and b"\x1b[c" in fresh:
            os.write(ours, b"\x1b[?62c")
    os.close(ours)
    assert process.wait(30) == 0, heard
    return heard.decode().partition("it is ")[2].strip()


@pytest.mark.parametrize(
    ("way", "answers", "cells", "said"),
    [("auto", True, 80, "True"), ("auto", False, 80, "False"), ("kitty", False, 80, "True"), ("auto", True, 0, "False")],
)
def test_a_terminal_is_asked_and_believed(way: str, answers: bool, cells: int, said: str) -> None:
    pytest.importorskip("textual_image")
    tries = range(3)  # a terminal has a tenth of a second to answer, which a busy machine may not have
    assert any(asked_in_a_terminal(way, answers, cells) == said for _ in tries)
