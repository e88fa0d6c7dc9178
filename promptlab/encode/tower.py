"""Text at the cost of its tokens.

open_clip pads every text to the context length (77 for CLIP) though most prompts have about ten tokens, and begin alike. A causal tower
that pools at the end token never looks behind it, so that the padding can be left out, and texts that begin alike share their beginnings
(`prefixes.py`); `TextTower` does each where it can prove it on the model at hand.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from promptlab.encode.prefixes import Pack, packs
from promptlab.types import unit

# Largest difference of unit vectors between the cut and the padded run that counts as equal; fp32 gives about 1.3e-7.
EQUAL = 2e-6
PROBES = (
    "a",
    "a photo of a cat.",
    "a photo of a cat.",
    "a photo of a catfish in a river.",
    "the quick brown fox jumps over the lazy dog while nineteen other animals look on, one by one, in the rain",
    "the quick brown fox sleeps under an old oak tree near the river, and nobody in the whole village has seen it since last spring",
    "seven ships sail slowly past the white cliffs at dawn with red lanterns on every mast and a small boat behind the last of them",
)  # together they begin in more ways than the 77 tokens that CLIP reads, as packs do
# Tokens in one forward pass: enough to fill the processor, few enough to stay in its cache (ViT-B-32, one thread: 350 tokens are
# 13 % faster than 1,400).
TOKENS_AT_ONCE = {"cpu": 512, "cuda": 65536, "mps": 8192}
# Distinct beginnings in one pack, for the same reasons; each looks at all others, so fewer.
PREFIXES_AT_ONCE = {"cpu": 192, "cuda": 1024, "mps": 512}


class TextTower:
    """Runs an open_clip model's text tower on token ids, each text at its own length if the tower allows it.

    `cut` says whether it does: causal mask, pooling at the end token, and equal results on probes. `shares` says whether
    texts share their beginnings, too, proven likewise.
    """

    def __init__(self, model: Any, tokenizer: Any, device: str) -> None:
        self.model, self.device = model, device
        self._parts = getattr(model, "text", model)  # CustomTextCLIP keeps its tower in .text, CLIP is its own
        self._pool = getattr(model, "text_pool_type", None) or getattr(self._parts, "pool_type", None)
        self._end_id: int = getattr(model, "text_eos_id", None) or getattr(self._parts, "eos_id", None) or -1
        ids = tokenizer(list(PROBES)).to(device)
        self.cut = self._could_be_cut() and self._proven(ids, self._one_by_one)
        self.shares = self.cut and self._proven(ids, self._together)

    def _could_be_cut(self) -> bool:
        needed = ("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection", "attn_mask")
        causal = all(hasattr(self._parts, name) for name in needed) and self._parts.attn_mask is not None
        return causal and self._pool in ("argmax", "eos") and getattr(self._parts, "cls_emb", None) is None

    @torch.inference_mode()
    def _proven(self, ids: Tensor, way: Callable[[Tensor], Tensor]) -> bool:
        try:
            return bool((self._padded(ids) - way(ids)).abs().max() <= EQUAL)
        except RuntimeError:  # a tower with a mask or positions of its own takes no sequence that is longer than its context
            return False

    def _one_by_one(self, ids: Tensor) -> Tensor:
        """Each text at a length of its own."""
        return torch.cat([self._at_length(ids[i : i + 1]) for i in range(len(ids))])

    def _together(self, ids: Tensor) -> Tensor:
        """All texts in one pack."""
        (pack,) = packs(ids.cpu().numpy(), self.ends(ids).cpu().numpy(), ids.numel())
        return self._packed(pack)[torch.as_tensor(pack.rows.argsort(), device=self.device)]

    def ends(self, ids: Tensor) -> Tensor:
        """(B,) position of each text's end token in ids (B, L)."""
        return ids.argmax(-1) if self._pool != "eos" else torch.eq(ids, self._end_id).int().argmax(-1)

    @torch.inference_mode()
    def encode(self, ids: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """(rows (B,), their unit vectors (B, D) f4) of token ids (P, L), piece by piece in whatever order is fastest."""
        if self.shares:
            for pack in packs(ids.numpy(), self.ends(ids).numpy(), PREFIXES_AT_ONCE[torch.device(self.device).type]):
                yield torch.from_numpy(pack.rows), self._packed(pack).cpu()
            return
        for rows in self._slices(ids):
            some = ids[rows].to(self.device)
            yield rows, (self._at_length(some) if self.cut else self._padded(some)).cpu()

    def _padded(self, ids: Tensor) -> Tensor:
        return _unit(self.model.encode_text(ids))

    def _at_length(self, ids: Tensor) -> Tensor:
        parts, ends = self._parts, self.ends(ids)
        length = int(ends.max()) + 1
        x = parts.token_embedding(ids[:, :length]) + parts.positional_embedding[:length]
        x = self._through(x, parts.attn_mask[:length, :length])
        return self._pooled(x[torch.arange(len(x), device=x.device), ends])

    def _packed(self, pack: Pack) -> Tensor:
        """(T, D) f4 unit vectors of a pack's texts."""
        parts = self._parts
        tokens, depth, seen, ends = (torch.as_tensor(a, device=self.device) for a in (pack.tokens, pack.depth, pack.seen, pack.ends))
        x = parts.token_embedding(tokens) + parts.positional_embedding[depth]
        mask = torch.zeros(seen.shape, dtype=x.dtype, device=x.device).masked_fill_(~seen, -torch.inf)
        return self._pooled(self._through(x[None], mask)[0, ends])

    def _through(self, x: Tensor, mask: Tensor) -> Tensor:
        for layer in self._parts.transformer.resblocks:
            x = layer(x, attn_mask=mask)
        return x

    def _pooled(self, x: Tensor) -> Tensor:
        """Unit vectors of the states of end tokens."""
        x, project = self._parts.ln_final(x), self._parts.text_projection
        if project is not None:
            x = project(x) if isinstance(project, torch.nn.Linear) else x @ project
        return _unit(x)

    def _slices(self, ids: Tensor) -> list[Tensor]:
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
