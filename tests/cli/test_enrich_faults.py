"""Whatever a language model says or does not say, `promptlab enrich` finishes: every class is kept, rejected or failed, with a reason."""

import re
import time
from collections.abc import Callable
from pathlib import Path

import faults
import pytest
from faults import Act, raw, reply, serving, status

from . import planted
from .conftest import Said
from .planted import ALL, FEW, each, knowing, verdicts, whom

Things = Callable[..., Said]


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is waited for."""
    monkeypatch.setenv("PROMPTLAB_LLM_TIMEOUT", "0.3")
    monkeypatch.setattr("promptlab.llm.desk.FIRST_WAIT", 0.01)


def test_good_words_are_kept_and_the_worst_classes_rise(things: Things) -> None:
    with serving(knowing()) as server:
        said = things("things.npz", *FEW, *whom(server), "--json")
        assert len(server.received) == 3
    assert said.code == 0, said.err
    found = said.json["enrichment"]
    assert (found["asked"]["questions"], found["asked"]["requests"], found["asked"]["kept"]) == (3, 3, 0)
    assert {name: said.startswith("kept") for name, said in verdicts(said.json).items()} == {"bass": True, "crane": True, "cup": False}
    assert said.json["result"]["worst"]["fixed"] == 1.0
    assert said.json["baseline"]["worst"]["fixed"] == 0.0
    assert found["gain"]["worst_interval"][0] > 0
    assert all(one["worst_interval"][0] > 0 for one in found["against"])
    assert [one["control"] for one in found["against"]] == ["random words", "swapped"]
    assert not [event for event in said.events if event["event"] == "noted"]


def test_the_question_names_the_class_and_its_rivals(things: Things) -> None:
    with serving(knowing()) as server:
        things("things.npz", *FEW, *whom(server), "--rivals", "1", "--count", "2")
        asked = {planted.of(one): one.question.rsplit("\n", 1)[-1] for one in server.received}
    assert asked["bass"] == 'What does a bass look like in a photo, where it differs from "lamp"? 2 phrases.'
    assert asked["crane"] == 'What does a crane look like in a photo, where it differs from "watch"? 2 phrases.'


MENDED = {
    "bass": [status(429), knowing()],
    "crane": [status(500), knowing()],
    "cup": [faults.reset, knowing()],
    "ewer": [reply('{"phrases": ['), knowing()],
    "lamp": [reply('{"words": []}'), knowing()],
    "watch": [reply("", reasoning="Hm, what does a watch look like?\n- round"), knowing()],
}


def test_what_can_be_mended_changes_nothing(things: Things, soon: None) -> None:
    with serving(each(MENDED)) as server:
        said = things("things.npz", *ALL, *whom(server), "--json")
        assert len(server.received) == 12
    assert said.code == 0, said.err
    assert said.json["result"]["worst"]["fixed"] == 1.0
    assert not [one for one in verdicts(said.json).values() if one.startswith(("failed", "nothing"))]
    assert (said.json["enrichment"]["asked"]["requests"], said.json["enrichment"]["asked"]["failed"]) == (12, 0)


FAILS: list[dict[str, tuple[Act, str]]] = [
    {
        "crane": (status(429, Retry_After="3600"), "asks to wait 3600 s"),
        "cup": (faults.slow_body, r"did not answer within 0\.3 s"),
        "ewer": (raw(b'{"choices": "' + b"x" * 10_000_000 + b'"}'), "larger than 1,000,000 bytes"),
        "lamp": (reply('{"phrases": ['), "cannot be used"),
        "watch": (reply('{"words": []}'), "cannot be used"),
    },
    {
        "crane": (reply(None, refusal="I will not."), "the model refused: I will not"),
        "cup": (reply("I'm sorry, but I can't help with that."), "cannot be used: it refuses to answer"),
        "ewer": (reply("", reasoning="Hm. " * 50), "only thought"),
        "lamp": (reply(7), "a text was expected"),
        "watch": (raw(b"<html>Sign in</html>", "text/html"), "no JSON"),
    },
]


@pytest.mark.parametrize("acts", FAILS, ids=["servers", "models"])
def test_a_question_that_fails_fails_alone(things: Things, soon: None, acts: dict[str, tuple[Act, str]]) -> None:
    with serving(each({name: [act] for name, (act, _) in acts.items()})) as server:
        said = things("things.npz", *ALL, *whom(server), "--json")
    assert said.code == 0, said.err
    found = verdicts(said.json)
    for name, (_, reason) in acts.items():
        assert re.search(f"^failed: .*{reason}", found[name]), found[name]
    assert found["bass"].startswith("kept")
    assert said.json["enrichment"]["asked"]["failed"] == 5
    (note,) = [event for event in said.events if event["event"] == "noted"]
    assert note["level"] == "warning"
    first = next(row["class"] for row in said.json["enrichment"]["classes"] if row["failure"])
    assert re.search(f"^5 of 6 questions got no reply that can be used; {first}: .*{acts[first][1]}", note["text"])
    assert not note["text"].endswith("..")
    (report,) = Path.cwd().glob("runs/2*/report.md")
    assert all(re.search(reason, report.read_text().replace("\\", "")) for _, reason in acts.values())


USELESS = {
    "lamp": ['{"phrases": ["red red red red red red red red"]}', "repeats itself"],
    "cup": ['{"phrases": ["a cup"]}', "is only the name"],
    "crane": ['{"phrases": ["as round as a watch"]}', "names the rival 'watch'"],
}


def test_words_that_say_nothing_are_dropped_with_a_reason(things: Things) -> None:
    with serving(each({name: [reply(content)] for name, (content, _) in USELESS.items()})) as server:
        said = things("things.npz", *ALL, *whom(server), "--json")
    assert said.code == 0, said.err
    rows = {row["class"]: row for row in said.json["enrichment"]["classes"]}
    for name, (_, reason) in USELESS.items():
        assert rows[name]["verdict"].startswith("failed:")
        assert rows[name]["verdict"].endswith(reason)
        assert rows[name]["failure"]
        assert rows[name]["reply"] is None


def test_a_reply_without_usage_has_an_unknown_count(things: Things) -> None:
    with serving(each({"crane": [reply(planted.phrases("crane"), usage=None)]})) as server:
        said = things("things.npz", *FEW, *whom(server))
    assert said.code == 0, said.err
    assert "tokens: unknown; cost: unknown (no price is set)" in " ".join(said.out.split())


def test_when_every_question_fails_the_run_still_finishes(things: Things) -> None:
    with serving(status(401, "Who are you?")) as server:
        said = things("things.npz", *FEW, *whom(server))
    assert said.code == 0
    noted = [event["text"] for event in said.events if event["event"] == "noted" and event["level"] == "warning"]
    assert len(noted) == 1
    assert noted[0].startswith("3 of 3 questions got no reply that can be used; ")
    assert "answered 401 (Who are you?): its key is missing or is not accepted" in noted[0]
    assert "the classifier is as it was" in said.out
    assert "random words" not in said.out
    assert (Path.cwd() / "runs" / "latest" / "result.json").is_file()


def test_no_redirect_is_followed(things: Things) -> None:
    with serving() as elsewhere, serving(status(307, Location=elsewhere.url + "/chat/completions")) as server:
        said = things("things.npz", *FEW, *whom(server), "--json")
        assert not elsewhere.received
    assert said.code == 0
    assert all("which is not followed" in one for one in verdicts(said.json).values())


def test_a_server_that_is_not_there_is_named_soon(things: Things, soon: None) -> None:
    with serving() as server:
        flags = whom(server)
    began = time.monotonic()
    said = things("things.npz", *FEW, *flags, "--json")
    assert time.monotonic() - began < 10
    assert said.code == 0
    assert all(one.startswith("failed: ") for one in verdicts(said.json).values())
