"""The valid points of an enumerable space: which there are, what prefixes of knobs can become, which rules kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel import AcceleratorFamily, Device
from codesign.accel.family import points_of
from codesign.accel.space import Space
from codesign.errors import SpaceError

__all__ = ["CHUNK_POINTS", "MOST_POINTS", "Completions", "NoValidPoint", "RuleCounts", "count_rules", "valid_points"]

CHUNK_POINTS = 200_000
"""Points that are validated and costed at once."""

MOST_POINTS = 20_000_000
"""Points of the largest space that is enumerated: 20 MB of truth values, 90 MB of counts."""

_SAMPLED_POINTS = 1_000


class NoValidPoint(SpaceError):
    """No point of a space can run the network on the device; `rules` says which rules stand in the way."""

    def __init__(self, message: str, rules: RuleCounts):
        super().__init__(message)
        self.rules = rules


@dataclass(frozen=True)
class RuleCounts:
    """Of a sample of points, how many break each rule (`broken`), how many break it alone (`alone`), and an example."""

    points: int
    valid: int
    broken: dict[str, int]
    alone: dict[str, int]
    examples: dict[str, str]

    def text(self) -> str:
        """One line, the rule that kills most first."""
        order = sorted(self.broken, key=lambda rule: (-self.broken[rule], rule))
        parts = [f"{rule} {self.broken[rule]:,} ({self.alone.get(rule, 0):,} by it alone)" for rule in order]
        return f"of {self.points:,} points drawn {self.points - self.valid:,} break a rule: " + ", ".join(parts)


def count_rules(
    family: AcceleratorFamily, network: Any, device: Device | None, *, count: int = _SAMPLED_POINTS, seed: int = 0
) -> RuleCounts:
    """Draw points, each knob uniformly, and count which rules they break."""
    columns = family.space.columns(family.space.sample(count, rng=np.random.default_rng(seed)))
    broken: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    examples: dict[str, str] = {}
    valid = 0
    for point in points_of(columns):
        found = family.validate(point, network, device)
        rules = {one.rule for one in found}
        valid += not rules
        broken.update(rules)
        if len(rules) == 1:
            alone.update(rules)
        for one in found:
            examples.setdefault(one.rule, str(one))
    return RuleCounts(count, valid, dict(broken), dict(alone), examples)


def valid_points(
    family: AcceleratorFamily,
    network: Any,
    device: Device | None,
    *,
    progress: Callable[[int], None] | None = None,
) -> NDArray[np.bool_]:
    """Return, for each point of the family's space by number, whether it is valid.

    A space of more than `MOST_POINTS` points is a SpaceError that says which knobs have most values; one without a
    valid point is a `NoValidPoint` that names the rule that kills most.
    """
    require_enumerable(family.space)
    size = family.space.size
    valid = np.empty(size, dtype=np.bool_)
    for start in range(0, size, CHUNK_POINTS):
        numbers = np.arange(start, min(size, start + CHUNK_POINTS))
        columns = family.space.columns(family.space.indices(numbers))
        valid[start : start + len(numbers)] = family.valid(columns, network, device)
        if progress is not None:
            progress(start + len(numbers))
    if not valid.any():
        raise nothing_valid(family, network, device)
    return valid


def nothing_valid(family: AcceleratorFamily, network: Any, device: Device | None) -> NoValidPoint:
    """The error of a space in which no point can run the network."""
    rules = count_rules(family, network, device)
    worst = max(rules.broken, key=lambda rule: (rules.broken[rule], rule))
    where = f" on {device.name}" if device is not None else ""
    text = (
        f"none of the {family.space.size:,} points of space {family.space.name!r} can run this network{where}. Most "
        f"are killed by rule {worst!r}, for instance: {rules.examples[worst]}. {rules.text()}. Widen the knobs that "
        "these rules name, or choose a larger device"
    )
    return NoValidPoint(text, rules)


def require_enumerable(space: Space) -> None:
    """Raise a SpaceError where a space is too large to be enumerated; it names the knobs with most values."""
    if space.size <= MOST_POINTS:
        return
    widest = sorted(space.knobs, key=lambda knob: -len(knob.values))[:4]
    named = ", ".join(f"{knob.name} ({len(knob.values)} values)" for knob in widest)
    raise SpaceError(
        f"space {space.name!r} has {space.size:,} points; exact masks need an enumerated one of {MOST_POINTS:,} at "
        f"most. Write a space file of the same family with fewer values, one where a knob is settled; most have {named}"
    )


class Completions:
    """How many valid points each prefix of knobs can still become: exact masks, across all knobs.

    The points of a space are numbers whose first knob changes fastest, so the first k knobs of a point are its number
    modulo the product of their sizes. `remaining[k]` counts, for every such prefix, the valid points that begin with it
    and have not been removed; each level is the sum of the next one over the values of one knob.
    """

    def __init__(self, space: Space, valid: NDArray[np.bool_]):
        """`valid`: of every point, by number; kept as the numbers of those that are."""
        self.space = space
        self.sizes = tuple(len(knob.values) for knob in space.knobs)
        self.strides = (1, *(int(n) for n in np.cumprod(self.sizes)))
        self.valid = np.flatnonzero(valid)
        levels = [valid.astype(np.int32)]
        for size, stride in zip(reversed(self.sizes), reversed(self.strides[:-1]), strict=True):
            levels.append(levels[-1].reshape(size, stride).sum(axis=0, dtype=np.int32))
        self.remaining = tuple(reversed(levels))

    def copy(self) -> Completions:
        """An equal one, whose points can be removed by themselves."""
        other = object.__new__(Completions)
        other.space, other.sizes, other.strides, other.valid = self.space, self.sizes, self.strides, self.valid
        other.remaining = tuple(level.copy() for level in self.remaining)
        return other

    @property
    def count(self) -> int:
        """Valid points that have not been removed."""
        return int(self.remaining[0][0])

    def left(self, prefixes: NDArray[np.int64], knob: int) -> NDArray[np.int32]:
        """Return (prefixes, values): to how many points each value of a knob leads.

        prefixes: numbers of the settings of the knobs before it (0 for the first knob).
        """
        steps = np.arange(self.sizes[knob]) * self.strides[knob]
        return self.remaining[knob + 1][np.asarray(prefixes)[:, None] + steps]

    def allowed(self, prefixes: NDArray[np.int64], knob: int) -> NDArray[np.bool_]:
        """Return (prefixes, values): which values of a knob some valid point that is left has."""
        return self.left(prefixes, knob) > 0

    def remove(self, number: int) -> None:
        """Take a valid point away: no mask leads to it any more. A point that is not there is left as it is."""
        if self.remaining[-1][number]:
            for level, stride in zip(self.remaining, self.strides, strict=True):
                level[number % stride] -= 1

    def repair(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return (points, knobs) of valid points: knob by knob the nearest allowed value, the lower of two."""
        fixed = np.array(indices, dtype=np.int64)
        prefixes = np.zeros(len(fixed), dtype=np.int64)
        for knob, size in enumerate(self.sizes):
            far = np.abs(np.arange(size) - fixed[:, knob, None]).astype(np.float64)
            fixed[:, knob] = np.where(self.allowed(prefixes, knob), far, np.inf).argmin(axis=1)
            prefixes = prefixes + fixed[:, knob] * self.strides[knob]
        return fixed

    def numbers(self, indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Point numbers of indices (points, knobs)."""
        return np.asarray(indices, dtype=np.int64) @ np.array(self.strides[:-1], dtype=np.int64)
