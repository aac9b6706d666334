"""Vectors on Spark: functions of columns and of SQL, and a stage of pyspark.ml pipelines.

    functions.py    sentence_vector, keywords, pmi, neighbours of every word, and `register` for SQL
    observed.py     with_pmi: what was counted beside what is predicted, by a join with the pair table
    ml.py           SimplerGlove and SimplerGloveModel, where Word2Vec and Word2VecModel stood
    params.py       their params
    in_workers.py   what a row is answered with, in Spark's Python workers

In come DataFrames, columns and the folder of a vectors table that all workers can read; out go DataFrames and columns. A worker opens
the folder once by memory map, so that all workers of a machine share one copy: nothing is broadcast, and the same code runs under
Spark Connect. Only ml.py and params.py import pyspark when they are imported; in_workers.py never does.
"""
