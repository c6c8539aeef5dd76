"""What a network space is: named choices, which of their combinations are legal, and the network that each one is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from codesign.accel.space import Knob, Space, Value
from codesign.config import ConvTopologyConfig, Section, TopologyConfig, dump_yaml
from codesign.errors import ConfigError, SpaceError, TableTooLarge
from codesign.ir import ConvTopology, Topology

__all__ = ["Location", "NetworkSpace", "NetworkSpaceFile", "Point", "distinct"]

Point = Mapping[str, Value]
"""A candidate for every choice of a space."""

Location = tuple[str | int, ...]
"""Where in a space file something stands, as keys and positions."""

_TRIES = 10_000


def distinct(values: list[Any]) -> list[Any]:
    """Return candidates that differ from each other; a ValueError otherwise."""
    if len(set(values)) != len(values):
        raise ValueError("candidates must differ from each other")
    return values


class NetworkSpaceFile(Section):
    """What every network space says."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    kind: Annotated[str, Field(min_length=1)]
    """cells, maps, tables, or `module:Class` of a user's own."""
    notes: str = ""

    @field_validator("*", mode="after")
    @classmethod
    def _candidates_differ(cls, value: Any) -> Any:
        return distinct(value) if isinstance(value, list) and value and isinstance(value[0], int | str) else value


class NetworkSpace(ABC):
    """A set of networks: every combination of candidates, legal or not.

    A class of a user's own sets `File` (what its YAML may say), and gives `_knobs` and `config`; `problems` names what
    makes a file senseless, and `_refusal` what makes one combination of candidates illegal beside what its topology
    refuses by itself.
    """

    File: ClassVar[type[NetworkSpaceFile]] = NetworkSpaceFile

    def __init__(self, file: NetworkSpaceFile):
        """A file whose every meaning is illegal is a ConfigError that names the key."""
        self.file = file
        for where, message in self.problems(file):
            raise ConfigError(f"network space {file.name!r}: {'.'.join(map(str, where))}: {message}")

    @property
    def name(self) -> str:
        """Name of the space."""
        return self.file.name

    @cached_property
    def choices(self) -> Space:
        """The choices with their candidates; points have numbers, as those of a hardware space have."""
        return Space(self.file.name, self.file.kind, tuple(self._knobs()), self.file.notes)

    @classmethod
    def problems(cls, file: NetworkSpaceFile) -> Iterator[tuple[Location, str]]:
        """Yield what makes the file senseless: where, and why; nothing by default."""
        yield from ()

    @abstractmethod
    def _knobs(self) -> list[Knob]:
        """The choices."""

    @abstractmethod
    def config(self, point: Point) -> TopologyConfig | ConvTopologyConfig:
        """Return the network of a point as the section `topology` of a build file."""

    @abstractmethod
    def topology(self, point: Point) -> Topology | ConvTopology:
        """Return the network of a point, checked; a ConfigError or TableTooLarge says what is illegal and where."""

    def canonical(self, point: Point) -> dict[str, Value]:
        """Return the point with every choice that does not matter set to its first candidate."""
        return self.choices.check(point)

    def refusal(self, point: Point) -> str:
        """Return why the point's network is illegal, or ""."""
        try:
            self.topology(point)
        except (ConfigError, SpaceError, TableTooLarge) as problem:
            return str(problem)
        return ""

    def draw(self, *, rng: np.random.Generator) -> dict[str, Value]:
        """Draw a legal point, each choice uniformly; a SpaceError after many draws without one."""
        reason = ""
        for _ in range(_TRIES):
            indices = self.choices.sample(1, rng=rng)[0]
            point = {k.name: k.values[int(i)] for k, i in zip(self.choices.knobs, indices, strict=True)}
            reason = self.refusal(point)
            if not reason:
                return self.canonical(point)
        raise SpaceError(
            f"network space {self.name!r}: of {_TRIES:,} points drawn none is legal. The last one: {reason}"
        )

    def text(self) -> str:
        """The space as YAML; reading it gives an equal space, and the keys that were given and no others."""
        return dump_yaml(self.file.model_dump(mode="json", exclude_unset=True, by_alias=True))

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, NetworkSpace) and self.file == other.file

    __hash__ = None  # type: ignore[assignment]
