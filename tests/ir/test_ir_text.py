"""The canonical text: as written down by hand, and different for different networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from codesign.ir import Decide, Encode, Feature, Fixed, Format, LutNetwork, Neuron, Sum, Sums, Tables, text
from codesign.ir.text import digest
from codesign.testing import networks

SMALL = LutNetwork(
    "small",
    (
        Encode("encode", (Feature("a", (-0.5, 1.0), Fixed(4, 1, True)), Feature("b", (0.0,), Fixed(1)))),
        Tables(
            "l0",
            (
                Neuron(
                    (1, 0), np.array([0, 17, 2, 3, 31, 5, 6, 7]), Format(5), np.array([1, 1, 0, 0, 1, 1, 0, 1], bool)
                ),
                Neuron((), np.array([1]), Format(1)),
            ),
        ),
        Sums("s", (Sum((0, 1, 1), (1, -1, -1), Format(7, True), -3),)),
        Decide("decide", "threshold", (Format(7, True),), 4),
    ),
)


def test_text_by_hand():
    assert text(SMALL) == (
        "network small\n"
        "encode encode binary\n"
        "  feature a word s4.1 thresholds -0.5 1.0\n"
        "  feature b word u1.0 thresholds 0.0\n"
        "tables l0\n"
        "  neuron 0 u5 sources 1 0 table 001102031f050607 care b3\n"
        "  neuron 1 u1 sources table 1\n"
        "sums s\n"
        "  sum 0 s7 bias -3 sources +0 -1 -1\n"
        "decide decide threshold at 4 inputs s7\n"
    )


def test_inputs_and_scales_are_in_the_text():
    bare = LutNetwork(
        "bare", (Decide("d", "none", (Format(2), Format(3, True)), 0, 0.1, -2.0),), (Format(2), Format(3, True))
    )
    assert text(bare) == "network bare\ninputs u2 s3\ndecide d none scale 0.1 offset -2.0 inputs u2 s3\n"


@settings(max_examples=50, deadline=None)
@given(networks(care="any"), networks(care="any"))
def test_text_tells_networks_apart(one, two):
    assert (text(one) == text(two)) == (one == two)
    assert (digest(one) == digest(two)) == (one == two)


def test_every_part_is_in_the_digest():
    encode, tables, sums, decide = SMALL.stages
    assert isinstance(encode, Encode) and isinstance(tables, Tables)
    assert isinstance(sums, Sums) and isinstance(decide, Decide)
    neuron, feature = tables.neurons[0], encode.features[0]
    changed = [
        replace(SMALL, name="other"),
        *(
            replace(SMALL, stages=(encode, replace(tables, neurons=(n, tables.neurons[1])), sums, decide))
            for n in (
                replace(neuron, sources=(0, 1)),
                replace(neuron, table=np.zeros(8, int)),
                replace(neuron, care=None),
                replace(neuron, care=np.ones(8, bool)),
                replace(neuron, format=Format(6)),
            )
        ),
        *(
            replace(SMALL, stages=(replace(encode, features=(f, encode.features[1])), tables, sums, decide))
            for f in (
                replace(feature, name="c"),
                replace(feature, thresholds=(-0.5, 1.5)),
                replace(feature, word=Fixed(5, 1, True)),
            )
        ),
        replace(SMALL, stages=(replace(encode, coding="thermometer"), tables, sums, decide)),
        replace(SMALL, stages=(encode, tables, replace(sums, sums=(replace(sums.sums[0], bias=0),)), decide)),
        replace(SMALL, stages=(encode, tables, sums, replace(decide, threshold=5))),
        replace(SMALL, stages=(encode, tables, sums, replace(decide, kind="argmax"))),
    ]
    assert len({digest(n) for n in (SMALL, *changed)}) == len(changed) + 1
