"""Random generators from one seed: every use has its own stream, so that adding one changes no other."""

from __future__ import annotations

import numpy as np
import torch

__all__ = ["generator"]


def generator(seed: int, *path: str | int) -> torch.Generator:
    """Return a CPU generator for one use, e.g. ``generator(0, "mask", 3)``; equal arguments, equal stream."""
    words = [int(seed)]
    for part in path:
        words += [part] if isinstance(part, int) else list(part.encode())
    state = np.random.SeedSequence(words).generate_state(2, np.uint64)
    return torch.Generator().manual_seed(int(state[0] >> 1))
