"""Settings: flags > environment (PROMPTLAB_...) > promptlab.toml > defaults, in one place."""

import ast
import difflib
import hashlib
import inspect
import itertools
import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from promptlab.errors import UsageError, unknown_name

FILE = "promptlab.toml"
WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
# A project file from a stranger must not redirect what is written outside of the project.
NOT_FROM_FILE = ("cache", "allow_pickle_weights")
# Nor send questions, and the key that goes with them, to a server of its own choice, nor say what that may cost.
# Nor run code.
NEEDS_TRUST = ("base_url", "llm", "prices", "max_cost", "llm_parallel", "llm_rate", "llm_tokens", "plugins_dir")
TRUSTED = "trusted.json"
NO_SETTINGS = ("PROMPTLAB_CONFIG", "PROMPTLAB_API_KEY", "PROMPTLAB_PICTURES")  # ours, and no settings
KEYS = "keys"  # the table of a project file that changes keys of the terminal UI
SCREEN = "tui.json"  # what the terminal UI remembers
PICTURES = ("auto", "blocks", "kitty")
ASKING = ("llm", "base_url", "prices", "max_cost", "llm_timeout", "llm_parallel", "llm_rate", "llm_tokens")  # no part of a classifier
ADDED = ("load_plugins", "disable_plugins", "plugins_dir", "strict_plugins")
OF_THIS_MACHINE = ("cache", "runs", "device", "engine", "batch", "workers", "compile", "offline", "allow_pickle_weights", *ASKING, *ADDED)
LOWEST_TAU = 1e-6  # below, weights are one family's alone; far below, they are no numbers
CHOICES = {
    "labels": ("auto", "ensemble", "others", "self", "true", "zpe"),
    "scope": ("auto", "global", "class"),
    "combine": ("auto", "embedding", "logit"),
    "evidence": ("similarity", "margin", "both"),
    "debias": ("none", "prior", "balance"),
    "precision": ("auto", "fp32", "fp16", "bf16"),
    "engine": ("local", "ray"),
}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that can be set. `Settings.load` finds each value's place."""

    model: str = ""
    """An alias, `NAME,TAG`, `NAME,FILE` or a folder; empty: what the data says, else `mini`."""
    templates: tuple[str, ...] = ("general",)
    """Template sets and files."""
    classes: str = ""
    """A names file; empty: names come from the data."""
    weights: str = "shrunk"
    """How families are weighted: `uniform`, `cpe`, `zpe`, `carprt`, `shrunk`, `forward`, `top-3`, or any rule."""
    labels: str = "auto"
    """Where the right answers for weighting come from; `auto`: where the weighting has them from."""
    scope: str = "auto"
    """One weight per family (`global`) or per family and class (`class`); `auto`: as the weighting was thought of."""
    combine: str = "auto"
    """How weighted families become one row per class; `auto`: `embedding`, with `zpe` `logit`."""
    drop: str = ""
    """`mad:0.5` gives no weight to families whose score is below median + 0.5 MAD; empty keeps all."""
    evidence: str = "both"
    """What `shrunk` is made from: `similarity`, `margin` (CMM), or `both`."""
    describe_weight: float = 0.5
    """The part of a class's vector that descriptions placed `beside` make."""
    debias: str = "none"
    """How per-class offsets are found: `none`, `prior` (one step), `balance`."""
    mix: str = ""
    """A file of FOLDER<TAB>SHARE lines: the class mix that offsets aim at; empty: all classes alike."""
    tau: float = 1.0
    """Temperature of the softmax over families; larger is flatter."""
    k: int = 0
    """Size of the worst sets; 0 is min(10, ceil(C / 5))."""
    transductive: bool = False
    """Tune and judge on all pictures; in-sample."""
    split: str = ""
    """A table of PATH,SPLIT rows that says which pictures are tuned on and which judged; empty: what the data says, else halves."""
    seed: int = 0
    """Of halves and resamples."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda` (pictures on all GPUs), `cuda:1` (that one), `mps`."""
    precision: str = "auto"
    """Of pictures: `auto` (fp16 on CUDA, else fp32), `fp32`, `fp16`, `bf16`."""
    batch: int = 0
    """Pictures in one batch; 0: as suits the device. Halved where that does not fit the memory."""
    workers: int = 0
    """Threads that decode pictures; 0: one for each core."""
    compile: bool = False
    """Compile the image tower (`torch.compile`): minutes at first, faster then; vectors differ by 1e-5 at most."""
    engine: str = "local"
    """Who encodes pictures: this machine, or the workers of a Ray cluster; this machine becomes one where there is none."""
    allow_pickle_weights: bool = False
    """Load pickled weights too; safetensors alone otherwise."""
    offline: bool = False
    """Download nothing."""
    llm: str = ""
    """Who is asked for descriptions: an alias (`promptlab models`), or the name of a model at `base_url`; empty: nobody."""
    base_url: str = ""
    """A server that speaks OpenAI's Chat Completions, e.g. `http://localhost:11434/v1`; empty: OpenAI's own."""
    prices: tuple[str, ...] = ()
    """`MODEL=IN/OUT`: US dollars for a million tokens of question and of reply; without, costs are unknown."""
    max_cost: float = 0.0
    """US dollars that one command may spend; 0 is no limit."""
    llm_timeout: float = 60.0
    """Seconds that one reply may take."""
    llm_parallel: int = 4
    """Questions asked at once."""
    llm_rate: int = 0
    """Requests in a minute; 0 is no limit."""
    llm_tokens: int = 0
    """Tokens of questions and replies in a minute; 0 is no limit."""
    cache: str = ""
    """The cache folder; empty: the user's cache folder."""
    runs: str = "runs"
    """Where run folders go."""
    load_plugins: tuple[str, ...] = ("all",)
    """Installed plugins to load, by name; `all`, or nothing for none."""
    disable_plugins: tuple[str, ...] = ()
    """Plugins, or packages of plugins, to leave out."""
    plugins_dir: tuple[str, ...] = ()
    """Folders of plugins that are not installed: their modules and packages are loaded, too."""
    strict_plugins: bool = False
    """Stop at the fault of a plugin instead of going on without it."""
    origin: Mapping[str, str] = field(default_factory=dict)
    """Where each value that is no default came from."""

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            if getattr(self, name) not in known:
                raise unknown_name(f"value of `{name}`", str(getattr(self, name)), known)
        if not LOWEST_TAU <= self.tau < math.inf:
            raise UsageError(f"tau is {self.tau}; a number of at least {LOWEST_TAU:g} was expected.", "Smaller is sharper: try 0.1.")
        if not 0 <= self.describe_weight <= 1:
            raise UsageError(f"describe_weight is {self.describe_weight}; a share from 0 to 1 was expected.")
        if self.seed < 0:
            raise UsageError(f"seed is {self.seed}; 0 or more was expected.")
        for name in ("batch", "workers"):
            if getattr(self, name) < 0:
                raise UsageError(f"{name} is {getattr(self, name)}; a number, or 0 for the default, was expected.")
        if self.k < 0:
            raise UsageError(f"k is {self.k}; a number of classes, or 0 for the default, was expected.")

    @classmethod
    def load(cls, flags: Mapping[str, Any], folder: Path | None = None) -> "Settings":
        """The settings for these flags (None means not given), this environment and the promptlab.toml of `folder` (here by default).

        Raises UsageError for unknown names and values of the wrong kind.
        """
        values: dict[str, Any] = {}
        origin: dict[str, str] = {}
        file = (folder or Path.cwd()) / FILE
        environment = {
            f.name: os.environ[f"PROMPTLAB_{f.name.upper()}"] for f in _settable() if f"PROMPTLAB_{f.name.upper()}" in os.environ
        }
        given = {name: value for name, value in flags.items() if value is not None and value != ()}
        for place, source in ((str(file), _from_file(file)), ("environment", environment), ("flag", given)):
            for name, value in source.items():
                values[name], origin[name] = _rooted(name, _typed(name, value, place)), place
        return cls(**values, origin=origin)

    def plain(self) -> dict[str, Any]:
        """JSON values, without origins."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items() if name != "origin"}

    def over(self, kept: Mapping[str, Any]) -> "Settings":
        """These settings, with what a run kept in place of what nobody set. Places of this machine stay."""
        mine = {n: v for n, v in kept.items() if n in defaults() and n not in self.origin and n not in OF_THIS_MACHINE}
        old: dict[str, Any] = {n: _typed(n, v, "the run") for n, v in mine.items() if v != []}
        return replace(self, **old)

    def but(self, **given: Any) -> "Settings":
        """These settings, with values given anew, as flags give them."""
        values = {name: _rooted(name, _typed(name, value, "flag")) for name, value in given.items()}
        return replace(self, **values, origin={**self.origin, **dict.fromkeys(given, "flag")})

    def agrees(self, kept: Mapping[str, Any]) -> bool:
        """Whether a run that kept these values would come out the same."""
        return all(kept.get(n) == v for n, v in self.plain().items() if n not in OF_THIS_MACHINE)

    @property
    def cache_folder(self) -> Path:
        """The cache folder, resolved."""
        return Path(os.path.expanduser(self.cache)) if self.cache else Path(platformdirs.user_cache_dir("promptlab"))


def config_folder() -> Path:
    """The folder of what is the user's own, whatever the project: keys, and which project files are trusted."""
    return Path(os.path.expanduser(os.environ.get("PROMPTLAB_CONFIG", "")) or platformdirs.user_config_dir("promptlab"))


def keys(folder: Path | None = None) -> dict[str, str]:
    """{id of a key binding of the terminal UI: its keys, comma between them}: the table `[keys]` of the promptlab.toml of `folder`.

    Raises UsageError when it is no table of such words.
    """
    file = (folder or Path.cwd()) / FILE
    found = contents(file)[0].get(KEYS, {}) if file.is_file() else {}
    if not isinstance(found, dict):
        raise UsageError(
            f"`{KEYS}` is {found!r} in {str(file)!r}; a table was expected.", 'Write `[keys]`, then lines like quit = "ctrl+q".'
        )
    inner = {f"{name}.{rest}": key for name, part in found.items() if isinstance(part, dict) for rest, key in part.items()}
    found = {name: key for name, key in found.items() if not isinstance(key, dict)} | inner  # `log.copy = "c"` is a table in TOML
    for name, key in found.items():
        if not isinstance(key, str) or not all(part.strip() for part in key.split(",")):
            raise UsageError(f"`{name}` of `[{KEYS}]` is {key!r} in {str(file)!r}; a key was expected.", 'For example "x" or "x,ctrl+x".')
    return {name: ",".join(part.strip() for part in key.split(",")) for name, key in found.items()}


def pictures() -> str:
    """How the terminal UI draws pictures: `blocks`, `kitty`, or `auto` where the environment looks as if the terminal knew Kitty's
    protocol, and it is to be asked. PROMPTLAB_PICTURES goes before what is found out.

    Raises UsageError when that is none of the three.
    """
    asked = os.environ.get("PROMPTLAB_PICTURES") or "auto"
    if asked not in PICTURES:
        raise unknown_name("value of PROMPTLAB_PICTURES", asked, PICTURES)
    inside = any(os.environ.get(name) for name in ("TMUX", "STY"))  # these keep pictures from the terminal around them
    terminals = os.environ.get("TERM") in ("xterm-kitty", "xterm-ghostty") or os.environ.get("TERM_PROGRAM") == "ghostty"
    knows = (terminals or "KITTY_WINDOW_ID" in os.environ) and not inside
    return asked if knows or asked != "auto" else "blocks"


def remembered_theme() -> str:
    """The theme that the terminal UI had last; empty when none is remembered or that cannot be read."""
    try:
        kept = json.loads((config_folder() / SCREEN).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    theme = kept.get("theme") if isinstance(kept, dict) else None
    return theme if isinstance(theme, str) else ""


def remember_theme(name: str) -> bool:
    """Remembers the theme; False where the folder cannot be written to, which is nothing to stop for."""
    try:
        folder = config_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / SCREEN).write_text(json.dumps({"theme": name}) + "\n", "utf-8")  # a torn file counts as none
    except OSError:
        return False
    return True


def strange_variables() -> dict[str, str]:
    """{environment variable that begins like ours but is none: the nearest of ours, or nothing}."""
    known = [*(f"PROMPTLAB_{name.upper()}" for name in defaults()), *NO_SETTINGS]
    strange = sorted(name for name in os.environ if name.startswith("PROMPTLAB_") and name not in known)
    return {name: next(iter(difflib.get_close_matches(name, known, n=1)), "") for name in strange}


def template() -> str:
    """A promptlab.toml with every setting that a project file may hold, commented out at its default."""
    lines = ["# Settings of promptlab for this folder. Flags and PROMPTLAB_... variables go before them.", ""]
    said = meanings()
    for name, default in defaults().items():
        if name not in NOT_FROM_FILE:
            value = list(default) if isinstance(default, tuple) else default
            lines += [f"# {said[name]}", f"# {name} = {json.dumps(value)}", ""]
    # Last, since every line after a table's head belongs to the table.
    lines += ["# Keys of the terminal UI, by the names that its help shows; a comma between several.", f"# [{KEYS}]"]
    return "\n".join([*lines, '# quit = "q,ctrl+q"', ""])


def defaults() -> dict[str, Any]:
    """{setting: its default}."""
    return {f.name: f.default for f in _settable()}


def meanings() -> dict[str, str]:
    """{setting: what it means}: the string under its field, and the values that are allowed where they are few."""
    body = next(n for n in ast.parse(inspect.getsource(Settings)).body if isinstance(n, ast.ClassDef)).body
    pairs = itertools.pairwise(body)
    return {
        (name := ast.unparse(field.target)): " ".join(ast.literal_eval(said.value).split()) + _allowed(name)
        for field, said in pairs
        if isinstance(field, ast.AnnAssign) and isinstance(said, ast.Expr)
    }


def _allowed(name: str) -> str:
    return f" One of {', '.join(f'`{value}`' for value in CHOICES[name])}." if name in CHOICES else ""


def _settable() -> list[Any]:
    return [f for f in fields(Settings) if f.name != "origin"]


def contents(file: Path) -> tuple[dict[str, Any], str]:
    """(what a project file sets, sha256 of the very bytes that were read). Raises UsageError when it cannot be read."""
    try:
        read = file.read_bytes()
        return tomllib.loads(read.decode("utf-8")), hashlib.sha256(read).hexdigest()
    except (OSError, ValueError, RecursionError) as error:  # ValueError: no TOML, no UTF-8, or a number of 5,000 digits
        raise UsageError(f"{str(file)!r} cannot be read: {error}.") from error


def is_trusted(file: Path, sha256: str) -> bool:
    """Whether the user trusts a project file with this content: `promptlab trust` wrote it down."""
    try:
        kept = json.loads((config_folder() / TRUSTED).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(kept, dict) and kept.get(str(file.resolve())) == sha256


def _from_file(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    found, sha256 = contents(file)
    found.pop(KEYS, None)
    asked = [f"`{name}`" for name in NEEDS_TRUST if found.get(name)]
    if asked and not is_trusted(file, sha256):
        raise UsageError(
            f"{str(file)!r} sets {' and '.join(asked)}, and you have not said that you trust it as it is now.",
            "Look at it, then run `promptlab trust` in its folder; flags and PROMPTLAB_... variables need no trust.",
        )
    for name in found:
        if name in NOT_FROM_FILE:
            raise UsageError(
                f"{str(file)!r} sets `{name}`, which a project file may not.",
                f"Use --{name.replace('_', '-')} or PROMPTLAB_{name.upper()}.",
            )
    runs = found.get("runs")
    if isinstance(runs, str) and not (file.parent / runs).resolve().is_relative_to(file.parent.resolve()):
        raise UsageError(f"{str(file)!r} puts runs outside of its folder ({runs!r}), which a project file may not.", "Use --runs.")
    return found


def _rooted(name: str, value: Any) -> Any:
    """The value with its paths absolute, so that a run goes on from any folder."""
    if name == "plugins_dir":
        return tuple(str(Path(os.path.expanduser(folder)).absolute()) for folder in value)
    if name in ("classes", "mix", "split") and value:
        return str(Path(os.path.expanduser(value)).absolute())  # a pipe, as `<(...)` gives, has no other name to be resolved to
    if name == "templates":
        return tuple(str(Path(v).resolve()) if os.path.isfile(v) else v for v in value)
    if name == "model" and value:
        schema, folder = ("local-dir:", value[10:]) if value.startswith("local-dir:") else ("", value)
        before, comma, file = folder.rpartition(",")
        path = Path(os.path.expanduser(file))  # Path's own raises for a user that is not there
        return f"{schema}{before}{comma}{path.resolve()}" if os.path.exists(path) and (comma or path.is_dir()) else value
    return value


def _typed(name: str, value: Any, place: str) -> Any:
    kinds = {f.name: type(f.default) for f in _settable()}
    if name not in kinds:
        raise unknown_name(f"setting (in {place})", name, kinds)
    kind = kinds[name]
    if kind is tuple and isinstance(value, str):
        return tuple(value.split(","))
    if kind is tuple and isinstance(value, list | tuple) and (value or name in ADDED) and all(isinstance(v, str) for v in value):
        return tuple(value)
    if kind is bool and isinstance(value, str) and value.lower() in WORDS:
        return WORDS[value.lower()]
    number = kind in (int, float) and isinstance(value, str | int | float) and not isinstance(value, bool)
    if (type(value) is kind and kind is not tuple) or (number and not (kind is int and isinstance(value, float))):
        try:
            return kind(value)
        except ValueError:
            pass
    raise UsageError(f"`{name}` is {value!r} in {place}; a {'list of words' if kind is tuple else kind.__name__} was expected.")
