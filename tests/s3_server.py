"""An S3 server on loopback (moto's) that can be told to fail: to be slow, to drop connections, to cut bodies, to deny."""

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

KEY, SECRET = "test-key-id", "secret/that+never=shows"
BUCKET = "lake"

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Any]


@dataclass
class Faults:
    """What the server does to the next requests: ``kind`` ``times`` times, to those whose method and path `concerns` says."""

    kind: str = ""
    times: int = 0
    concerns: Callable[[str, str], bool] = lambda method, path: True
    seen: list[tuple[str, str]] = field(default_factory=list)

    def take(self, method: str, path: str) -> str:
        self.seen.append((method, path))
        if self.times <= 0 or not self.concerns(method, path):
            return ""
        self.times -= 1
        return self.kind

    @contextmanager
    def of(self, kind: str, times: int, concerns: Callable[[str, str], bool] = lambda m, p: True) -> Iterator["Faults"]:
        self.kind, self.times, self.concerns = kind, times, concerns
        self.seen.clear()
        try:
            yield self
        finally:
            self.times = 0


def _error(status: str, code: str, start: Callable[..., Any]) -> list[bytes]:
    start(status, [("Content-Type", "application/xml")])
    return [f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code} it is.</Message></Error>".encode()]


def _faulty(app: Wsgi, faults: Faults) -> Wsgi:
    def wsgi(request: dict[str, Any], start: Callable[..., Any]) -> Any:
        kind = faults.take(request["REQUEST_METHOD"], request["PATH_INFO"])
        if kind == "slow":
            return _error("503 Slow Down", "SlowDown", start)
        if kind == "denied":
            return _error("403 Forbidden", "AccessDenied", start)
        if kind == "dropped":
            request["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        if kind == "cut":  # half of the body, then the line goes dead
            body = b"".join(app(request, start))

            def half() -> Iterator[bytes]:
                yield body[: len(body) // 2]
                request["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
                raise ConnectionAbortedError

            return half()
        return app(request, start)

    return wsgi


@contextmanager
def serving() -> Iterator[tuple[str, Faults]]:
    """Its URL, and what makes it fail."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    faults = Faults()
    server = make_server(
        "127.0.0.1", 0, _faulty(DomainDispatcherApplication(create_backend_app), faults), threaded=True
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}", faults
    finally:
        server.shutdown()
        thread.join()


def environment(url: str) -> dict[str, str]:
    """What a user sets; few tries, so that tests are quick."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL": url,
        "AWS_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "3",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def make_bucket() -> None:
    from pyarrow import fs

    url = os.environ["AWS_ENDPOINT_URL"].removeprefix("http://")
    fs.S3FileSystem(endpoint_override=url, scheme="http", allow_bucket_creation=True).create_dir(BUCKET)
