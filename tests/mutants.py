"""Damaged files, each drawn from a seed: text by lines and values, binary files by bytes."""

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
from mcap.reader import make_reader
from mcap.writer import Writer

NONSENSE = (
    ".nan", "NaN", ".inf", "-Infinity", "1e999", "0", "-1", "-0.0", "1e300", "1000000000",
    "9" * 40, "0x_", "0o9", "1_000", "true", "null", "~", '""', "'", '"', "x", "[]", "{}", "[[1]]",
    "{a: 1}", '{"a": 1}', "2026-01-02", "12:30:00", "!!int x", "!!python/object:os.system",
    "!!binary x", "&a [*a]", "*b", "<<: 1", "\u202e\u00e4\u4e16", "\ud7ff", "\x00", "\x1b[31m",
    "\t", "[" * 3000, "a: " * 50, "../../etc/passwd", "/dev/null", "%s{0}", "x" * 5000,
)  # fmt: skip
NUMBERS = (0.0, -1.0, 0.5, 2.0, 10.0, -10.0, 1e3, 1e9, 1e-9)  # that a number is multiplied by
_VALUE = re.compile(r"(?<=[ \[,:])(-?\d[\d.e+-]*|\"[^\"\n]*\"|true|false|null|[a-z_]\w*)")


def mutated_text(content: bytes, rng: np.random.Generator) -> bytes:
    """A text file with one to three things wrong."""
    text = content.decode()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        text = _TEXT[rng.choice(len(_TEXT), p=_WEIGHTS)](text, rng)
    return text.encode(errors="surrogatepass")


def mutated_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """A file with a part changed, lost, doubled or cut off."""
    if not content:
        return rng.bytes(20)
    begin = int(rng.integers(len(content)))
    length = int(rng.choice((1, 4, 64, 4096)))
    end = min(len(content), begin + length)
    what = rng.choice(("noise", "zeros", "lost", "doubled", "cut", "tail", "bit", "other"))
    middle = {
        "noise": rng.bytes(end - begin),
        "zeros": bytes(end - begin),
        "lost": b"",
        "doubled": content[begin:end] * 2,
        "bit": bytes([content[begin] ^ (1 << int(rng.integers(8)))]) + content[begin + 1 : end],
    }
    if what == "cut":
        return content[:begin]
    if what == "tail":
        return content[begin:]
    if what == "other":
        return (b"", rng.bytes(300), b"\x00" * 300, b"PK\x03\x04")[rng.integers(4)]
    return content[:begin] + middle[what] + content[end:]


def mutated_recording(content: bytes, rng: np.random.Generator, folder: Path) -> bytes:
    """An MCAP file with damaged bytes, or a sound one with a message that is damaged."""
    if rng.random() < 0.5:
        return mutated_bytes(content, rng)
    source, copy = folder / "source.mcap", folder / "copy.mcap"
    source.write_bytes(content)
    with source.open("rb") as file, copy.open("wb") as output:
        writer, channels = Writer(output), {}
        writer.start(profile="ros2", library="tests")
        messages = list(make_reader(file).iter_messages())
        chosen = int(rng.integers(len(messages)))
        for number, (schema, channel, message) in enumerate(messages):
            assert schema is not None
            if channel.id not in channels:
                known = writer.register_schema(schema.name, schema.encoding, schema.data)
                channels[channel.id] = writer.register_channel(
                    channel.topic, channel.message_encoding, known, channel.metadata
                )
            data = mutated_bytes(message.data, rng) if number == chosen else message.data
            writer.add_message(channels[channel.id], message.log_time, data, message.publish_time)
        writer.finish()
    return copy.read_bytes()


def mutated_ledger(content: bytes, rng: np.random.Generator, folder: Path) -> bytes:
    """An SQLite file with damaged bytes, or a sound one with a value or table that is wrong."""
    if rng.random() < 0.4:
        return mutated_bytes(content, rng)
    path = folder / "source.sqlite"
    path.write_bytes(content)
    values = (None, -1, 2**62, 1e300, float("inf"), "", "x", "[1", '{"a": 1}', b"\xff\xfe", "NaN")
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA writable_schema = ON")
        tables = [row[0] for row in file.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        )]  # fmt: skip
        filled = [t for t in tables if file.execute(f"SELECT 1 FROM {t}").fetchone()]
        table = str(rng.choice(filled))
        columns = [row[1] for row in file.execute(f"PRAGMA table_info({table})")]
        column = str(rng.choice(columns))
        action = rng.choice(("value", "value", "value", "value", "drop", "rename", "delete"))
        try:
            if action == "value":
                value = values[rng.integers(len(values))]
                file.execute(f'UPDATE {table} SET "{column}" = ?', (value,))
            elif action == "drop":
                file.execute(f"DROP TABLE {table}")
            elif action == "rename":
                file.execute(f'ALTER TABLE {table} RENAME COLUMN "{column}" TO other')
            else:
                file.execute(f"DELETE FROM {table}")
        except sqlite3.Error:  # the schema forbids this one
            file.execute("PRAGMA user_version = 99")
    return path.read_bytes()


def _delete_line(lines: list[str], k: int, rng: np.random.Generator) -> None:
    del lines[k]


def _double_line(lines: list[str], k: int, rng: np.random.Generator) -> None:
    lines.insert(k, lines[k])


def _swap_lines(lines: list[str], k: int, rng: np.random.Generator) -> None:
    other = int(rng.integers(len(lines)))
    lines[k], lines[other] = lines[other], lines[k]


def _indent(lines: list[str], k: int, rng: np.random.Generator) -> None:
    lines[k] = (" " * int(rng.integers(1, 4)) + lines[k]) if rng.random() < 0.5 else lines[k][2:]


def _double_part(lines: list[str], k: int, rng: np.random.Generator) -> None:
    lines[k:k] = lines[k : k + int(rng.integers(2, 12))]


def _by_lines(change: Callable) -> Callable[[str, np.random.Generator], str]:
    def mutate(text: str, rng: np.random.Generator) -> str:
        lines = text.split("\n")
        change(lines, int(rng.integers(len(lines))), rng)
        return "\n".join(lines)

    return mutate


def _other_value(text: str, rng: np.random.Generator) -> str:
    places = list(_VALUE.finditer(text))
    if not places:
        return text + str(rng.choice(NONSENSE))
    place = places[rng.integers(len(places))]
    new = NONSENSE[rng.integers(len(NONSENSE))]
    if rng.random() < 0.5:  # a plausible one
        try:
            new = repr(float(place[0]) * NUMBERS[rng.integers(len(NUMBERS))])
        except ValueError:
            new = places[rng.integers(len(places))][0]
    return text[: place.start()] + new + text[place.end() :]


def _insert(text: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(len(text) + 1))
    return text[:at] + NONSENSE[rng.integers(len(NONSENSE))] + text[at:]


def _letter(text: str, rng: np.random.Generator) -> str:
    at = int(rng.integers(max(1, len(text))))
    return text[:at] + chr(rng.integers(32, 127)) + text[at + 1 :]


def _cut(text: str, rng: np.random.Generator) -> str:
    return text[: int(rng.integers(len(text) + 1))]


def _other_file(text: str, rng: np.random.Generator) -> str:
    return ("", "null", "[]", "a: 1\n", "--- {}\n--- {}", "\ufeff" + text)[rng.integers(6)]


_CHOICES: Sequence[tuple[float, Callable[[str, np.random.Generator], str]]] = (
    (1, _by_lines(_delete_line)),
    (1, _by_lines(_double_line)),
    (1, _by_lines(_swap_lines)),
    (1, _by_lines(_indent)),
    (0.5, _by_lines(_double_part)),
    (6, _other_value),
    (1, _insert),
    (1, _letter),
    (0.5, _cut),
    (0.3, _other_file),
)
_TEXT = [change for _, change in _CHOICES]
_WEIGHTS = np.array([weight for weight, _ in _CHOICES]) / sum(weight for weight, _ in _CHOICES)
