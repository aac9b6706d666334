"""A vectors table of another tool's vectors."""

from dataclasses import asdict
from pathlib import Path

from simglove_spark.formats.registry import FORMATS, load_vectors, recognise
from simglove_spark.manifest import Manifest, file_entry


def import_vectors(path: Path, name: str | None, output: Path, overwrite: bool) -> tuple[str, Manifest]:
    """Read a file or folder and write it as a vectors table; returns the name of its format, and the manifest.

    The manifest's details tell the files with their checksums, as ``imported``.

    Raises
    ------
    ConfigError
        When ``output`` holds something and may not be overwritten.
    InputError
        When the vectors are missing, damaged, or can only be read as a pickle.
    """
    name = name or recognise(path)
    vectors = load_vectors(path, name)
    folder = path if path.is_dir() else path.parent
    found = sorted(p for p in path.rglob("*") if p.name in FORMATS[name].files) if path.is_dir() else [path]
    files = [asdict(file_entry(folder, str(entry.relative_to(folder)))) for entry in found]
    details = {"imported": {"format": name, "files": files}}
    return name, vectors.save(output, {"format": name}, details=details, overwrite=overwrite)
