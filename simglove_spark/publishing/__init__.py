"""Which run readers take: gates that a run passes, ROOT/latest.json that names it, and the way back.

    latest.py     latest.json and its history: read, resolved, switched        gates.py    figures and what they must be
    publish.py    publish and rollback

What enters: a finished run and a folder that readers know; what leaves: latest.json, one file that is replaced whole, and
published/ beside it, which keeps every record. Vectors are never copied or moved. Nothing here prints, or needs Spark.
"""
