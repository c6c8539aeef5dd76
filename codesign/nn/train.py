"""The training run: epochs, schedule, masks, best epoch on validation, and resuming after a kill to equal bytes."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from codesign.config import TrainConfig
from codesign.errors import CodesignError, ConfigError, DataError, RunError
from codesign.nn.augment import Augmenter
from codesign.nn.layers import LutLayer
from codesign.nn.losses import Score, evaluate_model, prepare_answers, training_loss
from codesign.nn.seeds import generator
from codesign.nn.store import UNFIT, read_tensors, save_model, write_tensors, write_whole
from codesign.nn.trainable import TrainableModel

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["CHECKPOINT", "EpochRecord", "Progress", "TrainResult", "train_model"]

CHECKPOINT = "checkpoint.safetensors"
"""Written after every epoch and removed at the end."""

Progress = Callable[[str, float], None]
"""Called after every epoch with a line of text and the share of the run that is done."""


@dataclass(frozen=True)
class EpochRecord:
    """One epoch: mean training loss, validation loss and figure (accuracy; RMSE for regression), and if it is best."""

    epoch: int
    learning_rate: float
    train_loss: float
    validation_loss: float
    validation_figure: float
    best: bool


@dataclass(frozen=True)
class TrainResult:
    """A finished run: the model holds the best epoch's parameters and is in evaluation mode on the CPU.

    figure: of the best epoch on validation rows. samples_per_s: training rows a second in this process, evaluation
    left out; NaN where every epoch had been trained before.
    """

    model: TrainableModel
    history: tuple[EpochRecord, ...]
    best_epoch: int
    figure: float
    stopped_early: bool
    samples_per_s: float


@dataclass
class _State:
    """What changes from epoch to epoch and must survive a kill."""

    history: list[EpochRecord]
    best: dict[str, Tensor]
    best_score: Score | None = None
    best_epoch: int = 0


def train_model(
    model: TrainableModel,
    data: DataSet,
    *,
    config: TrainConfig,
    folder: Path,
    seed: int,
    progress: Progress | None = None,
) -> TrainResult:
    """Train, keeping the best epoch on the validation rows, and write the model and history.json into `folder`.

    A checkpoint found in `folder` is continued; the end has the same bytes as an uninterrupted run. One of another
    configuration is a RunError, a damaged one a DataError naming it. A loss that is not finite stops the run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _threads(config.threads):
        return _Run(model, data, config=config, folder=folder, seed=seed, progress=progress).run()


class _Run:
    """One training run in progress."""

    def __init__(
        self,
        model: TrainableModel,
        data: DataSet,
        *,
        config: TrainConfig,
        folder: Path,
        seed: int,
        progress: Progress | None,
    ):
        if len(data.x_train) < 2 or len(data.x_validation) < 1:
            raise DataError(
                f"data {data.name!r} must have at least 2 training rows and 1 validation row, "
                f"not {len(data.x_train)} and {len(data.x_validation)}"
            )
        self.device = _device(config.device)
        self.model = model.to(self.device)
        self.data = data
        self.config = config
        self.folder = folder
        self.seed = seed
        self.progress = progress
        prepared = model.prepare(data.x_train)
        self.augmenter: Augmenter | None = None
        if config.augment.active:
            self.augmenter = Augmenter(config.augment, data, encoder=model.encoder, prepared=prepared, seed=seed)
        self.x = prepared.to(self.device)
        self.y = prepare_answers(model, data, data.y_train).to(self.device)
        self.batches = math.ceil(len(self.x) / config.batch_size)
        self.total_steps = self.batches * config.epochs
        model.fix_temperature(config.logit_temperature)
        self.optimizer = _optimizer(model, config)
        self.key = _run_key(model, data, config, seed)
        self.state = _State([], {})
        self.seconds = 0.0
        self.rows = 0

    def run(self) -> TrainResult:
        """Train the epochs that are left, then write the result."""
        path = self.folder / CHECKPOINT
        if path.exists():
            self._resume(path)
        stopped = self._stops()
        with _board(self.config, self.folder) as board:
            while len(self.state.history) < self.config.epochs and not stopped:
                record = self._epoch(len(self.state.history) + 1)
                board(record)
                self._checkpoint(path)
                stopped = self._stops()
                if self.progress is not None:
                    self.progress(_line(record, self.config.epochs, self.model), record.epoch / self.config.epochs)
        try:
            self.model.load_state_dict(self.state.best)
        except RuntimeError as problem:
            raise DataError(f"{path} does not fit the model that it is of ({problem}); delete it") from None
        if self.state.best_score is None:
            raise DataError(f"{path} does not fit the model that it is of (no epoch was best); delete it")
        self.model.cpu().eval()
        save_model(self.model, self.folder)
        history = {"task": self.model.spec.task, "epochs": [asdict(r) for r in self.state.history]}
        history |= {"best_epoch": self.state.best_epoch, "stopped_early": stopped}
        write_whole(self.folder / "history.json", (json.dumps(history, indent=2) + "\n").encode())
        path.unlink(missing_ok=True)
        return TrainResult(
            self.model,
            tuple(self.state.history),
            self.state.best_epoch,
            self.state.best_score.figure,
            stopped,
            self.rows / self.seconds if self.seconds else math.nan,
        )

    def _stops(self) -> bool:
        done = len(self.state.history)
        patience = self.config.patience
        if patience is None or self.state.best_score is None:
            return False
        return done < self.config.epochs and done - self.state.best_epoch >= patience

    def _settled(self, epoch: int) -> bool:
        """Say whether the sources of all layers have settled at the end of an epoch, so that it may be the best."""
        masks = (layer.mask for layer in self.model.lut_layers())
        return all(mask.settled(epoch * self.batches, self.total_steps) for mask in masks)

    def _epoch(self, epoch: int) -> EpochRecord:
        started = time.perf_counter()
        order = torch.randperm(len(self.x), generator=generator(self.seed, "order", epoch)).to(self.device)
        total = torch.zeros((), dtype=torch.float64, device=self.device)
        self.model.train()
        if self.augmenter is not None:
            self.x = self.augmenter.epoch(epoch).to(self.device)
        with _global_seed(self.seed, epoch, self.device):
            for batch, rows in enumerate(order.tensor_split(self.batches)):
                loss = self._step((epoch - 1) * self.batches + batch + 1, rows)
                total += loss.detach().double() * len(rows)
        train_loss = float(total) / len(self.x)
        if not math.isfinite(train_loss) or not all(bool(p.isfinite().all()) for p in self.model.parameters()):
            raise CodesignError(
                f"training must keep the loss finite, but it became {train_loss} in epoch {epoch} "
                f"(learning_rate {self.config.learning_rate:g}, batch_size {self.config.batch_size}); "
                "lower train.learning_rate, or look for extreme values in the data"
            )
        self.seconds += time.perf_counter() - started
        self.rows += len(self.x)
        self.model.eval()
        score = evaluate_model(self.model, self.data, self.data.x_validation, self.data.y_validation)
        # Where sources are learned, the tables go on settling in after the freeze: of equals, the later is ahead.
        ties = any(layer.mask.wants == "pins" for layer in self.model.lut_layers())
        best = self._settled(epoch) and score.better_than(self.state.best_score, self.model.spec.task, ties=ties)
        if best:
            self.state.best_score, self.state.best_epoch = score, epoch
            self.state.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        rate = self.optimizer.param_groups[0]["lr"]
        record = EpochRecord(epoch, rate, train_loss, score.loss, score.figure, best)
        self.state.history.append(record)
        return record

    def _step(self, step: int, rows: Tensor) -> Tensor:
        """Take one optimizer step on the given rows, then let the masks change; return the loss."""
        for group in self.optimizer.param_groups:
            group["lr"] = _rate(self.config, step, self.total_steps) * group["factor"]
        due = [layer for layer in self.model.lut_layers() if layer.mask.due(step, self.total_steps)]
        for layer in due:
            layer.start_capture()
        self.optimizer.zero_grad(set_to_none=True)
        values = self.model(self.x[rows])
        loss = training_loss(
            self.model.spec.task,
            values,
            self.y[rows],
            gain=self.model.logit_gain,
            step=self.model.output_step(),
            boundary=self.model.output_boundary() if values.shape[1] == 1 else 0.0,
            label_smoothing=self.config.label_smoothing,
        )
        loss.backward()
        self.optimizer.step()
        for layer in self.model.lut_layers():
            layer.after_step()
        for layer in due:
            self._change_sources(layer, step)
        return loss

    def _change_sources(self, layer: LutLayer, step: int) -> None:
        with torch.no_grad():
            started = layer.take_sources(layer.mask.next(layer.view(step, self.total_steps)))
        layer.capture = None
        for parameter, entries in started:
            for value in self.optimizer.state.get(parameter, {}).values():
                if isinstance(value, Tensor) and value.shape == parameter.shape:
                    value[entries] = 0.0

    # ---- surviving a kill

    def _checkpoint(self, path: Path) -> None:
        tensors = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.state.best.items()}
        for index, values in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": value for key, value in values.items()}
        for index, layer in enumerate(self.model.lut_layers()):
            tensors |= {f"mask.{index}.{key}": value for key, value in layer.mask.training_state().items()}
        score = self.state.best_score
        header = {
            "key": self.key,
            "history": [asdict(record) for record in self.state.history],
            "best_epoch": self.state.best_epoch,
            "best_score": None if score is None else asdict(score),
        }
        write_tensors(path, tensors, header)

    def _resume(self, path: Path) -> None:
        mend = "delete it to train from the start"
        tensors, header = read_tensors(path, what="training checkpoint", mend=mend)
        if header.get("key") != self.key:
            raise RunError(f"{path} belongs to another configuration, data set or seed; {mend}")
        try:
            self._take(tensors, header)
        except UNFIT as problem:
            raise DataError(f"{path} does not fit the model that it is of ({problem}); {mend}") from None

    def _take(self, tensors: dict[str, Tensor], header: dict[str, Any]) -> None:
        """Go on from a checkpoint's content; one of UNFIT where it is not ours."""
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}, "mask": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        self.model.load_state_dict(parts["model"])
        state = _by_index(parts["optimizer"])
        parameters = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        for index, kept in state.items():
            for name, value in kept.items():
                wanted = () if name == "step" else tuple(parameters[index].shape)
                if tuple(value.shape) != wanted or not bool(value.isfinite().all()):
                    raise ValueError(f"{name} of parameter {index} must be finite and of shape {wanted}")
                if name == "exp_avg_sq" and bool((value < 0).any()):
                    raise ValueError(f"{name} of parameter {index} is a mean of squares and must not be negative")
        if not all(bool(parameter.isfinite().all()) for parameter in parameters):
            raise ValueError("a parameter is not finite")
        for index, kept in _by_index(parts["mask"]).items():
            self.model.lut_layers()[index].mask.restore_training(kept)
        self.optimizer.load_state_dict({"state": state, "param_groups": self.optimizer.state_dict()["param_groups"]})
        history = [EpochRecord(**record) for record in header["history"]]
        best = {k: v.to(self.device) for k, v in parts["best"].items()}
        score = None if header["best_score"] is None else Score(**header["best_score"])
        self.state = _State(history, best, score, int(header["best_epoch"]))
        numbers = [value for record in header["history"] for name, value in record.items() if name != "best"]
        numbers += [] if score is None else [score.loss, score.figure]
        if not all(isinstance(value, int | float) for value in numbers):  # no score yet: masks that are still learned
            raise ValueError("its record of the epochs is not whole")


# ---- parts


def _by_index(tensors: dict[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    """Split names like `3.step` into {3: {"step": ...}}."""
    out: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        out.setdefault(int(index), {})[key] = tensor
    return out


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("train.device is 'cuda', but torch finds no CUDA device; use 'auto' or 'cpu'")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def _optimizer(model: TrainableModel, config: TrainConfig) -> torch.optim.Optimizer:
    """Adam or AdamW; weight decay acts on weights, never on scales, thresholds or batch norms."""
    decayed = model.decayed_parameters()
    taken = {id(p) for p in decayed}
    others = [p for p in model.parameters() if id(p) not in taken and p.requires_grad]
    tables = model.table_entries()
    own = {id(p) for p in tables}
    if config.table_learning_rate is not None and not tables:
        raise ConfigError("train.table_learning_rate is for layers of neuron 'lut', and the topology has none")
    factor = (config.table_learning_rate or config.learning_rate) / config.learning_rate
    groups = [
        {"params": [p for p in decayed if id(p) not in own], "weight_decay": config.weight_decay, "factor": 1.0},
        {"params": tables, "weight_decay": config.weight_decay, "factor": factor},
        {"params": others, "weight_decay": 0.0, "factor": 1.0},
    ]
    kind = torch.optim.AdamW if config.optimizer == "adamw" else torch.optim.Adam
    return kind([g for g in groups if g["params"]], lr=config.learning_rate)


def _rate(config: TrainConfig, step: int, total: int) -> float:
    """Return the learning rate of step `step` (from 1): constant, or half a cosine down to a thousandth."""
    if config.schedule == "constant":
        return config.learning_rate
    wave = 0.5 * (1 + math.cos(math.pi * (step - 1) / max(1, total)))
    return config.learning_rate * (0.001 + 0.999 * wave)


def _run_key(model: TrainableModel, data: DataSet, config: TrainConfig, seed: int) -> str:
    """Digest of all that decides the outcome."""
    settings: dict[str, Any] = {
        "spec": asdict(model.spec),
        "train": config.model_dump(mode="json", exclude={"tensorboard"}),
        "seed": seed,
    }
    state = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for array in (data.x_train, data.y_train, data.x_validation, data.y_validation):
        state.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
    return state.hexdigest()


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        if count is not None:
            torch.set_num_threads(before)


@contextmanager
def _global_seed(seed: int, epoch: int, device: torch.device) -> Iterator[None]:
    """Seed torch's global generator for one epoch, for user modules that draw from it, and restore it after."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(generator(seed, "global", epoch).initial_seed())
        yield


@contextmanager
def _board(config: TrainConfig, folder: Path) -> Iterator[Callable[[EpochRecord], None]]:
    """Open TensorBoard's log, where it is asked for."""
    if not config.tensorboard:
        yield lambda record: None
        return
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        raise ConfigError(
            "train.tensorboard is on, but tensorboard is not installed; "
            "set it to false, or: pip install 'codesign[train]'"
        ) from None
    writer = SummaryWriter(str(folder / "tensorboard"))

    def note(record: EpochRecord) -> None:
        for name in ("learning_rate", "train_loss", "validation_loss", "validation_figure"):
            writer.add_scalar(name, getattr(record, name), record.epoch)
        writer.flush()

    try:
        yield note
    finally:
        writer.close()


def _line(record: EpochRecord, epochs: int, model: TrainableModel) -> str:
    name = "accuracy" if model.spec.task == "classification" else "RMSE"
    return (
        f"epoch {record.epoch}/{epochs}: loss {record.train_loss:.4f}, validation loss {record.validation_loss:.4f}, "
        f"validation {name} {record.validation_figure:.4f}{' (best)' if record.best else ''}"
    )
