"""One running system of a soak: nodes that are started again, a client, and a mission at a time."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rclpy.task import Future

from hrl_bringup.environment import ros_environment
from hrl_bringup.nodes import PLANT, RESPAWN_DELAY, SKILLS
from hrl_bringup.ros.operator_node import MissionStopped
from hrl_bringup.ros.soak_client import SoakClient, sensor_topics
from hrl_bringup.runner import Runner
from hrl_bringup.session import SystemOptions, ledger_beside, start_nodes
from hrl_bringup.soak.accounts import MissionAccount, of_person, order_accounts
from hrl_bringup.soak.processes import sample
from hrl_bringup.soak.records import Records
from hrl_bringup.soak.schedule import Agenda, Planned
from hrl_bringup.soak.troubles import Troubles
from hrl_core.known import known
from hrl_master.ledger import DELIVERED, Ledger
from hrl_sim_bridge.judging.judge import judge_all
from hrl_sim_bridge.plant.truth import Truth
from hrl_sim_bridge.trials.trial import Trial
from hrl_sim_bridge.worlds.world import World

# s of wall time
SAMPLE_PERIOD = 10.0
LEDGER_PERIOD = 0.5  # between two looks into the ledger
SEND_AGAIN = 10.0  # that a mission may be unknown to the ledger
STALLED = 300.0  # without a new row in the ledger: the mission is given up
MENDING = 120.0  # for all nodes to be there again after a mission
SELF = "soak"  # how the process of the command is called among the nodes


@dataclass
class Running:
    """The mission that runs, as the plant shows it."""

    id: str
    trial: Trial
    began: float = field(default_factory=time.monotonic)  # wall time
    waited_before: int = 0  # misses of lockstep
    first: Truth | None = None
    truth: Truth | None = None  # the last of its world
    world_lost: bool = False  # the plant was killed: what it says now is of another trial
    delivered: set[str] = field(default_factory=set)  # items whose orders the ledger calls so
    grasped_again: set[str] = field(default_factory=set)
    accepted_twice: int = 0
    troubles: list[str] = field(default_factory=list)

    def take(self, truth: Truth) -> None:
        """What the plant says now."""
        if self.world_lost:
            return
        self.first = self.first or truth
        self.truth = truth
        if truth.held in self.delivered:
            self.grasped_again.add(str(truth.held))


class SoakSystem:
    """Use it as a context. `show` gets a few words, often, on what is done."""

    def __init__(
        self,
        runner: Runner,
        options: SystemOptions,
        world: World,
        cameras: tuple[str, ...],
        agenda: Agenda,
        records: Records,
        show: Callable[[str], None],
    ) -> None:
        self._runner, self._options, self._world = runner, options, world
        self._agenda, self._records, self._show = agenda, records, show
        self._sampled = float("-inf")  # wall time
        self._mission: Running | None = None
        self._twice = False  # the mission has to be sent again
        self._second: Future | None = None  # the answer to that
        self._died: dict[str, float] = {}  # node -> wall time of its end
        self._missing: dict[str, float] = {}  # started again and not heard since: likewise
        self._started: dict[str, float] = {}  # wall time of a node's last new start
        self._nodes = start_nodes(runner, options)
        self._client = SoakClient(
            ros_environment(runner.domain, runner.logs),
            self._watch,
            self._on_truth,
            sensor_topics(cameras),
        )
        ledger = ledger_beside(runner.logs)
        self._troubles = Troubles(runner, self._client, ledger, self._send_twice, options.seed)
        try:
            skills = tuple(spec.name for spec in SKILLS)
            self._client.wait_for_nodes(tuple(spec.name for spec in self._nodes), skills)
            self._ledger = Ledger(ledger)
        except BaseException:
            self._client.close()
            raise

    def __enter__(self) -> "SoakSystem":
        return self

    def __exit__(self, *_) -> None:
        self._troubles.end_all()
        self._ledger.close()
        self._client.close()

    @property
    def ticks_missed(self) -> dict[str, int]:
        """Control ticks that each node missed."""
        return self._client.ticks_missed

    def run(self, trial: Trial, mission: str) -> None:
        """Run a mission and take down what came of it; raises MissionStopped where the system is
        of no use afterwards."""
        self._client.press_e_stop(False)
        self._client.reset(self._options.world, trial.seed, self._options.disturb)
        waited = self._client.lockstep_misses
        running = self._mission = Running(mission, trial, waited_before=waited)
        self._twice, self._second = False, None
        broken: MissionStopped | None = None
        try:
            self._client.give(mission, trial.orders)
            self._client.pause(False)
            self._follow(running)
            self._mend()
            if not running.world_lost:
                self._client.settle()
            self._client.pause(True)
        except MissionStopped as error:
            broken = error
        self._mission = None
        self._take_down(running)
        if broken is not None:
            raise broken

    # A mission

    def _follow(self, running: Running) -> None:
        """Until the ledger says that the mission has ended."""
        looked = sent = news = then = time.monotonic()
        rows = 0
        while True:
            self._client.spin()
            now = time.monotonic()
            for planned in self._agenda.advance(now - then):
                running.troubles.append(planned.name)
                self._begin(planned)
            then = now
            self._ask_twice(running)
            if now - looked < LEDGER_PERIOD:
                continue
            looked = now
            state = self._ledger.rows("SELECT ended_at FROM missions WHERE id = ?", running.id)
            if state and state[0]["ended_at"] is not None:
                return
            if not state and now - sent > SEND_AGAIN and self._client.ready:
                sent = now
                self._client.give(running.id, running.trial.orders)
            count = self._ledger.rows("SELECT COUNT(*) AS n FROM chain")[0]["n"]
            if count != rows:
                rows, news = count, now
                ended = "SELECT item FROM orders WHERE mission = ? AND code = ?"
                done = self._ledger.rows(ended, running.id, DELIVERED)
                running.delivered = {row["item"] for row in done}
            if now - news > STALLED:
                raise MissionStopped(f"nothing new in the ledger for {STALLED:.0f} s")

    def _begin(self, planned: Planned) -> None:
        self._records.event(planned.kind.value, planned.target, seconds=round(planned.seconds, 1))
        self._troubles.begin(planned)

    def _send_twice(self) -> None:
        self._client.start_anew()
        self._twice = True

    def _ask_twice(self, running: Running) -> None:
        """A client that was started again sends its mission again: it must not be accepted."""
        if self._twice and self._client.ready and self._ledger.knows(running.id):
            self._twice = False
            self._second = self._client.give(running.id, running.trial.orders)
        if self._second is not None and self._second.done():
            accepted = known(self._second.result()).accepted
            self._second = None
            running.accepted_twice += accepted
            self._records.event("answer", "", accepted=accepted)

    def _mend(self) -> None:
        """Wait until nothing is wrong any more and all nodes are there."""
        deadline = time.monotonic() + MENDING
        while not self._troubles.calm or self._died or self._missing:
            self._client.spin()
            if time.monotonic() > deadline:
                missing = sorted({*self._died, *self._missing})
                raise MissionStopped(f"{missing} did not come back within {MENDING:.0f} s")

    def _take_down(self, running: Running) -> None:
        trial, site = running.trial, self._world.site
        truth = running.truth or self._client.truth
        if truth is None or running.first is None:
            self._records.event("unseen", running.id)  # the plant never showed it
            return
        touches = truth.touches
        account = MissionAccount(
            running.id,
            trial.seed,
            order_accounts(
                self._ledger,
                running.id,
                judge_all(truth, trial.orders, site),
                [(order.item, order.to_station) for order in trial.orders],
                running.grasped_again,
            ),
            running.accepted_twice,
            tuple(running.troubles),
            {name: round(touch.force, 1) for name, touch in sorted(touches.items())},
            sum(touch.count for name, touch in touches.items() if of_person(name)),
            self._client.lockstep_misses - running.waited_before,
            round(truth.time - running.first.time, 1),
            round(time.monotonic() - running.began, 1),
        )
        self._records.mission(account)

    def _on_truth(self, truth: Truth) -> None:
        if self._mission is not None:
            self._mission.take(truth)

    # All the time

    def _watch(self) -> None:
        now = time.monotonic()
        self._troubles.step()
        self._revive(now)
        if now - self._sampled >= SAMPLE_PERIOD:
            self._sampled, at = now, round(self._records.seconds, 1)
            pids = {**self._runner.alive(), SELF: os.getpid()}
            found = [sample(at, node, pid) for node, pid in pids.items()]
            self._records.sample([each for each in found if each is not None])
        self._show("" if self._mission is None else self._mission.id)

    def _revive(self, now: float) -> None:
        """Start again what has ended, as launch does, and the plant as well."""
        for name, status in self._runner.ended().items():
            if name not in self._died:
                self._died[name] = now
                self._records.event("died", name, status=status)
                if name == PLANT.name and self._mission is not None:
                    self._mission.world_lost = True
            elif now - self._died[name] >= RESPAWN_DELAY:
                self._missing[name] = self._died.pop(name)
                self._runner.start_again(name)
                self._started[name] = now
        for name in [*self._missing]:
            if self._client.heard.get(name, 0.0) > self._started[name]:
                after = round(now - self._missing.pop(name), 1)
                self._records.event("restart", name, after_s=after)
                if name == PLANT.name and self._mission is not None:
                    self._client.let_run()
