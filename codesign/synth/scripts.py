"""Renders the scripts of yosys, nextpnr and Vivado for a design: for our own runs and for the emitted folder."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2

from codesign.accel import Device
from codesign.errors import ConfigError
from codesign.resources import resource_dir
from codesign.rtl.design import Design
from codesign.synth.subject import AnyDesign, clock_of, load_design, port_widths, uses_blocks

__all__ = [
    "HarnessPort",
    "harness_ports",
    "nextpnr_arguments",
    "render_harness",
    "render_scripts",
    "write_scripts",
    "yosys_script",
]

_DEFAULT_MHZ = 500.0
"""Clock that Vivado is asked for where none is stated: it works until it meets the constraint, and no longer."""


@dataclass(frozen=True)
class HarnessPort:
    """A port of the design and its place, from bit `low` up, in the harness's word of inputs or outputs."""

    name: str
    width: int
    low: int


def harness_ports(design: AnyDesign) -> tuple[tuple[HarnessPort, ...], tuple[HarnessPort, ...]]:
    """Return the input ports (all but the clock) and output ports of the top module, each packed from bit 0 up."""
    inputs, outputs = port_widths(design)
    return _packed(inputs), _packed(outputs)


def render_harness(top: str, clock: str, inputs: Sequence[HarnessPort], outputs: Sequence[HarnessPort]) -> str:
    """Return the Verilog of the harness for place and route: a register at every port of `top` but its `clock`."""
    return _render(
        "yosys/harness.v.j2",
        top=top,
        clock=clock,
        inputs=inputs,
        outputs=outputs,
        driven=sum(port.width for port in inputs),
        read=sum(port.width for port in outputs),
    )


def _mapped(design: AnyDesign) -> bool:
    """Whether its tables were mapped to LUTs before the Verilog was written."""
    return isinstance(design, Design) and design.form == "mapped"


def _packed(ports: dict[str, int]) -> tuple[HarnessPort, ...]:
    out: list[HarnessPort] = []
    low = 0
    for name, width in ports.items():
        out.append(HarnessPort(name, width, low))
        low += width
    return tuple(out)


def yosys_script(design: AnyDesign, device: Device, *, out: str, harness: bool, apart: Sequence[str] = ()) -> str:
    """Return the yosys script. Files are named relative to the design's folder; what it writes goes to `out`.

    harness: also wrap the netlist for place and route. apart: modules to be kept apart, for counts by module alone.
    """
    name = "xilinx" if device.vendor == "amd" else device.family
    return _render(
        f"yosys/{name}.ys.j2",
        top=design.top,
        sources=_sources(design, device),
        device=device,
        out=out,
        harness=harness and device.vendor == "lattice",
        apart=apart,
        mapped=_mapped(design),
        blocks=uses_blocks(design),
        ice40_speed={"hx": "hx", "lp": "lp", "up": "u"}[_size(device)[:2]] if device.family == "ice40" else "",
    )


def nextpnr_arguments(device: Device, *, out: str, seed: int, target_mhz: float | None) -> list[str]:
    """Return nextpnr's arguments; see `yosys_script` for `out`."""
    text = _render(
        f"nextpnr/{device.family}.args.j2",
        device=device,
        size=_size(device),
        out=out,
        seed=seed,
        target_mhz=target_mhz and f"{target_mhz:g}",
    )
    return text.split()


def render_scripts(design: AnyDesign, device: Device, *, out: str, target_mhz: float | None = None) -> dict[str, str]:
    """Return file name to text of all scripts of one device but run.sh."""
    texts = {"yosys.ys": yosys_script(design, device, out=out, harness=True)}
    if device.vendor == "lattice":
        inputs, outputs = harness_ports(design)
        texts["harness.v"] = render_harness(design.top, clock_of(design), inputs, outputs)
    else:
        if _mapped(design):
            texts["keep_luts.v"] = (resource_dir("flows") / "yosys" / "keep_luts.v").read_text(encoding="utf-8")
        period = f"{1000 / (target_mhz or _DEFAULT_MHZ):.3f}"
        texts["clock.xdc"] = _render("vivado/clock.xdc.j2", clock=clock_of(design), period_ns=period)
        texts["vivado.tcl"] = _render(
            "vivado/vivado.tcl.j2", top=design.top, sources=_sources(design, device), device=device, out=out
        )
    return texts


def write_scripts(folder: Path, devices: Iterable[Device]) -> tuple[Path, ...]:
    """Write synth/<device>/ with ready-to-run scripts into an emitted folder; return the files written.

    The scripts name only files of the folder. Needs the folder's design.json (DataError otherwise).
    """
    design = load_design(folder)
    wanted = tuple(devices)
    written: list[Path] = []
    for device in wanted:
        out = f"synth/{device.name}"
        texts = render_scripts(design, device, out=out)
        lattice = device.vendor == "lattice"
        nextpnr = nextpnr_arguments(device, out=out, seed=1, target_mhz=None) if lattice else []
        texts["run.sh"] = _render("run.sh.j2", top=design.top, device=device, out=out, up="../..", nextpnr=nextpnr)
        (folder / out).mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            path = folder / out / name
            path.write_text(text, encoding="utf-8")
            if name == "run.sh":
                path.chmod(0o755)
            written.append(path)
    if wanted:
        path = folder / "synth" / "README.md"
        harnessed = any(device.vendor == "lattice" for device in wanted)
        path.write_text(
            _render(
                "synth_readme.md.j2", top=design.top, devices=wanted, harnessed=harnessed, blocks=uses_blocks(design)
            )
        )
        written.append(path)
    return tuple(written)


def _sources(design: AnyDesign, device: Device) -> tuple[str, ...]:
    """Return the Verilog files to read for a device, in order."""
    for source in design.sources:
        if not re.fullmatch(r"[A-Za-z0-9_./-]+", source):
            raise ConfigError(f"a source file must be named with letters, digits and _ . / - for yosys, not {source!r}")
    return design.sources


def _size(device: Device) -> str:
    """Return nextpnr's option for the die, read from the part's name."""
    if device.family == "ecp5":
        match = re.match(r"LFE5(U|UM|UM5G)-(12|25|45|85)F", device.part)
        if match:
            kind = "" if match[1] == "U" else match[1].lower() + "-"
            return f"{kind}{match[2]}k"
    else:
        match = re.match(r"iCE40(HX1K|HX4K|HX8K|LP384|LP1K|LP4K|LP8K|UP3K|UP5K)\b", device.part)
        if match:
            return match[1].lower()
    raise ConfigError(f"device {device.name!r}: nextpnr knows no part {device.part!r} of family {device.family!r}")


@lru_cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_dir("flows")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


def _render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)
