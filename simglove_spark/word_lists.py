"""Words that people give: those that are never kept, and a vocabulary of their own. Read, checked, and told by checksum."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark.cleaning import Cleaning, clean, is_utf8
from simglove_spark.config import VocabularyConfig
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.manifest import Manifest
from simglove_spark.phrase_table import phrase_files
from simglove_spark.schemas import UNREADABLE
from simglove_spark.storage.paths import path_of
from simglove_spark.tokenizing import needs_whole_rows
from simglove_spark.training_inputs import load_vocabulary
from simglove_spark.word_table import ABSENT, build_word_table

UNLISTED = ABSENT
Place = Callable[[int], str]  # where the word of that number stands, for messages


@dataclass(frozen=True)
class WordLists:
    """The two lists, either may be None.

    Attributes
    ----------
    own : pyarrow.Array or None
        Words in order of their ids.
    denied : pyarrow.Array or None
        As the corpus's words are counted.
    options : dict
        How the vocabulary is chosen, as it stands in its manifest: a list by the checksum of its bytes.
    """

    own: pa.Array | None
    denied: pa.Array | None
    options: dict[str, Any]

    def finder(self) -> Callable[[pa.Array], NDArray[np.int32]]:
        """What finds words in both lists: an own one by its id, a denied one by a greater number, else `UNLISTED`."""
        lists = [words for words in (self.own, self.denied) if words is not None]
        if not lists:
            return lambda words: np.full(len(words), UNLISTED, np.int32)
        return build_word_table(pa.concat_arrays(lists)).find


def read_lists(config: VocabularyConfig, corpus: dict[str, Any]) -> WordLists:
    """Read the lists that ``config`` names, for a corpus that is read as ``corpus`` says (see `content_config`).

    Raises
    ------
    ConfigError
        When a word is in both, or words are joined ones.
    InputError
        When a list is missing, broken, empty, or a word or an id is not what it must be; the message names the line.
    """
    own = denied = None
    options = asdict(config)
    # words in lists may hold any, and so may what somebody's function returns
    spaced = corpus["column"] is not None or needs_whole_rows(corpus.get("tokenizer", "whitespace"))
    if config.vocabulary is not None:
        own, options["vocabulary"] = _own_words(config.vocabulary, spaced)
    if config.deny_list is not None:
        cleaning = Cleaning(corpus["lowercase"], corpus["normalize"] == "nfkc")
        denied, options["deny_list"] = _denied_words(config.deny_list, spaced, cleaning)
    if own is not None and denied is not None:
        both = pc.fill_null(pc.index_in(own, value_set=denied), -1).to_numpy() >= 0
        if both.any():
            first = own[int(both.argmax())].as_py()
            raise ConfigError(
                f"--deny-list must hold no word of --vocabulary, whose ids are kept; got {first!r}, one of {both.sum():,} "
                f"({config.deny_list}). Take it out of one of the two."
            )
    return WordLists(own, denied, options)


def told(counters: dict[str, int]) -> str:
    """What the lists did, as a sentence."""
    sentences = {
        "denied": "{:,} words of the corpus are on the deny list and left out",
        "absent": "{:,} words of --vocabulary are not in the corpus and have count 0",
        "added": "{:,} words were added to it",
    }
    return "; ".join(sentences[name].format(number) for name, number in counters.items()) + "."


def _denied_words(name: str, spaced: bool, cleaning: Cleaning) -> tuple[pa.Array, str]:
    data, checksum = _read(name, "deny-list")
    words, place = _lines(data, name)
    words = clean(words, cleaning)[0].cast(pa.string())
    _refuse_white_space(words, spaced, "deny-list", place)
    words = words.filter(pc.greater(pc.binary_length(words), 0)).unique()
    if len(words) == 0:
        raise InputError(f"--deny-list must hold words; got none ({name}). Leave it out to deny none.")
    return words, checksum


def _own_words(name: str, spaced: bool) -> tuple[pa.Array, str]:
    if path_of(name).is_dir():
        words, checksum, place = _table(name)
    else:
        data, checksum = _read(name, "vocabulary")
        suffix = Path(name).suffix.lower()
        words, place = _columns(data, name, suffix) if suffix in (".parquet", ".csv") else _lines(data, name)
    _refuse_white_space(words, spaced, "vocabulary", place)
    _refuse_empty_and_double(words, place)
    if len(words) < 2:
        raise InputError(f"--vocabulary must hold at least 2 words; got {len(words)} ({name}). Give more.")
    return words, checksum


def _table(name: str) -> tuple[pa.Array, str, Place]:
    """Words of a vocabulary table of ours."""
    folder = path_of(name)
    manifest, words = Manifest.load(folder, "vocabulary"), load_vocabulary(folder)["word"].combine_chunks()
    if phrase_files(manifest):
        raise ConfigError(
            f"--vocabulary must be counted without phrases, which count-words does not join; got joined words ({folder}). "
            "Give the one they were found under, then join: simglove phrases."
        )
    return words, manifest.content_sha256, lambda number: f"{name}, word_id {number}"


def _read(name: str, flag: str) -> tuple[bytes, str]:
    path = path_of(name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"--{flag} must be a file that can be read; got {error.strerror} ({path}). Check it."
        ) from error
    return data, f"sha256:{hashlib.sha256(data).hexdigest()}"


def _lines(data: bytes, name: str) -> tuple[pa.Array, Place]:
    """Lines of a text, without their ends."""
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    lines = [line.removesuffix(b"\r") for line in (lines if lines[-1] else lines[:-1])]

    def place(number: int) -> str:
        return f"{name}, line {number + 1}"

    try:
        return pa.array(lines, pa.binary()).cast(pa.string()), place
    except pa.ArrowInvalid:
        bad = next(number for number, line in enumerate(lines) if not is_utf8(line))
        raise InputError(f"line must be UTF-8; got {lines[bad][:40]!r} ({place(bad)}). Convert the file.") from None


def _columns(data: bytes, name: str, suffix: str) -> tuple[pa.Array, Place]:
    """Words of a table in order of their ids."""
    columns = {"word": pa.string(), "word_id": pa.int64()}
    try:
        if suffix == ".csv":
            how = pacsv.ConvertOptions(column_types=columns, include_columns=list(columns))
            table = pacsv.read_csv(pa.BufferReader(data), convert_options=how)
        else:
            table = (
                pq.read_table(pa.BufferReader(data), columns=list(columns))
                .select(list(columns))
                .cast(pa.schema(columns))
            )
    except (*UNREADABLE, KeyError) as error:
        what = " ".join(str(error.args[0]).split())
        raise InputError(
            f"--vocabulary must have the columns word and word_id; got {what} ({name}). Give such a {suffix[1:]} file."
        ) from error
    ids = table["word_id"].fill_null(-1).to_numpy()
    order = np.argsort(ids, kind="stable")

    def place(number: int) -> str:
        return f"{name}, {'line' if suffix == '.csv' else 'row'} {order[number] + 2 * (suffix == '.csv')}"

    wrong = np.flatnonzero(ids[order] != np.arange(ids.size))
    if wrong.size:
        first = int(wrong[0])
        found = table["word_id"][order[first]].as_py()
        raise InputError(
            f"word_id must be 0, 1, 2, ..., each once; got {'nothing' if found is None else found} where {first} is due "
            f"({place(first)}). "
            "Number the words anew."
        )
    return table["word"].combine_chunks().fill_null("").take(pa.array(order)), place


def _refuse_white_space(words: pa.Array, spaced: bool, flag: str, place: Place) -> None:
    found = None if spaced else _first(pc.match_substring_regex(words, "[\t-\r ]"))
    if found is not None:
        raise InputError(
            f"--{flag} must hold words without white space, which parts words; got {words[found].as_py()!r} "
            f"({place(found)}). Mend it, or leave it out."
        )


def _refuse_empty_and_double(words: pa.Array, place: Place) -> None:
    found = _first(pc.equal(pc.binary_length(words), 0))
    if found is not None:
        raise InputError(f"--vocabulary must hold no empty word; got one ({place(found)}). Give each id its word.")
    numbers = words.dictionary_encode().indices.to_numpy()
    firsts = np.unique(numbers, return_index=True)[1]
    if firsts.size < numbers.size:
        again = int(np.setdiff1d(np.arange(numbers.size), firsts)[0])
        first = int(firsts[numbers[again]])
        raise InputError(
            f"--vocabulary must hold each word once; got {words[again].as_py()!r} again ({place(again)}; first: "
            f"{place(first)}). Keep one."
        )


def _first(found: pa.Array) -> int | None:
    number = pc.index(found, True).as_py()
    return None if number < 0 else int(number)
