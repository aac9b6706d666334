"""What must hold of word_counts, of a vocabulary, and of phrases."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from simglove_spark.cleaning import offsets_of
from simglove_spark.kernels import tokens
from simglove_spark.manifest import FileEntry
from simglove_spark.occurrence import shards_for
from simglove_spark.phrase_table import load_phrases
from simglove_spark.schemas import check, word_counts_schema
from simglove_spark.storage.paths import readable
from simglove_spark.table_files import exact_sum
from simglove_spark.text_rows import bytes_of
from simglove_spark.training_inputs import load_vocabulary
from simglove_spark.verifying.files import Checked, Work
from simglove_spark.verifying.findings import Findings
from simglove_spark.vocabulary import by_count


def check_word_counts(table: Checked, work: Work) -> None:
    """Each word once: in the file that its bytes say, where words ascend; counts of 1 and more that add up."""
    manifest = table.manifest
    shards = shards_for(manifest.inputs)

    def total(own: tuple[Path, FileEntry]) -> int:
        path, entry = own
        with work.found.caught(path):
            return _total_of(path, entry, shards, manifest.config.get("documents", False), work.found)
        return 0

    totals = list(work.threads.map(total, table.own()))
    if table.is_whole:
        told = manifest.details.get("total_words")
        work.found.require(sum(totals) == told, table.folder, f"hold total_words {told:,}", f"{sum(totals):,}")


def _total_of(path: Path, entry: FileEntry, shards: int, documents: bool, found: Findings) -> int:
    schema = word_counts_schema(documents)
    rows = total = 0
    last = pa.array([], pa.string())
    with pq.ParquetFile(readable(path)) as file:
        check(file.schema_arrow, schema, path)
        for batch in file.iter_batches(use_threads=False):
            words, counts = pa.concat_arrays([last, batch["word"]]), batch["count"].to_numpy()
            numbers = np.empty(len(batch), np.int32)
            tokens.shard_of_entries(bytes_of(batch["word"]), offsets_of(batch["word"]), numbers, shards)
            ascending = pc.all(pc.less(words[:-1], words[1:])).as_py() is not False and not batch["word"].null_count
            right = f"words-{int(numbers[0]):05d}" if numbers.size else ""
            in_place = (numbers == numbers[:1]).all() and entry.path.startswith(right)
            if not ascending or not in_place or counts.min(initial=1) < 1:
                rule = "hold words of its number, ascending, each once, with counts of 1 and more"
                found.require(False, path, rule, "others")
                return 0
            if (
                documents
                and not ((batch["documents"].to_numpy() >= 1) & (batch["documents"].to_numpy() <= counts)).all()
            ):
                found.require(False, path, "tell documents from 1 to the word's count", "others")
            rows, total, last = rows + len(batch), total + exact_sum(counts), batch["word"][-1:]
    found.require(rows == entry.rows, path, f"hold {entry.rows:,} rows", f"{rows:,}")
    return total


def check_vocabulary(table: Checked, work: Work) -> pa.Table | None:
    """Dense ids, distinct words, their order and their sum; returns the words when they are whole."""
    manifest, found, folder = table.manifest, work.found, table.folder
    if not table.is_whole:
        return None
    words = load_vocabulary(folder).combine_chunks()
    counts, told = words["count"].to_numpy(), manifest.details.get("total_words")
    distinct = pc.count_distinct(words["word"]).as_py()
    plain = distinct == words.num_rows and words["word"].null_count == 0 and counts.min(initial=0) >= 0
    found.require(plain, folder, "hold distinct words with counts of 0 and more", "others")
    found.require(exact_sum(counts) == told, folder, f"hold total_words {told:,}", f"{exact_sum(counts):,}")
    found.require(words.num_rows == manifest.rows, folder, f"hold {manifest.rows:,} words", f"{words.num_rows:,}")
    _check_order(words, table, found)
    check_phrases(table, found)
    return words


def _check_order(words: pa.Table, table: Checked, found: Findings) -> None:
    """By falling count, then by the bytes, but for own words, which stand first; imported words come in any order."""
    config = table.manifest.config
    if "min_count" not in config:
        return
    added = table.manifest.details.get("counters", {}).get("added", 0)
    own = 0 if config.get("vocabulary") is None else words.num_rows - added
    rest = words.slice(own).combine_chunks()
    found.require(rest.equals(by_count(rest).combine_chunks()), table.folder, "be ordered by count and word", "others")


def check_phrases(table: Checked, found: Findings) -> None:
    """Phrases of a table, or of its copy beside a vocabulary: rounds one after another, each by count and words."""
    phrases = load_phrases(table.folder, table.manifest.table).combine_chunks()
    keys = [("round", "ascending"), ("count", "descending"), ("first", "ascending"), ("second", "ascending")]
    counts, shares = phrases["count"].to_numpy(), np.abs(phrases["npmi"].to_numpy())
    ordered = phrases.equals(phrases.sort_by(keys).combine_chunks())
    ok = ordered and counts.min(initial=1) >= 1 and shares.max(initial=0.0) <= 1
    found.require(ok, table.folder, "hold phrases by round, count and words, with an npmi from -1 to 1", "others")
