"""Whether tables, runs and what was published are what they were when they were made: `simglove verify`.

    folders.py    what a folder is: a table, a run, a publish root; how its parts fit each other
    files.py      manifests, checksums, files that are missing or foreign
    words.py      word_counts, vocabulary, phrases        pairs.py    pair tables        vectors.py    vectors tables
    findings.py   all that was found, from any thread

What enters: a path; what leaves: `Findings`. Nothing is written. Vocabularies are held in memory, as training holds them; words that were
counted, pairs and vectors pass through in batches. A file whose bytes are not those of its manifest is told and not looked into.
"""

from simglove_spark.verifying.findings import Finding, Findings
from simglove_spark.verifying.folders import verify

__all__ = ["Finding", "Findings", "verify"]
