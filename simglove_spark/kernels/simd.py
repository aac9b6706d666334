"""Eight floats at a time. LLVM turns plain loops into SIMD, but not these: inner products and sums of eight far-apart rows.

Each function is one or a few instructions of a processor with AVX2, or pairs of them on smaller ones. Rows may be
float32, or float16 kept as uint16: that only on processors that convert by themselves (F16C, ARM64). Rows are padded to a
multiple of `LANES` by the caller.
"""

from numba import types
from numba.core import cgutils
from numba.core.cgutils import ir
from numba.core.datamodel import models
from numba.core.errors import RequireLiteralValue
from numba.extending import intrinsic, register_model

LANES = 8
_I32 = ir.IntType(32)
_FLOATS, _HALVES = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(ir.HalfType(), LANES)


def padded_size(size):
    """The next multiple of `LANES`."""
    return -(-size // LANES) * LANES


class Float32x8(types.Type):
    """Type of eight floats in a register."""

    def __init__(self):
        super().__init__(name="float32x8")


float32x8 = Float32x8()


@register_model(Float32x8)
class _Float32x8Model(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _FLOATS)


def _pointer(context, builder, kind, array, places):
    made = context.make_array(kind)(context, builder, array)
    return cgutils.get_item_pointer(context, builder, kind, made, places, wraparound=False)


def _read(builder, kind, pointer):
    if kind.dtype == types.uint16:
        return builder.fpext(builder.load(builder.bitcast(pointer, _HALVES.as_pointer()), align=2), _FLOATS)
    return builder.load(builder.bitcast(pointer, _FLOATS.as_pointer()), align=4)


def _write(builder, kind, pointer, value):
    if kind.dtype == types.uint16:
        builder.store(builder.fptrunc(value, _HALVES), builder.bitcast(pointer, _HALVES.as_pointer()), align=2)
    else:
        builder.store(value, builder.bitcast(pointer, _FLOATS.as_pointer()), align=4)


def _shuffled(builder, first, second, lanes):
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_I32, len(lanes)), lanes))


@intrinsic
def zeros(_typing):
    """Eight zeros."""
    return float32x8(), lambda context, builder, signature, arguments: ir.Constant(_FLOATS, [0.0] * LANES)


@intrinsic
def spread(_typing, number):
    """The float32 eight times."""

    def generate(context, builder, signature, arguments):
        one = builder.insert_element(ir.Constant(_FLOATS, ir.Undefined), arguments[0], _I32(0))
        return _shuffled(builder, one, one, [0] * LANES)

    return float32x8(types.float32), generate


@intrinsic
def spread_lane(_typing, floats, lane):
    """One of the eight (0 to 7, known when compiled) eight times."""
    if not isinstance(lane, types.IntegerLiteral):
        raise RequireLiteralValue("lane")
    number = lane.literal_value

    def generate(context, builder, signature, arguments):
        return _shuffled(builder, arguments[0], arguments[0], [number] * LANES)

    return float32x8(floats, lane), generate


@intrinsic
def load(_typing, array, place):
    """Eight elements of a one-dimensional array."""

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], arguments[0], [arguments[1]])
        return _read(builder, signature.args[0], pointer)

    return float32x8(array, types.intp), generate


@intrinsic
def load_row(_typing, matrix, row, place):
    """Eight elements of a row."""

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1:])
        return _read(builder, signature.args[0], pointer)

    return float32x8(matrix, types.intp, types.intp), generate


@intrinsic
def store(_typing, array, place, floats):
    """Put eight elements into a one-dimensional array."""

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], arguments[0], [arguments[1]])
        _write(builder, signature.args[0], pointer, arguments[2])
        return context.get_dummy_value()

    return types.void(array, types.intp, float32x8), generate


@intrinsic
def store_row(_typing, matrix, row, place, floats):
    """Put eight elements into a row; uint16 takes them as float16."""

    def generate(context, builder, signature, arguments):
        pointer = _pointer(context, builder, signature.args[0], arguments[0], arguments[1:3])
        _write(builder, signature.args[0], pointer, arguments[3])
        return context.get_dummy_value()

    return types.void(matrix, types.intp, types.intp, float32x8), generate


@intrinsic
def add(_typing, a, b):
    """Sum, a + b."""
    return float32x8(a, b), lambda context, builder, signature, arguments: builder.fadd(*arguments)


@intrinsic
def subtract(_typing, a, b):
    """Difference, a - b."""
    return float32x8(a, b), lambda context, builder, signature, arguments: builder.fsub(*arguments)


@intrinsic
def multiply(_typing, a, b):
    """Product, a b."""
    return float32x8(a, b), lambda context, builder, signature, arguments: builder.fmul(*arguments)


@intrinsic
def multiply_add(_typing, a, b, c):
    """The sum a b + c, rounded once where the processor can."""

    def generate(context, builder, signature, arguments):
        once = ("contract", "nsz")
        return builder.fadd(builder.fmul(*arguments[:2], flags=once), arguments[2], flags=once)

    return float32x8(a, b, c), generate


@intrinsic
def over_root(_typing, a, b):
    """Quotient a / sqrt(b)."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(_FLOATS, [_FLOATS])
        root = cgutils.get_or_insert_function(builder.module, kind, f"llvm.sqrt.v{LANES}f32")
        return builder.fdiv(arguments[0], builder.call(root, [arguments[1]]))

    return float32x8(a, b), generate


@intrinsic
def total(_typing, floats):
    """Sum of the eight, float32."""

    def generate(context, builder, signature, arguments):
        left = arguments[0]
        for half in (4, 2, 1):
            low, high = list(range(half)), list(range(half, 2 * half))
            left = builder.fadd(_shuffled(builder, left, left, low), _shuffled(builder, left, left, high))
        return builder.extract_element(left, _I32(0))

    return types.float32(floats), generate


# lanes of the two operands of each addition: sums of neighbours twice, then of the register's halves
_NEIGHBOURS = [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]
_PAIRS = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
_HALF_REGISTERS = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]


@intrinsic
def totals(_typing, a, b, c, d, e, f, g, h):
    """Sums of eight times eight floats, as eight floats."""

    def generate(context, builder, signature, arguments):
        left = list(arguments)
        for lanes in (_NEIGHBOURS, _PAIRS, _HALF_REGISTERS):
            pairs = zip(left[::2], left[1::2], strict=True)
            left = [builder.fadd(*(_shuffled(builder, x, y, side) for side in lanes)) for x, y in pairs]
        return left[0]

    return float32x8(a, b, c, d, e, f, g, h), generate
