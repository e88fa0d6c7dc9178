"""A project file names a server only when the user trusts it as it is."""

from pathlib import Path

import pytest

from promptlab import config, trust
from promptlab.config import Settings
from promptlab.errors import UsageError

SERVER = 'base_url = "https://models.example.com/v1"\nllm = "tiny"\n'


@pytest.fixture
def file() -> Path:
    path = Path.cwd() / config.FILE
    path.write_text(SERVER)
    return path


def test_without_trust_it_names_no_server(file: Path) -> None:
    with pytest.raises(UsageError, match="sets `base_url` and `llm`") as error:
        Settings.load({})
    assert str(file) in error.value.message
    assert "`promptlab trust`" in error.value.hint


@pytest.mark.parametrize("name", config.NEEDS_TRUST)
def test_each_setting_needs_it(file: Path, name: str) -> None:
    file.write_text(f'{name} = "x"\n')
    with pytest.raises(UsageError, match=f"sets `{name}`"):
        Settings.load({})


def test_with_trust_it_does(file: Path) -> None:
    assert trust.grant(file) == {"base_url": "https://models.example.com/v1", "llm": "tiny"}
    settings = Settings.load({})
    assert (settings.base_url, settings.llm) == ("https://models.example.com/v1", "tiny")
    assert settings.origin["base_url"] == str(file)


def test_a_change_ends_it(file: Path) -> None:
    trust.grant(file)
    file.write_text(SERVER.replace("models.example", "evil.example"))
    with pytest.raises(UsageError, match="trust"):
        Settings.load({})
    file.write_text(SERVER)
    assert Settings.load({}).llm == "tiny"


def test_the_same_file_elsewhere_is_another(file: Path) -> None:
    trust.grant(file)
    other = Path.cwd() / "other"
    other.mkdir()
    (other / config.FILE).write_text(SERVER)
    with pytest.raises(UsageError, match="trust"):
        Settings.load({}, other)


def test_it_can_be_taken_back(file: Path) -> None:
    trust.grant(file)
    trust.revoke(file)
    with pytest.raises(UsageError, match="trust"):
        Settings.load({})
    with pytest.raises(UsageError, match="was not trusted"):
        trust.revoke(file)


def test_what_the_user_says_needs_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTLAB_BASE_URL", "http://localhost:1/v1")
    settings = Settings.load({"llm": "tiny"})
    assert (settings.base_url, settings.llm) == ("http://localhost:1/v1", "tiny")


def test_other_settings_need_none(file: Path) -> None:
    file.write_text('seed = 3\nllm = ""\n')
    assert Settings.load({}).seed == 3


def test_no_file_cannot_be_trusted() -> None:
    with pytest.raises(UsageError, match="to trust"):
        trust.grant(Path.cwd() / config.FILE)


@pytest.mark.parametrize("text", ["", "[]", "{", '{"x": 1}'])
def test_a_damaged_record_trusts_nothing_and_can_be_written_again(file: Path, text: str) -> None:
    trust.grant(file)
    (config.config_folder() / config.TRUSTED).write_text(text)
    with pytest.raises(UsageError, match="trust"):
        Settings.load({})
    trust.grant(file)
    assert Settings.load({}).llm == "tiny"


def test_its_variables_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROMPTLAB_CONFIG", "PROMPTLAB_API_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PROMPTLAB_API_KEZ", "x")
    assert config.strange_variables() == {"PROMPTLAB_API_KEZ": "PROMPTLAB_API_KEY"}
