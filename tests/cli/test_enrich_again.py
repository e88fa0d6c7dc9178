"""Enriching again: what was answered is not asked again, what was broken off goes on, and money has a limit."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faults import Faults, reply, serving

from .conftest import SCRIPT, Said
from .planted import ALL, FEW, LLM, knowing, of, phrases, whom

Things, Call = Callable[..., Said], Callable[..., Said]
OWN = ("run", "seconds", "encoded", "lead")  # of each run
PACK = """
version = 1
form = "phrase"
list = "phrases"
system = ""
ask = "What does a {{ name }} look like?"
max_tokens = 100
temperature = 0
schema = {type = "object", required = ["phrases"], properties = {phrases = {type = "array", items = {type = "string"}}}}
"""


@pytest.fixture
def server() -> Iterator[Faults]:
    with serving(knowing()) as running:
        yield running


def runs() -> list[Path]:
    return sorted(path for path in Path("runs").glob("2*"))


def essence(said: Said) -> dict[str, object]:
    """What must be equal between two enrichments of the same."""
    found = {name: value for name, value in said.json.items() if name not in OWN}
    found["enrichment"] = {name: value for name, value in found["enrichment"].items() if name != "asked"}
    return found


def test_again_nothing_is_asked_and_the_same_comes_out_in_the_same_folder(things: Things, server: Faults) -> None:
    first = things("things.npz", *FEW, *whom(server), "--json")
    again = things("--worst", "3", *whom(server), "--json")
    assert first.code == again.code == 0, again.err
    assert len(server.received) == 3
    now = {"kept": 0, "requests": 3, "tokens_in": 120, "tokens_out": 30, "cost": None}
    assert again.json["enrichment"]["asked"] | now == first.json["enrichment"]["asked"]
    assert [again.json["enrichment"]["asked"][name] for name in ("tokens_in", "tokens_out", "cost")] == [0, 0, 0]
    assert essence(first) == essence(again)
    assert len(runs()) == 1


def test_with_data_it_is_a_new_run_that_asks_nothing(things: Things, server: Faults) -> None:
    first = things("things.npz", *FEW, *whom(server), "--json")
    again = things("things.npz", *FEW, *whom(server), "--json")
    assert len(server.received) == 3
    assert essence(first) == essence(again)
    assert len(runs()) == 2
    shown = things("--worst", "3", *whom(server))
    assert "3 questions, all of them answered before; nothing was sent now." in shown.out


def test_other_wishes_make_another_run_and_ask_only_what_is_new(things: Things, server: Faults) -> None:
    things("things.npz", "--templates", "plain", "--worst", "2", *whom(server))
    kept = (runs()[0] / "result.json").read_bytes()
    said = things("--worst", "4", *whom(server), "--json")
    assert said.code == 0, said.err
    assert sorted(map(of, server.received))[:2] == ["bass", "crane"]
    assert len({of(one) for one in server.received}) == len(server.received) == 4
    assert len(runs()) == 2
    assert (runs()[0] / "result.json").read_bytes() == kept
    things("--worst", "4", *whom(server), "--place", "inside")
    assert len(server.received) == 4
    assert len(runs()) == 3


def test_a_pack_that_was_changed_asks_anew_in_a_new_run(things: Things) -> None:
    Path("mine.toml").write_text(PACK)
    with serving(reply(phrases("bass"))) as server:
        things("things.npz", *FEW, *whom(server), "--pack", "mine.toml")
        things("--worst", "3", *whom(server), "--pack", "mine.toml")
        assert (len(server.received), len(runs())) == (3, 1)
        Path("mine.toml").write_text(PACK.replace("version = 1", "version = 2").replace("What does", "What, in a photo, does"))
        said = things("--worst", "3", *whom(server), "--pack", "mine.toml")
        assert (len(server.received), len(runs())) == (6, 2)
    assert said.code == 0, said.err


def test_a_file_of_words_that_was_changed_makes_a_new_run(things: Things) -> None:
    Path("words.json").write_text('{"bass": ["a green fish on wet grass"]}')
    things("things.npz", *FEW, "--descriptions", "words.json")
    things("--worst", "3", "--descriptions", "words.json")
    assert len(runs()) == 1
    Path("words.json").write_text('{"bass": ["a fish in a net"]}')
    said = things("--worst", "3", "--descriptions", "words.json")
    assert said.code == 0, said.err
    assert len(runs()) == 2


# -- breaking off ---------------------------------------------------------------------------------------------------------------------


def begun(server: Faults, answered: int) -> subprocess.Popen[bytes]:
    """The real process, when that many questions were answered and the next ones are on their way."""
    process = subprocess.Popen([SCRIPT, "enrich", "things.npz", *ALL, *whom(server)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + 60
    while time.monotonic() < end and (len(server.received) <= answered or kept() < answered):
        assert process.poll() is None, process.stderr.read() if process.stderr else ""
        time.sleep(0.01)
    return process


def kept() -> int:
    return len(list(Path(os.environ["PROMPTLAB_CACHE"]).glob("llm/*/*.json")))


@pytest.fixture
def one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_LLM_PARALLEL", "1")


def test_a_killed_enrichment_repeats_at_most_what_was_on_its_way(things: Things, promptlab: Call, one_at_a_time: None) -> None:
    with serving(knowing(), knowing(), knowing(), reply(seconds=30)) as server:
        process = begun(server, 3)
        process.kill()
        process.communicate()
        assert kept() == 3
        (broken,) = promptlab("runs", "--json").json
        assert broken["state"] == "unfinished"
        server.acts = [knowing()]
        server.ending.set()
        before = len(server.received)
        said = things("things.npz", *ALL, *whom(server), "--json")
        assert said.code == 0, said.err
        assert len(server.received) - before == 3
    assert said.json["enrichment"]["asked"]["kept"] == 3
    assert promptlab("runs", "gc", "--yes").code == 0
    assert [one["state"] for one in promptlab("runs", "--json").json] == ["finished"]


def test_ctrl_c_keeps_what_was_answered(things: Things, one_at_a_time: None) -> None:
    with serving(knowing(), knowing(), knowing(seconds=0.5)) as server:
        process = begun(server, 2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert "what was finished is kept" in err.decode()
        assert "Traceback" not in err.decode()
        assert kept() == 3
        sent = len(server.received)
        server.acts = [knowing()]
        assert things("things.npz", *ALL, *whom(server)).code == 0
        assert len(server.received) == sent + 3


# -- money ----------------------------------------------------------------------------------------------------------------------------


def test_a_dry_run_sends_and_writes_nothing(things: Things, server: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
    said = things("things.npz", *FEW, *whom(server), "--dry-run")
    assert said.code == 0, said.err
    assert "--- crane" in said.out
    assert 'where it differs from "watch"' in said.out
    assert "3 questions to some-model (127.0.0.1:" in said.out
    assert "Price: unknown: set `prices`.\nNothing was sent." in said.out
    monkeypatch.setenv("PROMPTLAB_PRICES", f"{LLM}=10/100")
    found = things("things.npz", *FEW, *whom(server), "--dry-run", "--json").json
    assert [one["class"] for one in found["questions"]] == ["crane", "bass", found["questions"][2]["class"]]
    assert found["estimate"]["questions"] == 3
    assert found["estimate"]["tokens_out"] == 3 * 320
    assert found["estimate"]["cost"] == pytest.approx((found["estimate"]["tokens_in"] * 10 + 960 * 100) / 1e6)
    assert "about $" in things("things.npz", *FEW, *whom(server), "--dry-run").out
    assert not server.received
    assert not Path("runs").exists()
    assert kept() == 0


def test_a_dry_run_tells_what_was_answered_before(things: Things, server: Faults) -> None:
    things("things.npz", *FEW, *whom(server))
    assert "3 questions to some-model" in (said := things("--worst", "3", *whom(server), "--dry-run")).out
    assert "3 of them answered before" in said.out
    assert len(server.received) == 3


def test_a_dry_run_of_a_file_or_of_nobody_is_a_plain_error(things: Things) -> None:
    Path("words.json").write_text('{"bass": ["a fish in a net"]}')
    said = things("things.npz", *FEW, "--descriptions", "words.json", "--dry-run")
    assert said.code == 2
    assert "With --descriptions nobody would be asked." in said.err
    said = things("things.npz", *FEW, "--dry-run")
    assert said.code == 2
    assert "No language model was named." in said.err
    assert "--descriptions FILE" in said.err


def test_offline_what_is_missing_is_an_error_and_what_is_there_does(things: Things, server: Faults) -> None:
    said = things("things.npz", *FEW, *whom(server), "--offline")
    assert said.code == 4
    assert not server.received
    assert not runs()
    things("things.npz", *FEW, *whom(server))
    said = things("things.npz", *FEW, *whom(server), "--offline", "--json")
    assert said.code == 0, said.err
    assert said.json["enrichment"]["asked"]["kept"] == 3
    assert len(server.received) == 3


def test_a_limit_needs_a_price(things: Things, server: Faults) -> None:
    said = things("things.npz", *FEW, *whom(server), "--max-cost", "1")
    assert said.code == 2
    assert "nobody said what this model's tokens cost" in said.err
    assert 'prices = ["gpt-mini=0.25/2"]' in said.err
    assert not server.received
    assert not runs()


def test_a_limit_holds(things: Things, monkeypatch: pytest.MonkeyPatch, one_at_a_time: None) -> None:
    monkeypatch.setenv("PROMPTLAB_PRICES", f"{LLM}=0/1000")  # a dollar for 1,000 tokens of reply: at most 0.32 a question, here 0.3
    with serving(reply(phrases("bass"), usage={"prompt_tokens": 100, "completion_tokens": 300})) as server:
        said = things("things.npz", *ALL, *whom(server), "--max-cost", "1", "--json")
        assert len(server.received) == 3
    assert said.code == 0, said.err
    found = said.json["enrichment"]
    assert found["asked"]["cost"] == pytest.approx(0.9)
    assert [row["failure"] for row in found["classes"] if row["failure"]] == ["the cost limit of $1 is reached"] * 3
    assert "3 of 6 questions got no reply" in said.err
