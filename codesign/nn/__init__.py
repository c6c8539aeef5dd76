"""Training of sparse, quantized networks whose neurons become truth tables (torch and Brevitas live here)."""

from codesign.errors import ToolNotFound

try:
    import brevitas.nn  # noqa: F401
    import safetensors  # noqa: F401
    import torch  # noqa: F401
except ImportError as problem:
    raise ToolNotFound(
        f"training needs the package {problem.name!r}; install it with: pip install 'codesign[train]'"
    ) from problem

from codesign.nn.conv_model import ConvModel, build_conv_model
from codesign.nn.conv_store import load_conv_model
from codesign.nn.encoder import InputEncoder
from codesign.nn.free_tables import FreeTableLayer, FreeTables
from codesign.nn.layers import LutLayer
from codesign.nn.learned_masks import MagnitudeMask, RegrowMask
from codesign.nn.learned_sources import LearnedMask
from codesign.nn.mask_registry import MASKS
from codesign.nn.masks import Mask, MaskView, RandomMask
from codesign.nn.model import LutModel, build_model
from codesign.nn.neurons import NEURONS, NeuronFunction
from codesign.nn.quantizers import QUANTIZERS, BrevitasQuantizer, Quantizer
from codesign.nn.store import load_model, save_model
from codesign.nn.train import EpochRecord, TrainResult, train_model

__all__ = [
    "MASKS",
    "NEURONS",
    "QUANTIZERS",
    "BrevitasQuantizer",
    "ConvModel",
    "EpochRecord",
    "FreeTableLayer",
    "FreeTables",
    "InputEncoder",
    "LearnedMask",
    "LutLayer",
    "LutModel",
    "MagnitudeMask",
    "Mask",
    "MaskView",
    "NeuronFunction",
    "Quantizer",
    "RandomMask",
    "RegrowMask",
    "TrainResult",
    "build_conv_model",
    "build_model",
    "load_conv_model",
    "load_model",
    "save_model",
    "train_model",
]
