"""One running system: all nodes, the operator, and missions one after the other, judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hrl_bringup.environment import ros_environment
from hrl_bringup.mission_log import MissionLog
from hrl_bringup.nodes import (
    CONSOLE,
    DRIVER,
    GROUPS,
    RECORDER,
    SKILLS,
    NodeSpec,
    ParameterValue,
    parameters_for,
)
from hrl_bringup.runner import NodeDied, Runner
from hrl_sim_bridge.judging.judge import judge
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.trials.trial import Disturb
from hrl_sim_bridge.worlds.world import World
from hrl_training.missions.row import MISSION_LIMIT, order_of

CONSOLE_PORT = 8642  # of the page; as in config/console.yaml


@dataclass(frozen=True)
class SystemOptions:
    """What a system is started with."""

    world: str
    robot: str
    seed: int
    driver: str = ""  # that the plant speaks as, and that its node turns back; empty: none
    realtime_factor: float = 0.0  # 0: as fast as it can
    overview_rate: float = 0.0  # Hz, outside pictures for the video
    recording: Path | None = None  # MCAP file to write
    disturb: Disturb = "file"  # how trials are disturbed
    console: Path | None = None  # file of tokens: the operators' page runs beside the nodes
    master: Mapping[str, ParameterValue] = field(default_factory=dict)  # parameters beside the file


def new_log(world: World, name: str, seed: int, disturb: Disturb = "file") -> MissionLog:
    """The log of a mission that is about to begin: the order of a seed."""
    trial = draw_trial(world, seed, disturb)
    obstacles = [(*o.pose.tolist(), *o.size[:2].tolist()) for o in trial.obstacles]
    return MissionLog(name, seed, order_of(trial.order), obstacles)


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
    if options.driver:
        values["driver"] = options.driver
        nodes = (*nodes, DRIVER)
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
    if options.console is not None:
        nodes = (*nodes, CONSOLE)
        more["console"] = {
            "ledger": str(ledger_beside(runner.logs)),
            "tokens": str(options.console),
            "port": CONSOLE_PORT,
        }
    for spec in nodes:
        runner.start(spec, {**parameters_for(spec.name, values), **more.get(spec.name, {})})
    return nodes


class System:
    """The nodes and the operator of one run. Use it as a context: leaving it ends everything."""

    def __init__(
        self,
        runner: Runner,
        options: SystemOptions,
        watch: Callable[[], None],
        say: Callable[[str], None] = print,
    ):
        from hrl_bringup.ros.operator_node import Operator

        self._runner, self._options = runner, options
        nodes = start_nodes(runner, options)

        def watch_all() -> None:
            try:
                runner.check()
            except NodeDied as died:
                if died.name not in (RECORDER.name, CONSOLE.name):
                    raise
                say(str(died))
                runner.stop((died.name,))  # the mission goes on without it
            watch()

        self._operator = Operator(ros_environment(runner.domain, runner.logs), watch_all, say)
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

    def stay(self) -> None:
        """Let everything run, for whoever gives orders now, until Ctrl-C."""
        self._operator.stay()

    def run_mission(self, world: World, log: MissionLog, again: int = 0) -> None:
        """Set the plant to the log's seed, run its order, and judge it by the plant's truth.

        `again`: how often the same was run before.
        """
        self._operator.reset(self._options.world, log.seed, self._options.disturb)
        try:
            self._operator.run(log, MISSION_LIMIT, again)
        finally:
            if self.truth is not None:
                order = draw_trial(world, log.seed).order
                log.judged(judge(self.truth, order, world.site))
