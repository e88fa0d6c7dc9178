"""What is checked before open_clip is told to load a model: random weights, pickles, hostile configs and wrong activations are refused."""

import json
from pathlib import Path
from typing import Any

from promptlab.errors import EncoderError, OfflineError, unknown_name

CONFIG = "open_clip_config.json"
SAFE = (".safetensors",)
PICKLED = (".bin", ".pt", ".pth")
# The order in which open_clip itself looks for weights in a folder.
PREFERRED = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth",
    "model.safetensors",
    "pytorch_model.bin",
    "pytorch_model.pth",
    "model.pth",
)
# What a config may say: a stranger's config must not run code (`trust_remote_code`) or claim memory that no real model needs.
MODEL_KEYS = {
    *("embed_dim", "vision_cfg", "text_cfg", "multimodal_cfg", "custom_text", "quick_gelu"),
    *("init_logit_scale", "init_logit_bias", "nonscalar_logit_scale", "cast_dtype", "output_dict"),
}
TOKENIZER_KEYS = {"clean", "strip_sep_token", "language", "reduction_mask", "additional_special_tokens"}
LARGEST = {"vocab_size": 2_000_000, "context_length": 8192, "image_size": 4096, "layers": 256}
LARGEST_OTHER = 65_536


def weights_file(path: Path, allow_pickle: bool) -> Path:
    """The file, if it may be loaded. Raises EncoderError when it is missing, or a pickle that nobody allowed."""
    if not path.is_file():
        raise EncoderError(f"There is no weights file {str(path)!r}.")
    if path.suffix not in SAFE and not (allow_pickle and path.suffix in PICKLED):
        raise EncoderError(
            f"{str(path)!r} is no safetensors file, and unpickling weights can run a stranger's code.",
            "Convert it to safetensors, or allow it with --allow-pickle-weights.",
        )
    return path


def weights_in(folder: Path, allow_pickle: bool) -> Path:
    """The weights that open_clip will choose in a model folder. Raises EncoderError when there are none that may be loaded."""
    found = sorted(p for p in folder.iterdir() if p.suffix in (".safetensors", ".bin", ".pth"))
    if not found:
        raise EncoderError(f"There are no weights in {str(folder)!r}.", f"Expected: {PREFERRED[0]}.")
    known = sorted((p for p in found if p.name in PREFERRED), key=lambda p: PREFERRED.index(p.name))
    safe_first = sorted(found, key=lambda p: p.suffix not in SAFE)
    return weights_file((known or safe_first)[0], allow_pickle)


def check_config(folder: Path) -> None:
    """Raises EncoderError when a model folder's config is missing, broken, or says what a config may not."""
    path = folder / CONFIG
    if not path.is_file():
        raise EncoderError(f"There is no {CONFIG} in {str(folder)!r}.", f"A model folder holds {CONFIG} and {PREFERRED[0]}.")
    try:
        config = json.loads(path.read_text("utf-8"))["model_cfg"]
        parts = {name: config[name] for name in ("vision_cfg", "text_cfg")}
        if not all(isinstance(part, dict) for part in parts.values()):
            raise TypeError("vision_cfg and text_cfg must be objects")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EncoderError(f"{str(path)!r} is no open_clip config: {type(error).__name__}: {error}.") from error
    _only(config, MODEL_KEYS, "model_cfg", path)
    _only(parts["text_cfg"].get("tokenizer_kwargs") or {}, TOKENIZER_KEYS, "tokenizer_kwargs", path)
    for name, part in {"": config, **{f"{name}.": part for name, part in parts.items()}}.items():
        _sizes(part, name, path)


def _only(found: Any, allowed: set[str], where: str, path: Path) -> None:
    strange = sorted(set(found) - allowed) if isinstance(found, dict) else [repr(found)]
    if strange:
        raise EncoderError(f"{str(path)!r} sets `{strange[0]}` in {where}, which is not allowed.", "Remove it if you trust the model.")


def _sizes(part: dict[str, Any], where: str, path: Path) -> None:
    for key, value in part.items():
        numbers = value if isinstance(value, list) else [value]
        most = LARGEST.get(key, LARGEST_OTHER)
        if any(isinstance(n, int | float) and n > most for n in numbers):
            raise EncoderError(f"{str(path)!r} sets {where}{key} = {value}; at most {most} is allowed.", "No real model is that large.")


def check_name(name: str) -> None:
    """Raises UsageError, with the nearest, when open_clip has no architecture of that name."""
    import open_clip

    if name not in open_clip.list_models():
        raise unknown_name("open_clip model", name, open_clip.list_models())


def activation(name: str, tag: str) -> tuple[bool, bool]:
    """Whether published weights were taught with QuickGELU, and whether the model of that name fits them."""
    import open_clip

    quick = bool((open_clip.get_pretrained_cfg(name, tag) or {}).get("quick_gelu", False))
    return quick, quick == bool((open_clip.get_model_config(name) or {}).get("quick_gelu", False))


def check_published(name: str, tag: str) -> None:
    """Raises UsageError for an unknown model or tag, EncoderError where tag and model disagree on the activation."""
    import open_clip

    check_name(name)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if tag not in tags:
        raise unknown_name(f"pretrained tag of {name}", tag, tags)
    quick, fits = activation(name, tag)
    if not fits:
        right = f"{name}-quickgelu" if quick else name.removesuffix("-quickgelu")
        said = "with" if quick else "without"
        raise EncoderError(
            f"The weights {tag!r} were taught {said} QuickGELU, and {name!r} is not: vectors would be wrong.", f"Use {right},{tag}."
        )


def hub_folder(repository: str, allow_pickle: bool, offline: bool) -> str:
    """The local folder of a Hugging Face repository, downloaded if need be; it is then checked like any folder.

    Raises OfflineError or EncoderError when it cannot be had.
    """
    from huggingface_hub import snapshot_download

    kinds = ["*.json", "*.txt", "*.model", "*.safetensors", *([f"*{suffix}" for suffix in PICKLED] if allow_pickle else [])]
    try:
        return str(snapshot_download(repository, allow_patterns=kinds, local_files_only=offline))
    except Exception as error:  # the hub client raises many kinds
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        what = f"The repository {repository!r} could not be had: {said}"
        if offline:
            raise OfflineError(what, "It is not in the local cache; run once without --offline.") from error
        raise EncoderError(what, "Without network, name a folder: --model local-dir:FOLDER.") from error


def cut_off() -> None:
    """Keep the hub client from the network; it reads this constant at each call."""
    from huggingface_hub import constants

    constants.HF_HUB_OFFLINE = True
