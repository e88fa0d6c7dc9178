"""Text at the cost of its tokens.

open_clip pads every text to the context length (77 for CLIP) though most prompts have about ten tokens. A causal tower that pools at the
end token never looks behind it, so that the padding can be left out; `TextTower` does this where it can prove it on the model at hand.
"""

from typing import Any

import torch
from torch import Tensor

from promptlab.types import unit

# Largest difference of unit vectors between the cut and the padded run that counts as equal; fp32 gives about 1.3e-7.
EQUAL = 2e-6
PROBES = (
    "a",
    "a photo of a cat.",
    "the quick brown fox jumps over the lazy dog while nineteen other animals look on, one by one, in the rain",
)
# Tokens in one forward pass: enough to fill the processor, few enough to stay in its cache (ViT-B-32, one thread: 350 tokens are
# 13 % faster than 1,400).
TOKENS_AT_ONCE = {"cpu": 512, "cuda": 65536, "mps": 8192}


class TextTower:
    """Runs an open_clip model's text tower on token ids, each text at its own length if the tower allows it.

    `cut` says whether it does: causal mask, pooling at the end token, and equal results on three probes.
    """

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        self.model, self.device = model, device
        self._parts = getattr(model, "text", model)  # CustomTextCLIP keeps its tower in .text, CLIP is its own
        self._pool = getattr(model, "text_pool_type", None) or getattr(self._parts, "pool_type", None)
        self._end_id: int = getattr(model, "text_eos_id", None) or getattr(self._parts, "eos_id", None) or -1
        self.cut = self._could_be_cut() and self._proven(tokenizer(list(PROBES)))

    def _could_be_cut(self) -> bool:
        needed = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection", "attn_mask")
        causal = all(hasattr(self._parts, name) for name in needed) and self._parts.attn_mask is not None
        return causal and self._pool in ("argmax", "eos") and getattr(self._parts, "cls_emb", None) is None

    @torch.inference_mode()
    def _proven(self, ids: Tensor) -> bool:
        ids = ids.to(self.device)
        cut = torch.cat([self._at_length(ids[i : i + 1]) for i in range(len(ids))])  # each at a length of its own
        return bool((self._padded(ids) - cut).abs().max() <= EQUAL)

    def ends(self, ids: Tensor) -> Tensor:
        """(B,) position of each text's end token in ids (B, L)."""
        return ids.argmax(-1) if self._pool != "eos" else torch.eq(ids, self._end_id).int().argmax(-1)

    @torch.inference_mode()
    def encode(self, ids: Tensor) -> Tensor:
        """(B, D) f4 unit vectors for one slice of token ids (B, L), ideally of texts of similar length."""
        ids = ids.to(self.device)
        return (self._at_length(ids) if self.cut else self._padded(ids)).cpu()

    def _padded(self, ids: Tensor) -> Tensor:
        return _unit(self.model.encode_text(ids))

    def _at_length(self, ids: Tensor) -> Tensor:
        parts, ends = self._parts, self.ends(ids)
        length = int(ends.max()) + 1
        x = parts.token_embedding(ids[:, :length]) + parts.positional_embedding[:length]
        for layer in parts.transformer.resblocks:
            x = layer(x, attn_mask=parts.attn_mask[:length, :length])
        x = parts.ln_final(x[torch.arange(len(x), device=x.device), ends])
        project = parts.text_projection
        if project is not None:
            x = project(x) if isinstance(project, torch.nn.Linear) else x @ project
        return _unit(x)

    def slices(self, ids: Tensor) -> list[Tensor]:
        """Rows of ids (P, L) cut into slices, longest texts first, each of about the same number of tokens."""
        lengths = self.ends(ids) + 1 if self.cut else torch.full((len(ids),), ids.shape[1])
        order, most = lengths.argsort(descending=True, stable=True), TOKENS_AT_ONCE[torch.device(self.device).type]
        cuts, start = [], 0
        while start < len(order):
            stop = start + max(1, most // int(lengths[order[start]]))
            cuts.append(order[start:stop])
            start = stop
        return cuts


def _unit(x: Tensor) -> Tensor:
    rows: Tensor = unit(x.float())
    return rows
