"""tokenizer.json of the tokenizers library: words cut at white space, as ids of the rows of a matrix."""

import json
from pathlib import Path
from typing import Any

from simglove_spark.errors import InputError
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import AGAIN, read_json

_VOCAB = '"vocab":{}'


def write_tokenizer(path: Path, rows: Rows, unknown: str) -> None:
    """Write a word-level tokenizer that reads text as the corpus was read, as far as that is known."""
    normalizers = [{"type": "NFKC"}] if rows.reading.get("normalize") == "nfkc" else []
    normalizers += [{"type": "Lowercase"}] if rows.reading.get("lowercase") else []
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": normalizers} if normalizers else None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {}, "unk_token": unknown},
    }
    before, _, after = json.dumps(tokenizer, separators=(",", ":")).partition(_VOCAB)
    with path.open("w", encoding="utf-8", newline="\n") as out:
        out.write(before + _VOCAB[:-1])
        for number, word in enumerate(rows.words()):
            out.write(f"{',' if number else ''}\n{json.dumps(word, ensure_ascii=False)}:{number}")
        out.write(f"\n}}{after}\n")


def read_tokenizer(path: Path) -> list[str]:
    """Words of a tokenizer of any kind, in order of their ids."""
    raw = read_json(path)
    try:
        vocab = raw["model"]["vocab"]
        ids = dict(vocab) if isinstance(vocab, dict) else {pair[0]: number for number, pair in enumerate(vocab)}
        ids |= {token["content"]: token["id"] for token in raw.get("added_tokens") or ()}
        words = sorted(ids, key=ids.__getitem__)
    except (TypeError, KeyError, IndexError, AttributeError) as error:
        told = f"{type(error).__name__}: {error}"
        raise InputError(f"{path.name} must have a model with its vocab; got {told} ({path}). {AGAIN}") from error
    if [ids[word] for word in words] != list(range(len(words))):
        raise InputError(
            f"ids must be 0, 1, 2, ... once each; got others ({path}). Give a model with a row for each token."
        )
    return words
