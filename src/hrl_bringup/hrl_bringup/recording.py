"""Recordings as Foxglove and `ros2 bag` read them: an MCAP file and rosbag2's metadata.yaml.

ROS 2 definitions are the schemas, and messages are kept as they came, in CDR.
"""

import contextlib
import json
import re
import struct
from pathlib import Path
from typing import BinaryIO

from mcap.writer import CompressionType, Writer

from hrl_bringup.rosbag2 import METADATA, BagTopic, Durability, Reliability, bag_metadata, qos_text

_FIELD_TYPE = re.compile(r"^\s*([a-zA-Z][a-zA-Z0-9_/]*)(?:<=\d+)?(?:\[[^\]]*\])?\s+[a-zA-Z]", re.M)
_PRIMITIVES = frozenset(
    "bool byte char float32 float64 int8 uint8 int16 uint16 int32 uint32 int64 uint64 "
    "string wstring".split()
)
_SEPARATOR = "=" * 80

# Time is the first thing in these: seconds and nanoseconds after the four bytes that say how the
# rest is encoded. In a TFMessage the length of the array comes before.
_STAMP_OFFSETS = {"std_msgs/Header": 4, "builtin_interfaces/Time": 4, "TFMessage": 8}

OTHER_CLOCK = 10_000_000_000  # ns from now; a stamp further off is of another clock, or broken
# What MCAP asks for at the end of a file without an index: DataEnd, Footer, magic.
_END = b"".join(
    (
        struct.pack("<BQI", 0x0F, 4, 0),
        struct.pack("<BQQQI", 0x02, 20, 0, 0, 0),
        b"\x89MCAP0\r\n",
    )
)
_MAGIC_LENGTH = 8


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
    """Time in ns that a message carries `offset` bytes in; None: there is none, or before 0."""
    if len(cdr) < offset + 8:
        return None
    little_endian = cdr[1] & 1
    seconds, nanoseconds = struct.unpack_from("<iI" if little_endian else ">iI", cdr, offset)
    return seconds * 1_000_000_000 + nanoseconds if seconds >= 0 else None


def type_hash(type_name: str, prefixes: list[Path]) -> str:
    """Hash of a message's definition (REP 2016), as its package has installed it; "": unknown."""
    package, kind, name = type_name.split("/")
    for prefix in prefixes:
        path = prefix / "share" / package / kind / f"{name}.json"
        with contextlib.suppress(OSError, ValueError, KeyError):
            for entry in json.loads(path.read_text(encoding="utf-8"))["type_hashes"]:
                if entry["type_name"] == type_name:
                    return entry["hash_string"]
    return ""


class Recording:
    """An MCAP file being written, and at its end metadata.yaml beside it. Times are ROS time, ns.

    Every method but `close` raises OSError where the disk does; close it then all the same.
    """

    def __init__(self, path: Path, prefixes: list[Path]):
        self._path = path
        self._file = _File(path)
        self._writer = Writer(self._file, compression=CompressionType.ZSTD)  # pyright: ignore[reportArgumentType]
        self._writer.start(profile="ros2", library="hrl")
        self._prefixes = prefixes
        self._schemas: dict[str, int] = {}
        self._channels: dict[str, int] = {}
        self._offsets: dict[str, int | None] = {}
        self._topics: dict[str, BagTopic] = {}
        self._begin: int | None = None
        self._latest = 0

    @property
    def duration(self) -> int:
        """ns from the first to the last message."""
        return 0 if self._begin is None else self._latest - self._begin

    def add_topic(
        self,
        topic: str,
        type_name: str,
        reliability: Reliability = "reliable",
        durability: Durability = "volatile",
    ) -> None:
        """Declare a topic; the qualities of service are those that `ros2 bag play` offers."""
        definition = message_definition(type_name, self._prefixes)
        if type_name not in self._schemas:
            self._schemas[type_name] = self._writer.register_schema(
                name=type_name, encoding="ros2msg", data=definition.encode()
            )
        about = BagTopic(
            topic, type_name, reliability, durability, type_hash(type_name, self._prefixes)
        )
        self._channels[topic] = self._writer.register_channel(
            topic=topic,
            message_encoding="cdr",
            schema_id=self._schemas[type_name],
            metadata={
                "offered_qos_profiles": qos_text(about),
                "topic_type_hash": about.type_hash,
            },
        )
        self._offsets[topic] = stamp_offset(definition, type_name)
        self._topics[topic] = about

    def write(self, topic: str, cdr: bytes, now: int | None = None) -> int:
        """Add a message as it came; return the time that it is filed under.

        That is the time which the message carries, or `now` where it carries none or one of
        another clock. `now` None: the latest time of all messages.
        """
        stamp = stamp_of(cdr, offset) if (offset := self._offsets[topic]) is not None else None
        if not stamp or (now is not None and abs(stamp - now) > OTHER_CLOCK):
            # What is published once and kept may carry time zero.
            stamp = self._latest if now is None else now
        self._topics[topic].count += 1
        self._begin = stamp if self._begin is None else min(stamp, self._begin)
        self._latest = max(self._latest, stamp)
        self._writer.add_message(
            channel_id=self._channels[topic],
            log_time=stamp,
            publish_time=stamp,
            sequence=self._topics[topic].count,
            data=cdr,
        )
        return stamp

    def close(self) -> str:
        """Write index and metadata.yaml; on a full disk leave what is whole. Return what failed."""
        metadata = bag_metadata(
            self._path.name, list(self._topics.values()), self._begin or 0, self.duration
        )
        failed = []
        try:
            # As rosbag2 keeps it for files that stand alone.
            self._writer.add_metadata("rosbag2", {"serialized_metadata": metadata})
            self._writer.finish()
        except OSError as error:
            failed.append(f"{self._path} has no index: {error.strerror}")
            self._file.cut_to_whole()
        self._file.close()
        try:
            (self._path.parent / METADATA).write_text(metadata, encoding="utf-8")
        except OSError as error:
            failed.append(f"{METADATA} beside it is missing: {error.strerror}")
        return "; ".join(failed)


class _File:
    """Unbuffered, so that a full disk is heard of at once; offers what mcap's Writer needs."""

    def __init__(self, path: Path):
        self._raw: BinaryIO = path.open("wb+", buffering=0)

    def write(self, data: bytes) -> int:
        left = memoryview(data)
        while left:
            left = left[self._raw.write(left) :]
        return len(data)

    def tell(self) -> int:
        return self._raw.tell()

    def close(self) -> None:
        self._raw.close()

    def cut_to_whole(self) -> None:
        """Drop the record that did not fit and end the file as MCAP asks for; without an index."""
        end = self._raw.seek(0, 2)
        whole = _MAGIC_LENGTH
        while whole + 9 <= end:
            self._raw.seek(whole)
            code, length = struct.unpack("<BQ", self._raw.read(9))
            if code == _END[0] or whole + 9 + length > end:
                break
            whole += 9 + length
        self._raw.truncate(whole)
        self._raw.seek(whole)
        with contextlib.suppress(OSError):  # readers do without, if they must
            self.write(_END)


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
