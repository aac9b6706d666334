"""Valid files made hostile, from a seed: flipped bits, cuts, splices, giant numbers, wrong types, depth, paths that lead elsewhere."""

import hashlib
import json
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from simglove_spark.manifest import sealed

#: Values that no reader expects where a number, a text or an object stands.
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        -1,
        0,
        1,
        2**31,
        2**32,
        2**63,
        2**64,
        10**30,
        -(2**63),
        0.5,
        1e308,
        float("nan"),
        float("inf"),
    ),
    *(
        "",
        "\0",
        "w0",
        "9" * 400,
        "../../../etc/passwd",
        "/etc/passwd",
        "..\\..\\x",
        "C:\\x",
        "a\nb",
        "\u202e",
        "\ud800",
    ),
    *([], {}, [None], [[]], [1, 2, 3], ["a", "b"], {"": None}, {"path": "../x"}, [{"path": "/etc/passwd"}]),
)
NUMBERS = (
    b"nan",
    b"-inf",
    b"1e999",
    b"-1",
    b"0",
    b"9" * 400,
    b"18446744073709551616",
    b"2147483648",
    b"0x10",
    b"1_000",
    b"1e5",
)
PATHS = (
    b"../../../etc/passwd",
    b"/etc/passwd",
    b"..\\..\\x",
    b"C:\\Windows\\x",
    b"file:///etc/passwd",
    b"s3a://bucket/x",
    b"\0",
)
LENGTHS = [
    number.to_bytes(size, "little")
    for size in (1, 2, 4, 8)
    for number in ((1 << 8 * size) - 1, (1 << 8 * size - 1) - 1, 1 << 8 * size - 1, 0)
]
DEPTH = 100_000

Mutation = Callable[[bytes, random.Random], bytes]


def flip(raw: bytes, draw: random.Random) -> bytes:
    """Some bits turned."""
    out = bytearray(raw)
    for _ in range(draw.choice((1, 1, 1, 2, 8, 64))):
        out[draw.randrange(len(out))] ^= 1 << draw.randrange(8)
    return bytes(out)


def cut(raw: bytes, draw: random.Random) -> bytes:
    """The end, the beginning, or something between is missing."""
    first, last = sorted(draw.randrange(len(raw) + 1) for _ in range(2))
    return draw.choice((raw[:first], raw[last:], raw[:first] + raw[last:], b""))


def splice(raw: bytes, draw: random.Random) -> bytes:
    """A piece of it stands in another place, over what is there or between."""
    start, size, place = draw.randrange(len(raw)), draw.randint(1, 64), draw.randrange(len(raw) + 1)
    piece = raw[start : start + size] * draw.choice((1, 1, 100))
    return raw[:place] + piece + raw[place + draw.choice((0, len(piece))) :]


def lengths(raw: bytes, draw: random.Random) -> bytes:
    """A binary number somewhere is the largest, or the smallest, there is; most often near the ends, where heads are."""
    place = draw.choice(
        (draw.randrange(len(raw)), draw.randrange(min(len(raw), 64)), max(0, len(raw) - draw.randint(1, 16)))
    )
    number = draw.choice(LENGTHS)
    return raw[:place] + number + raw[place + len(number) :]


def noise(raw: bytes, draw: random.Random) -> bytes:
    """Other bytes altogether, or among its own."""
    piece = draw.choice(
        (b"\0", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r", b"\n", b"\t", b" ", draw.randbytes(40), b"[" * DEPTH)
    )
    place = draw.choice((0, draw.randrange(len(raw) + 1), len(raw)))
    return draw.choice((raw[:place] + piece + raw[place:], piece * draw.randint(1, 50)))


def numbers(raw: bytes, draw: random.Random) -> bytes:
    """A number written in decimals is another one, or none."""
    found = list(re.finditer(rb"-?\d+(\.\d+)?", raw))
    if not found:
        return flip(raw, draw)
    chosen = draw.choice(found)
    return raw[: chosen.start()] + draw.choice((*NUMBERS, *PATHS)) + raw[chosen.end() :]


def lines(raw: bytes, draw: random.Random) -> bytes:
    """A line is missing, doubled, emptied, very long, or elsewhere; line ends are others."""
    rows = raw.split(b"\n")
    row = draw.randrange(len(rows))
    kind = draw.randrange(7)
    if kind == 0:
        del rows[row]
    elif kind == 1:
        rows.insert(draw.randrange(len(rows) + 1), rows[row])
    elif kind == 2:
        rows[row] = b""
    elif kind == 3:
        rows[row] = (rows[row] or b"x") * (1 + 200_000 // (len(rows[row]) + 1))
    elif kind == 4:
        rows.append(rows.pop(row))
    elif kind == 5:
        rows[row] = draw.choice((*PATHS, b"\xff\xfe", b" ", b"#", b"a" * 5000)) + rows[row]
    return (b"\r\n" if kind == 6 else b"\n").join(rows)


def values(raw: bytes, draw: random.Random) -> bytes:
    """A value of JSON somewhere is another one, gone, under another name, there twice, or very deep."""
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        return flip(raw, draw)
    places = list(_places(document))
    if not places or draw.random() < 0.05:
        return draw.choice((json.dumps(draw.choice(VALUES)).encode(), b"[" * DEPTH, b'{"a":' * DEPTH, b"1" * 5000))
    holder, key = draw.choice(places)
    kind = draw.randrange(6)
    if kind <= 2:
        holder[key] = draw.choice(VALUES)
    elif kind == 3:
        del holder[key]
    elif kind == 4 and isinstance(holder, dict):
        holder[str(draw.choice(VALUES))[:50]] = holder.pop(key)
    else:
        holder[key] = [holder[key]]
    text = json.dumps(document).encode()
    return text[:-1] + b"," + text[1:] if draw.random() < 0.05 and text.startswith(b"{") else text


def _places(value: Any) -> Any:
    """Every holder and key below a value."""
    held = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(held):
        yield value, key
        yield from _places(inner)


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefgh", "bcdefghi", strict=True)
)
YAMLS = (
    LAUGHS,
    "a: &a\n  b: *a\n",
    "dim: !!python/object/apply:os.system ['touch /tmp/simglove-yaml-was-run']\n",
    "!!python/object/new:os.system [x]\n",
    "[" * 3000,
    "{" * 3000,
    "- " * 2000,
    "dim: 2\ndim: 3\n",
    "? [1, 2]\n: x\n",
    "1: 2\n",
    "dim: 2026-01-01\n",
    "dim: 1:30\n",
    "dim: !!binary aGVsbG8=\n",
    "dim: .nan\nl2: .inf\n",
    "dim: !!set {a, b}\n",
    "<<: {dim: 3}\n",
    "--- 1\n--- 2\n",
    "dim: *unknown\n",
    "%YAML 9.9\n---\ndim: 2\n",
    "dim: 0x10\n",
    "seed: 0o7\n",
    "threads: ~\n",
    "watch: [[a], {b: c}]\n",
    "dim: {a: 1}\n",
    "config: other.yaml\n",
    "preset: [glove]\n",
    "preset: !!str\n",
    "help: true\n",
    "version: true\n",
    "vocabulary: ../../../../etc\n",
    "\0",
    "dim: " + "9" * 5000 + "\n",
)


def options(raw: bytes, draw: random.Random) -> bytes:
    """A configuration with other values, or something else that YAML can say."""
    if draw.random() < 0.3:
        return draw.choice((b"", raw)) + draw.choice(YAMLS).encode()
    try:
        document = yaml.safe_load(raw)
    except (yaml.YAMLError, RecursionError):
        document = None
    if not isinstance(document, dict) or not document:
        return flip(raw, draw)
    key = draw.choice(list(document))
    document[draw.choice((key, key, key, str(draw.choice(VALUES))[:40]))] = draw.choice(VALUES)
    return yaml.safe_dump(document, allow_unicode=draw.random() < 0.5).encode("utf-8", "surrogatepass")


BINARY: tuple[Mutation, ...] = (flip, cut, splice, lengths, noise)
TEXT: tuple[Mutation, ...] = (flip, cut, splice, noise, numbers, lines)
KINDS = {".json": (values, values, values, *TEXT), ".yaml": (options, options, *TEXT)}
KINDS |= dict.fromkeys((".txt", ".csv", ".tsv", ".key", ".vec", ".jsonl"), TEXT)


def reseal(folder: Path) -> None:
    """Let the manifests below a folder tell sizes and checksums of the files as they are now, as who means harm would.

    What was published gets a checksum of its own that fits, too.
    """
    for path in (*folder.rglob("_manifest.json"), *folder.rglob("latest.json")):
        try:
            raw = json.loads(path.read_text())
            for entry in raw["files"] if path.name != "latest.json" else ():
                data = (path.parent / entry["path"]).read_bytes()
                entry |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            path.write_text(json.dumps(sealed(raw), indent=1, ensure_ascii=False) + "\n")
        except (
            ValueError,
            RecursionError,
            KeyError,
            TypeError,
            AttributeError,
            OSError,
        ):  # or no checksum can be taken of it
            continue


def make_hostile(path: Path, draw: random.Random) -> str:
    """Change a file, once or more often; returns how."""
    raw, told = path.read_bytes(), []
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        mutation = draw.choice(KINDS.get(path.suffix, BINARY))
        raw = mutation(raw or b"x", draw)
        told.append(mutation.__name__)
    path.write_bytes(raw)
    return f"{path.name}: {', '.join(told)}"
