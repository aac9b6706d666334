"""Keywords: a document's words, ranked as `Vectors.keywords` does, against keys given by people.

Keys of several words are matched in the two published ways. Words: keys are split into their words (Rousseau & Vazirgiannis
2015), which suits an extractor of single words. Whole keys: a word is right only when it is all of a key (exact match,
as in SemEval-2010 task 5), so that most keys are out of reach. Both compare Porter's stems, and average over documents.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np

from simglove_spark.asking.sentences import KeywordMeasure, Sentence
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.evaluate.lines import Row
from simglove_spark.evaluate.results import Judged, Measure
from simglove_spark.evaluate.texts import SIF_TOLD, Texts, cut
from simglove_spark.vectors import Vectors

TOP = 10
WAYS: dict[str, KeywordMeasure] = {"sum": "inner", "sif": "sif", "z": "z"}
DOCUMENTS, KEYS = "docsutf8", "keys"
LANGUAGE = "language.txt"
Stem = Callable[[str], str]


@dataclass(frozen=True)
class KeywordSet:
    """Documents with keys, in the layout of Inspec and the sets that were published with it.

    Attributes
    ----------
    file : str
        Name of the folder.
    documents : list of list of str
        Words of each document.
    keys : list of list of list of str
        Words of each key of each document.
    language : str
        What language.txt says, or english.
    """

    file: str
    documents: list[list[str]]
    keys: list[list[list[str]]]
    language: str

    kind = "keywords"
    looks = f"a folder with {DOCUMENTS}/*.txt and {KEYS}/*.key of the same names, a key a line"

    @staticmethod
    def fits(first: list[Row]) -> bool:
        """Never: it is a folder."""
        return False

    @classmethod
    def read(cls, path: Path) -> "KeywordSet":
        """Every document of the folder, in order of their names.

        Raises
        ------
        InputError
            When there is none, when one has no file of keys, or when one is not UTF-8.
        """
        found = sorted((path / DOCUMENTS).glob("*.txt"))
        if not found:
            raise InputError(f"keywords must be {cls.looks}; got none ({path}). Give the folder that holds both.")
        keys = [[cut(line) for line in _text(path / KEYS / f"{document.stem}.key").splitlines()] for document in found]
        language = _text(path / LANGUAGE).strip().lower() if (path / LANGUAGE).is_file() else "english"
        documents = [cut(_text(document)) for document in found]
        return cls(path.name, documents, [[key for key in given if key] for given in keys], language)

    def judge(self, vectors: Vectors, seed: int) -> Judged:
        """Precision, recall and F1 of the 10 best words of each document that has keys and a word with a vector."""
        stem = _stemmer(self.language)
        texts = Texts(self.documents, vectors)
        found = texts.is_found & np.array([bool(given) for given in self.keys])
        words = [{stem(word) for key in given for word in key} for given in self.keys]
        whole = [{" ".join(map(stem, key)) for key in given} for given in self.keys]
        measures = []
        for part, measure_by in WAYS.items():
            if part == "sif" and not vectors.counts.any():
                continue
            best = [_best(vectors, sentence, measure_by, stem) for sentence in texts.sentences]
            for name, wanted in ((part, words), (f"{part}, whole keys", whole)):
                values = np.array([_precision_recall_f1(*pair) for pair in zip(best, wanted, strict=True)])
                values[~found] = np.nan
                for column, measure in ((2, "F1"), (0, "precision"), (1, "recall")):
                    detail = name != part and measure != "F1"
                    measures.append(Measure(f"{measure} at {TOP}", name, values[:, column], detail=detail))
        setting = (
            f"runs of letters and digits, the {TOP} words with the largest inner product with the document's sum, Porter's "
            f"stems, keys split into words, mean over documents; {SIF_TOLD}; z: as simglove keywords has it; "
            f"{texts.covered:.1%} of the words have vectors"
        )
        return Judged(self.kind, self.file, tuple(measures), setting)


def _best(vectors: Vectors, document: Sentence, measure: KeywordMeasure, stem: Stem) -> list[str]:
    """The best words' stems, each stem once."""
    if not document.ids.size:
        return []
    ranked = vectors.keywords(document, document.ids.size, measure)
    return list(islice(dict.fromkeys(stem(word) for word, _ in ranked), TOP))


def _precision_recall_f1(found: list[str], wanted: set[str]) -> tuple[float, float, float]:
    """Of the words found, if any, against those wanted, if any."""
    hits = len(wanted.intersection(found))
    if not hits:
        return 0.0, 0.0, 0.0
    precision, recall = hits / len(found), hits / len(wanted)
    return precision, recall, 2 * precision * recall / (precision + recall)


@cache
def _stemmer(language: str) -> Stem:
    """Porter's stemmer of English, the Snowball stemmer of another language, or none where there is none."""
    try:
        import snowballstemmer
    except ImportError as error:
        raise ConfigError(
            f"keywords must have snowballstemmer to be compared; got {error}. pip install 'simglove-spark[evaluation]'."
        ) from error
    if language not in snowballstemmer.algorithms():
        return str
    return cache(snowballstemmer.stemmer("porter" if language == "english" else language).stemWord)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"each document must have a file of keys; got {error.strerror} ({path}). Add it.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"documents and keys must be UTF-8; got {error.reason} ({path}). Convert the file.") from error
