"""What a compiled program takes, layer by layer, as plain values: shapes, multiplications, cycles, utilisation."""

from __future__ import annotations

from typing import Any

from codesign.accel.engine import LayerProgram, Program, cycles

__all__ = ["program_rows"]


def program_rows(program: Program) -> dict[str, Any]:
    """Return `layers`, one mapping a layer, and the cycles of images as a whole. All figures are exact.

    operations: multiplications of an image, without those by structural zeros. utilisation: the share of all
    multiplications that the array could do in the layer's cycles. period: cycles between images.
    """
    one, two = cycles(program, images=1), cycles(program, images=2)
    products = program.point.pe * program.point.simd
    rows: list[dict[str, Any]] = [
        {
            "name": layer.name,
            "kind": _kind(layer),
            "source": str(layer.source),
            "out": str(layer.out),
            "operations": layer.operations,
            "weight_words": layer.weight_words,
            "sum_bits": layer.sum_bits,
            "cycles": clocks,
            "utilisation": round(layer.operations / (clocks * products), 4),
        }
        for layer, clocks in zip(program.layers, one.layers, strict=True)
    ]
    period = two.total - one.total
    operations = sum(layer.operations for layer in program.layers)
    return {
        "layers": rows,
        "operations": operations,
        "compute_cycles": one.compute,
        "image_cycles": one.total,
        "period_cycles": period,
        "load_cycles": one.load,
        "utilisation": round(operations / (period * products), 4),
        "point": program.point.as_dict(),
        "weight_words": program.weight_words,
        "bank_words": list(program.bank_words),
        "parameters": program.parameters,
        "answers": program.answers,
    }


def _kind(layer: LayerProgram) -> str:
    """The layer's kind; a convolution whose window is the whole map is dense."""
    window = (layer.fields["kernel_height"], layer.fields["kernel_width"])
    whole = window == (layer.source.height, layer.source.width) and not layer.fields["padding"]
    return "dense" if layer.kind == "conv" and whole else layer.kind
