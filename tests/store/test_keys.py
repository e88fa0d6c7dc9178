"""A key goes to the host it belongs to, and nowhere else."""

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptlab import keys
from promptlab.errors import UsageError

SECRET = "sk-secret-0123456789"


def test_without_any_key_there_is_none() -> None:
    assert keys.key_for("https://api.openai.com/v1") == ("", "")
    assert keys.listed() == []


def test_a_kept_key_is_for_its_host_alone() -> None:
    keys.keep("models.example.com", SECRET)
    assert keys.key_for("https://models.example.com/v1") == (SECRET, str(keys.place()))
    assert keys.key_for("https://MODELS.example.com:443/other/path")[0] == SECRET
    for other in ("https://example.com/v1", "https://models.example.com.evil.org/v1", "https://models.example.com:8443/v1"):
        assert keys.key_for(other) == ("", "")


def test_openai_s_variable_is_for_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    assert keys.key_for("https://api.openai.com/v1") == (SECRET, "OPENAI_API_KEY")
    assert keys.key_for("") == (SECRET, "OPENAI_API_KEY")
    assert keys.key_for("https://api.openai.com.evil.org/v1") == ("", "")
    assert keys.key_for("http://localhost:11434/v1") == ("", "")


def test_our_variable_is_for_the_host_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_API_KEY", SECRET)
    assert keys.key_for("https://models.example.com/v1") == ("", "")
    monkeypatch.setenv("PROMPTLAB_BASE_URL", "https://models.example.com/v1")
    assert keys.key_for("https://models.example.com/v1") == (SECRET, "PROMPTLAB_API_KEY")
    assert keys.key_for("https://elsewhere.example.org/v1") == ("", "")


def test_what_was_kept_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-from-the-environment")
    keys.keep("api.openai.com", SECRET)
    assert keys.key_for("")[0] == SECRET
    assert [key.source for key in keys.listed()] == [str(keys.place())]
    keys.forget("api.openai.com")
    assert keys.key_for("") == ("sk-from-the-environment", "OPENAI_API_KEY")


def test_a_key_does_not_travel_readable() -> None:
    keys.keep("models.example.com", SECRET)
    with pytest.raises(UsageError, match="would go over plain http"):
        keys.key_for("http://models.example.com/v1")
    keys.keep("localhost:8080", SECRET)
    assert keys.key_for("http://localhost:8080/v1")[0] == SECRET


def test_a_variable_with_what_no_header_can_carry_is_told_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", f" {SECRET}\nX-Evil: yes")
    with pytest.raises(UsageError, match="characters that no key has") as error:
        keys.key_for("")
    assert SECRET not in error.value.message
    monkeypatch.setenv("OPENAI_API_KEY", f"{SECRET}\n")
    assert keys.key_for("") == (SECRET, "OPENAI_API_KEY")


@pytest.mark.skipif(os.name != "posix", reason="other systems keep rights elsewhere")
def test_the_file_is_the_owner_s_alone() -> None:
    keys.keep("api.openai.com", SECRET)
    assert stat.S_IMODE(keys.place().stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.place().parent.stat().st_mode) == 0o700
    keys.place().chmod(0o644)
    with pytest.raises(UsageError, match="can be read by other users") as error:
        keys.listed()
    assert "chmod 600" in error.value.hint


@pytest.mark.parametrize("text", ["", "{", "[]", '{"api.openai.com": 7}'])
def test_a_damaged_file_is_told_and_not_overwritten(text: str) -> None:
    keys.keep("api.openai.com", SECRET)
    keys.place().write_text(text)
    with pytest.raises(UsageError, match="is damaged"):
        keys.keep("other.example.com", SECRET)
    assert keys.place().read_text() == text


@pytest.mark.parametrize("secret", ["", "two words", "new\nline", "kéy", "\x00"])
def test_what_no_header_can_carry_is_no_key(secret: str) -> None:
    with pytest.raises(UsageError, match="That is no key"):
        keys.keep("api.openai.com", secret)


@pytest.mark.parametrize("host", [SECRET, "", "two words", "https://", "ftp://example.com", "https://user@example.com"])
def test_what_is_no_host_is_refused_and_not_repeated(host: str) -> None:
    with pytest.raises(UsageError, match="no host name") as error:
        keys.keep(host, SECRET)
    assert SECRET not in error.value.message + error.value.hint


@pytest.mark.parametrize(
    "address",
    [
        "api.openai.com",
        "https://",
        "https://key@api.openai.com/v1",
        "https://evil.org\\@api.openai.com/v1",
        "https://api.openai.com /v1",
        "https://api.openai.com\n.evil.org/v1",
        "https://api.openai.com:99999/v1",
        "https://api.openai.com%2eevil.org/v1",
        "https://аpi.openai.com/v1",
        "file:///etc/passwd",
    ],
)
def test_strange_addresses_are_refused(address: str) -> None:
    with pytest.raises(UsageError, match="is no address of a server"):
        keys.host_of(address)


@given(st.text(alphabet="ab.:/@\\[]#?%1 ", max_size=20))
def test_two_readers_of_one_address_see_one_host(tail: str) -> None:
    import httpx2

    address = f"https://{tail}"
    try:
        host = keys.host_of(address)
    except UsageError:
        return
    url = httpx2.URL(address)
    assert host == url.netloc.decode()


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:8080"])
def test_this_machine_is_known(host: str) -> None:
    assert keys.is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.evil.org", "127.0.0.1.evil.org", "10.0.0.1", "[fe80::1]", "api.openai.com", "0.0.0.0"])
def test_other_machines_are_not_this_one(host: str) -> None:
    assert not keys.is_loopback(host)


def test_a_key_shows_its_end_alone(tmp_path: Path) -> None:
    key = keys.keep("api.openai.com", SECRET)
    assert key.masked == "…6789"
    assert SECRET not in repr(key)
    assert keys.keep("api.openai.com", "short").masked == "…"
