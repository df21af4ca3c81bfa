"""What is sent laid out as numbers, zeros for whom does not fire, and moved about as vectors."""

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from nengo_tactile.engines.event.vectors import laid_out, masks
from nengo_tactile.lanes import LANES, ZEROS, data_of, load, store

_ONES = ir.Constant(ZEROS.type, [1.0] * LANES)


@intrinsic
def lay_bits(typing, array, i, word):
    """Write ones and zeros to 64 floats from ``i`` on: the bits of a word."""

    def code(context, builder, signature, arguments):
        array, i, word = arguments
        array = data_of(context, builder, signature.args[0], array)
        for first, mask, _ in masks(builder, word):
            value = builder.select(mask, _ONES, ZEROS)
            store(builder, array, builder.add(i, ir.Constant(ir.IntType(64), first)), value)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.uint64), code


@intrinsic
def lay_values(typing, array, i, word, values, place):
    """Write to 64 floats from ``i`` on their values, as `add_values` takes them, or zeros."""

    def code(context, builder, signature, arguments):
        array, i, word, values, place = arguments
        kinds = signature.args
        array, values = (data_of(context, builder, kinds[n], arguments[n]) for n in (0, 3))
        for first, mask, count in masks(builder, word):
            value, place = laid_out(context, builder, values, place, mask, count)
            store(builder, array, builder.add(i, ir.Constant(ir.IntType(64), first)), value)
        return place

    n = types.intp
    return types.intp(array, n, types.uint64, values, n), code


@intrinsic
def put_zeros(typing, array, i, n):
    """Write ``n`` zeros from ``i`` on."""

    def code(context, builder, signature, arguments):
        array, i, n = arguments
        array = data_of(context, builder, signature.args[0], array)
        size = builder.mul(n, ir.Constant(ir.IntType(64), signature.args[0].dtype.bitwidth // 8))
        cgutils.memset(builder, builder.gep(array, [i]), size, 0)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), code


@intrinsic
def copy(typing, array, i, k, n):
    """Copy ``n`` numbers from ``k`` on to ``i``, which do not overlap."""

    def code(context, builder, signature, arguments):
        array, i, k, n = arguments
        array = data_of(context, builder, signature.args[0], array)
        target, source = (builder.gep(array, [place]) for place in (i, k))
        cgutils.raw_memcpy(builder, target, source, n, signature.args[0].dtype.bitwidth // 8)
        return context.get_dummy_value()

    n_ = types.intp
    return types.void(array, n_, n_, n_), code


@intrinsic
def copy_vectors(typing, array, i, k, step, n):
    """Copy ``n`` vectors, ``step`` apart from ``k`` on, to ``i`` and behind."""

    def code(context, builder, signature, arguments):
        array, i, k, step, n = arguments
        array = data_of(context, builder, signature.args[0], array)
        with cgutils.for_range(builder, n) as vector:
            source = builder.add(k, builder.mul(vector.index, step))
            lanes = ir.Constant(ir.IntType(64), LANES)
            target = builder.add(i, builder.mul(vector.index, lanes))
            store(builder, array, target, load(builder, array, source))
        return context.get_dummy_value()

    n_ = types.intp
    return types.void(array, n_, n_, n_, n_), code
