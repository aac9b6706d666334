"""Pages that show vectors to people: report/ writes one file about a run, explore/ serves one that answers questions.

In: finished tables, read through `Vectors`, `Manifest` and pyarrow. Out: HTML and JSON. Neither Spark nor the trainer is needed. base.css is
the style of both; words on either are shown as `shown.py` says.
"""
