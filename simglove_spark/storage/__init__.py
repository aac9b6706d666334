"""Where files lie: this machine's file systems, or a store (s3, gs, abfss, hdfs) that pyarrow reads and writes.

`schemes` maps a URI, and what the environment says of credentials, to a file system: nothing else knows a scheme. `paths` has a
store's files and folders behave as `pathlib.Path`, so that who reads and writes tables need not know where they lie. `tables`
builds a table in a store, which has neither renames nor locks; `copies` fetches what must be a local file. `corpora` lists input. `texts` writes
small files whole.

In: URIs and paths as users give them. Out: paths, and errors without a secret in them. Nothing here knows Spark.
"""
