"""Which file system, and with which credentials, a URI of each scheme becomes; those other than s3 have no server here."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import fs

from simglove_spark.errors import ConfigError, ResourceError
from simglove_spark.storage import schemes
from simglove_spark.storage.paths import StorePath, path_of
from simglove_spark.storage.schemes import Parts, file_system, for_spark, is_store, spark_settings, split

Made = dict[str, tuple[tuple[Any, ...], dict[str, Any]]]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """What each of pyarrow's file systems was made with; with an environment that says nothing."""
    seen: Made = {}

    def recorder(name: str) -> Callable[..., object]:
        def make(*given: Any, **named: Any) -> object:
            seen[name] = given, named
            return object()

        return make

    for name in ("S3FileSystem", "GcsFileSystem", "AzureFileSystem", "HadoopFileSystem"):
        monkeypatch.setattr(fs, name, recorder(name), raising=False)
    monkeypatch.setattr(fs, "resolve_s3_region", {"lake": "eu-north-1"}.__getitem__)
    monkeypatch.setattr(fs, "AwsStandardS3RetryStrategy", lambda max_attempts: max_attempts)
    for name in list(__import__("os").environ):
        if schemes._VARIABLES.match(name):
            monkeypatch.delenv(name)
    schemes._made.cache_clear()
    return seen


def test_s3(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    file_system(split("s3://lake/runs"))
    how = {
        "anonymous": False,
        "region": "eu-north-1",
        "endpoint_override": None,
        "scheme": "https",
        "retry_strategy": 8,
    }
    assert made["S3FileSystem"] == ((), how)  # keys are not handed over: the SDK reads them, and renews those of roles
    for name, value in {
        "AWS_ENDPOINT_URL": "http://store:9000",
        "AWS_DEFAULT_REGION": "local",
        "AWS_NO_SIGN_REQUEST": "YES",
        "AWS_MAX_ATTEMPTS": "2",
    }.items():
        monkeypatch.setenv(name, value)
    file_system(split("s3a://lake/runs"))
    how = {
        "anonymous": True,
        "region": "local",
        "endpoint_override": "store:9000",
        "scheme": "http",
        "retry_strategy": 2,
    }
    assert made["S3FileSystem"] == ((), how)


def test_a_file_system_is_made_once_for_a_bucket_and_an_environment(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = file_system(split("s3://lake/a"))
    assert file_system(split("s3://lake/b")) is first
    monkeypatch.setenv("AWS_PROFILE", "other")
    assert file_system(split("s3://lake/a")) is not first


def test_gs(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    file_system(split("gs://lake/runs"))
    assert made["GcsFileSystem"] == ((), {"anonymous": False, "retry_time_limit": timedelta(minutes=1)})
    monkeypatch.setenv("GS_NO_SIGN_REQUEST", "1")
    file_system(split("gs://lake/runs"))
    assert made["GcsFileSystem"][1]["anonymous"] is True


def test_abfss(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = split("abfss://box@firm.dfs.core.windows.net/runs/first")
    assert parts.path == "box/runs/first"
    file_system(parts)
    assert made["AzureFileSystem"] == (("firm",), {"account_key": None, "sas_token": None})
    monkeypatch.setenv("AZURE_STORAGE_KEY", "k")
    file_system(parts)
    assert made["AzureFileSystem"][1] == {"account_key": "k", "sas_token": None}


def test_abfss_where_pyarrow_has_none(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(fs, "AzureFileSystem")
    monkeypatch.setitem(__import__("sys").modules, "adlfs", None)
    with pytest.raises(
        ResourceError, match=r"abfss:// must have .* adlfs; got .* pip install 'simglove-spark\[azure\]'\."
    ):
        file_system(split("abfss://box@firm.dfs.core.windows.net/runs"))


def test_hdfs(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HADOOP_USER_NAME", "me")
    for uri, host, port in (
        ("hdfs://node:8020/a/b", "node", 8020),
        ("hdfs:///a/b", "default", 0),
        ("hdfs://ha/a/b", "ha", 0),
    ):
        assert split(uri).path == "/a/b"
        file_system(split(uri))
        assert made["HadoopFileSystem"] == ((host, port), {"user": "me"})


def test_hdfs_without_hadoop_says_what_to_set() -> None:
    schemes._made.cache_clear()
    with pytest.raises(ResourceError, match=r"hdfs:// must have Hadoop's libraries .*Set HADOOP_HOME .*CLASSPATH="):
        path_of("hdfs://node:8020/a").exists()


def test_uris_for_hadoop() -> None:
    there = {
        "s3://lake/a": "s3a://lake/a",
        "gs://lake/a": "gs://lake/a",
        "abfss://box@firm.dfs.core.windows.net/a": "abfss://box@firm.dfs.core.windows.net/a",
        "hdfs://node:8020/a": "hdfs://node:8020/a",
        "hdfs:///a": "hdfs:///a",
    }
    for uri, spark in there.items():
        assert for_spark(str(path_of(uri))) == spark
        assert isinstance(path_of(uri), StorePath) and path_of(str(path_of(uri))) == path_of(uri)


def test_settings_for_hadoop_hold_no_secret(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    assert spark_settings() == {}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://store:9000")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert spark_settings() == {
        "spark.hadoop.fs.s3a.endpoint": "http://store:9000",
        "spark.hadoop.fs.s3a.endpoint.region": "eu-north-1",
        "spark.hadoop.fs.s3a.path.style.access": "true",
        "spark.hadoop.fs.s3a.connection.ssl.enabled": "false",
    }
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "true")
    assert spark_settings()["spark.hadoop.fs.s3a.aws.credentials.provider"].endswith("AnonymousAWSCredentialsProvider")


def test_what_is_no_store() -> None:
    assert [is_store(text) for text in ("a/b", "/a", "file:///a", "table:x", "wasbs://c@a/x", "s3:/x")] == [False] * 6
    assert path_of("file:///a/b") == Path("/a/b")
    assert split("s3://lake") == Parts("s3", "lake", "")
    with pytest.raises(
        ConfigError, match=r"^folder must be a path, or a URI of s3, s3a, gs, .*; got wasbs://\.\.\.\. Give one"
    ):
        path_of("wasbs://c@a/x")
    with pytest.raises(ConfigError, match=r"^folder must lie below its bucket; got 's3://lake'"):
        path_of("s3://lake")
    with pytest.raises(ConfigError, match=r"^URI must have the form abfss://CONTAINER@ACCOUNT"):
        path_of("abfss://box/runs")
    with pytest.raises(ConfigError, match=r"^URI must have the form s3://BUCKET/PATH"):
        path_of("s3:///runs")


@pytest.mark.parametrize(
    "text",
    [
        'No FileSystem for scheme "gs"',
        "java.lang.ClassNotFoundException: Class org.apache.hadoop.fs.s3a.S3AFileSystem not found",
    ],
)
def test_a_spark_without_the_classes_is_told_what_it_needs(text: str) -> None:
    from simglove_spark.spark_errors import translated

    error = translated(Exception(text))
    assert isinstance(error, ResourceError)
    assert "Spark must have Hadoop's classes for " in str(error) and "hadoop-aws:VERSION" in str(error)
