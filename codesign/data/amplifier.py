"""A radio power amplifier for digital pre-distortion: memory polynomial, OFDM excitation, NMSE and EVM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from codesign.errors import DataError

__all__ = [
    "DING_2004",
    "Excitation",
    "complex_gain",
    "evm_percent",
    "excitation",
    "memory_polynomial",
    "nmse_db",
    "papr_db",
    "peak_gain",
    "tap_features",
]

Complex = NDArray[np.complex128]

DING_2004: Mapping[tuple[int, int], complex] = MappingProxyType(
    {
        (1, 0): 1.0513 + 0.0904j,
        (3, 0): -0.0542 - 0.2900j,
        (5, 0): -0.9657 - 0.7028j,
        (1, 1): -0.0680 - 0.0023j,
        (3, 1): 0.2234 + 0.2317j,
        (5, 1): -0.2451 - 0.3735j,
        (1, 2): 0.0289 - 0.0054j,
        (3, 2): -0.0621 - 0.0932j,
        (5, 2): 0.1229 + 0.1508j,
    }
)
"""Coefficients by (order, delay): odd orders 1, 3, 5 and delays 0, 1, 2 samples, of a class AB amplifier.

L. Ding et al., "A robust digital baseband predistorter constructed using memory polynomials", IEEE Transactions on
Communications 52(1), 2004. The model is meant for input amplitudes below about 0.75, where it still compresses.
"""

_FFT = 64
_ACTIVE = 52
_PREFIX = 16
_CLIP_ROUNDS = 24


def memory_polynomial(
    signal: ArrayLike, *, coefficients: Mapping[tuple[int, int], complex] = DING_2004
) -> NDArray[np.complex128]:
    """Pass a complex baseband signal (samples,) through y[n] = sum c[k, q] x[n-q] |x[n-q]|**(k-1).

    Samples before the first are zero.
    """
    x = np.asarray(signal, dtype=np.complex128)
    y = np.zeros_like(x)
    for (order, delay), coefficient in coefficients.items():
        delayed = _delayed(x, delay)
        y += coefficient * delayed * np.abs(delayed) ** (order - 1)
    return y


def _delayed(x: Complex, delay: int) -> Complex:
    return np.concatenate([np.zeros(min(delay, len(x)), x.dtype), x[: max(len(x) - delay, 0)]])


@dataclass(frozen=True, eq=False)
class Excitation:
    """An OFDM baseband signal.

    signal: complex (samples,), greatest amplitude `peak`; whole symbols of 64 carriers (52 of them in use, 16-QAM),
    each with a cyclic prefix of a quarter, oversampled. symbols: complex (symbols, 52), what each carrier carries
    (after the limiting of peaks, which is part of the signal, not of the amplifier). papr_db: as measured.
    """

    signal: Complex
    symbols: Complex
    oversampling: int
    papr_db: float
    seed: int

    def demodulate(self, signal: ArrayLike) -> Complex:
        """What each carrier of a received signal carries: (symbols, 52), in the units of `symbols`."""
        return _demodulate(np.asarray(signal, dtype=np.complex128), self.oversampling)


def excitation(
    samples: int, *, seed: int, peak: float = 0.7, papr_limit_db: float = 8.0, oversampling: int = 4
) -> Excitation:
    """Make at least `samples` samples (whole OFDM symbols) of random 16-QAM data with a limited peak-to-average ratio.

    Peaks are clipped and the clipping noise filtered off again, 24 times over (J. Armstrong, "Peak-to-average power
    reduction for OFDM by repeated clipping and frequency domain filtering", Electronics Letters 38(5), 2002), so
    that the ratio ends within about 0.2 dB of the limit. The same arguments give the same signal.
    """
    if samples < 1 or oversampling < 2 or peak <= 0 or papr_limit_db <= 0:
        raise DataError(
            "an excitation needs samples >= 1, oversampling >= 2, peak > 0 and papr_limit_db > 0, not "
            f"{samples}, {oversampling}, {peak}, {papr_limit_db}"
        )
    rng = np.random.default_rng(seed)
    size, prefix = _FFT * oversampling, _PREFIX * oversampling
    count = -(-samples // (size + prefix))
    levels = np.array([-3.0, -1.0, 1.0, 3.0]) / np.sqrt(10)
    data = rng.choice(levels, (count, _ACTIVE)) + 1j * rng.choice(levels, (count, _ACTIVE))
    time = _to_time(data, size)
    ceiling = np.sqrt(np.mean(np.abs(time) ** 2)) * 10 ** (papr_limit_db / 20)
    for _ in range(_CLIP_ROUNDS):
        amplitude = np.maximum(np.abs(time), 1e-30)
        time = _to_time(np.fft.fft(time * np.minimum(1, ceiling / amplitude), axis=1)[:, _carriers(size)] / size, size)
    signal = np.concatenate([time[:, size - prefix :], time], axis=1).ravel()
    signal *= peak / np.abs(signal).max()
    return Excitation(signal, _demodulate(signal, oversampling), oversampling, papr_db(signal), seed)


def _carriers(size: int) -> NDArray[np.int64]:
    """Bins of the carriers in use: 26 on each side of the middle, which is left free."""
    half = _ACTIVE // 2
    return np.concatenate([np.arange(size - half, size), np.arange(1, half + 1)])


def _to_time(data: Complex, size: int) -> Complex:
    bins = np.zeros((len(data), size), dtype=np.complex128)
    bins[:, _carriers(size)] = data
    return np.fft.ifft(bins, axis=1) * size


def _demodulate(signal: Complex, oversampling: int) -> Complex:
    size, prefix = _FFT * oversampling, _PREFIX * oversampling
    count = len(signal) // (size + prefix)
    blocks = signal[: count * (size + prefix)].reshape(count, size + prefix)[:, prefix:]
    return np.fft.fft(blocks, axis=1)[:, _carriers(size)] / size


def papr_db(signal: ArrayLike) -> float:
    """Peak-to-average power ratio of a signal, in dB."""
    power = np.abs(np.asarray(signal)) ** 2
    return float(10 * np.log10(power.max() / power.mean()))


def complex_gain(reference: ArrayLike, measured: ArrayLike) -> complex:
    """The gain g that brings g * reference nearest to `measured` (least squares)."""
    x, y = np.asarray(reference).ravel(), np.asarray(measured).ravel()
    return complex(np.vdot(x, y) / np.vdot(x, x))


def peak_gain(reference: ArrayLike, measured: ArrayLike) -> complex:
    """The gain at the peak: greatest amplitude out over greatest amplitude in, with the mean phase.

    A signal divided by it spans the same amplitudes as the reference, so that a pre-distorter learned from it is
    never asked for amplitudes it has not seen, and the peak itself can be reached.
    """
    ratio = float(np.abs(np.asarray(measured)).max() / np.abs(np.asarray(reference)).max())
    return ratio * np.exp(1j * np.angle(complex_gain(reference, measured)))


def nmse_db(reference: ArrayLike, measured: ArrayLike) -> float:
    """Normalised mean square error in dB: 10 log10(sum |measured - reference|**2 / sum |reference|**2).

    Any shape, real or complex. Bring both to the same gain first, see `complex_gain`.
    """
    x, y = np.asarray(reference), np.asarray(measured)
    error = float(np.sum(np.abs(y - x) ** 2))
    return float(10 * np.log10(error / float(np.sum(np.abs(x) ** 2)))) if error else float("-inf")


def evm_percent(reference: ArrayLike, measured: ArrayLike) -> float:
    """Error vector magnitude in percent of the reference's RMS value, after the best single complex gain.

    For the EVM of a modulated signal give the symbols: `evm_percent(e.symbols, e.demodulate(received))`.
    """
    x, y = np.asarray(reference), np.asarray(measured)
    error = y / complex_gain(x, y) - x
    return float(100 * np.sqrt(np.sum(np.abs(error) ** 2) / np.sum(np.abs(x) ** 2)))


def tap_features(signal: ArrayLike, *, memory: int) -> NDArray[np.float32]:
    """Real features of a complex signal (samples,): I and Q of sample n, n-1, ... n-memory, as (samples, 2 memory + 2).

    Samples before the first are zero.
    """
    x = np.asarray(signal, dtype=np.complex128)
    taps = [_delayed(x, delay) for delay in range(memory + 1)]
    return np.stack([part for tap in taps for part in (tap.real, tap.imag)], axis=1).astype(np.float32)
