"""Checkpoints: a run killed at any epoch ends with the bytes of an uninterrupted one; damage is named."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_data import blobs

from codesign.config import InputsConfig, SparsityConfig, TrainConfig
from codesign.errors import DataError, RunError
from codesign.ir import Layer, Topology
from codesign.nn import build_model, load_model, train_model
from codesign.nn.train import CHECKPOINT

HERE = Path(__file__).parent
EPOCHS = 6
LAYERS = (Layer("l0", 16, 3, 2, "mlp"), Layer("l1", 5, 3, 3))


class Interrupted(Exception):
    pass


def train(folder, *, method="regrow", seed=0, epochs=EPOCHS, stop_after=None):
    data = blobs()
    config = TrainConfig(
        epochs=epochs,
        batch_size=64,
        tensorboard=False,
        sparsity=SparsityConfig(method=method, options={"interval": 2} if method in ("magnitude", "regrow") else {}),
        threads=1,
    )
    topology = Topology("t", data.inputs, 2, LAYERS)
    model = build_model(topology, inputs=InputsConfig(), train=config, data=data, seed=seed)

    def progress(text, share):
        if stop_after is not None and share >= stop_after / epochs:
            raise Interrupted

    return train_model(model, data, config=config, folder=folder, seed=seed, progress=progress)


def files(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("method", ["random", "magnitude", "regrow", "learned"])
def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path, method):
    train(tmp_path / "whole", method=method)
    for epoch in (1, 4):
        folder = tmp_path / f"stopped{epoch}"
        with pytest.raises(Interrupted):
            train(folder, method=method, stop_after=epoch)
        assert list(files(folder)) == [CHECKPOINT]
        result = train(folder, method=method)
        assert len(result.history) == EPOCHS
        assert files(folder) == files(tmp_path / "whole")


def test_a_killed_run_ends_with_the_same_bytes(tmp_path):
    train(tmp_path / "whole", method="magnitude")
    folder = tmp_path / "killed"
    script = f"""
import sys, time
from pathlib import Path
sys.path[:0] = {[str(HERE), str(HERE.parent)]!r}
import test_nn_resume as t
t.train_model.__globals__["_line"] = lambda *_: time.sleep(0.2)  # leave time to be killed between epochs
t.train(Path(sys.argv[1]), method="magnitude")
"""
    child = subprocess.Popen([sys.executable, "-c", script, str(folder)])
    try:
        deadline = time.monotonic() + 120
        while not (folder / CHECKPOINT).exists():
            assert child.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert child.returncode == -signal.SIGKILL
    assert CHECKPOINT in files(folder) and "model.safetensors" not in files(folder)
    train(folder, method="magnitude")
    assert {k: v for k, v in files(folder).items() if not k.endswith(".part")} == files(tmp_path / "whole")


def test_a_finished_run_without_its_model_is_finished_again(tmp_path):
    """A kill between the last epoch and the end leaves a checkpoint of all epochs."""
    train(tmp_path / "whole")
    with pytest.raises(Interrupted):
        train(tmp_path / "late", stop_after=EPOCHS)
    train(tmp_path / "late")
    assert files(tmp_path / "late") == files(tmp_path / "whole")


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    with pytest.raises(Interrupted):
        train(tmp_path, stop_after=1)
    for change in ({"seed": 1}, {"epochs": EPOCHS + 1}, {"method": "random"}):
        with pytest.raises(RunError, match=f"{CHECKPOINT} belongs to another configuration"):
            train(tmp_path, **change)


@pytest.mark.parametrize("damage", ["truncate", "flip", "foreign", "empty", "no header"])
def test_damaged_checkpoints_and_models_are_named(tmp_path, damage):
    def hurt(path):
        content = bytearray(path.read_bytes())
        if damage == "truncate":
            content = content[: len(content) // 2]
        elif damage == "flip":
            content[-5] ^= 1
        elif damage == "foreign":
            content = bytearray(b"PK\x03\x04 not ours" * 9)
        elif damage == "no header":
            content = bytearray((2).to_bytes(8, "little") + b"{}")
        else:
            content = bytearray()
        path.write_bytes(bytes(content))

    with pytest.raises(Interrupted):
        train(tmp_path / "run", stop_after=1)
    hurt(tmp_path / "run" / CHECKPOINT)
    with pytest.raises(DataError, match=rf"{CHECKPOINT}.*delete it to train from the start"):
        train(tmp_path / "run")
    train(tmp_path / "done", epochs=1, method="random")
    hurt(tmp_path / "done" / "model.safetensors")
    with pytest.raises(DataError, match=r"model\.safetensors.*train again"):
        load_model(tmp_path / "done")


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no trained model at .*model\.safetensors"):
        load_model(tmp_path)


def test_a_full_disk_is_named_and_leaves_no_half_file(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("codesign.nn.store.os.fsync", full)
    with pytest.raises(DataError, match=rf"cannot write .*{CHECKPOINT}.*No space left"):
        train(tmp_path)
    assert files(tmp_path) == {}
