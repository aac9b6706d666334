"""Words eight bytes at a time: hashing them for a table, and comparing them."""

import numpy as np
from numba import types
from numba.core.cgutils import ir
from numba.extending import intrinsic, overload

from simglove_spark.kernels.compile import inlined, kernel

CHUNK = 8


def chunk(data, start, left):
    """Up to eight of the ``left`` bytes from ``start`` on, as a little-endian number (uint64)."""
    return np.uint64(int.from_bytes(data[start : start + min(left, CHUNK)].tobytes(), "little"))


@overload(chunk)
def _chunk(data, start, left):
    def read(data, start, left):
        if start + CHUNK <= data.size:
            value = _load(data, start)
            return value if left >= CHUNK else value & ((np.uint64(1) << np.uint64(8 * left)) - np.uint64(1))
        value = np.uint64(0)
        for byte in range(min(left, CHUNK)):
            value |= np.uint64(data[start + byte]) << np.uint64(8 * byte)
        return value

    return read


@intrinsic
def _load(_typing, data, start):
    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.bitcast(builder.gep(array.data, [arguments[1]]), ir.IntType(64).as_pointer())
        return builder.load(place, align=1)

    return types.uint64(data, types.intp), generate


@kernel
def hash_chunks(data, start, end):
    """Hash of a word for tables that live in memory; its bits are mixed, so that any of them may choose a slot (uint64)."""
    value = np.uint64(end - start) * np.uint64(0x9E3779B97F4A7C15)
    for place in range(start, end, CHUNK):
        value = (value ^ chunk(data, place, end - place)) * np.uint64(0xD6E8FEB86659FD93)
        value ^= value >> np.uint64(32)
    value *= np.uint64(0xD6E8FEB86659FD93)
    return value ^ (value >> np.uint64(32))


@inlined
def are_equal(data, start, other, other_start, length):
    """Whether ``length`` bytes of two arrays (uint8[:]) are the same."""
    for place in range(0, length, CHUNK):
        if chunk(data, start + place, length - place) != chunk(other, other_start + place, length - place):
            return False
    return True
