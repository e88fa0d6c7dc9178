import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from promptlab.encode import text
from promptlab.encode.openclip import OpenClipEncoder
from promptlab.encode.text import encode_grid
from promptlab.errors import EncoderError, StoreError
from promptlab.events import Finished, Started, ignore
from promptlab.store import Cache
from promptlab.types import PromptGrid

Grid = Callable[..., PromptGrid]


def test_the_second_time_nothing_is_encoded_and_all_is_equal_to_the_bit(mini: OpenClipEncoder, cache: Cache, grid: Grid) -> None:
    made = grid(["cat", "dog", "golden retriever"], "a {}", "the {}.")
    cold, first = encode_grid(made, mini, cache, ignore)
    warm, second = encode_grid(made, mini, cache, ignore)
    assert (first, second) == (6, 0)
    np.testing.assert_array_equal(cold.z, warm.z)
    assert (cold.encoder, cold.scale, cold.too_long) == (warm.encoder, warm.scale, warm.too_long)


def test_a_warm_cache_loads_no_model(mini: OpenClipEncoder, mini_folder: Path, cache: Cache, grid: Grid) -> None:
    encode_grid(grid(["cat", "dog"]), OpenClipEncoder(str(mini_folder), cache, mini.how), cache, ignore)
    fresh = OpenClipEncoder(str(mini_folder), cache, mini.how)
    bank, new = encode_grid(grid(["cat", "dog"]), fresh, cache, ignore)
    assert new == 0
    assert bank.scale == mini.scale
    assert "_loaded" not in vars(fresh)


def test_editing_one_prompt_encodes_one_text(counting: Any, cache: Cache, grid: Grid) -> None:
    encode_grid(grid(["cat", "dog", "cow"], "a {}", "the {}"), counting, cache, ignore)
    _, new = encode_grid(grid(["cat", "dog", "cow"], "a {}", "the {}", "my {}"), counting, cache, ignore)
    assert new == 3
    _, new = encode_grid(grid(["cat", "dog", "pony"], "a {}"), counting, cache, ignore)
    assert new == 1
    assert counting.texts[-1] == "a pony"


def test_texts_that_the_tokenizer_reads_alike_share_a_row(mini: OpenClipEncoder, cache: Cache, grid: Grid) -> None:
    bank, new = encode_grid(grid(["Cat", "cat", "CAT", "dog"], "a {}", "A {}"), mini, cache, ignore)
    assert new == 2
    np.testing.assert_array_equal(bank.z[0, 0], bank.z[1, 2])
    assert np.abs(bank.z[0, 0] - bank.z[0, 3]).max() > 1e-3


def test_a_text_read_like_a_known_one_is_not_encoded_again(mini: OpenClipEncoder, cache: Cache, grid: Grid) -> None:
    encode_grid(grid(["cat"]), mini, cache, ignore)
    _, new = encode_grid(grid(["CAT"]), mini, cache, ignore)
    assert new == 0


@pytest.mark.parametrize("time", ["cold", "warm"])
def test_too_long_texts_are_reported(mini: OpenClipEncoder, cache: Cache, grid: Grid, time: str) -> None:
    made = grid(["cat", "cat " * 80, "cat " * 70])
    bank, _ = encode_grid(made, mini, cache, ignore)
    if time == "warm":
        bank, _ = encode_grid(made, mini, cache, ignore)
    assert bank.too_long == (made.texts[1],)


def test_encoders_do_not_share_their_texts(counting: Any, cache: Cache, grid: Grid) -> None:
    encode_grid(grid(["cat"]), counting, cache, ignore)
    _, new = encode_grid(grid(["cat"]), type(counting)("another"), cache, ignore)
    assert new == 1


def test_more_texts_than_one_question_can_ask_for(counting: Any, cache: Cache, grid: Grid) -> None:
    made = grid([f"thing {i}" for i in range(1300)], "a {}")
    first, _ = encode_grid(made, counting, cache, ignore)
    second, new = encode_grid(made, counting, cache, ignore)
    assert new == 0
    np.testing.assert_array_equal(first.z, second.z)
    assert len({row.tobytes() for row in second.z[0]}) == 1300


def test_what_was_committed_before_a_kill_is_kept(counting: Any, cache: Cache, grid: Grid, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "AT_ONCE", 3)
    made = grid([f"thing {i}" for i in range(10)])
    counting.stop_at = 6
    with pytest.raises(KeyboardInterrupt):
        encode_grid(made, counting, cache, ignore)
    counting.stop_at = -1
    bank, new = encode_grid(made, counting, cache, ignore)
    assert new == 4
    undisturbed, _ = encode_grid(made, type(counting)(), Cache(cache.root / "other"), ignore)
    np.testing.assert_array_equal(bank.z, undisturbed.z)


def test_listeners_hear_how_many_texts_are_new(counting: Any, cache: Cache, grid: Grid) -> None:
    events: list[Any] = []
    encode_grid(grid(["cat", "dog"]), counting, cache, ignore)
    encode_grid(grid(["cat", "dog", "cow"]), counting, cache, events.append)
    assert Started("encode texts", 1, "texts") in events
    assert Finished("encode texts", 1) in events


@pytest.mark.parametrize("how", ["text", "cut", "overwritten"])
def test_a_corrupt_cache_is_an_error_with_a_remedy(counting: Any, cache: Cache, grid: Grid, how: str) -> None:
    made = grid([f"thing {i}" for i in range(500)])
    encode_grid(made, counting, cache, ignore)
    path = cache.texts(counting.fingerprint)
    whole = path.read_bytes()
    path.write_bytes({"text": b"this is no database", "cut": whole[: len(whole) // 2], "overwritten": whole[:4096] + b"\xaa" * 40000}[how])
    with pytest.raises(StoreError, match=r"texts\.sqlite") as caught:
        encode_grid(made, counting, cache, ignore)
    assert "Delete that file" in caught.value.hint
    path.unlink()
    assert encode_grid(made, counting, cache, ignore)[1] == 500


DAMAGE = {
    "cut": "UPDATE vectors SET z = substr(z, 1, 10) WHERE cleaned LIKE '%cat%'",
    "a number": "UPDATE vectors SET z = 5 WHERE cleaned LIKE '%cat%'",
    "swapped": "UPDATE vectors SET z = (SELECT z FROM vectors WHERE cleaned LIKE '%dog%') WHERE cleaned LIKE '%cat%'",
    "swapped with its seal": """UPDATE vectors SET (z, seal) = (SELECT z, seal FROM vectors WHERE cleaned LIKE '%dog%')
        WHERE cleaned LIKE '%cat%'""",
    "not finite": "UPDATE vectors SET z = x'0000c07f0000c07f0000c07f0000c07f0000c07f0000c07f' WHERE cleaned LIKE '%cat%'",
    "no seal": "UPDATE vectors SET seal = 0 WHERE cleaned LIKE '%cat%'",
    "gone": "DELETE FROM vectors WHERE cleaned LIKE '%cat%'",
    "another reading": "UPDATE readings SET cleaned = (SELECT cleaned FROM vectors WHERE cleaned LIKE '%dog%') WHERE text LIKE '%cat%'",
    "never too long": "UPDATE readings SET too_long = 0",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_row_is_made_again(counting: Any, cache: Cache, grid: Grid, how: str) -> None:
    made = grid(["cat", "dog " * 12])
    before, _ = encode_grid(made, counting, cache, ignore)
    with closing(sqlite3.connect(cache.texts(counting.fingerprint))) as base:
        base.execute(DAMAGE[how])
        base.commit()
    after, new = encode_grid(made, counting, cache, ignore)
    np.testing.assert_array_equal(after.z, before.z)
    assert after.too_long == before.too_long == made.texts[1:]
    assert new == (0 if how in ("another reading", "never too long") else 1)
    assert encode_grid(made, counting, cache, ignore)[1] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_a_vector_that_is_none_is_not_kept(counting: Any, cache: Cache, grid: Grid, value: float) -> None:
    broken = type(counting)()
    broken._vector = lambda content: np.full(6, value, np.float32)
    with pytest.raises(EncoderError, match=r"counting.* no finite vector of 'a photo of a cat"):
        encode_grid(grid(["cat"]), broken, cache, ignore)
    assert encode_grid(grid(["cat"]), counting, cache, ignore)[1] == 1


def test_a_cache_that_cannot_be_made_is_an_error_with_a_remedy(counting: Any, tmp_path: Path, grid: Grid) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError) as caught:
        encode_grid(grid(["cat"]), counting, Cache(tmp_path / "file"), ignore)
    assert "--cache" in caught.value.hint
