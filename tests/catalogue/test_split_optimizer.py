"""Muon on matrices and AdamW on the rest, as one optimizer."""

from __future__ import annotations

import torch
from networks import small
from torch import nn

from experiments.catalogue.optimizers import optimizer_for
from experiments.catalogue.split_optimizer import SplitOptimizer, as_matrix


def test_a_kernel_is_stepped_as_the_matrix_of_its_rows() -> None:
    """Muon by hand on the flattened kernel, whichever way it lies in memory."""
    values = {"lr": 0.01, "weight_decay": 0.1, "adjust_lr_fn": "match_rms_adamw"}
    results = []
    for layout in (torch.contiguous_format, torch.channels_last):
        network = small().to(memory_format=layout)
        optimizer = optimizer_for(network, torch.optim.Muon, values)
        assert isinstance(optimizer, SplitOptimizer)
        kernel = network[0].weight
        assert as_matrix(kernel, kernel).data_ptr() == kernel.data_ptr()
        by_hand = nn.Parameter(kernel.detach().clone().contiguous().flatten(1))
        muon = torch.optim.Muon([by_hand], **values)
        for i in range(3):
            x = torch.randn(6, 2, 4, 4, generator=torch.Generator().manual_seed(i))
            optimizer.zero_grad()
            assert all(p.grad is None for p in network.parameters())
            network(x).square().mean().backward()
            by_hand.grad = kernel.grad.clone().contiguous().flatten(1)
            optimizer.step()
            muon.step()
            # Orthogonalised in bfloat16, whose rounding depends on the order of the columns.
            torch.testing.assert_close(
                kernel.detach().contiguous().flatten(1), by_hand.detach(), rtol=0, atol=2e-4
            )
        results.append(kernel.detach().contiguous())
    torch.testing.assert_close(*results, rtol=0, atol=1e-3)
