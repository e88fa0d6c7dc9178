"""Verbs one by one, in this process; data that brings its own text vectors needs no model."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest

from promptlab.cli.main import cli
from promptlab.data.imagefolder import some_pictures
from promptlab.events import ignore
from promptlab.lab import Lab

from .conftest import Said

Call, Npz = Callable[..., Said], Callable[..., str]


def leaves(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], click.Command]]:
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name, command in group.commands.items():
        found.append(((*before, name), command))
        if isinstance(command, click.Group):
            found += leaves(command, (*before, name))
    return found


@pytest.mark.parametrize(("path", "command"), leaves(cli), ids=lambda value: " ".join(value) if isinstance(value, tuple) else "")
def test_every_verb_says_what_it_does(path: tuple[str, ...], command: click.Command, promptlab: Call) -> None:
    assert command.help
    assert all(getattr(option, "help", None) for option in command.params if isinstance(option, click.Option))
    assert path in (("prompts",), ("tui",)) or {"as_json", "quiet"} <= {option.name for option in command.params}
    said = promptlab(*path, "--help")
    assert said.code == 0


LISTS = {
    "datasets": list,
    "models": list,
    "templates": list,
    "templates general": list,
    "rules": list,
    "runs": list,
    "plugins list": list,
    "doctor": dict,
    "cache": dict,
    "keys": list,
    "keys list": list,
}


@pytest.mark.parametrize("words", LISTS)
def test_every_list_can_be_had_as_json_and_as_a_table(promptlab: Call, words: str) -> None:
    said = promptlab(*words.split(), "--json")
    assert said.code == 0, said.err
    assert isinstance(said.json, LISTS[words])
    table = promptlab(*words.split())
    assert table.code == 0
    assert table.out.strip()
    assert not table.out.startswith(("[", "{"))


def test_the_embedded_parts_are_listed(promptlab: Call) -> None:
    assert {entry["model"] for entry in promptlab("models", "--json").json} >= {"mini"}
    assert {entry["name"] for entry in promptlab("datasets", "--json").json} >= {"everyday", "imagefolder", "features"}
    assert {entry["name"]: entry["templates"] for entry in promptlab("templates", "--json").json}["openai-80"] == 80


def test_published_models_can_be_searched(promptlab: Call) -> None:
    found = [entry["model"] for entry in promptlab("models", "vit-b-32,LAION2b", "--json").json]
    assert "ViT-B-32,laion2b_s34b_b79k" in found
    assert "mini" in found


def test_doctor_says_where_each_setting_came_from(promptlab: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_SEED", "3")
    Path("promptlab.toml").write_text("k = 4\n")
    settings = promptlab("doctor", "--json", "--runs", "there").json["settings"]
    assert settings["seed"] == {"value": "3", "from": "environment"}
    assert settings["k"] == {"value": "4", "from": str(Path.cwd() / "promptlab.toml")}
    assert settings["runs"] == {"value": "there", "from": "flag"}
    assert settings["tau"]["from"] == "default"


def test_run_score_and_build_print_json_alone(promptlab: Call, npz: Npz) -> None:
    data = npz()
    for verb in ("run", "score", "build"):
        said = promptlab(verb, data, "--json")
        assert said.code == 0, said.err
        assert isinstance(said.json, dict)


def test_run_prints_tables_for_people(promptlab: Call, npz: Npz) -> None:
    said = promptlab("run", npz())
    assert said.code == 0
    for part in ("Before and after", "Worst classes", "Families", "Health", "Report: ", "Classifier: "):
        assert part in said.out


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_terminal(promptlab: Call, in_a_run: str, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for arguments in (("run",), ("score",), ("runs",), ("templates", "openai-80"), ("datasets",), ("doctor",), ("rules",), ("cache",)):
        said = promptlab(*arguments)
        assert said.code == 0, said.err
        paths = ("Report: ", "Classifier: ")
        assert max(len(line) for line in said.out.splitlines() if not line.startswith(paths)) <= width, arguments


def test_quiet_says_nothing_on_the_side(promptlab: Call, npz: Npz) -> None:
    assert promptlab("run", npz(), "--quiet").err == ""


def test_quiet_keeps_warnings(promptlab: Call, npz: Npz) -> None:
    assert "no logit scale" in promptlab("run", npz(scale=None), "--quiet").err


def test_score_gives_every_rule_for_every_family_and_class(promptlab: Call, npz: Npz) -> None:
    found = promptlab("score", npz(), "--rule", "cmm/worst-2", "--rule", "accuracy", "--rule", "hit@2", "--json").json
    assert set(found) == {"cmm/worst-2", "accuracy", "hit@2"} or {key.partition("/")[0] for key in found} == {"cmm", "accuracy", "hit@2"}
    for board in found.values():
        assert np.array(board["per_class"]).shape == (2, 3)
        assert len(board["value"]) == 2
        assert board["labels"] == "true"


@pytest.mark.parametrize("source", ["true", "ensemble", "self"])
def test_score_says_which_labels_it_used(promptlab: Call, npz: Npz, source: str) -> None:
    found = promptlab("score", npz(), "--rule", "cmm", "--labels", source, "--json").json
    assert [board["labels"] for board in found.values()] == [source]


def test_without_labels_the_accuracy_is_null_and_nothing_breaks(promptlab: Call, npz: Npz) -> None:
    said = promptlab("run", npz(labels=None), "--json")
    assert said.code == 0, said.err
    found = said.json
    for part in ("baseline", "result"):
        assert found[part]["accuracy"] is found[part]["interval"] is found[part]["mean"] is found[part]["zeros"] is None
        assert found[part]["worst"]["fixed"] is found[part]["worst"]["repicked"] is None
        assert isinstance(found[part]["cmm_top"], float)
    assert found["difference"]["accuracy"] is found["difference"]["mcnemar_p"] is None
    assert 0 <= found["difference"]["changed"] <= 1
    assert found["data"]["absent"] is None
    assert "Without labels" in promptlab("run", npz(labels=None)).out


def test_a_flat_folder_with_names_runs_without_labels(promptlab: Call, photos: Path) -> None:
    flat = Path("flat")
    flat.mkdir()
    for i, path in enumerate(sorted(photos.rglob("*.png"))):
        (flat / f"{i:02d}.png").write_bytes(path.read_bytes())
    Path("names.txt").write_text("red paper\ngreen leaf\nblue sky\n")
    said = promptlab("run", "flat", "--classes", "names.txt", "--templates", "plain", "--json", "--quiet")
    assert said.code == 0, said.err
    assert said.json["result"]["accuracy"] is None
    assert said.json["data"]["n"] == 15


def test_a_run_goes_on_from_another_folder(promptlab: Call, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("names.tsv").write_text("red\tcrimson\n")
    run = promptlab("run", str(photos), "--classes", "names.tsv", "--templates", "plain", "--json").json["run"]
    where = str(Path(run).resolve())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    said = promptlab("score", "--run", where, "--json")
    assert said.code == 0, said.err
    assert next(iter(said.json.values()))["classes"] == ["blue", "green leaf", "crimson"]


def run_names() -> set[str]:
    return {path.name for path in Path("runs").iterdir() if not path.is_symlink()}


def test_verbs_without_data_go_on_with_the_latest_run(promptlab: Call, in_a_run: str) -> None:
    before = run_names()
    score = promptlab("score", "--json", "--rule", "accuracy")
    again = promptlab("run", "--json")
    assert (score.code, again.code) == (0, 0)
    assert run_names() == before
    assert Path(again.json["run"]).name == in_a_run
    assert json.loads(Path("runs", in_a_run, "scores.json").read_text()) == score.json
    assert again.json["encoded"] == {"texts": 0, "images": 0}


def test_a_run_that_goes_on_gives_the_same_result(promptlab: Call, in_a_run: str) -> None:
    first = json.loads(Path("runs", in_a_run, "result.json").read_text())
    second = promptlab("run", "--json").json
    for own in ("run", "seconds", "encoded"):
        first.pop(own), second.pop(own)
    assert first == second


def test_changed_settings_make_a_new_run(promptlab: Call, in_a_run: str) -> None:
    before = run_names()
    said = promptlab("run", "--weights", "uniform", "--json")
    assert said.code == 0, said.err
    assert len(run_names() - before) == 1
    manifest = json.loads(Path(said.json["run"], "run.json").read_text())
    assert manifest["settings"]["weights"] == "uniform"
    assert manifest["settings"]["templates"] == ["simple"]
    assert manifest["data"] == "everyday"


def test_an_older_run_goes_on_when_it_is_named(promptlab: Call, in_a_run: str) -> None:
    (older,) = run_names() - {in_a_run}
    said = promptlab("run", "--run", older, "--json")
    assert Path(said.json["run"]).name == older


def test_build_leaves_a_finished_run_as_it_is(promptlab: Call, in_a_run: str) -> None:
    judged = Path("runs", in_a_run, "classifier.safetensors").read_bytes()
    said = promptlab("build", "--weights", "uniform", "-o", "mine.safetensors", "--json")
    assert said.code == 0, said.err
    assert said.json["classes"] == 101
    assert said.json["width"] == 384
    assert Path("mine.safetensors").stat().st_size > 101 * 384 * 4
    assert Path("runs", in_a_run, "classifier.safetensors").read_bytes() == judged


def test_runs_are_listed_shown_and_removed(promptlab: Call, in_a_run: str) -> None:
    listed = promptlab("runs", "--json").json
    assert [entry["run"] for entry in listed] == sorted(run_names(), reverse=True)
    assert listed[0]["result"]["data"]["name"] == "everyday"
    shown = promptlab("runs", "show")
    assert shown.out.strip() == Path("runs", in_a_run, "report.md").read_text("utf-8").strip()
    assert promptlab("runs", "show", in_a_run, "--json").json["result"]["run"].endswith(in_a_run)
    removed = promptlab("runs", "remove", in_a_run, "--yes")
    assert removed.code == 0
    assert in_a_run not in run_names()
    assert promptlab("runs", "show", in_a_run).code == 2


def test_nothing_is_removed_unasked(promptlab: Call, in_a_run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    said = promptlab("runs", "remove", in_a_run)
    assert said.code == 130
    assert in_a_run in run_names()


def test_nothing_is_removed_when_one_name_is_wrong(promptlab: Call, in_a_run: str) -> None:
    assert promptlab("runs", "remove", in_a_run, "nothing", "--yes").code == 2
    assert in_a_run in run_names()


def test_an_unfinished_run_says_how_to_go_on(promptlab: Call, in_a_run: str) -> None:
    Path("runs", in_a_run, "report.md").unlink()
    said = promptlab("runs", "show")
    assert said.code == 2
    assert f"promptlab run --run {in_a_run}" in said.err


def test_cleaning_the_cache_leaves_what_others_put_there(promptlab: Call, npz: Npz, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    (cache / "Documents" / "thesis").mkdir(parents=True)
    (cache / "Documents" / "thesis" / "a.tex").write_text("years of work")
    (cache / "text" / "abc").mkdir(parents=True)
    (cache / "text" / "abc" / "texts.sqlite").write_text("x")
    said = promptlab("cache", "clean", "--all", "--yes")
    assert said.code == 0, said.err
    assert (cache / "Documents" / "thesis" / "a.tex").exists()
    assert not (cache / "text" / "abc" / "texts.sqlite").exists()


@pytest.fixture
def filled(promptlab: Call, photos: Path) -> Path:
    """A cache with vectors of `mini`."""
    import os

    assert promptlab("encode", str(photos), "--templates", "plain").code == 0
    return Path(os.environ["PROMPTLAB_CACHE"])


def test_the_cache_names_models(promptlab: Call, filled: Path) -> None:
    found = {entry["kind"]: entry["model"] for entry in promptlab("cache", "--json").json["entries"]}
    assert (found["features"], found["text"]) == ("mini fp32", "mini")
    assert "mini fp32" in promptlab("cache").out


def test_vectors_of_one_model_are_deleted_by_its_name(promptlab: Call, filled: Path) -> None:
    for wrong in ("", "minni"):
        said = promptlab("cache", "clean", "--encoder", wrong, "--yes")
        assert said.code == 2
        assert "mini" in said.err
    deleted = promptlab("cache", "clean", "--encoder", "mini", "--yes", "--json").json["deleted"]
    assert {entry["kind"] for entry in deleted} == {"features", "text"}
    assert {entry["kind"] for entry in promptlab("cache", "--json").json["entries"]} <= {"hashes", "scales", "names"}


def test_cleaning_all_leaves_nothing(promptlab: Call, filled: Path) -> None:
    assert promptlab("cache", "clean", "--all", "--yes").code == 0
    assert promptlab("cache", "--json").json["entries"] == []
    assert promptlab("cache", "clean", "--all").out == "Deleted 0 entries, 0.0 MB.\n"


@pytest.mark.parametrize("days", ["-5", "nan", "inf"])
def test_an_age_is_a_number_of_days(promptlab: Call, filled: Path, days: str) -> None:
    assert promptlab("cache", "clean", "--older-than", days, "--yes").code == 2
    assert promptlab("cache", "clean", "--older-than", "1", "--yes").out == "Deleted 0 entries, 0.0 MB.\n"


def test_classify_names_what_is_on_a_picture(promptlab: Call, in_a_run: str, photos: Path) -> None:
    said = promptlab("classify", str(photos / "red" / "0.png"), str(photos / "blue" / "0.png"), "--json", "--top", "4")
    assert said.code == 0, said.err
    assert [Path(guess["picture"]).parent.name for guess in said.json] == ["red", "blue"]
    for guess in said.json:
        shares = [entry["share"] for entry in guess["top"]]
        assert len(shares) == 4
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1
        assert guess["margin"] >= 0


def test_classify_chooses_from_texts_without_a_classifier(promptlab: Call, photos: Path) -> None:
    pictures, texts = [str(photos / name / "0.png") for name in ("red", "blue")], ["a red wall", "a blue wall", "a spoon"]
    said = promptlab("classify", *pictures, *(word for text in texts for word in ("--text", text)), "--json", "--top", "3")
    encoder = Lab().encoder()
    x, _ = encoder.encode_images(some_pictures(pictures), range(2), ignore)
    logit = encoder.scale * x.astype(np.float64) @ encoder.encode_texts(texts, ignore).T
    share = np.exp(logit) / np.exp(logit).sum(1, keepdims=True)
    for guess, row in zip(said.json, share, strict=True):
        assert {one["text"]: one["share"] for one in guess["top"]} == pytest.approx(dict(zip(texts, row, strict=True)), abs=1e-4)
    alone = promptlab("classify", pictures[0], "--text", "alone")
    assert (alone.code, "at least two" in alone.err) == (2, True)
    beside = promptlab("classify", pictures[0], "--text", "a", "--text", "b", "--run", "latest")
    assert (beside.code, "needs no classifier" in beside.err) == (2, True)


def test_classify_says_which_pictures_it_could_not_read(promptlab: Call, in_a_run: str, photos: Path) -> None:
    Path("bad.jpg").write_bytes(b"no picture")
    mixed = promptlab("classify", "bad.jpg", str(photos / "red" / "0.png"), "--json")
    assert mixed.code == 0
    assert "UnidentifiedImageError" in mixed.json[0]["error"]
    assert mixed.json[1]["top"]
    Path("empty").mkdir()
    alone = promptlab("classify", "bad.jpg", "gone.jpg", "empty", "--json")
    assert alone.code == 1
    assert [bool(guess["error"]) for guess in alone.json] == [True, True, True]
    assert "cannot be read" in promptlab("classify", "bad.jpg").out


def test_classify_takes_the_pictures_in_a_folder(promptlab: Call, in_a_run: str, photos: Path) -> None:
    said = promptlab("classify", str(photos / "red"), str(photos / "blue" / "0.png"), "--json")
    assert said.code == 0
    assert [guess["picture"] for guess in said.json] == [
        *(str(photos / "red" / f"{i}.png") for i in range(5)),
        str(photos / "blue" / "0.png"),
    ]


def test_classify_from_python_takes_one_path_or_several(in_a_run: str, photos: Path) -> None:
    from promptlab import Lab

    one, kept = photos / "red" / "0.png", "runs/latest/classifier.safetensors"
    found = [Lab().classify(given, kept) for given in (str(one), one, [one], [str(one)])]
    assert [[guess.key for guess in guesses] for guesses in found] == [[str(one)]] * 4


def test_classify_with_more_classes_asked_for_than_there_are(promptlab: Call, in_a_run: str, photos: Path) -> None:
    said = promptlab("classify", str(photos / "red" / "0.png"), "--json", "--top", "1000")
    assert len(said.json[0]["top"]) == 101
    assert sum(entry["share"] for entry in said.json[0]["top"]) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("top", ["0", "-1"])
def test_classify_must_be_asked_for_at_least_one_class(promptlab: Call, in_a_run: str, photos: Path, top: str) -> None:
    said = promptlab("classify", str(photos / "red" / "0.png"), "--top", top)
    assert said.code == 2
    assert said.out == ""


def test_a_classifier_and_another_model_refuse_to_meet(promptlab: Call, in_a_run: str, photos: Path) -> None:
    mini = Path(__file__).parents[2] / "plugins" / "promptlab-demo" / "promptlab_demo" / "mini"
    Path("other").mkdir()
    config = json.loads((mini / "open_clip_config.json").read_text())
    config["preprocess_cfg"]["interpolation"] = "bilinear"
    Path("other/open_clip_config.json").write_text(json.dumps(config))
    Path("other/open_clip_model.safetensors").symlink_to(mini / "open_clip_model.safetensors")
    said = promptlab("classify", str(photos / "red" / "0.png"), "--model", "other")
    assert said.code == 1
    assert "not made with the model '" in said.err
    assert "other'" in said.err
    assert "mini" in said.err


def test_a_classifier_that_knows_no_model_asks_for_it(promptlab: Call, npz: Npz, photos: Path) -> None:
    assert promptlab("run", npz()).code == 0
    said = promptlab("classify", str(photos / "red" / "0.png"))
    assert said.code == 2
    assert "--model" in said.err


EDGES: dict[str, dict[str, Any]] = {
    "one family": {"k": 1},
    "two classes": {"c": 2},
    "as many pictures as classes twice": {"n": 6},
    "equal texts": {"text": np.ones((2, 3, 8), np.float32)},
    "equal pictures": {"features": np.ones((24, 8), np.float32)},
    "half precision": {"features": np.eye(8, dtype=np.float16)[np.arange(24) % 3]},
    "absent classes": {"labels": np.arange(24) % 2},
    "one class alone occurs": {"labels": np.zeros(24, int)},
    "unsigned labels": {"labels": (np.arange(24) % 3).astype(np.uint8)},
    "long vectors": {"features": 1e4 * np.eye(8, dtype=np.float32)[np.arange(24) % 3]},
}


@pytest.mark.parametrize("case", EDGES)
@pytest.mark.parametrize(
    "flags", [(), ("--weights", "uniform"), ("--combine", "logit"), ("--k", "1000"), ("--transductive",)], ids=" ".join
)
def test_small_and_strange_data_run_through(promptlab: Call, npz: Npz, case: str, flags: tuple[str, ...]) -> None:
    said = promptlab("run", npz(**EDGES[case]), *flags, "--json", "--quiet")
    assert said.code == 0, said.err
    assert 0 <= said.json["result"]["accuracy"] <= 1


@pytest.mark.parametrize(("case", "arrays"), [("one class", {"c": 1}), ("one picture a class", {"n": 3}), ("one picture", {"n": 1})])
def test_data_too_small_to_be_judged_is_refused_in_words(promptlab: Call, npz: Npz, case: str, arrays: dict[str, int]) -> None:
    said = promptlab("run", npz(**arrays), "--json", "--quiet")
    assert said.code == 1
    assert "Something broke" not in said.err
    assert said.out == ""


def test_eval_is_a_gate(promptlab: Call, npz: Npz) -> None:
    data = npz()
    assert promptlab("run", data).code == 0
    passed = promptlab("eval", data, "--fail-under", "accuracy=0.5", "--json")
    failed = promptlab("eval", npz(labels=(np.arange(24) + 1) % 3), "--fail-under", "accuracy=0.5", "--fail-under", "worst=0", "--json")
    assert (passed.code, passed.json["failed"]) == (0, [])
    assert (failed.code, failed.json["failed"]) == (1, ["accuracy"])


def test_eval_joins_classes_by_name_where_folders_differ(promptlab: Call, photos: Path) -> None:
    promptlab("run", str(photos), "--templates", "plain")
    (photos / "green_leaf").rename(photos / "001.Green leaf")
    (photos / "red").rename(photos / "rot")
    said = promptlab("eval", str(photos))
    assert said.code == 1
    assert "'rot'" in said.err
    assert "It knows: blue, green_leaf, red." in said.err
    Path("names.tsv").write_text("rot\tred\n")
    assert promptlab("eval", str(photos), "--classes", "names.tsv", "--json").json["accuracy"] > 0.5


def test_a_head_promises_no_more_worst_classes_than_have_pictures(promptlab: Call, npz: Npz) -> None:
    said = promptlab("run", npz(labels=np.arange(24) % 2), "--k", "1000")
    assert "fixed worst-2 %" in said.out
    assert "worst-2 %" in promptlab("eval", npz(labels=np.arange(24) % 2), "--k", "1000").out


def test_a_comparison_says_whose_worst_classes_are_fixed(promptlab: Call, npz: Npz) -> None:
    promptlab("run", npz())
    assert "worst classes of the first" in promptlab("compare", "latest", "latest").out


def test_so_few_pictures_without_labels_say_nothing(promptlab: Call, npz: Npz) -> None:
    assert "few-pictures" in promptlab("run", npz(n=12, labels=None)).out
    assert "few-pictures" not in promptlab("run", npz(n=60, labels=None)).out
    assert "few-pictures" not in promptlab("run", npz(n=12)).out


def test_encode_counts_every_text(promptlab: Call, photos: Path) -> None:
    Path("mine.txt").write_text("a drawing of my {}.\n")
    found = promptlab("encode", str(photos), "--templates", "mine.txt", "--json").json
    assert found["encoded"]["texts"] == found["texts"] == 6


def test_score_says_where_the_scores_are(promptlab: Call, npz: Npz) -> None:
    said = promptlab("score", npz())
    (line,) = [line for line in said.out.splitlines() if line.startswith("Scores: ")]
    assert Path(line.removeprefix("Scores: ")).is_file()


def test_names_to_copy_are_never_folded(promptlab: Call, npz: Npz, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Path(promptlab("run", npz(), "--json").json["run"]).name
    for width in ("20", "40", "80"):
        monkeypatch.setenv("COLUMNS", width)
        assert run in promptlab("runs").out
    monkeypatch.delenv("COLUMNS")
    (row,) = [line for line in promptlab("datasets").out.splitlines() if "clip-retrieval " in line]
    assert "laion2b_s34b_b79k" in row


def test_no_model_is_offered_that_would_be_refused(promptlab: Call) -> None:
    found = {entry["model"] for entry in promptlab("models", "ViT-B-32", "--json").json}
    assert "ViT-B-32-quickgelu,openai" in found
    assert "ViT-B-32,openai" not in found
    assert "--model ViT-B-32,openai" not in promptlab("datasets").out


def test_compare_prints_json_alone(promptlab: Call, npz: Npz) -> None:
    data = npz()
    first = Path(promptlab("run", data, "--json").json["run"]).name
    second = Path(promptlab("run", data, "--weights", "uniform", "--json").json["run"]).name
    said = promptlab("compare", first, second, "--json")
    assert said.code == 0, said.err
    assert isinstance(said.json, dict)


def test_init_writes_a_file_that_changes_nothing(promptlab: Call) -> None:
    assert promptlab("init").code == 0
    before = promptlab("doctor", "--json").json["settings"]
    assert {entry["from"] for name, entry in before.items() if name != "cache"} == {"default"}
    assert promptlab("init").code == 2


def test_encode_ahead_of_time_leaves_nothing_for_the_run(promptlab: Call, photos: Path) -> None:
    ahead = promptlab("encode", str(photos), "--templates", "plain", "--json", "--quiet")
    assert ahead.code == 0, ahead.err
    assert ahead.json["encoded"]["images"] == 15
    assert promptlab("run", str(photos), "--templates", "plain", "--json", "--quiet").json["encoded"] == {"texts": 0, "images": 0}


# -- what a finished run holds stays ------------------------------------------------------------------------------------------------


@pytest.fixture
def finished(promptlab: Call, photos: Path) -> Path:
    """A finished run of the photos."""
    return Path(promptlab("run", str(photos), "--templates", "simple", "--json").json["run"]).resolve()


def test_edited_prompts_make_a_new_run_and_leave_the_old_one_whole(promptlab: Call, finished: Path) -> None:
    before = {p.name: p.read_bytes() for p in finished.iterdir() if p.name != "events.jsonl"}
    assert promptlab("prompts", "rename", "red", "crimson").code == 0
    assert promptlab("prompts", "list", "--json").json["names"] == {"red": ["crimson"]}
    second = Path(promptlab("run", "--json").json["run"]).resolve()
    assert second != finished
    assert {p.name: p.read_bytes() for p in finished.iterdir() if p.name != "events.jsonl"} == before
    assert "crimson" in (second / "prompts.toml").read_text()
    assert promptlab("compare", finished.name, second.name, "--json").code == 0


def test_scoring_with_other_templates_keeps_the_run_s_own(promptlab: Call, finished: Path) -> None:
    promptlab("prompts", "rename", "red", "crimson")
    assert promptlab("score", "--templates", "plain").code == 0
    kept = promptlab("prompts", "--run", finished.name, "list", "--json").json
    assert (len(kept["templates"]), kept["names"]) == (7, {"red": ["crimson"]})


def test_templates_of_a_project_do_not_hide_those_of_a_run(promptlab: Call, finished: Path) -> None:
    promptlab("prompts", "add", "a photo of {} at night.")
    Path("promptlab.toml").write_text('templates = ["plain"]\n')
    assert len(promptlab("prompts", "list", "--json").json["templates"]) == 8
    assert len(promptlab("run", "--json").json["families"]) == 8


def test_a_command_that_fails_leaves_no_run_behind(promptlab: Call, finished: Path, photos: Path) -> None:
    assert promptlab("score", str(photos), "--rule", "foo").code == 2
    assert promptlab("run", str(photos), "--model", "ViT-B-32,nonsense").code == 2
    assert [p.name for p in Path("runs").iterdir() if not p.is_symlink()] == [finished.name]
    assert promptlab("classify", str(photos / "red" / "0.png")).code == 0


def test_classify_after_score_uses_the_newest_classifier(promptlab: Call, finished: Path, photos: Path) -> None:
    assert promptlab("score", "everyday", "--templates", "plain", "--rule", "cmm").code == 0
    assert promptlab("classify", str(photos / "red" / "0.png")).code == 0


def test_a_comparison_with_a_classifier_that_saw_the_pictures_gives_no_verdict(promptlab: Call, finished: Path, photos: Path) -> None:
    other = promptlab("run", str(photos), "--templates", "simple", "--transductive", "--json").json["run"]
    said = promptlab("compare", finished.name, Path(other).name)
    assert "No verdict" in said.out
    assert promptlab("compare", finished.name, Path(other).name, "--json").json["in_sample"] is True


def test_eval_says_that_it_judges_pictures_that_were_tuned_on(promptlab: Call, finished: Path, photos: Path) -> None:
    assert "In-sample in part" in promptlab("eval", str(photos)).out
    worst = promptlab("eval", str(photos), "--json").json["worst"]
    assert set(worst) == {"k", "repicked", "classes"}


def test_a_kept_baseline_says_so_in_its_file(promptlab: Call, photos: Path) -> None:
    from promptlab.runs import load_classifier

    found = promptlab("run", str(photos), "--templates", "simple", "--json").json
    lineage = load_classifier(Path(found["run"]) / "classifier.safetensors").lineage
    if not found["method"]["kept"]:
        assert (lineage["how"], lineage["debias"]) == ("uniform", "none")
    assert found["method"]["kept"] or len(set(lineage["weights"])) == 1


def test_options_that_contradict_are_refused(promptlab: Call, finished: Path, photos: Path) -> None:
    assert promptlab("run", str(photos), "--run", finished.name).code == 2
    assert promptlab("run", str(photos), "--from", finished.name, "--templates", "plain").code == 2
    assert promptlab("run", "everyday", "--classes", "names.txt").code == 1


def test_without_labels_offsets_have_no_say(promptlab: Call, photos: Path) -> None:
    Path("names.txt").write_text("red\nblue\ngreen leaf\ndog\n")
    Path("flat").mkdir()
    for i, picture in enumerate(sorted((photos / "red").iterdir())):
        Path(f"flat/{i}.png").write_bytes(picture.read_bytes())
    said = promptlab(
        "run", "flat", "--classes", "names.txt", "--weights", "uniform", "--debias", "balance", "--templates", "plain", "--json"
    )
    assert said.json["method"]["kept"] is False


def test_edits_outlive_a_run_that_fails(promptlab: Call, finished: Path) -> None:
    promptlab("prompts", "rename", "red", "crimson")
    assert promptlab("run", "--model", "ViT-B-32,nonsense").code == 2
    assert promptlab("prompts", "list", "--json").json["names"] == {"red": ["crimson"]}
