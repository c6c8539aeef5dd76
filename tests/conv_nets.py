"""Small networks over feature maps and small image sets for the tests of training and extraction."""

from dataclasses import replace

import numpy as np
import torch

from codesign.config import TrainConfig
from codesign.data import DataSet
from codesign.errors import ConfigError
from codesign.ir import ConvLayer, ConvTopology, Fixed, MapShape, check_conv_topology
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


def random_topology(rng, *, bits=None):
    """A legal topology of up to seven layers of any kind, drawn; operands of additions are given equal bits."""
    shape = MapShape(int(rng.integers(1, 4)), int(rng.integers(3, 8)), int(rng.integers(3, 8)))
    bits = int(rng.choice([1, 2, 3, 4, 8])) if bits is None else bits
    input_bits = int(rng.choice([1, 2, 4, 8]))
    shapes, made = {INPUT: shape}, []
    for index in range(int(rng.integers(0, 7))):
        name = f"l{index}"
        source = str(rng.choice(list(shapes)[-2:]))
        here, bipolar = shapes[source], (input_bits if source == INPUT else bits) == 1
        side = min(here.height, here.width)
        kernel = int(rng.integers(1, min(3, side) + 1))
        window = {"kernel": kernel, "stride": int(rng.integers(1, 3))}
        window["padding"] = 0 if bipolar else int(rng.integers(0, kernel))
        weight_bits = int(rng.choice([1, 2, 3, 4, 8]))
        kind = str(rng.choice(["conv", "depthwise", "add", "max_pool", "average_pool"]))
        own = input_bits if source == INPUT and "pool" in kind else bits
        layer = ConvLayer(name, kind, (source,), weight_bits=weight_bits, bits=own, **window)
        if kind == "conv":
            channels = int(rng.integers(1, 7))
            groups = int(rng.choice([g for g in range(1, 7) if channels % g == 0 and here.channels % g == 0]))
            layer = replace(layer, channels=channels, groups=groups)
        elif kind == "add":
            others = [n for n, s in shapes.items() if s == here]
            factors = tuple(int(f) for f in rng.choice([1, 1, 1, 2, -1], 2))
            layer = ConvLayer(name, kind, (source, str(rng.choice(others))), bits=bits, weights=factors)
        answer = ConvLayer("answer", "dense", (name,), channels=3, weight_bits=weight_bits, bits=None)
        try:
            topology = check_conv_topology(ConvTopology("drawn", shape, input_bits, (*made, layer, answer)))
        except ConfigError:
            continue  # an addition that reads the input, or the like
        made.append(layer)
        shapes[name] = topology.shapes()[name]
    last = ConvLayer("answer", "dense", (list(shapes)[-1],), channels=3, weight_bits=3, bits=None)
    return check_conv_topology(ConvTopology("drawn", shape, input_bits, (*made, last)))


def settled(topology, *, seed=0):
    """An untrained model whose batch norms have seen data and whose affine parts are random, and that data."""
    data = data_for(topology, rows=90)
    model = build_conv_model(topology, train=TRAIN, data=data, seed=seed)
    draws = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for norm in model.norms.values():
            norm.momentum = None  # the plain mean over all batches
            norm.weight.copy_(torch.randn(norm.weight.shape, generator=draws) + 0.5)  # some fall
            norm.bias.copy_(torch.randn(norm.bias.shape, generator=draws) * 0.5)
        model.train()
        for _ in range(2):
            model(model.prepare(data.x_train))
    return model.eval(), data
