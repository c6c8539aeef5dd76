"""A mask and a quantizer of one's own: trained, turned into tables, and proven equal, with no change to the library.

Run it with `python examples/custom_sparsity.py [FOLDER]`; the same classes work in a YAML file as
`sparsity: {method: "examples/custom_sparsity.py:PatchMask"}` and
`quantizer: "examples/custom_sparsity.py:LogQuantizer"`.
"""

import sys
import tempfile
from pathlib import Path

import torch

from codesign.config import DataConfig, InputsConfig, SparsityConfig, TrainConfig
from codesign.data import load
from codesign.extract import check_samples, check_tables, extract
from codesign.ir import Layer, Topology
from codesign.nn import Mask, Quantizer, build_model, train_model


class PatchMask(Mask):
    """Each neuron of the first layer reads pixels of one small square of the image; later layers read at random."""

    def __init__(self, rows, signals, *, side=8, patch=3, **common):
        super().__init__(rows, signals, **common)
        self.side, self.patch = side, patch

    def first(self):
        if self.signals != self.side**2 or self.fan_in > self.patch**2:
            return super().first()
        pixels = torch.arange(self.signals).view(self.side, self.side)
        places = self.side - self.patch + 1
        rows = []
        for _ in range(self.rows):
            top, left = torch.randint(places, (2,), generator=self.generator).tolist()
            square = pixels[top : top + self.patch, left : left + self.patch].reshape(-1)
            rows.append(square[torch.randperm(len(square), generator=self.generator)[: self.fan_in]])
        return torch.stack(rows)


class _Nearest(torch.autograd.Function):
    """Nearest of the given levels; the gradient passes straight through between the first and the last."""

    @staticmethod
    def forward(ctx, x, levels):
        ctx.save_for_backward((x >= levels[0]) & (x <= levels[-1]))
        return levels[torch.bucketize(x, (levels[1:] + levels[:-1]) / 2)]

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.saved_tensors[0], None


class LogQuantizer(Quantizer):
    """Levels 0, top, top/2, top/4, ...: steps that are fine near zero and coarse far from it."""

    steps: torch.Tensor

    def __init__(self, bits, *, role, top=2.0):
        super().__init__(bits, role=role)
        steps = [0.0] + [top / 2**k for k in reversed(range(2**bits - 1))]
        self.register_buffer("steps", torch.tensor(steps, dtype=torch.float64))

    def forward(self, x):
        return _Nearest.apply(x, self.steps.to(x.dtype))

    def codes(self, x):
        return torch.bucketize(x, (self.steps[1:] + self.steps[:-1]) / 2)

    def levels(self):
        return self.steps


def main(folder: Path) -> float:
    """Train on the digits, extract, prove every table row and every sample; return the test accuracy."""
    data = load(DataConfig(source="digits"))
    layers = (Layer("l0", 128, 4, 2), Layer("l1", 64, 5, 2), Layer("l2", 10, 5, 4))
    topology = Topology("digits", data.inputs, 2, layers)
    train = TrainConfig(
        epochs=12,
        batch_size=64,
        sparsity=SparsityConfig(method=f"{__file__}:PatchMask", options={"patch": 3}),
        quantizer=f"{__file__}:LogQuantizer",
        quantizer_options={"top": 1.5},
        tensorboard=False,
    )
    model = build_model(topology, inputs=InputsConfig(), train=train, data=data, seed=0)
    train_model(model, data, config=train, folder=folder, seed=0)
    network = extract(model, name="digits")
    rows = check_tables(model, network)
    samples = check_samples(model, network, data.x_test)
    accuracy = float((model.predict(data.x_test) == data.y_test).mean())
    print(f"test accuracy {accuracy:.3f}; {rows} table rows and {samples} samples equal the trained network")
    return accuracy


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
