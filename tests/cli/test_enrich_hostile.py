"""What a language model writes may hold anything; what is shown and what is written must stay harmless, and the key stays out of it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from faults import reply, serving, status

from . import planted
from .conftest import Said, inside
from .planted import LLM, verdicts, whom
from .test_hostile_names import cells, control

Things = Callable[..., Said]
NAMES = ("bass", "c<script>alert(1)</script>", "| pipe | [@click=app.quit]", "ewer\x1b]0;x\x07", "\u202elamp", "wa" * 2500)
PHRASES = (
    "<script>alert(2)</script> with fins",
    "\x1b[31mred\x1b[0m fins and \x1b]0;title\x07",
    "a | b | c",
    "**bold** and [a link](javascript:alert(3))",
    "fins \u202eevil\u2066 \x9b31m",
    "<end_of_text> a tail",
    "long " * 1000,
    "[/x] [red] [@click=app.quit]",
    "{{ 7 * 7 }}",
)
KEY = "sk-very-secret-0123456789"


class Hostile(NamedTuple):
    """An enrichment of hostile names by hostile words."""

    said: dict[str, Said]
    """Dry, as tables, as JSON."""
    run: Path
    """The last run folder."""


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    """All of it said once; nobody changes it."""
    folder = tmp_path_factory.mktemp("hostile")
    planted.plant(folder / "things.npz", names=np.array(NAMES))
    said = {}
    with serving(reply(json.dumps({"phrases": PHRASES}))) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "100")
        for how in ("--dry-run", "--quiet", "--json"):
            flags = ("things.npz", "--templates", "plain", "--worst", "6", "--keep", "all", *whom(server), how)
            said[how] = inside("enrich", *flags, folder=folder, cache=folder / "cache")
    return Hostile(said, sorted((folder / "runs").glob("2*"))[-1])


def test_hostile_words_are_shown_harmlessly(hostile: Hostile) -> None:
    for how, one in hostile.said.items():
        assert one.code == 0, one.err
        assert not control(one.out), how
        assert not control(one.err), how
        assert len(one.out) < 200_000
    assert "\\x1b" in hostile.said["--quiet"].out
    dropped = {why for row in hostile.said["--json"].json["enrichment"]["classes"] for _, why in row["dropped"]}
    assert {"looks like code"} < dropped
    assert any(re.match(r"has 4999 characters", why) for why in dropped), dropped


def test_hostile_words_leave_reports_whole(hostile: Hostile) -> None:
    run = hostile.run
    report, page = (run / "report.md").read_text("utf-8"), (run / "report.html").read_text("utf-8")
    assert not control(report)
    assert not control(page)
    assert "<script" not in page
    assert "<script" not in report.replace("\\<", "")
    for table in re.findall(r"(?:^\|.*\n)+", report, re.M):
        assert len({cells(row) for row in table.splitlines()}) == 1
    assert "Enriched classes, worst first" in page
    assert len(page) < 400_000


def test_kept_words_hold_nothing_that_a_tokenizer_or_a_terminal_obeys(hostile: Hostile) -> None:
    texts = [json.loads(line)["text"] for line in (hostile.run / "descriptions.jsonl").read_text("utf-8").splitlines()]
    assert texts
    assert not [text for text in texts if control(text) or "end_of_text" in text or "<" in text or len(text) > 2000]


def test_a_server_s_own_words_are_harmless(things: Things) -> None:
    with serving(status(400, "no \x1b]0;x\x07 <script>alert(1)</script> | \u202e" + "x" * 5000)) as server:
        said = things("things.npz", *planted.FEW, *whom(server), "--json")
    assert said.code == 0, said.err
    assert not control(said.out + said.err)
    assert all(len(one) < 1000 for one in verdicts(said.json).values())
    run = sorted(Path("runs").glob("2*"))[-1]
    assert "<script" not in (run / "report.html").read_text("utf-8")
    assert not control((run / "report.md").read_text("utf-8"))


@pytest.mark.parametrize("act", ["answers", "refuses", "is strange"])
def test_the_key_is_nowhere(things: Things, act: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    acts = {
        "answers": reply(json.dumps({"phrases": [f"fins of {KEY}", "with fins"]})),
        "refuses": status(401, f"Incorrect API key: {KEY}"),
        "is strange": reply(None, refusal=f"You are {KEY}"),
    }
    with serving(acts[act]) as server:
        monkeypatch.setenv("PROMPTLAB_BASE_URL", server.url)
        monkeypatch.setenv("PROMPTLAB_API_KEY", KEY)
        said = things("things.npz", *planted.FEW, "--llm", LLM, "--debug")
        assert server.received[0].headers["authorization"] == f"Bearer {KEY}"
    assert said.code == 0, said.err
    assert KEY not in said.out + said.err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.name == "run.json" for path in written)
    assert not [path for path in written if KEY.encode() in path.read_bytes()]


def test_the_key_is_not_in_a_traceback(things: Things, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        monkeypatch.setenv("PROMPTLAB_BASE_URL", server.url)
        monkeypatch.setenv("PROMPTLAB_API_KEY", KEY)
        said = things("things.npz", *planted.FEW, "--llm", LLM, "--max-cost", "1", "--debug")
        monkeypatch.setattr("promptlab.llm.server.Server.send", lambda server, body: 1 / 0)
        broken = things("things.npz", *planted.FEW, "--llm", LLM, "--debug")
    assert (said.code, broken.code) == (2, 1)
    assert "Traceback" in said.err
    assert "ZeroDivisionError" in broken.err
    assert KEY not in said.out + said.err + broken.out + broken.err
