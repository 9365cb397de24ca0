"""One running system: all nodes, the operator, and missions one after the other, judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hrl_bringup.environment import ros_environment
from hrl_bringup.mission_log import MissionLog
from hrl_bringup.nodes import (
    GROUPS,
    RECORDER,
    SKILLS,
    NodeSpec,
    ParameterValue,
    parameters_for,
)
from hrl_bringup.runner import Runner
from hrl_sim_bridge.judge import Judgement, judge
from hrl_sim_bridge.truth import Truth
from hrl_sim_bridge.world import Disturb, World
from hrl_training.mission_rows import MISSION_LIMIT


@dataclass(frozen=True)
class SystemOptions:
    """What a system is started with."""

    world: str
    robot: str
    seed: int
    realtime_factor: float = 0.0  # 0: as fast as it can
    overview_rate: float = 0.0  # Hz, outside pictures for the video
    recording: Path | None = None  # MCAP file to write
    disturb: Disturb = "file"  # how trials are disturbed, see World.sample
    master: Mapping[str, ParameterValue] = field(default_factory=dict)  # parameters beside the file


def new_log(world: World, name: str, seed: int, disturb: Disturb = "file") -> MissionLog:
    """The log of a mission that is about to begin: the order of a seed."""
    trial = world.sample(seed, disturb)
    order = trial.order
    parts = {"item": order.item, "from_bin": order.from_bin, "to_station": order.to_station}
    obstacles = [(*o.pose.tolist(), *o.size[:2].tolist()) for o in trial.obstacles]
    return MissionLog(name, seed, parts, obstacles)


def ledger_beside(logs: Path) -> Path:
    """The ledger of a system whose nodes log into a folder."""
    return logs.parent / "ledger.sqlite"


def start_nodes(runner: Runner, options: SystemOptions) -> tuple[NodeSpec, ...]:
    """Start plant, perception, skills and master (and the recorder); return what was started."""
    values: dict[str, ParameterValue] = {
        "world": options.world,
        "robot": options.robot,
        "seed": options.seed,
        "realtime_factor": options.realtime_factor,
        "lockstep": True,
        "use_sim_time": True,
    }
    nodes = GROUPS["demo"]
    more: dict[str, Mapping[str, ParameterValue]] = {
        "plant": {"paused": True, "overview_rate": options.overview_rate},
        "master": {
            "ledger": str(ledger_beside(runner.logs)),
            "resume": False,  # the plant starts anew with the nodes
            # Time goes on while a camera is looked through: that would count for a trial.
            "evidence_pictures": options.recording is not None,
            **options.master,
        },
    }
    if options.recording is not None:
        nodes = (RECORDER, *nodes)  # first, so that it misses nothing
        more["recorder"] = {"path": str(options.recording)}
    for spec in nodes:
        runner.start(spec, {**parameters_for(spec.name, values), **more.get(spec.name, {})})
    return nodes


class System:
    """The nodes and the operator of one run. Use it as a context: leaving it ends everything."""

    def __init__(self, runner: Runner, options: SystemOptions, watch: Callable[[], None]):
        from hrl_bringup.operator_node import Operator

        self._runner, self._options = runner, options
        nodes = start_nodes(runner, options)

        def watch_all() -> None:
            runner.check()
            watch()

        self._operator = Operator(ros_environment(runner.domain, runner.logs), watch_all)
        try:
            skills = tuple(spec.name for spec in SKILLS)
            self._operator.wait_for_nodes(tuple(spec.name for spec in nodes), skills)
        except BaseException:
            self._operator.close()
            raise

    def __enter__(self) -> "System":
        return self

    def __exit__(self, *_) -> None:
        self._operator.close()

    @property
    def truth(self) -> Truth | None:
        """What the plant said last."""
        return self._operator.truth

    def run_mission(self, world: World, log: MissionLog) -> None:
        """Set the plant to the log's seed, run its order, and judge it by the plant's truth."""
        self._operator.reset(self._options.world, log.seed, self._options.disturb)
        try:
            self._operator.run(log, MISSION_LIMIT)
        finally:
            if self.truth is not None:
                order = world.sample(log.seed).order
                note_judgement(log, judge(self.truth, order, world.site))


def note_judgement(log: MissionLog, judgement: Judgement) -> None:
    """Write down what the plant's truth says, and the cause of a failure in few words."""
    log.delivered = judgement.delivered
    log.sentence = judgement.sentence
    log.placement_error = judgement.placement_error
    log.contacts.update(judgement.contacts)
    log.contacts_with_people = judgement.contacts_with_people
    log.wrong_item_delivered = judgement.wrong_item_delivered
    if not judgement.delivered:
        log.cause = "fell" if judgement.fell else log.failure_cause()
