"""MCAP files that Foxglove and `ros2 bag` read: ROS 2 definitions as schemas, CDR as it came."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

_FIELD_TYPE = re.compile(r"^\s*([a-zA-Z][a-zA-Z0-9_/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[a-zA-Z]", re.M)
_PRIMITIVES = frozenset(
    "bool byte char float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 "
    "string wstring".split()
)
_SEPARATOR = "=" * 80

# Time is the first thing in these: seconds and nanoseconds after the four bytes that say how the
# rest is encoded. In a TFMessage the length of the array comes before.
_STAMP_OFFSETS = {"std_msgs/Header": 4, "builtin_interfaces/Time": 4, "TFMessage": 8}

Durability = Literal["volatile", "transient_local"]
Reliability = Literal["reliable", "best_effort"]


class DefinitionNotFound(LookupError):
    """No package in the ament index has the definition of a message type."""


def message_definition(type_name: str, prefixes: list[Path]) -> str:
    """Text of a message's definition followed by those of all types that it is made of.

    `type_name` such as "sensor_msgs/msg/LaserScan"; `prefixes`: those of AMENT_PREFIX_PATH. The
    form is that of MCAP's schema encoding `ros2msg`, as rosbag2 writes it.
    """
    package, _, name = type_name.split("/")
    root = f"{package}/{name}"
    parts, seen = [], {root}

    def append(short_name: str) -> None:
        text = _read_definition(short_name, prefixes)
        header = "" if short_name == root else f"{_SEPARATOR}\nMSG: {short_name}\n"
        parts.append(header + text)
        for dependency in _dependencies(text, short_name.split("/")[0]):
            if dependency not in seen:
                seen.add(dependency)
                append(dependency)

    append(root)
    return "\n".join(parts)


def stamp_offset(definition: str, type_name: str) -> int | None:
    """Where in the CDR bytes a message's own time begins; None: the type has none in front."""
    if type_name == "tf2_msgs/msg/TFMessage":
        return _STAMP_OFFSETS["TFMessage"]
    first = _FIELD_TYPE.search(_without_comments(definition))
    return _STAMP_OFFSETS.get(first[1]) if first else None


def stamp_of(cdr: bytes, offset: int) -> int | None:
    """Time in ns that a message carries `offset` bytes in; None where the message ends before."""
    if len(cdr) < offset + 8:
        return None
    little_endian = cdr[1] & 1
    seconds, nanoseconds = struct.unpack_from("<iI" if little_endian else ">iI", cdr, offset)
    return seconds * 1_000_000_000 + nanoseconds


class Recording:
    """An MCAP file being written. Times are ROS time in ns."""

    def __init__(self, path: Path, prefixes: list[Path]):
        self._file: IO[bytes] = path.open("wb")
        self._writer = Writer(self._file, compression=CompressionType.ZSTD)
        self._writer.start(profile="ros2", library="hrl")
        self._prefixes = prefixes
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._offsets: dict[str, int | None] = {}
        self._sequence: dict[str, int] = {}
        self._latest = 0  # ns

    def add_topic(
        self,
        topic: str,
        type_name: str,
        reliability: Reliability = "reliable",
        durability: Durability = "volatile",
        stamped: bool = True,
    ) -> None:
        """Declare a topic; the qualities of service are those that `ros2 bag play` offers.

        `stamped`: file messages under the time that they carry, if they carry one.
        """
        definition = message_definition(type_name, self._prefixes)
        if type_name not in self._schemas:
            self._schemas[type_name] = self._writer.register_schema(
                name=type_name, encoding="ros2msg", data=definition.encode()
            )
        self._channels[topic] = self._writer.register_channel(
            topic=topic,
            message_encoding="cdr",
            schema_id=self._schemas[type_name],
            metadata={"offered_qos_profiles": _offered_qos(reliability, durability)},
        )
        self._offsets[topic] = stamp_offset(definition, type_name) if stamped else None
        self._sequence[topic] = 0

    def write(self, topic: str, cdr: bytes) -> int:
        """Add a message as it came; return the time in ns that it is filed under.

        That is the time which the message carries, or else the latest one of all messages.
        """
        offset = self._offsets[topic]
        stamp = stamp_of(cdr, offset) if offset is not None else None
        # What is published once and kept may carry time zero.
        time = stamp if stamp else self._latest
        self._latest = max(self._latest, time)
        self._sequence[topic] += 1
        self._writer.add_message(
            channel_id=self._channels[topic],
            log_time=time,
            publish_time=time,
            sequence=self._sequence[topic],
            data=cdr,
        )
        return time

    def close(self) -> None:
        """Write the index. Without it readers need to go through the whole file."""
        self._writer.finish()
        self._file.close()


@dataclass(frozen=True)
class Recorded:
    """A message read back: CDR bytes and the time in s that it is filed under."""

    topic: str
    type_name: str
    time: float
    cdr: bytes


def read_recording(path: Path, topics: list[str]) -> Iterator[Recorded]:
    """Messages of these topics in the order of their times."""
    with path.open("rb") as file:
        for schema, channel, message in make_reader(file).iter_messages(topics=topics):
            assert schema is not None
            yield Recorded(channel.topic, schema.name, message.log_time * 1e-9, message.data)


def jpeg_of(cdr: bytes) -> bytes:
    """The JPEG file inside a serialized sensor_msgs/CompressedImage."""
    begin = cdr.find(b"\xff\xd8\xff")
    if begin < 4:
        raise ValueError("this CompressedImage holds no JPEG file")
    (length,) = struct.unpack_from("<I", cdr, begin - 4)
    return cdr[begin : begin + length]


def _read_definition(short_name: str, prefixes: list[Path]) -> str:
    package, name = short_name.split("/")
    for prefix in prefixes:
        path = prefix / "share" / package / "msg" / f"{name}.msg"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    folders = [str(prefix) for prefix in prefixes]
    raise DefinitionNotFound(f"no definition of {short_name} in share/{package}/msg of {folders}")


def _dependencies(text: str, package: str) -> list[str]:
    """Types of the fields that are messages themselves, as package/Name, in their order."""
    names = []
    for name in _FIELD_TYPE.findall(_without_comments(text)):
        if name in _PRIMITIVES:
            continue
        parts = name.split("/")
        names.append(f"{parts[0]}/{parts[-1]}" if len(parts) > 1 else f"{package}/{name}")
    return names


def _without_comments(text: str) -> str:
    return re.sub(r"#.*", "", text)


def _offered_qos(reliability: Reliability, durability: Durability) -> str:
    """YAML that rosbag2 keeps beside a topic (metadata version 8: numbers are those of rmw)."""
    forever = "{sec: 9223372036, nsec: 854775807}"
    return "\n".join(
        [
            "- history: 3",
            "  depth: 0",
            f"  reliability: {1 if reliability == 'reliable' else 2}",
            f"  durability: {1 if durability == 'transient_local' else 2}",
            f"  deadline: {forever}",
            f"  lifespan: {forever}",
            "  liveliness: 1",
            f"  liveliness_lease_duration: {forever}",
            "  avoid_ros_namespace_conventions: false",
        ]
    )
