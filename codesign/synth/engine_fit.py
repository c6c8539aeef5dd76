"""Fits the engine's resource estimates to a table of synthesised points, and says how far they are off on others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codesign.accel.engine.resources import Calibration, Errors, Fitted, estimate
from codesign.accel.engine.structure import columns_of, structure
from codesign.config import dump_yaml
from codesign.errors import ConfigError
from codesign.synth.engine_sample import Sampled

__all__ = ["error_table", "fit_resources", "halves", "write_calibration"]

Numbers = NDArray[np.float64]

_EXPECTED_LUTS = {
    "control.engine": 1800.0,
    "control.weight_stationary": 80.0,
    "control.streamed": 40.0,
    "control.double_buffer": 30.0,
    "array.xnor": 0.5,
    "array.signs": 1.0,
    "array.shifted": 1.8,
    "array.shifted_products": 0.1,
    "array.narrow_star": 1.2,
    "array.pairs": 1.0,
    "tree.adders": 1.0,
    "tree.whole": 1.4,
    "tree.dsp_adders": 0.5,
    "tree.dsp_whole": 0.7,
    "tree.counts": 1.0,
    "accumulators.sums": 2.0,
    "accumulators.weight_stationary": 0.0,
    "requantizer.serial": 1.0,
    "requantizer.word": 0.5,
    "requantizer.soft": 12.0,
    "requantizer.split": 1.0,
    "requantizer.bias": 8.0,
    "requantizer.further": 8.0,
    "requantizer.further_soft": 12.0,
    "memories.lut_ram": 1.0,
    "memories.multiplexers": 0.4,
    "memories.selects": 1.0,
    "memories.banks": 0.4,
    "memories.chunks": 4.0,
    "streams.answers": 10.0,
    "streams.image": 0.0,
    "streams.weights": 0.1,
}
_EXPECTED_FFS = {
    "control.engine": 1600.0,
    "control.weight_stationary": 60.0,
    "control.streamed": 30.0,
    "control.double_buffer": 5.0,
    "control.delay": 5.0,
    "array.operands": 1.0,
    "array.operands_dsp": 0.3,
    "array.operands_pairs": 0.5,
    "array.products": 1.0,
    "array.products_dsp": 0.3,
    "array.products_pairs": 1.0,
    "tree.middle": 1.0,
    "tree.end": 1.0,
    "accumulators.sums": 1.0,
    "requantizer.serial": 1.0,
    "requantizer.word": 1.0,
    "requantizer.sum": 1.0,
    "requantizer.soft": 4.0,
    "requantizer.split": 0.5,
    "requantizer.bias": 1.0,
    "requantizer.further": 2.0,
    "requantizer.further_soft": 4.0,
    "memories.read": 1.0,
    "memories.selects": 1.0,
    "streams.image": 1.0,
    "streams.weights": 1.0,
}
"""What a unit of each term would cost by the structure alone: a register bit one flip-flop, an adder bit one LUT. A
tree without a register inside is summed by compressors, 1.4 LUTs a bit, and an AMD DSP block adds one term of it."""

_LUT4_FACTOR = 1.8
"""LUTs of four inputs that one of six inputs stands for, in `_EXPECTED_LUTS`, where nothing else is known."""

_EXPECTED_LUT4 = {
    "array.shifted": 2.3,
    "array.narrow_star": 2.3,
    "array.pairs": 1.2,
    "tree.adders": 1.9,
    "tree.whole": 2.7,
    "memories.lut_ram": 1.0,
}
"""What engine_array and engine_tree take when they are synthesised alone for LUTs of four inputs."""

_LUT4_FAMILIES = ("ecp5",)
_PULLS = (0.05, 0.1, 0.2, 0.5, 1.0)
_FOLDS = 5
_SWEEPS = 20_000
_SETTLED = 1e-10


def halves(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which of `count` points are fitted and which are held out, as the seed draws them."""
    order = np.random.default_rng(seed).permutation(count)
    return np.sort(order[: count // 2]), np.sort(order[count // 2 :])


def fit_resources(
    samples: Sequence[Sampled], *, family: str, seed: int, command: str, table: str, also: Sequence[str] = ()
) -> Calibration:
    """Fit LUTs and flip-flops on one half of the points; measure the errors on both halves; check the exact counts.

    A point whose block RAMs or DSP blocks are not those of the law is a ConfigError that shows both: then yosys has
    changed its rules, and the law has to follow.
    """
    found = structure(columns_of(*(one.point for one in samples)), family)
    measured = np.array([[one.half_brams, one.full_brams, one.dsps] for one in samples])
    law = np.stack([found.half_brams, found.full_brams, found.dsps], axis=1)
    wrong = np.flatnonzero((measured != law).any(axis=1))
    if len(wrong):
        at = int(wrong[0])
        raise ConfigError(
            f"{len(wrong)} of {len(samples)} points break the law of block RAMs and DSP blocks; the first is "
            f"{samples[at].index}: (half, full, DSP) {law[at].tolist()} by law, {measured[at].tolist()} synthesised"
        )
    fit, other = halves(len(samples), seed)

    def fitted(terms: Mapping[str, Numbers], values: list[int], expected: Mapping[str, float]) -> Fitted:
        wanted, matrix = np.array(values, dtype=float), np.stack(list(terms.values()), axis=1)
        priors = np.array([expected[name] for name in terms])
        pull = _best_pull(matrix[fit], wanted[fit], priors)
        weights = _nonnegative(matrix[fit], wanted[fit], priors, pull=pull)
        coefficients = {name: float(f"{w:.4g}") for name, w in zip(terms, weights, strict=True)}
        errors = np.abs(np.rint(estimate(terms, coefficients)) - wanted) / wanted
        return Fitted(coefficients=coefficients, fit=_errors(errors[fit]), held_out=_errors(errors[other]))

    luts: Mapping[str, float] = _EXPECTED_LUTS
    if family in _LUT4_FAMILIES:
        luts = {name: _EXPECTED_LUT4.get(name, value * _LUT4_FACTOR) for name, value in _EXPECTED_LUTS.items()}
    tools = sorted({one.tool for one in samples})
    name, _, version = ", ".join(tools).partition(" ")
    return Calibration(
        family=family,
        date=date.today().isoformat(),
        tool=name,
        tool_version=version,
        command=command,
        table=table,
        also=list(also),
        seed=seed,
        exact_brams=len(samples),
        exact_dsps=len(samples),
        of_points=len(samples),
        luts=fitted(found.lut_terms, [one.luts for one in samples], luts),
        ffs=fitted(found.ff_terms, [one.ffs for one in samples], _EXPECTED_FFS),
    )


def write_calibration(value: Calibration, path: Path) -> None:
    """Write the calibration as YAML; `read_calibration` gives an equal one."""
    tables = ", ".join([value.table, *value.also])
    head = (
        f"# The folded engine's resource estimates on {value.family}: what a unit of each term costs, fitted to half\n"
        f"# of the points of {tables}. Made by `{value.command}`; see docs/engine_model.md.\n"
    )
    plain: dict[str, Any] = value.model_dump()
    path.write_text(head + dump_yaml(plain), encoding="utf-8")


def error_table(*known: Calibration) -> list[list[str]]:
    """Return the errors of calibrations as a table of text, headings first: the same for the command and the docs."""
    table = [["family", "estimate", "points", "median", "mean", "worst"]]
    for one in known:
        for estimate_, fitted in (("LUTs", one.luts), ("flip-flops", one.ffs)):
            for which, errors in (("fitted", fitted.fit), ("held out", fitted.held_out)):
                row = [f"{100 * value:.1f} %" for value in (errors.median, errors.mean, errors.worst)]
                table.append([one.family, f"{estimate_}, {which}", str(errors.points), *row])
        for name, points in (("block RAMs", one.exact_brams), ("DSP blocks", one.exact_dsps)):
            table.append([one.family, name, str(points), "exact", "exact", "exact"])
    return table


def _errors(values: Numbers) -> Errors:
    return Errors(
        points=len(values),
        median=round(float(np.median(values)), 4),
        mean=round(float(values.mean()), 4),
        worst=round(float(values.max()), 4),
    )


def _best_pull(matrix: Numbers, wanted: Numbers, priors: Numbers) -> float:
    """Return the pull of `_PULLS` under which each fifth of the points is estimated best from the other four."""
    fold = np.arange(len(wanted)) % _FOLDS

    def error(pull: float) -> float:
        total = 0.0
        for one in range(_FOLDS):
            weights = _nonnegative(matrix[fold != one], wanted[fold != one], priors, pull=pull)
            total += float(np.abs(matrix[fold == one] @ weights / wanted[fold == one] - 1).sum())
        return total

    return min(_PULLS, key=error)


def _nonnegative(matrix: Numbers, wanted: Numbers, priors: Numbers, *, pull: float) -> Numbers:
    """Return the weights, none negative, with the least sum of squared relative errors, drawn to the priors.

    The pull keeps a term that few points have where its meaning puts it; it counts as much as `pull` of a point's
    error for a weight that is wrong by the whole of what the term is worth on average. Cyclic coordinate descent: the
    problem is convex, so it ends at the least value.
    """
    scaled = matrix / wanted[:, None]
    size = np.sqrt((scaled**2).mean(axis=0))
    size[size == 0] = 1.0
    scaled = scaled / size
    force = len(wanted) * pull**2
    gram = scaled.T @ scaled + force * np.eye(len(size))
    goal = scaled.T @ np.ones(len(wanted)) + force * priors * size
    weights = np.maximum(0, priors * size)
    for _ in range(_SWEEPS):
        before = weights.copy()
        for j in range(len(weights)):
            weights[j] = max(0.0, weights[j] + (goal[j] - gram[j] @ weights) / gram[j, j])
        if np.abs(weights - before).max() < _SETTLED:
            break
    return weights / size
