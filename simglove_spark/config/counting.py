"""Which text is read, which words are kept, how pairs are counted."""

from dataclasses import dataclass
from typing import Annotated, Literal

from cyclopts import Parameter

from simglove_spark.choices import check_tokenizer
from simglove_spark.option_checks import Whole, require, whole
from simglove_spark.storage.schemes import refuse_credentials

DistanceWeighting = Literal["flat", "harmonic"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class CorpusConfig:
    """What is read."""

    input: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]
    """Corpus: files, folders or globs of text (plain, .gz, .bz2, .zst); by --column of Parquet, ORC, JSON lines, or table:NAME."""

    column: Annotated[str | None, Parameter(show_default=False)] = None
    """Column that holds text or a list of words. Without it the input is text, see --document-break."""

    where: Annotated[str | None, Parameter(show_default=False)] = None
    """With --column: an SQL condition; only rows that meet it are read, such as "lang = 'en' AND length(text) > 20"."""

    normalize: Literal["none", "nfkc"] = "none"
    """Bring text into Unicode's form NFKC before it is split: full-width letters, ligatures and wide blanks become plain."""

    document_break: Literal["line", "blank-line", "file"] = "line"
    """Where windows end in plain text: with each line, at lines that hold only white space, or with the file."""

    tokenizer: str = "whitespace"
    """What cuts text into words: whitespace, words (Unicode's word boundaries), jieba (Chinese), or MODULE:FUNCTION of a row's text."""

    lowercase: Annotated[bool, Parameter(negative="")] = False
    """Put words into lower case (Unicode, one character to one)."""

    on_bad_bytes: Literal["error", "replace"] = "error"
    """What to do with words that are not UTF-8: stop with their number, or put U+FFFD in place of the bad bytes."""

    on_bad_file: Literal["error", "skip"] = "error"
    """What to do with files that cannot be read whole: stop, or leave them out (checked first) and name them in the manifest."""

    def __post_init__(self) -> None:
        for text in self.input:
            refuse_credentials(text)
        check_tokenizer("--tokenizer", self.tokenizer)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class VocabularyConfig:
    """Which words are kept."""

    min_count: Whole = 5
    """Keep words that occur at least this often."""

    max_vocab: Annotated[int | None, Parameter(show_default=False, converter=whole)] = None
    """Keep at most this many words, the most frequent ones."""

    min_documents: Whole = 1
    """Keep words that occur in at least so many documents, which are rows of a table, or what --document-break says: lines."""

    deny_list: Annotated[str | None, Parameter(show_default=False)] = None
    """File of words, one a line, that are never kept; --lowercase and --normalize are done to them too."""

    vocabulary: Annotated[str | None, Parameter(show_default=False)] = None
    """Keep these words and their ids: a file of one word a line (ids from 0), Parquet or CSV of word and word_id, or a vocabulary folder."""

    grow: Annotated[bool, Parameter(negative="")] = False
    """With --vocabulary: keep the corpus's other words as well, as without it, and give them the next ids."""

    def __post_init__(self) -> None:
        require(self.min_count >= 1, "min-count", "be at least 1", self.min_count, "Use 1 to keep every word.")
        require(self.min_documents >= 1, "min-documents", "be at least 1", self.min_documents, "Leave it out.")
        ok = self.max_vocab is None or 2 <= self.max_vocab < 2**31 - 1
        require(ok, "max-vocab", "lie between 2 and 2,147,483,646", self.max_vocab, "Leave it out to keep all words.")
        given = self.vocabulary is not None
        require(given or not self.grow, "grow", "come with --vocabulary", "none", "Name the vocabulary that grows.")
        for flag in ("min_count", "max_vocab", "min_documents"):
            value = getattr(self, flag)
            ok = not given or self.grow or value == getattr(VocabularyConfig, flag)
            rule = "be left out with --vocabulary, whose words are all kept"
            require(ok, flag.replace("_", "-"), rule, value, "Or add --grow: it then decides about other words.")

    @property
    def documents(self) -> bool:
        """Whether the documents of each word must be counted."""
        return self.min_documents > 1


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class PairsConfig:
    """How pairs of words are counted."""

    window_size: Whole = 10
    """Distance to each side, in words."""

    distance_weighting: DistanceWeighting = "harmonic"
    """What a pair at distance d counts: 1 (flat) or 1/d (harmonic)."""

    unknown_words: Literal["drop", "keep-place"] = "drop"
    """Words outside the vocabulary are dropped before windows are formed, or keep their place in them."""

    subsample: Annotated[float | None, Parameter(show_default=False)] = None
    """Drop occurrences of words more frequent than this share of all, such as 1e-4: more of them the more frequent the word."""

    num_shards: Annotated[int | None, Parameter(show_default=False, converter=whole)] = None
    """Number of shards of the pair table. By default one for every two million words of the corpus, at least four."""

    def __post_init__(self) -> None:
        require(1 <= self.window_size <= 1000, "window-size", "lie between 1 and 1000", self.window_size, "Use 10.")
        ok = self.subsample is None or 0 < self.subsample < 1
        require(ok, "subsample", "lie between 0 and 1", self.subsample, "Use 1e-3 to 1e-5, or leave it out.")
        ok = self.num_shards is None or 1 <= self.num_shards <= 2**20
        require(ok, "num-shards", "lie between 1 and 1,048,576", self.num_shards, "Leave it out.")

    @property
    def keep_places(self) -> bool:
        """Whether unknown words take a place in the window."""
        return self.unknown_words == "keep-place"
