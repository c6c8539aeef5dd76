"""What an engine consists of, counted from its point before synthesis: exact block RAMs and DSP blocks, and the terms
(products, adder bits, register bits, multiplexer bits) by which its LUTs and flip-flops are estimated.

Everything here works on columns of points: arrays of equal length, one for each setting of `EnginePoint`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel.engine.memories import Mapped, block_memory, distributed_memory
from codesign.accel.engine.point import ANSWER_BITS, PARAMETER_BITS, EnginePoint

__all__ = ["BLOCK_FROM", "GROUPS", "Structure", "columns_of", "dsp_products", "structure"]

BLOCK_FROM = 65
"""Memories of at least so many words are block RAM; shallower ones, and `weight_memory: lutram`, are made of LUTs."""

GROUPS: tuple[str, ...] = ("array", "tree", "accumulators", "requantizer", "memories", "streams", "control")
"""Parts of an engine, as estimates are divided."""

Array = NDArray[Any]
Numbers = NDArray[np.float64]

_WORD_BITS = 62
_MOST_WIDTH = 1 << 13
_SOFT_PRODUCT_BITS = {"xc7": 9, "xcup": 9, "ecp5": 0}
"""Products of fewer bits are left to LUTs by yosys (DSP_Y_MINWIDTH of synth_xilinx; synth_ecp5 has no such bound)."""

_ADDING = ("xc7", "xcup")
"""Families whose DSP blocks add before and after they multiply: two weights of a pair, one of the tree's adders."""

_FACTOR_BITS = {"xc7": 25, "xcup": 27, "ecp5": 18}
"""Widest factor of one DSP block."""


@dataclass(frozen=True, eq=False)
class Structure:
    """What many points consist of.

    half_brams, brams: block RAMs by size: of 18 Kb on AMD's families (two halves make one block) and of the device's
    full size. dsps: multiplier blocks. bram_bits: bits that the program can address in block RAM.
    terms: by name ("group.term") what LUTs and flip-flops are estimated from, for each kind an array a term.
    """

    half_brams: Array
    full_brams: Array
    dsps: Array
    bram_bits: Array
    lut_terms: Mapping[str, Numbers]
    ff_terms: Mapping[str, Numbers]

    @property
    def brams(self) -> Array:
        """Block RAMs of the device's full size; two halves fit one."""
        return self.full_brams + (self.half_brams + 1) // 2


def columns_of(*points: EnginePoint) -> dict[str, Array]:
    """Return the settings of some points as columns."""
    names = [field.name for field in fields(EnginePoint)]
    return {name: np.array([getattr(point, name) for point in points]) for name in names}


@dataclass(frozen=True, eq=False)
class _Memory:
    """One kind of memory of many points: `number` memories of `depth` words of `width` bits, in block RAM or not."""

    number: Array
    width: Array
    depth: Array
    block: Array
    one_port: bool = False


def dsp_products(c: Mapping[str, Array], family: str) -> tuple[Array, Array]:
    """Return which points make two products in one multiplier, and which points' multipliers are DSP blocks.

    A family of which nothing is known takes any product of `multiplier: dsp` into a DSP block.
    """
    wb, ab = c["weight_bits"].astype(np.int64), c["activation_bits"].astype(np.int64)
    wanted = (c["multiplier"] == "dsp") & (ab > 1) & (wb > 1)
    pairs = wanted & (ab <= 4) & (wb <= 4) & (c["pe"] % 2 == 0)
    bits = np.where(pairs, 2 * (ab + wb), ab + wb)
    return pairs, wanted & (bits >= _SOFT_PRODUCT_BITS.get(family, 0))


def structure(columns: Mapping[str, Array], family: str) -> Structure:
    """Return what the points of `columns` consist of on a family of `memories.FAMILIES`."""
    c = {name: np.asarray(values) for name, values in columns.items()}
    rows, lanes, wb, ab = (c[name].astype(np.int64) for name in ("pe", "simd", "weight_bits", "activation_bits"))
    acc, pipeline = c["accumulator_bits"].astype(np.int64), c["pipeline"]
    stream_in, stream_out = c["stream_in_bits"].astype(np.int64), c["stream_out_bits"].astype(np.int64)
    stationary, streamed = c["dataflow"] == "weight_stationary", c["weights"] == "streamed"
    double, dsp = c["double_buffer"].astype(bool), c["multiplier"] == "dsp"
    n, word, weight_word = rows * lanes, lanes * ab, rows * lanes * wb
    levels = np.log2(lanes).astype(np.int64)

    # Products.
    xnor = (ab == 1) & (wb == 1)
    signs = ((ab == 1) | (wb == 1)) & ~xnor
    real = (ab > 1) & (wb > 1)
    product, lane = np.where(xnor, 1, ab + wb), np.where(ab == 1, 1, ab + 1)
    pairs, hard = dsp_products(c, family)
    multipliers = np.where(pairs, n // 2, n)
    shifted = dsp & (acc > _FACTOR_BITS[family])
    scalers = c["requantizers"].astype(np.int64)
    further = scalers - 1  # beside the one that every engine has, which answers go through as well
    dsps = np.where(hard, multipliers, 0) + scalers * (dsp + shifted.astype(np.int64))

    # Memories.
    copies = c["banks"] + double
    lanes_out = np.maximum(1, stream_out // ANSWER_BITS)
    answer_words = -(-c["answer_depth"] // lanes_out)
    parameter_words = np.maximum(2, -(-c["param_depth"] // scalers))
    psum_depth = np.maximum(2, c["psum_depth"])
    bank_block = c["bank_depth"] >= BLOCK_FROM
    beats = -(-weight_word // stream_in)
    one = np.ones_like(n)
    weights_block = c["weight_memory"] == "bram"
    memories = (
        _Memory(copies, word, c["bank_depth"], bank_block, one_port=True),
        _Memory(beats - 1, stream_in, c["weight_depth"], weights_block),
        _Memory(one, weight_word - (beats - 1) * stream_in, c["weight_depth"], weights_block),
        _Memory(stationary.astype(np.int64), rows * acc, psum_depth, psum_depth >= BLOCK_FROM),
        _Memory(scalers, _WORD_BITS * one, parameter_words, parameter_words >= BLOCK_FROM),
        _Memory(lanes_out, ANSWER_BITS * one, np.maximum(2, answer_words), answer_words >= BLOCK_FROM),
        _Memory(one, ANSWER_BITS * one, 1024 * one, one == 1),
        _Memory(one, ANSWER_BITS * one, 64 * one, one == 0),
    )
    mapped = [_map(memory, family) for memory in memories]
    half, full, ram_luts = (sum((m[i] for m in mapped), np.zeros_like(n)) for i in range(3))
    read_bits = sum((np.where(m.block, 0, m.number * m.width) for m in memories), np.zeros_like(n))
    bram_bits = sum((np.where(m.block, m.number * m.width * m.depth, 0) for m in memories), np.zeros_like(n))
    mux_bits = sum((m[3] for m in mapped), np.zeros_like(n))
    selects = sum((m[4] for m in mapped), np.zeros_like(n))

    # Adders of the trees: at level l (1 to levels) lanes / 2^l of them, product + l bits wide.
    ones = np.where(levels > 0, lanes - 1, 0)  # sum of lanes / 2^l
    weighted = 2 * lanes - 2 - levels  # sum of l * lanes / 2^l
    tree_bits = rows * (ones * product + weighted)
    middle = (levels + 1) // 2
    middle_bits = rows * (lanes >> middle) * (product + middle)
    sums, scaled = rows * acc, acc + 16
    biased = np.maximum(scaled, 40) + 1
    soft = real & ~dsp
    soft_star = real & dsp & ~hard  # a `*` that is too narrow for a DSP block
    alone = hard & ~pairs & (family in _ADDING)
    whole = pipeline < 3  # no register within the tree: synthesis makes one sum of many terms of it
    delay = 3 + pipeline
    # Bits of a loader that nothing reads are no flip-flops.
    held_image = np.where(word > stream_in, -(-word // stream_in) * stream_in, word)
    held_weights = np.where(
        stream_in < PARAMETER_BITS, PARAMETER_BITS, np.maximum(_WORD_BITS, np.minimum(stream_in, weight_word))
    )

    def when(mask: Array, values: Array | int) -> Numbers:
        return np.where(mask, values, 0).astype(np.float64)

    def plain(values: Array) -> Numbers:
        return values.astype(np.float64)

    lut_terms = {
        "control.engine": plain(one),
        "control.weight_stationary": when(stationary, 1),
        "control.streamed": when(streamed, 1),
        "control.double_buffer": when(double, 1),
        "array.xnor": when(xnor, n),
        "array.signs": when(signs, n * product),
        "array.shifted": when(soft, n * wb * ab),
        "array.shifted_products": when(soft, n * product),
        "array.narrow_star": when(soft_star, multipliers * np.where(pairs, 2, 1) * wb * ab),
        "array.pairs": when(pairs & (family not in _ADDING), multipliers * (product + wb)),
        "tree.adders": when(~xnor & ~alone & ~whole, tree_bits),
        "tree.whole": when(~xnor & ~alone & whole, tree_bits),
        "tree.dsp_adders": when(alone & ~whole, tree_bits),
        "tree.dsp_whole": when(alone & whole, tree_bits),
        "tree.counts": when(xnor, tree_bits),
        "accumulators.sums": plain(sums),
        "accumulators.weight_stationary": when(stationary, sums),
        "requantizer.serial": when(rows > 1, sums),
        "requantizer.word": plain(word),
        "requantizer.soft": when(~dsp, scaled),
        "requantizer.split": when(shifted, scaled),
        "requantizer.bias": plain(biased),
        "requantizer.further": plain(further * biased),
        "requantizer.further_soft": when(~dsp, further * scaled),
        "memories.lut_ram": plain(ram_luts),
        "memories.multiplexers": plain(mux_bits),
        "memories.selects": plain(selects),
        "memories.banks": plain(word * copies),
        "memories.chunks": plain(beats),
        "streams.answers": plain(lanes_out),
        "streams.image": plain(held_image),
        "streams.weights": plain(held_weights),
    }
    ff_terms = {
        "control.engine": plain(one),
        "control.weight_stationary": when(stationary, 1),
        "control.streamed": when(streamed, 1),
        "control.double_buffer": when(double, 1),
        "control.delay": plain(delay),
        "array.operands": when((pipeline >= 1) & ~hard, lanes * lane + n * wb),
        "array.operands_dsp": when((pipeline >= 1) & hard & ~pairs, lanes * lane + n * wb),
        "array.operands_pairs": when((pipeline >= 1) & hard & pairs, lanes * lane + n * wb),
        "array.products": when((pipeline >= 2) & ~hard, n * product),
        "array.products_dsp": when((pipeline >= 2) & hard & ~pairs, n * product),
        "array.products_pairs": when((pipeline >= 2) & hard & pairs, n * product),
        "tree.middle": when((pipeline >= 3), middle_bits),
        "tree.end": when(pipeline >= 4, rows * np.minimum(acc, np.where(xnor, levels + 2, product + levels))),
        "accumulators.sums": plain(sums),
        "requantizer.serial": plain(sums),
        "requantizer.word": plain(word),
        "requantizer.sum": plain(acc),
        "requantizer.soft": when(~dsp, scaled),
        "requantizer.split": when(shifted, scaled),
        "requantizer.bias": plain(biased),
        "requantizer.further": plain(further * (acc + biased)),
        "requantizer.further_soft": when(~dsp, further * scaled),
        "memories.read": plain(read_bits),
        "memories.selects": plain(selects),
        "streams.image": plain(held_image),
        "streams.weights": plain(held_weights),
    }
    return Structure(half, full, dsps, bram_bits, lut_terms, ff_terms)


def _map(memory: _Memory, family: str) -> tuple[Array, Array, Array, Array, Array]:
    """Return halves, full blocks, LUTs, bits multiplexed behind copies, and address bits that select a copy."""
    width, depth = memory.width.astype(np.int64), memory.depth.astype(np.int64)
    key = (depth * _MOST_WIDTH + width) * 2 + memory.block
    kinds, which = np.unique(key, return_inverse=True)
    table = np.array([_one(family, int(kind), memory.one_port) for kind in kinds], dtype=np.int64).T
    return tuple(row[which] * memory.number for row in table)  # type: ignore[return-value]


def _one(family: str, key: int, one_port: bool) -> tuple[int, int, int, int, int]:
    block, width, depth = key % 2, key // 2 % _MOST_WIDTH, key // 2 // _MOST_WIDTH
    mapping: Callable[..., Mapped] = block_memory if block else distributed_memory
    found = mapping(family, width, depth, one_port=one_port)
    halves = found.cells if found.kind == "RAMB18" else 0
    blocks = found.cells if block and not halves else 0
    return halves, blocks, found.luts, (found.copies - 1) * width, (found.copies - 1).bit_length()
