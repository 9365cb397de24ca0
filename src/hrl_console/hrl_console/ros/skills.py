"""Which skill runs and how far it has come, from the feedback of the skills' actions."""

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from hrl_core.ros.node import HrlNode
from hrl_msgs.msg import MasterDecision

FEEDBACK = "/_action/feedback"
OURS = "hrl_msgs/action/"  # whose feedback is SkillProgress
MISSION = "run_mission"
SILENT = 3.0  # s of wall time without progress: it does not run any more


class RunningSkill:
    """Whoever gave the goal, and whichever package the skill is of."""

    def __init__(self, node: HrlNode):
        self._node = node
        self._subscriptions: dict[str, Any] = {}
        self._progress: tuple[str, Any, float] | None = None  # skill, message, when
        self._decision: MasterDecision | None = None
        self._section: dict[str, Any] | None = None

    def look(self) -> None:
        """Hear those that have come."""
        for name, kinds in self._node.get_topic_names_and_types():
            skill = name.removesuffix(FEEDBACK).lstrip("/")
            if not name.endswith(FEEDBACK) or skill == MISSION or name in self._subscriptions:
                continue
            if (kind := kinds[0]).startswith(OURS):
                action = kind.removeprefix(OURS).removesuffix("_FeedbackMessage")
                made = getattr(import_module("hrl_msgs.action"), action)
                self._subscriptions[name] = self._node.create_subscription(
                    made.Impl.FeedbackMessage, name, self._hearer(skill), 2
                )

    def close(self) -> None:
        for subscription in self._subscriptions.values():
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def on_decision(self, message: MasterDecision) -> None:
        self._decision = message
        if message.finished:
            self._progress = None

    def section(self, decision: dict[str, Any] | None) -> dict[str, Any] | None:
        """`decision`: the last one of the ledger, for a console that came later."""
        if self._progress is None or time.monotonic() - self._progress[2] > SILENT:
            return None
        skill, progress, _ = self._progress
        about = decision if decision and decision["skill"] == skill else None
        return {
            "what": about["what"] if about else skill,
            "step": progress.step,
            "bound": progress.max_steps,
            "phase": progress.phase,
            "error": round(progress.error, 2),
            "chance": about["chance"] if about else None,
        }

    def _hearer(self, skill: str) -> Callable:
        def hear(message) -> None:
            self._progress = (skill, message.feedback.progress, time.monotonic())

        return hear
