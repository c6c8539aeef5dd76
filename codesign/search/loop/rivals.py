"""The other methods on the found network's accelerators, at the same budget: best values, and fronts of two figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from codesign.search.problem import Problem
from codesign.search.rivals import Nsga2
from codesign.search.search import History, search

if TYPE_CHECKING:
    from codesign.search.loop.designs import Candidate
    from codesign.search.loop.hardware import Hardware

__all__ = ["RIVALS", "front", "front_figures", "history_front", "rival_rows", "share_fronts"]

RIVALS = ("random", "genetic", "nsga2", "tpe")
"""Methods that every report sets beside the one that was used, at the same budget."""

_LISTED = 20_000
"""Points of the largest space that is swept for its optimum where a family costs point by point."""

_MARGIN = 0.1
"""How far, in logarithms, the corner from which areas are measured lies beyond the worst point of any front."""

Front = list[list[float]]


def rival_rows(hardware: Hardware, candidate: Candidate, budget: int) -> dict[str, dict[str, Any]]:
    """What each method finds for a network in `budget` evaluations, and the optimum where it can be listed.

    A row has `value`, `evaluations`, `ratio` (over the optimum), `curve` (best so far; not of a sweep) and, where the
    family gives LUTs (or cycles, with LUTs as the objective), `front`. NSGA-II searches twice: for the objective, and
    (`nsga2, two figures`) for the front of both.
    """
    problem = hardware.stated(candidate)
    method, goal = hardware.config.hardware.method, hardware.goal
    pair = front_figures(problem)
    found: dict[str, dict[str, Any]] = {}
    optimum = float("nan")
    if problem.in_columns or problem.space.size <= _LISTED:
        swept = problem.sweep()
        optimum = swept.value
        found["exhaustive"] = {"value": optimum, "evaluations": len(swept.numbers), "ratio": 1.0}
        if pair:
            found["exhaustive"]["front"] = front(np.stack([swept.costs[name][swept.within] for name in pair], axis=1))
    searchers = {
        name: hardware.searcher(name, problem)
        for name in (*RIVALS, *(["agent"] if method != "agent" else []))
        if name != method
    }
    if pair:
        searchers["nsga2, two figures"] = Nsga2(problem, seed=hardware.seed, figures=pair)
    for name, searcher in searchers.items():
        history = search(searcher, budget=budget)
        best = history.best
        value = best.value if best is not None else float("nan")
        found[name] = {
            "value": value,
            "evaluations": history.evaluations,
            "ratio": goal.ratio(value, optimum),
            "curve": [float(v) for v in history.best_values()],
            "front": history_front(history, pair),
        }
    return found


def front_figures(problem: Problem) -> tuple[str, ...]:
    """The two figures of a front: the objective's and LUTs (cycles, where LUTs are the objective); () where a family
    does not give both.
    """
    figure = problem.objective.figure
    other = "luts" if figure != "luts" else "cycles"
    for number in problem.completions.valid[:3]:
        (trial,) = problem.evaluate([int(number)])
        if trial.figures:
            return (figure, other) if other in trial.figures and figure in trial.figures else ()
    return ()


def history_front(history: History, figures: Sequence[str]) -> Front:
    """The front of a history in two figures; of what may win alone."""
    return [[trial.figures[name].value for name in figures] for trial in history.front(figures)] if figures else []


def front(points: NDArray[np.float64]) -> Front:
    """The points, (rows, 2), that no other beats in both figures; the first figure grows."""
    found: Front = []
    for first, second in sorted(map(tuple, points.tolist())):
        if first > 0 and second > 0 and (not found or second < found[-1][1]):
            found.append([first, second])
    return found


def share_fronts(rows: Mapping[str, dict[str, Any]]) -> None:
    """Add `front_share` to each row: the area that its front dominates, in logarithms, as a share of the sweep's.

    Where nothing was swept it is a share of the front of all methods together.
    """
    every = [point for row in rows.values() for point in row.get("front") or []]
    if not every:
        return
    corner = np.log(np.max(every, axis=0)) + _MARGIN
    best = rows["exhaustive"]["front"] if "exhaustive" in rows else front(np.array(every))
    whole = _area(best, corner)
    for row in rows.values():
        row["front_share"] = _area(row.get("front") or [], corner) / whole


def _area(points: Front, corner: NDArray[np.float64]) -> float:
    total, height = 0.0, float(corner[1])
    for first, second in front(np.array(points).reshape(-1, 2)):
        total += (float(corner[0]) - float(np.log(first))) * (height - float(np.log(second)))
        height = float(np.log(second))
    return total
