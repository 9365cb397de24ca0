"""What a node says of itself once a second: what it does, its inputs, and what is wrong."""

from collections.abc import Iterable, Mapping

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node

from hrl_core import topics
from hrl_core.ros.inputs import Inputs, refusal


class Diagnosis:
    """Keeps which faults there are, so that the log tells of each when it begins and ends."""

    def __init__(self, node: Node, inputs: Inputs):
        self._node, self._inputs = node, inputs
        self._told: set[str] = set()

    def refuse(self, name: str, sentence: str) -> None:
        """Something of a topic or service cannot be used."""
        self._inputs.refuse(name, sentence.strip().rpartition("\n")[2])
        if _refused(name) not in self._told:
            self._told.add(_refused(name))
            self._node.get_logger().error(f"{name}: {sentence}")

    def message(
        self, doing: str, figures: Mapping[str, object], faults: Mapping[str, str]
    ) -> DiagnosticArray:
        """The status with these faults, a sentence by what it is about, and those of any node."""
        self._inputs.look()
        faults = {**self._faults(), **faults}
        self._tell(faults)
        values = {
            **figures,
            **self._inputs.figures(),
            **{topics.FAULT + name: sentence for name, sentence in faults.items()},
        }
        status = DiagnosticStatus(
            level=DiagnosticStatus.WARN if faults else DiagnosticStatus.OK,
            name=self._node.get_fully_qualified_name(),
            message="; ".join([doing, *_short(faults.values())]),
            hardware_id="",
            values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        return array

    def _faults(self) -> dict[str, str]:
        faults = {
            _refused(name): refusal(name, sentence)
            for name, sentence in self._inputs.refused_lately().items()
        }
        simulated = self._node.get_parameter("use_sim_time").value
        if simulated and not self._node.count_publishers(topics.CLOCK.name):
            faults[topics.CLOCK.name] = (
                "use_sim_time is true and nobody publishes /clock: ROS time stands; on a robot "
                "give use_sim_time:=false"
            )
        return faults

    def _tell(self, faults: Mapping[str, str]) -> None:
        for name in sorted(faults.keys() - self._told):
            self._node.get_logger().warning(faults[name])
        for name in sorted(self._told - faults.keys()):
            self._node.get_logger().info(f"{name}: no more")
        self._told = set(faults)


def _refused(name: str) -> str:
    """The fault that something of a topic or service is refused."""
    return f"refused from {name}"


def _short(sentences: Iterable[str]) -> list[str]:
    """Those that no other one repeats."""
    kept = list(sentences)
    return [a for a in kept if not any(a in b for b in kept if a != b)]
