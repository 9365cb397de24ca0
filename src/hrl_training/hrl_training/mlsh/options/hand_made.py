"""Options that were written: go one way, in the four rooms and in the aisles."""

from __future__ import annotations

import math

import torch

from hrl_training.mlsh.tasks.aisles import SECTORS

TURN_GAIN = 2.0
AHEAD = 1.2  # rad; looking further away, it only turns
NEAR = 0.16  # of the range that is seen, 0.8 m: pushes away
PUSH = 1.5


class DriveOptions:
    """Option k drives towards k quarter turns: east, north, west, south. No seed has its own."""

    count = 4

    def __init__(self, seeds: int) -> None:
        self.seeds = seeds
        width = 2 * math.pi / SECTORS
        self._angles = (torch.arange(SECTORS) + 0.5) * width - math.pi

    def act(
        self, observation: torch.Tensor, option: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        sectors = observation[..., :SECTORS]
        sine, cosine = observation[..., SECTORS], observation[..., SECTORS + 1]
        wanted = option.float() * (math.pi / 2) - torch.atan2(sine, cosine)
        near = (1 - sectors / NEAR).clamp(min=0)  # of each sector, 1 at the robot
        x = wanted.cos() - PUSH * (near * self._angles.cos()).amax(-1)
        y = wanted.sin() - PUSH * (near * self._angles.sin()).sum(-1) / 3
        turn = torch.atan2(y, x)
        ahead = x * (turn.abs() < AHEAD)
        action = torch.stack([ahead, y, TURN_GAIN * turn], -1).clamp(-1, 1)
        return action, torch.zeros(option.shape)


class StepOptions:
    """Four rooms: option k moves north, south, west or east until it hands back."""

    count = 4

    def __init__(self, seeds: int) -> None:
        self.seeds = seeds

    def act(
        self, observation: torch.Tensor, option: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return option, torch.zeros(option.shape)
