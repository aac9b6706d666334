"""What Spark itself reads from a bucket, by Hadoop's s3a: needs its jars, SIMGLOVE_S3A_JARS=hadoop-aws-VERSION.jar,SDK.jar."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3_server import BUCKET, environment, make_bucket, serving
from test_storage_road import HOW, SCRIPT

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


def test_compressed_text_and_columns(tmp_path: Path, small_text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = [f"spark.jars={JARS}", *(f"spark.hadoop.fs.s3a.{name}={value}" for name, value in OLD.items())]
    with serving() as (url, _):
        for name, value in environment(url).items():
            monkeypatch.setenv(name, value)
        make_bucket()
        there, commands = path_of(f"s3://{BUCKET}/s3a"), []
        table = pa.table({"body": [row.decode() for row in small_text.split(b"\n")]})
        for folder in (tmp_path, there):
            (folder / "corpus.txt.gz").write_bytes(gzip.compress(small_text, mtime=0))
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink)
            (folder / "corpus.parquet").write_bytes(sink.getvalue().to_pybytes())
            for name, more in (("corpus.txt.gz", []), ("corpus.parquet", ["--column", "body"])):
                output = f"{folder}/{name.partition('.')[2]}"
                commands.append(
                    ["run", "--input", f"{folder}/{name}", "--output", output, *more, *HOW, "--spark-conf", *conf]
                )
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            input="\n".join(map(json.dumps, commands)),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            env={name: value for name, value in os.environ.items() if not name.startswith(("PYSPARK", "SPARK"))},
        )
        assert done.stdout.count(">>> 0") == len(commands), done.stdout + done.stderr
        for output in ("txt.gz", "parquet"):
            for name in ("word_counts", "vocabulary", "pairs", "vectors"):
                here, away = (Manifest.load(folder / output / name, name) for folder in (tmp_path, there))
                assert here.content_sha256 == away.content_sha256
