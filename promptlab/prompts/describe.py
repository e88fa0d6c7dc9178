"""From what was written of a class, by a language model or in a file, to texts that can stand in a prompt.

A phrase has to read well after `a photo of a NAME, ...`. There bare words do, `a red comb` or `standing in water`, and what one model
writes as `It has a red comb`, the next as `with a red comb` or `Hen: a red comb`, is one text and not three. So such beginnings go, with
bullets, quotes, markdown and the full stop. A sentence stands alone and keeps its words.

A rival's name in a text would draw the rival's pictures, so such a text is dropped; another class's name is only told. A name counts as
`names.Names` reads it, with the class's own names among them: for the class "crocodile head" beside the rival "crocodile", the words
"crocodile head" are its own and stay usable, a "crocodile" by itself is the rival; for the class "crocodile" beside the rival "crocodile
head" it is the other way round.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from promptlab.display import many
from promptlab.prompts import compose
from promptlab.prompts.english import plural
from promptlab.prompts.names import Names, words
from promptlab.prompts.replies import BULLET, MOST_TEXTS, REFUSAL, fault, read
from promptlab.protocols import Encoder
from promptlab.types import Form

__all__ = ["Cleaned", "bank", "clean", "fault", "read"]

LONGEST = 2000  # characters of one text
MOST_WORDS = 40  # of a phrase
LOOP = 8  # words, half of them or fewer distinct: a model that goes round in circles; fewer words may well rhyme
ROUNDS = 20  # what hides something within something within ... is dropped
ARTICLES = {"a", "an", "the"}
LONGEST_NAME = 100  # of names that texts begin with

SIGNS = " \t\"“”„‟«»'‘’‚‹›[]"  # around a text
ESCAPE = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]?")
TOKEN = re.compile(rf"<\|[\w ]{{1,40}}\|>|\[/?INST\]|{compose.SPECIAL.pattern}", re.I)
TAG = re.compile(r"</?[a-zA-Z][^<>]{0,100}>")
LINK = re.compile(r"!?\[([^\[\]]{1,200})\]\([^()\s]{0,300}\)")
MARKUP = re.compile(r"\*+|`+|~~+|__+|^(?:#+|>+)\s+")
CODE = re.compile(r"[{}<>=\\|＜＞｜]|\w\(\)|&#?\w+;|\"\s*[:,]|\[\"|\bjson\b", re.I)
ADDRESS = re.compile(r"\w://|\bwww\.|\w@\w|\w\.(?:com|org|net|io|html?|jpe?g|png|gif)\b", re.I)
TALK = re.compile(
    r"(?:sure|certainly|of course|absolutely|okay|ok|great)[!,.:]|(?:here (?:are|is)|here['’]s|below (?:are|is)|the following)\b"
    r"|(?:let me know|please|note that|in this (?:example|case|reply)|these (?:phrases|names|words)|the (?:phrases|json|answer|reply))\b"
    r"|(?:if )?(?:i|you|your|we|my)['’ ]",
    re.I,
)
LABEL = re.compile(r"[^\W\d_]{1,20}(?:[ -][^\W\d_]{1,20}){0,2}:\s+")
HAVING = re.compile(r"(?:(?:usually|often|typically|also)\s+)?(?:(?:which|that|who)\s+)?(?:with|has|have|having|featuring)\s+", re.I)
PHOTO = r"(?:an?|the|this)\s+(?:[\w-]{1,20}\s+){0,2}(?:photo|photograph|picture|image)s?\s+(?:of|shows?|showing)\s+"
ARTICLE = r"(?:(?:an?|the|this|these|most|some|all|many)\s+)?"
OFTEN = r"(?:(?:can|may|will|usually|often|typically|generally|always|also)\s+){0,3}"
IS = rf"{OFTEN}(?:has|have|had|is|are|be|features?|shows?|displays?|looks? like)"
CLAUSE = re.compile(r"[,;.]\s|\s(?:and|with)\s")


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Texts that can be used, and what became of the others."""

    texts: tuple[str, ...]
    """In the order in which they were written."""
    dropped: tuple[tuple[str, str], ...]
    """(text as it was written, why)."""
    shortened: tuple[tuple[str, str], ...]
    """(text, what is left of it), of texts that are used."""
    names_others: tuple[tuple[str, str], ...]
    """(text, the class that it names), of texts that are used."""


def clean(
    texts: Sequence[str],
    form: Form,
    *,
    own: Sequence[str],
    rivals: Sequence[str],
    others: Sequence[str],
    encoder: Encoder | None,
    most: int = 8,
    room: Callable[[str], str] | None = None,
) -> Cleaned:
    """The usable ones of some texts about a class, at most `most`.

    own, rivals, others: names of the class, of those that take its pictures, of all others. encoder: tells how much it reads and what is
    one to it; None where nobody knows. room: the longest prompt that a text will stand in; None is the text alone.
    """
    role = {**dict.fromkeys(others, "other"), **dict.fromkeys(rivals, "rival"), **dict.fromkeys(own, "own")}
    names, itself = Names([*own, *rivals, *others]), Names(own)
    fits = _fitting(form, encoder, room)
    beginning = _beginning(own)
    kept: list[str] = []
    seen: set[str] = set()
    dropped, shortened, named = [], [], []
    for raw in texts:
        text = _tidy(raw, form, beginning) if len(raw) <= LONGEST else ""
        fit = text if not fits(text) else _shortened(text, form, beginning, fits)
        keys = {"".join(ch for ch in fit.casefold() if ch.isalnum()), encoder.clean(fit) if encoder else fit}
        reason = _why_not(raw, text) or ("" if fit else fits(text)) or _why_not_this(fit, names, role, itself)
        if not reason and keys & seen:
            reason = "is there already"
        if not reason and len(kept) >= min(most, MOST_TEXTS):
            reason = f"comes after the first {min(most, MOST_TEXTS)}"
        if reason:
            dropped.append((raw[:LONGEST], reason))
            continue
        kept.append(fit)
        seen |= keys
        shortened += [(text, fit)] if fit != text else []
        named += [(fit, name) for name in dict.fromkeys(names.within(fit)) if role[name] == "other"]
    return Cleaned(tuple(kept), tuple(dropped), tuple(shortened), tuple(named))


def _why_not(raw: str, text: str) -> str:
    """Why a text is no description; empty when it is one."""
    letters = [ch for ch in text if ch.isalpha()]
    if len(raw) > LONGEST:
        return f"has {len(raw)} characters; {LONGEST} are read"
    if len(letters) < 2 and not any(unicodedata.category(ch) == "Lo" for ch in letters):  # one sign can be a word in Chinese
        return "has no words"
    if raw.rstrip(SIGNS + "*_").endswith(":") or TALK.match(text):
        return "speaks of the reply, not of the class"
    if REFUSAL.match(text):
        return "is a refusal"
    if text.endswith("?"):
        return "is a question"
    said = words(text)
    if len(set(said)) * 2 <= len(said) and (len(said) >= LOOP or len(set(said)) == 1):
        return "repeats itself"
    return "is an address" if ADDRESS.search(text) else "looks like code" if CODE.search(text) else ""


def _why_not_this(text: str, names: Names, role: Mapping[str, str], itself: Names) -> str:
    """Why a text is not for this class; empty when it may be."""
    held = names.within(text)
    rival = next((name for name in held if role[name] == "rival"), "")
    if rival:
        return f"names the rival {rival!r}"
    if not set(itself.all_but(text)) - ARTICLES:
        return "is only the name"
    return "" if set(names.all_but(text)) - ARTICLES else f"is only the name of {held[0]!r}"


def _fitting(form: Form, encoder: Encoder | None, room: Callable[[str], str] | None) -> Callable[[str], str]:
    """What tells why a text is too long; empty when it is not."""

    def too_long(text: str) -> str:
        if form is Form.PHRASE and len(text.split()) > MOST_WORDS:
            return f"has {len(text.split())} words where {MOST_WORDS} are a phrase, and no clause to cut at"
        tokens = encoder.tokens(room(text) if room else text) if encoder else 0
        if encoder and tokens > encoder.context_length:
            return f"needs {many(tokens, 'token')} where {encoder.context_length} are read, and has no clause to cut at"
        return ""

    return too_long


def _shortened(text: str, form: Form, beginning: re.Pattern[str], too_long: Callable[[str], str]) -> str:
    """The longest part of a text, from its beginning to the end of a clause, that is not too long; empty when there is none."""
    best = ""
    for cut in CLAUSE.finditer(text):
        short = _tidy(text[: cut.start()], form, beginning)
        if too_long(short):
            break
        best = best if _why_not(short, short) else short
    return best


def _tidy(text: str, form: Form, beginning: re.Pattern[str]) -> str:
    """The words of a text alone; empty when there is no end of signs around them. Tidying what is tidy changes nothing."""
    for _ in range(ROUNDS):
        before, text = text, _plain(text)
        if form is Form.PHRASE:
            text = _phrase(text, beginning)
        if text == before:
            return text
    return ""


def _plain(text: str) -> str:
    """The text without control characters, special tokens, markup, bullets and the signs around it."""
    text = "".join(ch for ch in html.unescape(ESCAPE.sub("", text)) if unicodedata.category(ch) != "Cf")
    for pattern in (TOKEN, TAG):
        while (less := pattern.sub(" " if pattern is TAG else "", text)) != text:  # `<end<end_of_text>_of_text>`
            text = less
    text = text.replace('"', "") if text.count('"') % 2 else text  # a half of a quotation
    text = MARKUP.sub("", LINK.sub(r"\1", compose.clean(text)).strip()).replace("_", " ")
    text = BULLET.sub("", text.strip(SIGNS)).strip(SIGNS)
    return " ".join(text.lstrip(".,;:!?…-–— ").rstrip(",;:-–— ").split())


def _phrase(text: str, beginning: re.Pattern[str]) -> str:
    """The text without what a phrase needs not: a label, `it has`, `with`, `a photo of`, a full stop."""
    text = text.rstrip(".!… ")
    found = beginning.match(text) or LABEL.match(text) or HAVING.match(text)
    return text[found.end() :] if found else text


def _beginning(own: Iterable[str]) -> re.Pattern[str]:
    """What a phrase of this class begins with and does not need: `The NAME has`, `NAME:`, `It is`, `A photo of a NAME,`."""
    names = {form for name in own for form in (name, plural(name)) if name.strip() and len(name) <= LONGEST_NAME}
    said = "|".join(re.escape(" ".join(name.split())) for name in sorted(names, key=lambda n: (-len(n), n)))
    who = f"(?:{said}|it|they|this|these)" if said else "(?:it|they|this|these)"
    subject = rf"{ARTICLE}{who}\s+{IS}\s+|(?:it|they|that)['’](?:s|re)\s+"
    name = rf"{ARTICLE}(?:{said})\s*(?:[:–—]|\s-)\s+" if said else r"(?!)"
    photo = rf"{PHOTO}(?:{ARTICLE}(?:{said}),\s+)?" if said else PHOTO
    return re.compile(f"{photo}|{name}|{subject}", re.I)


def bank(raw: Mapping[str, Sequence[str]], classes: Sequence[str]) -> tuple[list[str], list[str]]:
    """(the texts of all classes as one pool that names no class, each once, in the order in which they were written; those left out for
    a class's name)."""
    names = Names(classes)
    texts = [" ".join(BULLET.sub("", text.strip()).split()) for said in raw.values() for text in said]
    pool = dict.fromkeys(text for text in texts if text and not names.within(text))
    return list(pool), list(dict.fromkeys(text for text in texts if names.within(text)))
