"""The driver's services for lease, power, stand and sit, one after the other."""

from collections.abc import Callable

from rclpy.task import Future
from std_srvs.srv import Trigger

from hrl_core.ros.node import HrlNode
from hrl_driver.profile import Driver

PAUSE = 1.0  # s of wall time before a service that is not there or refused is asked again


class PowerServices:
    """Calls what a sequence of the driver file names."""

    def __init__(self, node: HrlNode, driver: Driver):
        self._node, self._timeout = node, driver.power.timeout
        power = driver.power
        self._clients = {
            name: node.create_client(Trigger, driver.resolved(name))
            for name in {*power.start, *power.fault, *power.end}
        }
        for client in self._clients.values():
            node.made.append(lambda client=client: node.destroy_client(client))
        self.doing = ""  # what is waited for, in a sentence; empty: nothing

    async def call(self, names: tuple[str, ...], wanted: Callable[[], bool]) -> bool:
        """Call them in order; whether all did it. Each is asked again while it is `wanted`."""
        for name in names:
            while not await self._call(name):
                await self._node.within(Future(), PAUSE)
                if not wanted():
                    return False
        self.doing = ""
        return True

    async def _call(self, name: str) -> bool:
        client = self._clients[name]
        if not client.service_is_ready():
            self.doing = f"waits for the service {client.srv_name}: nobody answers to it"
            return False
        self.doing = f"waits for the answer of {client.srv_name}"
        answer = client.call_async(Trigger.Request())
        if not await self._node.within(answer, self._timeout):
            self.doing = f"{client.srv_name} did not answer within {self._timeout} s"
            return False
        result = answer.result()
        assert result is not None, "it is done"
        if not result.success:
            self.doing = f"{client.srv_name} refused: {result.message or 'no reason given'}"
        return result.success
