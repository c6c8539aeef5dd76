"""Damaged copies of real files: bytes, words and lines of text, values in JSON and YAML, arrays in archives."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from codesign.ir.archive import content_digest

__all__ = [
    "Mutator",
    "mutate_archive",
    "mutate_bytes",
    "mutate_checkpoint",
    "mutate_json",
    "mutate_text",
    "mutate_value",
    "mutate_yaml",
]

Mutator = Callable[[bytes, np.random.Generator], bytes]
"""Returns a damaged copy of a file's content. Equal content and equal states of the generator give equal copies."""

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_WORD = re.compile(rb"[A-Za-z_]\w*")
_NUMBERS = (
    *(b"0", b"-1", b"1", b"2", b"0.5", b"255", b"4096", b"65536", b"2147483648", b"-9223372036854775809"),
    *(b"1e999", b"nan", b"inf", b"-inf", b"1_0", b"0x1F", b"", b"1.2.3", b"9" * 400, b"1e-400", b"\xd9\xa3"),
)
_INSERTS = (
    *(b"\0", b"\xff\xfe", b"\xed\xa0\x80", b"\r", b"\n\n", b"\t", b" ", b"&a ", b"*a", b"!!int", b"<!DOCTYPE x>"),
    *(bytes([one]) for one in b"\"'\\{}[]()|,:%#;=."),
    *(b"[" * 3000, b"{" * 3000, b"(" * 3000, b"<a>" * 2000, b'{"a":' * 2000, b"x" * 5000, b"- " * 2000),
)
_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 7, 2**31, 2**63, -(2**63) - 1, 10**30, 0.5, -0.0, 1e308),
    *(float("inf"), float("nan"), "", "a", "0", "input", "x" * 300, "\u0663", "\ud800", "a\0b", "../../x", "/dev/zero"),
    *([], [0], [[]], [None], {}, {"": 0}, {"a": {}}, [1, "a", None]),
)


def mutate_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Flip, set, cut, repeat or insert bytes at one to four places, or cut the end off."""
    out = bytearray(content)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(len(out) + 1))
        size = int(rng.integers(1, 1 << int(rng.integers(1, 8))))
        kind = int(rng.integers(7))
        if kind == 0 and at < len(out):
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1 and at < len(out):
            out[at] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, int(rng.integers(256))]))
        elif kind == 2:
            del out[at : at + size]
        elif kind == 3:
            out[at:at] = out[at : at + size]
        elif kind == 4:
            out[at : at + size] = rng.bytes(size)
        elif kind == 5:
            out[at:at] = _pick(_INSERTS, rng)
        else:
            del out[at:]
    return bytes(out)


def mutate_text(content: bytes, rng: np.random.Generator) -> bytes:
    """Change numbers, words and lines at one to four places; sometimes bytes as well."""
    out = content
    for _ in range(int(rng.integers(1, 5))):
        kind = int(rng.integers(8))
        if kind <= 1:
            out = _replaced(_NUMBER, out, lambda found: _pick(_NUMBERS, rng), rng)
        elif kind == 2:
            words = _WORD.findall(out) or [b"a"]
            out = _replaced(_WORD, out, lambda found, words=words: _pick(words, rng), rng)
        elif kind == 3:
            out = _replaced(_WORD, out, lambda found: found[: len(found) // 2], rng)
        elif kind <= 6:
            out = _with_other_lines(out, rng)
        else:
            out = mutate_bytes(out, rng)
    return out


def mutate_value(value: Any, rng: np.random.Generator) -> Any:
    """Return plain data with one to three of its values or keys exchanged, dropped, doubled or nested deeper."""
    for _ in range(int(rng.integers(1, 4))):
        value = _changed(value, rng, depth=0)
    return value


def mutate_json(content: bytes, rng: np.random.Generator) -> bytes:
    """Change values in a JSON file, so that it still is one; sometimes its text."""
    if rng.random() < 0.3:
        return mutate_text(content, rng)
    return json.dumps(mutate_value(json.loads(content), rng)).encode("utf-8", "surrogatepass")


def mutate_yaml(content: bytes, rng: np.random.Generator) -> bytes:
    """Change values in a YAML file, so that it still is one; sometimes its text, or it gets tags and aliases."""
    draw = rng.random()
    if draw < 0.35:
        return mutate_text(content, rng)
    value = mutate_value(yaml.safe_load(content), rng)
    if draw < 0.45:
        return _tagged(yaml.safe_dump(_printable(value), sort_keys=False), rng)
    return yaml.safe_dump(_printable(value), sort_keys=False, allow_unicode=True).encode("utf-8", "surrogatepass")


def mutate_archive(content: bytes, rng: np.random.Generator) -> bytes:
    """Change arrays or the JSON header of an .npz file, and sign it anew where it had a digest; sometimes its bytes."""
    if rng.random() < 0.3:
        return mutate_bytes(content, rng)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        arrays: dict[str, NDArray[Any]] = {key: archive[key] for key in archive.files}
    signed = arrays.pop("digest", None) is not None
    for _ in range(int(rng.integers(1, 3))):
        key = str(rng.choice(list(arrays))) if arrays else ""
        if key == "header" and rng.random() < 0.9:
            try:
                header = json.dumps(mutate_value(json.loads(arrays[key].tobytes()), rng))
            except ValueError:  # an array stands there by now
                continue
            arrays[key] = np.frombuffer(header.encode("utf-8", "surrogatepass"), np.uint8)
        elif key:
            _change_array(arrays, key, rng)
    if signed and rng.random() < 0.95:
        arrays["digest"] = np.frombuffer(content_digest(arrays), np.uint8)
    out = io.BytesIO()
    np.savez(out, allow_pickle=False, **arrays)
    return out.getvalue()


def mutate_checkpoint(content: bytes, rng: np.random.Generator) -> bytes:
    """Change the description or the tensors' table in a safetensors file, signed anew; sometimes its bytes."""
    if rng.random() < 0.3:
        return mutate_bytes(content, rng)
    size = int.from_bytes(content[:8], "little")
    head, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    meta = head.pop("__metadata__")
    said = json.loads(meta["codesign"])
    if rng.random() < 0.7:
        said["header"] = json.dumps(mutate_value(json.loads(said["header"]), rng))
    elif rng.random() < 0.5:
        head = _changed(head, rng, depth=0)
        head = head if isinstance(head, dict) else {}
    else:
        names = list(head)
        one, other = (str(rng.choice(names)) for _ in range(2))
        head[one], head[other] = head[other], head[one]
    said["digest"] = _tensor_digest(head, body, str(said["header"]))
    text = json.dumps({"__metadata__": {"codesign": json.dumps(said)}, **head}).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def _pick(values: Sequence[bytes], rng: np.random.Generator) -> bytes:
    return values[int(rng.integers(len(values)))]


def _replaced(
    pattern: re.Pattern[bytes], content: bytes, by: Callable[[bytes], bytes], rng: np.random.Generator
) -> bytes:
    found = list(pattern.finditer(content))
    if not found:
        return content
    one = found[int(rng.integers(len(found)))]
    return content[: one.start()] + by(one[0]) + content[one.end() :]


def _with_other_lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.splitlines(keepends=True) or [b"\n"]
    one, other = (int(rng.integers(len(lines))) for _ in range(2))
    kind = int(rng.integers(4))
    if kind == 0:
        del lines[one]
    elif kind == 1:
        lines.insert(other, lines[one])
    elif kind == 2:
        lines[one], lines[other] = lines[other], lines[one]
    else:
        cells = re.split(rb"([,|\s])", lines[one])
        place = int(rng.integers(len(cells)))
        cells[place : place + int(rng.integers(1, 4))] = []
        lines[one] = b"".join(cells)
    return b"".join(lines)


def _changed(value: Any, rng: np.random.Generator, *, depth: int) -> Any:
    inner = isinstance(value, dict | list) and len(value) > 0
    if inner and rng.random() < 0.9 - 0.05 * depth:
        if isinstance(value, dict):
            out = dict(value)
            key = list(out)[int(rng.integers(len(out)))]
            kind = rng.random()
            if kind < 0.75:
                out[key] = _changed(out[key], rng, depth=depth + 1)
            elif kind < 0.85:
                del out[key]
            else:
                out[str(_VALUES[int(rng.integers(len(_VALUES)))])[:40]] = out[key]
            return out
        items = list(value)
        place = int(rng.integers(len(items)))
        kind = rng.random()
        if kind < 0.7:
            items[place] = _changed(items[place], rng, depth=depth + 1)
        elif kind < 0.8:
            del items[place]
        else:
            items.insert(place, items[int(rng.integers(len(items)))])
        return items
    kind = rng.random()
    if isinstance(value, int) and not isinstance(value, bool) and kind < 0.4:
        return value + int(rng.choice([-1, 1, -(2**31), 2**31, 255, -value, -2 * value]))
    if kind < 0.45:
        return [value] * int(rng.integers(0, 3))
    if kind < 0.5:
        nested: Any = value
        for _ in range(int(rng.choice([1, 3, 400]))):
            nested = [nested]
        return nested
    return _VALUES[int(rng.integers(len(_VALUES)))]


def _printable(value: Any) -> Any:
    """YAML's writer knows no lone surrogates and recurses deeply on nested lists."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_printable(item) for item in value] if len(str(value)[:800]) < 800 or len(value) > 1 else ["deep"]
    return value


_TAGS = ("!!int", "!!float", "!!bool", "!!timestamp", "!!binary", "!!set", "!!omap", "!!pairs", "!!null", "!!merge")
_ALIASES = ("&a [*a]", "{<<: 3}", "{<<: [{a: 1}, 2]}", "{? [1, 2] : 3}", "2020-13-45", "0o9", "0b", "1:99:99")


def _tagged(text: str, rng: np.random.Generator) -> bytes:
    lines = [i for i, line in enumerate(text.splitlines()) if ": " in line]
    if not lines:
        return text.encode()
    out = text.splitlines()
    at = lines[int(rng.integers(len(lines)))]
    key, _, value = out[at].partition(": ")
    kind = int(rng.integers(4))
    if kind == 0:
        out[at] = f"{key}: {rng.choice(_TAGS)} {value}"
    elif kind == 1:
        out[at] = f"{key}: {rng.choice(_TAGS)} ''"
    elif kind == 2:
        out[at] = f"{key}: {rng.choice(_ALIASES)}"
    else:  # each name stands for ten of the one before it: a small file that is huge when written out
        bomb = [f"z{i}: &z{i} [{', '.join([f'*z{i - 1}'] * 10) if i else 0}]" for i in range(12)]
        out = [*bomb, *out]
    return ("\n".join(out) + "\n").encode()


def _change_array(arrays: dict[str, NDArray[Any]], key: str, rng: np.random.Generator) -> None:
    array = arrays[key]
    kind = int(rng.integers(8))
    if kind == 0:
        del arrays[key]
    elif kind == 1:
        arrays[key] = array.reshape(-1)[: int(rng.integers(array.size + 1))]
    elif kind == 2:
        arrays[key] = np.concatenate([array.reshape(-1), array.reshape(-1)[:3]])
    elif kind == 3:
        arrays[key] = array.reshape(array.shape + (1,)) if rng.random() < 0.5 else array.reshape(-1)
    elif kind == 4:
        kinds = ("bool", "int8", "uint16", "int64", "float16", "float64", "complex64", "<U3", "S2", "datetime64[s]")
        with np.errstate(all="ignore"):
            try:
                arrays[key] = array.astype(str(rng.choice(kinds)))
            except (TypeError, ValueError, RuntimeError):  # dates that are cut short are a RuntimeError of numpy
                arrays[key] = np.zeros(array.shape, "<U1")
    elif kind == 5 and array.size:
        out = array.copy().reshape(-1)
        values = (
            np.array([0, 1, 127, 255, -1, 2**31, -(2**62)]) if array.dtype.kind in "iu" else np.array([np.nan, 1e40])
        )
        if array.dtype.kind in "iufc":
            with np.errstate(all="ignore"):
                out[int(rng.integers(out.size))] = rng.choice(values).astype(array.dtype)
        arrays[key] = out.reshape(array.shape)
    elif kind == 6:
        arrays[key] = np.array(_pick((b"x", b"1"), rng).decode())
    else:
        other = str(rng.choice(list(arrays)))
        arrays[key], arrays[other] = arrays[other], arrays[key]


def _tensor_digest(head: Mapping[str, Any], body: bytes, text: str) -> str:
    """The digest that `codesign.nn.store` writes, from the file's own table of tensors, as far as that makes sense."""
    names = {"F64": "torch.float64", "F32": "torch.float32", "I64": "torch.int64", "I32": "torch.int32"}
    names |= {"U8": "torch.uint8", "BOOL": "torch.bool", "I8": "torch.int8"}
    state = hashlib.sha256(text.encode("utf-8", "replace"))
    for key in sorted(head):
        try:
            kind, shape, (begin, end) = head[key]["dtype"], tuple(head[key]["shape"]), head[key]["data_offsets"]
            state.update(f"{key} {names.get(kind, kind)} {shape};".encode())
            state.update(body[begin:end])
        except (KeyError, TypeError, ValueError):
            continue
    return state.hexdigest()
