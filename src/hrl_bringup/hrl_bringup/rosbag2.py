"""What rosbag2 keeps beside the messages: metadata.yaml, in the form of its version 9 (Jazzy)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import yaml

METADATA = "metadata.yaml"
VERSION = 9
FOREVER = {"sec": 9223372036, "nsec": 854775807}  # as rmw says it

Durability = Literal["volatile", "transient_local"]
Reliability = Literal["reliable", "best_effort"]


@dataclass
class BagTopic:
    """A topic of a recording, and how many messages of it there are so far."""

    name: str
    type_name: str
    reliability: Reliability
    durability: Durability
    type_hash: str  # REP 2016; empty: unknown
    count: int = 0


def bag_metadata(file: str, topics: Sequence[BagTopic], start: int, duration: int) -> str:
    """The text of metadata.yaml for a recording of one MCAP file beside it; times in ns."""
    count = sum(topic.count for topic in topics)
    span = {
        "duration": {"nanoseconds": duration},
        "starting_time": {"nanoseconds_since_epoch": start},
        "message_count": count,
    }
    about = {
        "version": VERSION,
        "storage_identifier": "mcap",
        **span,
        "topics_with_message_count": [
            {
                "topic_metadata": {
                    "name": topic.name,
                    "type": topic.type_name,
                    "serialization_format": "cdr",
                    "offered_qos_profiles": [_qos(topic)],
                    "type_description_hash": topic.type_hash,
                },
                "message_count": topic.count,
            }
            for topic in topics
        ],
        "compression_format": "",  # MCAP compresses by itself
        "compression_mode": "",
        "relative_file_paths": [file],
        "files": [{"path": file, **span}],
        "custom_data": None,
        "ros_distro": "jazzy",
    }
    return _yaml({"rosbag2_bagfile_information": about})


def qos_text(topic: BagTopic) -> str:
    """What the MCAP file keeps of a topic's quality of service."""
    return _yaml([_qos(topic)])


def _qos(topic: BagTopic) -> dict[str, Any]:
    return {
        "history": "keep_last",
        "depth": 10,
        "reliability": topic.reliability,
        "durability": topic.durability,
        "deadline": FOREVER,
        "lifespan": FOREVER,
        "liveliness": "automatic",
        "liveliness_lease_duration": FOREVER,
        "avoid_ros_namespace_conventions": False,
    }


class _Plain(yaml.SafeDumper):
    """Without anchors: readers of other languages need not know them."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(content: Any) -> str:
    return yaml.dump(content, Dumper=_Plain, sort_keys=False)
