"""One place that maps a URI and its credentials: to pyarrow's file system, and to what Spark is told.

| scheme | file system | credentials, all from the environment |
|---|---|---|
| s3, s3a | S3FileSystem | as the AWS SDK reads them (AWS_ACCESS_KEY_ID, ..., AWS_PROFILE, roles); AWS_NO_SIGN_REQUEST=YES for none |
| gs | GcsFileSystem | as Google's client finds them (GOOGLE_APPLICATION_CREDENTIALS, roles); GS_NO_SIGN_REQUEST=YES for none |
| abfss | AzureFileSystem, else adlfs by fsspec | AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, else Azure's default chain |
| hdfs | HadoopFileSystem | HADOOP_USER_NAME, the Kerberos ticket cache; the rest as Hadoop's own configuration says |
"""

import os
import re
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow import fs

from simglove_spark.errors import ConfigError, ResourceError

ALIASES = {"s3a": "s3"}
DEFAULT_HOST = "default"  # of hdfs:///path: the one of Hadoop's configuration
TRIES, RETRY_TIME = 8, timedelta(minutes=1)  # with longer and longer pauses: a minute, about
_VARIABLES = re.compile(r"AWS_|AZURE_|GOOGLE_|GS_|STORAGE_EMULATOR_HOST|HADOOP_")
_SECRET = re.compile(r"KEY|SECRET|TOKEN|PASSWORD")
_HOST, _CONTAINER = re.compile(r"[^:@]*(:\d+)?"), re.compile(r"[^:@]*(@[^:@]*)?")
_SIGNATURE = re.compile(r"\?[\w-]+=")  # a query: shared signatures come in one


class Parts(NamedTuple):
    """A URI: canonical scheme, bucket (or container@account, or host), and the key below it without a leading slash."""

    scheme: str
    authority: str
    key: str

    @property
    def path(self) -> str:
        """The path by which pyarrow's file system knows it."""
        if self.scheme == "hdfs":
            return f"/{self.key}"
        return f"{self.authority.partition('@')[0]}/{self.key}".rstrip("/")


def is_store(text: str) -> bool:
    """Whether a path is a URI of a store that pyarrow can read and write."""
    scheme, separator, _ = text.partition("://")
    return bool(separator) and ALIASES.get(scheme, scheme) in _OPEN


def split(uri: str) -> Parts:
    """The parts of a store's URI.

    Raises
    ------
    ConfigError
        When it has no bucket, or carries credentials.
    """
    refuse_credentials(uri)
    scheme, _, rest = uri.partition("://")
    authority, _, key = rest.partition("/")
    scheme = ALIASES.get(scheme, scheme)
    if scheme == "hdfs":
        authority = authority or DEFAULT_HOST
    if not authority or (scheme == "abfss" and not re.fullmatch(r"[^@/]+@[^@/]+", authority)):
        form = "abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH" if scheme == "abfss" else f"{scheme}://BUCKET/PATH"
        raise ConfigError(f"URI must have the form {form}; got {uri!r}. Mend it.")
    return Parts(scheme, authority, key.strip("/"))


def refuse_credentials(uri: str) -> None:
    """Refuse a URI with a password, key or signature in it, which would come into manifests and logs; it is not repeated.

    Raises
    ------
    ConfigError
    """
    scheme, _, rest = uri.partition("://")
    wanted = _CONTAINER if scheme.startswith(("abfs", "wasb")) else _HOST
    if not wanted.fullmatch(rest.partition("/")[0]) or _SIGNATURE.search(rest):
        raise ConfigError(
            f"URI must be free of users, keys and signatures; got one with some ({scheme}://...). "
            "Set the environment variables that README names instead."
        )


def file_system(parts: Parts) -> fs.FileSystem:
    """The file system of a URI, made once for each bucket and environment.

    Raises
    ------
    ResourceError
        When a library that it needs is missing.
    """
    told = tuple(sorted((name, value) for name, value in os.environ.items() if _VARIABLES.match(name)))
    return _made(parts.scheme, parts.authority, told)


@lru_cache(maxsize=64)
def _made(scheme: str, authority: str, told: tuple[tuple[str, str], ...]) -> fs.FileSystem:
    return _OPEN[scheme](authority, dict(told))


def _s3(bucket: str, told: dict[str, str]) -> fs.FileSystem:
    url = urlsplit(told.get("AWS_ENDPOINT_URL_S3") or told.get("AWS_ENDPOINT_URL") or "")
    return fs.S3FileSystem(
        anonymous=_is_on(told.get("AWS_NO_SIGN_REQUEST")),
        region=told.get("AWS_REGION") or told.get("AWS_DEFAULT_REGION") or (None if url.netloc else _region(bucket)),
        endpoint_override=url.netloc or None,
        scheme=url.scheme or "https",
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=_tries(told.get("AWS_MAX_ATTEMPTS", ""))),
    )


def _tries(text: str) -> int:
    return int(text) if text.isdigit() and int(text) else TRIES


def _region(bucket: str) -> str | None:
    try:
        return fs.resolve_s3_region(bucket)
    except (OSError, pa.ArrowException):  # what is wrong is told by the first request
        return None


def _gcs(_bucket: str, told: dict[str, str]) -> fs.FileSystem:
    return fs.GcsFileSystem(anonymous=_is_on(told.get("GS_NO_SIGN_REQUEST")), retry_time_limit=RETRY_TIME)


def _azure(authority: str, told: dict[str, str]) -> fs.FileSystem:
    account = authority.partition("@")[2].partition(".")[0]
    key, signature = told.get("AZURE_STORAGE_KEY"), told.get("AZURE_STORAGE_SAS_TOKEN")
    if hasattr(fs, "AzureFileSystem"):
        return fs.AzureFileSystem(account, account_key=key, sas_token=signature)
    try:
        from adlfs import AzureBlobFileSystem
    except ImportError as error:
        raise ResourceError(
            f"abfss:// must have pyarrow's AzureFileSystem or adlfs; got {error}. pip install 'simglove-spark[azure]'."
        ) from error
    found = AzureBlobFileSystem(account, account_key=key, sas_token=signature, anon=False)
    return fs.PyFileSystem(fs.FSSpecHandler(found))


def _hdfs(authority: str, told: dict[str, str]) -> fs.FileSystem:
    host, _, port = authority.partition(":")
    try:
        return fs.HadoopFileSystem(host, int(port or 0), user=told.get("HADOOP_USER_NAME"))
    except OSError as error:
        raise ResourceError(
            f"hdfs:// must have Hadoop's libraries on this machine; got {first_words(str(error))} ({authority}). "
            "Set HADOOP_HOME (or ARROW_LIBHDFS_DIR), JAVA_HOME and CLASSPATH=$(hadoop classpath --glob)."
        ) from None


_OPEN: dict[str, Callable[[str, dict[str, str]], fs.FileSystem]] = {
    "s3": _s3,
    "gs": _gcs,
    "abfss": _azure,
    "hdfs": _hdfs,
}


def for_spark(uri: str) -> str:
    """The URI by which Spark, that is Hadoop, knows a store's file."""
    scheme, _, rest = uri.partition("://")
    if scheme == "hdfs":
        return f"hdfs://{rest.removeprefix(DEFAULT_HOST)}"
    return f"{'s3a' if scheme == 's3' else scheme}://{rest}"


def spark_settings() -> dict[str, str]:
    """What Hadoop's s3a must be told that the environment says; credentials are not among it, it reads them itself."""
    url = urlsplit(os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or "")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    settings = {"endpoint.region": region} if region else {}
    if url.netloc:
        settings |= {"endpoint": url.geturl(), "path.style.access": "true"}
        settings["connection.ssl.enabled"] = str(url.scheme == "https").lower()
    if _is_on(os.environ.get("AWS_NO_SIGN_REQUEST")):
        settings["aws.credentials.provider"] = "org.apache.hadoop.fs.s3a.AnonymousAWSCredentialsProvider"
    return {f"spark.hadoop.fs.s3a.{name}": value for name, value in settings.items()}


def missing_classes(text: str) -> ResourceError | None:
    """What a Spark error means that tells of a scheme whose classes Spark has not; None of any other."""
    found = re.search(r'No FileSystem for scheme "?(\w+)|Class org\.apache\.hadoop\.fs\.(\w+)\.\w+ not found', text)
    return found and ResourceError(
        f"Spark must have Hadoop's classes for {found[1] or found[2]}://, to read what is not plain text; got a Spark without. "
        "Give --spark-conf spark.jars.packages=org.apache.hadoop:hadoop-aws:VERSION, VERSION as of its hadoop-client-api."
    )


def first_words(text: str) -> str:
    """The first line of a message, without any secret of the environment."""
    for name, value in os.environ.items():
        if _VARIABLES.match(name) and _SECRET.search(name) and len(value) > 3:
            text = text.replace(value, "***")
    return text.strip().partition("\n")[0][:300]


def _is_on(value: str | None) -> bool:
    return (value or "").lower() in ("1", "yes", "true")
