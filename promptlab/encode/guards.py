"""What is checked before open_clip is told to load a model: random weights, pickles, hostile configs and wrong activations are refused."""

import json
import os
from pathlib import Path
from typing import Any

from promptlab.errors import EncoderError, OfflineError, unknown_name

CONFIG = "open_clip_config.json"
SAFE = (".safetensors",)
SMALL = (".json", ".txt", ".model")  # config and tokenizer
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
BLOCK_KEYS = {
    *("width", "layers", "mlp_ratio", "ls_init_value", "final_ln_after_pool", "pool_type", "output_tokens", "act_kwargs", "norm_kwargs"),
    *("block_type", "qk_norm", "scaled_cosine_attn", "scale_heads", "scale_attn_inner", "scale_attn", "scale_fc"),
}
VISION_KEYS = BLOCK_KEYS | {
    *("head_width", "patch_size", "image_size", "patch_dropout", "attentional_pool", "attn_pooler_queries", "attn_pooler_heads"),
    *("no_ln_pre", "pos_embed_type", "timm_model_name", "timm_model_pretrained", "timm_pool", "timm_proj", "timm_proj_bias"),
    *("timm_drop", "timm_drop_path"),
}
TEXT_KEYS = BLOCK_KEYS | {
    *("context_length", "vocab_size", "heads", "embed_cls", "pad_id", "eos_id", "no_causal_mask", "proj_bias", "proj_type"),
    *("hf_tokenizer_name", "tokenizer_mode", "tokenizer_kwargs", "hf_model_name", "hf_model_pretrained", "hf_proj_type", "hf_pooler_type"),
}
PART_KEYS = {
    "vision_cfg": VISION_KEYS,
    "text_cfg": TEXT_KEYS,
    "multimodal_cfg": TEXT_KEYS | {"dim_head", "n_queries", "attn_pooler_heads"},
    "preprocess_cfg": {"size", "mode", "mean", "std", "interpolation", "resize_mode", "fill_color"},
}
TOKENIZER_KEYS = {"clean", "strip_sep_token", "language", "reduction_mask", "additional_special_tokens"}
LARGEST = {"vocab_size": 2_000_000, "context_length": 8192, "image_size": 4096, "size": 4096, "layers": 256}
LARGEST_OTHER = 65_536
MOST_PARAMETERS = 6e9  # 24 GB; ViT-bigG-14, the largest of open_clip, has 2.5e9


def weights_file(path: Path, allow_pickle: bool) -> Path:
    """The file, if it may be loaded. Raises EncoderError when it is missing, or a pickle that nobody allowed."""
    if not os.path.isfile(path):
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


def small_files(folder: Path) -> list[Path]:
    """The files beside the weights that a model is made from: its config, then those of its tokenizer."""
    found = {path for path in folder.iterdir() if path.suffix in SMALL and path.is_file()}
    return [folder / CONFIG, *sorted(found - {folder / CONFIG})]


def check_config(folder: Path) -> None:
    """Raises EncoderError when a model folder's config is missing, broken, or says what a config may not."""
    path = folder / CONFIG
    if not os.path.isfile(path):
        raise EncoderError(f"There is no {CONFIG} in {str(folder)!r}.", f"A model folder holds {CONFIG} and {PREFERRED[0]}.")
    try:
        whole = json.loads(path.read_text("utf-8"))
        config = whole["model_cfg"]
        parts = {name: config[name] for name in ("vision_cfg", "text_cfg")}
        parts |= {name: at[name] for name, at in (("multimodal_cfg", config), ("preprocess_cfg", whole)) if at.get(name) is not None}
        if not all(isinstance(part, dict) for part in parts.values()):
            raise TypeError(f"{', '.join(parts)} must be objects")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise EncoderError(f"{str(path)!r} is no open_clip config: {type(error).__name__}: {error}.") from error
    _only(config, MODEL_KEYS, "model_cfg", path)
    _sizes(config, "", path)
    for name, part in parts.items():
        _only(part, PART_KEYS[name], name, path)
        _only(part.get("tokenizer_kwargs") or {}, TOKENIZER_KEYS, "tokenizer_kwargs", path)
        _sizes(part, f"{name}.", path)
        _fetches_nothing(part, name, path)
        count = _parameters(part, config)
        if count > MOST_PARAMETERS:
            raise EncoderError(
                f"{str(path)!r} asks for {count:.0e} parameters in {name}; at most {MOST_PARAMETERS:.0e} are allowed.",
                "No real model is that large.",
            )


def _only(found: Any, allowed: set[str], where: str, path: Path) -> None:
    strange = sorted(set(found) - allowed) if isinstance(found, dict) else [repr(found)]
    if strange:
        raise EncoderError(f"{str(path)!r} sets `{strange[0]}` in {where}, which is not allowed.", "Remove it if you trust the model.")


def _fetches_nothing(part: dict[str, Any], where: str, path: Path) -> None:
    """Raises EncoderError where a part would be had from the network: the folder's weights are the model."""
    for key in ("timm_model_pretrained", "hf_model_pretrained"):
        if part.get(key):
            raise EncoderError(f"{str(path)!r} sets {where}.{key}, which would fetch other weights.", "Set it to false.")
    if ":" in str(part.get("timm_model_name")):
        name = part["timm_model_name"]
        raise EncoderError(f"{str(path)!r} takes {where}.timm_model_name from {name!r}.", "Only the names that timm knows are allowed.")


def _parameters(part: dict[str, Any], config: dict[str, Any]) -> float:
    """About how many numbers a part of a model holds; for sizes that it does not name open_clip's defaults are taken."""

    def size(key: str, default: float, found: dict[str, Any] = part) -> float:
        value = found.get(key)
        numbers = [abs(n) for n in (value if isinstance(value, list) else [value]) if isinstance(n, int | float)]
        return sum(numbers) or default

    width = size("width", 768)
    patches = (size("image_size", 224) / size("patch_size", 16)) ** 2
    blocks = size("layers", 12) * width**2 * (4 + 2 * size("mlp_ratio", 4))
    return blocks + width * (patches + size("vocab_size", 0) + size("context_length", 0) + size("embed_dim", 512, config))


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
    """Whether published weights were taught with QuickGELU, and whether the model of that name is right for them: it has their activation,
    or no other model does."""
    import open_clip

    quick = bool((open_clip.get_pretrained_cfg(name, tag) or {}).get("quick_gelu", False))
    return quick, _right_name(name, quick, open_clip.list_pretrained_models_by_tag(tag)) == name


def check_published(name: str, tag: str) -> None:
    """Raises UsageError for an unknown model or tag, EncoderError where tag and model disagree on the activation."""
    import open_clip

    check_name(name)
    tags = open_clip.list_pretrained_tags_by_model(name)
    if tag not in tags:
        raise unknown_name(f"pretrained tag of {name}", tag, tags)
    quick, _ = activation(name, tag)
    _same_activation(name, tag, quick, open_clip.list_pretrained_models_by_tag(tag))


def check_file(name: str, file: Path) -> None:
    """Raises EncoderError where the config beside a weights file names another activation than the model; without one nobody can know."""
    import open_clip

    try:
        quick = bool(json.loads((file.parent / CONFIG).read_text("utf-8"))["model_cfg"].get("quick_gelu", False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    _same_activation(name, str(file), quick, open_clip.list_models())


def _right_name(name: str, quick: bool, models: list[str]) -> str:
    """The model like `name` with the activation that the weights were taught with; `name` itself where there is none."""
    import open_clip

    right = f"{name}-quickgelu" if quick else name.removesuffix("-quickgelu")
    model = bool((open_clip.get_model_config(name) or {}).get("quick_gelu", False))
    return right if quick != model and right in models else name


def _same_activation(name: str, weights: str, quick: bool, models: list[str]) -> None:
    """Raises EncoderError where weights were taught with the other activation than the model's, and a model with theirs exists."""
    right = _right_name(name, quick, models)
    if right != name:
        said = "with" if quick else "without"
        raise EncoderError(
            f"The weights {weights!r} were taught {said} QuickGELU, and {name!r} is not: vectors would be wrong.", f"Use {right},{weights}."
        )


def hub_folder(repository: str, allow_pickle: bool, offline: bool) -> str:
    """The local folder of a Hugging Face repository, downloaded if need be; it is then checked like any folder.

    Raises OfflineError or EncoderError when it cannot be had.
    """
    from huggingface_hub import snapshot_download

    kinds = [f"*{suffix}" for suffix in (*SMALL, *SAFE, *(PICKLED if allow_pickle else ()))]
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
