"""Keeps models and checkpoints: safetensors for numbers, JSON for the rest, nothing unpickled, written whole."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from codesign.errors import MALFORMED, CodesignError, DataError
from codesign.ir import Fixed, Layer, Topology
from codesign.ir.topology import check_topology
from codesign.nn.encoder import EncoderShape, InputEncoder
from codesign.nn.model import LutModel, ModelSpec
from codesign.nn.quantizers import make_quantizer
from codesign.nn.trainable import TrainableModel

__all__ = ["UNFIT", "load_model", "read_model", "read_tensors", "save_model", "write_tensors", "write_whole"]

_VERSION = 1
Model = TypeVar("Model", bound=TrainableModel)
MODEL_TENSORS = "model.safetensors"
MODEL_HEADER = "model.json"

UNFIT = (ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError, TypeError, ValueError)
"""What building from numbers that are none of ours raises, in Python and in torch."""


def write_whole(path: Path, content: bytes) -> None:
    """Write a file under a temporary name, flush it to disk, and rename it: whole or absent, also after a kill."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        temporary.replace(path)
    except OSError as problem:
        temporary.unlink(missing_ok=True)
        raise DataError(f"cannot write {path}: {problem}; free space there, then resume") from None


def write_tensors(path: Path, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write tensors and a JSON header as one safetensors file, with a digest of both. Equal inputs, equal bytes."""
    content = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    text = json.dumps(dict(header), sort_keys=True)
    # One metadata key only: safetensors does not fix the order of several.
    meta = {"codesign": json.dumps({"header": text, "digest": _digest(content, text)}, sort_keys=True)}
    write_whole(path, save_tensors(content, meta))


def read_tensors(path: Path, *, what: str, mend: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read what `write_tensors` wrote. A truncated, edited or foreign file is a DataError naming it."""
    try:
        content = path.read_bytes()
        tensors = load_tensors(content)
        size = int.from_bytes(content[:8], "little")
        meta = json.loads(json.loads(content[8 : 8 + size])["__metadata__"]["codesign"])
        text, stated = meta["header"], meta["digest"]
        header = json.loads(text)
    except FileNotFoundError:
        raise DataError(f"no {what} at {path}; {mend}") from None
    except (*MALFORMED, SafetensorError) as problem:
        raise DataError(f"{path} is not a {what}, or is truncated ({problem}); {mend}") from None
    if stated != _digest(tensors, text):
        raise DataError(f"{path} was changed after it was written (its digest does not match); {mend}")
    if not isinstance(header, dict):
        raise DataError(f"{path} is not a {what}: its header must be a mapping, not {type(header).__name__}; {mend}")
    return tensors, header


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    state = hashlib.sha256(text.encode())
    for key in sorted(tensors):
        tensor = tensors[key].contiguous()
        state.update(f"{key} {tensor.dtype} {tuple(tensor.shape)};".encode())
        state.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes() if tensor.numel() else b"")
    return state.hexdigest()


def save_model(model: TrainableModel, folder: Path) -> None:
    """Write `model.safetensors` (numbers) and `model.json` (its description, for readers) into `folder`."""
    header = {"version": _VERSION, "kind": model.kind, "spec": asdict(model.spec)}
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / MODEL_HEADER, (json.dumps(header, indent=2, sort_keys=True) + "\n").encode())
    write_tensors(folder / MODEL_TENSORS, model.state_dict(), header)


def load_model(folder: Path) -> LutModel:
    """Read a trained model, in evaluation mode on the CPU; damage is a DataError that names the file."""
    return read_model(folder, kind=LutModel.kind, build=lambda spec: _skeleton(_spec(spec)))


def read_model(folder: Path, *, kind: str, build: Callable[[dict[str, Any]], Model]) -> Model:
    """Read a trained model of `kind`, built by `build` from its description, in evaluation mode on the CPU."""
    path = folder / MODEL_TENSORS
    tensors, header = read_tensors(path, what="trained model", mend="train again")
    if header.get("version") != _VERSION:
        raise DataError(f"{path} has format version {header.get('version')}; this codesign reads {_VERSION}")
    if header.get("kind", LutModel.kind) != kind:
        raise DataError(f"{path} holds a model of {header.get('kind', LutModel.kind)}, not of {kind}")
    try:
        model = build(header["spec"])
    except UNFIT as problem:
        raise DataError(f"{path} does not describe a model ({problem}); train again") from None
    except CodesignError as problem:
        raise type(problem)(f"{path}: {problem}") from None
    try:
        model.load_state_dict(tensors)
    except UNFIT as problem:
        raise DataError(f"{path} does not fit the model it describes ({problem}); train again") from None
    return model.eval()


def _skeleton(spec: ModelSpec) -> LutModel:
    quantizer = None
    if spec.encoder.kind == "scaled":
        quantizer = make_quantizer(spec.quantizer, spec.encoder.bits, role="input", options=spec.quantizer_options)
    return LutModel(spec, encoder=InputEncoder(spec.encoder, quantizer=quantizer))


def _spec(header: dict[str, Any]) -> ModelSpec:
    topology = dict(header["topology"])
    topology["layers"] = tuple(Layer(**layer) for layer in topology["layers"])
    encoder = dict(header["encoder"])
    encoder["features"] = tuple(encoder["features"])
    encoder["words"] = tuple(Fixed(**word) for word in encoder["words"])
    shape = check_topology(Topology(**topology))
    if encoder["bits"] != shape.input_bits or len(encoder["features"]) != shape.inputs:
        raise ValueError(f"its encoder must have {shape.inputs} features of {shape.input_bits} bits")
    return ModelSpec(**{**header, "topology": shape, "encoder": EncoderShape(**encoder)})
