"""Muon: momentum whose update is made orthogonal by Newton-Schulz steps, for the matrices of the layers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch


def orthogonal(updates: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """Brings the singular values of a stack of matrices near one."""
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = updates.shape[-2] <= updates.shape[-1]
    x = updates if wide else updates.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if wide else x.mT


class Muon(torch.optim.Optimizer):
    """Matrices of one shape are updated together; the rate is on the scale of AdamW's."""

    def __init__(self, params: Any, lr: float, momentum: float = 0.95, weight_decay: float = 0.05) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        """One update."""
        for group in self.param_groups:
            shapes: dict[Any, list[torch.Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shape = tuple(parameter.shape)
                    shapes[shape if shape[0] <= shape[1] else shape[::-1]].append(parameter)
            for (rows, columns), parameters in shapes.items():
                self._update(group, parameters, 0.2 * max(rows, columns) ** 0.5)

    def _update(self, group: dict[str, Any], parameters: list[torch.Tensor], scale: float) -> None:
        updates = []
        for parameter in parameters:
            state = self.state[parameter]
            if "momentum" not in state:
                state["momentum"] = torch.zeros_like(parameter)
            state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            update = parameter.grad.lerp(state["momentum"], group["momentum"])
            updates.append(update if update.shape[0] <= update.shape[1] else update.mT)
        for parameter, update in zip(parameters, orthogonal(torch.stack(updates)), strict=True):
            update = update if parameter.shape[0] <= parameter.shape[1] else update.mT
            parameter.mul_(1 - group["lr"] * group["weight_decay"]).add_(update, alpha=-group["lr"] * scale)
