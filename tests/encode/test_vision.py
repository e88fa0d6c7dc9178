"""The image tower on a real model: halves, lanes, memory that runs out, compiling, GPUs."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from promptlab.config import Settings
from promptlab.encode.openclip import Loading, OpenClipEncoder
from promptlab.encode.pictures import prepare
from promptlab.errors import EncoderError, UsageError
from promptlab.events import Event, Noted
from promptlab.lab import Lab
from promptlab.store import Cache
from promptlab.types import Images

Make, Picture = Callable[..., Images], Callable[..., bytes]
NO_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
SMALL = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 1, "layers": 1},
}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model that is made in a moment."""
    folder = tmp_path_factory.mktemp("small")
    torch.manual_seed(0)
    weights = open_clip.model.CLIP(**SMALL).state_dict()
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": SMALL, "preprocess_cfg": {}}))
    return folder


@pytest.fixture
def some(images: Make, picture: Picture) -> Images:
    """41 pictures and a broken one."""
    content = {f"{i}.png": picture(i) for i in range(41)}
    return images({**dict(list(content.items())[:20]), "broken.png": b"no picture", **dict(list(content.items())[20:])})


def test_the_halves_give_what_the_whole_gives(small: Path, cache: Cache, some: Images) -> None:
    encoder = OpenClipEncoder(str(small), cache, Loading())
    whole, bad = encoder.encode_images(some, range(42))
    prepared = [prepare(some, i, encoder.transform) for i in range(42)]
    assert bad == {20: prepared[20]}
    pixels = [one.numpy() for one in prepared if not isinstance(one, str)]
    assert pixels[0].shape == (3, 32, 32)
    halves = np.concatenate([encoder.vectors(pixels[i : i + 10]) for i in range(0, 41, 10)])
    np.testing.assert_allclose(halves, whole, atol=1e-6)


def test_lanes_and_batches_change_nothing_and_leave_torch_as_it_was(small: Path, cache: Cache, some: Images) -> None:
    before, found = torch.get_num_threads(), []
    try:
        for threads, batch, workers in ((1, 0, 0), (3, 7, 2), (2, 1, 1)):
            torch.set_num_threads(threads)
            z, _ = OpenClipEncoder(str(small), cache, Loading(batch=batch, workers=workers)).encode_images(some, range(42))
            assert torch.get_num_threads() == threads
            found.append(z)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(found[1], found[0], atol=5e-7)
    np.testing.assert_allclose(found[2], found[0], atol=5e-7)


def too_large(*_: object) -> torch.Tensor:
    """What torch itself says when memory runs out."""
    return torch.empty(1 << 50)


def out_of_memory(*_: object) -> torch.Tensor:
    raise MemoryError


@pytest.mark.parametrize("fail", [too_large, out_of_memory])
def test_memory_that_runs_out_halves_the_batch(small: Path, cache: Cache, some: Images, fail: Callable[..., torch.Tensor]) -> None:
    encoder, told = OpenClipEncoder(str(small), cache, Loading()), list[Event]()
    expected, _ = encoder.encode_images(some, range(33))
    (tower,) = encoder._image_tower._towers
    forward = tower.plain
    tower.plain = lambda x: forward(x) if len(x) <= 5 else fail()
    z, bad = encoder.encode_images(some, range(33), told.append)
    np.testing.assert_allclose(z, expected, atol=5e-7)
    assert set(bad) == {20}
    notes = [event.text for event in told if isinstance(event, Noted)]
    assert notes == [f"The batch of {size} does not fit the memory; going on with {size // 2}." for size in (16, 8)]
    tower.plain = fail
    with pytest.raises(EncoderError, match="single picture does not fit"):
        encoder.encode_images(some, range(33))


def test_an_error_that_is_not_about_memory_is_raised(small: Path, cache: Cache, some: Images) -> None:
    encoder = OpenClipEncoder(str(small), cache, Loading())
    (tower,) = encoder._image_tower._towers
    tower.plain = lambda x: x.view(7)  # a RuntimeError, as running out of memory is
    with pytest.raises(RuntimeError):
        encoder.encode_images(some, [0, 1])


def test_an_encoder_is_sent_without_its_model(small: Path, cache: Cache, some: Images) -> None:
    encoder = OpenClipEncoder(str(small), cache, Loading())
    z, _ = encoder.encode_images(some, range(3))
    sent = pickle.dumps(encoder)
    assert len(sent) < 4096
    np.testing.assert_array_equal(pickle.loads(sent).encode_images(some, range(3))[0], z)


def test_a_model_that_cannot_be_compiled_runs_as_it_is_and_says_so_once(small: Path, cache: Cache, some: Images) -> None:
    encoder, told = OpenClipEncoder(str(small), cache, Loading(compile=True)), list[Event]()

    def fail(_: torch.Tensor) -> torch.Tensor:
        raise torch._dynamo.exc.InternalTorchDynamoError("no compiler\nat all")

    encoder._image_tower._towers[0].compiled = fail
    for _ in range(2):
        z, _bad = encoder.encode_images(some, range(42), told.append)
    np.testing.assert_allclose(z, OpenClipEncoder(str(small), cache, Loading()).encode_images(some, range(42))[0], atol=5e-7)
    notes = [event.text for event in told if isinstance(event, Noted)]
    assert notes == ["The model could not be compiled and runs as it is: no compiler"]


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="there is no C++ compiler here")
def test_a_compiled_model_gives_the_same_vectors(small: Path, cache: Cache, some: Images) -> None:
    told = list[Event]()
    compiled, _ = OpenClipEncoder(str(small), cache, Loading(compile=True)).encode_images(some, range(42), told.append)
    plain, _ = OpenClipEncoder(str(small), cache, Loading()).encode_images(some, range(42))
    np.testing.assert_allclose(compiled, plain, atol=1e-5)
    assert not [event for event in told if isinstance(event, Noted)]
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0


def test_encoding_says_how_busy_the_model_was(tmp_path: Path, picture: Picture) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for i in range(3):
            (tmp_path / "pictures" / name / f"{i}.png").write_bytes(picture(i))
    for wanted in (1, 0):  # the second time nothing is encoded
        told = list[Event]()
        Lab(Settings.load({"model": "mini", "templates": "plain"}), told.append).encode(str(tmp_path / "pictures"))
        assert sum(isinstance(event, Noted) and "the model was busy" in event.text for event in told) == wanted


def test_settings_of_the_pipeline_reach_the_encoder() -> None:
    encoder = Lab(Settings.load({"batch": 3, "workers": 2, "compile": True})).encoder("mini")
    assert isinstance(encoder, OpenClipEncoder)
    assert (encoder.how.batch, encoder.how.workers, encoder.how.compile) == (3, 2, True)
    with pytest.raises(UsageError, match="batch is -1"):
        Settings.load({"batch": "-1"})


@pytest.mark.gpu
@NO_GPU
@pytest.mark.parametrize(("precision", "off"), [("fp32", 1e-4), ("fp16", 5e-3), ("bf16", 3e-2)])
def test_gpus_give_what_the_cpu_gives(mini_folder: Path, cache: Cache, some: Images, precision: str, off: float) -> None:
    expected, _ = OpenClipEncoder(str(mini_folder), cache, Loading()).encode_images(some, range(42))
    encoder = OpenClipEncoder(str(mini_folder), cache, Loading("cuda", precision, batch=8))
    z, bad = encoder.encode_images(some, range(42))
    assert len(encoder._image_tower._towers) == torch.cuda.device_count()
    np.testing.assert_allclose(z.astype(np.float32), expected, atol=off)
    assert set(bad) == {20}


@pytest.mark.gpu
@NO_GPU
def test_a_gpu_whose_memory_runs_out_goes_on_with_less(small: Path, cache: Cache, some: Images) -> None:
    encoder, told = OpenClipEncoder(str(small), cache, Loading("cuda:0", "fp32", batch=16)), list[Event]()
    expected, _ = encoder.encode_images(some, range(33))
    (tower,) = encoder._image_tower._towers
    forward = tower.plain
    tower.plain = lambda x: forward(x) if len(x) <= 8 else torch.empty(1 << 46, device="cuda")
    z, _bad = encoder.encode_images(some, range(33), told.append)
    np.testing.assert_allclose(z, expected, atol=1e-5)
    assert [event.text for event in told if isinstance(event, Noted)] == ["The batch of 16 does not fit the memory; going on with 8."]
