"""The little English that templates and lint need."""

import re

_SOUNDS_VOWEL = re.compile(r"^(?:[aefhilmnorsx]-|hour|honest|honou?r|heir|[aeiou])", re.I)
_SOUNDS_CONSONANT = re.compile(r"^(?:uni(?!n)|use|usu|uk|ut[ie]|eu|ewe|one\b|once\b|ouija|u-)", re.I)
# Words that end in s and are not the plural of anything, or have no singular.
_NOT_PLURAL = re.compile(
    r"(?:ss|us|is|ops|chess|news|lens|canvas|atlas|gas|series|species|scissors|binoculars|headphones|earphones|trousers|pants|jeans|shorts|tights"
    r"|pliers|goggles|sunglasses|glasses|pajamas|tongs|tweezers|shears|overalls|swim trunks|stairs|maracas|barracks|swiss|cosmos)$",
    re.I,
)

_IE = re.compile(r"(?:cook|brown|mov|zomb|gen|self|coll|hood|smooth|calor|prair|bird|rook|hipp|book|past|bog|kew)ies$|\b[pdtl]ies$", re.I)


def article(name: str) -> str:
    """The name with its article: `a tench`, `an owl`, `an hourglass`, `a unicycle`."""
    an = _SOUNDS_VOWEL.match(name) and not _SOUNDS_CONSONANT.match(name)
    return f"{'an' if an else 'a'} {name}"


def plural(name: str) -> str:
    """The name in the plural, by the regular rules: `churches`, `ferries`, `dogs`; what looks plural stays."""
    if looks_plural(name) or re.search(r"(?:scissors|binoculars|headphones|trousers|glasses)$", name, re.I):
        return name
    if re.search(r"(?:s|x|z|ch|sh)$", name, re.I):
        return name + "es"
    if re.search(r"[^aeiou]y$", name, re.I):
        return name[:-1] + "ies"
    return name + "s"


def looks_plural(name: str) -> bool:
    """Whether the last word looks like a plural that has a singular: `leopards`, `car wheels`; not `scissors`, `ibis`, `chess`."""
    return bool(re.search(r"[a-z]s$", name, re.I)) and len(name) > 3 and not _NOT_PLURAL.search(name)


def singular(name: str) -> str:
    """The likely singular of a name that looks plural."""
    if _IE.search(name):
        return name[:-1]
    for ending, instead in (("ies", "y"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("sses", "ss")):
        if name.casefold().endswith(ending):
            return name[: -len(ending)] + instead
    return name[:-1]
