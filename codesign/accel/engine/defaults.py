"""The default accelerator of each device: chosen by a written rule before any search, and committed as a file.

A search's figures are quoted as ratios to it, with the sha256 of its file beside them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from codesign.accel.devices import Device
from codesign.accel.engine.point import EnginePoint
from codesign.accel.engine.resources import resource_violations
from codesign.accel.space import space
from codesign.config import Section, dump_yaml, parse_model
from codesign.errors import ConfigError, SpaceError
from codesign.resources import resource_dir

__all__ = ["DefaultAccelerator", "choose_default", "default_path", "default_point", "default_text"]

SHARE = 0.5
"""Share of a device that its default accelerator may take of each resource, by the resource model."""

_RULE = f"""\
# Output stationary, resident weights in block RAM, streams of 64 bits, double buffering, two pipeline registers, three
# banks, an accumulator of 32 bits; weights and activations of 8 bits, so that every network that some engine runs has
# lanes to run on. PE = SIMD is the largest power of two with which the engine takes no more than {SHARE:g} of the LUTs,
# flip-flops, block RAMs and DSP blocks, by the resource model; multipliers are DSP blocks, or LUTs where only so the
# array gets larger. Then weight_depth and bank_depth go up in turn, weights first, through the values of the engine's
# space while all stays within that share. The rule was written before any search.
"""

_FIRST = EnginePoint(
    pe=1,
    simd=1,
    weight_bits=8,
    activation_bits=8,
    weight_depth=256,
    bank_depth=256,
    banks=3,
    accumulator_bits=32,
    multiplier="dsp",
    pipeline=2,
    double_buffer=True,
    stream_in_bits=64,
    stream_out_bits=64,
    param_depth=1024,
    answer_depth=256,
)


class _File(Section):
    """A default's file."""

    device: str
    point: dict[str, int | bool | str]


@dataclass(frozen=True)
class DefaultAccelerator:
    """A device's default: the point, its file, and the file's sha256 in hexadecimal."""

    device: str
    point: EnginePoint
    path: Path
    digest: str


def default_path(device: Device) -> Path:
    """Where the default of a device is kept."""
    return resource_dir("accel_space") / "defaults" / f"{device.name}.yaml"


def default_point(device: Device) -> DefaultAccelerator:
    """Read the committed default of a device; a SpaceError says why there is none."""
    path = default_path(device)
    if not path.is_file():
        try:
            choose_default(device)
        except (SpaceError, ConfigError) as problem:
            raise SpaceError(f"there is no default accelerator for {device.name}: {problem}") from None
        raise SpaceError(
            f"there is no default accelerator for {device.name}; `cods space default {device.name}` prints its file"
        )
    read = parse_model(_File, path)
    if read.device != device.name:
        raise ConfigError(f"{path}: is the default of {read.device!r}, not of {device.name!r}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return DefaultAccelerator(device.name, EnginePoint.from_dict(read.point), path, digest)


def default_text(device: Device) -> str:
    """Return the text of a device's default file: it changes only where the rule gives another point."""
    head = f"# The default accelerator of {device.name}, chosen by this rule:\n{_RULE}"
    return head + dump_yaml({"device": device.name, "point": choose_default(device).as_dict()})


def choose_default(device: Device) -> EnginePoint:
    """Choose a device's default by the rule; a SpaceError with the numbers where not even the smallest engine fits.

    A device of a family that is not calibrated is a ConfigError.
    """
    best = next((point for point in _arrays() if _fits(point, device)), None)
    if best is None:
        why = "; ".join(str(one) for one in resource_violations(_FIRST, device, share=SHARE))
        raise SpaceError(f"{device.name} holds no engine within {SHARE:g} of its resources, not even of 1 x 1: {why}")
    while True:
        before = best
        for name in ("weight_depth", "bank_depth"):
            larger = [value for value in space("engine").knob(name).values if value > getattr(best, name)]  # type: ignore[operator]
            if larger and _fits(grown := replace(best, **{name: larger[0]}), device):
                best = grown
        if best == before:
            return best


def _arrays() -> Iterator[EnginePoint]:
    """Arrays to try, the largest first."""
    for size in (64, 32, 16, 8, 4, 2, 1):
        for multiplier in ("dsp", "lut"):
            yield replace(_FIRST, pe=size, simd=size, multiplier=multiplier)


def _fits(point: EnginePoint, device: Device) -> bool:
    return not resource_violations(point, device, share=SHARE)
