"""open_clip models as encoders. The model itself is loaded when the first text or picture is not in the cache."""

import io
import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from promptlab.encode.tower import TextTower
from promptlab.errors import EncoderError, unknown_name
from promptlab.events import Listener, Progressed, ignore
from promptlab.store import Cache, file_sha256, fingerprint
from promptlab.types import Array, Images, unit

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.safetensors", "model.safetensors")
# Pictures beyond this are refused before they are decoded: a few kilobytes can claim gigabytes.
MOST_PIXELS = 100_000_000
IMAGES_AT_ONCE = {"cpu": 32, "cuda": 256, "mps": 64}


class Spec(NamedTuple):
    """Which model: what open_clip is told."""

    name: str
    """`ViT-B-32`, or `local-dir:/folder`."""
    pretrained: str | None
    """A tag or a file; None for a folder, which brings its own."""


def parse_spec(text: str) -> Spec:
    """The model for `local-dir:FOLDER`, a folder, `NAME,TAG` or `NAME,FILE`. Raises EncoderError when no weights are named."""
    folder = Path(text.removeprefix("local-dir:")).expanduser()
    if text.startswith("local-dir:") or (folder.is_dir() and (folder / CONFIG).is_file()):
        if not (folder / CONFIG).is_file():
            raise EncoderError(
                f"There is no {CONFIG} in {str(folder)!r}.",
                "A model folder holds open_clip_config.json and open_clip_model.safetensors.",
            )
        return Spec(f"local-dir:{folder.resolve()}", None)
    name, comma, pretrained = text.partition(",")
    if not comma:
        raise EncoderError(
            f"The model {text!r} says no weights, and random ones would be useless.",
            f"Write {name},TAG or {name},FILE.safetensors, or name a folder. `promptlab models {name}` lists tags.",
        )
    return Spec(name.replace("/", "-"), str(Path(pretrained).expanduser().resolve()) if _is_file(pretrained) else pretrained)


def _is_file(pretrained: str) -> bool:
    suffix = Path(pretrained).suffix in (".safetensors", ".bin", ".pt", ".pth")
    if suffix and not Path(pretrained).expanduser().is_file():
        raise EncoderError(f"There is no weights file {pretrained!r}.")
    return suffix


class OpenClipEncoder:
    """One open_clip model. See `promptlab.protocols.Encoder` for what each method gives."""

    def __init__(self, text: str, cache: Cache, device: str, name: str = "") -> None:
        self.spec = parse_spec(text)
        self.name = name or text
        self.device = device
        self.precision = "fp16" if device.startswith("cuda") else "fp32"
        self._cache = cache
        self.fingerprint = self._fingerprint()

    def _fingerprint(self) -> str:
        """Known without loading: the bytes of folder or file, or the published name and tag."""
        if self.spec.pretrained is None:
            folder = Path(self.spec.name.removeprefix("local-dir:"))
            return fingerprint("open_clip", (folder / CONFIG).read_bytes(), self._sha256(_weights_in(folder)))
        if _is_file(self.spec.pretrained):
            return fingerprint("open_clip", self.spec.name, self._sha256(Path(self.spec.pretrained)))
        return fingerprint("open_clip", self.spec.name, self.spec.pretrained)

    def _sha256(self, file: Path) -> str:
        status = file.stat()
        key = json.dumps([str(file.resolve()), status.st_size, status.st_mtime_ns])
        return str(self._cache.remembered("hashes", key, lambda: file_sha256(file)))

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any, TextTower]:
        model, transform, tokenizer = _load(self.spec, self.device)
        return model, transform, tokenizer, TextTower(model, tokenizer, self.device)

    @property
    def cut_texts(self) -> bool:
        """Whether texts are encoded at their own length."""
        return self._loaded[3].cut

    @cached_property
    def scale(self) -> float:
        return float(self._cache.remembered("scales", self.fingerprint, lambda: float(self._loaded[0].logit_scale.detach().exp())))

    @property
    def context_length(self) -> int:
        return int(self._loaded[2].context_length)

    def clean(self, text: str) -> str:
        clean = getattr(self._loaded[2], "clean_fn", None)
        return str(clean(text)) if clean else text

    def tokens(self, text: str) -> int:
        tokenizer = self._loaded[2]
        return (
            len(tokenizer.encode(text)) + 2 if hasattr(tokenizer, "bpe") else min(self.context_length, int((tokenizer([text]) != 0).sum()))
        )

    def encode_texts(self, texts: Sequence[str], listen: Listener = ignore) -> Array:
        *_, tokenizer, tower = self._loaded
        ids = torch.cat([tokenizer(list(texts[i : i + 4096])) for i in range(0, len(texts), 4096)])
        out: Array | None = None
        done = 0
        for rows in tower.slices(ids):
            z = tower.encode(ids[rows]).numpy()
            out = np.empty((len(texts), z.shape[1]), np.float32) if out is None else out
            out[rows.numpy()] = z
            listen(Progressed("encode texts", done := done + len(rows)))
        assert out is not None
        return out

    @torch.inference_mode()
    def encode_images(self, images: Images, rows: Sequence[int], listen: Listener = ignore) -> tuple[Array, dict[int, str]]:
        """Pictures are read and prepared by threads one batch ahead of the model."""
        model, transform, *_ = self._loaded
        size, parts = IMAGES_AT_ONCE[torch.device(self.device).type], []
        bad: dict[int, str] = {}
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            batches = [rows[i : i + size] for i in range(0, len(rows), size)]
            ahead = [pool.submit(_prepare, images, i, transform) for i in batches[0]]
            for n, batch in enumerate(batches):
                waiting, ahead = ahead, []
                if n + 1 < len(batches):
                    ahead = [pool.submit(_prepare, images, i, transform) for i in batches[n + 1]]
                ready = [future.result() for future in waiting]
                bad |= {i: made for i, made in zip(batch, ready, strict=True) if isinstance(made, str)}
                pixels = [made for made in ready if isinstance(made, Tensor)]
                if pixels:
                    parts.append(self._vectors(model, torch.stack(pixels)))
                listen(Progressed("encode pictures", n * size + len(batch)))
        empty = np.zeros((0, 1), np.float32)
        return np.concatenate(parts) if parts else empty, bad

    def _vectors(self, model: Any, pixels: Tensor) -> Array:
        half = self.precision == "fp16"
        with torch.autocast(torch.device(self.device).type, torch.float16, enabled=half):
            z = model.encode_image(pixels.to(self.device))
        return np.asarray(unit(z.float()).cpu().numpy(), np.float16 if half else np.float32)


def _prepare(images: Images, i: int, transform: Any) -> Tensor | str:
    """The pixels of picture i as the model wants them, or the reason why it could not be read."""
    try:
        with Image.open(io.BytesIO(images.read(i))) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return f"{picture.width} x {picture.height} pixels are more than {MOST_PIXELS:,}"
            made: Tensor = transform(ImageOps.exif_transpose(picture))
            return made
    except Exception as error:  # Pillow raises many kinds on broken files
        return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _weights_in(folder: Path) -> Path:
    for name in WEIGHTS:
        if (folder / name).is_file():
            return folder / name
    raise EncoderError(f"There are no safetensors weights in {str(folder)!r}.", f"Expected one of {', '.join(WEIGHTS)}.")


def _load(spec: Spec, device: str) -> tuple[Any, Any, Any]:
    """(model, picture transform, tokenizer), in fp32. Raises EncoderError that says what could not be had."""
    import open_clip

    if spec.pretrained is not None:
        if spec.name not in open_clip.list_models():
            raise unknown_name("open_clip model", spec.name, open_clip.list_models())
        tags = open_clip.list_pretrained_tags_by_model(spec.name)
        if not _is_file(spec.pretrained) and spec.pretrained not in tags:
            raise unknown_name(f"pretrained tag of {spec.name}", spec.pretrained, tags)
    try:
        model, transform = open_clip.create_model_from_pretrained(spec.name, spec.pretrained, precision="fp32", device=device)
        tokenizer = open_clip.get_tokenizer(spec.name)
    except Exception as error:  # open_clip, torch and the hub client raise many kinds
        said = str(error).strip().splitlines()
        raise EncoderError(
            f"The model {spec.name!r} ({spec.pretrained or 'its folder'}) could not be loaded: {said[0] if said else type(error).__name__}",
            "Without network, name a folder: --model local-dir:FOLDER.",
        ) from error
    model.eval()
    return model, transform, tokenizer


def published(search: str) -> list[tuple[str, str]]:
    """(name, tag) of every published open_clip model whose name or tag holds `search`, case aside."""
    import open_clip

    return [(name, tag) for name, tag in open_clip.list_pretrained() if search.lower() in f"{name},{tag}".lower()]
