"""Vectors of sixteen floats in LLVM's code, for what numba has no words for.

LLVM makes of them what the processor has (AVX-512, AVX, SSE, NEON). Indices are not checked and
must not be negative.
"""

from llvmlite import ir
from numba import types
from numba.core import cgutils

#: Floats that one instruction takes.
LANES = 16
INDEX, INTEGER = ir.IntType(64), ir.IntType(32)
FLOATS, INTEGERS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(INTEGER, LANES)
TRUTHS = ir.VectorType(ir.IntType(1), LANES)
ZEROS = ir.Constant(FLOATS, [0.0] * LANES)
#: Bytes: rows of weights begin anywhere.
ALIGNMENT = 4


def data_of(context, builder, kind, array):
    """Where an array's entries begin."""
    return context.make_array(kind)(context, builder, array).data


def data_of_all(context, builder, signature, arguments):
    """Arguments, with where their entries begin in place of arrays."""
    return [
        data_of(context, builder, kind, each) if isinstance(kind, types.Array) else each
        for kind, each in zip(signature.args, arguments)
    ]


def place_of(builder, data, index):
    """Where the floats from ``index`` are."""
    return builder.bitcast(builder.gep(data, [index]), FLOATS.as_pointer())


def load(builder, data, index):
    """The floats from ``index`` on."""
    return builder.load(place_of(builder, data, index), align=ALIGNMENT)


def store(builder, data, index, value):
    """Put floats to ``index`` and behind."""
    builder.store(value, place_of(builder, data, index), align=ALIGNMENT)


def spread(builder, scalar, kind=FLOATS):
    """A number in all lanes of a kind of vector."""
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.Constant(INTEGER, 0))
    nowhere = ir.Constant(ir.VectorType(INTEGER, kind.count), [0] * kind.count)
    return builder.shuffle_vector(one, one, nowhere)


def function(builder, name, result, kinds):
    """A function of LLVM's own."""
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, kinds), name)


def of_lanes(builder, name, n_arguments=1):
    """LLVM's own function of vectors."""
    return function(builder, f"llvm.{name}.v{LANES}f32", FLOATS, [FLOATS] * n_arguments)


def has(context, feature):
    """Whether what is compiled for has instructions, as LLVM names them."""
    _, _, features = context.codegen().magic_tuple()
    return f"+{feature}" in features.split(",")


def is_wide(context):
    """Whether a vector is one register, and masks choose its lanes (AVX-512)."""
    return has(context, "avx512f")


def packed(builder, vector, mask):
    """The lanes that a mask chooses next to one another, of a processor that `is_wide`."""
    kind = vector.type
    name = f"llvm.x86.avx512.mask.compress.v{LANES}{'f32' if kind == FLOATS else 'i32'}"
    pack = function(builder, name, kind, [kind, kind, mask.type])
    return builder.call(pack, [vector, ir.Constant(kind, ir.Undefined), mask])


def first_lanes(builder, count):
    """A mask of the first so many lanes."""
    numbers = ir.Constant(INTEGERS, list(range(LANES)))
    return builder.icmp_signed(
        "<", numbers, spread(builder, builder.trunc(count, INTEGER), INTEGERS)
    )


def load_some(builder, data, index, mask):
    """The floats from ``index`` on whose lanes a mask chooses, zeros elsewhere."""
    pointer = FLOATS.as_pointer()
    name = f"llvm.masked.load.v{LANES}f32.p0v{LANES}f32"
    some = function(builder, name, FLOATS, [pointer, INTEGER, TRUTHS, FLOATS])
    told = place_of(builder, data, index), ir.Constant(INTEGER, ALIGNMENT), mask, ZEROS
    return builder.call(some, told)


def store_some(builder, data, index, value, mask):
    """Put the floats whose lanes a mask chooses to ``index`` and behind."""
    pointer = FLOATS.as_pointer()
    name = f"llvm.masked.store.v{LANES}f32.p0v{LANES}f32"
    some = function(builder, name, ir.VoidType(), [FLOATS, pointer, INTEGER, TRUTHS])
    told = value, place_of(builder, data, index), ir.Constant(INTEGER, ALIGNMENT), mask
    builder.call(some, told)


def variables(builder, values):
    """Places for vectors that a loop changes, which become registers."""
    places = [cgutils.alloca_once(builder, FLOATS) for _ in values]
    for place, value in zip(places, values):
        builder.store(value, place)
    return places
