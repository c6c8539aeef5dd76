"""The point that a build file asks for: its own settings, or a device's default accelerator."""

from __future__ import annotations

from codesign.accel.devices import device
from codesign.accel.engine.defaults import default_point
from codesign.accel.engine.point import EnginePoint
from codesign.config import EngineConfig

__all__ = ["configured_point"]


def configured_point(config: EngineConfig) -> EnginePoint:
    """Return the point of the section `engine`; a Refusal names every rule that it breaks by itself."""
    if config.default is None:
        point = EnginePoint(**config.settings)
    else:
        point = default_point(device(config.default)).point
    point.check()
    return point
