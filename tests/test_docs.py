"""The docs are true: their commands run as printed, and they name every command, setting and public name."""

import json
import re
import runpy
import shlex
import shutil
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

import promptlab
from promptlab import config
from promptlab.cli.main import cli

ROOT = Path(__file__).parents[1]
MINI = ROOT / "plugins" / "promptlab-demo" / "promptlab_demo" / "mini"
PAGES = ("README.md", "docs/tutorial.md", "docs/enrich.md")
NEEDS_A_HUB = "laion2b"
CLASSES = {"beagle": (200, 120, 60), "gas_pump": (40, 90, 200), "Leopards": (230, 200, 60)}


def fenced(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text("utf-8"), re.S)


def commands(page: str) -> list[list[str]]:
    """The commands of each block; every block is read by somebody whose latest run is of photos/."""
    return [[line for line in block.splitlines() if line.startswith("promptlab ")] for block in fenced(page, "sh")]


@pytest.fixture
def place(_own_place: None) -> Path:
    """A folder with everything that the pages' commands speak of."""
    here, rng = Path.cwd(), np.random.default_rng(0)
    for name, colour in CLASSES.items():
        (here / "photos" / name).mkdir(parents=True)
        for i in range(4):
            pixels = np.clip(np.array(colour) + rng.normal(0, 40, (48, 48, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(here / "photos" / name / f"{i}.jpg")
    shutil.copytree(here / "photos" / "beagle", here / "flat")
    shutil.copy(here / "flat" / "0.jpg", here / "holiday.jpg")
    shutil.copytree(MINI, here / "folder")
    (here / "names.txt").write_text("beagle\ngas pump\nleopard\n")
    (here / "names.tsv").write_text("gas_pump\tpetrol pump\n")
    (here / "my.txt").write_text("a photo of {}.\n")
    (here / "words.json").write_text('{"beagle": ["a small brown and white hound"]}')
    rows = [f"{path.relative_to(here)},{path.parent.name}" for path in sorted((here / "photos").rglob("*.jpg"))]
    (here / "pictures.csv").write_text("\n".join(["path,label", *rows]) + "\n")
    said = [
        {"image": str(p.relative_to(here)), "captions": [f"{p.parent.name} {p.stem}"]} for p in sorted((here / "photos").rglob("*.jpg"))
    ]
    (here / "captions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in said))
    shutil.copytree(here / "photos", here / "heldout")
    x = rng.normal(size=(12, 384)).astype(np.float32)
    np.savez(here / "features.npz", features=x, labels=np.arange(12) % 3, names=np.array(["cat", "dog", "owl"]))
    return here


@pytest.mark.parametrize("page", PAGES)
def test_commands_run_as_printed(page: str, place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    ran = 0
    for block in commands(page):
        cli.main(["run", "photos/", "--quiet", "--templates", "plain"], standalone_mode=False)
        for name in ("older", "classifier"):
            shutil.copy("runs/latest/classifier.safetensors", f"{name}.safetensors")
        for line in block:
            code = cli.main(words_of(line), standalone_mode=False)
            assert code in ((0, 1, None) if "--fail-under" in line else (0, None)), line
            ran += 1
    assert ran >= 8
    assert "Traceback" not in capfd.readouterr().err


# What the page on exchange speaks of, for the classes of photos/.
SENTENCES = {name: [f"A {name} as it is seen from afar.", f"A {name} at night."] for name in CLASSES}
PHRASES = {name: ["a shiny side", "two legs"] for name in CLASSES}
OTHERS: dict[str, object] = {
    "cupl.json": SENTENCES,
    "templates.txt": "a photo of a {}.\na drawing of a {}.\n",
    "prompts.md": "## CIFAR10\n```\ntemplates = ['a blurry photo of a {}.', 'a big {}.']\n```\n",
    "datacomp.txt": "gender:a photo of a {c}\nrace:a face of a {c}\n",
    "en_zeroshot_classification_templates.json": {"vtab/caltech101": ["a painting of a {c}."]},
    "cupl_prompts.json": {"imagenet1k": SENTENCES},
    "en_classnames.json": {"imagenet1k": ["leopard", "beagle dog", "petrol pump"]},
    "babel_imagenet.json": {"DE": [[0, 2], ["Leopard", "Zapfsaeule"]]},
    "names.tsv": "gas_pump\tpetrol pump\n",
    "CuPL_prompts.json": SENTENCES,
    "descriptors_food101.json": PHRASES,
    "waffle.json": PHRASES,
    "pairs.json": {"0_1": {"classes": [0, 1], "prompt_pairs": [{"prompt_pair": ["A beagle has fur.", "A gas pump has a hose."]}]}},
    "class_names.json": ["beagle", "gas_pump"],
    "words.tsv": "beagle\ta small hound\n",
    "benchmark.csv": "dataset,model,pretrained,task,language,acc1\nwds/photos,ViT-B-32,openai,zeroshot_classification,en,0.5\n",
    "eval_results.jsonl": '{"key": "vtab/caltech101", "dataset": "Caltech-101", "metrics": {"acc1": 0.8}}\n',
}


def test_commands_of_the_page_on_exchange_run_in_their_order(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for name, said in OTHERS.items():
        (place / name).write_text(said if isinstance(said, str) else json.dumps(said), "utf-8")
    blocks = commands("docs/exchange.md")
    assert [len(block) for block in blocks] == [5, 13, 6, 2, 2]
    for block in blocks:
        each = all("import" in line for line in block)  # lines that don't follow from each other
        for line in block:
            if "--as waffle" in line and not each:  # as the page says: descriptions must be in use
                cli.main(["prompts", "import", "cupl.json", "--quiet"], standalone_mode=False)
            assert cli.main(words_of(line), standalone_mode=False) in (0, None), line
            if each:
                cli.main(["prompts", "undo", "--quiet"], standalone_mode=False)
    assert "Traceback" not in capfd.readouterr().err


def test_the_example_of_the_page_on_captions_prints_what_the_page_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("skimage")
    monkeypatch.setenv("COLUMNS", "100")
    runpy.run_path(str(ROOT / "docs" / "photographs.py"))["write"](Path("photographs"))
    (match,), (retrieve,), changed = commands("docs/captions.md")
    first, second = (_told(text) for text in fenced("docs/captions.md", "text"))
    assert cli.main([*words_of(match), "--quiet"], standalone_mode=False) is None
    assert _told(capsys.readouterr().out) == first
    assert cli.main([*words_of(retrieve), "--quiet"], standalone_mode=False) is None
    printed, cut = _told(capsys.readouterr().out), second.index("...")
    assert printed[:cut] == second[:cut]
    assert "\n".join(second[cut + 1 :]) in "\n".join(printed)
    for line in changed:
        assert cli.main([*words_of(line), "--quiet"], standalone_mode=False) in (0, None), line
    exec(compile(fenced("docs/captions.md", "python")[0], "docs/captions.md", "exec"), {})


def _told(text: str) -> list[str]:
    """What a command printed, without what is of the machine and the moment."""
    return [line.rstrip() for line in text.splitlines() if not line.startswith(("Time:", "Report:", "Cases:"))]


def words_of(line: str) -> list[str]:
    """The command's words, with what a reader would put for placeholders and for a model that needs a hub."""
    placeholders = {"PICTURE...": "photos/beagle/0.jpg", "RUN": "latest"}
    words = shlex.split(line, comments=True)[1:]
    return ["mini" if NEEDS_A_HUB in word else placeholders.get(word, word) for word in words]


def test_the_readme_s_python_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = fenced("README.md", "python")
    lab = next(block for block in blocks if "Lab(" in block)
    exec(compile(lab, "README.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_the_readme_s_five_lines_run(place: Path) -> None:
    cli.main(["run", "photos/", "--quiet"], standalone_mode=False)
    five = next(block for block in fenced("README.md", "python") if "safe_open" in block)
    import torch

    scope = {"image_features": torch.nn.functional.normalize(torch.randn(5, 384), dim=1)}
    exec(compile(five, "README.md", "exec"), scope)
    assert tuple(scope["logits"].shape) == (5, 3)


def test_the_readme_s_other_python_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["run", "photos/", "--quiet", "--templates", "plain"], standalone_mode=False)
    encoding, saved = (next(b for b in fenced("README.md", "python") if word in b) for word in ("create_model", "Lab().classify"))
    scope: dict[str, object] = {}
    exec(compile(encoding.replace('"ViT-B-32", "laion2b_s34b_b79k"', '"local-dir:folder"'), "README.md", "exec"), scope)
    five = next(block for block in fenced("README.md", "python") if "safe_open" in block)
    exec(compile(five, "README.md", "exec"), scope)
    capsys.readouterr()
    exec(compile(saved, "README.md", "exec"), scope)
    assert len(capsys.readouterr().out.splitlines()) == 12


def test_every_rule_is_in_the_help_and_in_the_method() -> None:
    from promptlab.lab import Lab

    page, said = (ROOT / "docs" / "method.md").read_text("utf-8"), cli.commands["score"].help or ""
    for rule in Lab(plugins=False).rules:
        assert f"`{rule}`" in page
        assert re.search(rf"\b{rule}\b", said)


def test_settings_with_few_values_name_them_all() -> None:
    page, file = (ROOT / "docs" / "settings.md").read_text("utf-8"), config.template()
    for values in config.CHOICES.values():
        said = f"One of {', '.join(f'`{value}`' for value in values)}."
        assert said in page
        assert said in file


def test_every_public_method_of_the_lab_is_documented() -> None:
    from promptlab import Lab

    page = (ROOT / "docs" / "lab.md").read_text("utf-8")
    assert not [name for name in dir(Lab) if not name.startswith("_") and f"**`{name}" not in page]


def test_the_readme_shows_a_whole_demo() -> None:
    shown = re.search(r"<!-- demo -->(.*?)<!-- /demo -->", (ROOT / "README.md").read_text("utf-8"), re.S)
    assert shown
    assert "Before and after, on 1010 pictures" in shown[1]
    assert "Try next:" in shown[1]


def walk(command: click.Command, path: str) -> list[str]:
    below = command.commands if isinstance(command, click.Group) else {}
    return [path] + [found for name, sub in below.items() for found in walk(sub, f"{path} {name}")]


def test_every_command_is_documented() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert not [path for path in walk(cli, "promptlab") if f"\n## {path}\n" not in page]


def test_every_setting_is_documented_and_has_a_flag() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert not [name for name in config.defaults() if f"| `{name}` |" not in page]
    flags = {p.name for p in (*cli.commands["run"].params, *cli.commands["enrich"].params)}
    assert set(config.defaults()) <= flags


def test_every_public_name_is_in_the_readme() -> None:
    page = (ROOT / "README.md").read_text("utf-8")
    assert not [name for name in promptlab.__all__ if f"`{name}`" not in page]
