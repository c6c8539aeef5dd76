"""Which addresses of each table the golden vectors of an emitted folder reach, from the folder alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.errors import DataError
from codesign.ir import Codes, LutNetwork, Tables, addresses, encode, load, run_stage
from codesign.rtl import Design

__all__ = ["StageAddresses", "TableCoverage", "first_codes", "input_words", "table_coverage"]

_CHUNK = 8192


@dataclass(frozen=True)
class StageAddresses:
    """Addresses of the tables of one stage, a number a neuron.

    rows: of the table. possible: rows that can occur, as far as is known (the care set, all rows where there is none).
    reached: rows that the vectors addressed; forbidden: those of them that lie outside the care set.
    """

    name: str
    rows: tuple[int, ...]
    possible: tuple[int, ...]
    reached: tuple[int, ...]
    forbidden: tuple[int, ...]

    def worst(self, count: int = 3) -> tuple[int, ...]:
        """The `count` neurons of which the smallest share of possible rows was reached, but none with all of them."""
        short = [j for j, (got, all_) in enumerate(zip(self.reached, self.possible, strict=True)) if got < all_]
        return tuple(sorted(short, key=lambda j: (self.reached[j] / self.possible[j], j))[:count])


@dataclass(frozen=True)
class TableCoverage:
    """What `vectors` golden vectors reached, stage by stage."""

    vectors: int
    stages: tuple[StageAddresses, ...]

    @property
    def reached(self) -> int:
        """Addresses reached, over all tables."""
        return sum(sum(stage.reached) for stage in self.stages)

    @property
    def possible(self) -> int:
        """Addresses that can occur, over all tables."""
        return sum(sum(stage.possible) for stage in self.stages)

    @property
    def problems(self) -> tuple[str, ...]:
        """Addresses that occurred though the network says that they cannot: a sentence a neuron."""
        return tuple(
            f"stage {stage.name!r}, neuron {j}: {count} addresses outside its care set occur"
            for stage in self.stages
            for j, count in enumerate(stage.forbidden)
            if count
        )

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return (stage, how many of its addresses were reached, and where the fewest), a pair a stage."""
        out: list[tuple[str, str]] = []
        for stage in self.stages:
            text = f"{sum(stage.reached):,} of {sum(stage.possible):,} addresses that can occur"
            text += f" (of {sum(stage.rows):,} rows)"
            if worst := stage.worst():
                named = (f"neuron {j}: {stage.reached[j]:,} of {stage.possible[j]:,}" for j in worst)
                text += f"; least: {', '.join(named)}"
            out.append((f"tables of {stage.name}", text))
        return tuple(out)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON: for each stage totals, the worst neurons, and lists with a number a neuron."""
        return {
            "vectors": self.vectors,
            "reached": self.reached,
            "possible": self.possible,
            "rows": sum(sum(stage.rows) for stage in self.stages),
            "stages": [
                {
                    "name": stage.name,
                    "neurons": len(stage.rows),
                    "rows": sum(stage.rows),
                    "possible": sum(stage.possible),
                    "reached": sum(stage.reached),
                    "worst": [
                        {"neuron": j, "reached": stage.reached[j], "possible": stage.possible[j], "rows": stage.rows[j]}
                        for j in stage.worst()
                    ],
                    "rows_by_neuron": list(stage.rows),
                    "possible_by_neuron": list(stage.possible),
                    "reached_by_neuron": list(stage.reached),
                }
                for stage in self.stages
            ],
        }


def table_coverage(folder: Path, *, vectors: int | None = None) -> TableCoverage | None:
    """Evaluate the first `vectors` (all where None) golden vectors of a folder; None where it holds no network.

    Read are design.json, vectors/inputs.hex and vectors/network.npz; a damaged file is a DataError.
    """
    path = folder / "vectors" / "network.npz"
    if not path.is_file():
        return None
    design, network = Design.load(folder), load(path)
    seen = {
        index: [np.zeros(len(neuron.table), dtype=bool) for neuron in stage.neurons]
        for index, stage in enumerate(network.core)
        if isinstance(stage, Tables)
    }
    count = 0
    for words in input_words(folder / "vectors" / "inputs.hex", design, vectors):
        _mark(network, first_codes(network, design, words), seen)
        count += len(words)
    stages: list[StageAddresses] = []
    for index, marks in seen.items():
        stage = network.core[index]
        assert isinstance(stage, Tables)
        pairs = [(mark, neuron.care) for mark, neuron in zip(marks, stage.neurons, strict=True)]
        stages.append(
            StageAddresses(
                stage.name,
                tuple(len(mark) for mark, _ in pairs),
                tuple(len(mark) if care is None else int(care.sum()) for mark, care in pairs),
                tuple(int(mark.sum()) for mark, _ in pairs),
                tuple(0 if care is None else int((mark & ~care).sum()) for mark, care in pairs),
            )
        )
    return TableCoverage(count, tuple(stages))


def input_words(path: Path, design: Design, vectors: int | None) -> Iterator[NDArray[np.int64]]:
    """Yield the fields of the input words, (samples, fields) bit patterns, some thousand samples at a time."""
    size = -(-design.input_bits // 8)
    places = [(f.low, 1 << np.arange(f.bits, dtype=np.int64)) for f in design.input_fields]
    try:
        with path.open(encoding="ascii") as file:
            lines = islice((text for line in file if (text := line.split("//")[0].strip())), vectors)
            while chunk := list(islice(lines, _CHUNK)):
                raw = b"".join(int(line, 16).to_bytes(size, "little") for line in chunk)
                packed = np.frombuffer(raw, np.uint8).reshape(len(chunk), size)
                bits = np.unpackbits(packed, axis=1, bitorder="little").astype(np.int64)
                yield np.stack([bits[:, low : low + len(powers)] @ powers for low, powers in places], axis=1)
    except (OSError, ValueError, OverflowError) as problem:
        raise DataError(f"{path} does not hold the vectors that design.json states ({problem})") from None


def first_codes(network: LutNetwork, design: Design, fields: NDArray[np.int64]) -> Codes:
    """Return the codes that enter the first stage after the encoder: the fields, or what it makes of their words."""
    stage = network.encode
    if not design.encoder_in_hardware or stage is None:
        return fields.astype(np.int32)
    columns: list[NDArray[np.float64]] = []
    for i, feature in enumerate(stage.features):
        assert feature.word is not None
        values = feature.word.format.values(fields[:, i]).astype(np.float64)
        columns.append(np.ldexp(values, -feature.word.fraction_bits))
    return encode(stage, np.stack(columns, axis=1))


def _mark(network: LutNetwork, codes: Codes, seen: dict[int, list[NDArray[np.bool_]]]) -> None:
    """Mark in `seen` (by stage, by neuron) the addresses that `codes` lead to."""
    inputs = network.code_inputs
    for index, stage in enumerate(network.core):
        if isinstance(stage, Tables):
            columns = np.asfortranarray(codes)
            codes = np.empty((len(columns), len(stage.neurons)), dtype=np.int32)
            for j, neuron in enumerate(stage.neurons):
                at = addresses(columns, neuron.sources, inputs)
                seen[index][j][at] = True
                codes[:, j] = neuron.table[at]
        else:
            codes = run_stage(stage, codes, inputs)
        inputs = stage.formats
