"""All LUT networks of a space in one set of shared tables: a path names the network that a step trains.

A table keeps real entries for every source width. A smaller fan-in reads the mean over the pins that it leaves out, a
narrower layer its first tables, fewer bits a coarser grid of the same entries. Which signals a pin reads is learned as
in `codesign.nn.LearnedMask`: a score for every signal, stepped by the pin's gradient.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from codesign.config import InputsConfig, TrainConfig
from codesign.errors import ConfigError
from codesign.nn.free_tables import default_temperature, entry_codes, look_up
from codesign.nn.inputs import fit_encoder
from codesign.nn.layers import LayerShape
from codesign.nn.learned_sources import PinCapture, best_distinct
from codesign.nn.losses import training_loss
from codesign.nn.seeds import generator
from codesign.search.luts.content import RawLayer, TableCodes
from codesign.search.networks.space import Point
from codesign.search.networks.tables import TableSpace

if TYPE_CHECKING:
    from codesign.data import DataSet

__all__ = ["LutSuperNet", "SharedTables", "encoded"]

_START = 0.1
"""Scores start evenly spread from 0 to this, as those of `LearnedMask` do."""


def encoded(
    space: TableSpace, data: DataSet, *, inputs: InputsConfig, rows: tuple[int, int]
) -> dict[int, tuple[Tensor, Tensor]]:
    """Return the codes (signals, rows) of training and validation rows for every candidate of input_bits.

    rows: at most so many of each split, the first ones (splits are shuffled already). Learned thresholds stand where
    they start; they move when the network that was found is trained by itself.
    """
    found: dict[int, tuple[Tensor, Tensor]] = {}
    point = {knob.name: knob.values[0] for knob in space.choices.knobs}
    for bits in space.file.input_bits:
        topology = space.topology({**point, **_legal_start(space, bits)})
        encoder = fit_encoder(inputs, data, topology=topology, quantizer="brevitas", quantizer_options={})
        both = (data.x_train[: rows[0]], data.x_validation[: rows[1]])
        dtype = torch.uint8 if topology.signal_bits(0) <= 8 else torch.int32
        train, validation = (encoder.codes(x).to(dtype).contiguous() for x in both)
        found[bits] = (train, validation)
    return found


def _legal_start(space: TableSpace, bits: int) -> dict[str, int]:
    """Choices of some legal network with so many input bits."""
    rng = np.random.default_rng(0)
    for _ in range(1000):
        point = {**space.draw(rng=rng), "input_bits": bits}
        if not space.refusal(point):
            return {name: int(value) for name, value in point.items() if name != "sparsity"}
    raise ConfigError(f"network space {space.name!r}: no legal network has input_bits {bits}; leave that out")


@dataclass
class _Pick:
    """One layer of a path in training: which shared tables, their sources, and what receives their pins' gradient."""

    shared: SharedTables
    tables: Tensor
    pins: int
    signals: int
    capture: PinCapture


class SharedTables(nn.Module):
    """The tables of one layer for all candidates.

    answers: groups of tables, of which a path takes the first ones (1 for a hidden layer); width: tables of a group;
    fan_in: for every width of a source, the most pins that are legal.
    """

    scores: Tensor

    def __init__(
        self,
        name: str,
        *,
        groups: int,
        width: int,
        fan_in: Mapping[int, int],
        signals: int,
        usable: Tensor | None,
        draws: torch.Generator,
    ):
        super().__init__()
        self.name, self.groups, self.width, self.fan_in = name, groups, width, dict(fan_in)
        self.most = max(fan_in.values())
        count = groups * width
        self.entries = nn.ParameterDict(
            {
                str(bits): nn.Parameter(torch.rand(count, 1 << (bits * pins), generator=draws) * 2 - 1)
                for bits, pins in fan_in.items()
            }
        )
        scores = torch.rand(count * self.most, signals, generator=draws) * _START
        if usable is not None and int(usable.sum()) >= self.most:
            scores[:, ~usable] = -torch.inf
        self.register_buffer("scores", scores)

    def tables(self, each: int) -> Tensor:
        """Numbers of the first `each` tables of every group."""
        return (torch.arange(self.groups)[:, None] * self.width + torch.arange(each)[None]).reshape(-1)

    def sources(self, tables: Tensor, pins: int, signals: int) -> Tensor:
        """The signal that each of the first `pins` pins reads among the first `signals`, (tables, pins)."""
        own = self.scores.view(-1, self.most, self.scores.shape[1])[tables, :pins, :signals]
        return best_distinct(own.reshape(len(tables) * pins, signals), pins)

    def read(self, tables: Tensor, pins: int, bits: int) -> Tensor:
        """Entries (tables, 2**(pins * bits)), differentiable: means over the pins that are left out."""
        entries = self.entries[str(bits)]
        if len(tables) < len(entries):
            entries = entries[tables]
        return entries.view(len(tables), -1, 1 << (pins * bits)).mean(1) if pins < self.fan_in[bits] else entries


def check_space(space: TableSpace) -> None:
    """Refuse a space whose networks cannot share tables: another kind of neuron than `lut`, no classification, or
    several ways to choose sources, which shared tables cannot tell apart.
    """
    file = space.file
    for where, layer in [*((f"layers.{i}", one) for i, one in enumerate(file.layers)), ("last", file.last)]:
        if layer.neuron != "lut":
            raise ConfigError(
                f"network space {space.name!r}: {where}.neuron must be lut, free tables, which alone can be shared "
                f"between the networks of a search, not {layer.neuron!r}; other kinds are trained one network at a "
                "time, by `cods build` or `cods sweep`"
            )
    if file.task != "classification":
        raise ConfigError(f"network space {space.name!r}: the gradient search is for classification")
    if len(file.sparsity) > 1:
        raise ConfigError(
            f"network space {space.name!r}: sparsity must be one way to choose sources, not "
            f"{', '.join(file.sparsity)}: in shared tables all networks choose alike"
        )


class LutSuperNet(nn.Module):
    """All networks of a space of free tables (neuron `lut`)."""

    def __init__(self, space: TableSpace, codes: Mapping[int, tuple[Tensor, Tensor]], *, train: TrainConfig, seed: int):
        """codes: see `encoded`. Any other kind of neuron than `lut` is a ConfigError."""
        super().__init__()
        check_space(space)
        file = space.file
        self.space, self.train_config = space, train
        self.codes = dict(codes)
        thermometer = file.coding == "thermometer"
        first = {1 if thermometer else bits for bits in file.input_bits}
        signals = max(len(train_codes) for train_codes, _ in codes.values())
        usable = None
        if len(codes) == 1:
            only = next(iter(codes.values()))[0]
            usable = (only != only[:, :1]).any(dim=1)
        self.hidden = nn.ModuleList()
        before, sources = first, signals
        ends: list[tuple[set[int], int, Tensor | None]] = [(before, sources, usable)]
        for index, layer in enumerate(file.layers):
            self.hidden.append(
                SharedTables(
                    f"l{index}",
                    groups=1,
                    width=max(layer.width),
                    fan_in=_pins(layer.fan_in, before, file.max_address_bits),
                    signals=sources,
                    usable=usable if index == 0 else None,
                    draws=generator(seed, "supernet", index),
                )
            )
            before, sources = set(layer.bits), max(layer.width)
            ends.append((before, sources, None))
        self.last = nn.ModuleDict(
            {
                str(depth): SharedTables(
                    "last",
                    groups=file.answers,
                    width=max(file.last.terms),
                    fan_in=_pins(file.last.fan_in, ends[depth][0], file.max_address_bits),
                    signals=ends[depth][1],
                    usable=ends[depth][2],
                    draws=generator(seed, "supernet last", depth),
                )
                for depth in file.depth
            }
        )
        self.picks: list[_Pick] = []

    def layers(self, point: Point) -> list[tuple[SharedTables, int, int, int]]:
        """The path of a network: shared tables, tables a group, pins, bits; the last layer last."""
        depth, found = int(point["depth"]), []
        for index in range(depth):
            shared = self.hidden[index]
            assert isinstance(shared, SharedTables)
            found.append((shared, *(int(point[f"l{index}_{key}"]) for key in ("width", "fan_in", "bits"))))
        shared = self.last[str(depth)]
        assert isinstance(shared, SharedTables)
        terms = int(point.get("last_terms", 1))
        found.append((shared, terms, int(point["last_fan_in"]), int(point["last_bits"])))
        return found

    def source_bits(self, point: Point) -> int:
        """Bits of the signals that leave the encoder."""
        return 1 if self.space.file.coding == "thermometer" else int(point["input_bits"])

    def forward(self, codes: Tensor, point: Point, *, learn: bool = False) -> Tensor:
        """Sums of the answers' codes as levels, (batch, answers), of codes (signals, batch).

        learn: keep what the step of the scores needs, in `picks`.
        """
        bits, values = self.source_bits(point), None
        if learn:
            self.picks = []
        for shared, each, pins, out_bits in self.layers(point):
            tables = shared.tables(each)
            sources = shared.sources(tables, pins, len(codes))
            pick = _Pick(shared, tables, pins, len(codes), PinCapture())
            ratio = None if values is None else torch.ones(1 << bits)
            values = look_up(
                shared.read(tables, pins, bits),
                codes,
                sources,
                bits=(bits, out_bits),
                values=values,
                ratio=ratio,
                capture=pick.capture if learn else None,
            )
            if learn:
                self.picks.append(pick)
            bits = out_bits
            codes = ((values.detach() + 1) * ((2**bits - 1) / 2) + 0.5).to(torch.uint8 if bits <= 8 else torch.int32)
        assert values is not None
        return values.view(self.space.file.answers, -1, values.shape[1]).sum(1).t()

    def loss(self, values: Tensor, wanted: Tensor, point: Point) -> Tensor:
        """The training loss of answers' values, as `train_model` has it for a network of free tables."""
        terms, bits = int(point.get("last_terms", 1)), int(point["last_bits"])
        shape = LayerShape("last", 1, 1, 1, 1, bits, terms, bits, last=True)
        temperature = self.train_config.logit_temperature or default_temperature(shape)
        step = 2.0 / (2**bits - 1)
        gain = torch.tensor(1.0 / (step * temperature))
        boundary = 0.0
        if values.shape[1] == 1:  # the first level of the sum that is not negative is the second class
            boundary = 0.0 if (terms * (2**bits - 1)) % 2 else -step / 2
        return training_loss(
            "classification",
            values,
            wanted,
            gain=gain,
            step=step,
            boundary=boundary,
            label_smoothing=self.train_config.label_smoothing,
        )

    @staticmethod
    def right(values: Tensor, wanted: Tensor) -> Tensor:
        """Which rows the discrete network answers rightly; on a tie the lowest class, as in hardware."""
        chosen = values.argmax(dim=1) if values.shape[1] > 1 else (values[:, 0] > -1e-4).to(torch.int64)
        return chosen == wanted

    @torch.no_grad()
    def raw_layers(self, point: Point, codes: Tensor) -> list[RawLayer]:
        """The tables of a network as they are now, for `codesign.search.luts.content`."""
        found: list[RawLayer] = []
        bits, signals = self.source_bits(point), len(codes)
        for shared, each, pins, out_bits in self.layers(point):
            tables = shared.tables(each)
            sources = shared.sources(tables, pins, signals)
            held = entry_codes(shared.read(tables, pins, bits), out_bits).numpy().astype(np.int32)
            found.append(RawLayer(shared.name, sources.numpy(), held, bits, out_bits))
            bits, signals = out_bits, len(tables)
        return found


def step_scores(net: LutSuperNet, optimizers: Mapping[str, torch.optim.Optimizer]) -> None:
    """Step the scores of the tables and pins of the last path, by what their captures received."""
    for key, shared in named_tables(net):
        pick = next((one for one in net.picks if one.shared is shared), None)
        if pick is None or pick.capture.grad is None:
            continue
        grad = torch.zeros_like(shared.scores).view(-1, shared.most, shared.scores.shape[1])
        grad[pick.tables, : pick.pins, : pick.signals] = pick.capture.grad.view(len(pick.tables), pick.pins, -1)
        shared.scores.grad = grad.view_as(shared.scores)
        optimizers[key].step()
        shared.scores.grad = None


def named_tables(net: LutSuperNet) -> list[tuple[str, SharedTables]]:
    """All shared tables with a name each."""
    found: list[tuple[str, SharedTables]] = [
        (f"l{i}", one) for i, one in enumerate(net.hidden) if isinstance(one, SharedTables)
    ]
    return found + [(f"last{d}", one) for d, one in net.last.items() if isinstance(one, SharedTables)]


def _pins(fan_ins: Sequence[int], bits: set[int], most: int) -> dict[int, int]:
    """For every width of a source, the most pins that a legal table has; widths that no fan-in allows are left out."""
    found = {one: max((f for f in fan_ins if f * one <= most), default=0) for one in sorted(bits)}
    return {one: pins for one, pins in found.items() if pins}


def codes_of_path(net: LutSuperNet, point: Point, codes: Tensor) -> list[TableCodes]:
    """The codes that enter every layer of a network, (rows, signals)."""
    found: list[NDArray[np.int32]] = []
    with torch.no_grad():
        for layer in net.raw_layers(point, codes):
            found.append(codes.t().numpy().astype(np.int32))
            address = np.zeros((codes.shape[1], len(layer.sources)), dtype=np.int64)
            for pin in range(layer.sources.shape[1]):
                address |= found[-1][:, layer.sources[:, pin]].astype(np.int64) << (pin * layer.source_bits)
            out = np.take_along_axis(layer.tables.T, address, axis=0)
            codes = torch.from_numpy(np.ascontiguousarray(out.T))
    return found
