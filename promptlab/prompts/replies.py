"""What a language model wrote, as the texts that it holds: read for what is meant, whatever form it has."""

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from promptlab.prompts.names import words
from promptlab.prompts.questions import Pack

MOST_TEXTS = 50
MOST_CHARACTERS = 20_000
TRIES = 60  # places where JSON may begin
DEPTH = 4  # objects within objects
ECHO = 4  # words in a row that are the question's: fewer may be chance

BULLET = re.compile(r"^(?:[-*+•–—·▪◦‣●○]+\s+|[•·▪◦‣●○]+|\(?(?:\d{1,3}|[a-zA-Z])[.):](?:\s+|$)|\(\d{1,3}\)\s*)+")
REFUSAL = re.compile(
    r"\W{0,9}(?:(?:i['’]?m|i am) (?:very |so )?(?:sorry|unable|not able)\b|sorry[,.!]|i apologi[sz]e\b"
    r"|(?:unfortunately,? )?i (?:can ?not|can['’]t|won['’]t|do(?:n['’]t| not) (?:have|know))\b"
    r"|as an? (?:ai|artificial|(?:large )?language) )",
    re.I,
)
NUMBERED = re.compile(r"(?:^|\s)\(?\d{1,2}[.)]\s+")
SENTENCE_END = re.compile(r"(?<=[a-z)\"'][.!])\s+(?=[A-Z])")
QUOTED = re.compile(r"'([^\n]{1,300}?)'\s*[,\]}]")
OF_ONE_TEXT = ("text", "phrase", "name", "description", "value")


def read(text: str, pack: Pack) -> list[str]:
    """The texts in a reply to a pack's question, as they stand there. Raises ValueError with a short reason when there is none."""
    body = _said(text)
    if REFUSAL.match(body):
        raise ValueError("it refuses to answer")
    found = _in_json(body, pack.list_of)
    if found is None:
        found = _in_lines(body)
    texts = [t.strip() for t in found[:MOST_TEXTS] if words(t) and not REFUSAL.match(t)]
    if not texts:
        raise ValueError(f"it holds no {pack.list_of}")
    own = [t for t in texts if not _repeats(t, pack)]
    if not own:
        raise ValueError("it only repeats the question")
    return own


def fault(text: str, pack: Pack) -> str:
    """Why a reply holds no text; empty when it holds some."""
    try:
        read(text, pack)
    except ValueError as error:
        return str(error)
    return ""


def _said(text: str) -> str:
    """What was said after any thinking aloud, as far as it is looked at."""
    text = text[:MOST_CHARACTERS]
    before, mark, after = text.rpartition("</think>")
    if not mark and before == "" and after.lstrip().startswith("<think>"):
        raise ValueError("it thinks, and says nothing")
    if not after.strip():
        raise ValueError("it is empty")
    return after.strip()


def _repeats(text: str, pack: Pack) -> bool:
    """Whether a text is the question's own: its example, or some words in a row."""
    said = " ".join(words(text))
    examples = {" ".join(words(quoted)) for quoted in re.findall(r'"([^"{}]{1,200})"', pack.ask)}
    asked = " ".join(words(f"{pack.system} {pack.ask}"))
    return said in examples or (len(said.split()) >= ECHO and f" {said} " in f" {asked} ")


def _in_json(body: str, key: str) -> list[str] | None:
    """The texts of the JSON values in a reply, whole or broken off; None when it is no JSON."""
    decoder, found = json.JSONDecoder(strict=False), []
    at = 0
    for _ in range(TRIES):
        begin = re.compile(r"[{\[]").search(body, at)
        if begin is None:
            break
        try:
            value, at = decoder.raw_decode(body, begin.start())
        except (ValueError, RecursionError):
            at = begin.start() + 1
            continue
        found += list(itertools.islice(_texts(value, key, DEPTH), MOST_TEXTS))
    looks_so = f'"{key}"' in body or re.match(r"(?:```\w*)?\s*[{\[]", body) is not None
    return found or (_whole_strings(body, key) if looks_so else None)


def _texts(value: Any, key: str, depth: int) -> Iterator[str]:
    """The texts of a JSON value: those under the key, else those of its lists, else its own."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list) and depth:
        for item in value:
            yield from _texts(_one(item, key), key, depth - 1)
    elif isinstance(value, dict) and depth:
        below = [v for v in value.values() if isinstance(v, list | dict)]
        for part in [value[key]] if key in value else below or value.values():
            yield from _texts(part, key, depth - 1)


def _one(item: Any, key: str) -> Any:
    """The text of an object that stands for one; the object itself when that cannot be told."""
    if not isinstance(item, dict):
        return item
    texts = [v for v in item.values() if isinstance(v, str)]
    named = [item[k] for k in (key, key.removesuffix("s"), *OF_ONE_TEXT) if isinstance(item.get(k), str)]
    return texts[0] if len(texts) == 1 else named[0] if named else item


def _whole_strings(body: str, key: str) -> list[str]:
    """The strings of a list that is broken off, or that is no JSON for another reason; of Python's quotes when it has no others."""
    at = body.find("[", max(0, body.find(f'"{key}"')))
    if at < 0:
        return []
    start, found, decoder = at, [], json.JSONDecoder(strict=False)
    while (at := body.find('"', at)) >= 0:
        try:
            text, at = decoder.raw_decode(body, at)
        except ValueError:
            break
        found += [] if re.match(r"\s{0,9}:", body[at : at + 10]) else [text]
    return found or QUOTED.findall(body[start:])


def _in_lines(body: str) -> list[str]:
    """The lines of a reply, without headings, preambles and bullets; what is one line is split."""
    lines = [line.strip() for line in body.splitlines() if line.strip() and not line.strip().startswith(("```", "#", "---"))]
    lines = [line for line in lines if not line.rstrip("*_ ").endswith(":")]
    bulleted = [line for line in lines if BULLET.match(line)]
    if len(bulleted) > 1 or (bulleted and len(bulleted) == len(lines)):
        lines = bulleted
    if len(lines) == 1:
        lines = _split(lines[0])
    return [BULLET.sub("", line) for line in lines]


def _split(line: str) -> list[str]:
    """The texts of a single line: numbered, else parted by semicolons, else sentences, else parted by commas where there are several."""
    numbered = [part for part in NUMBERED.split(line) if part.strip()]
    if len(NUMBERED.findall(line)) > 1:
        return numbered
    if ";" in line:
        return line.split(";")
    sentences = SENTENCE_END.split(line)
    return sentences if len(sentences) > 1 or line.count(",") < 2 else line.split(",")
