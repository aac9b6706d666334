"""Vectors of other tools and for other tools: what of `formats` is meant to be called from outside."""

from simglove_spark.formats.glove import load_glove_text
from simglove_spark.formats.registry import FORMATS, load_vectors, recognise
from simglove_spark.formats.saving import save_vectors
from simglove_spark.formats.word2vec import load_word2vec

__all__ = [
    "FORMATS",
    "load_glove_text",
    "load_vectors",
    "load_word2vec",
    "recognise",
    "save_vectors",
]
