"""States of a training whose vectors go into a store: written on this machine, and kept in the store too, for another one to go on from."""

import hashlib
import shutil
from pathlib import Path

from simglove_spark.cache import cache_folder
from simglove_spark.storage.paths import StorePath


def kept_here(output: StorePath) -> Path:
    """Folder of this machine for the states of an output."""
    return cache_folder("checkpoints") / hashlib.sha256(str(output).encode()).hexdigest()[:16]


class Mirror:
    """States ``state-NUMBER`` of the folder ``here``, also in ``away``; one is whole there when its file ``last`` is.

    Two machines that train the same make the same states, so it does no harm when both write them.
    """

    def __init__(self, here: Path, away: StorePath, last: str) -> None:
        self.here, self.away, self.last = here, away, last

    def send(self, state: Path) -> None:
        """Put a state into the store, then delete the older ones there."""
        before = self._files()
        files = sorted(state.iterdir(), key=lambda file: file.name == self.last)
        for file in files:
            (self.away / state.name / file.name).put(file)
        self._delete({number: names for number, names in before.items() if number != _number(state.name)})

    def fetch(self) -> None:
        """Bring the newest whole state here, unless one as new is here."""
        whole = [number for number, names in self._files().items() if self.last in names]
        newest = max(whole, default=0)
        if not newest or any(_number(path.name) >= newest for path in self.here.glob("state-*")):
            return
        building = self.here / f"building-{newest}"
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        for name in self._files()[newest]:
            (self.away / f"state-{newest}" / name).fetch(building / name)
        building.rename(self.here / f"state-{newest}")

    def clear(self) -> None:
        """Delete all states of the store."""
        self._delete(self._files())

    def _files(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for info in self.away.infos(recursive=True):
            folder, _, name = info.path.rpartition("/")
            number = _number(folder.rpartition("/")[2])
            if info.is_file and name and number:
                found.setdefault(number, []).append(name)
        return found

    def _delete(self, files: dict[int, list[str]]) -> None:
        for number, names in files.items():
            for name in sorted(names, key=lambda name: name != self.last):  # from now on it is not whole
                (self.away / f"state-{number}" / name).unlink(missing_ok=True)


def _number(name: str) -> int:
    """Number of a state's folder; 0 of any other."""
    head, _, number = name.partition("-")
    return int(number) if head == "state" and number.isdigit() else 0
