"""Whether the robot may be driven: what it needs before, and what ends it."""

from enum import Enum


class Phase(Enum):
    """What the driver's services have made of the robot."""

    WAITS = "waits"  # for its services, or for what they do
    READY = "ready"  # commands are passed on
    FAULT = "fault"  # it was brought to a safe state; a person starts it again


class Watch:
    """Told of what is heard, it says when something that commands need has been lost.

    `needed`: sensors without which the robot must not be driven. Times are ROS time [s].
    """

    def __init__(self, needed: tuple[str, ...], lost_after: float):
        self._lost_after = lost_after
        self._heard: dict[str, float | None] = dict.fromkeys(needed)
        self.phase = Phase.WAITS
        self.pressed = False  # the driver's own emergency stop
        self.fault = ""  # why, in a sentence

    @property
    def passes(self) -> bool:
        """Whether commands are passed on."""
        return self.phase is Phase.READY and not self.pressed

    def hear(self, name: str, now: float) -> None:
        if name in self._heard:
            self._heard[name] = now

    def look(self, now: float) -> str:
        """A sentence when a fault begins; "": nothing new."""
        if self.phase is not Phase.READY:
            return ""
        if self.pressed:
            return self._fail("the robot's emergency stop is pressed")
        for name, heard in self._heard.items():
            if heard is None or now < heard:  # time went back: it counts from here
                self._heard[name] = now
            elif now - heard > self._lost_after:
                return self._fail(f"no {name} for {now - heard:.1f} s")
        return ""

    def start(self) -> None:
        """The robot is being brought up."""
        self.phase, self.fault = Phase.WAITS, ""

    def ready(self, now: float) -> None:
        """It is up: what it needs is watched from now on."""
        self.phase = Phase.READY
        self._heard.update(dict.fromkeys(self._heard, now))

    def _fail(self, why: str) -> str:
        self.phase, self.fault = Phase.FAULT, why
        return why


def pressed_in(value: object, path: str, wanted: tuple[bool | int, ...]) -> bool:
    """Whether a field of a message, or of any element of its lists, has a wanted value.

    `path`: names with dots; "[]" behind the name of a list. Raises AttributeError for others.
    """
    name, _, rest = path.partition(".")
    inner = getattr(value, name.removesuffix("[]"))
    parts = inner if name.endswith("[]") else [inner]
    if not rest:
        return any(part in wanted for part in parts)
    return any(pressed_in(part, rest, wanted) for part in parts)
