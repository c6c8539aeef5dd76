"""How many block RAMs and LUT RAM cells a memory of the engine becomes: the choice that yosys makes, as a law.

yosys' `memory_libmap` tries every mode and data width of every RAM that a family has, and takes the cheapest way to
cover the memory. Its costs are whole numbers that its libraries state, so its choice can be followed exactly: see
docs/engine_model.md for the rule and its source (yosys 0.70: passes/memory/memory_libmap.cc and the families'
libraries brams_xc4v.txt, lutrams_xc5v.txt, lutrams_xcu.txt, brams_16kd.txt, lutrams_trellis.txt).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

__all__ = ["FAMILIES", "Mapped", "block_memory", "distributed_memory"]

FAMILIES = ("xc7", "xcup", "ecp5")
"""Families whose memories the law knows."""

_BYTE = 9
"""Bits that one write enable of a block RAM covers."""

_MUX = 0.5
_DEMUX = 0.5
_EMULATION = 2
"""Costs that memory_libmap gives to a bit of a read multiplexer, to a write enable, and to a point of soft logic."""


@dataclass(frozen=True)
class _Mode:
    """A way to use a RAM: `cells` cells of `kind`; its smallest width is widths[0], with 2^address_bits words.

    narrowest: index of the smallest width that can be written.
    """

    kind: str
    cost: int
    address_bits: int
    widths: tuple[int, ...]
    cells: int = 1
    narrowest: int = 0


@dataclass(frozen=True)
class Mapped:
    """What a memory becomes.

    kind, cells:  type of the cells, and their number.
    copies:       depth of the memory in units of the cells' depth; more than 1 takes multiplexers behind them.
    luts:         look-up tables that the cells take; 0 for block RAM.
    """

    kind: str
    cells: int
    copies: int
    luts: int


_HALF, _FULL = (1, 2, 4, 9, 18), (1, 2, 4, 9, 18, 36)
_SHARED: dict[str, tuple[_Mode, ...]] = {
    "xc7": (
        _Mode("RAMB18", 129, 14, _HALF),
        _Mode("RAMB36", 257, 15, _FULL),
        _Mode("RAMB36", 513, 16, (1,), cells=2),
    ),
    "xcup": (_Mode("RAMB18", 129, 14, _HALF), _Mode("RAMB36", 257, 15, _FULL)),
    "ecp5": (_Mode("DP16KD", 128, 14, _HALF),),
}
"""Modes in which one port reads and writes, or two ports do."""

_SPLIT: dict[str, tuple[_Mode, ...]] = {
    "xc7": (_Mode("RAMB18", 129, 14, _FULL), _Mode("RAMB36", 257, 15, (*_FULL, 72))),
    "xcup": (_Mode("RAMB18", 129, 14, _FULL), _Mode("RAMB36", 257, 15, (*_FULL, 72))),
    "ecp5": (_Mode("DP16KD", 128, 14, _FULL, narrowest=3),),
}
"""Modes in which one port writes and another one reads, at twice the width."""


@lru_cache(maxsize=1 << 16)
def block_memory(family: str, width: int, depth: int, *, one_port: bool = False) -> Mapped:
    """Return the block RAMs of a memory of `depth` words of `width` bits with one write and one read port.

    one_port: the two have one address (an activation bank). The family is one of `FAMILIES`.
    """
    best: Mapped | None = None
    least = 0.0
    for modes, soft in ((_SHARED[family], 0 if one_port else 1), (_SPLIT[family], 1)):
        for mode in modes:
            for index in range(mode.narrowest, len(mode.widths)):
                unit = mode.widths[index]
                byte = min(_BYTE, unit)
                copies = -(-depth // (1 << (mode.address_bits - index)))
                number = -(-copies * (-(-width // byte) * byte) // unit)
                demux = copies if copies > 1 else 0
                cost = mode.cost * number + _MUX * (copies - 1) * width + _DEMUX * demux + _EMULATION * soft
                if best is None or cost < least:
                    best, least = Mapped(mode.kind, number * mode.cells, copies, 0), cost
    assert best is not None
    return best


_LUT_RAMS: dict[str, tuple[tuple[str, int, int, int], ...]] = {
    # For memories with a read and a write port: cells, words (log2), bits, and LUTs that one takes.
    "xc7": (("RAM32M", 5, 6, 4), ("RAM64M", 6, 3, 4)),
    "xcup": (("RAM32M16", 5, 14, 8), ("RAM64M8", 6, 7, 8)),
    "ecp5": (("TRELLIS_DPR16X4", 4, 4, 6),),
}
"""A DPR16X4 takes the four LUTs that it is made of, and the two of the slice that addresses it."""

_LUT_RAMS_ONE_PORT = (("RAM32M", 5, 8, 4), ("RAM64X1S", 6, 1, 1), ("RAM128X1S", 7, 1, 2), ("RAM256X1S", 8, 1, 4))
"""The same for one port, on AMD's families; Lattice's have no cell of their own for it."""


@lru_cache(maxsize=1 << 16)
def distributed_memory(family: str, width: int, depth: int, *, one_port: bool = False) -> Mapped:
    """Return the LUT RAM cells of such a memory, and the look-up tables that they take.

    The shallowest cell that holds the depth is taken, or several of the deepest one.
    """
    cells = _LUT_RAMS_ONE_PORT if one_port and family != "ecp5" else _LUT_RAMS[family]
    kind, address, bits, luts = next((cell for cell in cells if depth <= 1 << cell[1]), cells[-1])
    copies = -(-depth // (1 << address))
    number = copies * -(-width // bits)
    return Mapped(kind, number, copies, number * luts)
