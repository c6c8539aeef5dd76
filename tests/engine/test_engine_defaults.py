"""The default accelerators: each committed file is what the rule gives, byte for byte."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from codesign.accel import device, devices, space
from codesign.accel.engine.defaults import default_path, default_point, default_text
from codesign.accel.engine.resources import resource_violations
from codesign.cli.app import app
from codesign.errors import CodesignError, SpaceError

WITH = [one.name for one in devices() if default_path(one).is_file()]
WITHOUT = [one.name for one in devices() if not default_path(one).is_file()]


def test_most_devices_have_a_default():
    assert {"xc7a35t", "xc7a100t", "xc7z020", "ecp5-25f", "ecp5-45f", "ecp5-85f"} <= set(WITH)


@pytest.mark.parametrize("name", WITH)
def test_the_rule_gives_the_committed_file(name):
    found = default_point(device(name))
    assert default_text(device(name)).encode() == found.path.read_bytes()
    assert found.digest == hashlib.sha256(found.path.read_bytes()).hexdigest()
    printed = CliRunner().invoke(app, ["space", "default", name], catch_exceptions=False)
    assert printed.exit_code == 0 and printed.stdout == found.path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", WITH)
def test_a_default_keeps_the_rule(name):
    target, point = device(name), default_point(device(name)).point
    point.check()
    assert space("engine").check(point.as_dict())
    assert point.pe == point.simd
    assert (point.dataflow, point.weights, point.weight_memory) == ("output_stationary", "resident", "bram")
    assert (point.stream_in_bits, point.stream_out_bits, point.double_buffer, point.pipeline) == (64, 64, True, 2)
    assert resource_violations(point, target, share=0.5) == ()
    if point.pe < 64:
        for multiplier in ("dsp", "lut"):
            larger = replace(
                point, pe=2 * point.pe, simd=2 * point.simd, multiplier=multiplier, weight_depth=256, bank_depth=256
            )
            assert resource_violations(larger, target, share=0.5) != ()
    for knob in ("weight_depth", "bank_depth"):
        more = [value for value in space("engine").knob(knob).values if value > getattr(point, knob)]
        if more:
            assert resource_violations(replace(point, **{knob: more[0]}), target, share=0.5) != ()


@pytest.mark.parametrize("name", WITHOUT)
def test_a_device_without_a_default_is_named_with_the_reason(name):
    with pytest.raises(SpaceError, match=f"no default accelerator for {name}: .*(not calibrated|holds no engine)"):
        default_point(device(name))
    with pytest.raises(CodesignError):
        default_text(device(name))


def test_a_device_that_is_too_small_is_told_the_numbers():
    tiny = replace(device("ecp5-25f"), name="tiny", luts=3000)
    with pytest.raises(SpaceError, match=r"tiny holds no engine within 0\.5 of its resources.*luts: needs \d+"):
        default_text(tiny)
