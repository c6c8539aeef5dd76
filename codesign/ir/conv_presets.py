"""Topologies of known networks over feature maps: dense MNIST, a small CIFAR-10 net, ResNet-8, NAS-Bench-201 cells."""

from __future__ import annotations

import re
from collections.abc import Callable

from codesign.errors import ConfigError, did_you_mean
from codesign.ir.conv_topology import ConvLayer, ConvTopology, check_conv_topology
from codesign.ir.integer import INPUT, MapShape

__all__ = [
    "CONV_PRESETS",
    "NASBENCH_OPERATIONS",
    "cifar10_small",
    "conv_preset",
    "mnist_dense",
    "nasbench201",
    "resnet8",
]

NASBENCH_OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
"""What an edge of a NAS-Bench-201 cell may be (Dong and Yang, ICLR 2020)."""

_MNIST = MapShape(784, 1, 1)
_CIFAR = MapShape(3, 32, 32)
_EDGE = re.compile(r"([a-z0-9_]+)~(\d+)\Z")


class _Builder:
    """Adds layers one after the other, each reading the one before unless told otherwise."""

    def __init__(self, *, weight_bits: int, bits: int):
        self.layers: list[ConvLayer] = []
        self.weight_bits = weight_bits
        self.bits = bits
        self.last = INPUT

    def _add(self, layer: ConvLayer) -> str:
        self.layers.append(layer)
        self.last = layer.name
        return layer.name

    def conv(self, name: str, channels: int, *, kernel: int = 3, stride: int = 1, source: str | None = None) -> str:
        """Add a convolution with a window centred on its pixel, and a ReLU."""
        layer = ConvLayer(
            name,
            "conv",
            (source or self.last,),
            channels=channels,
            kernel=kernel,
            stride=stride,
            padding=kernel // 2,
            weight_bits=self.weight_bits,
            bits=self.bits,
        )
        return self._add(layer)

    def add(self, name: str, first: str, second: str, *, weights: tuple[int, int] = (1, 1)) -> str:
        """Add an addition."""
        return self._add(ConvLayer(name, "add", (first, second), bits=self.bits, weights=weights))

    def pool(self, name: str, kernel: int, *, stride: int = 1, padding: int = 0, source: str | None = None) -> str:
        """Add an average pooling; a kernel of 0 is the whole map."""
        return self._add(
            ConvLayer(
                name,
                "average_pool",
                (source or self.last,),
                kernel=kernel,
                stride=stride,
                padding=padding,
                bits=self.bits,
            )
        )

    def dense(self, name: str, channels: int, *, last: bool = False) -> str:
        """Add a dense layer."""
        bits = None if last else self.bits
        layer = ConvLayer(name, "dense", (self.last,), channels=channels, weight_bits=self.weight_bits, bits=bits)
        return self._add(layer)

    def topology(self, name: str, shape: MapShape, input_bits: int) -> ConvTopology:
        """Return what was built, checked."""
        return check_conv_topology(ConvTopology(name, shape, input_bits, tuple(self.layers)))


def mnist_dense(
    *,
    hidden: tuple[int, ...] = (64, 64),
    classes: int = 10,
    shape: MapShape = _MNIST,
    weight_bits: int = 4,
    bits: int = 4,
    input_bits: int = 4,
) -> ConvTopology:
    """Dense layers over all features at once: 784-64-64-10 by default.

    The features are channels of one pixel, so that hardware which reads several channels a clock is kept busy.
    """
    build = _Builder(weight_bits=weight_bits, bits=bits)
    for index, width in enumerate(hidden):
        build.dense(f"dense{index}", width)
    build.dense("answer", classes, last=True)
    return build.topology("mnist_dense", shape, input_bits)


def cifar10_small(
    *,
    channels: int = 16,
    classes: int = 10,
    shape: MapShape = _CIFAR,
    weight_bits: int = 4,
    bits: int = 4,
    input_bits: int = 4,
) -> ConvTopology:
    """Five 3x3 convolutions in three scales (stride 2 between them), global average pooling, one dense layer."""
    build = _Builder(weight_bits=weight_bits, bits=bits)
    build.conv("conv0", channels, stride=1)
    build.conv("conv1", 2 * channels, stride=2)
    build.conv("conv2", 2 * channels)
    build.conv("conv3", 4 * channels, stride=2)
    build.conv("conv4", 4 * channels)
    build.pool("pool", 0)
    build.dense("answer", classes, last=True)
    return build.topology("cifar10_small", shape, input_bits)


def resnet8(
    *,
    channels: int = 16,
    classes: int = 10,
    shape: MapShape = _CIFAR,
    weight_bits: int = 4,
    bits: int = 4,
    input_bits: int = 4,
) -> ConvTopology:
    """The shape of MLPerf Tiny's ResNet-8: a stem, three residual blocks, global pooling, a dense layer.

    Every convolution has a ReLU, also those that enter an addition, since all activations are unsigned.
    """
    build = _Builder(weight_bits=weight_bits, bits=bits)
    block = build.conv("stem", channels)
    for index, (width, stride) in enumerate(((channels, 1), (2 * channels, 2), (4 * channels, 2))):
        build.conv(f"b{index}_conv0", width, stride=stride, source=block)
        second = build.conv(f"b{index}_conv1", width)
        short = block if stride == 1 else build.conv(f"b{index}_short", width, kernel=1, stride=stride, source=block)
        block = build.add(f"b{index}_add", short, second)
    build.pool("pool", 0)
    build.dense("answer", classes, last=True)
    return build.topology("resnet8", shape, input_bits)


def nasbench201(
    arch: str = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|skip_connect~0|none~1|nor_conv_3x3~2|",
    *,
    channels: int = 16,
    cells: int = 5,
    classes: int = 10,
    shape: MapShape = _CIFAR,
    weight_bits: int = 4,
    bits: int = 4,
    input_bits: int = 4,
) -> ConvTopology:
    """Stack NAS-Bench-201 cells: a stem, three stages of `cells` cells with a residual block of stride 2 between.

    arch: as the benchmark writes it, e.g. ``|nor_conv_3x3~0|+|none~0|skip_connect~1|+|...|...|...|``: for each node,
    its edges from nodes before. Operations that cannot reach the cell's output are left out; an output that nothing
    reaches is the constant 0, as in the benchmark. Average pooling divides by 9 at the border as well. Each
    convolution is followed by batch norm and ReLU (the benchmark has the ReLU first).
    """
    nodes = _parse_cell(arch)
    build = _Builder(weight_bits=weight_bits, bits=bits)
    build.conv("stem", channels)
    for stage in range(3):
        width = channels << stage
        if stage:
            source = build.last
            build.conv(f"r{stage}_conv0", width, stride=2)
            second = build.conv(f"r{stage}_conv1", width)
            build.pool(f"r{stage}_pool", 2, stride=2, source=source)
            short = build.conv(f"r{stage}_short", width, kernel=1)
            build.add(f"r{stage}_add", short, second)
        for cell in range(cells):
            _add_cell(build, nodes, prefix=f"s{stage}c{cell}", width=width)
    build.pool("pool", 0)
    build.dense("answer", classes, last=True)
    return build.topology("nasbench201", shape, input_bits)


def _parse_cell(arch: str) -> list[list[tuple[str, int]]]:
    """Read an architecture string: for each node after the first, (operation, node it comes from) of every edge."""
    nodes: list[list[tuple[str, int]]] = []
    for index, part in enumerate(arch.split("+"), start=1):
        edges: list[tuple[str, int]] = []
        for text in part.strip("|").split("|"):
            found = _EDGE.match(text)
            if found is None or not part.startswith("|") or not part.endswith("|"):
                raise ConfigError(f"architecture {arch!r}, node {index}: an edge must be operation~node, not {text!r}")
            operation, source = found.group(1), int(found.group(2))
            if operation not in NASBENCH_OPERATIONS:
                raise ConfigError(
                    f"architecture {arch!r}, node {index}: there is no operation {operation!r}."
                    f"{did_you_mean(operation, NASBENCH_OPERATIONS)} Known: {', '.join(NASBENCH_OPERATIONS)}."
                )
            edges.append((operation, source))
        if [source for _, source in edges] != list(range(index)):
            raise ConfigError(
                f"architecture {arch!r}, node {index}: its {index} edge(s) must come from nodes 0 to {index - 1}, in "
                f"order, not {[source for _, source in edges]}"
            )
        nodes.append(edges)
    if len(nodes) != 3:
        raise ConfigError(f"architecture {arch!r} must describe 3 nodes, joined by '+', not {len(nodes)}")
    return nodes


def _add_cell(build: _Builder, nodes: list[list[tuple[str, int]]], *, prefix: str, width: int) -> None:
    source = build.last
    values: dict[int, str | None] = {0: source}

    def value(node: int) -> str | None:
        if node not in values:
            terms: list[str] = []
            for operation, start in nodes[node - 1]:
                given = value(start) if operation != "none" else None
                if given is None:
                    continue
                name = f"{prefix}_n{start}to{node}"
                if operation == "avg_pool_3x3":
                    given = build.pool(name, 3, padding=1, source=given)
                elif operation != "skip_connect":
                    given = build.conv(name, width, kernel=int(operation[-1]), source=given)
                terms.append(given)
            total = terms[0] if terms else None
            for index, term in enumerate(terms[1:]):
                assert total is not None
                total = build.add(f"{prefix}_n{node}_add{index}", total, term)
            values[node] = total
        return values[node]

    out = value(3)
    build.last = build.add(f"{prefix}_zero", source, source, weights=(1, -1)) if out is None else out


CONV_PRESETS: dict[str, Callable[..., ConvTopology]] = {
    "mnist-dense": mnist_dense,
    "cifar10-small": cifar10_small,
    "resnet-8": resnet8,
    "nasbench201": nasbench201,
}
"""Makers of known topologies, by name."""


def conv_preset(name: str) -> Callable[..., ConvTopology]:
    """Return the maker of a preset; an unknown name is a ConfigError."""
    if name not in CONV_PRESETS:
        raise ConfigError(
            f"no network preset {name!r}.{did_you_mean(name, CONV_PRESETS)} Known: {', '.join(CONV_PRESETS)}."
        )
    return CONV_PRESETS[name]
