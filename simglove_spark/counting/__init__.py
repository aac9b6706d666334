"""The stages of the road, each from complete tables to a complete table.

    corpus --count_words--> word_counts, vocabulary --count_pairs--> pairs --train--> vectors
                                       | find_phrases: the same tables with phrases joined

A stage that finds its output there already, made from the same inputs with the same options, does nothing and does not
start Spark. Anything that cannot be done is an error of `simglove_spark.errors`; printing is the progress's affair.
"""

from simglove_spark.counting.context import Context
from simglove_spark.counting.pairs import count_pairs
from simglove_spark.counting.phrases import find_phrases
from simglove_spark.counting.words import count_words

__all__ = ["Context", "count_pairs", "count_words", "find_phrases"]
