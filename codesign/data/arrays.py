"""Reads array files (npz, npy, idx, plain or gzipped) without running anything in them; damage is a DataError."""

from __future__ import annotations

import gzip
import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from codesign.errors import DataError, did_you_mean
from codesign.ir.archive import UNREADABLE

__all__ = ["read_idx", "read_npy", "read_npz", "wanted_array"]

_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"
_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_npz(path: Path, *, only: tuple[str, ...] | None = None) -> dict[str, NDArray]:
    """Read the arrays of an npz file (those named by `only` that it holds, or all); pickled objects are refused."""
    if _magic(path) == _NPY:
        raise DataError(f"{path} must be an npz archive of named arrays; it holds one array. Name it .npy.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files if only is None or key in only}
    except UNREADABLE as problem:
        raise DataError(_damaged(path, "npz", problem)) from None


def read_npy(path: Path) -> NDArray:
    """Read one array from an npy file; pickled objects are refused."""
    if _magic(path)[:4] == _ZIP:
        raise DataError(f"{path} must hold one array; it is an archive of several. Name it .npz.")
    try:
        with path.open("rb") as file:
            return np.load(file, allow_pickle=False)
    except UNREADABLE as problem:
        raise DataError(_damaged(path, "npy", problem)) from None


def read_idx(path: Path) -> NDArray:
    """Read one array from an idx file (the MNIST format), gzipped where its name ends in .gz.

    Layout: two zero bytes, a type code, the number of dimensions, each size as a big-endian 32-bit integer, the data.
    """
    _magic(path)
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except UNREADABLE as problem:
        raise DataError(_damaged(path, "gzip", problem)) from None
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in _IDX_TYPES:
        raise DataError(f"{path} is not an idx file: it must start with two zero bytes and a type code")
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise DataError(f"{path} is truncated within its idx header; fetch it again")
    sizes = struct.unpack(f">{dimensions}I", content[4:start])
    kind = np.dtype(_IDX_TYPES[content[2]])
    wanted = start + math.prod(sizes) * kind.itemsize
    if len(content) != wanted:
        raise DataError(f"{path} must have {wanted} bytes for its shape {sizes}, not {len(content)}; fetch it again")
    return np.frombuffer(content, kind, offset=start).reshape(sizes).astype(kind.newbyteorder("="))


def wanted_array(arrays: dict[str, NDArray], key: str, path: Path) -> NDArray:
    """Return one array of an npz file; an unknown name is a DataError with the nearest known one."""
    if key not in arrays:
        known = ", ".join(list(arrays)[:12]) + (", ..." if len(arrays) > 12 else "")
        raise DataError(f"{path} has no array {key!r}.{did_you_mean(key, arrays)} Known: {known or 'none'}.")
    return arrays[key]


def _magic(path: Path) -> bytes:
    """First bytes of a file, which must exist and be readable."""
    try:
        with path.open("rb") as file:
            return file.read(len(_NPY))
    except OSError as problem:
        raise DataError(f"cannot read {path}: {problem.strerror or problem}") from None


def _damaged(path: Path, kind: str, problem: Exception) -> str:
    text = " ".join(str(problem).split())
    if "Object arrays cannot be loaded" in text:
        return f"{path} holds pickled Python objects, which are never loaded; save it again as plain numbers or text"
    if "allow_pickle" in text:  # numpy's answer to any file that does not start as its own do
        text = "it does not start as such a file does"
    return f"{path} is not a readable {kind} file, or is truncated: {text[:160]}"
