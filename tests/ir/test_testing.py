"""The networks that tests draw: everything a network may be made of turns up, and care sets hold when they must."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings

from codesign.ir import Decide, Encode, LutNetwork, Sums, Tables, check, encode, preset
from codesign.passes import check_care, every_input
from codesign.testing import networks, random_codes, random_features, structured_network


def neurons(network: LutNetwork):
    return [n for s in network.stages if isinstance(s, Tables) for n in s.neurons]


WITHOUT_SHRINKING = settings(deadline=None, max_examples=2000, phases=(Phase.generate,))

FOUND = {
    "sums before tables": lambda n: any(
        isinstance(a, Sums) and isinstance(b, Tables) for a, b in zip(n.stages, n.stages[1:], strict=False)
    ),
    "ragged fan-in": lambda n: len({len(x.sources) for x in neurons(n)}) > 2,
    "ragged bits": lambda n: len({x.format.bits for x in neurons(n)}) > 2,
    "a neuron without sources": lambda n: any(not x.sources for x in neurons(n)),
    "signed signals": lambda n: any(x.format.signed for x in neurons(n)),
    "thermometer words": lambda n: n.encode and n.encode.coding == "thermometer" and n.encode.in_hardware,
    "binary without words": lambda n: n.encode and n.encode.coding == "binary" and not n.encode.in_hardware,
    "equal thresholds": lambda n: (
        n.encode and any(len(set(f.thresholds)) < len(f.thresholds) for f in n.encode.features)
    ),
    "no encoder": lambda n: n.inputs,
    "a decision by threshold": lambda n: n.decide and n.decide.kind == "threshold",
    "no decision": lambda n: n.decide is None,
    "a care set": lambda n: any(x.care is not None and not x.care.all() for x in neurons(n)),
}


@pytest.mark.parametrize("what", FOUND)
def test_everything_turns_up(what):
    assert FOUND[what](find(networks(care="any"), lambda n: bool(FOUND[what](n)), settings=WITHOUT_SHRINKING))


@settings(max_examples=60, deadline=None)
@given(networks(care="sound"))
def test_sound_care_sets_hold(network):
    check_care(network, every_input(network))


@settings(max_examples=40, deadline=None)
@given(networks(encoders=("binary", "binary_words", "thermometer"), decides=("argmax",), sums=False))
def test_kinds_can_be_chosen(network):
    assert network.encode and not (network.encode.coding == "thermometer" and network.encode.in_hardware)
    assert isinstance(network.decide, Decide) and not any(isinstance(s, Sums) for s in network.stages)


@settings(max_examples=40, deadline=None)
@given(networks(encoders=("binary_words", "thermometer")))
def test_random_features_visit_every_code(network):
    assert isinstance(network.encode, Encode)
    rng = np.random.default_rng(0)
    codes = encode(network.encode, random_features(network.encode, rng, 4000))
    wanted = encode(network.encode, every_input(network))
    assert [set(c) for c in codes.T.tolist()] == [set(c) for c in wanted.T.tolist()]


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("name", ["jsc-s", "jsc-m", "nid-s"])
def test_structured_networks_have_the_shape_asked_for(name, words):
    topology = preset(name)
    network = structured_network(topology, np.random.default_rng(3), words=words)
    assert network.encode and network.encode.in_hardware == words
    assert [len(s.formats) for s in network.core] == [layer.width for layer in topology.layers] + [1]
    rows = {len(n.table) for n in network.stages[1].neurons}  # type: ignore[union-attr]
    assert rows == {1 << topology.address_bits(0)}
    assert network == structured_network(topology, np.random.default_rng(3), words=words)
    assert network != structured_network(topology, np.random.default_rng(4), words=words)
    hidden = np.concatenate([n.table for n in network.stages[2].neurons])  # type: ignore[union-attr]
    assert 0.2 < (hidden == 0).mean() < 0.8, "a hidden neuron is a ReLU: much of its mass is at 0"


def test_structured_networks_of_terms_and_thermometers():
    topology = preset("jsc-s")
    layers = tuple(replace(layer, terms=2) for layer in topology.layers)
    for coding in ("binary", "thermometer"):
        shape = replace(topology, layers=layers, coding=coding)
        network = check(structured_network(shape, np.random.default_rng(0)))
        assert sum(isinstance(s, Sums) for s in network.stages) == 5
        codes = random_codes(network, np.random.default_rng(1), 50)
        assert codes.shape == (50, shape.input_signals)


def test_the_example_of_the_documentation_runs():
    text = (Path(__file__).parents[2] / "docs" / "verification.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    lines = [line for line in code.splitlines() if line.startswith(("from ", "import "))]
    space: dict[str, object] = {}
    exec("\n".join(lines), space)
    names = {"illegal_topologies", "refused", "check_topology"}
    assert names <= space.keys() and all(name in code.split("@given")[1] for name in names)
