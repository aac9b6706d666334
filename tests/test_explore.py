"""The page to ask vectors: right answers, and a server that serves nobody but its own page."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tables
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import HOSTILE, Page, write_run

from simglove_spark import cli
from simglove_spark.asking.pair_table import PairTable
from simglove_spark.errors import ConfigError, InputError
from simglove_spark.pages.explore import text_words
from simglove_spark.pages.explore.answers import Answers
from simglove_spark.pages.explore.server import Server
from simglove_spark.shown import short_text
from simglove_spark.vectors import Vectors

SIZE, UNIT = 40, 10


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("explore") / "run"
    write_run(folder, HOSTILE, SIZE)
    return folder


@pytest.fixture(scope="module")
def vectors(run: Path) -> Vectors:
    return Vectors.load(run / "vectors")


@pytest.fixture(scope="module")
def asked(run: Path, vectors: Vectors) -> Answers:
    return Answers(vectors, PairTable(run / "pairs"))


# --- words of a text ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The King, the queen!", ["the", "King", "the", "queen"]),
        ("new-york isn't (Here)", ["new-york", "isn", "t", "Here"]),
        ("从飞机场起飞，naïve", ["从", "飞机场", "起", "飞", "naïve"]),
        ("飞机场X1飞机", ["飞机场", "X", "1", "飞机"]),
        (" \n\t", []),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    known = {"the", "King", "queen", "new-york", "飞机", "飞机场"}
    assert list(text_words.words_of(text.split(), known)) == expected


@settings(deadline=None)
@given(
    text=st.text("飞机场从起", max_size=12),
    known=st.sets(st.text("飞机场从起", min_size=1, max_size=9), max_size=12),
)
def test_text_without_blanks_is_cut_into_the_longest_known_words(text: str, known: set[str]) -> None:
    expected, start = [], 0
    while start < len(text) and text not in known:
        best = text[start]
        for end in range(start + 1, min(len(text), start + text_words.LONGEST) + 1):
            if text[start:end] in known:
                best = text[start:end]
        expected.append(best)
        start += len(best)
    expected = [text] if text in known else expected
    assert list(text_words.words_of([text], known)) == expected
    assert "".join(expected) == text


# --- answers ---


def test_a_word_tells_what_vectors_and_pairs_say(run: Path, asked: Answers, vectors: Vectors) -> None:
    told = asked.word({"word": " w15 ", "topn": 5})
    assert (told["word"], told["count"], told["rank"]) == ("w15", 349, 29)
    assert told["norm"] == pytest.approx(vectors.norm("w15"))
    assert told["similar"] == [(short_text(word), score) for word, score in vectors.most_similar("w15", 5)]
    assert told["together"] == [(short_text(word), score) for word, score in vectors.most_correlative("w15", 5)]
    assert len(told["observed"]) == 5
    found = vectors.observed("w15", PairTable(run / "pairs"), 5)
    assert told["observed"] == [(short_text(one.second), one.observed, one.count) for one in found]
    assert Answers(vectors).word({"word": "w15"})["observed"] is None


def test_an_analogy_is_asked_as_it_is_read(asked: Answers, vectors: Vectors) -> None:
    told = asked.analogy({"first": "w1", "second": "w2", "third": "w3", "topn": 4})
    assert told["words"] == [(short_text(word), score) for word, score in vectors.analogy(["w2", "w3"], ["w1"], 4)]


def test_two_words_and_the_contexts_they_share(run: Path, asked: Answers, vectors: Vectors) -> None:
    pairs = PairTable(run / "pairs")
    for answers, table in ((asked, pairs), (Answers(vectors), None)):
        told = answers.pair({"first": "w15", "second": "w16", "topn": 7})
        found = vectors.explain("w15", "w16", 7, table)
        assert (told["inner"], told["predicted"]) == (found.pmi.inner, found.pmi.predicted)
        assert (told["observed"], told["times"]) == (found.pmi.observed, found.pmi.count)
        assert (told["similarity"], told["counted"]) == (found.similarity, table is not None)
        value = "predicted" if table is None else "observed"
        assert told["shared"] == [
            (short_text(one.word), one.score, getattr(one.first, value), getattr(one.second, value))
            for one in found.contexts
        ]
        assert told["shared"]


def test_words_that_never_met(tmp_path: Path) -> None:
    vocabulary = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 3, "b": 2, "c": 1})
    tables.write_pairs(tmp_path / "pairs", {(0, 1): 70}, vocabulary)
    known = Vectors(["a", "b", "c"], np.eye(3), [3, 2, 1])
    known.save(tmp_path / "vectors", parents=[vocabulary.as_parent()])
    known = Vectors.load(tmp_path / "vectors")
    told = Answers(known, PairTable(tmp_path / "pairs")).pair({"first": "a", "second": "c"})
    assert (told["observed"], told["times"], told["shared"]) == (None, 0.0, [])


def test_keywords_of_a_text_tell_what_is_unknown(asked: Answers, vectors: Vectors) -> None:
    told = asked.keywords({"text": "W15 w16 w16 nowhere <b>飞机场"})
    assert (told["known"], told["unknown"], told["unknown_words"]) == (4, 2, ["nowhere", "b"])
    times = {"w15": 1, "w16": 2, "飞机场": 1}
    assert told["words"] == [
        (word, score, times[word]) for word, score in vectors.keywords(["w15", "w16", "w16", "飞机场"])
    ]
    assert asked.keywords({"text": "Nowhere"}) == {"known": 0, "unknown": 1, "unknown_words": ["Nowhere"], "words": []}


def test_pairs_of_another_vocabulary_are_refused(tmp_path: Path, vectors: Vectors) -> None:
    vocabulary = tables.write_vocabulary(tmp_path / "vocabulary", {"a": 3, "b": 2})
    tables.write_pairs(tmp_path / "pairs", {(0, 1): 2}, vocabulary)
    with pytest.raises(InputError, match="pairs must be counted under the vectors' vocabulary, "):
        Answers(vectors, PairTable(tmp_path / "pairs"))


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({}, "word must be text; got None. Type a word."),
        ({"word": 7}, "word must be text; got 7. Type a word."),
        ({"word": " "}, "word must be text; got ' '. Type a word."),
        ({"word": "w15", "topn": 0}, "topn must be a whole number between 1 and 100; got 0. Use 20."),
        ({"word": "w15", "topn": True}, "topn must be a whole number between 1 and 100; got True. Use 20."),
    ],
)
def test_questions_that_cannot_be_answered(asked: Answers, question: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        asked.word(question)
    assert str(caught.value) == message


# --- the server ---


@pytest.fixture(scope="module")
def server(asked: Answers) -> Iterator[Server]:
    with Server(asked, 0) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


JSON = {"Content-Type": "application/json"}


def send(
    server: Server, method: str, path: str, body: bytes | str | None = None, headers: dict[str, str] | None = None
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def ask(server: Server, name: str, **question: Any) -> tuple[int, dict[str, Any]]:
    response, content = send(server, "POST", f"/api/{name}", json.dumps(question), JSON)
    return response.status, json.loads(content)


def test_the_page_and_its_parts_come_with_a_strict_policy(server: Server) -> None:
    for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
        response, content = send(server, "GET", path)
        assert (response.status, response.headers.get_content_type()) == (200, kind)
        assert len(content) == int(response.headers["Content-Length"]) > 500
        policy = response.headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
        assert "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Server"].strip() == "simglove"


def test_every_part_of_the_page_is_served_and_nothing_from_elsewhere(server: Server) -> None:
    found = Page(send(server, "GET", "/")[1].decode())
    assert found.open == []
    links = [attributes[name] for _, attributes in found.tags for name in ("src", "href") if name in attributes]
    for link in links:
        assert link == "data:," or send(server, "GET", link)[0].status == 200
    assert all(text == "" for text in found.scripts)
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on") or name == "style"]


def test_questions_are_answered_as_json(server: Server, asked: Answers) -> None:
    for name, question in (
        ("about", {}),
        ("word", {"word": "飞机场"}),
        ("analogy", {"first": "w1", "second": "w2", "third": "w3"}),
        ("keywords", {"text": "飞机场 w1"}),
        ("pair", {"first": "w15", "second": "w16"}),
    ):
        status, answer = ask(server, name, **question)
        assert status == 200
        assert answer == json.loads(json.dumps(getattr(asked, name)(question)))


@pytest.mark.parametrize("word", [word for word in HOSTILE if word.strip() == word])
def test_hostile_words_are_found_and_told_as_data(server: Server, word: str) -> None:
    status, answer = ask(server, "word", word=word)
    assert (status, answer["word"]) == (200, short_text(word))
    response, content = send(server, "POST", "/api/word", json.dumps({"word": word + "?"}), JSON)
    assert response.status == 422
    assert response.headers.get_content_type() == "application/json"
    assert set(json.loads(content)) == {"error"}
    assert len(content) < 4000


REFUSED = [
    ("GET", "/", None, {"Host": "evil.example"}, 421, "Host must be one of 127.0.0.1:"),
    ("GET", "/", None, {"Host": "127.0.0.1"}, 421, "got 127.0.0.1."),
    ("GET", "/", None, {"Host": "127.0.0.1.evil.example:80"}, 421, "Host must be one of"),
    ("GET", "/page.html", None, {}, 404, "address must be that of the page; got /page.html."),
    ("GET", "/../cli.py", None, {}, 404, "address must be"),
    ("GET", "/api/word", None, {}, 404, "address must be"),
    ("POST", "/api/other", "{}", JSON, 404, "question must be one of about, word, analogy, keywords, pair; got"),
    ("POST", "/api/__init__", "{}", JSON, 404, "question must be one of"),
    ("POST", "/word", "{}", JSON, 404, "question must be one of"),
    ("POST", "/api/word", "{}", {"Content-Type": "text/plain"}, 415, "a question must be application/json."),
    ("POST", "/api/word", "{}", {}, 415, "a question must be application/json."),
    ("POST", "/api/word", "{", JSON, 400, "a question must be JSON; got"),
    ("POST", "/api/word", "[" * 100_000, JSON, 400, "a question must be JSON; got"),
    ("POST", "/api/word", b"\xff", JSON, 400, "a question must be JSON; got"),
    ("POST", "/api/word", "[]", JSON, 400, "a question must be an object; got list."),
    (
        "POST",
        "/api/word",
        "{}",
        {**JSON, "Origin": "http://evil.example"},
        403,
        "Origin must be this page; got http://evil",
    ),
    ("POST", "/api/word", "{}", {**JSON, "Origin": "null"}, 403, "Origin must be this page; got null."),
    ("POST", "/api/word", "{}", {**JSON, "Content-Length": "-1"}, 411, "a question must tell its length."),
    ("POST", "/api/word", "{}", {**JSON, "Content-Length": "²"}, 411, "a question must tell its length."),
    ("POST", "/api/word", "{}", {**JSON, "Content-Length": "9" * 30}, 413, "at most 1,048,576 bytes; got 999,"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers", "status", "message"), REFUSED)
def test_what_the_server_refuses(
    server: Server, method: str, path: str, body: Any, headers: dict[str, str], status: int, message: str
) -> None:
    response, content = send(server, method, path, body, headers)
    assert response.status == status
    assert message in json.loads(content)["error"]
    assert response.headers["Connection"] == "close"
    assert "Content-Security-Policy" in response.headers


def test_what_is_no_question_at_all_is_answered_in_plain_text(server: Server) -> None:
    for line in ("PUT /<b> HTTP/1.1", "OPTIONS / HTTP/1.1", "nonsense <b>", f"GET /{'x' * 70_000} HTTP/1.1"):
        with socket.create_connection(("127.0.0.1", server.server_port), timeout=60) as connection:
            connection.sendall(f"{line}\r\n\r\n".encode())
            answer = connection.makefile("rb").read().decode()
        assert answer.split("\n")[-2][:3] in ("501", "400", "414")
        assert "text/html" not in answer


def test_two_names_or_none_are_refused_and_its_own_names_are_served(server: Server) -> None:
    port = server.server_port
    for hosts, status in (
        ([f"localhost:{port}"], 200),
        ([f"LOCALHOST:{port}"], 200),
        ([f"127.0.0.1:{port}"], 200),
        ([], 421),
        ([f"127.0.0.1:{port}", "evil.example"], 421),
    ):
        lines = ["GET / HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close", "", ""]
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall("\r\n".join(lines).encode())
            assert connection.makefile("rb").readline().split()[1] == str(status).encode(), hosts


def test_only_this_machine_is_served(server: Server, asked: Answers) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(ConfigError) as caught:
        Server(asked, server.server_port)
    assert str(caught.value) == (
        f"--port must be free; got {server.server_port}: Address already in use. Give another, or 0 for any that is free."
    )


def test_a_reader_who_leaves_is_no_error(server: Server, capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        connection.sendall(f"GET /page.js HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n\r\n".encode() * 50)
    assert ask(server, "about")[0] == 200
    assert capfd.readouterr() == ("", "")


# --- the page's own code ---


def test_words_never_become_markup_in_the_script() -> None:
    script = (files("simglove_spark.pages") / "explore" / "page.js").read_text(encoding="utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|Function\(", script)


def test_both_languages_say_everything() -> None:
    folder = files("simglove_spark.pages") / "explore"
    english, chinese = (folder / "texts.js").read_text(encoding="utf-8").split("\n  zh: {")
    keys = [re.findall(r"(?:^|, | {4})(\w+): \"", part, re.MULTILINE) for part in (english, chinese)]
    assert keys[0] == keys[1]
    page, script = ((folder / name).read_text(encoding="utf-8") for name in ("page.html", "page.js"))
    used = set(re.findall(r'data-text="(\w+)"', page)) | set(re.findall(r'say\("(\w+)"', script))
    assert used <= set(keys[0])


# --- the command ---


def test_the_command_serves_until_it_is_stopped(run: Path) -> None:
    command = [sys.executable, "-c", "from simglove_spark.cli import entry; entry()", "explore", "--port", "0"]
    paths = ["--vectors", str(run / "vectors"), "--pairs", str(run / "pairs")]
    with subprocess.Popen([*command, *paths], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        line = running.stdout.readline()
        port = re.fullmatch(r"Open http://127\.0\.0\.1:(\d+)/ in a browser on this machine\. Ctrl-C ends\.\n", line)
        assert port is not None
        connection = HTTPConnection("127.0.0.1", int(port[1]), timeout=60)
        connection.request("POST", "/api/about", "{}", JSON)
        assert json.loads(connection.getresponse().read())["words"] == SIZE
        connection.close()
        running.send_signal(signal.SIGTERM)
        assert running.communicate(timeout=60) == ("", "")
        assert running.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--vectors", "none"], 3, "vectors must be a complete table with a _manifest.json; got nothing"),
        (["--vectors", "RUN/vectors", "--pairs", "none"], 3, "pairs must be a complete table"),
        (["--vectors", "RUN/vectors", "--port", "70000"], 2, "--port must lie between 0 and 65535; got 70000."),
    ],
)
def test_wrong_usage_is_told_in_a_line(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    assert cli.main(["explore", *(argument.replace("RUN", str(run)) for argument in arguments)]) == code
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert message in err
