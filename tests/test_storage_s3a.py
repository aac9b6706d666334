"""What Spark itself reads from a bucket, by Hadoop's s3a: needs its jars, SIMGLOVE_S3A_JARS=hadoop-aws-VERSION.jar,SDK.jar.

Those of hadoop-aws 3.3.1 are in deps/jars of the sdist of sagemaker-pyspark 1.4.5.
"""

import bz2
import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from itertools import count, product
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from pyarrow import orc
from s3_server import BUCKET, environment, make_bucket, serving
from test_storage_road import HOW, SCRIPT, STAGES

from simglove_spark.manifest import Manifest
from simglove_spark.storage.paths import path_of

JARS = os.environ.get("SIMGLOVE_S3A_JARS", "")
pytestmark = [pytest.mark.soak, pytest.mark.skipif(not JARS, reason="needs SIMGLOVE_S3A_JARS=hadoop-aws.jar,SDK.jar")]

# hadoop-aws 3.3.1, the only one on PyPI (sagemaker-pyspark), cannot read the times of Hadoop 3.5's defaults
OLD = {"threads.keepalivetime": "60", "connection.establish.timeout": "30000", "connection.timeout": "200000"}
OLD |= {"connection.request.timeout": "0", "multipart.purge.age": "86400"}
OLD |= {
    "aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider"
}  # the defaults are of the newer SDK


def as_table(text: bytes, write: Callable[..., None]) -> bytes:
    """Its rows as a column, in a file of one format."""
    sink = pa.BufferOutputStream()
    write(pa.table({"body": [row.decode() for row in text.split(b"\n")]}), sink)
    return sink.getvalue().to_pybytes()


#: What only Spark can read in a bucket, or reads by Hadoop.
FILES: dict[str, Callable[[bytes], bytes]] = {
    "corpus.txt.gz": gzip.compress,
    "corpus.txt.bz2": bz2.compress,
    "corpus.txt.zst": zstandard.compress,
    "corpus.parquet": partial(as_table, write=pq.write_table),
    "corpus.orc": partial(as_table, write=orc.write_table),
    "corpus.jsonl": lambda text: b"".join(
        json.dumps({"body": row.decode()}).encode() + b"\n" for row in text.split(b"\n")
    ),
}


def command(folder: Path, name: str) -> list[str]:
    """What counts one of them, and trains."""
    conf = [f"spark.jars={JARS}", *(f"spark.hadoop.fs.s3a.{name}={value}" for name, value in OLD.items())]
    more = [] if ".txt." in name else ["--column", "body"]
    made = ["--input", f"{folder}/{name}", "--output", f"{folder}/{name.partition('.')[2]}"]
    return ["run", *made, *more, *HOW, "--spark-conf", *conf]


def test_compressed_text_and_columns(tmp_path: Path, small_text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every 40th request is refused, which Hadoop's client tries again as ours does."""
    with serving() as (url, faults):
        for name, value in environment(url).items():
            monkeypatch.setenv(name, value)
        make_bucket()
        there, number = path_of(f"s3://{BUCKET}/s3a"), count(1)
        commands = []
        for (name, made), folder in product(FILES.items(), (tmp_path, there)):
            (folder / name).write_bytes(made(small_text))
            commands.append(command(folder, name))
        with faults.of("slow", 10**6, lambda method, path: next(number) % 40 == 0):
            done = subprocess.run(
                [sys.executable, "-c", SCRIPT],
                input="\n".join(map(json.dumps, commands)),
                capture_output=True,
                text=True,
                timeout=900,
                check=False,
                env={name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))},
            )
        assert done.stdout.count(">>> 0") == len(commands), done.stdout + done.stderr
        for name, table in product(FILES, STAGES):
            places = (folder / name.partition(".")[2] / table for folder in (tmp_path, there))
            here, away = (Manifest.load(place, table) for place in places)
            assert here.content_sha256 == away.content_sha256
