"""Spaces: YAML to object and back, points and their numbers, columns of many points, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from codesign.accel import Knob, Space, read_space, space
from codesign.cli.app import app
from codesign.errors import CodesignError, ConfigError, SpaceError

TOY = Space("toy", "engine", (Knob("pe", (1, 2, 4)), Knob("dsp", (False, True)), Knob("flow", ("out", "in"))))


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    word = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
    names = draw(st.lists(word, min_size=1, max_size=6, unique=True))
    kinds = (st.integers(-100, 10**6), st.booleans(), word)
    text = st.text("abc :,{}#'\"-", max_size=12)
    knobs = tuple(
        Knob(name, tuple(draw(st.lists(draw(st.sampled_from(kinds)), min_size=1, max_size=5, unique=True))), draw(text))
        for name in names
    )
    return Space(draw(word), "any", knobs, draw(text))


@given(spaces())
def test_yaml_and_back_is_the_identity(tmp_path_factory, drawn):
    path = tmp_path_factory.getbasetemp() / "space.yaml"
    path.write_text(drawn.text(), encoding="utf-8")
    assert read_space(path) == drawn
    assert read_space(path).text() == drawn.text()


@given(spaces(), st.data())
def test_numbers_and_points_are_inverse(drawn, data):
    number = data.draw(st.integers(0, drawn.size - 1))
    point = drawn.point(number)
    assert drawn.number(point) == number
    columns = drawn.columns(drawn.indices(np.array([number])))
    assert {name: values[0] for name, values in columns.items()} == point


def test_every_point_of_a_small_space_is_met_once():
    assert TOY.size == 12
    assert len({tuple(TOY.point(n).items()) for n in range(TOY.size)}) == 12
    assert TOY.point(1) == {"pe": 2, "dsp": False, "flow": "out"}


def test_sampling_is_uniform_and_repeatable():
    drawn = TOY.sample(6000, rng=np.random.default_rng(1))
    assert (drawn == TOY.sample(6000, rng=np.random.default_rng(1))).all()
    for column, knob in zip(drawn.T, TOY.knobs, strict=True):
        counts = np.bincount(column, minlength=len(knob.values))
        assert (np.abs(counts - 6000 / len(knob.values)) < 200).all()


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"pe": 3, "dsp": True, "flow": "in"}, "knob 'pe' must be one of 1, 2, 4, not 3"),
        ({"pe": True, "dsp": True, "flow": "in"}, "knob 'pe' must be one of 1, 2, 4, not true"),
        ({"pe": 1, "dsp": 1, "flow": "in"}, "knob 'dsp' must be one of false, true, not 1"),
        ({"pe": 1, "dsp": True}, "must set every knob; missing: flow"),
        ({"pee": 1}, "has no knob 'pee'. Did you mean \"pe\""),
    ],
)
def test_a_point_outside_is_refused(point, message):
    with pytest.raises(SpaceError, match=message.replace(".", r"\.")):
        TOY.check(point)


def test_numbers_outside_are_refused():
    with pytest.raises(SpaceError, match="has points 0 to 11, not 12"):
        TOY.point(12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nfamily: b\nknobs: {}\n", ":3: knobs"),
        ("name: a\nfamily: b\nknobs:\n  pe: {values: [1, two]}\n", ":4: knobs.pe"),
        ("name: a\nfamily: b\nknobs:\n  pe: {values: [1, 1]}\n", "must differ from each other"),
        ("name: a\nfamily: b\nknobs:\n  pe: {value: [1]}\n", 'Did you mean "values"'),
        ("name: a\nfamily: b\nknobs:\n  pe: {values: []}\n", ":4: knobs.pe.values"),
    ],
)
def test_a_bad_space_file_is_named_with_its_line(tmp_path: Path, text: str, message: str):
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_space(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_the_engine_space_is_large_and_known_by_name():
    engine = space("engine")
    assert engine.size >= 10_000_000
    assert all(knob.meaning or knob.unit for knob in engine.knobs)
    assert replace(engine) == engine
    with pytest.raises(CodesignError, match='Did you mean "engine"'):
        space("engin")


def test_the_command_lists_and_samples():
    listed = CliRunner().invoke(app, ["space", "check", "engine"], catch_exceptions=False)
    assert listed.exit_code == 0
    assert f"{space('engine').size:,} points" in listed.stdout
    drawn = CliRunner().invoke(
        app, ["space", "sample", "engine", "--count", "3", "--seed", "5"], catch_exceptions=False
    )
    lines = [json.loads(line) for line in drawn.stdout.splitlines()]
    assert len(lines) == 3
    assert all(space("engine").check(line) == line for line in lines)
