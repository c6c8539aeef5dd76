"""The amplifier set: model, excitation, figures of merit, and that a classical pre-distorter learns from it."""

from __future__ import annotations

import numpy as np
import pytest

from codesign.config import DataConfig
from codesign.data import (
    DING_2004,
    amplifier_signals,
    complex_gain,
    evm_percent,
    excitation,
    load,
    memory_polynomial,
    nmse_db,
    papr_db,
    peak_gain,
    tap_features,
)
from codesign.errors import ConfigError, DataError


def config(**options) -> DataConfig:
    return DataConfig(source="amplifier", options={"samples": 6000, **options})


def test_the_model_is_the_sum_it_says():
    rng = np.random.default_rng(0)
    x = rng.normal(size=8) + 1j * rng.normal(size=8)
    wanted = np.zeros(8, complex)
    for n in range(8):
        for (order, delay), c in DING_2004.items():
            if n >= delay:
                wanted[n] += c * x[n - delay] * abs(x[n - delay]) ** (order - 1)
    assert np.allclose(memory_polynomial(x), wanted)
    assert np.allclose(memory_polynomial(x, coefficients={(1, 1): 2}), 2 * np.r_[0, x[:-1]])
    assert np.allclose(memory_polynomial(np.ones(2), coefficients={(1, 5): 2}), 0)


def test_the_model_compresses_within_its_range():
    steady = [abs(memory_polynomial(np.full(4, a))[-1]) for a in (0.01, 0.3, 0.5, 0.7)]
    gains = np.array(steady) / (0.01, 0.3, 0.5, 0.7)
    assert gains[0] == pytest.approx(abs(sum(c for (k, _), c in DING_2004.items() if k == 1)), rel=1e-3)
    assert (np.diff(gains[1:]) < 0).all() and (np.diff(steady) > 0).all()


def test_the_excitation_is_what_it_says():
    drive = excitation(5000, seed=3, peak=0.7, papr_limit_db=8)
    assert len(drive.signal) >= 5000 and len(drive.signal) % 320 == 0
    assert np.abs(drive.signal).max() == pytest.approx(0.7)
    assert abs(drive.papr_db - 8) < 0.2 and drive.papr_db == papr_db(drive.signal)
    assert drive.symbols.shape == (len(drive.signal) // 320, 52)
    assert np.array_equal(drive.demodulate(drive.signal), drive.symbols)
    again = excitation(5000, seed=3, peak=0.7, papr_limit_db=8)
    assert np.array_equal(again.signal, drive.signal)
    assert not np.array_equal(excitation(5000, seed=4).signal, drive.signal)
    # Outside the carriers each symbol has no power.
    block = np.fft.fft(drive.signal[64:320])
    assert np.abs(block[27:-26]).max() < 1e-9 * np.abs(block).max()


def test_bad_excitations_are_refused():
    for arguments in ({"samples": 0}, {"peak": 0}, {"papr_limit_db": 0}, {"oversampling": 1}):
        with pytest.raises(DataError, match="an excitation needs"):
            excitation(**{"samples": 100, "seed": 0, **arguments})


def test_figures_of_merit():
    rng = np.random.default_rng(1)
    x = rng.normal(size=5000) + 1j * rng.normal(size=5000)
    assert complex_gain(x, (0.5 - 2j) * x) == pytest.approx(0.5 - 2j)
    assert nmse_db(x, x) == -np.inf
    assert nmse_db(x, 1.1 * x) == pytest.approx(-20)
    assert nmse_db(x.real, 0.9 * x.real) == pytest.approx(-20)
    assert evm_percent(x, 3j * x) == pytest.approx(0, abs=1e-9)
    noise = rng.normal(size=5000) + 1j * rng.normal(size=5000)
    assert evm_percent(x, x + 0.05 * noise) == pytest.approx(5, rel=0.05)
    gain = peak_gain(x, 2j * x)
    assert gain == pytest.approx(2j)


def test_taps_are_delays():
    features = tap_features(np.array([1 + 2j, 3 + 4j, 5 + 6j]), memory=1)
    assert features.dtype == np.float32
    assert features.tolist() == [[1, 2, 0, 0], [3, 4, 1, 2], [5, 6, 3, 4]]


def test_the_set_holds_output_taps_and_input_targets():
    data = load(config(memory=2))
    signals = amplifier_signals(config(memory=2))
    assert (data.task, data.inputs, data.answers, data.word) == ("regression", 6, 2, None)
    assert data.feature_names == ("i0", "q0", "i1", "q1", "i2", "q2")
    for part in ("train", "validation", "test"):
        x, y = data.part(part)
        s = signals[part]
        assert np.allclose(y[:, 0] + 1j * y[:, 1], s.excitation.signal, atol=1e-6)
        assert np.allclose(x[:, 0] + 1j * x[:, 1], s.output / s.gain, atol=1e-6)
        assert np.array_equal(x, tap_features(s.normalised, memory=2))
        assert s.gain == signals["train"].gain
    assert len(data.x_test) >= 1200 and len(data.x_train) >= 4080
    assert not np.array_equal(data.y_test[:320], data.y_train[:320])
    correction = load(config(memory=2, targets="correction"))
    assert np.allclose(correction.y_test, data.y_test - data.x_test[:, :2], atol=1e-6)


def test_the_normalised_output_spans_the_amplitudes_of_the_input():
    train = amplifier_signals(config())["train"]
    assert np.abs(train.normalised).max() == pytest.approx(0.7)


def test_a_polynomial_predistorter_learned_from_the_set_linearises_the_amplifier():
    """Indirect learning with the classical basis: NMSE from about -23 dB to below -40 dB, EVM below 1 %."""
    data = load(config(samples=20_000))
    signals = amplifier_signals(config(samples=20_000))["test"]

    def basis(features):
        taps = features[:, 0::2] + 1j * features[:, 1::2]
        return np.concatenate([taps * np.abs(taps) ** order for order in (0, 2, 4, 6)], axis=1)

    weights = np.linalg.lstsq(basis(data.x_train), data.y_train[:, 0] + 1j * data.y_train[:, 1], rcond=None)[0]
    drive = signals.excitation
    before = memory_polynomial(drive.signal)
    after = memory_polynomial(basis(tap_features(drive.signal, memory=3)) @ weights)

    def nmse(y):
        return nmse_db(drive.signal, y / complex_gain(drive.signal, y))

    assert -26 < nmse(before) < -20 and nmse(after) < -40
    evm = [evm_percent(drive.symbols, drive.demodulate(y)) for y in (before, after)]
    assert evm[0] > 4 and evm[1] < 1
    assert f"NMSE {nmse(before):.2f} dB, EVM {evm[0]:.2f} %" in " ".join(data.notes)


def test_options_and_path_are_checked():
    for changes, message in (
        ({"options": {"peek": 0.5}}, "unknown key 'peek'.*Did you mean \"peak\""),
        ({"options": {"peak": 0.9}}, "options.peak: .*less than or equal to 0.75, not 0.9"),
        ({"path": "x.npz"}, "takes no path"),
        ({"task": "classification"}, "is a regression, not a classification"),
        ({"features": ["i9"]}, "no column 'i9'"),
    ):
        with pytest.raises(ConfigError, match=message):
            load(DataConfig(source="amplifier", **changes))
    assert load(DataConfig(source="amplifier", features=["q0", "i0"])).feature_names == ("q0", "i0")
