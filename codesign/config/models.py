"""What a build configuration may say: one frozen pydantic model a section, no unknown keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from codesign.errors import ConfigError, did_you_mean
from codesign.ir.topology import DEFAULT_MAX_ADDRESS_BITS, PRESETS, Layer, Topology, check_topology, preset

__all__ = [
    "AugmentConfig",
    "BuildConfig",
    "DataConfig",
    "Flag",
    "InputsConfig",
    "LayerConfig",
    "Number",
    "RegistersConfig",
    "RtlConfig",
    "RunConfig",
    "Section",
    "SimulateConfig",
    "SparsityConfig",
    "SynthConfig",
    "TopologyConfig",
    "TrainConfig",
    "Whole",
]

Whole = Annotated[int, Strict()]
"""A whole number: neither true or false, nor 2.0, nor text."""
Number = Annotated[float, Strict()]
"""A number, whole or not: neither true or false, nor text."""
Flag = Annotated[bool, Strict()]
"""true or false alone."""
Seed = Annotated[Whole, Field(ge=0, lt=2**32)]
"""Of a random generator."""


class Section(BaseModel):
    """Base of all sections: frozen, no unknown keys, no NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    """Which data, and how it is split. Test rows are never used for any choice."""

    source: str = "digits"
    """A known data set (digits, mnist, cifar10, unsw_nb15, jsc_openml, jsc_cernbox, jets_sim, jets_3k, drybean,
    amplifier) or `file`."""
    path: Path | None = None
    """The file of `source: file`; for a known set, a file or folder to use in place of the looked-up one."""
    target: str | list[str] | None = None
    """Column (csv, parquet) or array (npz) of the label or the regression targets."""
    features: list[str] | None = None
    """Columns to use; all but the target where absent."""
    task: Literal["classification", "regression"] = "classification"
    """Of `source: file`; a known set has its own."""
    validation: Annotated[Number, Field(gt=0, lt=1)] = 0.15
    """Share of the training rows kept for every choice (best checkpoint, early stop, lossy passes)."""
    test: Annotated[Number, Field(gt=0, lt=1)] = 0.2
    """Share kept for the final figures, where the set has no test split of its own."""
    split_seed: Seed = 0
    limit: Annotated[Whole, Field(gt=0)] | None = None
    """Use at most so many training rows (and the same share of the others)."""
    options: dict[str, Any] = {}
    """Further keys of the chosen source; checked by its loader."""


class InputsConfig(Section):
    """How real features become codes at the hardware's edge."""

    standardize: Flag = True
    """Shift and scale by mean and standard deviation of the training rows before quantizing (part of the network:
    thresholds come out in the data's own units)."""
    thresholds: Literal["learned", "uniform", "quantile"] | list[Number] = "learned"
    """`learned`: each feature scaled and shifted by learned factors, then a hard-tanh quantizer with a learned scale
    (binary code), or thresholds learned one by one (thermometer code); `uniform`, `quantile`: from the training rows;
    a list: these values for every feature. Where a code holds the whole word (bits, say), nothing is left to learn."""
    word_bits: Annotated[Whole, Field(ge=1, le=30)] | None = None
    """Width of fixed-point input words. None takes the data's own word (pixels, bits); where it has none, the encoder
    stays outside the hardware."""
    fraction_bits: Whole | None = None
    """Fraction bits of the words; None chooses the finest grid that holds the training rows' range."""
    signed: Flag | None = None
    """Whether words are two's complement; None asks the training rows, feature by feature."""


class LayerConfig(Section):
    """One layer of table neurons; see `codesign.ir.Layer`."""

    name: str | None = None
    """Part of Verilog names; l0, l1, ... where None."""
    width: Whole
    """Neurons."""
    fan_in: Whole
    """Source signals of each table."""
    bits: Whole
    """Bits of each output code."""
    neuron: str = "linear"
    """The function inside a table: linear, polynomial, mlp, lut, or `module:Class` of the user's own."""
    terms: Whole = 1
    """Tables a neuron, summed exactly."""
    term_bits: Whole | None = None
    """Bits of each term's code; `bits` where None."""


class TopologyConfig(Section):
    """The network's shape: a preset, or layers."""

    preset: str | None = None
    input_bits: Whole = 2
    """Bits a feature: of one code (binary), or as many 1-bit signals (thermometer)."""
    coding: Literal["binary", "thermometer"] = "binary"
    layers: list[LayerConfig] = []
    decide: Literal["argmax", "threshold", "none"] | None = None
    """None: argmax for classes, threshold for one output of two classes, none for regression."""
    max_address_bits: Annotated[Whole, Field(ge=1, le=24)] = DEFAULT_MAX_ADDRESS_BITS
    """Cap on the address bits of any table; a layer over it is refused before training."""

    @model_validator(mode="after")
    def _one_of(self) -> TopologyConfig:
        if (self.preset is None) == (not self.layers):
            raise ValueError("give either a preset or layers")
        if self.preset is not None and self.preset not in PRESETS:
            raise ValueError(
                f"no topology preset {self.preset!r}.{did_you_mean(self.preset, PRESETS)} Known: {', '.join(PRESETS)}."
            )
        return self

    def topology(self, name: str, *, inputs: int, answers: int, task: str) -> Topology:
        """Resolve to a checked Topology for data with `inputs` features and `answers` classes or targets.

        Two classes may share one output neuron, read by a threshold. A preset takes the data's inputs and answers.
        """
        if self.preset is not None:
            base = preset(self.preset)
            width = 1 if task == "classification" and answers == 2 and base.layers[-1].width == 1 else answers
            layers = (*base.layers[:-1], replace(base.layers[-1], width=width))
            input_bits, coding = base.input_bits, base.coding
        else:
            layers = tuple(
                Layer(c.name or f"l{i}", c.width, c.fan_in, c.bits, c.neuron, c.terms, c.term_bits)
                for i, c in enumerate(self.layers)
            )
            width = layers[-1].width
            if width != answers and not (task == "classification" and answers == 2 and width == 1):
                raise ConfigError(
                    f"topology.layers: the last layer ({layers[-1].name!r}) must have width {answers}, "
                    f"one neuron an answer of the data, not {width}"
                )
            input_bits, coding = self.input_bits, self.coding
        if self.decide == "none" and task == "classification":
            raise ConfigError("topology.decide: none is for regression; classes need argmax or threshold")
        decide = self.decide or ("none" if task == "regression" else "argmax" if width > 1 else "threshold")
        return check_topology(Topology(name, inputs, input_bits, layers, coding, decide, self.max_address_bits))


class SparsityConfig(Section):
    """Which sources a neuron keeps. Fan-in is exact for every neuron at every step."""

    method: str = "random"
    """random, magnitude, regrow, learned, or `module:Class` of the user's own."""
    options: dict[str, Any] = {}


class AugmentConfig(Section):
    """How each epoch changes the training rows (raw features, before the encoder)."""

    shift_pixels: Annotated[Whole, Field(ge=0, le=64)] = 0
    """Shift images by up to so many pixels, down or up and left or right; zeros come in."""
    flip: Flag = False
    """Mirror half of the images, left to right."""
    image: tuple[Annotated[Whole, Field(gt=0)], Annotated[Whole, Field(gt=0)]] | None = None
    """Height and width of the images that the features are (planes one after the other)."""
    noise: Annotated[Number, Field(ge=0)] = 0.0
    """Standard deviation of normal noise added to every feature, in the features' own unit."""

    @model_validator(mode="after")
    def _shifts_images(self) -> AugmentConfig:
        if (self.shift_pixels or self.flip) and self.image is None:
            raise ValueError(
                f"{'shift_pixels' if self.shift_pixels else 'flip'} needs `image`, the height and width, e.g. [28, 28]"
            )
        return self

    @property
    def active(self) -> bool:
        """True where anything is changed."""
        return bool(self.shift_pixels or self.flip or self.noise)


class TrainConfig(Section):
    """The training run."""

    epochs: Annotated[Whole, Field(gt=0)] = 50
    batch_size: Annotated[Whole, Field(gt=0)] = 256
    learning_rate: Annotated[Number, Field(gt=0)] = 0.01
    weight_decay: Annotated[Number, Field(ge=0)] = 0.0
    """Of the neurons' weights alone; never of scales, thresholds or batch norms."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """`cosine`: half a cosine over the whole run, down to a thousandth of the learning rate."""
    patience: Annotated[Whole, Field(gt=0)] | None = None
    """Stop after so many epochs without a better validation figure."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    sparsity: SparsityConfig = SparsityConfig()
    optimizer: Literal["adam", "adamw"] = "adam"
    quantizer: str = "brevitas"
    """Activation quantizer: `brevitas`, or `module:Class` of the user's own."""
    quantizer_options: dict[str, Any] = {}
    """Options of that quantizer, as keyword arguments."""
    neuron_options: dict[str, Any] = {}
    """Options of the neuron functions, e.g. {degree: 2} or {hidden: 8}."""
    table_learning_rate: Annotated[Number, Field(gt=0)] | None = None
    """Learning rate of the entries of free tables (neuron `lut`); `learning_rate` where None."""
    logit_temperature: Annotated[Number, Field(gt=0)] | None = None
    """Steps of the output code that count as one unit of logit, fixed. None: a learned factor; where the last layer
    is of free tables, 1.4 standard deviations of a sum of as many random codes (0.7 * sqrt(terms) for bits)."""
    augment: AugmentConfig = AugmentConfig()
    label_smoothing: Annotated[Number, Field(ge=0, lt=1)] = 0.0
    tensorboard: Flag = True
    """Write TensorBoard events beside the model."""
    threads: Annotated[Whole, Field(gt=0)] | None = None
    """Threads of torch; its own choice where None. Same seed and same threads, same bytes."""


class RegistersConfig(Section):
    """Where pipeline registers go: after every k-th stage, or by logic depth against a target."""

    every: Annotated[Whole, Field(gt=0)] | None = None
    depth: Annotated[Whole, Field(gt=0)] | None = None
    """Largest number of LUT levels between registers."""

    @model_validator(mode="after")
    def _one_of(self) -> RegistersConfig:
        if self.every is not None and self.depth is not None:
            raise ValueError("give either `every` or `depth`")
        return self


class RtlConfig(Section):
    """The form of the emitted Verilog."""

    form: Literal["mapped", "table", "case"] = "mapped"
    """`mapped`: each neuron minimised by ABC to 6-input (or 4-input) nodes; `table`: one constant a neuron;
    `case`: LogicNets' form, for comparison."""
    lut_inputs: Literal[4, 6] = 6
    effort: Literal["low", "normal", "high"] = "normal"
    """Of the form `mapped`: in how many ways ABC tries each table (1, 2, up to 10); the smallest result is kept."""
    registers: RegistersConfig = RegistersConfig(every=1)
    encoder: Literal["auto", "hardware", "outside"] = "auto"
    """`auto`: in hardware where the inputs have fixed-point words."""
    interface: Literal["bare", "ready_valid", "axi_stream"] = "bare"
    stream_bits: Annotated[Whole, Field(ge=8, le=512, multiple_of=8)] = 32
    """Width of both AXI4-Streams: whole bytes."""
    workers: Annotated[Whole, Field(gt=0)] | None = None


class SimulateConfig(Section):
    """The simulation of the emitted Verilog."""

    vectors: Annotated[Whole, Field(gt=0)] | None = None
    """Test rows to stream; None for all."""
    stress_vectors: Annotated[Whole, Field(ge=0)] = 2000
    """Rows to stream once more with random gaps and back-pressure; 0 for none."""
    seed: Seed = 1
    """Of the gaps, the back-pressure and the registers' contents before reset."""
    cocotb: Flag = True
    """Check the interface's protocol with cocotb as well."""
    timeout_s: Annotated[Number, Field(gt=0)] = 1800


class SynthConfig(Section):
    """Open synthesis (and Vivado where it is found)."""

    devices: list[str] = ["xcvu9p", "ecp5-25f"]
    """Names of `cods devices`, or paths of device files of the user's own."""
    place_and_route: Flag = True
    """Run nextpnr on ECP5 and iCE40 devices, for a routed clock frequency."""
    seeds: Annotated[Whole, Field(ge=1, le=64)] = 1
    """Placement seeds to try; the best clock is reported, and each seed's beside it."""
    target_mhz: Annotated[Number, Field(gt=0)] | None = None
    """Clock asked of nextpnr and Vivado. None: nextpnr does its best anyway; Vivado is asked for 500 MHz."""
    vivado: Literal["auto", "never"] = "auto"
    """`auto`: run Vivado on AMD devices where it is found (CODESIGN_VIVADO or PATH)."""
    timeout_s: Annotated[Number, Field(gt=0)] = 3600
    """Time limit of each tool's run."""
    memory_gb: Annotated[Number, Field(gt=0)] = 16
    """Memory limit of each tool's process (not of WebAssembly builds, which stop at 4 GiB by themselves)."""


class RunConfig(Section):
    """What the build file of every family says."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    family: str
    seed: Seed = 0
    data: DataConfig = DataConfig()
    train: TrainConfig = TrainConfig()


class BuildConfig(RunConfig):
    """One `cods build` file of the family `pipeline`: a network of tables."""

    family: Literal["pipeline"] = "pipeline"  # pyright: ignore[reportIncompatibleVariableOverride] - frozen
    inputs: InputsConfig = InputsConfig()
    topology: TopologyConfig
    passes: list[str] | None = None
    """Passes in order; None for the default list."""
    rtl: RtlConfig = RtlConfig()
    simulate: SimulateConfig = SimulateConfig()
    synth: SynthConfig = SynthConfig()
