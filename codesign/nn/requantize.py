"""From real scale and offset to multiplier, bias and shift: equal on every integer sum where that can be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from codesign.ir.integer import Integers, Levels, Requantize

__all__ = ["RequantizeFit", "fit_requantize", "real_codes"]

_TOP = (1 << (Requantize.MULTIPLIER_BITS - 1)) - 1
_MOST = (1 << (Requantize.BIAS_BITS - 1)) - 1
_NEAR = 4
"""Multipliers tried on either side of the real one."""
_SHIFTS = 4
"""Shifts tried, from the largest down."""


@dataclass(frozen=True, eq=False)
class RequantizeFit:
    """A requantization and how it differs from the real function, channel by channel.

    exact: bool (channels,); equal to the real function on every sum of the channel's range.
    moved: (channels,) sums by which the edge of a step lies elsewhere, at most; 0 where exact.
    error: (channels,) largest difference of codes on the range; 0 where exact.
    worst: (channels,) a sum at which it is met.
    """

    requantize: Requantize
    exact: NDArray[np.bool_]
    moved: Integers
    error: Integers
    worst: Integers


def real_codes(sums: Integers, scale: NDArray[np.float64], offset: NDArray[np.float64], levels: Levels) -> Integers:
    """The real function in float64: ``clip(floor(sum * scale + offset + 1/2), low, high)``; at one bit, its sign.

    Halves are rounded up, so that the function is a staircase of even steps; zero counts as positive.
    """
    value = sums * scale + offset
    if levels.bipolar:
        return np.where(value >= 0, 1, -1)
    return np.clip(np.floor(value + 0.5), levels.low, levels.high).astype(np.int64)


def fit_requantize(
    scale: NDArray[np.float64], offset: NDArray[np.float64], low: Integers, high: Integers, levels: Levels
) -> RequantizeFit:
    """Find the integers that give the codes of `real_codes` for all sums `low` to `high`; arrays are (channels,).

    The edges of the real staircase are found by bisection. With a multiplier and a shift, each edge bounds the bias
    from both sides; where the bounds leave a bias, the channel is exact. Shifts are tried from the largest on which
    all multipliers fit 16 bits, and for each the multipliers nearest to the real slope; the shift with most exact
    channels is taken. A channel that no multiplier of 16 bits can make exact gets the one whose edges are nearest.
    A slope steeper than all levels in one sum (a batch norm without variance) needs no more than that.
    """
    turned = scale < 0
    first, last = np.where(turned, -high, low), np.where(turned, -low, high)
    edges = _edges(np.abs(scale), offset, first, last, levels)
    slope = np.minimum(np.abs(scale), float(levels.high - levels.low))
    best: tuple[int, Integers, Integers, NDArray[np.bool_]] | None = None
    if levels.bipolar:
        best = 0, np.ones(len(slope), np.int64), -edges[:, 0], np.ones(len(slope), np.bool_)
    else:
        top = int(np.clip(np.floor(np.log2(_TOP / max(float(slope.max()), 1e-300))), 0, Requantize.MAX_SHIFT))
        for shift in range(top, -1, -1):
            multipliers, biases, exact, legal = _fit_shift(slope, offset, edges, first, last, levels, shift)
            if legal and (best is None or exact.sum() > best[3].sum()):
                best = shift, multipliers, biases, exact
            if best is not None and (best[3].all() or top - shift >= _SHIFTS - 1):
                break
        assert best is not None  # at shift 0 every bias is clipped to its bits
    shift, multipliers, biases, _ = best
    found = Requantize(np.where(turned, -multipliers, multipliers), biases, shift)
    return _measure(found, scale, offset, low, high, edges, turned, levels)


def _edges(
    slope: NDArray[np.float64], offset: NDArray[np.float64], first: Integers, last: Integers, levels: Levels
) -> Integers:
    """Smallest sum in `first` to `last` whose code is at least each level but the lowest, else last + 1: (channels, n).

    Sums are turned so that the codes rise: ``slope * sum + offset`` with a slope of at least 0.
    """
    wanted = np.array([1]) if levels.bipolar else np.arange(levels.low + 1, levels.high + 1)
    below = np.repeat(first[:, None] - 1, len(wanted), axis=1)
    above = np.repeat(last[:, None] + 1, len(wanted), axis=1)
    while (above - below > 1).any():
        middle = (below + above) >> 1
        reached = real_codes(middle, slope[:, None], offset[:, None], levels) >= wanted
        above, below = np.where(reached, middle, above), np.where(reached, below, middle)
    return above


def _fit_shift(
    slope: NDArray[np.float64],
    offset: NDArray[np.float64],
    edges: Integers,
    first: Integers,
    last: Integers,
    levels: Levels,
    shift: int,
) -> tuple[Integers, Integers, NDArray[np.bool_], bool]:
    """Multipliers and biases (turned) for one shift, which channels are exact, and whether all biases fit."""
    real = slope * 2.0**shift
    tried = np.floor(real)[:, None].astype(np.int64) + np.arange(1 - _NEAR, _NEAR + 1)
    tried = np.clip(tried, 0, _TOP)[:, :, None]
    targets = np.arange(levels.low + 1, levels.high + 1) << shift
    at = edges[:, None, :]
    # An edge inside the range asks for the code at the edge, and for a lower one just before it.
    at_least = np.where(at <= last[:, None, None], targets - tried * at, -_MOST).max(axis=2)
    at_most = np.where(at > first[:, None, None], targets - 1 - tried * (at - 1), _MOST).min(axis=2)
    at_least, at_most = np.maximum(at_least, -_MOST), np.minimum(at_most, _MOST)
    gap = at_least - at_most
    # Of exact ones the nearest to the real slope, else that with the edges least apart.
    distance = np.abs(tried[:, :, 0] - real[:, None])
    order = np.where(gap <= 0, distance / (2.0 * _NEAR + 2), 1.0 + gap)
    chosen = order.argmin(axis=1)[:, None]
    multipliers, down, up = (np.take_along_axis(a, chosen, axis=1)[:, 0] for a in (tried[:, :, 0], at_least, at_most))
    exact = down <= up
    natural = np.clip(np.rint((offset + 0.5) * 2.0**shift), -_MOST, _MOST).astype(np.int64)
    biases = np.where(exact, np.clip(natural, np.minimum(down, up), np.maximum(down, up)), (down + up) >> 1)
    legal = bool((np.abs(biases) <= _MOST).all())
    return multipliers, np.clip(biases, -_MOST, _MOST), exact, legal or shift == 0


def _measure(
    found: Requantize,
    scale: NDArray[np.float64],
    offset: NDArray[np.float64],
    low: Integers,
    high: Integers,
    edges: Integers,
    turned: NDArray[np.bool_],
    levels: Levels,
) -> RequantizeFit:
    """Compare both staircases at both sides of every edge of either, which are all the places where one may change."""
    first, last = np.where(turned, -high, low), np.where(turned, -low, high)
    sign = np.where(turned, -1, 1)[:, None]

    def got(sums: Integers) -> Integers:
        return found.apply((sums * sign)[None, :, :, None], levels)[0, :, :, 0]

    below = np.repeat(first[:, None] - 1, edges.shape[1], axis=1)
    above = np.repeat(last[:, None] + 1, edges.shape[1], axis=1)
    wanted = np.array([1]) if levels.bipolar else np.arange(levels.low + 1, levels.high + 1)
    while (above - below > 1).any():
        middle = (below + above) >> 1
        reached = got(middle) >= wanted
        above, below = np.where(reached, middle, above), np.where(reached, below, middle)
    places = np.concatenate([edges, edges - 1, above, above - 1, first[:, None], last[:, None]], axis=1)
    places = np.clip(places, first[:, None], last[:, None])
    real = real_codes(places * sign, scale[:, None], offset[:, None], levels)
    errors = np.abs(got(places) - real)
    error = errors.max(axis=1)
    worst = np.take_along_axis(places * sign, errors.argmax(axis=1)[:, None], axis=1)[:, 0]
    return RequantizeFit(found, error == 0, np.abs(above - edges).max(axis=1), error, worst)
