"""Commands that exchange pair counts with other tools: import-pairs and export-pairs. They need no Spark."""

from typing import Annotated

from cyclopts import Parameter

from simglove_spark.config import BuildConfig, FileConfig, ImportConfig, ObserveConfig, PairFormat
from simglove_spark.observing.observed import observed
from simglove_spark.option_checks import Output
from simglove_spark.saved_config import resolved, save_config
from simglove_spark.storage.paths import path_of


def import_pairs(
    *,
    input: Annotated[
        tuple[str, ...], Parameter(help="Files, folders or globs with pair counts.", consume_multiple=True, negative="")
    ],
    output: Output,
    how: ImportConfig,
    word_counts: Annotated[
        str | None,
        Parameter(
            help="Words' own counts: a vocabulary table, GloVe's vocab.txt, or Parquet or CSV with word and count. Without it the sums of their pairs.",
            show_default=False,
        ),
    ] = None,
    resources: BuildConfig = BuildConfig(),
    observe: ObserveConfig = ObserveConfig(),
    file: FileConfig = FileConfig(),
) -> None:
    """Make the tables vocabulary and pairs of pair counts from elsewhere, for training. Needs no Spark."""
    del file
    from simglove_spark import importing

    folder = path_of(output)
    manifest = importing.import_pairs(input, word_counts, folder, how, resources, observed(observe))
    options = resolved(how, resources)
    save_config(folder / "import-pairs.yaml", options, input=list(input), word_counts=word_counts, output=output)
    print(f"{manifest.rows:,} cells are in {folder / 'pairs'}, their words in {folder / 'vocabulary'}.")


def export_pairs(
    *,
    pairs: Annotated[str, Parameter(help="Folder of a pair table.")],
    vocabulary: Annotated[str, Parameter(help="Folder of the vocabulary it was counted under.")],
    format: Annotated[PairFormat, Parameter(help="File format.")],
    output: Output,
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an earlier export.")] = False,
    observe: ObserveConfig = ObserveConfig(),
) -> None:
    """Write pair counts as files that other tools, and import-pairs, read. Needs no Spark."""
    from simglove_spark import pair_export

    folder = path_of(output)
    tables = path_of(pairs), path_of(vocabulary)
    manifest = pair_export.export_pairs(*tables, format, folder, overwrite, observed(observe))
    print(f"{manifest.rows:,} cells are in {folder / pair_export.NAMES[format]}.")
    unit = manifest.details["unit"]
    if unit > 1:
        print(f"Their counts are multiples of 1/{unit}: import-pairs --unit {unit} makes the same table of them.")
    if format == "glove-binary":
        print("They are in order of their words: GloVe's trainer needs them mixed by its shuffle.")


COMMANDS = {"import-pairs": import_pairs, "export-pairs": export_pairs}
