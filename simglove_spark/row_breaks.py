"""Where the rows of plain text end: with each line, at blank lines, or with the file. Text is read block by block."""

import numpy as np
import pyarrow as pa

_IS_WHITE = np.isin(np.arange(256), list(b" \t\n\v\f\r"))
_NEWLINE, _RETURN = b"\n"[0], b"\r"[0]


class RowBreaks:
    """Finds the ends of rows, from a place on that is in no word.

    ``line``: a row is a line, blank ones too. ``blank-line``: a row is a document, which has a word, and ends with the first
    line after it that holds only white space. ``file``: a row is a file that has a word, and only ends with it.

    Attributes
    ----------
    in_row : bool
        Whether a row has begun and not ended.
    """

    def __init__(self, kind: str) -> None:
        self.kind, self.in_row, self._in_line = kind, False, False

    def ends(self, text: bytes, following: bytes) -> np.ndarray:
        """Places behind the ends of rows in the next block; ``following`` is the byte after it, none where the file ends."""
        data = np.frombuffer(text, np.uint8)
        if self.kind == "line":
            ends = _line_ends(data, following)
            self.in_row = bool(ends[-1] < data.size if ends.size else self.in_row or data.size)
            return ends
        lines = _line_ends(data, following) if self.kind == "blank-line" else np.empty(0, np.int64)
        inked = np.concatenate([[0], np.cumsum(~_IS_WHITE[data])])
        filled = np.diff(inked[lines], prepend=0) > 0
        filled[:1] |= self._in_line
        before = np.concatenate([[self.in_row], filled])
        rest = bool(inked[-1] > inked[lines[-1]]) if lines.size else bool(inked[-1]) or self._in_line
        self._in_line, self.in_row = rest, rest or bool(before[-1])
        return lines[~filled & before[:-1]]


def _line_ends(data: np.ndarray, following: bytes) -> np.ndarray:
    is_end = data == _NEWLINE
    returns = data == _RETURN
    if returns.any():
        is_end |= returns & (np.append(data[1:], following[0] if following else 0) != _NEWLINE)
    return np.flatnonzero(is_end) + 1


def rows_between(text: bytes, ends: np.ndarray) -> pa.Array:
    """The rows of a text that end at these places (large_binary), and what is left of it as the last one."""
    is_whole = (ends[-1] if ends.size else 0) == len(text)
    bounds = np.concatenate([[0], ends, [] if is_whole else [len(text)]]).astype(np.int64)
    buffers = [None, pa.py_buffer(bounds), pa.py_buffer(text)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), bounds.size - 1, buffers)
