"""Draws the pipeline as SVG: a box a stage, a bar where registers stand."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup, escape

from codesign.ir import Decide, Encode, LutNetwork, Sums, Tables
from codesign.rtl.design import Design

__all__ = ["pipeline_picture", "pipeline_rows"]

_PARTS = {Encode: "encoder", Tables: "tables", Sums: "sums", Decide: "decide"}
_BOX, _GAP, _HEIGHT = 148, 40, 64
_FILL = {"encoder": "#e3f2e8", "tables": "#e1ecf4", "sums": "#fbeee4", "decide": "#f2e7f5", "interface": "#eceff1"}


def pipeline_rows(network: LutNetwork, design: Design) -> list[dict[str, Any]]:
    """Return a row a stage in hardware: name, kind, part, signals and bits that leave it, registers on it."""
    inside = dict(design.registers_inside)
    rows: list[dict[str, Any]] = []
    for index, stage in enumerate(network.stages):
        if isinstance(stage, Encode) and not design.encoder_in_hardware:
            continue
        formats = stage.formats
        count = _count(len(stage.neurons), "table") if isinstance(stage, Tables) else type(stage).__name__.lower()
        rows.append(
            {
                "name": stage.name,
                "kind": count,
                "part": _PARTS[type(stage)],
                "signals": len(formats),
                "bits": sum(f.bits for f in formats),
                "registers": inside.get(index, 0) + (index in design.registers_after),
            }
        )
    return rows


def pipeline_picture(boxes: list[dict[str, Any]], latency_cycles: int) -> Markup:
    """Return the picture of `pipeline_rows` as inline SVG."""
    width = len(boxes) * (_BOX + _GAP) + _GAP
    parts = [
        f'<svg viewBox="0 0 {width} {_HEIGHT + 56}" role="img" style="max-width:{width}px;width:100%" '
        'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" font-size="11">'
    ]
    middle = 12 + _HEIGHT / 2
    parts.append(f'<line x1="4" y1="{middle}" x2="{width - 4}" y2="{middle}" stroke="#52606d" stroke-width="1.5"/>')
    for index, stage in enumerate(boxes):
        x = _GAP + index * (_BOX + _GAP)
        fill = _FILL.get(stage["part"], "#eceff1")
        parts.append(
            f'<rect x="{x}" y="12" width="{_BOX}" height="{_HEIGHT}" rx="6" fill="{fill}" stroke="#829ab1"/>'
            f'<text x="{x + _BOX / 2}" y="36" text-anchor="middle" font-weight="600">{escape(stage["name"])}</text>'
            f'<text x="{x + _BOX / 2}" y="52" text-anchor="middle">{escape(stage["kind"])}</text>'
            f'<text x="{x + _BOX / 2}" y="67" text-anchor="middle">'
            f"{_count(stage['signals'], 'signal')}, {_count(stage['bits'], 'bit')}</text>"
        )
        for number in range(stage["registers"]):
            bar = x + _BOX + 10 + 7 * number
            parts.append(f'<rect x="{bar}" y="8" width="4" height="{_HEIGHT + 8}" fill="#243b53"/>')
    note = f"dark bars are registers; {latency_cycles} clocks from input to answer"
    parts.append(f'<text x="{_GAP}" y="{_HEIGHT + 44}" fill="#52606d">{note}</text></svg>')
    return Markup("".join(parts))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
