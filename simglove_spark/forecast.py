"""What counting and training will take, told before they begin; what cannot fit is refused with the numbers.

Counting is forecast from a sample of the corpus that goes through the very kernels; training from the manifests alone.
"""

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from simglove_spark.config import PairsConfig, TrainConfig
from simglove_spark.disk import Rooms, refuse_full_disks
from simglove_spark.errors import ResourceError
from simglove_spark.kernels.simd import LANES, padded_size
from simglove_spark.memory import show_size, total_memory
from simglove_spark.pair_counter import PairCounter, distance_weights
from simglove_spark.sides import TABLE
from simglove_spark.subsampling import Subsampling
from simglove_spark.text_rows import Piece
from simglove_spark.word_ids import word_ids
from simglove_spark.word_table import WordTable

BYTES_PER_CELL_ON_DISK = 2.5  # measured 2.1 with harmonic windows on 17 M words
BYTES_PER_CELL_SHUFFLED = 7.0  # a cell is sent once by each task that met it, 3.5 bytes each time
SAMPLE_MEMORY = 256 << 20
SESSION_SECONDS = 10.0
# of one worker; functions of the user's own are taken for as slow as jieba
WORDS_BYTES_PER_SECOND = {"whitespace": 20e6, "words": 7e6, "jieba": 4e6}
WORDS_SHARE_OF_DISK = 0.1  # distinct words, shuffled and written, each
NEIGHBOURS_SHARE_OF_DISK = 0.3  # pairs of neighbours, shuffled
STAGE_SECONDS = 6.0  # starting tasks, writing the last shards
BYTES_PER_CELL = {"rows": 12, "adagrad": 28}  # context, weight, pmi in memory; AdaGrad: also permuted, with the word
BYTES_PER_CELL_DECODING = 32  # the columns as Arrow has them, and what is made of them
FLOPS_PER_SECOND = 12e9  # of one core in the row solver, on the slow side


@dataclass(frozen=True)
class Forecast:
    """Memory and disk in bytes, time in seconds; ``sentence`` is for the reader.

    ``disk`` is what is written, ``shuffle`` what Spark keeps on disk meanwhile.
    ``fits``: all shards stay in memory; else ``room`` bytes of them do, and ``readers`` threads decode ahead of the solver.
    """

    sentence: str
    memory: int
    disk: int
    seconds: float
    fits: bool = True
    readers: int = 1
    room: float = math.inf
    shuffle: int = 0


def forecast_words(size: int, files: int, slots: int, memory: int, tokenizer: str = "whitespace") -> Forecast:
    """What counting the words of ``size`` bytes of text will take, by the speed measured on plain text."""
    seconds = _seconds_of_words(size, slots, tokenizer)
    disk = int(size * WORDS_SHARE_OF_DISK)
    sentence = (
        f"Counting words of {show_size(size)} in {files:,} files will take about {show_size(memory)} of memory, "
        f"{show_size(2 * disk)} of disk and {_show_seconds(seconds)}."
    )
    return Forecast(sentence, memory, disk, seconds, shuffle=disk)


def forecast_phrases(size: int, slots: int, memory: int, tokenizer: str = "whitespace") -> Forecast:
    """What finding phrases in ``size`` bytes of text will take; counting its words anew comes on top."""
    seconds = _seconds_of_words(size, slots, tokenizer)  # neighbours are counted as fast
    shuffle = int(size * NEIGHBOURS_SHARE_OF_DISK)
    sentence = (
        f"Finding phrases in {show_size(size)} will take about {show_size(memory)} of memory, {show_size(shuffle)} of disk and "
        f"{_show_seconds(seconds)}."
    )
    return Forecast(sentence, memory, 0, seconds, shuffle=shuffle)


def _seconds_of_words(size: int, slots: int, tokenizer: str) -> float:
    speed = WORDS_BYTES_PER_SECOND.get(tokenizer, min(WORDS_BYTES_PER_SECOND.values()))
    return SESSION_SECONDS + STAGE_SECONDS + size / speed / slots


def forecast_counting(
    rows: pa.Array | None,
    table: WordTable,
    total_words: int,
    config: PairsConfig,
    slots: int,
    memory: int,
    reading: float = 0.0,
) -> Forecast:
    """What counting the pairs of a corpus of ``total_words`` will take.

    Parameters
    ----------
    rows : pyarrow.Array or None
        The sample; without one only memory is forecast.
    table : WordTable
    total_words : int
        Occurrences of vocabulary words in the corpus.
    config : PairsConfig
    slots : int
        Workers that run at once.
    memory : int
        Bytes for Spark's JVM and all workers together.
    reading : float
        Seconds that reading and cleaning the sample took.
    """
    if rows is None or len(rows) == 0:
        return Forecast(f"Counting takes about {show_size(memory)} of memory.", memory, 0, 0.0)
    began = time.perf_counter()
    growth = _growth(rows, table, config)
    seconds = time.perf_counter() - began
    words, cells = growth[-1]
    if words == 0:
        return Forecast("The sample holds no word of the vocabulary: nothing can be forecast.", memory, 0, 0.0)
    scale = max(1.0, total_words / words)
    most = min(table.size * (table.size - 1), 2 * config.window_size * total_words)
    expected = min(cells * scale ** _exponent(growth), most)
    disk, shuffle = int(expected * BYTES_PER_CELL_ON_DISK), int(expected * BYTES_PER_CELL_SHUFFLED)
    seconds = STAGE_SECONDS + (reading + seconds) * scale / slots
    sentence = (
        f"Counting pairs of {total_words:,} words will give about {expected:,.0f} cells and take about "
        f"{show_size(memory)} of memory, {show_size(disk + shuffle)} of disk and {_show_seconds(seconds)}."
    )
    return Forecast(sentence, memory, disk, seconds, shuffle=shuffle)


def _growth(rows: pa.Array, table: WordTable, config: PairsConfig) -> list[tuple[int, int]]:
    """Vocabulary words and directed cells met so far, after each block of the sample."""
    weights = distance_weights(config.window_size, config.distance_weighting)
    subsampling = None if config.subsample is None else Subsampling(table.counts, config.subsample)
    words, counter = word_ids(table, config.keep_places, subsampling), PairCounter(table, weights, 1, SAMPLE_MEMORY)
    growth = []
    for ids in words.own(Piece(rows, len(rows), 0)):
        for _ in counter.add(ids):
            pass
        growth.append((words.met, counter.directed_cells()))
    return growth


def _exponent(growth: list[tuple[int, int]]) -> float:
    """Exponent of cells against words, from the sample's second half."""
    (words, cells), (more_words, more_cells) = growth[(len(growth) - 1) // 2], growth[-1]
    if not 0 < words < more_words or cells == 0:
        return 1.0
    return min(1.0, math.log(more_cells / cells) / math.log(more_words / words))


def forecast_training(
    cells: int, words: int, config: TrainConfig, threads: int, memory: int, largest: int | None = None
) -> Forecast:
    """What training on a pair table will take, whose largest shard has so many cells (all, if not told), from the manifests.

    Raises
    ------
    ResourceError
        When the vectors, or the shards that are worked on at once, do not fit into ``memory`` bytes; shards that need not
        be there are read again in each pass.
    """
    vectors = vectors_memory(words, config)
    if vectors > memory:
        narrow = LANES - config.biases
        most = memory // vectors_memory(words, replace(config, dim=narrow)) * LANES - config.biases
        lower = f"Lower --dim to {most} or raise --min-count." if most > 0 else "Raise --memory."
        raise ResourceError(
            f"{words:,} words x {config.dim} dims need {show_size(vectors)} for vectors; --memory allows {show_size(memory)}. "
            f"{lower}"
        )
    shards = cells * BYTES_PER_CELL[config.solver]
    fits = vectors + shards <= memory
    largest = cells if largest is None else largest
    readers = threads if fits else _readers(largest, config, threads, memory - vectors)
    worked_on = largest * (BYTES_PER_CELL[config.solver] + readers * BYTES_PER_CELL_DECODING)
    room = 0 if config.solver == "adagrad" else memory - vectors - worked_on
    resident = vectors + min(shards, memory - vectors)
    flops = 10.0 * config.dim * cells if config.solver == "rows" else 25.0 * config.dim * cells
    seconds = config.passes * flops / FLOPS_PER_SECOND / threads
    how = "the shards stay in memory" if fits else f"{1 - room / shards:.0%} of the shards are read again in each pass"
    table, state = words * (config.dim * 8 * (2 * config.spaces - 1) + 60), words * config.dim * 4 * config.spaces
    disk = table + 2 * state * (2 if config.solver == "adagrad" else 1)  # a checkpoint is written beside the one before
    sentence = (
        f"Training {words:,} words x {config.dim} dims on {cells:,} cells will take about {show_size(resident)} of memory "
        f"({how}), {show_size(disk)} of disk and {_show_seconds(seconds)} with {threads} threads."
    )
    return Forecast(sentence, resident, disk, seconds, fits, readers, math.inf if fits else room)


def _readers(cells: int, config: TrainConfig, threads: int, memory: int) -> int:
    """How many threads may decode shards of so many cells while the solver has one."""
    solved, decoding = cells * BYTES_PER_CELL[config.solver], cells * BYTES_PER_CELL_DECODING
    readers = (memory - solved) // max(1, decoding)
    if readers < 1:
        raise ResourceError(
            f"shards of {cells:,} cells need {show_size(solved + decoding)} beside the vectors; --memory leaves "
            f"{show_size(memory)}. Raise --memory, or count the pairs with more --num-shards."
        )
    return min(threads, readers)


def vectors_memory(words: int, config: TrainConfig) -> int:
    """Bytes of the trainer's matrices.

    The row solver holds float32 and a copy to read (float16 where the processor can), AdaGrad float32 and the squares; both once more in two spaces.
    """
    size = padded_size(config.dim + config.biases)
    return words * size * config.spaces * (4 + (TABLE().itemsize if config.solver == "rows" else 4))


def refuse_what_cannot_fit(forecast: Forecast, folder: Path, local: bool, scratch: Path | None = None) -> Rooms:
    """Stop before anything is begun that this machine cannot hold.

    Parameters
    ----------
    forecast : Forecast
    folder : Path
        Where the output is written.
    local : bool
        Whether workers run on this machine.
    scratch : Path, optional
        Where Spark keeps what it shuffles, if that is on this machine.

    Returns
    -------
    Rooms
        What is needed on disk.

    Raises
    ------
    ResourceError
        When memory (of local workers) or disk is less than forecast.
    """
    if local and forecast.memory > total_memory():
        raise ResourceError(
            f"workers and Spark must fit into {show_size(total_memory())} of memory; got {show_size(forecast.memory)}. "
            "Lower --worker-memory or --driver-memory, or set --master local[N,4] with fewer workers."
        )
    rooms = Rooms(folder, forecast.disk, scratch, 0 if scratch is None else forecast.shuffle)
    refuse_full_disks(rooms)
    return rooms


def _show_seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
