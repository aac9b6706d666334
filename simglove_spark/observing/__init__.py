"""What others hear of a run while it goes on: metrics, lineage, and what libraries say.

A stage tells of itself once, by `progress.Progress.stage`, and its tables' manifests tell the rest. Listeners hear it, and turn it
into what their readers know. Nothing here decides a byte of a table or the end of a run: a collector that is not there is a
sentence in the log. The libraries of a collector are imported when it is asked for. Nothing here knows Spark.
"""
