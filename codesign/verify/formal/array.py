"""Proves the engine's multipliers, adder trees and the wiring between them, on the emitted Verilog."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.rtl.engine import EngineDesign
from codesign.verify.formal.aig import FALSE, Aig
from codesign.verify.formal.elaborate import Bit, Module, run_script
from codesign.verify.formal.prove import Question, ask
from codesign.verify.formal.result import Proof, Tally

__all__ = ["prove_array"]

_KEPT = ("engine_core", "engine_array", "engine_product", "engine_product_pair", "engine_tree")
Values = NDArray[np.int64]


def prove_array(folder: Path, design: EngineDesign, *, work: Path, timeout_s: float) -> Tally:
    """Prove that each sum of the array is the exact sum of the products of its row, PIPELINE clocks after its operands.

    Each kind of multiplier is evaluated on every pair of operands that can occur, each kind of tree is proven for all
    products, and the array is read for which operands go to which multiplier, and which products to which tree.
    """
    started = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    commands: list[str] = []
    for number, source in enumerate(design.sources):
        (work / f"source_{number}.v").write_bytes((folder / source).read_bytes())
        whole = Path(source).stem in (*_KEPT, design.top)
        commands.append(f"read_verilog {'' if whole else '-lib '}source_{number}.v")
    commands += [f"hierarchy -check -top {design.top}", "proc", "opt_expr -keepdc", "techmap -D NOLUT"]
    modules = run_script([*commands, "dffunmap", "simplemap t:$dff"], work=work, timeout_s=1800.0)
    of = dict(design.parameters)
    by_name: dict[str, list[Module]] = {}
    for module in modules.values():
        by_name.setdefault(module.file_name, []).append(module)
    (array,) = by_name["engine_array"]
    proofs = [_product(module, of) for module in by_name.get("engine_product", []) if _used(array, module)]
    proofs += [_pair(module, of) for module in by_name.get("engine_product_pair", []) if _used(array, module)]
    for number, module in enumerate(m for m in by_name["engine_tree"] if _used(array, m)):
        proofs.append(_tree(module, of, work=work / f"tree_{number}", timeout_s=timeout_s))
    proofs.append(_joined(array, modules, of))
    note = "Operands: weights of any code, activations of any code that is extended as engine_operands does it."
    return Tally.of("multipliers and adders are exact", proofs, seconds=time.monotonic() - started, note=note)


def _used(array: Module, module: Module) -> bool:
    return any(instance.module == module.name for instance in array.instances)


# Numbers as the engine writes them.


def _activations(of: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Yield (pattern on a lane, value) of each activation that can occur."""
    bits = of["ACTIVATION_BITS"]
    if bits == 1:
        yield from ((0, -1), (1, 1))
        return
    for value in range(-(1 << (bits - 1)), 1 << bits):
        yield value & ((1 << (bits + 1)) - 1), value


def _weights(of: Mapping[str, int]) -> Iterator[tuple[int, int]]:
    """Yield (pattern, value) of each weight."""
    bits = of["WEIGHT_BITS"]
    if bits == 1:
        yield from ((0, -1), (1, 1))
        return
    for value in range(-(1 << (bits - 1)), 1 << (bits - 1)):
        yield value & ((1 << bits) - 1), value


def _xnor(of: Mapping[str, int]) -> bool:
    return of["ACTIVATION_BITS"] == 1 and of["WEIGHT_BITS"] == 1


def _evaluate(module: Module, inputs: Mapping[str, Values], output: str) -> Values:
    """Evaluate a module without registers on many samples at once; return the patterns of an output."""
    aig = Aig()
    known: dict[Bit, int] = {}
    columns: dict[int, int] = {}
    samples = len(next(iter(inputs.values())))
    for port, values in inputs.items():
        for k, bit in enumerate(module.word(port)):
            known[bit] = aig.input()
            packed = np.packbits((values >> k & 1).astype(np.uint8), bitorder="little").tobytes()
            columns[known[bit]] = int.from_bytes(packed, "little")
    made = module.build(aig, module.word(output), known)
    rows = aig.evaluate(made, columns, samples=samples)
    found = np.zeros(samples, dtype=np.int64)
    for k, row in enumerate(rows):
        raw = np.frombuffer(row.to_bytes(-(-samples // 8), "little"), np.uint8)
        found |= np.unpackbits(raw, bitorder="little")[:samples].astype(np.int64) << k
    return found


def _signed(patterns: Values, bits: int) -> Values:
    return patterns - ((patterns >> (bits - 1)) << bits)


def _compare(subject: str, wanted: Values, got: Values, operands: Mapping[str, Values]) -> Proof:
    wrong = np.flatnonzero(wanted != got)
    if not len(wrong):
        return Proof(subject, "proven", "every row", len(wanted))
    at = int(wrong[0])
    given = ", ".join(f"{name} {values[at]}" for name, values in operands.items())
    return Proof(subject, "refuted", "every row", 0, f"{given}: wanted {wanted[at]}, got {got[at]}")


def _product(module: Module, of: Mapping[str, int]) -> Proof:
    rows = [(a, x, w, y) for a, x in _activations(of) for w, y in _weights(of)]
    a, x, w, y = np.array(rows, dtype=np.int64).T
    got = _evaluate(module, {"activation": a, "weight": w}, "product")
    bits = len(module.word("product"))
    got = 2 * got - 1 if _xnor(of) else _signed(got, bits)
    return _compare("a multiplier", x * y, got, {"activation": x, "weight": y})


def _pair(module: Module, of: Mapping[str, int]) -> Proof:
    rows = [(a, x, w, y, v, z) for a, x in _activations(of) for w, y in _weights(of) for v, z in _weights(of)]
    a, x, w, y, v, z = np.array(rows, dtype=np.int64).T
    bits = len(module.word("product0"))
    inputs = {"activation": a, "weight0": w, "weight1": v}
    got = [_signed(_evaluate(module, inputs, port), bits) for port in ("product0", "product1")]
    for k, (one, factor) in enumerate(zip(got, (y, z), strict=True)):
        proof = _compare(f"two multipliers in one, product {k}", x * factor, one, {"activation": x, "0": y, "1": z})
        if proof.outcome == "refuted":
            return proof
    return Proof("two multipliers in one", "proven", "every row", len(rows))


def _tree(module: Module, of: Mapping[str, int], *, work: Path, timeout_s: float) -> Proof:
    """Prove a tree's sum, in the accumulator's width, of any products, the tree's own clocks later."""
    aig = Aig()
    width = of["ACCUMULATOR"]
    later = (of["PIPELINE"] >= 3) + (of["PIPELINE"] >= 4)
    inputs = [aig.word(len(module.word("products"))) for _ in range(later + 1)]
    state = {register.output: aig.input() for register in module.registers}
    total: list[int] = []
    for given in inputs:
        known: dict[Bit, int] = {**dict(zip(module.word("products"), given, strict=True)), **state}
        known.update((bit, FALSE) for bit in module.word("clk"))
        total = module.build(aig, module.word("total"), known)
        following = module.build(aig, [register.data for register in module.registers], known)
        state = dict(zip(state, following, strict=True))
    each = len(inputs[0]) // of["SIMD"]
    words = [inputs[0][k * each : (k + 1) * each] for k in range(of["SIMD"])]
    if _xnor(of):  # twice the count, less the number of lanes
        parts = [[FALSE, word[0], *[FALSE] * (width + 8)] for word in words]
        offset = -of["SIMD"]
    else:
        parts = [[*word, *[word[-1]] * (width + 8)] for word in words]
        offset = 0
    parts = [part[:width] for part in parts]
    while len(parts) > 1:
        parts = [aig.add(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
    wanted = aig.add(parts[0], [offset >> k & 1 for k in range(width)])
    (answer,) = ask(aig, [Question("an adder tree", aig.differ(wanted, total))], work=work, timeout_s=timeout_s)
    text = f"an adder tree of {of['SIMD']} products"
    if answer.status == "never":
        return Proof(text, "proven", answer.how, 0)
    if answer.status == "open":
        return Proof(text, "not proven", answer.how, 0, answer.reason)
    values = [sum(answer.assignment.get(bit, 0) << k for k, bit in enumerate(word)) for word in words]
    sides = [sum(b << k for k, b in enumerate(aig.evaluate(word, answer.assignment))) for word in (wanted, total)]
    return Proof(text, "refuted", answer.how, 0, f"products {values}: wanted {sides[0]}, got {sides[1]}")


def _joined(array: Module, modules: Mapping[str, Module], of: Mapping[str, int]) -> Proof:
    """Read which operands each multiplier has and which products each tree, clock by clock."""
    text = f"{of['PE']} rows of {of['SIMD']} multipliers, each row to its own tree"
    aig = Aig()
    first = [aig.word(len(array.word(port))) for port in ("activations", "weights")]
    products = [i for i in array.instances if modules[i.module].file_name != "engine_tree"]
    trees = [i for i in array.instances if modules[i.module].file_name == "engine_tree"]
    operands_at, products_at = int(of["PIPELINE"] >= 1), int(of["PIPELINE"] >= 1) + int(of["PIPELINE"] >= 2)
    state: dict[Bit, int] = {register.output: aig.input() for register in array.registers}
    placed: dict[tuple[int, int], list[int]] = {}
    fed: list[list[int]] = []
    for clock in range(products_at + 1):
        given = first if clock == 0 else [aig.word(len(word)) for word in first]
        known: dict[Bit, int] = dict(state)
        known.update((bit, FALSE) for bit in array.word("clk"))
        for port, word in zip(("activations", "weights"), given, strict=True):
            known.update(zip(array.word(port), word, strict=True))
        for instance in products:
            operands = {p: array.build(aig, instance.ports[p], known) for p in instance.ports if "product" not in p}
            for port in (p for p in instance.ports if "product" in p):
                fresh = aig.word(len(instance.ports[port]))
                known.update(zip(instance.ports[port], fresh, strict=True))
                if clock == operands_at:
                    place = _place(operands, port, first, of)
                    if place is None or place in placed:
                        return Proof(text, "refuted", "structure", 0, f"{instance.name} has operands of no place")
                    placed[place] = fresh
        if clock == products_at:
            fed = [array.build(aig, instance.ports["products"], known) for instance in trees]
        following = array.build(aig, [register.data for register in array.registers], known)
        state = dict(zip(state, following, strict=True))
    rows = [[bit for lane in range(of["SIMD"]) for bit in placed.get((row, lane), [])] for row in range(of["PE"])]
    width = of["ACCUMULATOR"]
    totals = array.word("totals")
    for row, wanted in enumerate(rows):
        owner = [k for k, tree in enumerate(trees) if tree.ports["total"] == totals[row * width : (row + 1) * width]]
        if len(owner) != 1 or fed[owner[0]] != wanted:
            return Proof(text, "refuted", "structure", 0, f"the sum of row {row} is not of its products")
    return Proof(text, "proven", "structure", len(placed))


def _place(
    operands: Mapping[str, list[int]], port: str, first: list[list[int]], of: Mapping[str, int]
) -> tuple[int, int] | None:
    """Row and lane of a product, by the operands that it is made of; None where they are those of no place."""
    lane_bits, weight_bits = of["ACTIVATION_BITS"] + (of["ACTIVATION_BITS"] > 1), of["WEIGHT_BITS"]
    weight = operands["weight" + port.removeprefix("product")]
    activation = operands["activation"]
    if activation[0] not in first[0] or weight[0] not in first[1]:
        return None
    lane, rest = divmod(first[0].index(activation[0]), lane_bits)
    at, more = divmod(first[1].index(weight[0]), weight_bits)
    row, column = divmod(at, of["SIMD"])
    whole = activation == first[0][lane * lane_bits : (lane + 1) * lane_bits]
    whole = whole and weight == first[1][at * weight_bits : (at + 1) * weight_bits]
    return (row, lane) if whole and not rest and not more and column == lane else None
