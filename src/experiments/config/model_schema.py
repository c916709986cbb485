"""The types of the keys of each model, known without importing torch.

OmegaConf reads these annotations and has unions of plain types only: a key that takes one value or
one per layer is Any here. Ranges and choices are checked where the layers are built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from omegaconf import MISSING


@dataclass
class EntryConfig:
    name: str = MISSING
    _target_: str = MISSING


@dataclass
class LinearConfig(EntryConfig):
    phi_out: str = "identity"


@dataclass
class MLPConfig(EntryConfig):
    hidden: list[int] = field(default_factory=list)
    norm: Any = "none"
    norm_groups: int = 8
    dropout: Any = 0.0
    residual: bool = False
    phi_out: str = "identity"


@dataclass
class CNNConfig(EntryConfig):
    channels: list[int] = field(default_factory=list)
    kernel_size: Any = 3
    stride: Any = 1
    padding: Any = "same"
    pool: Any = "max"
    pool_size: Any = 2
    norm: Any = "none"
    norm_groups: int = 8
    dropout: Any = 0.0
    dense: list[int] = field(default_factory=list)
    phi_out: str = "identity"


@dataclass
class ResNetConfig(EntryConfig):
    depth: int = 20
    width: int = 16
    norm: str = "batch"
    norm_groups: int = 8
    shortcut: str = "padding"
    phi_out: str = "identity"


@dataclass
class TorchvisionConfig(EntryConfig):
    weights: Optional[str] = None  # noqa: UP045
    freeze: str = "none"
    phi_out: str = "identity"


@dataclass
class GRUConfig(EntryConfig):
    hidden_size: int = 6
    num_layers: int = 1
    bidirectional: bool = True
    dropout: float = 0.0
    readout: str = "all"
    dense: list[int] = field(default_factory=list)
    phi_out: str = "identity"


@dataclass
class TransformerConfig(EntryConfig):
    patch_size: int = 4
    dim: int = 64
    depth: int = 4
    num_heads: int = 4
    dim_feedforward: int = 128
    dropout: float = 0.0
    phi_out: str = "identity"
