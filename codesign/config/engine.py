"""What a build configuration of the family `engine` may say: the network, the accelerator's point, its simulation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from codesign.config.maps import ConvTopologyConfig
from codesign.config.models import Flag, Number, RunConfig, Section, SynthConfig, Whole

__all__ = ["EngineBuildConfig", "EngineConfig", "EngineSimulateConfig"]

_NEEDED = ("pe", "simd", "weight_bits", "activation_bits")


class EngineConfig(Section):
    """One configuration of the engine: its settings, or a device's committed default. docs/engine.md has the rules.

    A setting that is left out has the default of `codesign.accel.engine.EnginePoint`; nothing is rounded or replaced.
    """

    default: str | None = None
    """A device whose default accelerator is taken, in place of all settings."""
    pe: Whole | None = None
    """Output channels computed at once: 1, 2, 4, ... 64."""
    simd: Whole | None = None
    """Input channels that each takes in a clock: 1, 2, 4, ... 64."""
    weight_bits: Whole | None = None
    activation_bits: Whole | None = None
    dataflow: Literal["output_stationary", "weight_stationary"] | None = None
    weights: Literal["resident", "streamed"] | None = None
    """Loaded once for the whole network, or layer by layer in every image."""
    weight_memory: Literal["lutram", "bram"] | None = None
    weight_depth: Whole | None = None
    """Words of pe * simd weights."""
    bank_depth: Whole | None = None
    """Words of simd activations in each bank."""
    banks: Whole | None = None
    psum_depth: Whole | None = None
    """Partial sums of the weight-stationary order; 0 for the other."""
    accumulator_bits: Whole | None = None
    multiplier: Literal["lut", "dsp"] | None = None
    pipeline: Whole | None = None
    """Registers between operands and accumulator, 0 to 4."""
    requantizers: Whole | None = None
    """Sums that are brought to few bits in a clock: 1, 2, 4, 8; at most pe and simd."""
    double_buffer: Flag | None = None
    """The next image, and the next layer's streamed weights, load during computation."""
    stream_in_bits: Whole | None = None
    stream_out_bits: Whole | None = None
    param_depth: Whole | None = None
    """Channels with requantization parameters, over all layers."""
    answer_depth: Whole | None = None
    """Answers of one image."""

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that are given, by name."""
        return self.model_dump(exclude={"default"}, exclude_none=True)

    @model_validator(mode="after")
    def _one_of(self) -> EngineConfig:
        if self.default is not None and self.settings:
            raise ValueError(f"give either `default` or settings (here {', '.join(self.settings)})")
        missing = [name for name in _NEEDED if getattr(self, name) is None]
        if self.default is None and missing:
            raise ValueError(f"give {', '.join(missing)}, or `default` with the name of a device")
        return self


class EngineSimulateConfig(Section):
    """The simulation of the generated engine."""

    vectors: Annotated[Whole, Field(gt=0)] | None = None
    """Test images to run; None for all."""
    stress_vectors: Annotated[Whole, Field(ge=0)] = 20
    """Images to run once more with gaps and stalls on the streams; 0 for none."""
    seed: Annotated[Whole, Field(ge=0, lt=2**32)] = 1
    """Of the gaps, the stalls and the registers' contents before reset."""
    cocotb: Flag = False
    """Drive AXI with cocotb as well: faults, resets, back-pressure. Minutes for a large program."""
    toggles: Annotated[Whole, Field(ge=0)] = 0
    """Images in which every bit's changes are counted, to scale the energy model; 0 for none. A build of its own."""
    timeout_s: Annotated[Number, Field(gt=0)] = 1800


class EngineBuildConfig(RunConfig):
    """One `cods build` file of the family `engine`: a low-bit network over feature maps on a folded accelerator."""

    family: Literal["engine"] = "engine"  # pyright: ignore[reportIncompatibleVariableOverride] - frozen
    topology: ConvTopologyConfig
    engine: EngineConfig
    simulate: EngineSimulateConfig = EngineSimulateConfig()
    synth: SynthConfig = SynthConfig(devices=["xc7z020", "ecp5-85f"])
