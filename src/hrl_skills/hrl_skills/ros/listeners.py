"""Who listens to a topic, and as what type: a driver that takes another type hears nothing."""

from hrl_core.ros.node import HrlNode
from hrl_core.topics import Topic


def listeners(node: HrlNode, topic: Topic) -> str:
    """A sentence that names the nodes."""
    found = node.get_subscriptions_info_by_topic(topic.name)
    hearing = {_name(each) for each in found if each.topic_type == topic.type}
    if hearing:
        return f"{', '.join(sorted(hearing))} listens to {topic.name} as {topic.type}"
    others = {f"{_name(each)} as {each.topic_type}" for each in found}
    rest = f", but {', '.join(sorted(others))}" if others else ""
    return f"nobody listens to {topic.name} as {topic.type}{rest}"


def _name(endpoint) -> str:
    return f"{endpoint.node_namespace.rstrip('/')}/{endpoint.node_name}"
