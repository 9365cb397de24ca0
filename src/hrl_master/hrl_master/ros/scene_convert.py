"""Situations <-> Scene messages, exactly: the same numbers come back."""

import numpy as np
from diagnostic_msgs.msg import KeyValue

from hrl_core import topics
from hrl_core.ros.convert import stamp_msg
from hrl_master.beliefs import Beliefs, EdgeBelief, Inspection, Loss, PastAttempt, Sighting
from hrl_master.replay import Setting
from hrl_master.ros.convert import order_msg, read_order
from hrl_master.scene import Scene, Seen
from hrl_master.situation import Situation
from hrl_msgs.msg import (
    FaceLook,
    ItemSighting,
    NamedValue,
    SceneObject,
    SkillChance,
    SkillTry,
    WayBelief,
)
from hrl_msgs.msg import Scene as SceneMsg


def situation_msg(
    situation: Situation, setting: Setting, mission: str = "", index: int = 0
) -> SceneMsg:
    """A situation with who decides in it."""
    scene, beliefs = situation.scene, situation.beliefs
    message = SceneMsg(
        mission_id=mission,
        index=index,
        site=setting.site,
        policy=setting.policy,
        policy_folder=setting.policy_folder,
        limits=[NamedValue(name=k, value=float(v)) for k, v in setting.limits.items()],
        helpers=[KeyValue(key=k, value=v) for k, v in situation.helpers.items()],
        order=order_msg(situation.order),
        chances=[
            SkillChance(skill=skill, target=target, chance=float(chance))
            for (skill, target), chance in situation.chances.items()
        ],
    )
    message.stock_known = situation.stock is not None
    message.stock_bins = list(situation.stock or ())
    where = situation.whereabouts or {}
    message.memory_bins, message.memory_chances = list(where), list(where.values())
    message.header.frame_id = topics.MAP
    message.header.stamp = stamp_msg(scene.stamp)
    _write_scene(message, scene)
    _write_beliefs(message, beliefs)
    return message


def situation_from_msg(message: SceneMsg) -> Situation:
    """What the policy saw."""
    return Situation(
        scene=_scene(message),
        beliefs=_beliefs(message),
        order=read_order(message.order),
        chances={(c.skill, c.target): c.chance for c in message.chances},
        helpers={pair.key: pair.value for pair in message.helpers},
        stock=tuple(message.stock_bins) if message.stock_known else None,
        whereabouts=dict(zip(message.memory_bins, message.memory_chances, strict=True)) or None,
    )


def setting_from_msg(message: SceneMsg) -> Setting:
    return Setting(
        message.site,
        message.policy,
        message.policy_folder,
        {limit.name: limit.value for limit in message.limits},
    )


def _write_scene(message: SceneMsg, scene: Scene) -> None:
    message.stamp = float(scene.stamp)
    message.pose = [] if scene.map_from_base is None else _numbers(scene.map_from_base)
    message.position_std = float(scene.position_std)
    message.sectors = _numbers(scene.sectors)
    message.base_from_lidar = _numbers(scene.base_from_lidar)
    message.scan_age = float(scene.scan_age)
    message.seen = [
        SceneObject(
            name=name,
            kind=seen.kind,
            map_from_object=_numbers(seen.map_from_object),
            age=float(seen.age),
            confidence=float(seen.confidence),
        )
        for name, seen in scene.seen.items()
    ]
    message.gripper_position = float(scene.gripper_position)
    message.gripper_effort = float(scene.gripper_effort)
    message.holding = bool(scene.holding)
    message.tilt = float(scene.tilt)


def _scene(m: SceneMsg) -> Scene:
    return Scene(
        stamp=m.stamp,
        map_from_base=np.array(m.pose) if len(m.pose) else None,
        position_std=m.position_std,
        sectors=np.array(m.sectors),
        seen={
            s.name: Seen(s.kind, np.array(s.map_from_object).reshape(4, 4), s.age, s.confidence)
            for s in m.seen
        },
        gripper_position=m.gripper_position,
        gripper_effort=m.gripper_effort,
        holding=m.holding,
        tilt=m.tilt,
        base_from_lidar=np.array(m.base_from_lidar),
        scan_age=m.scan_age,
    )


def _write_beliefs(message: SceneMsg, beliefs: Beliefs) -> None:
    message.began = float(beliefs.began)
    message.ways = [
        WayBelief(from_node=a, to_node=b, free=e.free, stamp=float(e.stamp), how=e.how)
        for (a, b), e in beliefs.edges.items()
    ]
    message.sightings = [
        ItemSighting(
            item=item,
            position=[float(v) for v in s.position],
            face=s.face,
            stamp=float(s.stamp),
            confidence=float(s.confidence),
        )
        for item, s in beliefs.sightings.items()
    ]
    message.looks = [
        FaceLook(face=face, stamp=float(look.stamp), how=look.how, items=list(look.items))
        for face, look in beliefs.inspections.items()
    ]
    message.tries = [
        SkillTry(
            skill=t.skill,
            target=t.target,
            face=t.face,
            purpose=t.purpose,
            code=t.code,
            worked=t.worked,
            began=float(t.began),
            ended=float(t.ended),
        )
        for t in beliefs.attempts
    ]
    message.held = beliefs.held
    hand = beliefs.item_in_hand
    message.item_in_hand = [] if hand is None else _numbers(hand)
    message.lost = beliefs.lost is not None
    if beliefs.lost is not None:
        message.lost_at, message.lost_face = float(beliefs.lost.stamp), beliefs.lost.face
        message.lost_position = [float(v) for v in beliefs.lost.position]
    message.delivered = beliefs.delivered
    message.seen_at = float(beliefs.seen_at)


def _beliefs(m: SceneMsg) -> Beliefs:
    lost = None
    if m.lost:
        x, y = (float(v) for v in m.lost_position)
        lost = Loss(m.lost_at, m.lost_face, (x, y))
    sightings = {}
    for s in m.sightings:
        x, y, z = (float(v) for v in s.position)
        sightings[s.item] = Sighting((x, y, z), s.face, s.stamp, s.confidence)
    return Beliefs(
        stamp=m.stamp,
        began=m.began,
        edges={(w.from_node, w.to_node): EdgeBelief(w.free, w.stamp, w.how) for w in m.ways},
        sightings=sightings,
        inspections={
            look.face: Inspection(look.stamp, look.how, tuple(look.items)) for look in m.looks
        },
        attempts=tuple(
            PastAttempt(t.skill, t.target, t.face, t.purpose, t.code, t.worked, t.began, t.ended)
            for t in m.tries
        ),
        held=m.held,
        item_in_hand=np.array(m.item_in_hand).reshape(4, 4) if len(m.item_in_hand) else None,
        lost=lost,
        delivered=m.delivered,
        seen_at=m.seen_at,
    )


def _numbers(array: np.ndarray) -> list[float]:
    return np.asarray(array, float).ravel().tolist()
