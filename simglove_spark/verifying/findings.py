"""All that is found, by any thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from simglove_spark.errors import ResourceError, SimgloveError


@dataclass(frozen=True, order=True)
class Finding:
    """Something broken: where, and what is wrong with it."""

    path: str
    what: str

    def to_dict(self) -> dict[str, str]:
        """JSON values."""
        return {"path": self.path, "what": self.what}


@dataclass
class Findings:
    """What is broken (``found``), what is only to be told (``notes``), and how much was read.

    ``tables`` and ``files`` are numbers, ``bytes`` those of the files; ``rows_not_finite`` counts vectors with NaN or infinity.
    """

    found: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    tables: int = 0
    files: int = 0
    bytes: int = 0
    rows_not_finite: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, path: Path, what: str) -> None:
        """Tell of something broken."""
        with self._lock:
            self.found.append(Finding(str(path), what))

    def note(self, path: Path, what: str) -> None:
        """Tell of something that is no damage."""
        with self._lock:
            self.notes.append(Finding(str(path), what))

    def require(self, ok: bool, path: Path, rule: str, got: object) -> bool:
        """Tell of ``path`` unless ``ok``, by the message template; returns ``ok``."""
        if not ok:
            self.add(path, f"{path.name} must {rule}; got {got}.")
        return ok

    @contextmanager
    def caught(self, path: Path) -> Iterator[None]:
        """Tell of an error of the block, and go on behind it; but a store that is away, or a lack of room, says nothing of what is there."""
        try:
            yield
        except ResourceError:
            raise
        except SimgloveError as error:
            self.add(path, str(error))
        except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
            self.add(path, f"{path.name} must be what its table needs; got {type(error).__name__}: {str(error)[:200]}.")

    def to_dict(self) -> dict[str, Any]:
        """JSON values, in order of the paths."""
        told = {"findings": [one.to_dict() for one in sorted(self.found)]}
        told["notes"] = [one.to_dict() for one in sorted(self.notes)]
        return {**told, "tables": self.tables, "files": self.files, "bytes": self.bytes}
