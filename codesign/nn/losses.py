"""Losses and figures of merit: one for training (with gradients), one for the exact codes of evaluation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from codesign.errors import DataError
from codesign.nn.trainable import TrainableModel

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["Score", "evaluate_model", "prepare_answers", "training_loss"]


@dataclass(frozen=True)
class Score:
    """Loss, and accuracy (classification) or root mean squared error in the targets' own unit (regression)."""

    loss: float
    figure: float

    def better_than(self, other: Score | None, task: str, *, ties: bool = False) -> bool:
        """Higher accuracy (lower error for regression) is better; on a tie the lower loss, or with `ties` always."""
        if other is None:
            return True
        if task == "regression":
            return self.loss < other.loss
        if ties and self.figure == other.figure:
            return True
        return (self.figure, -self.loss) > (other.figure, -other.loss)


def prepare_answers(model: TrainableModel, data: DataSet, y: NDArray) -> Tensor:
    """Turn answers into what the loss takes: class indices int64 (rows,), or scaled targets float32 (rows, outputs)."""
    if model.spec.task == "regression":
        scaled = (np.asarray(y, dtype=np.float64) - float(model.target_mean)) / float(model.target_spread)
        return torch.from_numpy(scaled.reshape(len(scaled), -1).astype(np.float32))
    classes = np.asarray(y)
    if classes.size and (classes.min() < 0 or classes.max() >= data.answers):
        raise DataError(
            f"data {data.name!r}: classes must be 0 to {data.answers - 1}, not {classes.min()} to {classes.max()}"
        )
    return torch.from_numpy(classes.astype(np.int64))


def training_loss(
    task: str,
    values: Tensor,
    wanted: Tensor,
    *,
    gain: Tensor,
    step: Tensor | float,
    boundary: float = 0.0,
    label_smoothing: float = 0.0,
) -> Tensor:
    """Mean loss of outputs' values (batch, outputs): cross entropy on values times `gain`, or mean squared error.

    step: between neighbouring values. On a tie the hardware answers with the lowest class, so each class but the
    first gives way by less than a step: the largest logit is then always the hardware's answer. boundary: of one
    output, the value where the classes meet.
    """
    if task == "regression":
        return F.mse_loss(values, wanted.to(values.dtype))
    if values.shape[1] == 1:
        logits = (values - boundary) * gain.abs()
        soft = wanted.to(values.dtype) * (1 - label_smoothing) + label_smoothing / 2
        return F.binary_cross_entropy_with_logits(logits[:, 0], soft)
    logits = values * gain.abs()
    classes = torch.arange(values.shape[1], device=values.device, dtype=values.dtype)
    logits = logits - classes * (gain.abs() * step / values.shape[1])
    return F.cross_entropy(logits, wanted, label_smoothing=label_smoothing)


@torch.no_grad()
def evaluate_model(model: TrainableModel, data: DataSet, x: NDArray, y: NDArray) -> Score:
    """Score the exact codes that the hardware will give, on rows x with answers y."""
    values = model.answer_values(x)
    gain, step = model.logit_gain.detach().cpu().double(), model.output_step()
    boundary = model.output_boundary() if values.shape[1] == 1 else 0.0
    wanted = prepare_answers(model, data, y)
    loss = float(training_loss(model.spec.task, values, wanted, gain=gain, step=step, boundary=boundary))
    if model.spec.task == "regression":
        return Score(loss, float(np.sqrt(loss)) * float(model.target_spread))
    chosen = (values.argmax(dim=1) if values.shape[1] > 1 else values[:, 0] >= 0).numpy()
    return Score(loss, float(np.mean(chosen == np.asarray(y))))
