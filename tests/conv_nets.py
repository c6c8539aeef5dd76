"""Small networks over feature maps and small image sets for the tests of training and extraction."""

import numpy as np

from codesign.config import TrainConfig
from codesign.data import DataSet
from codesign.ir import ConvLayer, ConvTopology, Fixed, MapShape
from codesign.ir.integer import INPUT
from codesign.nn import build_conv_model, train_model

TRAIN = TrainConfig(epochs=4, batch_size=32, learning_rate=0.01, tensorboard=False, threads=1)


PIXEL = Fixed(8)


def images(*, rows=400, shape=(2, 6, 6), classes=3, seed=0, word=PIXEL):
    """Noisy images of a few patterns, in bytes (or real, where `word` is None)."""
    draw = np.random.default_rng(seed)
    size = int(np.prod(shape))
    y = np.arange(rows) % classes
    base = np.stack([np.roll(np.linspace(40, 200, max(classes, shape[0])), k)[: shape[0]] for k in range(classes)])
    patterns = (base[:, :, None] + draw.uniform(-40, 40, (classes, shape[0], size // shape[0]))).reshape(classes, size)
    x = np.clip(np.rint(patterns[y] + draw.normal(size=(rows, size)) * 25), 0, 255).astype(np.float32)
    if word is None:
        x = x / 100 - 1
    order = draw.permutation(rows)
    x, y = x[order], y[order].astype(np.int64)
    a, b = rows * 7 // 10, rows * 85 // 100
    names = tuple(f"p{i}" for i in range(size)), tuple(f"c{i}" for i in range(classes))
    return DataSet("images", "classification", x[:a], y[:a], x[a:b], y[a:b], x[b:], y[b:], *names, word)


def everything(*, bits=4, weight_bits=4, input_bits=4):
    """Every kind of layer: strides, padding, groups, depthwise, both poolings, an addition, a dense layer.

    Padding is only for activations of 2 bits and more: bipolar values have no zero.
    """
    padding = 1 if bits > 1 else 0
    common = {"weight_bits": weight_bits, "bits": bits}
    pad = {"kernel": 3, "padding": padding}
    layers = (
        ConvLayer("c0", "conv", (INPUT,), channels=4, kernel=3, padding=1 if input_bits > 1 else 0, **common),
        ConvLayer("c1", "conv", ("c0",), channels=4, groups=2, **pad, **common),
        ConvLayer("c2", "depthwise", ("c0",), **pad, **common),
        ConvLayer("sum", "add", ("c1", "c2"), bits=bits, weights=(1, 2)),
        ConvLayer("most", "max_pool", ("sum",), kernel=2, bits=bits),
        ConvLayer("c3", "conv", ("most",), channels=10, kernel=2, stride=1, **common),
        ConvLayer("mean", "average_pool", ("c3",), bits=bits),
        ConvLayer("d0", "dense", ("mean",), channels=12, **common),
        ConvLayer("answer", "dense", ("d0",), channels=3, weight_bits=weight_bits, bits=None),
    )
    side = 6 if bits > 1 else 10
    return ConvTopology("everything", MapShape(2, side, side), input_bits, layers)


def data_for(topology, **changes):
    shape = topology.input_shape
    return images(shape=(shape.channels, shape.height, shape.width), **changes)


def trained(topology, folder, *, data=None, config=TRAIN, seed=0):
    """Build and train; return the model (in evaluation), the data and the result."""
    data = data_for(topology) if data is None else data
    model = build_conv_model(topology, train=config, data=data, seed=seed)
    result = train_model(model, data, config=config, folder=folder, seed=seed)
    return model, data, result
