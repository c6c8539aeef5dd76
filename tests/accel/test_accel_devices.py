"""Device files: the parts promised, plausible counts, and clear refusals."""

import pytest

from codesign.accel import device, devices, read_device
from codesign.errors import ConfigError
from codesign.resources import resource_dir

PROMISED = ("xc7a35t", "xc7z020", "xcvu9p", "xczu3eg", "ecp5-25f", "ecp5-85f", "ice40-up5k", "ice40-hx8k")


@pytest.mark.parametrize("name", PROMISED)
def test_promised_devices_are_there(name):
    assert device(name).name == name


def test_every_file_is_named_after_its_device_and_cites_a_sheet():
    names = [path.stem for path in (resource_dir("accel_space") / "devices").glob("*.yaml")]
    assert sorted(names) == [d.name for d in devices()]
    for d in devices():
        assert d.source
        assert d.ffs == d.luts * (2 if d.vendor == "amd" else 1)  # two flip-flops a LUT6, one a LUT4
        assert d.bram_bits == {"xc7": 36864, "xcup": 36864, "ecp5": 18432, "ice40": 4096}[d.family]


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(ConfigError, match=r'no device .ecp5-25.\. Did you mean "ecp5-25f"\? Known: ecp5-25f, '):
        device("ecp5-25")


def test_a_device_file_of_the_users_own(tmp_path):
    text = (resource_dir("accel_space") / "devices" / "ecp5-25f.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("name: ecp5-25f", "name: ecp5-12f").replace("LFE5U-25F", "LFE5U-12F"))
    assert device(str(path)).part == "LFE5U-12F-6BG381C"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("luts: 24288", "luts: many", r"mine.yaml:\d+: luts: .*many"),
        ("dsps: 28", "dsp: 28", r"mine.yaml:\d+: dsp: unknown key 'dsp'. Did you mean \"dsps\""),
        ("lut_inputs: 4", "lut_inputs: 6", "lut_inputs must be 4 for family 'ecp5', not 6"),
        ("family: ecp5", "family: ecp6", "family"),
        ("name: ecp5-25f", "", "the key 'name' is missing"),
    ],
)
def test_a_bad_device_file_is_refused(tmp_path, old, new, message):
    text = (resource_dir("accel_space") / "devices" / "ecp5-25f.yaml").read_text()
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=message):
        read_device(path)
