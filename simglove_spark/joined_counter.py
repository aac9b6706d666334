"""What joining phrases changes in the counts of words, in one worker."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from simglove_spark.kernels.phrases import count_ids
from simglove_spark.text_rows import Piece
from simglove_spark.word_counter import counts_batch
from simglove_spark.word_ids import JoinedIds, WordIds
from simglove_spark.word_table import shared_word_table


class JoinedCounter:
    """How much more often each word of a phrase occurs when phrases are joined: mostly less, but for the joined ones.

    All other words occur as often as before, so the counts of the text as it is and these changes make the counts of the
    joined text.

    Parameters
    ----------
    phrases : tuple of str
        Folder of a table of phrases, and its content's checksum.
    num_shards : int
        A word's shard is the hash of its bytes modulo this.
    """

    def __init__(self, phrases: tuple[str, str], num_shards: int) -> None:
        self.table, self.num_shards = shared_word_table(*phrases, table="phrases"), num_shards
        self.changes = np.zeros(self.table.every, np.int64)
        self.apart, self.joined = WordIds(self.table), JoinedIds(self.table, keep_places=False, size=self.table.every)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return self.table.nbytes + self.changes.nbytes

    def add(self, piece: Piece) -> None:
        """Count the words of a piece."""
        for words, step in ((self.apart, -1), (self.joined, 1)):
            for ids in words.own(piece):
                count_ids(ids, step, self.changes)

    def drain(self) -> pa.RecordBatch:
        """Hand out shard (int32), word (binary) and change (int64)."""
        changes = {"count": pa.array(self.changes)}
        batch = counts_batch(self.table.word_bytes, self.table.word_offsets, changes, self.num_shards)
        return batch.filter(pc.not_equal(batch["count"], 0))
