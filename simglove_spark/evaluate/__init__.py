"""How good vectors are, by public evaluation sets and one protocol.

    path --read_set--> a set of one kind --judge(vectors)--> Judged: scores with coverage and intervals
    models --shared_words--> the same models on their common words --compare--> differences with paired intervals

What enters: `Vectors` and paths of evaluation sets; what leaves: frozen results that turn into JSON values. Nothing here trains,
prints or needs Spark or numba. Everything is put into lower case. Each kind of set has a file of its own, which reads and judges it:
`similarity`, `analogies`, `categories`, `sentences`, `keywords`.
"""

from simglove_spark.evaluate.analogies import AnalogySet
from simglove_spark.evaluate.categories import CategorySet
from simglove_spark.evaluate.comparison import Comparison, compare, shared_words
from simglove_spark.evaluate.keywords import KeywordSet
from simglove_spark.evaluate.models import load_model
from simglove_spark.evaluate.recognition import KINDS, EvaluationSet, read_set
from simglove_spark.evaluate.results import Judged, Measure
from simglove_spark.evaluate.sentences import SentenceSet
from simglove_spark.evaluate.similarity import SimilaritySet
from simglove_spark.evaluate.statistics import spearman

__all__ = [
    "KINDS",
    "AnalogySet",
    "CategorySet",
    "Comparison",
    "EvaluationSet",
    "Judged",
    "KeywordSet",
    "Measure",
    "SentenceSet",
    "SimilaritySet",
    "compare",
    "load_model",
    "read_set",
    "shared_words",
    "spearman",
]
