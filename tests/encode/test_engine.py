"""Ray as the engine, on a real cluster of this machine: two nodes of one CPU each. Skipped where Ray is not installed."""

import json
import os
import runpy
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.config import Settings
from promptlab.encode import engine, workers
from promptlab.encode.features import Piece, local
from promptlab.errors import DataError, EncoderError, UsageError
from promptlab.events import Cancelled, Event, Progressed, ignore
from promptlab.lab import Lab
from promptlab.types import Images

ROOT = Path(__file__).parents[2]
BENCH = runpy.run_path(str(ROOT / "bench" / "ray_workers.py"))
# A plugin whose model is a checksum: what is tested is who does what, not how.
LIGHT = """
import hashlib, time
import numpy as np
from promptlab import ModelAlias, hookimpl

class Light:
    fingerprint, precision, scale, logit_bias, context_length, name = "light", "fp32", 100.0, None, 77, "light"

    def __init__(self, device):
        pass

    def encode_images(self, images, rows, listen):
        time.sleep(0.004 * len(rows))
        bad, z = {}, []
        for i in rows:
            data = images.read(i)
            if data == b"broken":
                bad[i] = "it is broken"
            else:
                one = np.random.default_rng(list(hashlib.sha256(data).digest())).normal(size=8)
                z.append(one / np.sqrt((one * one).sum()))
        return np.array(z, np.float32).reshape(len(z), 8), bad

@hookimpl
def promptlab_encoders():
    return [ModelAlias("light", open=Light)]
"""


def piece(*rows: int, bad: tuple[int, ...] = ()) -> Piece:
    good = [i for i in rows if i not in bad]
    return Piece(np.array(rows), np.array([[i, 1.0] for i in good], np.float32).reshape(len(good), 2), dict.fromkeys(bad, "no"))


def once(pieces: list[Piece], n: int, heard: list[int] | None = None) -> list[Piece]:
    def listen(event: Event) -> None:
        if heard is not None and isinstance(event, Progressed):
            heard.append(event.done)

    return list(engine._once(iter(pieces), n, np.arange(n), listen))


def test_a_task_that_comes_twice_counts_once() -> None:
    heard: list[int] = []
    assert [p.rows.tolist() for p in once([piece(2, 3), piece(0, 1), piece(2, 3)], 4, heard)] == [[2, 3], [0, 1]]
    assert heard == [2, 4]


def test_missing_rows_are_an_error_and_no_short_answer() -> None:
    with pytest.raises(EncoderError, match="gave back 2 of 4 pictures"):
        once([piece(2, 3)], 4)


def test_pieces_are_joined_into_fewer_that_keep_rows_and_reasons() -> None:
    small = [piece(*range(i, i + 100), bad=(i,)) for i in range(0, 1000, 100)]
    joined = list(engine.gathered(iter(small)))
    assert [len(p.rows) for p in joined] == [300, 300, 300, 100]
    for p in joined:
        assert [i for i in p.rows.tolist() if i not in p.bad] == p.z[:, 0].tolist()
    assert sorted(i for p in joined for i in p.bad) == list(range(0, 1000, 100))


def test_what_is_in_hand_when_work_stops_is_handed_on() -> None:
    def stopped() -> Iterator[Piece]:
        yield piece(0, 1)
        yield piece(2)
        raise Cancelled

    found = engine.gathered(stopped())
    assert next(found).rows.tolist() == [0, 1, 2]
    with pytest.raises(Cancelled):
        next(found)


def test_without_ray_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch, images: Callable[..., Images], counting: Any) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match="needs the package ray") as caught:
        next(engine.on_ray(images({"a.jpg": b"a"}), np.arange(1), counting, ignore))
    assert "promptlab-clip[ray]" in caught.value.hint


def test_a_cluster_that_does_not_answer_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, images: Callable[..., Images], counting: Any
) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(UsageError, match=r"No Ray cluster answers: RAY_ADDRESS is .127\.0\.0\.1:1"):
        next(engine.on_ray(images({"a.jpg": b"a"}), np.arange(1), counting, ignore))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """(a cluster, its two nodes)."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'promptlab-clip[ray]'")
    with BENCH["two_workers"]() as made:
        yield made


@pytest.fixture
def light(tmp_path: Path) -> dict[str, Any]:
    """Settings of a model that a plugin in a folder brings."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "lightly.py").write_text(LIGHT)
    return {"model": "light", "plugins_dir": (str(tmp_path / "plugins"),)}


def test_a_killed_worker_costs_no_picture_and_doubles_none(cluster: Any, light: dict[str, Any], tmp_path: Path) -> None:
    found = BENCH["measured"](400, "actor", tmp_path, *cluster, **light)
    assert found["killed"].startswith("process ")
    assert found["processes that read"] >= 3
    assert (found["encoded anew"], found["lost"]) == (400, 0)
    assert found["equal keys"]
    assert found["largest difference"] == 0


def test_stopped_work_is_kept_and_broken_pictures_have_their_reasons(cluster: Any, light: dict[str, Any], tmp_path: Path) -> None:
    BENCH["draw"](tmp_path / "pictures", 200)
    (tmp_path / "pictures" / "class 3" / "000003.jpg").write_bytes(b"broken")

    def stop(event: Event) -> None:
        if isinstance(event, Progressed) and event.done >= 60:
            raise Cancelled

    settings = {"cache": str(tmp_path / "cache"), **light}
    lab = Lab(Settings.load({**settings, "engine": "ray"}), stop)
    with pytest.raises(Cancelled):
        lab.features(lab.open(str(tmp_path / "pictures")), lab.encoder("light"))
    lab = Lab(Settings.load(settings))
    dataset = lab.open(str(tmp_path / "pictures"))
    found, new = lab.features(dataset, lab.encoder("light"))
    assert 0 < new <= 199 - 60
    assert found["all"].skipped == (("class 3/000003.jpg", "it is broken"),)
    (whole,) = local(dataset.splits["all"], np.arange(200), lab.encoder("light"), ignore)
    np.testing.assert_allclose(found["all"].x[:], whole.z, atol=1e-7)


def parcel_of(encoder: Any, some: Images, monkeypatch: pytest.MonkeyPatch) -> workers.Parcel:
    """What workers find, without a cluster between."""
    made = workers.Parcel(some, encoder.elsewhere(), encoder.fingerprint, (np.arange(len(some)),), getattr(encoder, "transform", None))
    monkeypatch.setattr(workers, "_opened", lambda reference: made)
    monkeypatch.setattr(workers, "_device", lambda: "cpu")
    return made


def test_an_error_of_a_worker_comes_as_a_value(
    light: dict[str, Any], monkeypatch: pytest.MonkeyPatch, images: Callable[..., Images]
) -> None:
    encoder = Lab(Settings.load(light)).encoder("light")
    encoder.fingerprint = "another"
    parcel_of(encoder, images({"a.jpg": b"a"}), monkeypatch)
    (said,) = workers.unpacked(workers.Worker(None)({"item": np.arange(1)}))
    assert isinstance(said, EncoderError)
    assert "'light' is another one on a worker than here" in said.message


def test_decoding_apart_from_the_model_gives_the_same_vectors(
    mini: Any, monkeypatch: pytest.MonkeyPatch, images: Callable[..., Images], picture: Callable[..., bytes]
) -> None:
    some = images({f"{i:03d}.png": picture(i) for i in range(70)} | {"007.png": b"broken"})
    parcel_of(mini, some, monkeypatch)
    values = list(workers.decoded({"item": np.arange(1)}, [None]))
    assert len(values) == 2
    forwarder = workers.Forwarder(None)
    pieces = [piece for value in values for piece in workers.unpacked(forwarder(value))]
    z, bad = mini.encode_images(some, range(70), ignore)
    assert [list(piece.bad) for piece in pieces] == [[7], []]
    assert pieces[0].bad == bad
    np.testing.assert_allclose(np.concatenate([piece.z for piece in pieces]), z, atol=1e-5)


def test_pictures_that_cannot_be_sent_are_told(cluster: Any, light: dict[str, Any], images: Callable[..., Images]) -> None:
    encoder = Lab(Settings.load(light)).encoder("light")
    with open(os.devnull, "rb") as file:
        some = Images("all", ("a",), ("a",), None, lambda i: file.read(), "/somewhere")
        with pytest.raises(DataError, match="'/somewhere', or the model, cannot be sent") as caught:
            list(engine.on_ray(some, np.arange(1), encoder, ignore))
    assert "--shard 1/10" in caught.value.hint


def test_every_source_of_ours_can_be_sent(tmp_path: Path, picture: Callable[..., bytes]) -> None:
    cloudpickle = pytest.importorskip("ray.cloudpickle", reason="Ray is not installed")
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    BENCH["draw"](tmp_path / "folder", 20)
    files = sorted((tmp_path / "folder").rglob("*.jpg"))
    rows = [f"{file.relative_to(tmp_path)},{file.parent.name}" for file in files]
    (tmp_path / "table.csv").write_text("path,label\n" + "\n".join(rows) + "\n")
    (tmp_path / "names.txt").write_text("zero\none\n")
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for i, file in enumerate(files):
            (tmp_path / "class").write_text(str(i % 2))
            tar.add(file, f"{i:03d}.jpg")
            tar.add(tmp_path / "class", f"{i:03d}.cls")
    shown = [{"bytes": file.read_bytes()} for file in files]
    parquet.write_table(pa.table({"image": shown, "label": [file.parent.name for file in files]}), tmp_path / "rows.parquet")
    for name in ("folder", "table.csv", "shard.tar", "rows.parquet"):
        names = str(tmp_path / "names.txt") if name == "shard.tar" else ""
        some = Lab(Settings.load({"classes": names})).open(str(tmp_path / name)).splits["all"]
        assert isinstance(some, Images)
        first = some.read(0)  # so that files are open, where any stay open
        assert cloudpickle.loads(cloudpickle.dumps(some)).read(0) == first, name


def test_the_command_line_prints_its_own_output_alone(light: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    BENCH["draw"](tmp_path / "pictures", 40)
    environment = {name: value for name, value in os.environ.items() if name not in engine.QUIET} | {"RAY_ADDRESS": "local"}
    said = ["--plugins-dir", *light["plugins_dir"], "--model", "light", "--engine", "ray", "--shard", "1/2", "--json"]
    done = subprocess.run(
        [Path(sys.executable).with_name("promptlab"), "encode", tmp_path / "pictures", *said],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["encoded"] == {"images": 20}
    assert {json.loads(line)["event"] for line in done.stderr.splitlines()} >= {"started", "finished"}
    lab = Lab(Settings.load(light))
    found, new = lab.features(lab.open(str(tmp_path / "pictures")), lab.encoder("light"))
    assert new == 20
    assert len(found["all"]) == 40
