"""Which engine is asked for, and where it is."""

import os
from urllib.parse import SplitResult, urlsplit

from simglove_spark.config import SparkConfig
from simglove_spark.errors import ConfigError
from simglove_spark.saved_config import without_options

DEFAULT_PORT = 15002


def remote_address(config: SparkConfig) -> str | None:
    """Address of the Spark Connect server that is asked for: the option's, else ``SPARK_REMOTE``; None for another engine.

    ``--master`` and ``--engine sail`` win over the environment.

    Raises
    ------
    ConfigError
        When it is no address of a server.
    """
    if config.engine == "sail" or (config.master and not config.spark_remote):
        return None
    address = config.spark_remote or os.environ.get("SPARK_REMOTE") or None
    if address is not None:
        split_address(address)
    return address


def split_address(address: str) -> SplitResult:
    """Parts of ``sc://host:port/;option=value``."""
    try:
        parts = urlsplit(address)
        ok = parts.scheme == "sc" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        ok = False
    if not ok:
        where = "local Spark is --master" if address.startswith("local") else f"port {DEFAULT_PORT} unless you give one"
        raise ConfigError(
            f"--spark-remote (or SPARK_REMOTE) must be the address of a Spark Connect server; got {without_options(address)!r} ({where}). "
            f"Write sc://HOST:{DEFAULT_PORT}."
        )
    return parts
