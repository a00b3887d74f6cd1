"""Eight float64 at once: vector registers for compiled kernels, a row of an array ``[..., 8]`` each.

LLVM makes them of loops over eight numbers only sometimes, and a kernel of small matrices is three times slower
where it does not. On a processor with shorter registers it splits them; nothing else changes.
"""

from collections.abc import Callable
from typing import Any, cast

import numba.extending
from llvmlite import ir
from numba import types
from numba.core import cgutils

LANES = 8

_VECTOR: Any = ir.VectorType(ir.DoubleType(), LANES)
_ZERO: Any = ir.Constant(_VECTOR, [0.0] * LANES)
_Code = Callable[[Any, Any, Any, Any], Any]


class _LanesType(types.Type):
    """The type of eight numbers in numba."""

    def __init__(self) -> None:
        super().__init__(name=f"float64x{LANES}")


_lanes: Any = _LanesType()


@numba.extending.register_model(_LanesType)
class _LanesModel(numba.extending.models.PrimitiveModel):
    """One vector register."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _VECTOR)


def _intrinsic(typing: Callable[..., tuple[Any, _Code]]) -> Callable[..., Any]:
    return cast("Callable[..., Any]", numba.extending.intrinsic(typing))


def _address(context: Any, builder: Any, kind: Any, array: Any, row: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    start = builder.gep(data, [builder.mul(row, ir.Constant(row.type, LANES))])
    return builder.bitcast(start, _VECTOR.as_pointer())


def _call(builder: Any, name: str, arguments: Any) -> Any:
    kind = ir.FunctionType(_VECTOR, [_VECTOR] * len(arguments))
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v{LANES}f64")
    return builder.call(function, arguments)


@_intrinsic
def load(_: Any, array: Any, row: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return row ``row`` of a contiguous array ``[..., 8]``, its leading dimensions made one."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], *arguments), align=8)

    return _lanes(array, types.intp), code


@_intrinsic
def store(_: Any, array: Any, row: Any, value: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Write row ``row`` of a contiguous array ``[..., 8]``, its leading dimensions made one."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _address(context, builder, signature.args[0], *arguments[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _lanes), code


@_intrinsic
def gather(_: Any, array: Any, indices: Any, first: Any, second: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return array[indices[first, lane], indices[second, lane]], both contiguous, no index negative."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args[:2]
        matrix, table = (
            context.make_array(k)(context, builder, a) for k, a in zip(kinds, arguments, strict=False)
        )
        width = cgutils.unpack_tuple(builder, matrix.shape, 2)[1]
        starts = [builder.mul(row, ir.Constant(row.type, LANES)) for row in arguments[2:]]
        value: Any = ir.Constant(_VECTOR, ir.Undefined)
        for lane in range(LANES):
            places = [builder.add(start, ir.Constant(start.type, lane)) for start in starts]
            i, j = (builder.load(builder.gep(table.data, [place])) for place in places)
            number = builder.load(builder.gep(matrix.data, [builder.add(builder.mul(i, width), j)]))
            value = builder.insert_element(value, number, ir.Constant(ir.IntType(32), lane))
        return value

    return _lanes(array, indices, types.intp, types.intp), code


@_intrinsic
def spread(_: Any, number: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return eight times the same number."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        none = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(none, arguments[0], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(first, none, zeros)

    return _lanes(types.float64), code


@_intrinsic
def fma(_: Any, a: Any, b: Any, c: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return ab + c, rounded once where the processor can."""
    return _lanes(_lanes, _lanes, _lanes), lambda _, builder, __, abc: _call(builder, "fmuladd", abc)


@_intrinsic
def add(_: Any, a: Any, b: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return a + b."""
    return _lanes(_lanes, _lanes), lambda _, builder, __, ab: builder.fadd(*ab)


@_intrinsic
def sub(_: Any, a: Any, b: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return a - b."""
    return _lanes(_lanes, _lanes), lambda _, builder, __, ab: builder.fsub(*ab)


@_intrinsic
def mul(_: Any, a: Any, b: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return ab."""
    return _lanes(_lanes, _lanes), lambda _, builder, __, ab: builder.fmul(*ab)


@_intrinsic
def divide(_: Any, a: Any, b: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return a / b."""
    return _lanes(_lanes, _lanes), lambda _, builder, __, ab: builder.fdiv(*ab)


@_intrinsic
def absolute(_: Any, a: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return |a|."""
    return _lanes(_lanes), lambda _, builder, __, a: _call(builder, "fabs", a)


@_intrinsic
def inverse_root(_: Any, a: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return 1/√a."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.fdiv(ir.Constant(_VECTOR, [1.0] * LANES), _call(builder, "sqrt", arguments))

    return _lanes(_lanes), code


@_intrinsic
def choose(_: Any, test: Any, a: Any, b: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return a where the test is positive, b where it is not or NaN."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return builder.select(builder.fcmp_ordered(">", arguments[0], _ZERO), *arguments[1:])

    return _lanes(_lanes, _lanes, _lanes), code


@_intrinsic
def largest(_: Any, a: Any) -> tuple[Any, _Code]:  # noqa: ARG001
    """Return the largest of the eight, none of them NaN."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        kind = ir.FunctionType(ir.DoubleType(), [_VECTOR])
        name = f"llvm.vector.reduce.fmax.v{LANES}f64"
        return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

    return types.float64(_lanes), code
