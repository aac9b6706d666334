"""Telling the processor what is needed soon. It changes no value, only when memory is read."""

from numba import types
from numba.core.cgutils import get_or_insert_function, int32_t, intp_t, ir, unpack_tuple, voidptr_t
from numba.extending import intrinsic, overload

LINE, LINES = 64, 4  # bytes of a cache line; lines asked for at once, so that no loop is needed for most rows


def prefetch_item(array, place):
    """Ask for an item of a one-dimensional array to be brought near; in plain Python it does nothing."""


@overload(prefetch_item, inline="always")
def _prefetch_item(array, place):
    def bring(array, place):
        _prefetch_line(array, place)

    return bring


@intrinsic
def _prefetch_line(_typing, array, place):
    def generate(context, builder, signature, arguments):
        made = context.make_array(signature.args[0])(context, builder, arguments[0])
        _bring(builder, builder.bitcast(builder.gep(made.data, [arguments[1]]), voidptr_t))
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def prefetch_row(matrix, row):
    """Ask for row ``row`` of a two-dimensional array to be brought near; in plain Python it does nothing."""


@overload(prefetch_row, inline="always")
def _prefetch_row(matrix, row):
    size = matrix.dtype.bitwidth // 8

    def bring(matrix, row):
        for byte in range(0, matrix.shape[1] * size, LINE * LINES):
            _prefetch(matrix, row, byte)

    return bring


@intrinsic
def _prefetch(_typing, matrix, row, byte):
    def generate(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        stride = unpack_tuple(builder, array.strides)[0]
        offset = builder.add(builder.mul(stride, arguments[1]), arguments[2])
        start = builder.add(builder.ptrtoint(array.data, intp_t), offset)
        for line in range(LINES):
            _bring(builder, builder.inttoptr(builder.add(start, intp_t(line * LINE)), voidptr_t))
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp), generate


def _bring(builder, address):
    kind = ir.FunctionType(ir.VoidType(), [voidptr_t, int32_t, int32_t, int32_t])
    function = get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
    builder.call(function, [address, int32_t(0), int32_t(3), int32_t(1)])  # to read, with high locality, data
