"""TensorBoard's record of the network search: loss, expected and found cost, temperature, entropy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["write_events"]

_SCALARS = {
    "loss": "loss",
    "temperature": "temperature",
    "expected cost": "cost",
    "score": "score",
    "entropy in bits": "entropy_bits",
    "cost of the most probable network": "found_cost",
}


def write_events(networks: Any, folder: Path) -> bool:
    """Write the logged steps of a network half to `folder`; False where it logged none, or TensorBoard is absent.

    Steps of one search after another are numbered on.
    """
    steps = getattr(networks, "steps", [])
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        return False
    if not steps:
        return False
    for old in folder.glob("events.*"):
        old.unlink()
    writer = SummaryWriter(str(folder))
    base, last = 0, -1
    for step in steps:
        if step.step <= last:
            base += last + 1
        last = step.step
        for name, attribute in _SCALARS.items():
            writer.add_scalar(name, getattr(step, attribute), base + step.step)  # pyright: ignore[reportUnknownMemberType]
    writer.close()
    return True
