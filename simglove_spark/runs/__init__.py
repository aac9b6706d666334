"""What a run folder tells and what a run would do: run.json, which tables are there already, and the plan of `--dry-run`.

    record.py   writes run.json           reading.py  the one reader of it: a sensor, the report, a model card
    there.py    is this very table there? plan.py     what would be done, and why

What enters: options, paths and manifests; what leaves: plain records. Nothing here starts Spark, and numba is imported only for the
forecasts of a plan: a run that finds nothing to do is told so in a second or two.
"""
