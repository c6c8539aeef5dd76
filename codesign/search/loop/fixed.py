"""One network that is given, for any family of accelerators, a user's own too: the loop searches the hardware alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from codesign.accel.engine import EnginePoint
from codesign.errors import ConfigError
from codesign.families.engine import EngineFamily
from codesign.search.jobs import Job
from codesign.search.loop.designs import Candidate
from codesign.search.loop.hardware import family_of
from codesign.search.loop.networks import Networks, Point

__all__ = ["FixedNetwork"]


class FixedNetwork(Networks):
    """The network of `network.file`, as the hardware's family reads it; its accuracy is nobody's business here."""

    def __init__(self, config: Any, **options: Any):
        super().__init__(config, **options)
        assert config.network.file is not None
        if config.network.options:
            raise ConfigError("network.options: with `network.file` there is one network, which is not searched")
        given: Path = config.network.file
        beside = self.folder / given
        self.path = beside if given.suffix or beside.exists() else given  # else a preset of the family
        self.family = family_of(config, self.folder)
        self.network = self.family.read_network(self.path)

    def reference(self, default: Point | None) -> Candidate:
        """The network."""
        return Candidate(str(self.config.network.file), {}, self.network)

    def draw(self, rng: np.random.Generator) -> Candidate:
        """The network: there is no other."""
        return self.reference(None)

    def search(
        self, point: Point, *, share: float, limits: Mapping[str, float], least: float | None
    ) -> list[Candidate]:
        """The network."""
        return [self.reference(None)]

    def job(self, candidate: Candidate, point: Point) -> Job:
        """Generate and simulate."""
        space, settings = self.config.hardware.space, dict(point)
        engine = isinstance(self.family, EngineFamily)
        if engine:
            space, settings = "engine", EnginePoint(1, 1, 8, 8).as_dict() | settings
        elif space.endswith((".yaml", ".yml")):
            space = str((self.folder / space).resolve())
        return Job(
            "codesign.search.family_job:FamilyJob",
            {
                "space": space,
                "network": str(self.path.resolve() if self.path.exists() else self.path),
                "point": settings,
                "device": self.config.device,
                "images": self.config.realise.images,
                "seed": self.config.seed,
                "synth": self.config.realise.synth and engine,
                "route": self.config.realise.route and engine,
            },
        )
