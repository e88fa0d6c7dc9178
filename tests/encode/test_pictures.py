import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from promptlab.encode.openclip import OpenClipEncoder
from promptlab.encode.pictures import prepare
from promptlab.errors import DataError
from promptlab.types import Images

Make, Picture = Callable[..., Images], Callable[..., bytes]
ORIENTATION = 0x0112


def png_header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims a size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 99)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def vectors(encoder: OpenClipEncoder, images: Images) -> np.ndarray:
    x, bad = encoder.encode_images(images, range(len(images)))
    assert not bad
    return x


def saved(picture: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


def test_pictures_become_unit_rows_in_order(mini: OpenClipEncoder, images: Make, picture: Picture) -> None:
    x = vectors(mini, images({f"{i}.png": picture(i) for i in range(40)}))
    assert x.shape == (40, 384)
    assert x.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-5)
    back = vectors(mini, images({f"{i}.png": picture(i) for i in reversed(range(40))}))
    np.testing.assert_allclose(back[::-1], x, atol=1e-4)


def test_the_vector_is_the_one_that_open_clip_gives(mini: OpenClipEncoder, images: Make, picture: Picture) -> None:
    import torch

    model, transform, *_ = mini._loaded
    with torch.inference_mode():
        theirs = model.encode_image(transform(Image.open(io.BytesIO(picture(3))))[None], normalize=True)
    np.testing.assert_allclose(vectors(mini, images({"a.png": picture(3)})), theirs.numpy(), atol=1e-5)


def test_bad_pictures_are_told_by_row_and_the_others_stay(mini: OpenClipEncoder, images: Make, picture: Picture) -> None:
    whole = picture(1, "JPEG")
    content = {"a.jpg": picture(0), "b.jpg": b"this is text", "c.jpg": whole[: len(whole) // 2], "d.jpg": b"", "e.jpg": whole}
    x, bad = mini.encode_images(images(content), range(5))
    assert set(bad) == {1, 2, 3}
    assert bad[1] == "UnidentifiedImageError: cannot identify image file"
    assert "truncated" in bad[2].lower()
    assert len(x) == 2
    np.testing.assert_allclose(x[1], vectors(mini, images({"e.jpg": whole}))[0], atol=1e-4)


def test_a_picture_that_cannot_be_opened_is_a_bad_one(mini: OpenClipEncoder, tmp_path: Path) -> None:
    gone = Images("all", ("gone.jpg",), ("1",), None, lambda _: (tmp_path / "gone.jpg").read_bytes())
    x, bad = mini.encode_images(gone, [0])
    assert len(x) == 0
    assert bad[0].startswith("cannot be opened: No such file")


def test_only_pictures_are_opened_whatever_their_ending_says(images: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def ghostscript(*_: object, **__: object) -> None:
        raise AssertionError("called Ghostscript")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", ghostscript)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n%%EOF\n"
    assert "cannot identify" in str(prepare(images({"a.jpg": eps}), 0, lambda picture: picture))


def test_what_a_source_refuses_is_a_reason() -> None:
    def refuse(_: int) -> bytes:
        raise DataError("it is no file")

    assert prepare(Images("all", ("a.jpg",), ("1",), None, refuse), 0, lambda picture: picture) == "it is no file"


@pytest.mark.parametrize("size", [(50_000, 50_000), (12_000, 12_000), (100_000, 1_001)], ids=str)
def test_a_header_that_claims_too_many_pixels_is_refused_before_it_is_decoded(images: Make, size: tuple[int, int]) -> None:
    def never(_: object) -> None:
        raise AssertionError("decoded")

    said = prepare(images({"a.png": png_header(*size)}), 0, never)
    assert isinstance(said, str)
    assert "pixels" in said


@pytest.mark.parametrize("size", [(9_500, 10_000), (9_400, 9_500)], ids=str)
def test_a_large_picture_is_refused_or_read_but_never_warned_about(images: Make, size: tuple[int, int]) -> None:
    # Pillow warns from 89,478,485 pixels on; warnings are errors here, and the picture's data are too short anyway.
    said = prepare(images({"a.png": png_header(*size)}), 0, lambda picture: picture)
    assert "Warning" not in str(said)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_camera_s_orientation_is_applied(images: Make, picture: Picture, orientation: int) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    upright = Image.open(io.BytesIO(picture(5)))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored = saved(upright.transpose(undo[orientation]) if orientation > 1 else upright, "PNG", exif=exif)
    seen = prepare(images({"a.png": stored}), 0, lambda p: np.asarray(p.convert("RGB")))
    np.testing.assert_array_equal(seen, np.asarray(upright))


def test_orientation_changes_the_vector_not_at_all(mini: OpenClipEncoder, images: Make, picture: Picture) -> None:
    upright = Image.open(io.BytesIO(picture(5)))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    lying = saved(upright.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    x = vectors(mini, images({"upright.png": picture(5), "lying.png": lying, "wrong.png": saved(upright.rotate(90, expand=True), "PNG")}))
    np.testing.assert_allclose(x[1], x[0], atol=1e-5)
    assert np.abs(x[2] - x[0]).max() > 1e-2


MODES: dict[str, tuple[str, str, dict[str, object]]] = {
    "grey": ("L", "PNG", {}),
    "grey with alpha": ("LA", "PNG", {}),
    "black and white": ("1", "PNG", {}),
    "colours with alpha": ("RGBA", "PNG", {}),
    "palette": ("P", "PNG", {}),
    "palette, see-through": ("P", "PNG", {"transparency": bytes(range(256))}),
    "print": ("CMYK", "JPEG", {}),
    "gif": ("P", "GIF", {}),
    "webp": ("RGB", "WEBP", {}),
    "bmp": ("RGB", "BMP", {}),
    "tiff": ("RGB", "TIFF", {}),
    "float tiff": ("F", "TIFF", {}),
    "netpbm": ("RGB", "PPM", {}),
}


@pytest.mark.parametrize("case", MODES)
def test_every_kind_of_picture_is_read_without_a_warning(mini: OpenClipEncoder, images: Make, picture: Picture, case: str) -> None:
    mode, form, options = MODES[case]
    stored = saved(Image.open(io.BytesIO(picture(2))).convert(mode), form, **options)
    assert np.isfinite(vectors(mini, images({"a": stored}))).all()


def test_an_animation_is_read_by_its_first_picture(mini: OpenClipEncoder, images: Make, picture: Picture) -> None:
    frames = [Image.open(io.BytesIO(picture(i))).convert("P") for i in range(3)]
    moving = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    x = vectors(mini, images({"moving.gif": moving, "still.gif": saved(frames[0], "GIF")}))
    np.testing.assert_allclose(x[0], x[1], atol=1e-3)


def test_a_picture_of_16_bits_looks_like_its_8_bit_self(mini: OpenClipEncoder, images: Make, picture: Picture) -> None:
    grey = np.asarray(Image.open(io.BytesIO(picture(2))).convert("L"))
    deep = saved(Image.fromarray(grey.astype(np.uint16) * 257), "PNG")
    x = vectors(mini, images({"deep.png": deep, "plain.png": saved(Image.fromarray(grey), "PNG")}))
    assert x[0] @ x[1] > 0.99


def test_a_picture_of_one_pixel_is_a_picture(mini: OpenClipEncoder, images: Make) -> None:
    assert np.isfinite(vectors(mini, images({"a.png": saved(Image.new("RGB", (1, 1), "red"), "PNG")}))).all()


@pytest.mark.parametrize("size", [(30_000, 1), (1, 30_000)], ids=str)
def test_a_very_flat_picture_is_not_blown_up(images: Make, size: tuple[int, int]) -> None:
    # Models scale the short side to 224: of 30,000 x 1 that would make 1.5 billion pixels.
    seen: list[Image.Image] = []
    said = prepare(images({"a.png": saved(Image.new("RGB", size, "red"), "PNG")}), 0, lambda picture: seen.append(picture) or picture)
    assert isinstance(said, str) or 224 * 224 * max(said.size) / min(said.size) < 100_000_000
