"""Which plugins are loaded, where they come from, and what is told of them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from promptlab import Lab, PromptlabError, Settings
from promptlab.errors import PluginError, UsageError

from .conftest import Bench

RULE = "@hookimpl\ndef promptlab_rules():\n    return [Rule('{}', lambda c: c.true)]\n"
Install = Callable[..., None]


def state(lab: Lab, name: str) -> str:
    return next(one["state"] for one in lab.plugin_list() if one["name"] == name)


def test_an_installed_package_is_found_by_its_entry_point(package: Install) -> None:
    package("promptlab-mine", "mine", RULE.format("own"))
    lab = Lab()
    (found,) = lab.plugin("mine")
    assert found | {"seconds": 0} == {
        "name": "mine",
        "package": "promptlab-mine",
        "version": "1.2",
        "state": "works",
        "faults": [],
        "origin": "promptlab_mine",
        "about": "a plugin of tests",
        "hooks": {"promptlab_rules": ["own"]},
        "seconds": 0,
    }
    assert [one["name"] for one in lab.plugin("promptlab-mine")] == ["mine"]
    assert lab.rules["own"].by == "mine 1.2"


def test_a_folder_brings_modules_and_packages_and_no_tests(bench: Bench) -> None:
    (bench.folder / "whole").mkdir()
    (bench.folder / "whole" / "__init__.py").write_text("from .inner import promptlab_rules")
    (bench.folder / "whole" / "inner.py").write_text("from promptlab import *\n" + RULE.format("deep"))
    (bench.folder / "notes.txt").write_text("no module")
    for name in ("test_one", "conftest", "_private"):
        bench.add(name, "raise RuntimeError")
    lab = bench.add("one", RULE.format("flat")).lab()
    assert {"deep", "flat"} <= lab.rules.keys()
    assert not bench.said
    assert [one["version"] for one in lab.plugin("one")] == [lab.rules["flat"].by.split()[1]]


def test_a_folder_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match=r"The plugins folder '.*nowhere' is not there"):
        Lab(Settings.load({"plugins_dir": "nowhere"}))


def test_no_module_of_a_plugins_folder_hides_another(bench: Bench) -> None:
    bench.add("json", RULE.format("mine"))
    assert "mine" in bench.lab().rules
    import json

    assert json.dumps({}) == "{}"


@pytest.mark.parametrize("by", ["mine", "promptlab-mine"])
def test_a_disabled_plugin_is_not_even_imported(package: Install, by: str) -> None:
    package("promptlab-mine", "mine", "raise RuntimeError")
    assert state(Lab(Settings.load({"disable_plugins": by})), "mine") == "disabled"


def test_load_plugins_names_those_that_are_wanted(package: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    package("promptlab-mine", "mine", RULE.format("own"))
    every = {"mine", "demo", "hub", "local"}
    for words, wanted in (
        ("", set[str]()),
        ("mine", {"mine"}),
        ("all", every),
        ("mine,demo", {"mine", "demo"}),
        ("promptlab-demo", {"demo"}),
    ):
        monkeypatch.setenv("PROMPTLAB_LOAD_PLUGINS", words)
        assert {one["name"] for one in Lab().plugin_list() if one["state"] == "works"} == wanted


@pytest.mark.parametrize("setting", ["load_plugins", "disable_plugins"])
def test_a_name_that_no_plugin_has_is_told_with_the_nearest(setting: str) -> None:
    with pytest.raises(UsageError, match="There is no plugin named 'dmeo'") as caught:
        Lab(Settings.load({setting: "dmeo"}))
    assert "Did you mean 'demo'?" in caught.value.hint


def test_two_packages_with_a_plugin_of_one_name_are_told_and_neither_is_loaded(package: Install) -> None:
    package("promptlab-one", "mine", RULE.format("one"))
    package("promptlab-two", "mine", RULE.format("two"), "2.0")
    said: list[object] = []
    lab = Lab(listen=said.append)
    assert not {"one", "two"} & lab.rules.keys()
    assert len(said) == 1
    assert "'promptlab-one' and 'promptlab-two' both bring a plugin of this name; neither is loaded" in str(said[0])
    alone = Lab(Settings.load({"disable_plugins": "promptlab-two"}))
    assert "one" in alone.rules
    assert [one["state"] for one in alone.plugin("mine")] == ["works", "disabled"]
    other = Lab(Settings.load({"disable_plugins": "promptlab-one"}))
    assert other.rules["two"].by == "mine 2.0"


def test_an_unknown_plugin_is_told() -> None:
    with pytest.raises(UsageError, match="There is no plugin named 'x'"):
        Lab().plugin("x")


def test_a_project_file_may_not_bring_code_until_it_is_trusted(bench: Bench) -> None:
    bench.add("one", RULE.format("flat"))
    Path("promptlab.toml").write_text(f'plugins_dir = "{bench.folder}"\n')
    with pytest.raises(PromptlabError, match="you have not said that you trust it"):
        Settings.load({})


def test_labs_made_from_a_lab_share_its_plugins_and_tell_once(bench: Bench) -> None:
    lab = bench.add("broken", "raise RuntimeError('once')").lab()
    assert "cmm" in lab.but(seed=3).rules
    assert len(bench.said) == 1


def test_a_strict_lab_stays_strict(bench: Bench) -> None:
    lab = bench.add("late", "@hookimpl\ndef promptlab_chats():\n    raise RuntimeError('late')").lab(strict_plugins=True)
    with pytest.raises(PluginError, match="late"):
        _ = lab.but(seed=3).chats


def test_a_folder_that_was_named_is_loaded_whatever_installed_plugins_are_wanted(bench: Bench) -> None:
    lab = bench.add("one", RULE.format("flat")).lab(load_plugins="")
    assert {one["name"] for one in lab.plugin_list() if one["state"] == "works"} == {"one"}


def test_a_plugin_is_not_promptlab_itself(package: Install, bench: Bench) -> None:
    package("promptlab-thief", "promptlab", RULE.format("cmm"))
    lab = bench.add("promptlab", RULE.format("cmm")).lab()
    assert lab.rules["cmm"].by == f"promptlab {lab.rules['f1'].by.split()[1]}"
    assert [one["state"] for one in lab.plugin("promptlab")] == ["failed", "failed"]


@pytest.mark.parametrize("damage", ["", "Name: x\n", "\xff\xfe"])
def test_a_package_without_whole_metadata_stops_nothing(package: Install, tmp_path: Path, damage: str) -> None:
    package("promptlab-mine", "mine", RULE.format("own"))
    about = next((tmp_path / "installed").glob("*.dist-info"))
    (about / "METADATA").write_bytes(damage.encode("latin-1")) if damage else (about / "METADATA").unlink()
    lab = Lab()
    assert "own" in lab.rules
    assert "None" not in lab.rules["own"].by
    assert lab.plugin_list()


def test_a_package_with_broken_entry_points_is_told(package: Install, tmp_path: Path) -> None:
    package("promptlab-mine", "mine", RULE.format("own"))
    (next((tmp_path / "installed").glob("*.dist-info")) / "entry_points.txt").write_text("[promptlab]\nstray\nmine = promptlab_mine\n")
    said: list[object] = []
    assert "cmm" in Lab(listen=said.append).rules
    assert "promptlab_mine-1.2.dist-info" in str(said)


def test_an_installed_plugin_whose_module_is_being_edited_is_taken_from_its_folder(package: Install, tmp_path: Path, bench: Bench) -> None:
    package("promptlab-mine", "mine", RULE.format("own"))
    lab = bench.add("promptlab_mine", RULE.format("own")).lab()
    assert lab.rules["own"].by.startswith("promptlab_mine ")
    assert not bench.said


def test_several_folders_are_loaded(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "other.py").write_text("from promptlab import *\n" + RULE.format("deep"))
    bench.add("one", RULE.format("flat"))
    assert {"flat", "deep"} <= Lab(Settings.load({"plugins_dir": (str(bench.folder), str(tmp_path / "more"))})).rules.keys()


def test_a_folder_without_a_plugin_and_a_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        Lab(Settings.load({"plugins_dir": str(tmp_path / "one.py")}))
    with pytest.raises(UsageError, match="holds no plugin"):
        Lab(Settings.load({"plugins_dir": str(tmp_path / "work")}))


def test_each_hook_is_asked_once(bench: Bench) -> None:
    bench.add("one", "asked = []\n@hookimpl\ndef promptlab_rules():\n    asked.append(1)\n    print(len(asked))\n    return []")
    bench.add("two", RULE.format("flat"))
    lab = bench.lab()
    assert lab.plugin_list() == lab.plugin_list()
    assert "flat" in lab.rules
    assert lab._plugins.manager.get_plugin("one").asked == [1]


def test_a_lab_made_with_other_wishes_for_plugins_has_other_plugins(bench: Bench) -> None:
    lab = bench.add("one", RULE.format("flat")).lab()
    assert "flat" in lab.rules
    assert "flat" not in lab.but(disable_plugins="one").rules
    with pytest.raises(PluginError, match="broken"):
        bench.add("broken", "raise RuntimeError").lab().but(strict_plugins=True)
