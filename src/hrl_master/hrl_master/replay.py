"""Recorded situations put into the policy again, and why it decided as it did, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import py_trees
from py_trees.behaviour import Behaviour
from py_trees.common import Status

from hrl_core.config import Config
from hrl_core.outcomes import Code
from hrl_core.site import load_site
from hrl_master.behaviour_tree import BehaviourTree
from hrl_master.candidate import WALK_UP
from hrl_master.config import GuardrailConfig, MasterConfig
from hrl_master.decider import Decider, make_decider
from hrl_master.guardrails import Guardrails
from hrl_master.guided import GUIDED, Guided, Step
from hrl_master.learned import LearnedPolicy
from hrl_master.orders import Decision
from hrl_master.situation import Situation

MATTERED = 5  # numbers that are named
TREE = "behaviour_tree"  # the name of its policy
ROUNDING = 1e-4  # of probabilities in messages and files


@dataclass(frozen=True)
class Setting:
    """Who decided, under which limits: what else a replay needs."""

    site: str  # name or path of a world file
    policy: str
    policy_folder: str = ""
    limits: Mapping[str, float] = field(default_factory=dict)  # of MasterConfig, GuardrailConfig


def setting_of(site: str, master: MasterConfig, guardrails: GuardrailConfig) -> Setting:
    """The setting of a master."""
    limits = {**_numbers(master), **_numbers(guardrails)}
    return Setting(site, master.policy, master.policy_folder, limits)


def decider_of(setting: Setting, world: str = "") -> Decider:
    """A decider as it was; `world`: another place of its world file. Raises ConfigError."""
    site = load_site(world or setting.site)
    chosen = {"policy": setting.policy, "policy_folder": setting.policy_folder}
    config = MasterConfig.model_validate({**_of(MasterConfig, setting.limits), **chosen})
    limits = GuardrailConfig.model_validate(_of(GuardrailConfig, setting.limits))
    guardrails = Guardrails(site, limits)
    return make_decider(site, config, guardrails)


def same_decision(a: Decision, b: Decision) -> bool:
    """Whether two decisions choose the same for the same reason, with the same probabilities."""
    poses = [None if d.pose is None else d.pose.tolist() for d in (a, b)]
    return (
        (a.skill, a.target, a.face, a.purpose, a.reason, a.candidates, a.allowed, a.why_not)
        == (b.skill, b.target, b.face, b.purpose, b.reason, b.candidates, b.allowed, b.why_not)
        and poses[0] == poses[1]
        and np.allclose(a.probabilities, b.probabilities, rtol=0, atol=ROUNDING)
    )


def decide_again(decider: Decider, situation: Situation, step: Step | None) -> Decision:
    """The decision of a recorded situation; `step`: what a client chose there, if one did.

    What a client chose is chosen again: the question is whether the master allows it again.
    """
    if isinstance(decider.policy, Guided):
        decider.policy.step = step
    return decider.decide(situation)


def explain(decider: Decider, situation: Situation, decision: Decision) -> list[str]:
    """Sentences on a decision: what was known, what was possible, what tipped the balance."""
    lines = [f"because: {decision.reason}", *_known(decider, situation), "possible were:"]
    candidates = decider.options.candidates(situation)
    order = sorted(
        range(len(candidates)),
        key=lambda k: (not candidates[k].allowed, -decision.probabilities[k], k),
    )
    for k in order:
        candidate = candidates[k]
        if not candidate.allowed:
            lines.append(f"      no  {candidate.label}: {candidate.why_not}")
            continue
        chance = situation.chances.get(candidate.key)
        words = [] if chance is None else [f"the skill gives itself {100 * chance:.0f} %"]
        if candidate.kind in ("walk", WALK_UP):
            words.append(f"{candidate.way:.1f} m to walk")
        row = f"  {100 * decision.probabilities[k]:5.1f} %  {candidate.label}"
        lines.append(row + (f" ({', '.join(words)})" if words else ""))
    policy = decider.policy
    if isinstance(policy, LearnedPolicy):
        lines.append("what mattered most (share of the lead over the second that it makes):")
        for name, value, share in policy.influences(situation, candidates)[:MATTERED]:
            lines.append(f"  {share:+6.2f}  {name} = {value:.2f}")
    return lines


def tree_at(decider: Decider, situation: Situation) -> tuple[Behaviour, Decision]:
    """The behaviour tree as a situation leaves it, and its decision, whoever made the real one.

    The leaves tell by `status` whether they succeeded, failed or (INVALID) were not asked, and by
    `feedback_message` what they found.
    """
    tree = BehaviourTree(decider.options, decider.options.config)
    return tree.root, Decider(decider.options, tree, decider.helpers).decide(situation)


def part_of_tree(decision: Decision, of_tree: Decision, policy: str) -> list[str]:
    """What the tree had to do with a decision of a policy; empty: the tree made it."""
    if policy == TREE:
        return []
    told = f"{of_tree.skill} {of_tree.target} ({of_tree.reason})"
    same = (decision.skill, decision.target) == (of_tree.skill, of_tree.target)
    did = "the same" if same else f"{decision.skill} {decision.target}"
    if policy == "learned":
        return [f"a learned policy decided: the tree told it {told}, it chose {did}"]
    if policy == GUIDED:
        return [f"a client decided, not the tree: the tree would choose {told}, it chose {did}"]
    return [f"{policy} decided, not the tree: the tree would choose {told}, it chose {did}"]


def tree_text(root: Behaviour) -> list[str]:
    """A tree in lines, [o] the first that succeeds, [-] all; after a tick with what was found."""
    if root.status is Status.INVALID:
        return py_trees.display.ascii_tree(root).splitlines()
    return py_trees.display.unicode_tree(root, show_status=True).splitlines()


def _known(decider: Decider, situation: Situation) -> list[str]:
    """What the master knew."""
    scene, beliefs, order = situation.scene, situation.beliefs, situation.order
    where = "not localised"
    if scene.map_from_base is not None:
        x, y, yaw = scene.map_from_base
        node = decider.options.graph.here(scene.map_from_base[:2])
        where = f"at ({x:.2f}, {y:.2f}) m, {np.degrees(yaw):.0f} deg, near {node}, "
        where += f"known to {100 * scene.position_std:.0f} cm"
    hand = f"holds {beliefs.held or 'something'}" if scene.holding else "holds nothing"
    lines = [
        f"order: {order.item} from {order.from_bin} to {order.to_station}; "
        f"{situation.decisions} tries in {situation.elapsed:.0f} s",
        f"the robot: {where}; {hand}; newest scan {scene.scan_age:.1f} s old",
    ]
    sighting = beliefs.sightings.get(order.item)
    if sighting is not None:
        ago = scene.stamp - sighting.stamp
        lines.append(
            f"{order.item} was seen {ago:.0f} s ago at {sighting.face or 'no known place'}"
        )
    if situation.stock is not None:
        lines.append(f"the stock has {order.item} in {', '.join(situation.stock) or 'no bin'}")
    if situation.whereabouts is not None:
        where = situation.whereabouts
        likely = sorted(where, key=lambda name: -where[name])[:4]
        told = ", ".join(f"{name or 'nowhere'} {where[name]:.2f}" for name in likely)
        lines.append(f"remembered of the site: {order.item} is in {told}")
    if beliefs.lost is not None:
        lines.append(f"{order.item} was held and got lost at {beliefs.lost.face or 'some place'}")
    if beliefs.inspections:
        lines.append(f"looked at: {', '.join(sorted(beliefs.inspections))}")
    if beliefs.blocked:
        ways = ", ".join(f"{a} - {b}" for a, b in sorted(beliefs.blocked))
        lines.append(f"believed to be blocked: {ways}")
    failed = [
        f"{t.skill} {t.target} ({Code(t.code).name})" for t in beliefs.attempts if not t.worked
    ]
    if failed:
        lines.append(f"failed so far: {', '.join(failed)}")
    return lines


def _numbers(config: Config) -> dict[str, float]:
    return {
        name: value
        for name, value in config
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }


def _of(model: type[Config], limits: Mapping[str, float]) -> dict[str, float]:
    """The limits that are a model's own."""
    return {name: value for name, value in limits.items() if name in model.model_fields}
