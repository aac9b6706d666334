"""Vectors in the formats of other tools: one file a format, and one registry of them.

In come a vectors table and files of other tools; out go those files, or words with their vectors. No Spark, no numba, no
clock, and no pickle is ever read. Every writer takes rows in blocks and writes under the path it is given, where nothing is:
`saving` decides what may be replaced, and switches when all is whole. Rules for words and numbers: docs/formats.md.
"""
