"""Commands that exchange vectors with other tools: export and import-vectors. They need no Spark."""

from typing import Annotated, Literal

from cyclopts import Parameter

from simglove_spark.config import ObserveConfig
from simglove_spark.formats import importing_vectors, lineage
from simglove_spark.formats.numbers import Dtype
from simglove_spark.formats.saving import save_vectors
from simglove_spark.observing.observed import observed
from simglove_spark.option_checks import Output, VectorsFolder
from simglove_spark.publishing.latest import resolved
from simglove_spark.storage.copies import fetched
from simglove_spark.storage.paths import path_of
from simglove_spark.vectors import Vectors

ExportFormat = Literal[
    "word2vec-text", "word2vec-binary", "glove-text", "kv", "npy", "parquet", "safetensors", "projector", "faiss"
]
ImportFormat = Literal[
    "auto", "word2vec-text", "word2vec-binary", "glove-text", "npy", "parquet", "safetensors", "projector", "faiss"
]


def export(
    *,
    vectors: VectorsFolder,
    format: Annotated[ExportFormat, Parameter(help="File format.")],
    output: Annotated[str, Parameter(help="File to write, or folder for a format of several files.")],
    dtype: Annotated[Dtype, Parameter(help="Numbers to write; int8 with a scale a word.")] = "float32",
    unk: Annotated[bool, Parameter(negative="", help="Add <unk>, the mean of the 100 rarest words.")] = False,
    scores: Annotated[
        tuple[str, ...],
        Parameter(
            help="Files with what evaluate --json printed, for the model card.",
            consume_multiple=True,
            negative="",
            show_default=False,
        ),
    ] = (),
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an earlier export.")] = False,
    observe: ObserveConfig = ObserveConfig(),
) -> None:
    """Write vectors as other tools read them, and a model card beside. Needs no Spark."""
    folder, written = path_of(resolved(vectors)), path_of(output)
    with observed(observe).stage("export", corpus=scores, reads=[("vectors", folder)], files=[written]):
        known = Vectors.load(folder)
        origin = lineage.find(folder, known, [path_of(path) for path in scores])
        card = save_vectors(known, written, format, dtype, unk, overwrite, origin)
    print(f"{len(known) + unk:,} vectors of {known.matrix.shape[1]} components are in {written}.")
    print(f"Their model card is {card}.")


def import_vectors(
    *,
    input: Annotated[str, Parameter(help="File of another tool, or folder for a format of several files.")],
    output: Output,
    format: Annotated[ImportFormat, Parameter(help="File format; auto recognises it by its content.")] = "auto",
    overwrite: Annotated[bool, Parameter(negative="", help="Replace an earlier table.")] = False,
    observe: ObserveConfig = ObserveConfig(),
) -> None:
    """Make a vectors table of another tool's vectors. Needs no Spark."""
    folder = path_of(output)
    with observed(observe).stage("import-vectors", corpus=[input], writes=[("vectors", folder)]):
        name, manifest = importing_vectors.import_vectors(
            fetched(input), None if format == "auto" else format, folder, overwrite
        )
    print(f"{manifest.rows:,} vectors of {manifest.details['dim']} components are in {folder}; they were {name}.")


COMMANDS = {"export": export, "import-vectors": import_vectors}
