"""The plainest policy: walk, approach, grasp, walk, approach, place; at the first failure, give up.

What everything else is compared with.
"""

from collections.abc import Sequence

from hrl_core.outcomes import Code
from hrl_master.candidate import Candidate
from hrl_master.candidates import FINISH, HAND_OVER, Options
from hrl_master.choice import Choice, certain, find
from hrl_master.config import MasterConfig
from hrl_master.situation import Situation


class FixedSequence:
    """Six steps, each once."""

    def __init__(self, options: Options, config: MasterConfig):
        pass  # it needs to know nothing

    def decide(self, situation: Situation, candidates: Sequence[Candidate]) -> Choice:
        order, last = situation.order, situation.beliefs.last
        if (finish := find(candidates, FINISH)) is not None:
            return certain(finish, candidates, "delivered and checked")
        steps = [
            ("walk", order.from_bin),
            ("approach", order.from_bin),
            ("grasp", order.item),
            ("walk", order.to_station),
            ("approach", order.to_station),
            ("place", order.to_station),
        ]
        done = 0
        if last is not None:
            if not last.worked:
                why = f"{last.skill} {last.target} failed: {Code(last.code).name}"
                return self._give_up(candidates, why)
            done = 1 + steps.index((last.skill, last.target))
        why = "all six steps are done, and the item is not delivered"
        for number, (kind, target) in enumerate(steps[done:], done + 1):
            k = find(candidates, kind, target)
            if k is not None and candidates[k].allowed:
                return certain(k, candidates, f"step {number} of 6")
            why = f"{kind} {target}: {'not possible' if k is None else candidates[k].why_not}"
            if kind != "walk":  # a robot that stands there already need not walk
                break
        return self._give_up(candidates, why)

    @staticmethod
    def _give_up(candidates: Sequence[Candidate], why: str) -> Choice:
        k = find(candidates, HAND_OVER)
        assert k is not None, "handing over is always possible"
        return certain(k, candidates, why)
