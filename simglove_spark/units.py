"""Counts as whole numbers of units, x = count / unit, from numbers of other tools and back."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from simglove_spark.errors import InputError

MOST = 2**63 - 1

#: count -> count / unit -> round(x * unit) is the identity below this: each of the two roundings moves the product by at
#: most 2^-53 of it, so by less than a half together.
MOST_AS_DOUBLE = 1 << 51

_WHOLE = "^[0-9]{1,19}$"  # all of them below 2^64

Place = Callable[[int], str]  # of a row of the column, for a message


class Units:
    """Makes counts whole numbers of 1/unit; ``largest`` and ``moved`` tell by how much they were rounded, as x."""

    def __init__(self, unit: int) -> None:
        self.unit, self.largest, self.moved = unit, 0.0, 0.0

    def of(self, counts: pa.Array, place: Place) -> NDArray[np.int64]:
        """Counts in units (int64), from whole numbers, floating ones, or their decimal text.

        Raises
        ------
        InputError
            When one is missing, not a number, not positive, too large, or no whole number of units where ``unit`` is 1.
        """
        if counts.null_count:
            row = int(np.flatnonzero(counts.is_null().to_numpy(zero_copy_only=False))[0])
            raise InputError(f"counts must be numbers; got nothing ({place(row)}). Mend the file.")
        if pa.types.is_integer(counts.type):
            return self._of_whole(counts, place)
        if pa.types.is_floating(counts.type):
            return self._of_floats(counts.cast(pa.float64()).to_numpy(), place)
        if not pa.types.is_string(counts.type):
            raise InputError(f"counts must be numbers; got {counts.type} ({place(0)}). Cast them to int64 or double.")
        return self._of_text(counts, place)

    def _of_whole(self, counts: pa.Array, place: Place) -> NDArray[np.int64]:
        most, values = MOST // self.unit, counts.to_numpy()
        _refuse((values > 0) & (values <= most), counts, place, f"lie between 1 and {most:,}")
        return values.astype(np.int64) * self.unit

    def _of_floats(self, counts: NDArray[np.float64], place: Place) -> NDArray[np.int64]:
        limit = MOST_AS_DOUBLE / self.unit
        ok = (counts > 0) & (counts < limit)  # neither holds for a NaN
        _refuse(ok, pa.array(counts), place, f"be positive and below {limit:,.0f} where they are not whole numbers")
        scaled = counts * self.unit
        rounded = np.rint(scaled)
        if self.unit == 1:
            hint = "Give --unit 2520 for harmonic windows of up to 10, lcm(1, ..., window) for others, or 1048576."
            _refuse(rounded == counts, pa.array(counts), place, "be whole where --unit is 1", hint)
        _refuse(
            rounded > 0, pa.array(counts), place, f"be at least half a unit, {0.5 / self.unit:.3g}", "Raise --unit."
        )
        moved = np.abs(rounded - scaled) / self.unit
        self.largest, self.moved = max(self.largest, float(moved.max(initial=0))), self.moved + float(moved.sum())
        return rounded.astype(np.int64)

    def _of_text(self, counts: pa.StringArray, place: Place) -> NDArray[np.int64]:
        whole = pc.match_substring_regex(counts, _WHOLE)
        try:
            floats = pc.if_else(whole, "1", counts).cast(pa.float64())
        except pa.ArrowInvalid:
            _refuse(np.array([_is_number(text) for text in counts]), counts, place, "be numbers")
            raise
        units = np.empty(len(counts), np.int64)
        rows, others = (np.flatnonzero(whole.to_numpy(zero_copy_only=False) == kind) for kind in (True, False))
        units[rows] = self._of_whole(counts.take(rows).cast(pa.uint64()), lambda row: place(int(rows[row])))
        units[others] = self._of_floats(floats.to_numpy()[others], lambda row: place(int(others[row])))
        return units


def as_numbers(counts: NDArray[np.int64], unit: int) -> NDArray[np.float64]:
    """Counts in units as x = count / unit, from which `Units` makes the very same counts again.

    Raises
    ------
    InputError
        When a count is too large for that.
    """
    if counts.max(initial=0) >= MOST_AS_DOUBLE:
        raise InputError(
            f"counts must be below {MOST_AS_DOUBLE:,} units to be written as floating numbers; got {counts.max():,}. "
            "Export tables of unit 1 as Parquet or CSV, which hold whole numbers."
        )
    return counts / unit


def _refuse(ok: NDArray[np.bool_], counts: pa.Array, place: Place, rule: str, hint: str = "Mend the file.") -> None:
    if not ok.all():
        row = int(np.flatnonzero(~ok)[0])
        raise InputError(f"counts must {rule}; got {counts[row].as_py()} ({place(row)}). {hint}")


def _is_number(text: pa.StringScalar) -> bool:
    try:
        text.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True
