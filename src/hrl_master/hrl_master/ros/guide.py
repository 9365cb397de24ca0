"""Where the client of a guided mission chooses its steps: the service `choose_step`."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future

from hrl_core import topics
from hrl_core.config import shown
from hrl_core.outcomes import Code
from hrl_core.ros.node import HrlNode
from hrl_core.ros.qos import interface
from hrl_core.text import clean
from hrl_master.candidate import Candidate
from hrl_master.config import MasterConfig
from hrl_master.guided import Choices, Step, StepAnswer, chosen, nearest
from hrl_master.mission import Mission
from hrl_master.orders import Decision
from hrl_master.reasons import Reason
from hrl_master.ros.convert import step_answer_msg
from hrl_master.ros.lockstep import TickHolder
from hrl_master.scene import Scene

KEPT = 1000  # answers of a mission, by the ids of their steps
NAME = 80  # characters of a name that a client gives

Chances = Mapping[tuple[str, str], float]


class Guide:
    """One step at a time: asked for by the service, taken up by the loop of the mission."""

    def __init__(self, node: HrlNode, ticks: TickHolder, config: MasterConfig):
        self._node, self._ticks, self._config = node, ticks, config
        self._mission: Mission | None = None  # that is guided
        self._step: Step | None = None  # that is under way
        self._answer = Future()  # to it
        self._asked = Future()  # done: there is a step, or the mission has to end
        self._told: dict[str, tuple[Step, Future]] = {}  # answers by the ids of their steps
        self._began = 0  # the number of the decision that the step makes
        name, kind = topics.CHOOSE_STEP
        self._service = node.create_service(
            interface(kind), name, self._on_choose, callback_group=ReentrantCallbackGroup()
        )

    def destroy(self) -> None:
        self._node.destroy_service(self._service)

    def begin(self, mission: Mission) -> None:
        """Take steps for a mission, if it is guided."""
        if mission is not self._mission:
            self._mission = mission if mission.guided is not None else None
            self._told.clear()

    def end(self) -> None:
        """The mission has ended: whoever waits is told so."""
        mission, self._mission = self._mission, None
        if mission is None:
            return
        self._settle(mission, ())
        if self._step is not None:
            self._give(
                StepAnswer(False, Code.NOT_READY, _ends(mission), Reason.ORDER_OVER, over=True)
            )

    def wake(self) -> None:
        """The mission has to end: no choice is waited for any more."""
        if not self._asked.done():
            self._asked.set_result(None)

    async def next_step(
        self,
        mission: Mission,
        scene: Scene,
        sense: Callable[[], Awaitable[Scene | None]],
        estimate: Callable[[Sequence[Decision]], Awaitable[Chances]],
    ) -> Scene | None:
        """Have the client choose, and set its step in the policy; what was sensed for that.

        Returns at once where the order ends without a choice, and when none comes in time: then
        what is left is handed over. None: the mission has to end. Time goes on meanwhile.
        """
        choices = mission.choices(scene)
        self._settle(mission, nearest(Step(""), choices))
        patience = self._config.choice_timeout
        deadline = time.monotonic() + patience
        while choices.candidates:
            self._ticks.let_go()
            if self._step is None:
                self._asked = Future()
                await self._node.within(self._asked, max(0.0, deadline - time.monotonic()))
            after = await sense()
            if after is None:
                return None
            scene, choices = after, mission.choices(after)
            if self._step is None and time.monotonic() >= deadline:
                mission.give_up(f"no step was chosen within {patience:.0f} s")
                return scene
            if self._step is not None and choices.candidates:
                chances = await estimate(mission.questions(scene))
                answer = _weighed(self._step, choices, chances)
                if answer is None:
                    assert mission.guided is not None, "it waits for its client"
                    mission.guided.step, self._began = self._step, mission.next_index
                    return scene
                self._give(answer)
        if self._step is not None:
            self._give(StepAnswer(False, Code.NOT_READY, OVER, Reason.ORDER_OVER, over=True))
        return scene

    def _settle(self, mission: Mission, options: Sequence[Candidate]) -> None:
        """Answer the step whose decision has ended."""
        policy = mission.guided
        if self._step is None or policy is None or policy.step is not self._step:
            return
        policy.step, attempt = None, mission.last
        over = not options
        if attempt is not None and attempt.decision.index >= self._began:
            ran = (
                attempt.outcome.code is not Code.NOT_READY
                or attempt.check.reason is Reason.SKILL_FAILED
            )
            self._give(
                StepAnswer(
                    ran,
                    attempt.outcome.code,
                    attempt.outcome.detail,
                    attempt.check.reason,
                    decision=attempt.decision,
                    attempt=attempt,
                    options=options,
                    over=over,
                )
            )
        else:  # it handed over, or was cut short
            code = mission.results[-1].code if mission.results else Code.SHUTDOWN
            self._give(StepAnswer(True, code, _ends(mission), over=over))

    def _give(self, answer: StepAnswer) -> None:
        self._step = None
        self._answer.set_result(answer)

    async def _on_choose(self, request, response):
        mission = self._mission
        if mission is None or request.mission_id not in ("", mission.id):
            running = "none runs" if mission is None else f"{mission.id} runs"
            told = f"no guided mission {shown(request.mission_id)}; {running}"
            return step_answer_msg(
                StepAnswer(False, Code.NOT_READY, told, Reason.NO_MISSION), self._config
            )
        step = Step(
            clean(request.skill, NAME),
            clean(request.target, NAME),
            {clean(each.name, NAME): each.value for each in request.parameters},
            clean(request.by, NAME) or "somebody",
            clean(request.why),
            request.id,
            request.dry_run or not request.skill,
        )
        answer = self._known(step)
        if answer is None and self._step is not None:
            told = (
                f"{self._step.skill} {self._step.target}, chosen by {self._step.by}, is under way"
            )
            return step_answer_msg(
                StepAnswer(False, Code.NOT_READY, told, Reason.BUSY), self._config
            )
        if answer is None:
            self._step, answer = step, Future()
            self._answer = answer
            if step.id and len(self._told) < KEPT:
                self._told[step.id] = step, answer
            self.wake()
        return step_answer_msg(await _result(answer), self._config)

    def _known(self, step: Step) -> Future | None:
        """The answer to a step that was asked for before; None: it is new."""
        before = self._told.get(step.id)
        if before is None:
            return None
        if before[0] == step:
            return before[1]
        told = (
            f"the id {shown(step.id)} belongs to another step: {before[0].skill} {before[0].target}"
        )
        answer = Future()
        answer.set_result(StepAnswer(False, Code.GOAL_INVALID, told, Reason.OTHER_PARAMETERS))
        return answer


OVER = "nothing is left to choose: the order ends"


def _ends(mission: Mission) -> str:
    """How the orders of a mission have ended so far."""
    told = "; ".join(f"{end.code.name}: {end.detail}" for end in mission.results)
    return told or OVER


async def _result(future: Future) -> StepAnswer:
    """The result of a future for which several wait."""
    if not future.done():
        await future
    answer = future.result()
    assert answer is not None, "it was given"
    return answer


def _weighed(step: Step, choices: Choices, chances: Chances) -> StepAnswer | None:
    """The answer to a step that is not to be done; None: it is."""
    options = nearest(step, choices)
    if not step.skill:
        return StepAnswer(
            True, Code.SUCCEEDED, "this is allowed now", options=options, chances=chances
        )
    found = chosen(step, choices.candidates)
    if not isinstance(found, int):
        reason, told = found
        unknown = reason in (Reason.NO_CANDIDATE, Reason.OTHER_PARAMETERS)
        code = Code.GOAL_INVALID if unknown else Code.NOT_READY
        return StepAnswer(False, code, told, reason, options=options, chances=chances)
    if not step.dry_run:
        return None
    one = choices.candidates[found]
    told = f"{one.label} would be done"
    return StepAnswer(True, Code.SUCCEEDED, told, chosen=one, options=options, chances=chances)
