"""Recordings read back; of a damaged one, whatever is whole."""

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcap.reader import make_reader
from mcap.records import Channel, Chunk, Message, Schema
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import Writer

from hrl_core.config import ConfigError

LARGEST_RECORD = 2**28  # bytes; a damaged length asks for more


@dataclass(frozen=True)
class Recorded:
    """A message read back: CDR bytes and the time in s that it is filed under."""

    topic: str
    type_name: str
    time: float
    cdr: bytes


def read_recording(path: Path, topics: list[str] | None = None) -> Iterator[Recorded]:
    """Messages of these topics (None: of all) in the order of their times.

    Raises McapError for a file without an index that is cut short: see `whole`.
    """
    with path.open("rb") as file:
        for schema, channel, message in make_reader(file).iter_messages(topics=topics):
            assert schema is not None
            yield Recorded(channel.topic, schema.name, message.log_time * 1e-9, message.data)


def whole(path: Path, folder: Path) -> tuple[Path, str]:
    """A recording that can be read, and a sentence on what is lost.

    That is the file itself and "", or a copy in `folder` of what is whole in a damaged one.
    `path`: the file, or the folder that it is in. Raises ConfigError where nothing can be read.
    """
    path = recording_in(path)
    try:
        size = path.stat().st_size
        path.open("rb").close()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    with contextlib.suppress(Exception):  # whatever damage makes of the parser
        with path.open("rb") as file:
            summary = make_reader(file).get_summary()
        if summary is not None and summary.statistics is not None and _chunks_fit(path, summary):
            return path, ""
    copy = folder / path.name
    count, skipped, used, end = _copy_whole(path, copy)
    if not count:
        copy.unlink()
        raise ConfigError(f"{path}: none of its {size} bytes is a message of an MCAP file ({end})")
    lost = f", {skipped} chunks in between are damaged" if skipped else ""
    return copy, (
        f"{path} is damaged or has no index ({end}): {count} messages in the first "
        f"{100 * used / size:.0f} % of it are used{lost}"
    )


def recording_in(path: Path) -> Path:
    """The MCAP file that a path means: itself, or the one in the folder; raises ConfigError."""
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.mcap"))
    if len(found) != 1:
        names = [file.name for file in found]
        raise ConfigError(f"{path}: needs one recording (.mcap), has {names}")
    return found[0]


def jpeg_of(cdr: bytes) -> bytes:
    """The JPEG file inside a serialized sensor_msgs/CompressedImage."""
    begin = cdr.find(b"\xff\xd8\xff")
    if begin < 4:
        raise ValueError("this CompressedImage holds no JPEG file")
    (length,) = struct.unpack_from("<I", cdr, begin - 4)
    return cdr[begin : begin + length]


def _chunks_fit(path: Path, summary) -> bool:
    """Whether the file's chunks are where its index says, each with its checksum right."""
    with path.open("rb") as file:
        chunks = [breakup_chunk(r, True) for r in _records(file) if isinstance(r, Chunk)]
    return len(chunks) == len(summary.chunk_indexes)


def _records(file) -> Iterator:
    return StreamReader(file, emit_chunks=True, record_size_limit=LARGEST_RECORD).records


def _copy_whole(path: Path, copy: Path) -> tuple[int, int, int, str]:
    """Copy what is whole: messages, damaged chunks, bytes gone through, why it went no further."""
    count = skipped = used = 0
    end = "it ends as it should"
    schemas: dict[int, int] = {}
    channels: dict[int, int] = {}
    with path.open("rb") as file, copy.open("wb") as output:
        writer = Writer(output)
        writer.start(profile="ros2", library="hrl")
        try:
            for record in _records(file):
                used = file.tell()
                try:
                    parts = breakup_chunk(record, True) if isinstance(record, Chunk) else [record]
                except Exception:
                    skipped += 1
                    continue
                for part in parts:
                    count += _take(part, writer, schemas, channels)
        except Exception as error:
            end = str(error) or "it ends in the middle of a record"
        writer.finish()
    return count, skipped, used, end


def _take(part, writer: Writer, schemas: dict[int, int], channels: dict[int, int]) -> bool:
    """Copy a record; whether it was a message. The dictionaries: ids there -> in the copy."""
    if isinstance(part, Schema) and part.id not in schemas:
        schemas[part.id] = writer.register_schema(part.name, part.encoding, part.data)
    if isinstance(part, Channel) and part.id not in channels and part.schema_id in schemas:
        channels[part.id] = writer.register_channel(
            part.topic, part.message_encoding, schemas[part.schema_id], part.metadata
        )
    if not isinstance(part, Message) or part.channel_id not in channels:
        return False
    writer.add_message(
        channels[part.channel_id], part.log_time, part.data, part.publish_time, part.sequence
    )
    return True
