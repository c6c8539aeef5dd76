"""One .npz file of plain arrays and a JSON header, guarded by a digest; nothing is ever pickled."""

from __future__ import annotations

import hashlib
import json
import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from codesign.errors import DataError

__all__ = ["UNREADABLE", "content_digest", "read_archive", "write_archive"]

UNREADABLE: tuple[type[Exception], ...] = (
    OSError,
    KeyError,
    TypeError,
    ValueError,
    EOFError,
    MemoryError,
    OverflowError,
    RuntimeError,
    SyntaxError,
    tokenize.TokenError,
    struct.error,
    zlib.error,
    lzma.LZMAError,
    zipfile.BadZipFile,
)
"""What numpy and zipfile raise on a damaged archive: beside the obvious ones, a flipped bit may ask for a password
(RuntimeError), for another compression method (NotImplementedError) or for more memory than there is, or break a
header's text."""


def write_archive(path: Path, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write `header` (JSON, its version under "version") and `arrays`. Equal contents give equal bytes."""
    head = json.dumps(dict(header), sort_keys=True, default=_plain).encode()
    content = {"header": np.frombuffer(head, np.uint8), **arrays}
    with path.open("wb") as out:
        np.savez_compressed(out, allow_pickle=False, **content, digest=np.frombuffer(content_digest(content), np.uint8))


def read_archive(path: Path, keys: Sequence[str], *, version: int) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read the header and the arrays `keys`; a damaged, hand-edited or foreign file is a DataError that names it."""
    try:
        # Opened here, since numpy leaves a file that it cannot read open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in ("header", *keys)}
            stated = archive["digest"].tobytes()
    except FileNotFoundError:
        raise DataError(f"no network file at {path}; run the extract stage first") from None
    except UNREADABLE as problem:
        raise DataError(f"{path} is not a codesign network, or is truncated ({problem}); extract it again") from None
    if stated != content_digest(arrays):
        raise DataError(f"{path} was changed after it was written (its digest does not match); extract it again")
    try:
        value: object = json.loads(arrays.pop("header").tobytes())
    except (ValueError, RecursionError) as problem:
        raise DataError(f"{path} does not describe a network ({problem}); extract it again") from None
    if not isinstance(value, dict):
        raise DataError(f"{path} does not describe a network (its header is no mapping); extract it again")
    header = cast("dict[str, Any]", value)
    if header.get("version") != version:
        raise DataError(f"{path} has format version {header.get('version')}; this codesign reads {version}")
    return header, arrays


def _plain(value: object) -> int | float:
    """Turn a numpy number, as a caller may have put into a stage, into a plain one."""
    if isinstance(value, np.integer):
        return int(value)  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, np.floating):
        return float(value)  # pyright: ignore[reportUnknownArgumentType]
    raise TypeError(f"a network must be made of numbers, text and tables, not {value!r}")


def content_digest(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """SHA-256 of named arrays: names, kinds, shapes and contents."""
    state = hashlib.sha256()
    for key in sorted(arrays):
        state.update(f"{key} {arrays[key].dtype} {arrays[key].shape};".encode())
        state.update(arrays[key].tobytes())
    return state.digest()
