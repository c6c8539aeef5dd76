"""Worst-case cost of tables and sums on K-input look-up tables, from shape alone: no training, no synthesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from codesign.errors import ConfigError
from codesign.ir import Format, LutNetwork, Sum, Sums, Tables, Topology, address_bits, bits_for_range

__all__ = [
    "LayerCost",
    "TopologyCost",
    "network_cost",
    "sum_cost",
    "topology_cost",
    "worst_case_depth",
    "worst_case_luts",
]

_LEFT_OUT_LAST = {"argmax": "argmax", "threshold": "threshold comparison", "none": None}


@dataclass(frozen=True)
class LayerCost:
    """Worst case of one layer (of a topology) or one stage (of a network).

    neurons:      output signals.
    tables:       truth tables, all terms and requantizing tables counted.
    address_bits: of the widest table.
    table_bits:   bits of all truth tables, 2**address_bits x output bits each.
    table_luts, sum_luts: LUTs of the tables and of the adders; `luts` is both.
    depth:        LUT levels from the layer's inputs to its outputs; a carry chain counts as the one LUT it starts in.
    cycles:       registers on the way, with one after every stage.
    """

    name: str
    neurons: int
    tables: int
    address_bits: int
    table_bits: int
    table_luts: int
    sum_luts: int
    depth: int
    cycles: int

    @property
    def luts(self) -> int:
        """LUTs of the layer."""
        return self.table_luts + self.sum_luts


@dataclass(frozen=True)
class TopologyCost:
    """Worst case of a whole network, layer by layer. Not a measurement: `origin` is always "estimated".

    left_out: the parts of a whole design that are not counted here, in words.
    """

    name: str
    lut_inputs: int
    layers: tuple[LayerCost, ...]
    left_out: tuple[str, ...]
    origin: str = "estimated"

    @property
    def luts(self) -> int:
        """LUTs of all layers."""
        return sum(layer.luts for layer in self.layers)

    @property
    def table_bits(self) -> int:
        """Bits of all truth tables."""
        return sum(layer.table_bits for layer in self.layers)

    @property
    def depth(self) -> int:
        """LUT levels from the first layer's inputs to the last layer's outputs, registers ignored."""
        return sum(layer.depth for layer in self.layers)

    @property
    def longest(self) -> int:
        """LUT levels of the deepest layer."""
        return max((layer.depth for layer in self.layers), default=0)

    @property
    def cycles(self) -> int:
        """Pipeline cycles of all layers, with a register after every stage."""
        return sum(layer.cycles for layer in self.layers)

    def as_dict(self) -> dict[str, Any]:
        """Plain data: the fields, the sums, and `luts` of every layer."""
        totals = {key: getattr(self, key) for key in ("luts", "table_bits", "depth", "longest", "cycles")}
        layers = [{**asdict(layer), "luts": layer.luts} for layer in self.layers]
        return {**asdict(self), **totals, "layers": layers, "left_out": list(self.left_out)}


def worst_case_luts(address_bits: int, output_bits: int, *, lut_inputs: int = 6) -> int:
    """Return the LUTs that any table of `address_bits` in and `output_bits` out fits, built structurally.

    A table is split by its top address bits (Shannon) into tables of one LUT each, joined by multiplexers.

    * `lut_inputs` 6: a 4:1 multiplexer is one LUT6 (6 inputs), and so is a 2:1 one, so ``n(6) = 1``,
      ``n(X) = 4 n(X-2) + 1`` for even X and ``n(X) = 2 n(X-1) + 1`` for odd X: ``n(X) = (2**(X-4) - (-1)**X) / 3``,
      the formula of LogicNets (Umuroglu et al., FPL 2020).
    * `lut_inputs` 4: a 2:1 multiplexer is one LUT4, a 4:1 multiplexer two (``f = s1 ? s0 : (s0 ? d1 : d0)``, then
      ``s1 ? (f ? d3 : d2) : f``), so ``n(4) = 1``, ``n(X) = 4 n(X-2) + 2`` for even X and ``n(X) = 2 n(X-1) + 1``
      for odd X: ``n(X) = floor((5 * 2**(X-4) - 1) / 3)``.

    Dedicated wide multiplexers (MUXF7/F8, PFUMX) are not used, so that only LUTs are counted. A table with no address
    bits is a constant and costs nothing. This bounds the structural form, not what a mapper makes of a `case`.
    """
    _check(address_bits, output_bits, lut_inputs)
    if address_bits == 0:
        return 0
    if address_bits <= lut_inputs:
        return output_bits
    if lut_inputs == 6:
        return output_bits * (((1 << (address_bits - 4)) - (-1) ** address_bits) // 3)
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


def sum_cost(ranges: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return (LUTs, levels) of an exact sum of operands in [low, high], as a balanced tree of ripple-carry adders.

    Operands are paired in order, an odd one is carried to the next level. An adder of two costs one LUT a bit of its
    exact result, each with its place in the carry chain (6- and 4-input LUTs alike), and counts as one level. An
    operand to be subtracted is given as its negated range and costs no more. The sum of one operand is a wire.
    """
    operands = list(ranges)
    luts = levels = 0
    while len(operands) > 1:
        pairs = list(zip(operands[0::2], operands[1::2], strict=False))
        joined = [(a[0] + b[0], a[1] + b[1]) for a, b in pairs]
        luts += sum(bits_for_range(low, high).bits for low, high in joined)
        levels += 1
        operands = joined + operands[2 * len(pairs) :]
    return luts, levels


def topology_cost(topology: Topology, *, lut_inputs: int = 6) -> TopologyCost:
    """Return the worst case of every layer of a topology, before any training. Needs no torch.

    A layer with several terms is counted as its term tables, the adders of their exact sums (term codes are unsigned)
    and, unless it is the last, a table that reads the whole sum. Cycles are those of one register after every stage.
    The input encoder and the decision are left out, as in the published LogicNets figures.
    """
    layers: list[LayerCost] = []
    for index, layer in enumerate(topology.layers):
        bits = topology.address_bits(index)
        if layer.terms == 1:
            tables = [(bits, layer.bits)]
            adder = levels = 0
        else:
            term = Format(layer.term_bits or layer.bits)
            tables = [(bits, term.bits)] * layer.terms
            adder, levels = sum_cost([(term.low, term.high)] * layer.terms)
            if index + 1 < len(topology.layers):
                total = bits_for_range(0, layer.terms * term.high)
                tables.append((total.bits, layer.bits))
        stages = 1 if layer.terms == 1 else 2 if len(tables) == layer.terms else 3
        depth = worst_case_depth(bits, lut_inputs=lut_inputs) + levels
        depth += worst_case_depth(tables[-1][0], lut_inputs=lut_inputs) if stages == 3 else 0
        layers.append(
            LayerCost(
                layer.name,
                layer.width,
                layer.width * len(tables),
                max(address for address, _ in tables),
                layer.width * sum(out << address for address, out in tables),
                layer.width * sum(worst_case_luts(a, out, lut_inputs=lut_inputs) for a, out in tables),
                layer.width * adder,
                depth,
                stages,
            )
        )
    left_out = ["input encoder", _LEFT_OUT_LAST[topology.decide], "stream wrapper"]
    return TopologyCost(topology.name, lut_inputs, tuple(layers), tuple(part for part in left_out if part))


def network_cost(network: LutNetwork, *, lut_inputs: int = 6) -> TopologyCost:
    """Return the worst case of every table and sum stage of a network, from its actual tables' shapes.

    The encoder and the decision are left out, as in `topology_cost`; care sets and contents of tables are not used.
    """
    layers: list[LayerCost] = []
    left_out: list[str] = []
    for index, stage in enumerate(network.stages):
        inputs = network.stage_inputs(index)
        if isinstance(stage, Tables):
            shapes = [(address_bits(n.sources, inputs), n.format.bits) for n in stage.neurons]
            layers.append(_tables_cost(stage.name, shapes, lut_inputs))
        elif isinstance(stage, Sums):
            costs = [_one_sum(total, inputs) for total in stage.sums]
            luts, depth = sum(c[0] for c in costs), max((c[1] for c in costs), default=0)
            layers.append(LayerCost(stage.name, len(stage.sums), 0, 0, 0, 0, luts, depth, 1))
        else:
            left_out.append("input encoder" if stage is network.encode else f"decision ({stage.name})")
    return TopologyCost(network.name, lut_inputs, tuple(layers), (*left_out, "stream wrapper"))


def _tables_cost(name: str, shapes: list[tuple[int, int]], lut_inputs: int) -> LayerCost:
    widest = max((address for address, _ in shapes), default=0)
    return LayerCost(
        name,
        len(shapes),
        len(shapes),
        widest,
        sum(out << address for address, out in shapes),
        sum(worst_case_luts(address, out, lut_inputs=lut_inputs) for address, out in shapes),
        0,
        worst_case_depth(widest, lut_inputs=lut_inputs),
        1,
    )


def _one_sum(total: Sum, inputs: tuple[Format, ...]) -> tuple[int, int]:
    ranges = [(total.bias, total.bias)] if total.bias else []
    for source, sign in zip(total.sources, total.signs, strict=True):
        low, high = inputs[source].low, inputs[source].high
        ranges.append((low, high) if sign > 0 else (-high, -low))
    return sum_cost(ranges)


def _check(address_bits: int, output_bits: int, lut_inputs: int) -> None:
    if lut_inputs not in (4, 6):
        raise ConfigError(f"lut_inputs must be 4 or 6, not {lut_inputs!r}")
    if address_bits < 0 or output_bits < 0:
        raise ConfigError(f"a table's bits must not be negative: {address_bits} address, {output_bits} output bits")
