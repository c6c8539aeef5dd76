"""A network over feature maps in floating point with random weights: what zero-cost proxies look at."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from codesign.ir import ConvTopology
from codesign.ir.integer import INPUT
from codesign.search.networks.shape_cost import topology_layers

__all__ = ["FloatNet"]


class FloatNet(nn.Module):
    """The topology's graph: convolution, batch norm, ReLU; additions and poolings as they are; bits are not looked at.

    norm: leave it False for synflow, which asks for a network without batch norm. Weights are normal with a variance of
    2 / fan-in (He et al., 2015), drawn by `seed`.
    """

    def __init__(self, topology: ConvTopology, *, seed: int, norm: bool = True, dtype: torch.dtype = torch.float32):
        super().__init__()
        self.topology = topology
        draws = torch.Generator().manual_seed(seed)
        self.weights = nn.ParameterDict()
        self.norms = nn.ModuleDict()
        self.groups: dict[str, int] = {}
        for shape in topology_layers(topology):
            layer, inputs = shape.layer, shape.source.channels
            if not layer.weighted:
                continue
            groups = inputs if layer.kind == "depthwise" else layer.groups
            rows, columns = (layer.kernel or shape.source.height, layer.kernel or shape.source.width)
            size = (shape.out.channels, inputs // groups, rows, columns)
            fan_in = size[1] * rows * columns
            self.groups[layer.name] = groups
            drawn = torch.randn(size, generator=draws, dtype=torch.float64) * (2.0 / fan_in) ** 0.5
            self.weights[layer.name] = nn.Parameter(drawn.to(dtype))
            if norm and layer.bits is not None:
                self.norms[layer.name] = nn.BatchNorm2d(shape.out.channels).to(dtype)

    def forward(self, images: Tensor, *, signs: list[Tensor] | None = None) -> Tensor:
        """Return logits (batch, answers) of images (batch, channels, height, width).

        signs: where given, for every ReLU which of its inputs are positive (batch, units) is added to it.
        """
        maps = {INPUT: images}
        for layer in self.topology.layers:
            x = maps[layer.sources[0]]
            if layer.kind == "add":
                x = layer.weights[0] * x + layer.weights[1] * maps[layer.sources[1]]
            elif layer.kind in ("max_pool", "average_pool"):
                size = (layer.kernel or x.shape[2], layer.kernel or x.shape[3])
                pool = F.max_pool2d if layer.kind == "max_pool" else F.avg_pool2d
                x = pool(F.pad(x, (layer.padding,) * 4), size, layer.stride)
            else:
                x = F.conv2d(
                    x,
                    self.weights[layer.name],
                    stride=layer.stride,
                    padding=layer.padding,
                    groups=self.groups[layer.name],
                )
                if layer.bits is not None:
                    x = self.norms[layer.name](x) if layer.name in self.norms else x
                    if signs is not None:
                        signs.append((x > 0).flatten(1))
                    x = F.relu(x)
            maps[layer.name] = x
        return maps[self.topology.layers[-1].name].flatten(1)
