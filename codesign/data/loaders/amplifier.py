"""The amplifier set: what a pre-distorter learns from, by indirect learning."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from codesign.config import DataConfig, Number, Section, Whole
from codesign.data.amplifier import (
    Excitation,
    complex_gain,
    evm_percent,
    excitation,
    memory_polynomial,
    nmse_db,
    peak_gain,
    tap_features,
)
from codesign.data.options import read_options
from codesign.data.table import TEST, TRAIN, VALIDATION, Table
from codesign.errors import ConfigError

__all__ = ["AmplifierOptions", "AmplifierSignals", "amplifier_signals", "load_amplifier"]


class AmplifierOptions(Section):
    """Options of `source: amplifier`."""

    samples: Annotated[Whole, Field(ge=320, le=10_000_000)] = 40_000
    """Samples of all parts together, rounded up to whole OFDM symbols in each."""
    memory: Annotated[Whole, Field(ge=0, le=16)] = 3
    """Earlier samples that are features too."""
    peak: Annotated[Number, Field(gt=0, le=0.75)] = 0.7
    """Greatest input amplitude; the amplifier's model ends at about 0.75."""
    papr_db: Annotated[Number, Field(ge=5, le=12)] = 8.0
    """Limit of the peak-to-average power ratio."""
    seed: Annotated[Whole, Field(ge=0)] = 0
    targets: Literal["input", "correction"] = "input"
    """`input`: I and Q of the amplifier's input; `correction`: that less the normalised output, so that the
    pre-distorter is the signal plus the network's answer."""


@dataclass(frozen=True, eq=False)
class AmplifierSignals:
    """One part's signals: excitation into the amplifier, what comes out, and the gain that normalises it."""

    excitation: Excitation
    output: NDArray[np.complex128]
    gain: complex

    @property
    def normalised(self) -> NDArray[np.complex128]:
        """The output divided by the gain: what the learning network reads."""
        return self.output / self.gain


def amplifier_signals(config: DataConfig) -> dict[str, AmplifierSignals]:
    """The signals of the parts "train", "validation" and "test" of `source: amplifier`.

    Each part has an excitation of its own; the gain comes from the training part alone. To judge a pre-distorter,
    drive `memory_polynomial` with what it makes of the test part's excitation.
    """
    options = read_options(AmplifierOptions, config.options, "amplifier")
    shares = {
        "train": (1 - config.test) * (1 - config.validation),
        "validation": (1 - config.test) * config.validation,
        "test": config.test,
    }
    signals: dict[str, AmplifierSignals] = {}
    for index, (part, share) in enumerate(shares.items()):
        # Seeds of one sequence: the parts carry independent data.
        seed = int(np.random.SeedSequence([options.seed, index]).generate_state(1)[0])
        samples = max(1, round(options.samples * share))
        drive = excitation(samples, seed=seed, peak=options.peak, papr_limit_db=options.papr_db)
        output = memory_polynomial(drive.signal)
        gain = signals["train"].gain if signals else peak_gain(drive.signal, output)
        signals[part] = AmplifierSignals(drive, output, gain)
    return signals


def load_amplifier(config: DataConfig, *, folder: Path | None = None) -> Table:
    """Make the set for indirect learning: features are I and Q of the amplifier's normalised output, targets its input.

    The network learned so is used as it is before the amplifier (C. Eun and E. Powers, IEEE Transactions on Signal
    Processing 45(1), 1997).
    """
    options = read_options(AmplifierOptions, config.options, "amplifier")
    if config.path is not None:
        raise ConfigError("data.path: the source 'amplifier' is computed and takes no path")
    signals = amplifier_signals(config)
    x = np.concatenate([tap_features(s.normalised, memory=options.memory) for s in signals.values()])
    wanted = [s.excitation.signal - (s.normalised if options.targets == "correction" else 0) for s in signals.values()]
    y = np.concatenate([np.stack([w.real, w.imag], axis=1) for w in wanted])
    part = np.repeat(np.array([TRAIN, VALIDATION, TEST], dtype=np.int8), [len(w) for w in wanted])
    names = tuple(f"{axis}{delay}" for delay in range(options.memory + 1) for axis in ("i", "q"))
    return Table(
        "amplifier",
        "regression",
        x,
        y,
        names,
        (),
        lambda row: f"amplifier, sample {row}",
        part=part,
        notes=_notes(signals["train"], signals["test"]),
    )


def _notes(train: AmplifierSignals, test: AmplifierSignals) -> tuple[str, ...]:
    drive = test.excitation
    error = nmse_db(drive.signal, test.output / complex_gain(drive.signal, test.output))
    evm = evm_percent(drive.symbols, drive.demodulate(test.output))
    return (
        "synthetic: memory polynomial of odd orders to 5 and delays to 2 (Ding et al., IEEE Trans. Commun. 52(1), "
        f"2004), OFDM of 52 carriers with 16-QAM, oversampled 4 times, PAPR {train.excitation.papr_db:.2f} dB",
        f"gain {abs(train.gain):.4f} at {np.degrees(np.angle(train.gain)):.2f} degrees, from the training part",
        f"without pre-distortion, test part: NMSE {error:.2f} dB, EVM {evm:.2f} %",
    )
