"""Devices that networks are built for: resource counts from public data sheets, read from accel_space/devices."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from codesign.config import Section, Whole, parse_model
from codesign.errors import ConfigError, did_you_mean
from codesign.resources import resource_dir

__all__ = ["Device", "Family", "device", "devices", "read_device"]

Family = Literal["xc7", "xcup", "ecp5", "ice40"]
"""Families that the flows know: AMD 7 series and UltraScale+, Lattice ECP5 and iCE40."""

_LUT_INPUTS: dict[str, int] = {"xc7": 6, "xcup": 6, "ecp5": 4, "ice40": 4}


@dataclass(frozen=True)
class Device:
    """One part and what it holds.

    name:       what configurations call it, such as "ecp5-25f".
    part:       the vendor's full part name (Vivado's for AMD).
    luts, ffs:  look-up tables of `lut_inputs` inputs, flip-flops.
    brams:      block RAMs of `bram_bits` bits each; dsps: multiplier blocks.
    package, speed: as nextpnr takes them (`speed` empty where there is but one grade).
    source:     data sheet of the counts.
    """

    name: str
    part: str
    family: Family
    lut_inputs: int
    luts: int
    ffs: int
    brams: int
    bram_bits: int
    dsps: int
    package: str
    speed: str
    source: str
    notes: str = ""

    @property
    def vendor(self) -> Literal["amd", "lattice"]:
        """Whose place and route it needs: AMD's has no open tool here, Lattice's has nextpnr."""
        return "amd" if self.family in ("xc7", "xcup") else "lattice"

    def as_dict(self) -> dict[str, Any]:
        """Plain data, every field."""
        return asdict(self)


class _DeviceFile(Section):
    """A device file; the fields are those of `Device`."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    part: Annotated[str, Field(min_length=1)]
    family: Family
    lut_inputs: Literal[4, 6]
    luts: Annotated[Whole, Field(gt=0)]
    ffs: Annotated[Whole, Field(gt=0)]
    brams: Annotated[Whole, Field(ge=0)]
    bram_bits: Annotated[Whole, Field(ge=0)]
    dsps: Annotated[Whole, Field(ge=0)]
    package: str
    speed: str
    source: Annotated[str, Field(min_length=1)]
    notes: str = ""


def read_device(path: Path) -> Device:
    """Read one device file; every problem is a ConfigError with file and line."""
    read = parse_model(_DeviceFile, path)
    if read.lut_inputs != _LUT_INPUTS[read.family]:
        raise ConfigError(
            f"{path}: lut_inputs must be {_LUT_INPUTS[read.family]} for family {read.family!r}, not {read.lut_inputs}"
        )
    return Device(**{field.name: getattr(read, field.name) for field in fields(Device)})


@lru_cache
def devices() -> tuple[Device, ...]:
    """Return the devices that ship with codesign, sorted by name."""
    found = tuple(read_device(path) for path in sorted((resource_dir("accel_space") / "devices").glob("*.yaml")))
    assert all(len([d for d in found if d.name == name]) == 1 for name in {d.name for d in found})
    return found


def device(name: str) -> Device:
    """Return the device of that name, or of a YAML file of the user's own (a path that ends in .yaml).

    An unknown name is a ConfigError that lists the known ones.
    """
    if name.endswith((".yaml", ".yml")):
        return read_device(Path(name))
    for known in devices():
        if known.name == name:
            return known
    names = [known.name for known in devices()]
    raise ConfigError(
        f"no device {name!r}.{did_you_mean(name, names)} Known: {', '.join(names)}, or the path of a .yaml file."
    )
