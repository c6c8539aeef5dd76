"""Configuration files: what is refused names file, line and key."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.config import BuildConfig, RtlConfig, dump_yaml, parse_model, read_yaml
from codesign.errors import ConfigError, TableTooLarge

GOOD = """\
name: small
topology:
  layers:
    - {width: 8, fan_in: 3, bits: 2}
    - {width: 4, fan_in: 3, bits: 2}
"""


def parse(folder: Path, text: str) -> BuildConfig:
    path = folder / "build.yaml"
    path.write_text(text)
    return parse_model(BuildConfig, path)


def test_defaults_round_trip(tmp_path):
    config = parse(tmp_path, GOOD)
    again = parse(tmp_path, dump_yaml(config.model_dump(mode="json")))
    assert again == config


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (GOOD + "sed: 3\n", 6, ["unknown key 'sed'", 'Did you mean "seed"?']),
        (GOOD + "train: {epoch: 3}\n", 6, ["unknown key 'epoch'", 'Did you mean "epochs"?']),
        (GOOD + "train:\n  epochs: many\n", 7, ["train.epochs", "integer"]),
        (GOOD + "train:\n  epochs: 0\n", 7, ["train.epochs", "greater than 0"]),
        (GOOD + "seed: 1\nseed: 2\n", 7, ["'seed' stands twice"]),
        (GOOD + "rtl: {stream_bits: 20}\n", 6, ["rtl.stream_bits", "multiple of 8"]),
        (GOOD + "rtl: {stream_bits: 520}\n", 6, ["rtl.stream_bits", "less than or equal to 512"]),
        (GOOD + "rtl: {stream_bits: 0}\n", 6, ["rtl.stream_bits", "greater than or equal to 8"]),
        (GOOD + "seed: -4\n", 6, ["seed", "greater than or equal to 0, not -4"]),
        (GOOD + "simulate:\n  seed: -1\n", 7, ["simulate.seed", "greater than or equal to 0"]),
        (GOOD + "data: {split_seed: -1}\n", 6, ["data.split_seed", "greater than or equal to 0"]),
        (GOOD.replace("width: 4", "width: true"), 5, ["topology.layers.1.width", "valid integer, not True"]),
        (GOOD.replace("fan_in: 3", "fan_in: 3.0", 1), 4, ["topology.layers.0.fan_in", "valid integer, not 3.0"]),
        (GOOD + "train: {epochs: '3'}\n", 6, ["train.epochs", "valid integer, not '3'"]),
        (GOOD + "train: {augment: {image: [8, true], flip: true}}\n", 6, ["image", "valid integer, not True"]),
        (GOOD + "train: {learning_rate: true}\n", 6, ["train.learning_rate", "valid number, not True"]),
        (GOOD + "train: {tensorboard: 1}\n", 6, ["train.tensorboard", "valid boolean, not 1"]),
        (GOOD + "rtl: {registers: {every: 1, depth: 2}}\n", 6, ["either `every` or `depth`"]),
        (GOOD.replace("fan_in: 3, bits: 2}\n    - {width: 4", "bits: 2}\n    - {width: 4"), 4, ["'fan_in' is missing"]),
        ("name: a\ntopology: {preset: jsc-x}\n", 2, ["jsc-x", 'Did you mean "jsc-']),
        ("name: a\ntopology: [\n", 3, ["malformed YAML"]),
        ("- 1\n", 1, ["must be a mapping"]),
    ],
)
def test_refusals_name_the_line(tmp_path, text, line, words):
    with pytest.raises(ConfigError) as caught:
        parse(tmp_path, text)
    message = str(caught.value)
    assert f"build.yaml:{line}:" in message, message
    for word in words:
        assert word in message


def test_numbers_may_be_whole_and_streams_any_count_of_bytes(tmp_path):
    config = parse(tmp_path, GOOD + "train: {learning_rate: 1}\nsynth: {memory_gb: 4}\nrtl: {stream_bits: 24}\n")
    assert (config.train.learning_rate, config.synth.memory_gb, config.rtl.stream_bits) == (1.0, 4.0, 24)
    assert isinstance(config.train.learning_rate, float)
    assert [w for w in range(1, 600) if _takes_width(w)] == list(range(8, 513, 8))


def _takes_width(width: int) -> bool:
    try:
        return RtlConfig(stream_bits=width).stream_bits == width
    except ValueError:
        return False


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nothing.yaml"):
        parse_model(BuildConfig, tmp_path / "nothing.yaml")


@pytest.mark.parametrize(("text", "value"), [("1e-3", 1e-3), ("no", "no"), ("true", True), ("0.5", 0.5), ("7", 7)])
def test_scalars_read_as_people_mean_them(tmp_path, text, value):
    path = tmp_path / "x.yaml"
    path.write_text(f"a: {text}\n")
    assert read_yaml(path)[0] == {"a": value}


def test_over_limit_layer_is_refused_by_name(tmp_path):
    config = parse(tmp_path, GOOD.replace("width: 8, fan_in: 3, bits: 2", "width: 8, fan_in: 9, bits: 2"))
    with pytest.raises(TableTooLarge, match=r"layer 'l0': fan-in 9 x 2 bits = 18 address bits, a table of 262144 rows"):
        config.topology.topology("a", inputs=16, answers=4, task="classification")


def test_last_layer_must_fit_the_data(tmp_path):
    config = parse(tmp_path, GOOD)
    with pytest.raises(ConfigError, match="'l1'.*must have width 5"):
        config.topology.topology("a", inputs=16, answers=5, task="classification")


@pytest.mark.parametrize(("preset", "answers", "width"), [("nid-s", 2, 1), ("jsc-s", 5, 5), ("jsc-s", 10, 10)])
def test_presets_take_the_shape_of_the_data(tmp_path, preset, answers, width):
    config = parse(tmp_path, f"name: a\ntopology: {{preset: {preset}}}\n")
    shape = config.topology.topology("a", inputs=20, answers=answers, task="classification")
    assert (shape.inputs, shape.layers[-1].width) == (20, width)
    assert shape.decide == ("threshold" if width == 1 else "argmax")


@given(text=st.text(max_size=200))
def test_any_text_reads_or_is_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(text, encoding="utf-8")
    try:
        parse_model(BuildConfig, path)
    except ConfigError as problem:
        assert "fuzz.yaml" in str(problem)
