"""Plays the tables of a trained pre-distorter into the amplifier's model: NMSE, EVM and ACPR without and with them.

    cods build examples/predistorter.yaml --run runs/predistorter
    python examples/predistorter.py --run runs/predistorter

The pre-distorter is the optimized network of the run, evaluated table by table as the hardware does it. No torch is
needed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.config import BuildConfig, DataConfig, parse_model
from codesign.data import (
    Excitation,
    amplifier_signals,
    complex_gain,
    evm_percent,
    memory_polynomial,
    nmse_db,
    tap_features,
)
from codesign.errors import CodesignError, ConfigError
from codesign.ir import Decide, LutNetwork, evaluate, load

Complex = NDArray[np.complex128]

CHANNEL, SPACING = 52, 64
"""Carriers in use, and the distance to the next channel, both in carriers (bins of one OFDM symbol)."""


def main() -> None:
    """Print one line a pre-distorter."""
    parser = argparse.ArgumentParser(description="NMSE, EVM and ACPR of the amplifier without and with pre-distortion.")
    parser.add_argument("--run", type=Path, required=True, help="run folder of examples/predistorter.yaml")
    parser.add_argument("--dac-bits", type=int, default=14, help="bits of the converter before the amplifier")
    options = parser.parse_args()
    config = parse_model(BuildConfig, options.run / "config.yaml").data
    if config.source != "amplifier":
        raise SystemExit(f"{options.run} is a run on data {config.source!r}; give a run of examples/predistorter.yaml")
    drive = amplifier_signals(config)["test"].excitation
    network = load(options.run / "4_optimize" / "network.npz")
    inputs = {
        "no pre-distortion": drive.signal,
        f"tables of {options.run.name}": predistort(network, drive.signal, config=config),
        "memory polynomial, real arithmetic": classical(config, drive.signal),
    }
    print(f"{'':36}{'NMSE dB':>9}{'EVM %':>8}{'ACPR dB':>9}")
    print(f"{'the signal itself':36}{'':9}{'':8}{acpr_db(drive.signal, drive):9.1f}")
    for name, signal in inputs.items():
        nmse, evm, acpr = judge(to_converter(signal, options.dac_bits), drive)
        print(f"{name:36}{nmse:9.1f}{evm:8.2f}{acpr:9.1f}")


def predistort(network: LutNetwork, signal: Complex, *, config: DataConfig) -> Complex:
    """Return what the tables make of a complex signal (samples,): the signal to send to the amplifier."""
    memory = int(config.options.get("memory", 3))
    codes = evaluate(network, tap_features(signal, memory=memory))
    decide = network.decide
    if not isinstance(decide, Decide) or decide.kind != "none" or len(decide.inputs) != 2:
        raise ConfigError("a pre-distorter must answer with two numbers, I and Q (decide: none)")
    values = [decide.offset + decide.scale * f.values(codes[:, i]) for i, f in enumerate(decide.inputs)]
    answer = values[0] + 1j * values[1]
    return signal + answer if config.options.get("targets") == "correction" else answer


def classical(config: DataConfig, signal: Complex) -> Complex:
    """Return what a memory polynomial (odd orders to 7), fitted by least squares on the training part, makes of it."""
    memory = int(config.options.get("memory", 3))
    train = amplifier_signals(config)["train"]
    powers = _powers(train.normalised, memory)
    weights = np.linalg.lstsq(powers, train.excitation.signal, rcond=None)[0]
    return _powers(signal, memory) @ weights


def _powers(signal: Complex, memory: int) -> Complex:
    taps = tap_features(signal, memory=memory).astype(np.float64)
    taps = taps[:, 0::2] + 1j * taps[:, 1::2]
    return np.concatenate([taps * np.abs(taps) ** order for order in (0, 2, 4, 6)], axis=1)


def to_converter(signal: Complex, bits: int) -> Complex:
    """Round I and Q to a converter of so many bits that spans -1 to 1, and saturate."""
    step = 2.0 ** (1 - bits)
    parts = [np.clip(np.round(part / step) * step, -1, 1 - step) for part in (signal.real, signal.imag)]
    return parts[0] + 1j * parts[1]


def judge(signal: Complex, drive: Excitation) -> tuple[float, float, float]:
    """Send `signal` through the amplifier; return NMSE in dB, EVM in percent and ACPR in dB against `drive`."""
    output = memory_polynomial(signal)
    output = output / complex_gain(drive.signal, output)
    nmse = nmse_db(drive.signal, output)
    return nmse, evm_percent(drive.symbols, drive.demodulate(output)), acpr_db(output, drive)


def acpr_db(signal: Complex, drive: Excitation) -> float:
    """Return the adjacent channel power ratio in dB, the worse of both sides.

    Power in the channel's width around one channel spacing above or below, over the power in the channel: from the
    mean of Hann-windowed periodograms of 8 OFDM symbols' length, overlapping by half.
    """
    resolution = 8
    size = SPACING * drive.oversampling * resolution
    starts = range(0, len(signal) - size + 1, size // 2)
    window = np.hanning(size)
    power = np.mean([np.abs(np.fft.fft(signal[at : at + size] * window)) ** 2 for at in starts], axis=0)
    carrier = np.fft.fftfreq(size, d=1 / (SPACING * drive.oversampling))
    inside, above, below = (
        float(power[np.abs(carrier - middle) <= CHANNEL / 2].sum()) for middle in (0, SPACING, -SPACING)
    )
    return float(10 * np.log10(max(above, below) / inside))


if __name__ == "__main__":
    try:
        main()
    except CodesignError as problem:
        raise SystemExit(f"error: {problem}") from None
