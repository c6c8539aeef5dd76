"""Illegal networks of tables and over feature maps: a drawn legal one with one defect, and what must be named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import strategies as st

from codesign.ir import Decide, Encode, Format, LutNetwork, Neuron, Stage, Sums, Tables
from codesign.ir.integer import Add, Conv, IntegerLayer, IntegerNetwork, Levels, MapShape, Pool
from codesign.testing.illegal import Illegal
from codesign.testing.integer import integer_networks
from codesign.testing.networks import networks

__all__ = ["illegal_integer_networks", "illegal_networks"]


@st.composite
def illegal_networks(draw: st.DrawFn) -> Illegal[LutNetwork]:
    """Draw a network of tables that `codesign.ir.check` must refuse, naming stage and rule."""
    network = draw(networks())
    found = list(_defects(network))
    return found[draw(st.integers(0, len(found) - 1))]


@st.composite
def illegal_integer_networks(draw: st.DrawFn) -> Illegal[IntegerNetwork]:
    """Draw a network over feature maps that `codesign.ir.integer_check.check_integer` must refuse, naming the layer."""
    network = draw(integer_networks())
    found = list(_integer_defects(network))
    return found[draw(st.integers(0, len(found) - 1))]


def _defects(network: LutNetwork) -> Iterator[Illegal[LutNetwork]]:
    yield Illegal(replace(network, name="9x"), "a name that begins with a digit", ("name", "'9x'"))
    yield Illegal(replace(network, stages=()), "no stages", ("at least one stage",))
    first = network.stages[0]
    yield Illegal(_with(network, 0, replace(first, name="a b")), "a stage's name with a space", ("name", "'a b'"))
    if len(network.stages) > 1:
        twin = replace(network.stages[-1], name=first.name)
        yield Illegal(_with(network, -1, twin), "two stages of one name", ("stage names must differ", first.name))
    for index, stage in enumerate(network.stages):
        for changed, defect, named in _stage_defects(stage, index, len(network.stages)):
            yield Illegal(_with(network, index, changed), defect, named)
    if network.encode is not None:
        both = replace(network, inputs=(Format(1),))
        yield Illegal(both, "an encoder and input formats", ("encoder", "input formats must be empty"))
        yield Illegal(
            replace(network, stages=(*network.stages[1:-1], first), inputs=first.formats),
            "an encoder that is not the first stage",
            (),
        )
    else:
        wide = (Format(40), *network.inputs[1:])
        yield Illegal(replace(network, inputs=wide), "an input of 40 bits", ("input 0", "bits", "40"))


def _stage_defects(stage: Stage, index: int, count: int) -> Iterator[tuple[Stage, str, tuple[str, ...]]]:
    if isinstance(stage, Encode):
        feature = stage.features[0]
        where = (stage.name, feature.name)
        for thresholds, what, word in (
            ((1.0, 0.0), "thresholds that fall", "ascend"),
            ((float("nan"),), "a threshold that is no number", "finite"),
        ):
            changed = replace(feature, thresholds=thresholds)
            yield replace(stage, features=(changed, *stage.features[1:])), what, (*where, word)
        if feature.word is not None:
            off = replace(feature, thresholds=(2.0 ** -(feature.word.fraction_bits + 1),))
            yield replace(stage, features=(off, *stage.features[1:])), "a threshold off the grid", (*where, "grid")
            if len(stage.features) > 1:
                bare = replace(feature, word=None)
                yield replace(stage, features=(bare, *stage.features[1:])), "one feature without a word", ("word",)
    elif isinstance(stage, Tables):
        yield replace(stage, neurons=()), "a stage without neurons", (stage.name, "at least one output")
        at = len(stage.neurons) - 1
        neuron, where = stage.neurons[at], (stage.name, f"neuron {at}")
        for changed, what, words in _neuron_defects(neuron):
            yield replace(stage, neurons=(*stage.neurons[:at], changed)), what, (*where, *words)
    elif isinstance(stage, Sums):
        at = len(stage.sums) - 1
        total, where = stage.sums[at], (stage.name, f"sum {at}")
        changes: list[tuple[Any, str, str]] = [
            (replace(total, signs=(2, *total.signs[1:])), "a sign of 2", "signs"),
            (replace(total, sources=(999, *total.sources[1:])), "a source that is not there", "source"),
            (replace(total, bias=1 << 40), "a bias that the format does not hold", "must hold every sum"),
            (replace(total, format=Format(0)), "no bits", "bits"),
        ]
        for changed, what, word in changes:
            yield replace(stage, sums=(*stage.sums[:at], changed)), what, (*where, word)
    else:
        yield replace(stage, kind="vote"), "an unknown decision", (stage.name, "kind", "'vote'")  # type: ignore[arg-type]
        other = (*stage.inputs, Format(1))
        yield replace(stage, inputs=other), "a decision over other inputs", (stage.name, "input formats")
        assert index == count - 1


def _neuron_defects(neuron: Neuron) -> Iterator[tuple[Neuron, str, tuple[str, ...]]]:
    table = neuron.table
    yield replace(neuron, table=table[:-1]), "a table that is a row short", ("rows",)
    high = table.copy()
    high[0] = neuron.format.count
    yield replace(neuron, table=high), "a code that the format does not have", ("table codes",)
    yield replace(neuron, care=np.ones(table.size + 1, bool)), "a care set of another length", ("care set",)
    yield replace(neuron, format=Format(40)), "an output of 40 bits", ("bits", "40")
    if neuron.sources:
        yield replace(neuron, sources=(-1, *neuron.sources[1:])), "a source before the first", ("source", "-1")
        yield replace(neuron, sources=(neuron.sources[0],) * 2), "one source twice", ("sources must differ",)


def _with(network: LutNetwork, index: int, stage: Stage) -> LutNetwork:
    stages = list(network.stages)
    stages[index] = stage
    if isinstance(stage, Decide):
        return replace(network, stages=tuple(stages))
    return replace(network, stages=tuple(stages))


def _integer_defects(network: IntegerNetwork) -> Iterator[Illegal[IntegerNetwork]]:
    last = network.layers[-1]
    assert isinstance(last, Conv)
    yield Illegal(replace(network, name="a-b"), "a name with a dash", ("name", "'a-b'"))
    yield Illegal(replace(network, layers=()), "no layers", ("at least one layer",))
    yield Illegal(replace(network, input_shape=MapShape(0, 1, 1)), "an input of nothing", ("input",))
    yield Illegal(replace(network, input_levels=Levels(9)), "an input of 9 bits", ("input", "bits", "9"))

    def changed(layer: IntegerLayer, index: int = -1) -> IntegerNetwork:
        layers = list(network.layers)
        layers[index] = layer
        return replace(network, layers=tuple(layers))

    def of_last(what: str, *named: str, **values: Any) -> Illegal[IntegerNetwork]:
        return Illegal(changed(replace(last, **values)), what, (repr(last.name), *named))

    yield of_last("a source that is not there", "nowhere", source="nowhere")
    yield of_last("weights of the wrong kind", "int64", weights=last.weights.astype(np.int32))
    yield of_last("weights of three dimensions", "int64", weights=last.weights[0])
    yield of_last("a stride of 0", "stride", stride=0)
    yield of_last("padding as large as the kernel", "padding", padding=max(last.kernel))
    yield of_last("groups that divide nothing", "groups", groups=last.weights.shape[0] + 1)
    yield of_last("unsigned weights", "signed", weight_levels=Levels(2))
    yield of_last("weights of 9 bits", "bits", weight_levels=Levels(9, signed=True))
    beyond = last.weights.copy()
    beyond[0, 0, 0, 0] = 200
    yield of_last("a weight that its levels do not have", "weight", weights=beyond)
    channels = np.concatenate([last.weights, last.weights], axis=1)
    yield of_last("weights for other channels", "channels", weights=channels)
    yield of_last("levels where the answer is sums", "last layer", levels=Levels(4))
    for index, layer in enumerate(network.layers[:-1]):
        yield Illegal(
            changed(replace(layer, name="input"), index), "a layer called as the input", ("'input'", "is taken")
        )
        if isinstance(layer, Pool) and layer.kind == "max":
            other = replace(layer, levels=Levels(layer.levels.bits % 8 + 1))
            yield Illegal(changed(other, index), "a maximum with levels of its own", (layer.name, "keeps the levels"))
            continue
        assert layer.requantize is not None
        bare = replace(layer, requantize=None)
        yield Illegal(changed(bare, index), "no requantization", (layer.name, "requantization"))
        for what, word, step in _steps(layer.requantize):
            yield Illegal(changed(replace(layer, requantize=step), index), what, (layer.name, word))
        if isinstance(layer, Add):
            zero = replace(layer, weights=(0, 1))
            yield Illegal(changed(zero, index), "an addition that takes one operand 0 times", (layer.name, "weights"))


def _steps(step: Any) -> list[tuple[str, str, Any]]:
    make: Callable[..., Any] = type(step)
    return [
        ("a shift of 70", "shift", make(step.multipliers, step.biases, 70)),
        ("a multiplier of 2**20", "multiplier", make(np.full_like(step.multipliers, 1 << 20), step.biases, step.shift)),
        ("one bias too many", "bias", make(step.multipliers, np.append(step.biases, 0), step.shift)),
    ]
