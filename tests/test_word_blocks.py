"""Blocks of words: cut by shard and size, and added up again in any order."""

from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simglove_spark import word_blocks
from simglove_spark.word_blocks import added_up, blocks_of

WORDS = st.sampled_from([b"a", b"b", b"ab", b"\xc3\xa9", b"\xf0\x90\x8d\x88", b"z" * 40, b"\xff"])
TABLES = st.lists(st.dictionaries(WORDS, st.integers(-5, 2**40), max_size=7), max_size=6)


def drained(counts: dict[bytes, int], shards: int = 3) -> pa.RecordBatch:
    """Words as a counter hands them out; their shard is the number of their bytes."""
    columns = {
        "shard": pa.array([len(word) % shards - 1 for word in counts], pa.int32()),
        "word": pa.array(list(counts), pa.binary()),
        "count": pa.array(list(counts.values()), pa.int64()),
        "documents": pa.array([1] * len(counts), pa.int64()),
    }
    return pa.RecordBatch.from_pydict(columns)


@settings(deadline=None)
@given(tables=TABLES, words_per_block=st.integers(1, 4), rows_at_once=st.integers(1, 9), reverse=st.booleans())
def test_words_of_all_blocks_are_added_up_by_shard(
    tables: list[dict[bytes, int]], words_per_block: int, rows_at_once: int, reverse: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(word_blocks, "WORDS_PER_BLOCK", words_per_block)
        patch.setattr(word_blocks, "ROWS_AT_ONCE", rows_at_once)
        blocks: dict[int, list[bytes]] = {}
        for batch in (batch for counts in tables for batch in blocks_of(drained(counts))):
            assert batch.schema.types == [pa.int32(), pa.binary()]
            blocks.setdefault(batch["shard"][0].as_py(), []).append(batch["block"][0].as_py())
        found = {}
        for shard, several in blocks.items():
            table = added_up(several[::-1] if reverse else several, ("count", "documents"))
            words = table["word"].to_pylist()
            assert words == sorted(words)
            assert {len(word) % 3 - 1 for word in words} == {shard}
            found |= dict(
                zip(words, zip(table["count"].to_pylist(), table["documents"].to_pylist(), strict=True), strict=True)
            )
    documents = Counter(word for counts in tables for word in counts)
    assert found == {word: (sum(counts.get(word, 0) for counts in tables), documents[word]) for word in documents}


def test_without_blocks_there_are_no_words() -> None:
    assert added_up([], ("count",)).num_rows == 0
    assert list(blocks_of(drained({}))) == []
