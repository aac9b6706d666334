"""The page's server: one page, its style and script, and answers; for this machine alone."""

import json
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from simglove_spark.errors import ConfigError, SimgloveError
from simglove_spark.pages.explore.answers import QUESTIONS, Answers
from simglove_spark.shown import short_text

ADDRESS = "127.0.0.1"
MOST_BYTES = 1 << 20  # of a question
MOST_SHOWN = 500  # characters of an error, which may quote a word
SECONDS = 30  # for a question to arrive
FILES = {
    "/": ("explore/page.html", "text/html; charset=utf-8"),
    "/base.css": ("base.css", "text/css; charset=utf-8"),
    "/page.css": ("explore/page.css", "text/css; charset=utf-8"),
    "/page.js": ("explore/page.js", "text/javascript; charset=utf-8"),
    "/texts.js": ("explore/texts.js", "text/javascript; charset=utf-8"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Server(ThreadingHTTPServer):
    """Serves the page on 127.0.0.1; ``port`` 0 takes any that is free.

    Raises
    ------
    ConfigError
        When the port is taken.
    """

    daemon_threads = True

    def __init__(self, answers: Answers, port: int) -> None:
        self.answers = answers
        here = files("simglove_spark.pages")
        self.pages = {
            path: (here.joinpath(*name.split("/")).read_bytes(), kind) for path, (name, kind) in FILES.items()
        }
        try:
            super().__init__((ADDRESS, port), _Handler)
        except OSError as error:
            raise ConfigError(
                f"--port must be free; got {port}: {error.strerror}. Give another, or 0 for any that is free."
            ) from error
        self.hosts = {f"{name}:{self.server_port}" for name in (ADDRESS, "localhost")}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A reader who has left is no error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{ADDRESS}:{self.server_port}/"


class _RefusalError(Exception):
    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = SECONDS
    server_version, sys_version = "simglove", ""
    error_content_type, error_message_format = "text/plain; charset=utf-8", "%(code)d %(message)s\n"

    def do_GET(self) -> None:
        """The page and its parts."""
        self._reply(self._page)

    def do_POST(self) -> None:
        """A question."""
        self._reply(self._answer)

    def _reply(self, make: Any) -> None:
        try:
            self._check_host()
            status, (body, kind) = HTTPStatus.OK, make()
        except _RefusalError as refusal:
            self.close_connection = True  # what was sent with it has not been read
            status, body, kind = refusal.status, _error(refusal), "application/json"
        except SimgloveError as error:
            status, body, kind = HTTPStatus.UNPROCESSABLE_ENTITY, _error(error), "application/json"
        self.send_response(status)
        for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _check_host(self) -> None:
        """Answer only to our own name: a foreign one that leads here belongs to a page that wants to read along."""
        named = self.headers.get_all("Host", [])
        if len(named) != 1 or named[0].lower() not in self.server.hosts:
            message = f"Host must be one of {', '.join(sorted(self.server.hosts))}; got {', '.join(named) or 'none'}."
            raise _RefusalError(HTTPStatus.MISDIRECTED_REQUEST, message)
        origin = self.headers.get("Origin")
        if origin is not None and origin.lower().removeprefix("http://") not in self.server.hosts:
            raise _RefusalError(HTTPStatus.FORBIDDEN, f"Origin must be this page; got {origin}.")

    def _page(self) -> tuple[bytes, str]:
        if self.path not in self.server.pages:
            raise _RefusalError(HTTPStatus.NOT_FOUND, f"address must be that of the page; got {self.path}.")
        return self.server.pages[self.path]

    def _answer(self) -> tuple[bytes, str]:
        name = self.path.removeprefix("/api/")
        if f"/api/{name}" != self.path or name not in QUESTIONS:
            raise _RefusalError(
                HTTPStatus.NOT_FOUND, f"question must be one of {', '.join(QUESTIONS)}; got {self.path}."
            )
        if self.headers.get_content_type() != "application/json":  # the only kind that other sites cannot send unasked
            raise _RefusalError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "a question must be application/json.")
        return _json(getattr(self.server.answers, name)(self._question())), "application/json"

    def _question(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit():
            raise _RefusalError(HTTPStatus.LENGTH_REQUIRED, "a question must tell its length.")
        if int(length) > MOST_BYTES:
            message = f"a question must have at most {MOST_BYTES:,} bytes; got {int(length):,}."
            raise _RefusalError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        try:
            question = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise _RefusalError(HTTPStatus.BAD_REQUEST, f"a question must be JSON; got {error}.") from error
        if not isinstance(question, dict):
            raise _RefusalError(HTTPStatus.BAD_REQUEST, f"a question must be an object; got {type(question).__name__}.")
        return question

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing of each request."""


def _error(error: Exception) -> bytes:
    return _json({"error": short_text(str(error), MOST_SHOWN)})


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
