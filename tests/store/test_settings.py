from pathlib import Path
from typing import Any

import pytest

from promptlab.config import Settings
from promptlab.errors import UsageError


def project(text: str) -> str:
    path = Path.cwd() / "promptlab.toml"
    path.write_text(text)
    return str(path)


def test_without_anything_all_is_default() -> None:
    settings = Settings.load({})
    assert settings.weights == "shrunk"
    assert settings.templates == ("general",)
    assert "weights" not in settings.origin


def test_flags_go_before_environment_before_file_before_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    file = project('seed = 1\ntau = 2.0\nk = 3\nweights = "uniform"\n')
    monkeypatch.setenv("PROMPTLAB_SEED", "11")
    monkeypatch.setenv("PROMPTLAB_TAU", "12")
    settings = Settings.load({"seed": 21, "tau": None, "model": None})
    assert (settings.seed, settings.tau, settings.k, settings.weights, settings.labels) == (21, 12.0, 3, "uniform", "auto")
    assert settings.origin["seed"] == "flag"
    assert settings.origin["tau"] == "environment"
    assert settings.origin["k"] == settings.origin["weights"] == file
    assert "labels" not in settings.origin


def test_a_flag_that_is_false_or_zero_is_given() -> None:
    project("k = 3\ntransductive = true\n")
    settings = Settings.load({"k": 0, "transductive": False})
    assert (settings.k, settings.transductive) == (0, False)


def test_no_template_on_the_command_line_is_no_template_given() -> None:
    project('templates = ["simple"]\n')
    assert Settings.load({"templates": ()}).templates == ("simple",)
    assert Settings.load({"templates": ("plain", "simple")}).templates == ("plain", "simple")


def test_environment_values_are_read_as_their_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SEED": "7", "TAU": "0.5", "TRANSDUCTIVE": "true", "TEMPLATES": "plain,simple"}.items():
        monkeypatch.setenv(f"PROMPTLAB_{name}", value)
    settings = Settings.load({})
    assert (settings.seed, settings.tau, settings.transductive, settings.templates) == (7, 0.5, True, ("plain", "simple"))


@pytest.mark.parametrize(("value", "wanted"), [("1", True), ("yes", True), ("ON", True), ("0", False), ("no", False), ("false", False)])
def test_yes_and_no_can_be_said_in_the_environment(monkeypatch: pytest.MonkeyPatch, value: str, wanted: bool) -> None:
    monkeypatch.setenv("PROMPTLAB_TRANSDUCTIVE", value)
    assert Settings.load({}).transductive is wanted


def test_an_unknown_setting_lists_the_nearest() -> None:
    file = project('wieghts = "cpe"\n')
    with pytest.raises(UsageError, match="wieghts") as caught:
        Settings.load({})
    assert "Did you mean 'weights'?" in caught.value.hint
    assert file in caught.value.message


@pytest.mark.parametrize(
    "line",
    [
        'seed = "seven"',
        "seed = 1.5",
        "seed = true",
        "seed = [1]",
        'tau = "warm"',
        "tau = false",
        "k = 2.5",
        "model = 5",
        'transductive = "perhaps"',
        "transductive = 1",
        "templates = 5",
        "templates = [5]",
        "weights = 1",
        "[weights]",
        "origin = 1",
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_name(line: str) -> None:
    project(line + "\n")
    with pytest.raises(UsageError, match=line.strip("[]").partition(" ")[0]):
        Settings.load({})


def test_a_word_that_is_neither_yes_nor_no_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_TRANSDUCTIVE", "perhaps")
    with pytest.raises(UsageError, match="perhaps"):
        Settings.load({})


@pytest.mark.parametrize(
    "flags",
    [
        {"scope": "classes"},
        {"labels": "labels"},
        {"combine": "both"},
        {"debias": "yes"},
        {"tau": 0.0},
        {"tau": -1.0},
        {"tau": 1e-320},
        {"tau": float("nan")},
        {"k": -1},
        {"precision": "int4"},
    ],
)
def test_values_that_make_no_sense_are_refused(flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(flags))):
        Settings.load(flags)


def test_an_unknown_choice_lists_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        Settings.load({"debias": "balanc"})
    assert "Did you mean 'balance'?" in caught.value.hint


@pytest.mark.parametrize("line", ['cache = "/tmp/elsewhere"', "allow_pickle_weights = true"])
def test_a_project_file_may_not_set_what_a_stranger_must_not(line: str) -> None:
    project(line)
    with pytest.raises(UsageError, match="may not") as caught:
        Settings.load({})
    assert "Use --" in caught.value.hint


@pytest.mark.parametrize("runs", ["/tmp/elsewhere", "../elsewhere", "inside/../../elsewhere"])
def test_a_project_file_may_not_put_runs_outside_of_its_folder(runs: str) -> None:
    project(f'runs = "{runs}"')
    with pytest.raises(UsageError, match="outside of its folder"):
        Settings.load({})


def test_a_project_file_may_not_put_runs_outside_by_a_link(tmp_path: Path) -> None:
    Path("link").symlink_to(tmp_path)
    project('runs = "link/elsewhere"')
    with pytest.raises(UsageError, match="outside of its folder"):
        Settings.load({})


@pytest.mark.parametrize("runs", ["results", "./a/b", "a/../b"])
def test_a_project_file_may_put_runs_inside(runs: str) -> None:
    project(f'runs = "{runs}"')
    assert Settings.load({}).runs == runs


def test_environment_and_flags_may_put_things_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_CACHE", "/tmp/c")
    settings = Settings.load({"runs": "/tmp/r"})
    assert (settings.cache_folder, settings.runs) == (Path("/tmp/c"), "/tmp/r")


def test_a_cache_in_the_home_folder_may_be_written_with_a_tilde() -> None:
    assert Settings.load({"cache": "~/c"}).cache_folder == Path.home() / "c"


@pytest.mark.parametrize("content", [b"seed = ", b"\xff\xfe", b"seed = 1\nseed = 2\n"])
def test_a_broken_project_file_is_refused_by_name(content: bytes) -> None:
    Path("promptlab.toml").write_bytes(content)
    with pytest.raises(UsageError, match=r"promptlab\.toml"):
        Settings.load({})


def test_what_nobody_set_comes_from_the_run_and_places_stay() -> None:
    kept = Settings.load({"seed": 5, "weights": "uniform", "templates": ("plain",), "runs": "old", "device": "cpu"}).plain()
    now = Settings.load({"seed": 6}).over(kept)
    assert (now.seed, now.weights, now.templates) == (6, "uniform", ("plain",))
    assert (now.runs, now.device) == ("runs", "auto")


def test_settings_agree_when_a_run_would_come_out_the_same() -> None:
    kept = Settings.load({"seed": 5}).plain()
    assert Settings.load({"seed": 5, "runs": "elsewhere", "device": "cpu"}).agrees(kept)
    assert not Settings.load({"seed": 6}).agrees(kept)


def test_a_run_of_an_older_version_with_fewer_settings_can_go_on() -> None:
    kept = {name: value for name, value in Settings.load({"seed": 5}).plain().items() if name != "precision"}
    assert Settings.load({}).over(kept).seed == 5


def test_a_run_with_a_setting_that_is_no_more_can_go_on() -> None:
    kept = Settings.load({"seed": 5}).plain() | {"forgotten": 1}
    assert Settings.load({}).over(kept).seed == 5


@pytest.mark.parametrize("text", ["seed = " + "9" * 5000, "seed = " + "[" * 100_000], ids=["digits", "nesting"])
def test_a_project_file_that_breaks_python_is_refused_by_name(text: str) -> None:
    project(text)
    with pytest.raises(UsageError, match=r"promptlab\.toml"):
        Settings.load({})


@pytest.mark.parametrize("value", ["x" * 5000, "~no-such-user/x"], ids=["long", "nobody"])
@pytest.mark.parametrize("name", ["classes", "templates", "model", "mix", "cache"])
def test_a_path_that_cannot_be_is_left_as_it_is(name: str, value: str) -> None:
    settings = Settings.load({name: value})
    assert value in str(settings.plain()[name])
    assert value in str(settings.cache_folder) or name != "cache"
