"""Where files lie: this machine's file systems, or a store (s3, gs, abfss, hdfs) that pyarrow reads and writes.

`schemes` maps a URI, and what the environment says of credentials, to a file system: nothing else knows a scheme. `paths` has a
store's files and folders behave as `pathlib.Path`, so that who reads and writes tables need not know where they lie; `answers` tells
in our words what a store does not do. `tables` builds a table in a store, which has neither renames nor locks, and `claims` lets in one writer at a
time; `leftovers` has the folder where a table is built on this machine, and removes what killed builders left. `copies` fetches what must be
a local file. `corpora` lists input. `texts` writes small files whole.

In: URIs and paths as users give them. Out: paths, and errors without a secret in them. Nothing here knows Spark.
"""
