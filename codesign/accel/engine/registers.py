"""The engine's registers, error codes and descriptor fields, read from their single source, registers.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from codesign.config import Section, parse_model
from codesign.resources import resource_dir

__all__ = [
    "DESCRIPTOR_WORDS",
    "Field",
    "Register",
    "RegisterMap",
    "decode_descriptor",
    "encode_descriptor",
    "register_map",
]

DESCRIPTOR_WORDS = 16
"""Words of 32 bits of one layer's descriptor."""

DESCRIPTOR_TAG = 10
"""Value of the field `tag`, which tells a descriptor from what a memory holds by chance."""


class Bits(Section):
    """A part of a register."""

    name: str
    low: int
    bits: int
    meaning: str


class Register(Section):
    """A register of 32 bits at a byte offset. bits_used: those that can be written; 32 for the others."""

    name: str
    offset: int
    access: str
    meaning: str
    bits_used: int = 32
    bits: tuple[Bits, ...] = ()


class Window(Section):
    """A range of words."""

    name: str
    offset: int
    words: int
    access: str
    meaning: str


class ErrorCode(Section):
    """A value of ERROR.CODE."""

    name: str
    code: int
    meaning: str


class Field(Section):
    """A part of a descriptor."""

    name: str
    word: int
    low: int
    bits: int
    meaning: str
    signed: bool = False


class _File(Section):
    registers: tuple[Register, ...]
    window: Window
    errors: tuple[ErrorCode, ...]
    descriptor: tuple[Field, ...]


@dataclass(frozen=True)
class RegisterMap:
    """What registers.yaml declares."""

    registers: tuple[Register, ...]
    window: Window
    errors: tuple[ErrorCode, ...]
    descriptor: tuple[Field, ...]

    def offset(self, name: str) -> int:
        """Byte offset of a register."""
        return next(register.offset for register in self.registers if register.name == name)

    def error(self, code: int) -> str:
        """Name of an error code; "NONE" for 0."""
        return next((error.name for error in self.errors if error.code == code), "NONE" if code == 0 else f"{code}")

    def code(self, name: str) -> int:
        """Value of an error's name."""
        return next(error.code for error in self.errors if error.name == name)


@lru_cache
def register_map() -> RegisterMap:
    """Read rtl_templates/engine/registers.yaml."""
    read = parse_model(_File, resource_dir("rtl_templates") / "engine" / "registers.yaml")
    return RegisterMap(read.registers, read.window, read.errors, read.descriptor)


def encode_descriptor(values: Mapping[str, int]) -> NDArray[np.uint32]:
    """Pack field values into the words of a descriptor. ValueError for a value that its field cannot hold."""
    words = np.zeros(DESCRIPTOR_WORDS, dtype=np.uint32)
    for field in register_map().descriptor:
        value = int(values[field.name])
        low = -(1 << (field.bits - 1)) if field.signed else 0
        if not low <= value < low + (1 << field.bits):
            raise ValueError(f"{field.name} must be {low} to {low + (1 << field.bits) - 1}, not {value}")
        words[field.word] |= np.uint32((value & ((1 << field.bits) - 1)) << field.low)
    return words


def decode_descriptor(words: NDArray[np.uint32]) -> dict[str, int]:
    """Read the fields of a descriptor."""
    values: dict[str, int] = {}
    for field in register_map().descriptor:
        value = int(words[field.word]) >> field.low & ((1 << field.bits) - 1)
        if field.signed and value >> (field.bits - 1):
            value -= 1 << field.bits
        values[field.name] = value
    return values
