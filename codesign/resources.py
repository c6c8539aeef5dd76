"""Finds the folders of hardware resources (templates, spaces, flows, benches) in a checkout or a wheel."""

from __future__ import annotations

from pathlib import Path

__all__ = ["ROOMS", "resource_dir"]

ROOMS = ("rtl_templates", "accel_space", "flows", "sim")
"""The resource rooms; each has exactly one reader inside the package."""


def resource_dir(room: str) -> Path:
    """Return the folder of one resource room.

    A wheel carries the rooms in ``codesign/_resources``; an editable install reads the checkout.
    """
    if room not in ROOMS:
        raise ValueError(f"room must be one of {ROOMS}, not {room!r}")
    package = Path(__file__).resolve().parent
    for folder in (package / "_resources" / room, package.parent / room):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"the resource folder {room!r} is missing beside {package}; reinstall codesign")
