"""open_clip models as encoders. The model itself is loaded when the first text or picture is not in the cache, and torch with it: that
takes seconds."""

import importlib.util
import json
import os
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from promptlab.encode import guards
from promptlab.encode.pipeline import Pace
from promptlab.errors import EncoderError, OfflineError, PromptlabError
from promptlab.events import Listener, Progressed, ignore
from promptlab.store import Cache, file_sha256, fingerprint
from promptlab.types import Array, Images

if TYPE_CHECKING:
    from promptlab.encode.tower import TextTower
    from promptlab.encode.vision import ImageTower

LOCAL, HUB = "local-dir:", "hf-hub:"
HIGHEST_SCALE = 1e4


@dataclass(frozen=True, slots=True)
class Loading:
    """How a model may be loaded and run."""

    device: str = "cpu"
    """`cpu`, `cuda` (pictures on all GPUs, texts on the first), `cuda:1` (that one), `mps`."""
    precision: str = "auto"
    """Of pictures: `auto` (fp16 on CUDA, else fp32), `fp32`, `fp16`, `bf16`. Texts are always fp32."""
    allow_pickle: bool = False
    """Whether pickled weights may be loaded (with `weights_only`)."""
    offline: bool = False
    """Whether nothing may be downloaded."""
    batch: int = 0
    """Pictures in one batch; 0: as suits the device."""
    workers: int = 0
    """Threads that decode pictures; 0: as many as there are cores for it."""
    compile: bool = False
    """Whether the image tower is compiled."""


class Spec(NamedTuple):
    """Which model: what open_clip is told."""

    name: str
    """`ViT-B-32` or `local-dir:/folder`."""
    pretrained: str | None
    """A tag or a file; None for a folder, which brings its own."""


def parse_spec(text: str) -> Spec:
    """The model for `local-dir:FOLDER`, a folder, `NAME,TAG` or `NAME,FILE`. Raises EncoderError without weights."""
    folder = Path(os.path.expanduser(text.removeprefix(LOCAL)))
    if text.startswith(LOCAL) or os.path.isdir(folder):  # Path.is_dir raises for a name that is too long
        guards.check_config(folder)
        return Spec(f"{LOCAL}{folder.resolve()}", None)
    name, comma, pretrained = text.partition(",")
    if not comma:
        guards.check_name(name.replace("/", "-"))
        raise EncoderError(
            f"The model {text!r} says no weights, and random ones would be useless.",
            f"Write {name},TAG or {name},FILE.safetensors, or name a folder. `promptlab models {name}` lists tags.",
        )
    is_file = Path(pretrained).suffix in guards.SAFE + guards.PICKLED
    return Spec(name.replace("/", "-"), str(Path(os.path.expanduser(pretrained)).resolve()) if is_file else pretrained)


class OpenClipEncoder:
    """One open_clip model. See `promptlab.protocols.Encoder` for what each method gives."""

    def __init__(self, text: str, cache: Cache, how: Loading, name: str = "") -> None:
        self.spec = parse_spec(guards.hub_folder(text.removeprefix(HUB), how.allow_pickle, how.offline) if text.startswith(HUB) else text)
        self.name = name or text
        self.how = how
        cuda = how.device.startswith("cuda")
        self.precision = how.precision if how.precision != "auto" else "fp16" if cuda else "fp32"
        self._cache = cache
        self._weights = self._weights_file()
        self.fingerprint = self._fingerprint(self._sha256)

    def _weights_file(self) -> Path | None:
        """The file that will be loaded; None for weights that open_clip downloads."""
        if self.spec.name.startswith(LOCAL):
            return guards.weights_in(Path(self.spec.name.removeprefix(LOCAL)), self.how.allow_pickle)
        if self.spec.pretrained and Path(self.spec.pretrained).is_absolute():
            return guards.weights_file(Path(self.spec.pretrained), self.how.allow_pickle)
        return None

    def _fingerprint(self, sha256: Callable[[Path], str]) -> str:
        """Known without loading: the bytes of file or folder (config, tokenizer, weights), or the published name and tag."""
        if self._weights is None:
            return fingerprint("open_clip", self.spec.name, self.spec.pretrained)
        if self.spec.pretrained:
            return fingerprint("open_clip", self.spec.name, sha256(self._weights))
        config, *others = guards.small_files(Path(self.spec.name.removeprefix(LOCAL)))
        tokenizer = [[path.name, file_sha256(path)] for path in others]
        return fingerprint("open_clip", config.read_bytes(), sha256(self._weights), *tokenizer)

    def _sha256(self, file: Path) -> str:
        status = file.stat()
        key = json.dumps([str(file.resolve()), status.st_size, status.st_mtime_ns])
        return str(self._cache.remembered("hashes", key, lambda: file_sha256(file), lambda value: isinstance(value, str)))

    @cached_property
    def _loaded(self) -> tuple[Any, Any, Any, "TextTower"]:
        from promptlab.encode.tower import TextTower

        model, transform, tokenizer = _load(self.spec, self.how, downloads=self._weights is None)
        return model, transform, tokenizer, TextTower(model, tokenizer, self.how.device)

    @cached_property
    def _image_tower(self) -> "ImageTower":
        from promptlab.encode.vision import ImageTower

        model, transform, *_ = self._loaded
        return ImageTower(model, transform, self.precision, self.how)

    @cached_property
    def scale(self) -> float:
        return float(self._cache.remembered("scales", self.fingerprint, self._loaded_scale, _is_scale))

    def _loaded_scale(self) -> float:
        found = float(self._loaded[0].logit_scale.detach().exp())
        if not _is_scale(found):
            raise EncoderError(f"The model {self.name!r} has the logit scale {found:g}; CLIP's is about 100.", "Its weights are damaged.")
        return found

    @cached_property
    def logit_bias(self) -> float | None:
        key = f"bias of {self.fingerprint}"
        found = self._cache.remembered("scales", key, self._loaded_bias, lambda value: value is None or _is_bias(value))
        return None if found is None else float(found)

    def _loaded_bias(self) -> float | None:
        bias = getattr(self._loaded[0], "logit_bias", None)
        if bias is not None and not _is_bias(float(bias.detach())):
            raise EncoderError(f"The model {self.name!r} has a logit bias that is none; SigLIP's is about -10.", "Its weights are damaged.")
        return None if bias is None else float(bias.detach())

    @property
    def context_length(self) -> int:
        return int(self._loaded[2].context_length)

    def clean(self, text: str) -> str:
        clean = getattr(self._loaded[2], "clean_fn", None)
        return str(clean(text)) if clean else text

    def tokens(self, text: str) -> int:
        tokenizer = self._loaded[2]
        if hasattr(tokenizer, "bpe"):
            return len(tokenizer.encode(text)) + 2
        inner = getattr(tokenizer, "tokenizer", None)
        return len(inner(self.clean(text))["input_ids"]) if inner is not None else 0

    def encode_texts(self, texts: Sequence[str], listen: Listener = ignore) -> Array:
        import torch

        *_, tokenizer, tower = self._loaded
        ids = torch.cat([tokenizer(list(texts[i : i + 4096])) for i in range(0, len(texts), 4096)])
        out: Array | None = None
        done = 0
        for rows, z in tower.encode(ids):
            out = np.empty((len(texts), z.shape[1]), np.float32) if out is None else out
            out[rows.numpy()] = z.numpy()
            listen(Progressed("encode texts", done := done + len(rows)))
        assert out is not None
        return out

    def encode_images(self, images: Images, rows: Sequence[int], listen: Listener = ignore) -> tuple[Array, dict[int, str]]:
        return self._image_tower.encode(images, rows, listen)

    @property
    def transform(self) -> Callable[[Any], Any]:
        """Makes a tensor (3, H, W) f4 of a picture: half of `encode_images`, for processes that decode and hold no model."""
        transform: Callable[[Any], Any] = self._loaded[1]
        return transform

    def vectors(self, pixels: Sequence[Array]) -> Array:
        """(B, D) f4 or f2 unit vectors of pictures that `transform` prepared, in one batch: the other half. Raises Full."""
        return self._image_tower.vectors(pixels)

    def elsewhere(self) -> "Callable[[str], OpenClipEncoder]":
        """Makes the same encoder in another process, given its device, of the files that lie there."""
        return copy(self)._on

    def _on(self, device: str) -> "OpenClipEncoder":
        made = copy(self)
        made.how = replace(self.how, device=device)
        made.fingerprint = made._fingerprint(file_sha256)  # what is remembered may be another machine's
        return made

    def pace(self) -> Pace:
        """How fast pictures were encoded since it was last asked."""
        return self._image_tower.paced() if "_image_tower" in self.__dict__ else Pace()

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the model: a process that is sent this loads its own."""
        return {name: value for name, value in self.__dict__.items() if name not in ("_loaded", "_image_tower")}


def _is_scale(value: Any) -> bool:
    """Whether a model can have this logit scale: CLIP's is at most 100, SigLIP's about 118."""
    return isinstance(value, float) and 0 < value <= HIGHEST_SCALE


def _is_bias(value: Any) -> bool:
    return isinstance(value, float) and abs(value) <= HIGHEST_SCALE


def _load(spec: Spec, how: Loading, downloads: bool) -> tuple[Any, Any, Any]:
    """(model, picture transform, tokenizer), in fp32. Raises EncoderError that says what could not be had."""
    import open_clip

    if how.offline:
        guards.cut_off()
    try:
        if spec.pretrained is not None and downloads:
            guards.check_published(spec.name, spec.pretrained)
            guards.weights_file(
                Path(open_clip.download_pretrained(open_clip.get_pretrained_cfg(spec.name, spec.pretrained))), how.allow_pickle
            )
        elif spec.pretrained is not None:
            guards.check_file(spec.name, Path(spec.pretrained))
        model, transform = open_clip.create_model_from_pretrained(spec.name, spec.pretrained, precision="fp32", device=how.device)
        tokenizer = open_clip.get_tokenizer(spec.name)
    except PromptlabError:
        raise
    except Exception as error:  # open_clip, torch and the hub client raise many kinds
        raise _explained(spec, how, downloads, error) from error
    model.eval()
    return model, transform, tokenizer


def _explained(spec: Spec, how: Loading, downloads: bool, error: Exception) -> EncoderError | OfflineError:
    said = (str(error).strip().splitlines() or [type(error).__name__])[0]
    what = f"The model {spec.name!r} ({spec.pretrained or 'its own weights'}) could not be loaded: {said}"
    if isinstance(error, ModuleNotFoundError) or (importlib.util.find_spec("transformers") is None and "transformers" in str(error)):
        return EncoderError(what, "This model's tokenizer needs more packages: pip install transformers sentencepiece.")
    if downloads and how.offline:
        return OfflineError(what, "It is not in the local cache; run once without --offline.")
    return EncoderError(
        what, "Without network, name a folder: --model local-dir:FOLDER." if downloads else "Is it whole, and of this architecture?"
    )


def published(search: str) -> list[tuple[str, str]]:
    """(name, tag) of every published open_clip model that is not refused, whose name or tag holds `search`, case aside."""
    import open_clip

    found = [(name, tag) for name, tag in open_clip.list_pretrained() if search.lower() in f"{name},{tag}".lower()]
    return [(name, tag) for name, tag in found if guards.activation(name, tag)[1]]
