"""The one place where outside text is made safe to show: class names, file names, messages of plugins."""

import json
import unicodedata

# Everything that moves the cursor, hides or reorders text: C0 and C1 controls, ESC, DEL, and the format characters (bidi, zero width).
_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_KEPT = {"\u200d", "\ufe0f"}  # joiners that make up emoji


def safe(text: str, longest: int = 200) -> str:
    """The text on one line, control and bidi characters shown as escapes, cut after `longest` characters."""
    shown = "".join(ch if ch in _KEPT or unicodedata.category(ch) not in _UNSAFE else _escape(ch) for ch in text[: longest + 1])
    return shown if len(text) <= longest else shown[: longest - 1] + "…"


def typed(text: str) -> str:
    """The text for a line that is edited: what would be shown as an escape is a space there, one for one."""
    return "".join(ch if ch in _KEPT or unicodedata.category(ch) not in _UNSAFE else " " for ch in text)


def many(n: int, thing: str, several: str = "") -> str:
    """`1 run`, `2 runs`; `several` is the plural where it is not the thing with an s."""
    return f"{n} {thing if n == 1 else several or thing + 's'}"


def safe_json(text: str) -> str:
    """JSON text whose strings hold no control or bidi character but as JSON's own escapes; it means the same."""
    return "".join(ch if ch == "\n" or unicodedata.category(ch) not in _UNSAFE else json.dumps(ch)[1:-1] for ch in text)


def _escape(ch: str) -> str:
    return " " if ch in "\t\n\r" else f"\\x{ord(ch):02x}" if ord(ch) < 256 else f"\\u{ord(ch):04x}"
