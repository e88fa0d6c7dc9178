"""What nobody would write: good files bent, JSON of any shape, bytes of any kind."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from promptlab.errors import PromptlabError

PIECES = (
    *(
        "\x00",
        "\ufeff",
        "\r\n",
        "\n",
        "\t",
        '"',
        "'",
        "\\",
        "\\ud800",
        "\\u0000",
        "\u2028",
        "\x1b[31m",
        "\u202e",
        "💥",
        ",",
        ":",
        ";",
        "#",
        "=",
        " ",
    ),
    *(
        "{",
        "}",
        "[",
        "]",
        "{{",
        "}}",
        "{%",
        "%}",
        "{}",
        "{c}",
        "null",
        "true",
        "NaN",
        "-Infinity",
        "1e999",
        "9" * 5000,
        "-1",
        "0.5",
        "x" * 20_000,
    ),
    *(
        "[" * 3000,
        '{"a":' * 3000,
        "<|endoftext|>",
        "&amp;" * 50,
        "../../x",
        "/etc/passwd",
        "wds/",
        "0_1",
        "#2",
        "class",
        "text",
        "templates",
    ),
)
keys = st.sampled_from(
    ("class", "text", "metrics", "classes", "templates", "prompt_pairs", "crane", "n1", "0_1", "imagenet1k", "use")
) | st.text(max_size=6)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(PIECES) | st.text(max_size=12)
values: st.SearchStrategy[Any] = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
ENDLESS = tuple(
    one.encode() for one in ("[" * 100_000, '{"a":' * 50_000, "9" * 10_000, "a = [" * 30_000, "x" * 300_000, "(" * 5000, "-" * 50_000 + "1")
)


@st.composite
def bent(draw: st.DrawFn, good: tuple[str, ...]) -> bytes:
    """A good file with up to four pieces put in, taken out, or put in place of others; it may end early."""
    text = draw(st.sampled_from(good))
    for _ in range(draw(st.integers(0, 4))):
        at, gone = draw(st.integers(0, len(text))), draw(st.integers(0, 8))
        text = text[:at] + draw(st.sampled_from(("", *PIECES))) + text[at + gone :]
    raw = text.encode("utf-8", "surrogatepass")
    return raw[: draw(st.integers(0, len(raw)))] if draw(st.booleans()) and draw(st.booleans()) else raw


def contents(*good: str) -> st.SearchStrategy[bytes]:
    """What may be in a file that should be like one of `good`."""
    dumped = st.builds(lambda value, ascii_: json.dumps(value, ensure_ascii=ascii_).encode("utf-8", "replace"), values, st.booleans())
    encoded = st.builds(
        lambda raw, codec: raw.decode("utf-8", "replace").encode(codec), bent(good), st.sampled_from(("utf-16", "utf-8-sig", "utf-7"))
    )
    return st.one_of(bent(good), bent(good), bent(good), dumped, dumped, st.binary(max_size=60), st.sampled_from(ENDLESS), encoded)


def met(reader: Callable[[Path], Any], path: Path, raw: bytes) -> Any:
    """What a reader makes of a file; None for an error of promptlab's. Fails when anything else comes of it, or another file appears."""
    path.write_bytes(raw)
    try:
        return reader(path)
    except PromptlabError:
        return None
    finally:
        assert [one.name for one in path.parent.iterdir()] == [path.name]
