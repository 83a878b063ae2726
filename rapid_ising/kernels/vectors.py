"""Work on whole vectors that plain loops are not compiled to, said in LLVM's own words, on any processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from rapid_ising.kernels.streams import LANES

BITS = 64
"""Comparisons at a time: as many as a word has bits."""
WORD, INDEX = ir.IntType(32), ir.IntType(64)


def _written(function: Callable[..., Any]) -> Any:
    """Return what compiled code calls where it has this name."""
    return intrinsic(function)


def _vector(context: Any, builder: Any, kind: Any, array: Any, place: Any, length: int) -> Any:
    """Return a pointer to ``length`` numbers of a contiguous array, from a place on."""
    start = builder.gep(context.make_array(kind)(context, builder, array).data, [place])
    return builder.bitcast(start, ir.VectorType(context.get_data_type(kind.dtype), length).as_pointer())


def _everywhere(builder: Any, number: Any) -> Any:
    """Return a vector of LANES times a number."""
    empty = ir.Constant(ir.VectorType(number.type, LANES), ir.Undefined)
    first = builder.insert_element(empty, number, WORD(0))
    return builder.shuffle_vector(first, empty, ir.Constant(ir.VectorType(WORD, LANES), [0] * LANES))


def _sum(builder: Any, total: Any, row: Any, factor: Any) -> Any:
    flags = ["contract", "reassoc"]
    return builder.fadd(total, builder.fmul(row, factor, flags=flags), flags=flags)


@_written
def bits_of(_: Any, number: Any) -> Any:
    """Return the bits of a float32 as an int32."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], WORD)

    return types.int32(types.float32), generate


@_written
def float_of(_: Any, bits: Any) -> Any:
    """Return the float32 of some bits."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@_written
def lowest(_: Any, bits: Any) -> Any:
    """Return the place of the lowest bit that is set, of which there must be one."""

    def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.intp(types.uint64), generate


@_written
def below(_: Any, x: Any, i: Any, y: Any, j: Any) -> Any:
    """Return the bits of x[i + k] < y[j + k] for k from 0 to 63, of two contiguous rows of one type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        left = _vector(context, builder, signature.args[0], arguments[0], arguments[1], BITS)
        right = _vector(context, builder, signature.args[2], arguments[2], arguments[3], BITS)
        compare = builder.fcmp_ordered if isinstance(x.dtype, types.Float) else builder.icmp_signed
        found = compare("<", builder.load(left, align=1), builder.load(right, align=1))
        return builder.bitcast(found, ir.IntType(BITS))

    return types.uint64(x, types.intp, y, types.intp), generate


@_written
def sum_rows(_: Any, total: Any, rows: Any, which: Any, i: Any, factors: Any, j: Any, count: Any) -> Any:
    """Add factors[j + k] rows[which[i + k]] to ``total`` for k below ``count``; rows have LANES numbers."""
    signature = types.void(total, rows, which, types.intp, factors, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        into = _vector(context, builder, total, arguments[0], INDEX(0), LANES)
        places = builder.gep(context.make_array(which)(context, builder, arguments[2]).data, [arguments[3]])
        weights = builder.gep(
            context.make_array(factors)(context, builder, arguments[4]).data, [arguments[5]]
        )
        whole = builder.load(into, align=1)
        # Two sums side by side, so that one need not wait for the other.
        sums = [cgutils.alloca_once_value(builder, start) for start in (whole, whole.type(None))]

        def add(k: Any, kept: Any) -> None:
            at = context.cast(builder, builder.load(builder.gep(places, [k])), which.dtype, types.intp)
            start = builder.mul(at, INDEX(LANES))
            row = builder.load(_vector(context, builder, rows, arguments[1], start, LANES), align=1)
            factor = _everywhere(builder, builder.load(builder.gep(weights, [k])))
            builder.store(_sum(builder, builder.load(kept), row, factor), kept)

        one = INDEX(1)
        pairs = builder.lshr(arguments[6], one)
        with cgutils.for_range(builder, pairs, intp=INDEX) as loop:
            k = builder.shl(loop.index, one)
            add(k, sums[0])
            add(builder.add(k, one), sums[1])
        rest = builder.shl(pairs, one)
        with builder.if_then(builder.icmp_signed("<", rest, arguments[6])):
            add(rest, sums[0])
        builder.store(builder.fadd(*map(builder.load, sums), flags=["reassoc"]), into, align=1)
        return context.get_dummy_value()

    return signature, generate


@_written
def add_to_rows(_: Any, rows: Any, factors: Any, j: Any, count: Any, steps: Any, i: Any) -> Any:
    """Add factors[j + k] times row i of ``steps`` to row k for k below ``count``; rows have LANES numbers."""
    signature = types.void(rows, factors, types.intp, types.intp, steps, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = builder.mul(arguments[5], INDEX(LANES))
        step = builder.load(_vector(context, builder, steps, arguments[4], at, LANES), align=1)
        weights = builder.gep(
            context.make_array(factors)(context, builder, arguments[1]).data, [arguments[2]]
        )
        with cgutils.for_range(builder, arguments[3], intp=INDEX) as loop:
            start = builder.mul(loop.index, INDEX(LANES))
            row = _vector(context, builder, rows, arguments[0], start, LANES)
            factor = _everywhere(builder, builder.load(builder.gep(weights, [loop.index])))
            builder.store(_sum(builder, builder.load(row, align=1), step, factor), row, align=1)
        return context.get_dummy_value()

    return signature, generate
