"""Models and pictures. Models are loaded once a session: the embedded small one, and one of CLIP's true size with random weights."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import open_clip
import pytest
from PIL import Image
from safetensors.torch import save_file

from promptlab.encode.openclip import Loading, OpenClipEncoder
from promptlab.events import Listener, ignore
from promptlab.prompts.compose import compose
from promptlab.prompts.templates import template
from promptlab.store import Cache, fingerprint
from promptlab.types import Array, Classes, Images, PromptGrid, unit

MINI = Path(__file__).parents[2] / "plugins" / "promptlab-demo" / "promptlab_demo" / "mini"


def encoder_of(spec: str, cache: Path) -> OpenClipEncoder:
    return OpenClipEncoder(spec, Cache(cache), Loading())


@pytest.fixture(scope="session")
def mini_folder() -> Path:
    """The folder of the embedded model."""
    return MINI


@pytest.fixture(scope="session")
def mini(tmp_path_factory: pytest.TempPathFactory) -> OpenClipEncoder:
    """The embedded model, loaded once."""
    return encoder_of(f"local-dir:{MINI}", tmp_path_factory.mktemp("mini-cache"))


@pytest.fixture(scope="session")
def big_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with a ViT-B-32 of the true size and random weights (600 MB, gone when the session ends)."""
    folder = tmp_path_factory.mktemp("vit-b-32")
    model = open_clip.create_model("ViT-B-32")
    save_file({name: tensor.contiguous() for name, tensor in model.state_dict().items()}, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": open_clip.get_model_config("ViT-B-32"), "preprocess_cfg": {}}))
    yield folder
    (folder / "open_clip_model.safetensors").unlink()


@pytest.fixture(scope="session")
def big(big_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenClipEncoder:
    """The true-size model, loaded once."""
    return encoder_of(f"local-dir:{big_folder}", tmp_path_factory.mktemp("big-cache"))


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """An empty cache."""
    return Cache(tmp_path / "cache")


@pytest.fixture
def grid() -> Callable[..., PromptGrid]:
    """Makes the grid of some names and templates."""
    return lambda names, *sources: compose(Classes.of(list(names)), [template(s) for s in sources or ("a photo of a {}.",)])


class Counting:
    """An encoder that needs no model: vectors made from the bytes alone. It counts its work, and stops when it is told to."""

    precision = "fp32"
    scale = 100.0
    logit_bias = None
    context_length = 10

    def __init__(self, name: str = "counting") -> None:
        self.name = name
        self.fingerprint = fingerprint(name)
        self.texts: list[str] = []
        self.pictures: list[str] = []
        self.stop_at = -1

    def clean(self, text: str) -> str:
        return " ".join(text.lower().split())

    def tokens(self, text: str) -> int:
        return len(text.split()) + 2

    def encode_texts(self, texts: Sequence[str], listen: Listener = ignore) -> Array:
        if 0 <= self.stop_at <= len(self.texts):
            raise KeyboardInterrupt
        self.texts += texts
        return np.stack([self._vector(text.encode()) for text in texts])

    def encode_images(self, images: Images, rows: Sequence[int], listen: Listener = ignore) -> tuple[Array, dict[int, str]]:
        good, bad = [], {}
        for i in rows:
            if 0 <= self.stop_at <= len(self.pictures):
                raise KeyboardInterrupt
            self.pictures.append(images.keys[i])
            if images.read(i).startswith(b"bad"):
                bad[i] = "no picture"
            else:
                good.append(self._vector(images.read(i)))
        return np.stack(good) if good else np.zeros((0, 1), np.float32), bad

    def _vector(self, content: bytes) -> Array:
        seed = int(fingerprint(self.name, content)[:8], 16)
        return np.asarray(unit(np.random.default_rng(seed).normal(size=6)), np.float32)


@pytest.fixture
def counting() -> Counting:
    """An encoder without a model."""
    return Counting()


def image_list(content: dict[str, bytes], labels: Sequence[int] | None = None) -> Images:
    keys = tuple(content)
    stamps = tuple(fingerprint(value) for value in content.values())
    return Images("all", keys, stamps, None if labels is None else np.array(labels), lambda i: content[keys[i]], "/pictures")


@pytest.fixture
def images() -> Callable[..., Images]:
    """Makes a list of pictures from {key: bytes}."""
    return image_list


def drawn(seed: int, size: tuple[int, int] = (48, 40)) -> Image.Image:
    """A picture with a bright patch in one corner, so that up is not down."""
    rng = np.random.default_rng(seed)
    pixels = np.repeat(np.repeat(rng.integers(0, 255, (size[1] // 8, size[0] // 8, 3)), 8, 0), 8, 1).astype(np.uint8)
    pixels[:16, :16] = 255
    return Image.fromarray(pixels)


def encoded(picture: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, form, **options)
    return out.getvalue()


@pytest.fixture
def picture() -> Callable[..., bytes]:
    """Bytes of a small generated picture."""
    return lambda seed=0, form="PNG", **options: encoded(drawn(seed), form, **options)
