"""Worst-case cost of tables on K-input look-up tables, from shape alone: no training, no synthesis."""

from __future__ import annotations

from codesign.errors import ConfigError

__all__ = ["worst_case_depth", "worst_case_luts"]


def worst_case_luts(address_bits: int, output_bits: int, *, lut_inputs: int = 6) -> int:
    """Return the LUTs that any table of `address_bits` in and `output_bits` out fits, built structurally.

    A table is split by its top address bits (Shannon) into tables of one LUT each, joined by multiplexers.

    * `lut_inputs` 6: a 4:1 multiplexer is one LUT6 (6 inputs), so ``n(X) = 4 n(X-2) + 1``, ``n(6) = 1``, ``n(7) = 3``:
      ``n(X) = (2**(X-4) - (-1)**X) / 3``, the formula of LogicNets (Umuroglu et al., FPL 2020).
    * `lut_inputs` 4: a 2:1 multiplexer is one LUT4, a 4:1 multiplexer two (``f = s1 ? s0 : (s0 ? d1 : d0)``, then
      ``s1 ? (f ? d3 : d2) : f``), so ``n(X) = 4 n(X-2) + 2`` for even X, ``n(X) = 2 n(X-1) + 1`` for odd X, ``n(4) = 1``:
      ``n(X) = floor((5 * 2**(X-4) - 1) / 3)``.

    Dedicated wide multiplexers (MUXF7/F8, PFUMX) are not used, so that only LUTs are counted. A table with no address
    bits is a constant and costs nothing. This bounds the structural form, not what a mapper makes of a `case`.
    """
    _check(address_bits, output_bits, lut_inputs)
    if address_bits == 0:
        return 0
    if address_bits <= lut_inputs:
        return output_bits
    if lut_inputs == 6:
        return output_bits * ((1 << (address_bits - 4)) - (-1) ** address_bits) // 3
    return output_bits * ((5 * (1 << (address_bits - 4)) - 1) // 3)


def worst_case_depth(address_bits: int, *, lut_inputs: int = 6) -> int:
    """Return the LUT levels of the structure that `worst_case_luts` counts.

    One level for the sub-tables, then on LUT6 one level for every two further address bits, on LUT4 one for each.
    """
    _check(address_bits, 1, lut_inputs)
    if address_bits == 0:
        return 0
    more = max(0, address_bits - lut_inputs)
    return 1 + (-(-more // 2) if lut_inputs == 6 else more)


def _check(address_bits: int, output_bits: int, lut_inputs: int) -> None:
    if lut_inputs not in (4, 6):
        raise ConfigError(f"lut_inputs must be 4 or 6, not {lut_inputs!r}")
    if address_bits < 0 or output_bits < 0:
        raise ConfigError(f"a table's bits must not be negative: {address_bits} address, {output_bits} output bits")
