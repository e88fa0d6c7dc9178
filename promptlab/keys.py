"""API keys: each belongs to one host, and goes nowhere else.

A key lies in `keys.json` in the user's own settings folder, readable by the user alone, or in the environment: `OPENAI_API_KEY` is for
api.openai.com, `PROMPTLAB_API_KEY` for the host of `PROMPTLAB_BASE_URL`. So no server that somebody else names gets one of them.
"""

import ipaddress
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from promptlab.config import config_folder
from promptlab.errors import UsageError
from promptlab.store import read_json, write_json

FILE = "keys.json"
OPENAI = "api.openai.com"
OPENAI_URL = f"https://{OPENAI}/v1"
HOST = re.compile(r"(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::\d{1,5})?")
FIT = re.compile(r"[\x21-\x7e]+")  # what a header can carry
PORTS = {"https": 443, "http": 80}
SHORTEST_SHOWN = 12  # of a shorter key, four characters are too many to show


@dataclass(frozen=True, slots=True)
class Key:
    """One key."""

    host: str
    """The host that it belongs to, with a port that is not the usual one."""
    source: str
    """Where it lies: the file, or the environment variable."""
    secret: str = field(repr=False)
    """The key itself; never shown, never written elsewhere."""

    @property
    def masked(self) -> str:
        """Enough to know it by."""
        return f"…{self.secret[-4:]}" if len(self.secret) >= SHORTEST_SHOWN else "…"


def host_of(address: str) -> str:
    """The host that a URL leads to, in small letters, with a port that is not the usual one. Raises UsageError for what is no plain URL."""
    try:
        parts = urlsplit(address)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    place = parts.netloc.lower()
    # Stricter than any client: two readers of one strange URL must not see two hosts.
    if parts.scheme not in PORTS or not HOST.fullmatch(place) or re.search(r"[\\\s\x00-\x20\x7f]", address):
        raise UsageError(
            f"{address[:200]!r} is no address of a server.", "Write it like https://api.openai.com/v1 or http://localhost:11434/v1."
        )
    return place.removesuffix(f":{port}") if port == PORTS[parts.scheme] else place


def host_named(host: str) -> str:
    """The host that a user typed: a name, with a port or not, or a URL. Raises UsageError."""
    address = host if "://" in host else f"https://{host}"
    try:
        found = host_of(address)
    except UsageError:
        found = ""
    if not found or not ("." in found or ":" in found or found == "localhost"):
        # What was typed may be the key, so it is not repeated.
        raise UsageError(
            "That is no host name.", f"Name the host that the key is for, e.g. `promptlab keys set {OPENAI}`; the key is asked for."
        )
    return found


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    name = host.rpartition(":")[0] if re.search(r":\d+$", host) and not host.endswith("]") else host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def check_way(base_url: str, key: str) -> None:
    """Raises UsageError where a key would travel readable for everybody on the way, or could not travel at all."""
    host = host_of(base_url)
    if key and not FIT.fullmatch(key):
        raise UsageError(
            f"The key for {host} has spaces or other characters that no key has.", "`promptlab keys list` shows where it lies."
        )
    if key and urlsplit(base_url).scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"The key for {host} would go over plain http, where others can read it.",
            f"Use https://, or remove the key: `promptlab keys remove {host}`.",
        )


def key_for(base_url: str) -> tuple[str, str]:
    """(the key for that server, where it lies); ("", "") when there is none. Raises UsageError where it would travel readable."""
    host = host_of(base_url or OPENAI_URL)
    found = next((key for key in listed() if key.host == host), None)
    if found is None:
        return "", ""
    check_way(base_url or OPENAI_URL, found.secret)
    return found.secret, found.source


def listed() -> list[Key]:
    """Every key there is, by host; one in the file goes before one in the environment."""
    kept = [Key(host, str(place()), secret) for host, secret in sorted(_kept().items())]
    return kept + [key for key in _in_environment() if key.host not in {other.host for other in kept}]


def place() -> Path:
    """The file of keys."""
    return config_folder() / FILE


def keep(host: str, secret: str) -> Key:
    """Keeps a key for a host, in place of one that was there. Raises UsageError for what is no key."""
    if not FIT.fullmatch(secret):
        raise UsageError("That is no key: it is empty, or has spaces or other characters that no key has.")
    write_json(place(), {**_kept(), host_named(host): secret})
    return Key(host_named(host), str(place()), secret)


def forget(host: str) -> None:
    """Removes a host's key from the file. Raises UsageError when there is none."""
    kept = _kept()
    if host_named(host) not in kept:
        raise UsageError(f"No key is kept for {host_named(host)}.", f"Kept are keys for: {', '.join(sorted(kept)) or 'none'}.")
    write_json(place(), {name: secret for name, secret in kept.items() if name != host_named(host)})


def _kept() -> dict[str, str]:
    path = place()
    if not path.exists():
        return {}
    found = read_json(path)
    if not isinstance(found, dict) or not all(isinstance(secret, str) for secret in found.values()):
        raise UsageError(f"{str(path)!r} is damaged.", "Delete it, and set the keys again with `promptlab keys set HOST`.")
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise UsageError(f"{str(path)!r} can be read by other users.", f"Run: chmod 600 {path}")
    return found


def _in_environment() -> list[Key]:
    found = []
    if os.environ.get("OPENAI_API_KEY"):
        found.append(Key(OPENAI, "OPENAI_API_KEY", os.environ["OPENAI_API_KEY"].strip()))
    address = os.environ.get("PROMPTLAB_BASE_URL", "")
    if address and os.environ.get("PROMPTLAB_API_KEY"):
        found.insert(0, Key(host_of(address), "PROMPTLAB_API_KEY", os.environ["PROMPTLAB_API_KEY"].strip()))
    return found
