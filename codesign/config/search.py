"""What a search file may say: device, objective, hardware half, network half, their alternation, realisation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from codesign.config.models import DataConfig, Flag, Number, Section, TrainConfig, Whole

__all__ = [
    "HardwareConfig",
    "LoopConfig",
    "NetworkConfig",
    "ObjectiveConfig",
    "RealiseConfig",
    "SearchConfig",
]

_Count = Annotated[Whole, Field(gt=0)]
_Positive = Annotated[Number, Field(gt=0)]


class ObjectiveConfig(Section):
    """What is made small, and what may not be exceeded."""

    figure: str = "edp"
    """latency, energy, edp, cycles, interval, luts, or any figure that the family gives. Of LUT networks: accuracy, or
    luts for the smallest network that is nearly as accurate."""
    limits: dict[str, _Positive] = {}
    """The most that a figure may be, such as {luts: 60000, latency: 50} (us; of a family of one's own by the names that
    it gives); checked again with what was synthesised or simulated."""


class HardwareConfig(Section):
    """The hardware half: which accelerators there are, and how they are searched."""

    space: str = "engine-agent"
    """A space that ships with codesign, or the YAML file of one's own (of a family of one's own, too)."""
    method: Literal["agent", "genetic", "nsga2", "tpe", "random", "exhaustive", "default"] = "agent"
    """`default` switches this half off: the default accelerator is kept."""
    evaluations: _Count = 300
    """Accelerators that may be costed, each once a network, those of the agent's training included."""
    default: dict[str, int | bool | str] | None = None
    """The default accelerator; None: the committed one of the device (of the engine)."""
    time_limit_s: _Positive | None = None
    """Of one call of a family's cost function; a call that takes longer is a failed evaluation."""


class NetworkConfig(Section):
    """The network half: which networks there are, and how they are searched."""

    space: str | None = None
    """A network space that ships with codesign, or the YAML file of one's own; None with a `file`."""
    file: Path | None = None
    """One fixed network, as the hardware's family reads it, in place of a space."""
    method: Literal["gradient", "evolution", "random", "reference"] = "gradient"
    """`reference` switches this half off: the reference network is kept."""
    accuracy: Literal["cifar10", "cifar100", "imagenet16-120"] | None = None
    """Of a space of cells: whose trained accuracies are looked up."""
    within: Annotated[Number, Field(ge=0)] = 0.5
    """A network may be this much less accurate than the reference, in points of validation accuracy; a LUT network,
    with `objective.figure: luts`, than the most accurate one, which is searched first."""
    evaluations: _Count = 100
    """Cells: validation accuracies that may be looked up. Spaces that are trained: steps of the super-network."""
    reference: str | dict[str, int | bool | str] | None = None
    """A cell, or a point of the space. None: the most accurate cell (validation) that the default accelerator runs;
    of other spaces the first candidate of every choice."""
    options: dict[str, Any] = {}
    """Further keys of the method; it refuses those that it does not know."""


class LoopConfig(Section):
    """The alternation."""

    rounds: _Count = 3
    draw: _Count = 8
    """Networks drawn from the space in each round, over which the agent is trained."""
    shortlist: _Count = 3
    """Designs that are realised in each round."""
    amortised: Annotated[Number, Field(ge=0, lt=1)] = 0.4
    """Share of `hardware.evaluations` that the agent's training over drawn networks takes."""


class RealiseConfig(Section):
    """How the shortlist becomes hardware. What was not realised is never the result."""

    images: _Count = 4
    """Inputs that the Verilog is simulated with, bit for bit (for a network that is trained: test images)."""
    synth: Flag = True
    """Synthesise with yosys, and hold the limits against what it counts."""
    route: Flag = False
    """Place and route with nextpnr (ECP5, iCE40); time is then at the routed clock."""
    build: Flag = True
    """false: for a family that is a cost function alone; the result is then said to be costed, not built."""


class SearchConfig(Section):
    """One `cods search` file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    family: Literal["engine", "own", "pipeline"] = "engine"
    """What is searched: accelerators for networks (`engine`; `own` is what it becomes where `hardware.space` is of a
    family of one's own), or LUT networks that are hardware themselves (`pipeline`)."""
    seed: Annotated[Whole, Field(ge=0, lt=2**31)] = 0
    device: str = "ecp5-85f"
    objective: ObjectiveConfig = ObjectiveConfig()
    hardware: HardwareConfig = HardwareConfig()
    network: NetworkConfig
    loop: LoopConfig = LoopConfig()
    realise: RealiseConfig = RealiseConfig()
    data: DataConfig | None = None
    """Of network spaces that are trained."""
    train: TrainConfig = TrainConfig()
    """Of each network of the shortlist, where networks are trained."""
    table: Flag = False
    """Make the 2 x 2: network and hardware, each searched or not, at equal numbers of evaluations."""
    rivals: Flag = True
    """Search the hardware of the found network with the other methods too, at the same budget."""
    storage: str = "journal"
    """Where jobs and their outcomes live: `journal` (in the run folder), postgresql://..., grpc://..."""

    @model_validator(mode="after")
    def _consistent(self) -> SearchConfig:
        network = self.network
        if (network.space is None) == (network.file is None):
            raise ValueError("network: give either `space` or `file`")
        if network.file is not None and network.method != "reference":
            raise ValueError("network.method: with `file` there is one network: write `method: reference`")
        if self.family != "pipeline" and network.method == "reference" and self.hardware.method == "default":
            raise ValueError("hardware.method is default and network.method is reference: there is nothing to search")
        return self
