"""What plugins add is used like promptlab's own, and every score says by whom it was made."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from promptlab import Lab
from promptlab.errors import PluginError, UsageError

from .conftest import Bench

MARGIN = "@hookimpl\ndef promptlab_rules():\n    return [Rule('margin', lambda c: c.true - c.rival, unit=Unit.MARGIN, about='ours')]\n"


def test_a_rule_scores_like_a_built_in_and_every_row_says_by_whom(bench: Bench, vectors: str) -> None:
    lab = bench.add("ours", MARGIN).lab()
    boards, _ = lab.score(vectors, ["margin", "cmm", "hit@2"])
    np.testing.assert_array_equal(boards["margin"].per_class, boards["cmm"].per_class)
    version = lab.plugin("ours")[0]["version"]
    assert [boards[name].by.split()[0] for name in ("margin", "cmm", "hit@2")] == ["ours", "promptlab", "promptlab"]
    kept = json.loads(next(Path("runs").glob("*/scores.json")).read_text())
    assert kept["margin"]["by"] == f"ours {version}"


def test_a_run_weighted_by_a_plugins_rule_says_so_in_result_and_classifier(bench: Bench, vectors: str) -> None:
    lab = bench.add("ours", MARGIN).lab(weights="margin")
    found = lab.run(vectors)
    assert found.summary["method"]["by"] == lab.rules["margin"].by
    assert found.summary["data"]["by"].startswith("promptlab ")
    assert found.outcome.board.by == lab.rules["margin"].by
    from promptlab import runs

    assert runs.load_classifier(found.run.classifier).lineage["by"] == lab.rules["margin"].by


def test_rows_of_a_study_say_by_whom_and_are_made_anew_when_the_plugin_changes(bench: Bench, vectors: str) -> None:
    axes = {"weights": ("margin",), "debias": ("none",)}
    _, rows = bench.add("ours", MARGIN).lab().study(vectors, axes)
    first = {row["by"] for row in rows if row["weights"] == "margin"}
    _, rows = bench.add("ours", MARGIN.replace("c.true - c.rival", "c.rival - c.true")).lab().study(vectors, axes)
    second = {row["by"] for row in rows if row["weights"] == "margin"}
    assert len(first) == len(second) == 1
    assert first != second


def test_an_analysis_becomes_a_part_of_the_report(bench: Bench, vectors: str) -> None:
    code = """
def find(judged):
    n, c = len(judged.features), len(judged.classifier.classes)
    return Finding(f"{n} pictures of {c} classes.", ("class", ">before"), (("<b>bold</b>\\x1b", f"{judged.before.per_class[0]:.2f}"),))
@hookimpl
def promptlab_analyses():
    return [Analysis("sizes", find)]
"""
    made = bench.add("ours", code).lab().run(vectors)
    (found,) = [one for one in made.summary["findings"] if one["name"] == "sizes"]
    assert found["headline"] == "30 pictures of 5 classes."
    assert found["by"].startswith("ours ")
    page, text = ((made.run.path / f"report.{kind}").read_text() for kind in ("html", "md"))
    assert "30 pictures of 5 classes." in page
    assert "30 pictures of 5 classes." in text
    assert "<b>bold</b>" not in page
    assert "\x1b" not in page + text


ENCODER = """
import hashlib, io
import numpy as np
from PIL import Image

class Colours:
    fingerprint, precision, scale, logit_bias, context_length = "colours 1", "fp32", 20.0, None, 16
    def clean(self, text): return text.lower()
    def tokens(self, text): return len(text.split())
    def encode_texts(self, texts, listen):
        return unit(np.array([[float(word in text) + 0.1 for word in ("red", "green", "blue")] for text in texts], np.float32)) * {factor}
    def encode_images(self, images, rows, listen):
        z, bad = [], {{}}
        for i in rows:
            try:
                z.append(np.asarray(read_rgb(images.read(i)), np.float32).mean((0, 1)))
            except Exception as error:
                bad[i] = str(error)
        return unit(np.array(z, np.float32)), bad

@hookimpl
def promptlab_encoders():
    return [ModelAlias("colours", about="three numbers", open=lambda device: Colours())]
"""


def photos(root: Path) -> str:
    for name, colour in (("red", (200, 30, 20)), ("green", (20, 220, 40)), ("blue", (30, 20, 190))):
        (root / name).mkdir(parents=True)
        for i in range(4):
            out = io.BytesIO()
            Image.new("RGB", (8, 8), tuple(np.array(colour) + i)).save(out, "PNG")
            (root / name / f"{i}.png").write_bytes(out.getvalue())
    (root / "red" / "broken.png").write_bytes(b"no picture")
    return str(root)


def test_an_encoder_of_a_plugin_runs_the_whole_loop(bench: Bench) -> None:
    lab = bench.add("ours", ENCODER.format(factor=1)).lab(model="colours", templates="plain")
    made = lab.run(photos(Path("photos")))
    assert made.summary["result"]["accuracy"] == 1
    assert made.summary["data"]["model"] == "colours"
    assert [one["picture"] for one in made.summary["data"]["skipped"]] == ["red/broken.png"]
    again = bench.lab(model="colours", templates="plain").run("photos")
    assert again.summary["encoded"] == {"texts": 0, "images": 0}
    with pytest.raises(UsageError, match="The classifier's model 'colours' is one of the plugin 'ours', which is not loaded"):
        Lab().classify("photos/blue/1.png", made.run.classifier)
    with pytest.raises(UsageError, match=r"The model of the run .* is one of the plugin 'ours', which is not loaded"):
        Lab().run()
    guess = bench.lab().classify("photos/blue/1.png", made.run.classifier)[0]
    assert guess.top[0][0] == "blue"


def test_rows_that_are_not_unit_are_refused_and_not_kept(bench: Bench) -> None:
    lab = bench.add("ours", ENCODER.format(factor=3)).lab(model="colours", templates="plain")
    with pytest.raises(PluginError) as caught:
        lab.run(photos(Path("photos")))
    assert caught.value.message == (
        "The plugin 'ours' gave rows with norms from 3 to 3 back from encode_texts of the model 'colours'; "
        "unit rows were expected: divide each by its norm."
    )


ODD = """
class Odd:
    name, about, example = "odd", "odd", "promptlab run odd"
    def claims(self, where):
        return where == "odd"
    def open(self, where, options):
        import numpy as np
        rng = np.random.default_rng(0)
        labels = np.repeat(np.arange(3), 8)
        keys = tuple(f"{i:02d}" for i in range(24))
        return Dataset("odd", Classes.of(["a", "b", "c"]), {"all": Features(unit(rng.normal(size=(24, 384))), keys, labels, "all", "")})
@hookimpl
def promptlab_datasets():
    return [Odd()]
"""


def test_a_run_whose_data_a_plugin_opened_goes_on_with_that_plugin_alone(bench: Bench) -> None:
    bench.add("ours", ODD).lab(model="mini").score("odd", ["cmm"])
    bench.lab().score("", ["cmm"])
    with pytest.raises(UsageError, match="was opened by the plugin 'ours', which is not loaded") as caught:
        Lab().score("", ["cmm"])
    assert "--plugins-dir" in caught.value.hint


def test_a_model_that_two_plugins_bring_cannot_be_had_and_that_is_a_plugin_fault(bench: Bench) -> None:
    code = "@hookimpl\ndef promptlab_encoders():\n    return [ModelAlias('same', 'local-dir:x')]\n"
    with pytest.raises(PluginError, match="The plugins 'one' and 'two' both bring a model named 'same'"):
        bench.add("one", code).add("two", code).lab().encoder("same")


def test_faults_within_a_run_are_among_its_events(bench: Bench, vectors: str) -> None:
    made = bench.add("ours", "@hookimpl\ndef promptlab_analyses():\n    return [Analysis('odd', lambda judged: 1 / 0)]").lab().run(vectors)
    assert "failed in the analysis 'odd'" in (made.run.path / "events.jsonl").read_text()
