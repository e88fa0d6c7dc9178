"""Project files that the user trusts with settings that a stranger's file must not make: by path and content."""

from pathlib import Path

from promptlab import config
from promptlab.errors import UsageError
from promptlab.store import read_json, write_json


def grant(file: Path) -> dict[str, str]:
    """Trusts a project file as it is now, until it changes; gives back {setting: its value} of what that allows.

    Raises UsageError when there is no such file, or it cannot be read.
    """
    if not file.is_file():
        raise UsageError(f"There is no {str(file)!r} to trust.", "`promptlab init` writes one.")
    found, sha256 = config.contents(file)
    _write({**_kept(), str(file.resolve()): sha256})
    return {name: str(value) for name, value in found.items() if name in config.NEEDS_TRUST}


def revoke(file: Path) -> None:
    """Trusts a project file no longer. Raises UsageError when it was not trusted."""
    if str(file.resolve()) not in _kept():
        raise UsageError(f"{str(file)!r} was not trusted.")
    _write({path: digest for path, digest in _kept().items() if path != str(file.resolve())})


def _write(trusted: dict[str, str]) -> None:
    write_json(config.config_folder() / config.TRUSTED, trusted)


def _kept() -> dict[str, str]:
    found = read_json(config.config_folder() / config.TRUSTED)
    return found if isinstance(found, dict) else {}
