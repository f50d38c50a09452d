"""How many floating-point operations a program asks for: its matrix products and convolutions.

XLA's own count (`cost_analysis`) takes the body of a loop for one turn of it, and ours loop over
blocks of attention; and it adds what is no matrix product, which a matrix-product rate says nothing
about. A multiplication and an addition are two; windows that reach over an edge count in full.
"""

from __future__ import annotations

from math import prod

from jax.extend import core


def count_flops(jaxpr: core.Jaxpr) -> float:
    """The operations of a traced program and of the programs in it; of branches, the costliest."""
    return float(sum(_of(equation) for equation in jaxpr.eqns))


def _of(equation: core.JaxprEqn) -> float:
    name, given = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = given["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return 2 * prod(equation.outvars[0].aval.shape) * prod(shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        kernel, spec = equation.invars[1].aval.shape, given["dimension_numbers"].rhs_spec
        # (out, in, *window): every output sums over inputs and window.
        summed = kernel[spec[1]] * prod(kernel[axis] for axis in spec[2:])
        return 2 * prod(equation.outvars[0].aval.shape) * summed
    inner = [count_flops(program) for program in _programs(given)]
    if name == "cond":
        return max(inner)
    if name == "while" and any(inner):
        raise ValueError("a loop whose number of turns is not known has no count")
    return given.get("length", 1) * sum(inner) if name == "scan" else sum(inner)


def _programs(given: dict) -> list[core.Jaxpr]:
    """The programs among an equation's parameters."""
    found = []
    for value in given.values():
        for item in value if isinstance(value, (tuple, list)) else [value]:
            item = getattr(item, "jaxpr", item)
            if isinstance(item, core.Jaxpr):
                found.append(item)
    return found
