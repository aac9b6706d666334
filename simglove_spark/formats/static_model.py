"""A model that model2vec and sentence-transformers (StaticEmbedding) load: the vector of a text is the mean of its words', a folder.

model.safetensors                  embeddings float32[V, dim]; float16, or int8 codes with weights float32[V]
tokenizer.json                     words by row; `<unk>` is added with zeros where there is none
config.json                        for model2vec: no normalisation, since norms and inner products mean something
modules.json, config_sentence_transformers.json
"""

import json
import struct
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from simglove_spark.errors import InputError
from simglove_spark.formats.numbers import LITTLE, Dtype, all_scales, coded_blocks, decoded
from simglove_spark.formats.places import files_of, reading, refuse_other_size
from simglove_spark.formats.rows import Rows
from simglove_spark.formats.spelling import AGAIN
from simglove_spark.formats.tokenizer_file import read_tokenizer, write_tokenizer
from simglove_spark.storage.copies import fetched
from simglove_spark.unknown import UNKNOWN
from simglove_spark.vectors import Vectors

MODEL, TOKENIZER = "model.safetensors", "tokenizer.json"
CONFIG, MODULES, SENTENCES = "config.json", "modules.json", "config_sentence_transformers.json"
FILES = (MODEL, TOKENIZER, CONFIG, MODULES, SENTENCES)
NESTED = "0_StaticEmbedding"  # where sentence-transformers saves such a model
TENSORS = ("embeddings", "embedding.weight")  # their names in the one library and in the other
KINDS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I8": "i1"}
ADDED = "added"  # of the metadata: the word that was added


def write(rows: Rows, folder: Path, dtype: Dtype) -> None:
    """Write the folder."""
    metadata = {"format": "np"}
    if UNKNOWN not in rows.vectors.words and rows.more is None:
        rows = rows.ending_with(UNKNOWN, np.zeros(rows.shape[1], np.float32))
        metadata[ADDED] = UNKNOWN
    write_tokenizer(folder / TOKENIZER, rows, UNKNOWN)
    with (folder / MODEL).open("wb") as out:
        _write_tensors(out, rows, dtype, metadata)
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": rows.shape[1],
        "normalize": False,
    }
    config |= {"max_length": None, "embedding_dtype": dtype}
    module = {"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}
    sentences: dict[str, Any] = {"prompts": {}, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    for name, value in ((CONFIG, config), (MODULES, [module]), (SENTENCES, sentences)):
        (folder / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _write_tensors(out: BinaryIO, rows: Rows, dtype: Dtype, metadata: dict[str, str]) -> None:
    """The layout of safetensors: length of the head, the head (JSON), and the numbers."""
    size, dim = rows.shape
    begin = 4 * size if dtype == "int8" else 0  # weights stand first: they need their bytes aligned, codes do not
    end = begin + size * dim * LITTLE[dtype].itemsize
    kind = next(name for name, code in KINDS.items() if np.dtype(code) == LITTLE[dtype])
    head: dict[str, Any] = {"__metadata__": metadata}
    if dtype == "int8":
        head["weights"] = {"dtype": "F32", "shape": [size], "data_offsets": [0, begin]}
    head[TENSORS[0]] = {"dtype": kind, "shape": [size, dim], "data_offsets": [begin, end]}
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    out.write(struct.pack("<Q", len(text)) + text)
    if dtype == "int8":
        out.write(all_scales(rows).astype("<f4").data)
    for block in coded_blocks(rows, dtype):
        out.write(block.data)


def load(path: str | Path) -> Vectors:
    """Read the folder, as this tool, model2vec or sentence-transformers wrote it."""
    folder = fetched(path)
    if (folder / NESTED / MODEL).is_file():
        folder = folder / NESTED
    model, tokenizer = files_of(folder, (MODEL, TOKENIZER))
    tensors, metadata = _read_tensors(model)
    name = next((name for name in TENSORS if name in tensors), TENSORS[0])
    codes, weights = tensors.get(name), tensors.get("weights")
    if codes is None or codes.ndim != 2 or (weights is not None and weights.shape != codes.shape[:1]):
        found = {name: f"{tensor.dtype}{list(tensor.shape)}" for name, tensor in tensors.items()}
        raise InputError(f"tensors must be {name} (V, dim), and weights (V) or none; got {found} ({model}). {AGAIN}")
    words = read_tokenizer(tokenizer)
    refuse_other_size(model, len(codes), len(words))
    if words[-1:] == [metadata.get(ADDED)]:
        words, codes = words[:-1], codes[:-1]
        weights = None if weights is None else weights[:-1]
    return Vectors(words, decoded(codes, weights))


def _read_tensors(path: Path) -> tuple[dict[str, NDArray], dict[str, str]]:
    """Tensors of a file by name, memory-mapped, and its metadata."""
    with reading(path) as stream:
        size = path.stat().st_size
        length = int.from_bytes(stream.read(8), "little")
        text = stream.read(length) if length <= size - 8 else b""
    try:
        head = json.loads(text)
        metadata = head.pop("__metadata__", {})
        data = np.memmap(path, np.uint8, "r", 8 + length)
        tensors = {}
        for name, told in head.items():
            if told["dtype"] in KINDS:
                begin, end = told["data_offsets"]
                tensors[name] = np.asarray(data[begin:end]).view(KINDS[told["dtype"]]).reshape(told["shape"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(f"{path.name} must be safetensors, whole; got {str(error)[:200]} ({path}). {AGAIN}") from error
    return tensors, metadata if isinstance(metadata, dict) else {}
