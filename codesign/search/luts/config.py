"""What a search of LUT networks may say, beside what every search file says: the section `network.options`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from codesign.config import DataConfig, InputsConfig, Number, RtlConfig, Section, TrainConfig, Whole, check_mapping
from codesign.errors import did_you_mean

__all__ = ["LIMITS", "LutSearchConfig", "LutSearchOptions"]

LIMITS = ("luts", "ffs", "cycles", "address_bits")
"""Figures that a search of LUT networks can hold under a limit."""

_Count = Annotated[Whole, Field(gt=0)]


class LutSearchOptions(Section):
    """How to search; the numbers of epochs are passes over the training rows, whatever trains."""

    inputs: InputsConfig = InputsConfig()
    """How features become codes; `input_bits` is a choice of the space."""
    registers_every: Annotated[list[_Count], Field(min_length=1)] = [1]
    """Candidates of the hardware: a register after every so many stages."""
    epochs: _Count = 12
    """Of the super-network."""
    warm_up: Annotated[Number, Field(ge=0, lt=1)] = 0.4
    """Share of those in which networks are drawn uniformly and nothing is preferred."""
    hold: Literal["projection", "penalty"] = "projection"
    """`projection`: the most probable network keeps every limit after every step; `penalty`: the usual soft one."""
    cost_weight: Annotated[Number, Field(ge=0)] = 0.1
    """What a factor of e in LUTs is worth, in points of accuracy."""
    fill: Annotated[Number, Field(ge=0, lt=1)] = 0.75
    """Least share of the LUT limit that a network must use: within a limit LUTs are free, and in shared tables, which
    train for few epochs, larger networks look worse than they are. 0 looks for small networks too."""
    margin: Annotated[Number, Field(ge=0, lt=1)] | None = None
    """Share of the LUT and flip-flop limits that is kept free, since both are predicted; None: one deviation of the
    calibration's held-out error."""
    rungs: list[_Count] = [6]
    """Epochs of each rung of successive halving, on networks trained by themselves, each time with a whole schedule of
    the learning rate; the finalists' training is the last rung. [] leaves it out."""
    candidates: _Count = 9
    """Networks on its first rung."""
    keep: Annotated[Number, Field(gt=0, lt=1)] = 0.34
    """Share of the candidates that goes on to the next rung."""
    finalists: _Count = 2
    """Networks that are trained in full and realised; the best on the validation rows within all limits wins."""
    drawn: _Count = 48
    """Networks drawn from the distribution at the end, to choose the candidates from."""

    @model_validator(mode="after")
    def _grow(self) -> LutSearchOptions:
        if self.rungs != sorted(set(self.rungs)):
            raise ValueError(f"rungs must grow, not {self.rungs}")
        return self

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> LutSearchOptions:
        """Read the section `network.options`; a ConfigError names every key that is wrong."""
        return check_mapping(cls, options, where="network.options")


class LutSearchConfig(Section):
    """A whole search of LUT networks: what `search_luts` takes."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")] = "luts"
    seed: Annotated[Whole, Field(ge=0)] = 0
    device: str = "xcvu9p"
    space: str
    """A network space of kind `tables`: its name, or the path of its YAML file."""
    figure: Literal["accuracy", "luts"] = "accuracy"
    """`accuracy`: the most accurate network within the limits; `luts`: the smallest one that is nearly as accurate."""
    within: Annotated[Number, Field(ge=0)] = 0.5
    """With figure `luts`: points of validation accuracy that it may be behind the most accurate one, which is
    searched first."""
    limits: dict[str, Annotated[Number, Field(gt=0)]]
    """The most that luts, ffs, cycles and address_bits may be."""
    data: DataConfig
    train: TrainConfig = TrainConfig()
    """Of every network that is trained by itself; the method of `sparsity` is a choice of the space."""
    rtl: RtlConfig = RtlConfig()
    options: LutSearchOptions = LutSearchOptions()
    until: Literal["synth", "report"] = "synth"
    """The last stage of each network that is built."""
    vectors: _Count | None = 200
    """Test rows that the Verilog is simulated with; None for all."""

    @model_validator(mode="after")
    def _known(self) -> LutSearchConfig:
        for name in self.limits:
            if name not in LIMITS:
                raise ValueError(f"limits: no figure {name!r}.{did_you_mean(name, LIMITS)} Known: {', '.join(LIMITS)}")
        return self
