"""Orders, decisions and goals of the master <-> messages."""

from collections.abc import Mapping

from geometry_msgs.msg import Pose, Quaternion
from sensor_msgs.msg import CompressedImage

from hrl_core import topics
from hrl_core.geometry import transform_from_planar
from hrl_core.ros.convert import pose_msg, seconds, stamp_msg, verdict_msg
from hrl_core.ros.qos import interface
from hrl_core.site import Site
from hrl_master.approvals import Answer, Request
from hrl_master.approver_keys import Statement
from hrl_master.candidate import Candidate
from hrl_master.config import MasterConfig
from hrl_master.guided import StepAnswer
from hrl_master.handover import HandOver, Picture
from hrl_master.orders import HAND_OVER, Decision, Order, OrderEnd
from hrl_master.risk import tier_of
from hrl_msgs.msg import Approval, MasterDecision, NamedValue, OrderResult, SkillResult, StepOption
from hrl_msgs.msg import HandOver as HandOverMsg
from hrl_msgs.msg import Order as OrderMsg


def order_msg(order: Order) -> OrderMsg:
    return OrderMsg(
        id=order.id,
        item=order.item,
        from_bin=order.from_bin,
        to_station=order.to_station,
        priority=order.priority,
        due=stamp_msg(order.due),
    )


def read_order(message: OrderMsg) -> Order:
    """Message -> order, of whatever site."""
    return Order(
        message.item,
        message.from_bin,
        message.to_station,
        message.id,
        message.priority,
        seconds(message.due),
    )


def order_from_msg(message: OrderMsg, site: Site) -> Order:
    """Message -> order of this site; raises ConfigError with the known names."""
    order = read_order(message)
    order.check(site)
    return order


def order_result_msg(end: OrderEnd) -> OrderResult:
    return OrderResult(
        order=order_msg(end.order),
        code=int(end.code),
        detail=end.detail,
        duration=float(end.duration),
        decisions=end.decisions,
        completion=float(end.completion),
        lateness=float("nan") if end.lateness is None else float(end.lateness),
    )


def approval_msg(
    request: Request, pictures: Mapping[str, Picture], answer: Answer | None = None
) -> Approval:
    """A request, pending or with its answer."""
    message = Approval(
        id=request.id,
        mission_id=request.mission,
        decision=request.decision,
        what=request.what,
        why=request.why,
        tier=request.tier,
        expires=stamp_msg(request.expires),
        state=getattr(Approval, answer.verdict.upper()) if answer else Approval.PENDING,
        answered_by=answer.by if answer else "",
        with_key=bool(answer and answer.answered_by),
        comment=answer.comment if answer else "",
        cameras=list(pictures),
        pictures=[_picture_msg(camera, picture) for camera, picture in pictures.items()],
    )
    message.header.stamp = stamp_msg(request.asked)
    return message


def statement_of(question: Approval, approve: bool, by: str, comment: str) -> Statement:
    """What an approver signs: the question as it was published, and the answer."""
    return Statement(
        question.id,
        question.mission_id,
        question.decision,
        question.what,
        (question.header.stamp.sec, question.header.stamp.nanosec),
        approve,
        by,
        comment,
    )


def handover_msg(package: HandOver, pictures: Mapping[str, Picture], folder: str) -> HandOverMsg:
    message = HandOverMsg(
        mission_id=package.mission,
        order_number=package.order_number,
        order=order_msg(Order(**package.order)),
        summary=package.summary,
        recommendation=package.recommendation,
        tries=[f"{each['what']}: {each['code']}: {each['detail']}" for each in package.tries],
        holding=bool(package.holding),
        folder=folder,
        cameras=list(pictures),
        pictures=[_picture_msg(camera, picture) for camera, picture in pictures.items()],
    )
    message.header.frame_id = topics.MAP
    message.header.stamp = stamp_msg(package.stamp)
    return message


def _picture_msg(camera: str, picture: Picture) -> CompressedImage:
    message = CompressedImage(format="jpeg", data=picture.jpeg)
    message.header.frame_id = topics.image(camera).frame
    message.header.stamp = stamp_msg(picture.stamp)
    return message


def decision_msg(
    mission: str,
    index: int,
    order: Order,
    decision: Decision,
    last_result: SkillResult,
    finished: bool,
    stamp: float,
) -> MasterDecision:
    chance = -1.0 if decision.chance is None else decision.chance
    message = MasterDecision(
        mission_id=mission,
        index=index,
        order=order_msg(order),
        skill=decision.skill,
        target=decision.target,
        face=decision.face,
        reason=decision.reason,
        candidates=list(decision.candidates),
        probabilities=[float(p) for p in decision.probabilities],
        allowed=[bool(a) for a in decision.allowed],
        why_not=list(decision.why_not),
        chance=chance,
        last_result=last_result,
        finished=finished,
        chosen_by=decision.chosen_by,
    )
    message.header.frame_id = topics.MAP
    message.header.stamp = stamp_msg(stamp)
    return message


def step_answer_msg(answer: StepAnswer, config: MasterConfig):
    """What the client of a guided mission is told."""
    attempt, decision = answer.attempt, answer.decision
    message = interface(topics.CHOOSE_STEP[1]).Response(
        accepted=answer.accepted,
        confirmed=attempt is not None and attempt.worked and attempt.outcome.verdict.confirmed,
        code=int(answer.code),
        reason=answer.reason.value,
        detail=answer.detail,
        decision=-1 if decision is None else decision.index,
        options=[_option_msg(each, answer.chances, config) for each in answer.options],
        over=answer.over,
    )
    if answer.chosen is not None:
        message.option = _option_msg(answer.chosen, answer.chances, config)
    if decision is not None and attempt is not None:
        message.option.skill, message.option.target = decision.skill, decision.target
        message.option.face, message.option.tier = decision.face, decision.tier
        message.option.chance = -1.0 if decision.chance is None else decision.chance
        message.verdict = verdict_msg(attempt.outcome.verdict)
        message.check = attempt.check.sentence
    return message


def _option_msg(
    candidate: Candidate, chances: Mapping[tuple[str, str], float], config: MasterConfig
) -> StepOption:
    tier = tier_of(config, candidate.skill, candidate.face or candidate.target)
    return StepOption(
        skill=candidate.skill,
        target=candidate.target,
        face=candidate.face,
        parameters=[NamedValue(name=k, value=float(v)) for k, v in candidate.parameters.items()],
        way=float(candidate.way),
        chance=float(chances.get(candidate.key, -1.0)),
        tier=tier,
        asks=tier >= config.approval_from and candidate.skill != HAND_OVER,
    )


def goal_msg(decision: Decision, order: Order, stamp: float):
    """Goal of the action of the skill that a decision names."""
    kind = topics.ACTIONS.get(decision.skill, topics.RUN_SKILL)
    return _GOALS.get(decision.skill, _run_skill)(interface(kind).Goal(), decision, order, stamp)


def question_msg(goal):
    """Goal of any skill's action -> request of EstimateSuccess."""
    request = interface(topics.ESTIMATE_SUCCESS[1]).Request()
    for name in goal.get_fields_and_field_types():
        if name in ("bin", "station"):
            request.target = getattr(goal, name)
        elif name != "max_steps":
            setattr(request, name, getattr(goal, name))
    return request


def _walk(goal, decision: Decision, order: Order, stamp: float):
    goal.pose.header.frame_id = topics.MAP
    goal.pose.header.stamp = stamp_msg(stamp)
    assert decision.pose is not None, "a walk has a pose"
    goal.pose.pose = pose_msg(transform_from_planar(decision.pose))
    return goal


def _approach(goal, decision: Decision, order: Order, stamp: float):
    goal.target = decision.target
    return goal


def _grasp(goal, decision: Decision, order: Order, stamp: float):
    goal.item, goal.bin = decision.target, decision.face or order.from_bin
    return goal


def _place(goal, decision: Decision, order: Order, stamp: float):
    goal.station, goal.item = decision.target, order.item
    goal.offset.x, goal.offset.y = decision.offset.tolist()
    if decision.item_in_hand is not None:
        goal.item_in_hand = pose_msg(decision.item_in_hand)
    else:
        goal.item_in_hand = Pose(orientation=Quaternion(x=0.0, y=0.0, z=0.0, w=0.0))
    return goal


def _run_skill(goal, decision: Decision, order: Order, stamp: float):
    goal.target, goal.item = decision.target, order.item
    goal.parameters = [NamedValue(name=k, value=float(v)) for k, v in decision.parameters.items()]
    return goal


_GOALS = {"walk": _walk, "approach": _approach, "grasp": _grasp, "place": _place}
