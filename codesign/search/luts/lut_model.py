"""How many LUTs and flip-flops synthesis leaves of a network, from its shape and from what its tables hold.

The laws are fitted to synthesised networks (accel_space/calibration/pipeline_xcup.csv, made by
`python -m benchmarks.lut_calibration`): per layer of tables, the logarithm of LUTs over the worst case of its live
tables is linear in a few contents; the adders, the decision and the registers follow their sizes.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.accel import devices
from codesign.errors import DataError
from codesign.ir import Format, Sum, Sums, bits_for_range
from codesign.resources import resource_dir
from codesign.search.luts.content import Content, LayerContent

__all__ = ["COLUMNS", "LutModel", "calibrated", "fit", "held_out", "read_rows", "row_of", "sum_luts"]

COLUMNS = (
    "network", "data", "layer", "tables", "address_bits", "bits", "shape_luts", "live", "live_luts", "entropy",
    "reach", "signals", "terms", "term_bits", "answers", "input_bits", "encoder_luts", "last",
    "luts_layer", "luts_encoder", "luts_sums", "luts_decide", "luts", "ffs",
)  # fmt: skip
"""A row a layer of tables; what concerns the whole network stands in every row of it."""

Row = Mapping[str, float | str]

_RIDGE = 0.05


@dataclass(frozen=True)
class LutModel:
    """The fitted laws. theta: of the contents of `_contents`; the others: factors and constants.

    spread: deviation of the logarithm of the synthesised over the predicted LUTs, left-out networks alone.
    """

    theta: tuple[float, ...]
    encoder: float
    sums: float
    decide: float
    interface: float
    ffs: tuple[float, float]
    spread: float = 0.0

    def layer(self, layer: LayerContent) -> float:
        """LUTs of one layer of tables."""
        if not layer.live_luts:
            return 0.0
        return layer.live_luts * math.exp(float(np.dot(self.theta, _contents(layer))))

    def fixed(self, *, terms: int, term_bits: int, answers: int, stages: int) -> float:
        """LUTs of adders, decision and interface: of shape alone. A threshold is one LUT, a valid bit one a stage."""
        decide = 1.0 if answers == 1 else self.decide * _decide(answers, terms, term_bits)
        return self.sums * answers * sum_luts(terms, term_bits) + decide + stages + self.interface

    def luts(self, content: Content) -> float:
        """LUTs of the whole network: tables, adders, decision, interface."""
        tables = sum(self.layer(one) for one in content.layers)
        return tables + self.encoder * content.encoder_luts + self._fixed(content)

    def _fixed(self, content: Content) -> float:
        stages = _stages(len(content.layers), content.terms)
        return self.fixed(terms=content.terms, term_bits=content.term_bits, answers=content.answers, stages=stages)

    def shape_luts(self, content: Content) -> float:
        """The same with the worst case of each layer's shape in place of what it holds."""
        tables = sum(one.shape_luts for one in content.layers)
        return tables + self.encoder * content.encoder_luts + self._fixed(content)

    def flip_flops(self, content: Content) -> float:
        """Flip-flops with a register after every stage."""
        return self.ffs[0] * _registers(content) + self.ffs[1]


@lru_cache(maxsize=256)
def sum_luts(terms: int, bits: int) -> int:
    """LUTs of one exact sum of `terms` codes of `bits` bits as the emitted Verilog adds them: a LUT an output bit of
    each counter, and one a bit of the last adder.
    """
    from codesign.rtl.sums import SumsLogic

    if terms < 2:
        return 0
    total = bits_for_range(0, terms * ((1 << bits) - 1))
    stage = Sums("s", (Sum(tuple(range(terms)), (1,) * terms, total),))
    (heap,) = SumsLogic(stage, (Format(bits),) * terms, 6).heaps
    added = sum(len(row) + one > 1 for row, one in zip(heap.rows, heap.ones, strict=True))
    return sum(counter.outputs for counter in heap.counters) + added


def _decide(answers: int, terms: int, bits: int) -> int:
    """Bits that the comparators of an argmax compare and choose between."""
    return (answers - 1) * bits_for_range(0, max(1, terms) * ((1 << bits) - 1)).bits


def _stages(layers: int, terms: int) -> int:
    """Stages that hold logic: encoder, layers, sums, decision."""
    return layers + 2 + (terms > 1)


def _contents(layer: LayerContent) -> tuple[float, ...]:
    """What a layer's law looks at: tables of one LUT an output bit, whatever is in them; and wide ones, of which more
    goes the less their codes vary and the fewer of their addresses are met.
    """
    if layer.address_bits <= 6:
        return (1.0, 0.0, 0.0, 0.0)
    return (0.0, 1.0, 1 - layer.entropy, 1 - layer.reach)


def _registers(content: Content) -> float:
    """Bits that stand in registers: the encoder's codes that are read, every layer's live codes, sums, the answer."""
    first = content.layers[0]
    bits = first.signals * content.input_bits + sum(one.live * one.bits for one in content.layers)
    width = bits_for_range(0, max(1, content.terms) * ((1 << content.term_bits) - 1)).bits
    return bits + (content.answers * width if content.terms > 1 else 0)


# ---- calibration


def row_of(
    name: str, data: str, content: Content, measured: Mapping[str, float], stages: Mapping[str, int]
) -> list[dict[str, float | str]]:
    """Rows of the calibration table for one synthesised network; measured: luts, luts_encoder, ...."""
    rows: list[dict[str, float | str]] = []
    for index, layer in enumerate(content.layers):
        rows.append(
            {
                "network": name,
                "data": data,
                "layer": layer.name,
                "tables": layer.tables,
                "address_bits": layer.address_bits,
                "bits": layer.bits,
                "shape_luts": layer.shape_luts,
                "live": layer.live,
                "live_luts": layer.live_luts,
                "entropy": round(layer.entropy, 4),
                "reach": round(layer.reach, 4),
                "signals": layer.signals,
                "terms": content.terms,
                "term_bits": content.term_bits,
                "answers": content.answers,
                "input_bits": content.input_bits,
                "encoder_luts": content.encoder_luts,
                "last": int(index == len(content.layers) - 1),
                "luts_layer": stages.get(layer.name, 0),
                **measured,
            }
        )
    return rows


def read_rows(path: Path) -> list[dict[str, float | str]]:
    """Read a calibration table; a DataError says what is wrong with it."""
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            read = list(csv.DictReader(line for line in lines if not line.startswith("#")))
        found: list[dict[str, float | str]] = [
            {name: row[name] if name in ("network", "data", "layer") else float(row[name]) for name in COLUMNS}
            for row in read
        ]
    except (OSError, csv.Error, KeyError, ValueError, TypeError) as problem:
        raise DataError(f"{path} is no calibration table of LUTs ({problem!r})") from None
    if not found:
        raise DataError(f"{path} holds no networks")
    return found


def fit(rows: Iterable[Row]) -> LutModel:
    """Fit the laws by ridge regression on logarithms (tables) and least squares through what is counted (the rest)."""
    kept = list(rows)
    layers = [row for row in kept if _number(row, "live_luts") and _number(row, "luts_layer")]
    x = np.array([_contents(_layer_of(row)) for row in layers])
    y = np.array([math.log(_number(row, "luts_layer") / _number(row, "live_luts")) for row in layers])
    weight = np.sqrt([_number(row, "live_luts") for row in layers])[:, None]
    scaled, wanted = x * weight, y * weight[:, 0]
    ridge = _RIDGE * float((weight**2).sum()) / len(layers) * np.eye(x.shape[1])
    theta = np.linalg.solve(scaled.T @ scaled + ridge, scaled.T @ wanted)
    nets = _networks(kept)
    ends = [parts[-1] for parts in nets.values()]
    summed = np.array(
        [_number(r, "answers") * sum_luts(int(_number(r, "terms")), int(_number(r, "term_bits"))) for r in ends]
    )
    decided = np.array([_decide(*(int(_number(r, k)) for k in ("answers", "terms", "term_bits"))) for r in ends], float)
    sums = _ratio(summed, np.array([_number(r, "luts_sums") for r in ends]))
    decide = _ratio(decided, np.array([_number(r, "luts_decide") for r in ends]))
    encoder = _ratio(*(np.array([_number(r, name) for r in ends]) for name in ("encoder_luts", "luts_encoder")))
    counted = ("luts_encoder", "luts_sums", "luts_decide")
    rest = [
        _number(parts[-1], "luts")
        - sum(_number(part, "luts_layer") for part in parts)
        - sum(_number(parts[-1], name) for name in counted)
        - _stages(len(parts), int(_number(parts[-1], "terms")))
        for parts in nets.values()
    ]
    held = np.array([[_registers(_content_of(parts)), 1.0] for parts in nets.values()])
    flops = np.array([_number(parts[-1], "ffs") for parts in nets.values()])
    scale = 1 / np.maximum(flops, 1)
    ffs = np.linalg.lstsq(held * scale[:, None], flops * scale, rcond=None)[0]
    return LutModel(
        tuple(float(v) for v in theta), encoder, sums, decide, float(np.median(rest)), (float(ffs[0]), float(ffs[1]))
    )


def held_out(rows: Sequence[Row], *, folds: int = 5) -> list[dict[str, float | str]]:
    """Predict every network by laws fitted to the others, in `folds` parts: LUTs, flip-flops, and the shape's bound."""
    nets = _networks(rows)
    names = list(nets)
    found: list[dict[str, float | str]] = []
    for fold in range(folds):
        left_out = set(names[fold::folds])
        model = fit([row for row in rows if row["network"] not in left_out])
        for name in names[fold::folds]:
            content, last = _content_of(nets[name]), nets[name][-1]
            found.append(
                {
                    "network": name,
                    "luts": _number(last, "luts"),
                    "shape": model.shape_luts(content),
                    "predicted": model.luts(content),
                    "ffs": _number(last, "ffs"),
                    "ffs_predicted": model.flip_flops(content),
                }
            )
    return found


@lru_cache
def calibrated(family: str = "xcup") -> LutModel:
    """Return the laws fitted to the committed table of a device family, with the spread of left-out networks."""
    folder = resource_dir("accel_space") / "calibration"
    path = folder / f"pipeline_{family}.csv"
    if not path.is_file():
        able = [one.stem.removeprefix("pipeline_") for one in sorted(folder.glob("pipeline_*.csv"))]
        named = ", ".join(f"{one} ({', '.join(d.name for d in devices() if d.family == one)})" for one in able)
        raise DataError(
            f"no calibration of LUT networks for device family {family!r}: {path.name} is absent. Choose a device of a "
            f"family that has one: {named}; or make the table, in a checkout, with "
            f"`python -m benchmarks.lut_calibration --family {family} --write`"
        )
    rows = read_rows(path)
    model = fit(rows)
    errors = [math.log(float(one["luts"]) / float(one["predicted"])) for one in held_out(rows)]
    spread = float(np.sqrt(np.mean(np.square(errors))))
    return replace(model, spread=spread)


def _number(row: Row, name: str) -> float:
    return float(row[name])


def _networks(rows: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(str(row["network"]), []).append(row)
    return found


def _ratio(base: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    return float((base * wanted).sum() / max(1e-9, float((base * base).sum())))


def _layer_of(row: Row) -> LayerContent:
    whole = {name: int(_number(row, name)) for name in ("tables", "address_bits", "bits", "shape_luts", "live")}
    return LayerContent(
        str(row["layer"]),
        live_luts=int(_number(row, "live_luts")),
        entropy=_number(row, "entropy"),
        reach=_number(row, "reach"),
        signals=int(_number(row, "signals")),
        **whole,
    )


def _content_of(parts: Sequence[Row]) -> Content:
    last = parts[-1]
    counts = {name: int(_number(last, name)) for name in ("terms", "term_bits", "answers", "input_bits")}
    layers = tuple(_layer_of(row) for row in parts)
    return Content(layers, **counts, encoder_luts=_number(last, "encoder_luts"))
