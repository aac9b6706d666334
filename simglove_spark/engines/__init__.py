"""What runs the DataFrame code besides Spark on this machine or a cluster: a Spark Connect server, or Sail.

    addresses.py    which engine is asked for, and where it is
    connect.py      sessions of a Connect server, and what is told of the work there
    sail.py         the Sail server, a process of its own beside ours;  sail_server.py: what that process runs
    order.py        rows in order where an engine takes sorting away
    file_rows.py    files that workers read themselves, where the engine's own readers pass over what is wrong
    turns.py        so many workers at a time, where they are threads

In come `SparkConfig`, sessions and DataFrames; out go sessions and DataFrames. file_rows.py and turns.py run in the workers and
import no pyspark.
"""
