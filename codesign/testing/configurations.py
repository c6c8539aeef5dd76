"""Random build configurations of both families as plain data, legal and illegal; `dump_yaml` writes them as files."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from codesign.ir.conv_topology import ConvTopology
from codesign.testing.engines import engine_points
from codesign.testing.illegal import Illegal
from codesign.testing.topologies import conv_topologies, topologies

__all__ = ["Config", "build_configs", "engine_configs", "illegal_configs"]

Config = dict[str, Any]
"""What a build file says, as YAML reads it."""

_NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,12}", fullmatch=True)


@st.composite
def build_configs(draw: st.DrawFn) -> Config:
    """Draw what a build file of the family `pipeline` may say, every section of it."""
    topology = draw(topologies())
    layers = [
        {
            "width": layer.width,
            "fan_in": layer.fan_in,
            "bits": layer.bits,
            **({"terms": layer.terms, "term_bits": layer.term_bits} if layer.terms > 1 else {}),
            **({"name": layer.name} if draw(st.booleans()) else {}),
        }
        for layer in topology.layers
    ]
    registers = draw(st.sampled_from(({}, {"every": 1}, {"every": 3}, {"depth": 2})))
    return {
        "name": draw(_NAMES),
        **({"family": "pipeline"} if draw(st.booleans()) else {}),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "data": draw(_data()),
        "inputs": draw(
            st.fixed_dictionaries(
                {"thresholds": st.sampled_from(("learned", "uniform", "quantile", [-0.5, 0.0, 1.5]))},
                optional={
                    "standardize": st.booleans(),
                    "word_bits": st.integers(1, 30),
                    "fraction_bits": st.integers(-4, 12),
                    "signed": st.booleans(),
                },
            )
        ),
        "topology": {
            "input_bits": topology.input_bits,
            "coding": topology.coding,
            "layers": layers,
            "max_address_bits": topology.max_address_bits,
        },
        "train": draw(_train()),
        "passes": draw(st.sampled_from((None, [], ["remove_unused"], ["merge_duplicates", "remove_unused"]))),
        "rtl": {
            "form": draw(st.sampled_from(("mapped", "table", "case"))),
            "lut_inputs": draw(st.sampled_from((4, 6))),
            "registers": registers,
            "encoder": draw(st.sampled_from(("auto", "hardware", "outside"))),
            "interface": draw(st.sampled_from(("bare", "ready_valid", "axi_stream"))),
            "stream_bits": 8 * draw(st.integers(1, 64)),
        },
        "simulate": draw(st.fixed_dictionaries({}, optional={"vectors": st.integers(1, 9), "cocotb": st.booleans()})),
        "synth": draw(_synth()),
    }


@st.composite
def engine_configs(draw: st.DrawFn) -> Config:
    """Draw what a build file of the family `engine` may say: a drawn topology on a drawn point, which may not fit."""
    topology = draw(conv_topologies())
    return {
        "name": draw(_NAMES),
        "family": "engine",
        "seed": draw(st.integers(0, 2**32 - 1)),
        "data": draw(_data()),
        "topology": _maps(topology),
        "engine": draw(engine_points()).as_dict() if draw(st.booleans()) else {"default": "ecp5-85f"},
        "train": draw(_train()),
        "simulate": draw(st.fixed_dictionaries({}, optional={"vectors": st.integers(1, 9), "toggles": st.just(0)})),
        "synth": draw(_synth()),
    }


@st.composite
def illegal_configs(draw: st.DrawFn) -> Illegal[Config]:
    """Draw a configuration of either family that `parse_build` must refuse, naming the field."""
    engine = draw(st.booleans())
    config = draw(engine_configs() if engine else build_configs())
    found = list(_defects(config, engine=engine))
    return found[draw(st.integers(0, len(found) - 1))]


def _data() -> st.SearchStrategy[Config]:
    return st.fixed_dictionaries(
        {"source": st.sampled_from(("digits", "mnist", "file"))},
        optional={
            "validation": st.floats(0.01, 0.9),
            "split_seed": st.integers(0, 9),
            "limit": st.integers(1, 10**9),
            "path": st.sampled_from(("rows.csv", "../rows.npz")),
            "options": st.just({"header": True}),
        },
    )


def _train() -> st.SearchStrategy[Config]:
    return st.fixed_dictionaries(
        {},
        optional={
            "epochs": st.integers(1, 1000),
            "batch_size": st.integers(1, 4096),
            "learning_rate": st.floats(1e-6, 10),
            "schedule": st.sampled_from(("cosine", "constant")),
            "patience": st.one_of(st.none(), st.integers(1, 9)),
            "sparsity": st.just({"method": "magnitude"}),
            "augment": st.just({"flip": True, "image": [8, 8]}),
            "threads": st.integers(1, 4),
        },
    )


def _synth() -> st.SearchStrategy[Config]:
    return st.fixed_dictionaries(
        {},
        optional={
            "devices": st.lists(st.sampled_from(("xcvu9p", "ecp5-85f", "ice40-hx8k")), unique=True, max_size=2),
            "place_and_route": st.booleans(),
            "seeds": st.integers(1, 64),
            "timeout_s": st.integers(1, 9999),
        },
    )


def _maps(topology: ConvTopology) -> Config:
    shape = topology.input_shape
    layers: list[Config] = []
    for layer in topology.layers:
        one: Config = {"kind": layer.kind, "name": layer.name, "source": list(layer.sources)}
        if layer.kind in ("conv", "dense"):
            one["channels"] = layer.channels
        if layer.weighted:
            one["weight_bits"] = layer.weight_bits
        if layer.kind in ("conv", "depthwise") or layer.kernel:
            one |= {"kernel": layer.kernel, "stride": layer.stride, "padding": layer.padding, "groups": layer.groups}
        if layer.kind == "add":
            one["weights"] = list(layer.weights)
        if layer.bits is not None:
            one["bits"] = layer.bits
        layers.append(one)
    size = [shape.channels, shape.height, shape.width]
    return {"input": size, "input_bits": topology.input_bits, "layers": layers}


def _defects(config: Config, *, engine: bool) -> Iterator[Illegal[Config]]:
    def put(value: Any, *keys: str | int, named: tuple[str, ...] = ()) -> Illegal[Config]:
        changed = copy.deepcopy(config)
        inside: Any = changed
        for key in keys[:-1]:
            inside = inside.setdefault(key, {}) if isinstance(inside, dict) else inside[key]
        inside[keys[-1]] = value
        dotted = ".".join(map(str, keys))
        return Illegal(changed, f"{dotted}: {value!r}", (*(str(key) for key in keys), *named))

    def without(*keys: str) -> Illegal[Config]:
        changed = copy.deepcopy(config)
        inside = changed
        for key in keys[:-1]:
            inside = inside[key]
        inside.pop(keys[-1], None)
        return Illegal(changed, f"no {'.'.join(keys)}", (keys[-1],))

    yield put("9 lives", "name")
    yield put("pipelin", "family", named=("pipeline",))
    yield put(-1, "seed")
    yield put(1.5, "seed")
    yield put(True, "seed")
    yield put({}, "trian", named=("unknown key", "train"))
    yield put(0, "train", "epochs")
    yield put("ten", "train", "epochs")
    yield put(float("nan"), "train", "learning_rate")
    yield put(float("inf"), "train", "learning_rate")
    yield put([0.01], "train", "learning_rate")
    yield put(1, "train", "epoch", named=("unknown key", "epochs"))
    yield put("fast", "train", "schedule")
    yield put({"flip": True}, "train", "augment", named=("image",))
    yield put(1.0, "data", "validation")
    yield put(2**32, "data", "split_seed")
    yield put("yes", "synth", "place_and_route")
    yield put(65, "synth", "seeds")
    yield put([[]], "synth", "devices")
    yield put(None, "data")
    yield put([], "train")
    yield without("name")
    yield without("topology")
    if engine:
        yield without("engine")
        yield put("jsc-s", "topology", "preset", named=("either a preset or layers",))
        yield put([], "topology", "layers")
        yield put([1, 2], "topology", "input")
        yield put("softmax", "topology", "layers", 0, "kind")
        yield put(9, "topology", "layers", 0, "bits")
        yield put(0, "topology", "layers", 0, "groups")
        yield put({"pe": 4}, "engine", named=("simd",))
        yield put({"default": "ecp5-85f", "pe": 4}, "engine", named=("either",))
        yield put("row_stationary", "engine", "dataflow")
        yield put(4.0, "engine", "pe")
    else:
        yield put("resnet-8", "topology", "preset", named=("either a preset or layers",))
        yield put([], "topology", "layers")
        yield put("2", "topology", "layers", 0, "width")
        yield put(2, "topology", "layers", 0, "fanin", named=("unknown key", "fan_in"))
        yield put(25, "topology", "max_address_bits")
        yield put({"every": 1, "depth": 2}, "rtl", "registers", named=("either",))
        yield put(12, "rtl", "stream_bits")
        yield put(5, "rtl", "lut_inputs")
        yield put(0, "simulate", "vectors")
        yield put(["a", 1], "passes")
        yield put(31, "inputs", "word_bits")
        yield put("median", "inputs", "thresholds")
