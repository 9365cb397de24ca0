"""Which items a robot's grasp is for: the limits of its card, as numbers that are checked."""

from __future__ import annotations

from hrl_core.config import Config
from hrl_core.site import Item

ROUNDING = 1e-6  # m, kg


class ItemLimits(Config):
    """What grasp and place were trained with, each from the least to the most."""

    width: tuple[float, float]  # m, of every horizontal side, or the diameter
    height: tuple[float, float]  # m
    mass: tuple[float, float]  # kg

    def refusal(self, name: str, item: Item) -> str:
        """Why an item of the catalogue is none for this robot; empty: it is one."""
        measures = [
            ("size x", item.size[0], self.width, "m"),
            ("size y", item.size[1], self.width, "m"),
            ("size z", item.size[2], self.height, "m"),
            ("mass", item.mass, self.mass, "kg"),
        ]
        wrong = [
            f"{what} is {value:g} {unit}, allowed are {low:g} to {high:g}"
            for what, value, (low, high), unit in measures
            if not low - ROUNDING <= value <= high + ROUNDING
        ]
        return (
            f"item {name!r} is none that the robot can grasp: {'; '.join(wrong)}" if wrong else ""
        )
