"""What a stage reads and writes, as OpenLineage's datasets: names by its naming rules, facets from the tables' manifests."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from simglove_spark.corpus import TABLE, is_here, is_table
from simglove_spark.manifest import Manifest, hash_json
from simglove_spark.observing.stages import Stage, complete
from simglove_spark.storage.schemes import is_store

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset

OBJECT_STORES = ("s3", "gs")  # their keys have no slash before them
SUMS = {"word_counts": "total_words", "vocabulary": "total_words", "pairs": "total_pairs"}


def dataset_name(text: str) -> tuple[str, str]:
    """Namespace and name of a file, folder, URI or Spark table; of a glob those of the folder above it."""
    if is_table(text):
        return "spark", text.removeprefix(TABLE)
    if is_here(text) and not is_store(text):
        return "file", _root(text.removeprefix("file://"))
    parts = urlsplit(text)
    scheme = {"s3a": "s3", "s3n": "s3"}.get(parts.scheme, parts.scheme)
    path = parts.path.rstrip("/") or "/"
    return f"{scheme}://{parts.netloc}", path.lstrip("/") or "/" if scheme in OBJECT_STORES else path


def _root(path: str) -> str:
    while glob.escape(path) != path and not os.path.exists(path):  # noqa: PTH110 - a name, not yet a file
        path = os.path.dirname(path)  # noqa: PTH120
    return os.path.abspath(os.path.expanduser(path or "."))  # noqa: PTH100, PTH111 - resolve() would follow links


def inputs_of(stage: Stage) -> "list[InputDataset]":
    """The corpus, with what was read of it once the stage has ended, and the tables."""
    from openlineage.client.event_v2 import InputDataset

    read = [entry for _, table in stage.written()[:1] for entry in table.inputs]
    found = []
    for namespace, name in dict.fromkeys(map(dataset_name, stage.corpus)):
        own = [entry for entry in read if _is_below(entry["path"], namespace, name)]
        found.append(InputDataset(namespace, name, _corpus_statistics(own), facets=_version(hash_json(own), own)))
    known = dict(complete(stage.reads))
    for _, folder in stage.reads:
        table = known.get(folder)
        of_input = {} if table is None else {"dataQualityMetrics": _quality(table), "inputStatistics": _read(table)}
        found.append(InputDataset(*dataset_name(str(folder)), of_input, facets=_facets(folder, table)))
    return found


def outputs_of(stage: Stage) -> "list[OutputDataset]":
    """The tables, with what is in them once the stage has ended well, and other folders that it writes."""
    from openlineage.client.event_v2 import OutputDataset
    from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

    known = dict(stage.written())
    found = []
    for _, folder in stage.writes:
        table = known.get(folder)
        facets, written = _facets(folder, table), {}
        if table is not None:
            numbers = table.rows, table.bytes, len(table.files)
            written = {"outputStatistics": statistics.OutputStatisticsOutputDatasetFacet(*numbers)}
        found.append(OutputDataset(*dataset_name(str(folder)), written, facets=facets))
    return found + [OutputDataset(*dataset_name(str(folder))) for folder in stage.files]


def _is_below(path: str, namespace: str, name: str) -> bool:
    space, own = dataset_name(path)
    return space == namespace and (own == name or own.startswith(f"{name.rstrip('/')}/"))


def _facets(folder: Path, table: Manifest | None) -> dict[str, Any]:
    from openlineage.client.facet_v2 import datasource_dataset, schema_dataset, storage_dataset

    namespace, name = dataset_name(str(folder))
    uri = folder.as_uri() if namespace == "file" else f"{namespace}/{name.lstrip('/')}"
    facets: dict[str, Any] = {"dataSource": datasource_dataset.DatasourceDatasetFacet(namespace, uri)}
    if table is not None:
        fields = [schema_dataset.SchemaDatasetFacetFields(*field) for field in table.schema.items()]
        facets["schema"] = schema_dataset.SchemaDatasetFacet(fields)
        facets["storage"] = storage_dataset.StorageDatasetFacet("file", "parquet")
        facets |= _version(table.content_sha256, [table])
    return facets


def _version(sha256: str, of: Iterable[Any]) -> dict[str, Any]:
    from openlineage.client.facet_v2 import dataset_version_dataset

    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(sha256)} if of else {}


def _corpus_statistics(files: list[dict[str, Any]]) -> dict[str, Any]:
    from openlineage.client.facet_v2 import input_statistics_input_dataset as statistics

    sizes = [entry["bytes"] for entry in files]
    if not sizes:
        return {}
    size = None if None in sizes else sum(sizes)
    return {"inputStatistics": statistics.InputStatisticsInputDatasetFacet(None, size, len(sizes))}


def _read(table: Manifest) -> Any:
    from openlineage.client.facet_v2 import input_statistics_input_dataset as statistics

    return statistics.InputStatisticsInputDatasetFacet(table.rows, table.bytes, len(table.files))


def _quality(table: Manifest) -> Any:
    """What the manifest promises of the columns: no nulls anywhere, and the sum of the counts."""
    from openlineage.client.facet_v2 import data_quality_metrics_input_dataset as metrics

    columns = {name: metrics.ColumnMetrics(nullCount=0, count=table.rows) for name in table.schema}
    if "count" in columns and SUMS.get(table.table) in table.details:
        columns["count"].sum = table.details[SUMS[table.table]]
    numbers = table.rows, table.bytes, len(table.files)
    return metrics.DataQualityMetricsInputDatasetFacet(columns, *numbers)
