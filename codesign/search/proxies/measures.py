"""Zero-cost proxies: figures of an untrained network on one batch that are said to foretell its accuracy.

grad_norm and synflow as in Abdelfattah et al. (ICLR 2021), snip after Lee et al. (ICLR 2019), synflow after Tanaka et
al. (NeurIPS 2020), naswot after Mellor et al. (ICML 2021), grad_sign after Zhang and Jia (ICLR 2022). None knows what
the network costs; judge each beside plain counts and given them (see `rank_table`).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from codesign.errors import ConfigError, did_you_mean
from codesign.ir import ConvTopology
from codesign.search.proxies.net import FloatNet

__all__ = ["PROXIES", "proxy"]


def grad_norm(topology: ConvTopology, images: Tensor, labels: Tensor, seed: int) -> float:
    """Sum over the layers of the Euclidean norm of the loss's gradient."""
    return float(sum(gradient.norm() for _, gradient in _gradients(topology, images, labels, seed)))


def snip(topology: ConvTopology, images: Tensor, labels: Tensor, seed: int) -> float:
    """Sum over the weights of the magnitude of weight times gradient."""
    return float(
        sum((weight * gradient).abs().sum() for weight, gradient in _gradients(topology, images, labels, seed))
    )


def synflow(topology: ConvTopology, images: Tensor, labels: Tensor, seed: int) -> float:
    """Logarithm of the sum over the weights of the flow through each: no data, no batch norm, magnitudes alone."""
    net = FloatNet(topology, seed=seed, norm=False, dtype=torch.float64)
    with torch.no_grad():
        for weight in net.parameters():
            weight.abs_()
    net(torch.ones(1, *images.shape[1:], dtype=torch.float64)).sum().backward()
    flow = sum(float((w.detach() * w.grad).sum()) for w in net.weights.values() if w.grad is not None)
    return float(torch.log(torch.tensor(max(flow, 1e-300), dtype=torch.float64)))


@torch.no_grad()
def naswot(topology: ConvTopology, images: Tensor, labels: Tensor, seed: int) -> float:
    """Logarithm of the determinant of the kernel of Hamming similarities of the images' ReLU patterns."""
    signs: list[Tensor] = []
    FloatNet(topology, seed=seed)(images, signs=signs)
    codes = torch.cat(signs, dim=1).double()
    kernel = codes @ codes.T + (1 - codes) @ (1 - codes).T
    found = torch.linalg.slogdet(kernel)
    return float(found.logabsdet) if bool(torch.isfinite(found.logabsdet)) else -1e9


def grad_sign(topology: ConvTopology, images: Tensor, labels: Tensor, seed: int) -> float:
    """Sum over the weights of how far the images agree on the sign of their gradients."""
    net = FloatNet(topology, seed=seed)
    logits = net(images)
    weights = list(net.weights.values())
    totals = [torch.zeros_like(weight) for weight in weights]
    for index in range(len(images)):
        loss = F.cross_entropy(logits[index : index + 1], labels[index : index + 1])
        found = torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)
        for total, gradient in zip(totals, found, strict=True):
            if gradient is not None:
                total += gradient.sign()
    return float(sum(total.abs().sum() for total in totals))


PROXIES: dict[str, Callable[[ConvTopology, Tensor, Tensor, int], float]] = {
    "grad_norm": grad_norm,
    "snip": snip,
    "synflow": synflow,
    "naswot": naswot,
    "grad_sign": grad_sign,
}
"""The proxies by name."""


def proxy(name: str, topology: ConvTopology, *, images: Tensor, labels: Tensor, seed: int) -> float:
    """Return a proxy of a network, larger meant to be better.

    images: (batch, channels, height, width), labels: (batch,) class indices; seed: of the weights. An unknown name, or
    images that are not the network's input, are a ConfigError.
    """
    if name not in PROXIES:
        raise ConfigError(f"no proxy {name!r}.{did_you_mean(name, PROXIES)} Known: {', '.join(PROXIES)}")
    shape = topology.input_shape
    if images.ndim != 4 or tuple(images.shape[1:]) != (shape.channels, shape.height, shape.width):
        raise ConfigError(f"images must be (batch, {shape}), the network's input, not {tuple(images.shape)}")
    if len(labels) != len(images) or len(images) < 2:
        raise ConfigError(f"a batch needs 2 images or more and a label for each, not {len(images)} and {len(labels)}")
    return PROXIES[name](topology, images, labels, seed)


def _gradients(topology: ConvTopology, images: Tensor, labels: Tensor, seed: int) -> list[tuple[Tensor, Tensor]]:
    """Weights, and the gradient of the mean loss, of every layer that the loss reaches."""
    net = FloatNet(topology, seed=seed)
    F.cross_entropy(net(images), labels).backward()  # pyright: ignore[reportUnknownMemberType]
    return [(w.detach(), w.grad) for w in net.weights.values() if w.grad is not None]
