"""Comparisons of a word with a constant, as chains of AND and OR that need no carry logic."""

from __future__ import annotations

from collections.abc import Sequence

from codesign.ir import Format

__all__ = ["at_least", "comparator_depth"]


def at_least(bits: Sequence[str], threshold: int, fmt: Format) -> tuple[str, frozenset[int]]:
    """Return the Verilog expression of `word >= threshold` and the bits that it reads.

    bits: the word's bits as Verilog names, lowest first. From the lowest set bit of the threshold upwards, each bit
    of the word is joined by AND where the threshold has a one and by OR where it has a zero; lower bits cannot
    matter, so a power of two that is the word's top bit is that bit alone.
    """
    names = list(bits)
    if fmt.signed:  # shifted by half the range, two's complement is an unsigned word with its top bit inverted
        threshold += fmt.count >> 1
        names[-1] = f"~{names[-1]}"
    if threshold <= 0:
        return "1'b1", frozenset()
    if threshold >= fmt.count:
        return "1'b0", frozenset()
    first = (threshold & -threshold).bit_length() - 1
    expression = names[first]
    operator = ""
    for bit in range(first + 1, fmt.bits):
        wanted = "&" if threshold >> bit & 1 else "|"
        inner = f"({expression})" if operator not in ("", wanted) else expression
        expression, operator = f"{names[bit]} {wanted} {inner}", wanted
    return expression, frozenset(range(first, fmt.bits))


def comparator_depth(bits: int, lut_inputs: int) -> int:
    """Return the LUT levels of one such chain over `bits` bits."""
    return max(1, -(-(bits - 1) // (lut_inputs - 1)))
