"""Successive halving over real training: candidates train by themselves, the better ones for more epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codesign.config import BuildConfig
from codesign.nn import build_model, train_model
from codesign.rundir import digest_json, read_json, write_json
from codesign.search.evolution.halving import Halving, successive_halving

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["Trainer", "halve"]


@dataclass
class Trainer:
    """Trains build files for so many epochs; `builds` by candidate. `rows` counts the training rows.

    `folder` keeps finished trainings under a digest of build file and epochs: what changed is trained anew.

    Each rung is a training of its own, with a whole schedule of the learning rate: in the middle of a long schedule
    the rate is still high and learned sources are unsettled (docs/search_luts.md). What is trained anew is counted.
    """

    builds: Mapping[int, BuildConfig]
    data: DataSet
    folder: Path
    rows: int = 0

    def __call__(self, candidate: int, start: int, end: int) -> float:
        """Train for `end` epochs; return the validation accuracy of the best. A finished training is read."""
        build, data = self.builds[candidate], self.data
        folder = self.folder / digest_json([build.model_dump(mode="json"), end])[:16]
        record = folder / "accuracy.json"
        self.rows += end * len(data.x_train)
        if record.is_file():
            return float(read_json(record))
        topology = build.topology.topology(build.name, inputs=data.inputs, answers=data.answers, task=data.task)
        config = build.train.model_copy(update={"epochs": end})
        model = build_model(topology, inputs=build.inputs, train=config, data=data, seed=build.seed)
        result = train_model(model, data, config=config, folder=folder, seed=build.seed)
        write_json(record, result.figure)
        return result.figure


def halve(
    builds: Sequence[BuildConfig],
    data: DataSet,
    *,
    rungs: Sequence[int],
    keep: float,
    folder: Path,
    progress: Callable[[str], Any] | None = None,
) -> tuple[Halving[int], Trainer]:
    """Train builds on the rungs; candidates are their positions. What `folder` holds already is not trained again."""
    trainer = Trainer(dict(enumerate(builds)), data, folder)

    def train(candidate: int, start: int, end: int) -> float:
        accuracy = trainer(candidate, start, end)
        if progress is not None:
            progress(f"candidate {candidate}: {accuracy:.4f} after {end} epochs")
        return accuracy

    return successive_halving(range(len(builds)), train, epochs=rungs, keep=keep), trainer
