"""The encoder in hardware: fixed-point words in, thresholds passed out, as counts or as thermometers."""

from __future__ import annotations

from dataclasses import dataclass

from codesign.ir import Encode, Feature
from codesign.rtl.compare import at_least, comparator_depth
from codesign.rtl.logic import low_bits, slice_of, unused_wire
from codesign.rtl.templates import render

__all__ = ["EncoderLogic"]


@dataclass(frozen=True)
class EncoderLogic:
    """An `Encode` stage as one level of comparators with constants; every feature has a fixed-point word."""

    stage: Encode
    lut_inputs: int

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name

    @property
    def part(self) -> str:
        """What the stage is for."""
        return "encoder"

    @property
    def depths(self) -> tuple[int, ...]:
        """LUT levels: the widest comparator, and one more where binary codes join several thresholds."""
        widest = max((f.word.bits for f in self.stage.features if f.word), default=1)
        joined = self.stage.coding == "binary" and any(len(f.thresholds) > 1 for f in self.stage.features)
        return (comparator_depth(widest, self.lut_inputs) + int(joined),)

    @property
    def widths(self) -> tuple[int, ...]:
        """Bits of the words in and of the codes out."""
        words = sum(f.word.bits for f in self.stage.features if f.word)
        return (words, low_bits(self.stage.formats)[-1])

    def signals(self) -> dict[str, int]:
        """One wire an output signal."""
        return {f"{self.stage.name}_n{j}": f.bits for j, f in enumerate(self.stage.formats)}

    def verilog(self, module: str, start: int, stop: int) -> str:
        """Return the encoder's text; it has one level only."""
        assert (start, stop) == (0, 1)
        low = low_bits([f.word.format for f in self.stage.features if f.word])
        used: set[int] = set()
        blocks: list[dict[str, object]] = []
        signals: list[tuple[int, str]] = []
        for index, feature in enumerate(self.stage.features):
            comparisons, names = _comparisons(index, feature, low[index], used)
            if self.stage.coding == "thermometer":
                signals += [(1, name) for name in names]
            elif names:
                width = len(names).bit_length()
                bits = [_count_bit(names, bit) for bit in range(width)]
                signals.append((width, "{" + ", ".join(reversed(bits)) + "}" if width > 1 else bits[0]))
            assert feature.word is not None
            place = slice_of("in_data", low[index], feature.word.bits)
            blocks.append({"title": f"{printable(feature.name)}, {place}", "comparisons": comparisons})
        return render(
            "encoder.v.j2",
            stage=self.stage.name,
            module=module,
            coding=self.stage.coding,
            input_bits=low[-1],
            output_bits=self.widths[1],
            features=blocks,
            signals=[(width, f"{self.stage.name}_n{j}", text) for j, (width, text) in enumerate(signals)],
            unused=unused_wire("in_data", low[-1], used),
        )


def printable(name: str) -> str:
    """Return a feature's name as it may stand in a comment: one line of plain ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in name)


def _comparisons(
    index: int, feature: Feature, low: int, used: set[int]
) -> tuple[list[tuple[str, str, str]], list[str]]:
    """Return (wire, expression, threshold as text) of each distinct threshold, and the wire of every threshold."""
    word = feature.word
    assert word is not None
    bits = [f"in_data[{low + bit}]" for bit in range(word.bits)]
    wires: dict[int, str] = {}
    out: list[tuple[str, str, str]] = []
    for threshold in feature.word_thresholds():
        if threshold in wires:
            continue
        wires[threshold] = f"f{index}_t{len(wires)}"
        expression, read = at_least(bits, threshold, word.format)
        used.update(low + bit for bit in read)
        out.append((wires[threshold], expression, str(threshold)))
    return out, [wires[threshold] for threshold in feature.word_thresholds()]


def _count_bit(thermometer: list[str], bit: int) -> str:
    """Return bit `bit` of the number of ones in a thermometer code (lowest threshold first).

    The bit is set while the count is in [m, m + 1) * 2**bit for odd m: above threshold m, not yet above the next.
    """
    step = 1 << bit
    terms: list[str] = []
    for start in range(step, len(thermometer) + 1, 2 * step):
        above = thermometer[start - 1]
        end = start + step
        terms.append(f"({above} & ~{thermometer[end - 1]})" if end <= len(thermometer) else above)
    return " | ".join(terms)
