"""The streams of torch that dropout draws from, kept in a checkpoint and taken up again."""

from __future__ import annotations

from typing import Any

import torch


def keep_streams(checkpoint: dict[str, Any]) -> None:
    checkpoint["torch_rng_state"] = torch.get_rng_state()
    if torch.cuda.is_available():
        checkpoint["cuda_rng_state"] = torch.cuda.get_rng_state()


def take_streams(checkpoint: dict[str, Any]) -> None:
    torch.set_rng_state(checkpoint["torch_rng_state"].cpu())
    if "cuda_rng_state" in checkpoint and torch.cuda.is_available():
        torch.cuda.set_rng_state(checkpoint["cuda_rng_state"].cpu())
