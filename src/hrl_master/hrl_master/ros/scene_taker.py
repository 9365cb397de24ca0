"""What is sensed when a decision is due; at all other times no sensor data are taken in."""

from rclpy.task import Future

from hrl_core.robot import Robot
from hrl_core.ros.node import HrlNode
from hrl_core.ros.senses import Senses
from hrl_core.site import Site
from hrl_master.ros.lockstep import TickHolder
from hrl_master.scene import GripperConfig, Scene, build_scene


class SceneTaker:
    """Builds one scene at a time, when asked for it."""

    def __init__(self, node: HrlNode, site: Site, robot: Robot, ticks: TickHolder):
        self._node, self._site, self._robot, self._ticks = node, site, robot, ticks
        self._scene: Future | None = None  # who waits for the next
        self._senses = Senses(node, robot, self._on_tick)
        self._senses.pause()

    @property
    def stamp(self) -> float:
        """ROS time [s] of the last tick that was taken in."""
        return self._senses.stamp

    def faults(self) -> dict[str, str]:
        """What is wrong with the sensor data that are waited for."""
        return self._senses.faults()

    def check(self) -> None:
        """Go on without sensors that stay away; call it often."""
        self._senses.check()

    async def next(self) -> Scene | None:
        """What is sensed at the first tick after the last event; None: it was missed."""
        if not self._ticks.holds:
            self._ticks.hold()
        self._scene = Future()
        self._senses.resume()
        await self._scene
        self._senses.pause()
        scene, self._scene = self._scene.result(), None
        return scene

    async def next_within(self, seconds: float) -> Scene | None:
        """The next scene; None where it does not come within some seconds of wall time."""
        late = self._node.create_timer(seconds, self.miss, clock=self._node.steady_clock)
        try:
            return await self.next()
        finally:
            self._node.destroy_timer(late)

    def miss(self) -> None:
        """Wait for the next scene no longer."""
        if self._scene is not None and not self._scene.done():
            self._scene.set_result(None)

    def _on_tick(self, stamp: float) -> None:
        """Sensor data of a tick are complete."""
        if self._scene is None or self._scene.done():
            return
        if self._ticks.is_due(stamp):
            sensed = self._senses.sensed()
            self._scene.set_result(build_scene(sensed, self._site, self._robot, GripperConfig()))
