"""Finds a known data set: given path, CODESIGN_DATA, ~/.cache/codesign, the network; else says what to do."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from codesign.config import read_yaml
from codesign.data.options import need
from codesign.errors import DataError

__all__ = ["Choice", "Entry", "Found", "RemoteFile", "cache_folder", "file_notes", "locate", "registry"]

DATA_VARIABLE = "CODESIGN_DATA"
OFFLINE_VARIABLE = "CODESIGN_OFFLINE"
_FETCH_TIMEOUT_S = 60


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set: its name, where it can be fetched, and its known checksum ("md5:..." or "sha256:...")."""

    name: str
    url: str | None = None
    checksum: str | None = None


@dataclass(frozen=True)
class Choice:
    """One form of a data set: all its files are needed."""

    name: str
    files: tuple[RemoteFile, ...]


@dataclass(frozen=True)
class Entry:
    """What the registry knows of a data set."""

    source: str
    folders: tuple[str, ...]
    choices: tuple[Choice, ...]
    page: str | None = None


@dataclass(frozen=True)
class Found:
    """The files of one choice, in the registry's order; `choice` is "file" for a single file given by its path."""

    choice: str
    files: tuple[Path, ...]


@cache
def registry() -> dict[str, Entry]:
    """Read registry.yaml: data sets by source name."""
    value, _ = read_yaml(Path(__file__).with_name("registry.yaml"))
    return {source: _entry(source, item) for source, item in value.items()}


def _entry(source: str, item: dict) -> Entry:
    choices = tuple(
        Choice(name, tuple(RemoteFile(f["file"], f.get("url"), _checksum(f)) for f in files))
        for name, files in item["choices"].items()
    )
    return Entry(source, tuple(item["folders"]), choices, item.get("page"))


def _checksum(item: dict) -> str | None:
    return next((f"{kind}:{item[kind]}" for kind in ("sha256", "md5") if kind in item), None)


def cache_folder() -> Path:
    """Where fetched files are kept: ~/.cache/codesign."""
    return Path.home() / ".cache" / "codesign"


def locate(source: str, path: Path | None, *, choices: Sequence[str] | None = None) -> Found:
    """Find the files of a known data set.

    path: a file (returned as choice "file") or a folder to search in place of the usual ones.
    choices: names of the forms to accept, in order; all by default.
    Searched: `path`, else the folder CODESIGN_DATA, else ~/.cache/codesign, each flat and with a folder a set; then
    the network, unless CODESIGN_OFFLINE is set. Raises a DataError that says which file to put where.
    """
    entry = registry()[source]
    accepted = [choice for choice in entry.choices if choices is None or choice.name in choices]
    if path is not None:
        if path.is_file():
            return Found("file", (path,))
        if not path.is_dir():
            raise DataError(f"data.path: there is no file or folder {path}")
        found = _search(entry, accepted, path)
        if found is None:
            raise DataError(f"data.path: the folder {path} holds no {source} data; it must hold {_wanted(accepted)}")
        return found
    roots = [cache_folder()]
    named = os.environ.get(DATA_VARIABLE)
    if named:
        roots.insert(0, Path(named).expanduser())
        if not roots[0].is_dir():
            raise DataError(f"{DATA_VARIABLE} must name a folder; there is none at {roots[0]}")
    for root in roots:
        found = _search(entry, accepted, root)
        if found is not None:
            return found
    return _fetch_or_tell(entry, accepted)


def file_notes(files: Sequence[Path]) -> tuple[str, ...]:
    """Name and SHA-256 of every file read, for the notes of a data set."""
    notes: list[str] = []
    for path in files:
        with path.open("rb") as file:
            notes.append(f"file {path.name}, SHA-256 {hashlib.file_digest(file, 'sha256').hexdigest()}")
    return tuple(notes)


def _search(entry: Entry, choices: Sequence[Choice], root: Path) -> Found | None:
    for choice in choices:
        for folder in (root, *(root / name for name in entry.folders)):
            files = tuple(folder / file.name for file in choice.files)
            if all(file.is_file() for file in files):
                return Found(choice.name, files)
    return None


def _fetch_or_tell(entry: Entry, choices: Sequence[Choice]) -> Found:
    remote = next((choice for choice in choices if all(file.url for file in choice.files)), None)
    problem = "it has no known download address"
    if remote is not None and os.environ.get(OFFLINE_VARIABLE, "0") not in ("", "0"):
        problem = f"{OFFLINE_VARIABLE} is set, so nothing is fetched"
    elif remote is not None:
        target = cache_folder() / entry.folders[0]
        try:
            return _fetch(remote, target)
        except _FetchFailed as failure:
            problem = str(failure)
    page = f" See {entry.page}." if entry.page else ""
    raise DataError(
        f"the data set {entry.source!r} was not found, and {problem}. "
        f"Put {_wanted(choices)} into the folder that the variable {DATA_VARIABLE} names, or into "
        f"{cache_folder() / entry.folders[0]}, or name it by data.path.{page}"
    )


def _wanted(choices: Sequence[Choice]) -> str:
    forms = [" and ".join(file.name for file in choice.files) for choice in choices]
    return ", or ".join(forms)


class _FetchFailed(Exception):
    """A download that did not come to an end; becomes part of a DataError."""


def _fetch(choice: Choice, folder: Path) -> Found:
    pooch = need("pooch", f"fetching {choice.files[0].name}")
    files: list[Path] = []
    for file in choice.files:
        downloader = pooch.HTTPDownloader(timeout=_FETCH_TIMEOUT_S)
        logger = pooch.get_logger()
        level = logger.level
        logger.setLevel("ERROR")
        try:
            got = pooch.retrieve(file.url, file.checksum, fname=file.name, path=folder, downloader=downloader)
        except ValueError as problem:  # pooch's answer to a wrong checksum; the file is not kept
            raise DataError(f"{file.url} is not the file that is expected: {problem}") from None
        except OSError as problem:  # connection, HTTP status, disk
            raise _FetchFailed(f"fetching {file.url} failed ({_short(problem)})") from None
        finally:
            logger.setLevel(level)
        files.append(Path(got))
    return Found(choice.name, tuple(files))


def _short(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text if len(text) < 160 else text[:157] + "..."
