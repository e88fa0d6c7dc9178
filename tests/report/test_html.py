"""report.html: one file, nothing remote, harmless whatever the names are, and right in a browser."""

import html.parser
import itertools
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab import Lab
from promptlab.config import Settings
from promptlab.report import plots

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NAMES = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "{{ 7 * 7 }}", "\u202egpj.exe", "plain")
VOID = {"meta", "br", "img", "line", "circle", "rect"}


class Page(html.parser.HTMLParser):
    """Collects tags and their attributes, and checks that they nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def features(place: Path, names: Sequence[str], labelled: bool = True) -> Path:
    """A features file of five classes, the last two of which look alike."""
    rng, c = np.random.default_rng(0), len(names)
    centre = np.eye(c, 8)
    centre[-1] = centre[-2] + 0.3 * np.eye(8)[-1]
    y = np.repeat(np.arange(c), 12)
    x = centre[y] + 0.25 * rng.normal(size=(len(y), 8))
    text = np.stack([centre, centre + 0.1 * rng.normal(size=centre.shape), centre + 0.5 * rng.normal(size=centre.shape)])
    values: dict[str, Any] = {"x": x, "text": text, "names": np.array(names), "families": np.array(["one", "<b>two</b>", "three"])}
    np.savez(place / "data.npz", **values, **({"y": y} if labelled else {}))
    return place / "data.npz"


def report_of(place: Path, **kwargs: Any) -> tuple[Path, dict[str, Any]]:
    """The page of a run on such features, and its result."""
    run = Lab(Settings.load({})).run(str(features(place, NAMES, **kwargs))).run
    return run.path.resolve() / "report.html", json.loads((run.path / "result.json").read_text("utf-8"))


@pytest.mark.parametrize("labelled", [True, False])
def test_names_from_outside_stay_words(tmp_path: Path, labelled: bool) -> None:
    path, _ = report_of(tmp_path, labelled=labelled)
    text = path.read_text("utf-8")
    page = Page(text)
    assert not {tag for tag, _ in page.tags} & {"script", "img", "iframe", "link", "object", "b"}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "\u202e" not in text
    assert "&lt;b&gt;two&lt;/b&gt;" in text
    assert "{{ 7 * 7 }}" in text or not labelled


def test_without_labels_the_page_shows_what_labels_are_not_needed_for(tmp_path: Path) -> None:
    path, found = report_of(tmp_path, labelled=False)
    text = path.read_text("utf-8")
    classes = json.loads((path.parent / "classes.json").read_text("utf-8"))
    assert "taken by" not in text
    assert sum(row["gets"] for row in classes) == found["data"]["eval"]
    for row in (row for row in classes if "worst" in row):
        assert f'{row["cmm_top_before"]:+.4f}</td><td class="n">{row["cmm_top_after"]:+.4f}</td><td class="n">{row["gets"]}</td>' in text
    assert f"{100 * found['changed']['tried']:.1f}" in text


def test_nothing_is_fetched_from_anywhere(tmp_path: Path) -> None:
    path, _ = report_of(tmp_path)
    text = path.read_text("utf-8")
    assert not re.search(r"(?:https?:)?//[a-z]", text)
    assert not re.search(r"url\(|@import", text)
    assert not {name for _, attributes in Page(text).tags for name in attributes} & {"src", "href", "srcset", "data", "action"}
    assert "default-src 'none'" in text


def test_the_page_says_what_the_result_says(tmp_path: Path) -> None:
    path, found = report_of(tmp_path)
    text = path.read_text("utf-8")
    for line in found["lead"]:
        assert line.replace("'", "&#39;").replace('"', "&#34;") in text
    for row in (found["baseline"], found["tried"]):
        assert f"{100 * row['accuracy']:.1f}" in text
        assert f"{100 * row['interval'][0]:.1f}, {100 * row['interval'][1]:.1f}" in text
    assert text.count('class="interval"') == len(NAMES)
    for row in found["ranking"]:
        assert f"<td>{row['rule']}</td>" in text


def test_a_report_is_written_again_elsewhere_and_is_the_same(tmp_path: Path) -> None:
    path, _ = report_of(tmp_path)
    again = Lab(Settings.load({})).report(path.parent.name, output=tmp_path / "copy.html")
    assert again.read_text("utf-8") == path.read_text("utf-8")


def test_labels_of_the_plots_keep_their_distance_and_order() -> None:
    wanted = [0.0, 0.0, 1.0, 50.0, 99.0, 100.0]
    placed = plots.spread(wanted, 10, 100)
    assert placed == sorted(placed)
    assert all(b - a >= 10 - 1e-9 for a, b in itertools.pairwise(placed))
    assert placed[-1] <= 100
    assert plots.spread([5.0, 80.0], 10, 100) == [5.0, 80.0]


@pytest.mark.parametrize("weights", ["uniform", "shrunk"])
def test_a_worst_class_without_a_picture_on_eval_is_no_stumbling_block(tmp_path: Path, weights: str) -> None:
    rng, c = np.random.default_rng(0), 12
    centre = np.eye(c)
    y = np.repeat(np.arange(c), 8)
    x = centre[y] + 0.2 * rng.normal(size=(len(y), c))
    x[y == 3] = centre[4]  # at 0 % on tune, and absent from eval
    text = np.stack([centre, centre + 0.3 * rng.normal(size=centre.shape)])
    names = np.array([f"class {i}" for i in range(c)])
    kept = y != 3
    np.savez(tmp_path / "gone.npz", val_x=x, val_y=y, test_x=x[kept], test_y=y[kept], text=text, names=names, families=np.array(["a", "b"]))
    run = Lab(Settings.load({"weights": weights})).run(str(tmp_path / "gone.npz")).run
    found = json.loads((run.path / "result.json").read_text("utf-8"))
    assert found["baseline"]["worst"]["fixed_classes"][0] == "class 3"
    assert "<td>class 3</td>" in (run.path / "report.html").read_text("utf-8")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [400, 1400])
def test_a_browser_shows_it_without_a_word_of_complaint_and_nothing_sticks_out(tmp_path: Path, width: int) -> None:
    path, _ = report_of(tmp_path)
    # The page itself runs no script: a frame of the width asked for measures it from outside.
    frame = (
        f"<body style='margin:0'><iframe id=f width={width} height=900 style='border:0' src='{path.as_uri()}'></iframe>"
        "<script>onload = () => { const d = f.contentDocument.documentElement;"
        " document.title = d.scrollWidth + ' ' + d.clientWidth }</script>"
    )
    (tmp_path / "frame.html").write_text(frame)
    flags = (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
        "--disable-component-update",
    )
    done = subprocess.run(
        [
            str(CHROMIUM),
            *flags,
            "--allow-file-access-from-files",
            "--enable-logging=stderr",
            "--v=0",
            f"--user-data-dir={tmp_path / 'browser'}",
            "--virtual-time-budget=3000",
            "--window-size=1600,1000",
            "--dump-dom",
            (tmp_path / "frame.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    measured = re.search(r"<title>(\d+) (\d+)</title>", done.stdout)
    assert measured is not None
    assert int(measured[1]) <= int(measured[2]) <= width
    assert "CONSOLE" not in done.stderr
