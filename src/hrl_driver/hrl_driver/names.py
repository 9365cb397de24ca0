"""Frames and joints by the driver's names and by ours."""

from collections.abc import Mapping, Sequence

from hrl_core import topics
from hrl_driver.profile import Driver, Joint, JointStates, Units

FOREIGN = "_of_driver"  # behind a frame of the driver's that is named like another one of ours


class Frames:
    """The names of frames, both ways."""

    def __init__(self, driver: Driver):
        self._prefix = driver.frame_prefix
        self._ours = {theirs: ours for ours, theirs in driver.frames.items()}
        # The map is perception's; what is renamed is not what the driver calls so.
        self._taken = {topics.MAP, *driver.frames}

    def ours(self, frame: str) -> str:
        """Our name of a driver's frame, with or without the prefix."""
        name = frame.lstrip("/").removeprefix(self._prefix)
        if name in self._ours:
            return self._ours[name]
        return name + FOREIGN if name in self._taken else name

    def is_theirs(self, frame: str) -> bool:
        """Whether a frame has the driver's prefix."""
        return frame.lstrip("/").startswith(self._prefix)


class Joints:
    """The names and numbers of joints, both ways."""

    def __init__(self, states: JointStates):
        self._prefix = states.prefix
        joints = {
            ours: joint if isinstance(joint, Joint) else Joint(name=joint)
            for ours, joint in states.joints.items()
        }
        self._theirs = joints
        self._ours = {joint.name: ours for ours, joint in joints.items()}

    def ours(self, name: str) -> str:
        name = name.removeprefix(self._prefix)
        return self._ours.get(name, name)

    def theirs(self, ours: str) -> str:
        return self._prefix + (self._theirs[ours].name if ours in self._theirs else ours)

    def units(self, ours: str) -> Units:
        return self._theirs.get(ours, _SAME)

    def states_to_ours(
        self, names: Sequence[str], positions: Sequence[float], velocities: Sequence[float]
    ) -> tuple[list[str], list[float], list[float]]:
        """Names, positions and velocities (either may be empty) in our words and units."""
        ours = [self.ours(name) for name in names]
        units = [self.units(name) for name in ours]
        return (
            ours,
            [unit.to_ours(value) for unit, value in zip(units, positions, strict=False)],
            [unit.scale * value for unit, value in zip(units, velocities, strict=False)],
        )

    def targets_to_theirs(self, targets: Mapping[str, float]) -> dict[str, float]:
        """Positions by our names -> positions by the driver's."""
        return {
            self.theirs(name): self.units(name).to_theirs(value) for name, value in targets.items()
        }


_SAME = Units()
