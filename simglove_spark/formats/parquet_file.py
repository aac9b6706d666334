"""One Parquet file for other engines.

word     string
count    int64
vector   list of float; float16, or int8 codes
scale    float, with int8 only: a vector is its codes times its scale
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.formats.numbers import Dtype, coded_blocks, decoded, int8_scales
from simglove_spark.formats.places import reading
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import AGAIN
from simglove_spark.storage.copies import fetched
from simglove_spark.vectors import Vectors

GROUP_ROWS = 1 << 14
COMPONENTS = {"float32": pa.float32(), "float16": pa.float16(), "int8": pa.int8()}


def write(rows: Rows, path: Path, dtype: Dtype) -> None:
    """Write the file."""
    kinds = [("word", pa.string()), ("count", pa.int64()), ("vector", pa.list_(COMPONENTS[dtype]))]
    schema = pa.schema([*kinds, ("scale", pa.float32())] if dtype == "int8" else kinds)
    ends = np.arange(0, rows.shape[1] * (GROUP_ROWS + 1), rows.shape[1], dtype=np.int32)
    how = {"compression": "zstd", "use_dictionary": False}
    with pq.ParquetWriter(path, schema, **how) as writer:
        codes = coded_blocks(rows, dtype, GROUP_ROWS)
        for block, coded in zip(rows.blocks(GROUP_ROWS), codes, strict=True):
            vector = pa.ListArray.from_arrays(ends[: len(coded) + 1], pa.array(coded.reshape(-1)))
            columns = [pa.array(block.words), pa.array(block.counts), vector]
            columns += [pa.array(int8_scales(block.matrix))] if dtype == "int8" else []
            writer.write_table(pa.table(columns, schema=schema))


def load(path: str | Path) -> Vectors:
    """Read the file, or any with columns word and vector, where vector is a list of floats or of int8 with a column scale."""
    path = fetched(path)
    try:
        with reading(path), pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20) as file:
            return _read(file, path)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        told = " ".join(str(error).split())[:300]
        raise InputError(f"vectors must be Parquet, whole; got {told} ({path}). {AGAIN}") from error


def _read(file: pq.ParquetFile, path: Path) -> Vectors:
    schema = file.schema_arrow
    wanted = [name for name in ("word", "count", "vector", "scale") if name in schema.names]
    kinds = {name: schema.field(name).type for name in wanted}
    if not _is_text(kinds.get("word")) or not _is_list(kinds.get("vector"), scaled="scale" in kinds):
        raise InputError(
            f"columns must be word (string) and vector (list of float, or of int8 with a scale); got "
            f"{dict(zip(schema.names, map(str, schema.types), strict=True))} ({path}). Rename or cast them."
        )
    words: list[str] = []
    counts: list[NDArray[np.int64]] = []
    matrix: NDArray[np.float32] | None = None
    for batch in file.iter_batches(batch_size=GROUP_ROWS, columns=wanted, use_threads=False):
        block = _block(batch, None if matrix is None else matrix.shape[1], f"{path}, row {len(words) + 1} and below")
        scales = batch["scale"].to_numpy(zero_copy_only=False) if "scale" in kinds else None
        if matrix is None:
            matrix = np.empty((file.metadata.num_rows, block.shape[1]), np.float32)
        matrix[len(words) : len(words) + len(block)] = decoded(block, scales)
        words += batch["word"].to_pylist()
        if "count" in kinds:
            counts.append(batch["count"].cast(pa.int64()).to_numpy(zero_copy_only=False))
    if matrix is None:
        raise InputError(f"vectors must be one row or more; got none ({path}). {AGAIN}")
    return Vectors(words, matrix, np.concatenate(counts) if counts else None)


def _is_text(kind: pa.DataType | None) -> bool:
    return kind is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: pa.DataType | None, scaled: bool) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    if kind is None or not any(test(kind) for test in lists):
        return False
    return pa.types.is_int8(kind.value_type) if scaled else pa.types.is_floating(kind.value_type)


def _block(batch: pa.RecordBatch, dim: int | None, where: str) -> NDArray:
    """Components of a batch, all rows of one length and without gaps."""
    column, values = batch["vector"], batch["vector"].flatten()
    dim = dim or len(values) // max(1, len(column))
    lengths = set(pc.unique(pc.list_value_length(column)).to_pylist())
    nulls = sum(part.null_count for part in (values, *batch.columns))
    if lengths != {dim} or dim == 0 or nulls:
        found = "missing values" if nulls else f"lengths {sorted(lengths)[:3]}"
        raise InputError(f"rows must be whole, with vectors of one length; got {found} ({where}). {AGAIN}")
    return values.to_numpy().reshape(-1, dim)
