"""Models with statistics of their own for the tests of extraction: built, and given a few random batches."""

import torch

from codesign.config import InputsConfig, SparsityConfig, TrainConfig
from codesign.nn import build_model


def model_for(data, topology, *, seed=0, inputs=None, method="random", scramble=True, **train):
    """A model as if trained: batch norms have statistics and gains, scales have moved."""
    settings = TrainConfig(sparsity=SparsityConfig(method=method), **train)
    model = build_model(topology, inputs=inputs or InputsConfig(), train=settings, data=data, seed=seed)
    draws = torch.Generator().manual_seed(seed)
    model.train()
    with torch.no_grad():
        if scramble:
            for name, parameter in model.named_parameters():
                if "norm" in name or parameter.ndim == 0:
                    parameter.mul_(0.6 + 0.8 * torch.rand(parameter.shape, generator=draws))
                    parameter.add_(0.1 * torch.randn(parameter.shape, generator=draws).abs())
        for rows in model.prepare(data.x_train).split(64):
            if len(rows) > 1:
                model(rows)
    return model.eval()
