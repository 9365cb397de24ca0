"""The orders of a mission by their numbers: what was tried, how they ended, which is next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hrl_master.orders import OrderEnd, OrderState

Choose = Callable[[Mapping[int, OrderState]], int]


class OrderBook:
    """`number`: of the order that is worked on, or of the last one while the next is not chosen."""

    def __init__(self, states: Sequence[OrderState], ends: Mapping[int, OrderEnd] | None = None):
        """`states`, `ends`: of a mission that goes on; an order that had begun goes on first."""
        self.states, self.ends = list(states), dict(ends or {})
        begun = [number for number in self.left if self.states[number].began is not None]
        self._chosen = bool(begun)
        self.number = begun[0] if begun else 0

    @property
    def left(self) -> list[int]:
        """Numbers of the orders that have not ended."""
        return [number for number in range(len(self.states)) if number not in self.ends]

    @property
    def state(self) -> OrderState:
        return self.states[self.number]

    @property
    def results(self) -> list[OrderEnd]:
        """Ends in the order of the orders, as far as they have ended."""
        return [self.ends[number] for number in sorted(self.ends)]

    def turn(self, choose: Choose) -> None:
        """See that an order that has not ended is worked on; `choose` is asked among several."""
        if self._chosen and self.number not in self.ends:
            return
        left = self.left
        self.number = left[0] if len(left) == 1 else choose({k: self.states[k] for k in left})
        self._chosen = True
