"""Configuration spaces: named knobs with ordered values, declared in YAML, as points and as columns of many points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from codesign.config import Section, dump_yaml, parse_model
from codesign.errors import SpaceError, did_you_mean
from codesign.resources import resource_dir

__all__ = ["Columns", "Knob", "Space", "Value", "read_space", "space"]

Value = int | bool | str
"""What a knob may be set to."""

Columns = dict[str, NDArray[Any]]
"""Many points at once: for each knob an array of values, one a point."""


@dataclass(frozen=True)
class Knob:
    """One choice of a space. values: all legal settings, in an order that means something (small to large)."""

    name: str
    values: tuple[Value, ...]
    unit: str = ""
    meaning: str = ""

    def index(self, value: Value) -> int:
        """Position of `value`; a SpaceError lists what is legal."""
        for position, known in enumerate(self.values):
            if known == value and isinstance(known, bool) == isinstance(value, bool):
                return position
        listed = ", ".join(_plain(known) for known in self.values)
        raise SpaceError(f"knob {self.name!r} must be one of {listed}, not {_plain(value)}")


@dataclass(frozen=True)
class Space:
    """A family's configuration space: every combination of the knobs' values, valid or not.

    Point number n is the mixed-radix number whose first knob changes fastest.
    """

    name: str
    family: str
    knobs: tuple[Knob, ...]
    notes: str = ""

    @property
    def size(self) -> int:
        """Number of points."""
        return prod(len(knob.values) for knob in self.knobs)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the knobs, in order."""
        return tuple(knob.name for knob in self.knobs)

    def knob(self, name: str) -> Knob:
        """The knob of that name; a SpaceError says which there are."""
        for knob in self.knobs:
            if knob.name == name:
                return knob
        raise SpaceError(f"space {self.name!r} has no knob {name!r}.{did_you_mean(name, self.names)}")

    def check(self, point: Mapping[str, Value]) -> dict[str, Value]:
        """Return the point's settings in the order of the knobs; a SpaceError names what is missing or not legal."""
        for name in point:
            self.knob(name)
        missing = [name for name in self.names if name not in point]
        if missing:
            raise SpaceError(f"a point of space {self.name!r} must set every knob; missing: {', '.join(missing)}")
        return {knob.name: knob.values[knob.index(point[knob.name])] for knob in self.knobs}

    def number(self, point: Mapping[str, Value]) -> int:
        """The point's number, 0 to size - 1."""
        settings, total = self.check(point), 0
        for knob in reversed(self.knobs):
            total = total * len(knob.values) + knob.index(settings[knob.name])
        return total

    def point(self, number: int) -> dict[str, Value]:
        """The point of a number."""
        if not 0 <= number < self.size:
            raise SpaceError(f"space {self.name!r} has points 0 to {self.size - 1}, not {number}")
        settings: dict[str, Value] = {}
        for knob in self.knobs:
            number, index = divmod(number, len(knob.values))
            settings[knob.name] = knob.values[index]
        return settings

    def sample(self, count: int, *, rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw indices (count, knobs), each knob uniformly and by itself."""
        drawn = [rng.integers(len(knob.values), size=count) for knob in self.knobs]
        return np.stack(drawn, axis=1).astype(np.int64) if drawn else np.zeros((count, 0), dtype=np.int64)

    def indices(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices (points, knobs) of point numbers (points,)."""
        left, found = np.asarray(numbers, dtype=np.int64), np.empty((len(numbers), len(self.knobs)), dtype=np.int64)
        for position, knob in enumerate(self.knobs):
            left, found[:, position] = np.divmod(left, len(knob.values))
        return found

    def columns(self, indices: NDArray[np.int64]) -> Columns:
        """Values of many points, given as indices (points, knobs): an array a knob."""
        return {knob.name: np.array(knob.values)[indices[:, i]] for i, knob in enumerate(self.knobs)}

    def as_dict(self) -> dict[str, Any]:
        """Plain data, as the YAML file has it."""
        knobs = {
            knob.name: {
                "values": list(knob.values),
                **({"unit": knob.unit} if knob.unit else {}),
                **({"meaning": knob.meaning} if knob.meaning else {}),
            }
            for knob in self.knobs
        }
        notes = {"notes": self.notes} if self.notes else {}
        return {"name": self.name, "family": self.family, **notes, "knobs": knobs}

    def text(self) -> str:
        """The space as YAML; reading it back gives an equal space."""
        return dump_yaml(self.as_dict())


class _KnobSection(Section):
    values: Annotated[list[bool | int | str], Field(min_length=1)]
    unit: str = ""
    meaning: str = ""

    @field_validator("values")
    @classmethod
    def _of_one_kind(cls, values: list[Value]) -> list[Value]:
        if len({type(value) for value in values}) != 1:
            raise ValueError("values must be of one kind: whole numbers, words, or true and false")
        if len(set(values)) != len(values):
            raise ValueError("values must differ from each other")
        return values


class _SpaceFile(Section):
    """A space file: name, family, and the knobs in order."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    family: Annotated[str, Field(min_length=1)]
    notes: str = ""
    knobs: Annotated[dict[str, _KnobSection], Field(min_length=1)]


def read_space(path: Path) -> Space:
    """Read a space file; every problem is a ConfigError with file and line."""
    read = parse_model(_SpaceFile, path)
    knobs = tuple(Knob(name, tuple(k.values), k.unit, k.meaning) for name, k in read.knobs.items())
    return Space(read.name, read.family, knobs, read.notes)


@lru_cache
def space(name: str) -> Space:
    """Return a space that ships with codesign, or that of the user's own YAML file (a path that ends in .yaml)."""
    if name.endswith((".yaml", ".yml")):
        return read_space(Path(name))
    folder = resource_dir("accel_space") / "spaces"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in known:
        raise SpaceError(f"no space {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}, or a .yaml file.")
    return read_space(folder / f"{name}.yaml")


def _plain(value: Value) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
