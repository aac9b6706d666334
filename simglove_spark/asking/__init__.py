"""What is asked of vectors: which words go with words, what a sentence is about, what two words have in common.

In come words, counts and a matrix, none of which changes, and where it is given a pair table; out go words with scores. Nothing here
loads, saves or prints, and `Vectors` needs neither Spark nor numba for it (only a `PairTable` needs numba). What takes a pass over the
matrix is made once, under a lock, and kept: any number of threads may ask.

    known_words.py  words, their ids, counts and norms
    passes.py       passes over the matrix, and the best of many scores
    reading.py      how text becomes words
    metric.py       mean and covariance of some words, and lengths under it
    neighbours.py   words near to words
    sentences.py    sums of words, their likeness and their keywords
    pair_table.py   one word's row of a pair table
    meaning.py      pmi, importance, and what brings two words together
"""
