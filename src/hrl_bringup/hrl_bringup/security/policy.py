"""Permits as the files that say them: policy.xml of sros2, permissions and governance of DDS."""

from collections.abc import Iterable
from datetime import datetime
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from hrl_bringup.security.permits import Names, Permit

POLICY_VERSION = "0.2.0"
DOMAINS = (0, 232)  # keys and not the domain say who may do what
_SCHEMAS = "http://www.omg.org/spec/DDS-SECURITY/20170901"
# How DDS names what actions are made of.
_ACTION_SERVICES = ("send_goal", "cancel_goal", "get_result")
_ACTION_TOPICS = ("feedback", "status")
_DISCOVERY = "ros_discovery_info"  # who has which topics: every node of ROS tells and hears it


def policy_xml(permits: Iterable[Permit], namespace: str) -> bytes:
    """The policy of all enclaves, as `ros2 security create_permission` reads it."""
    policy = Element("policy", version=POLICY_VERSION)
    enclaves = SubElement(policy, "enclaves")
    for permit in permits:
        enclave = SubElement(enclaves, "enclave", path=permit.enclave)
        profiles = SubElement(enclave, "profiles")
        for node in permit.nodes:
            profile = SubElement(profiles, "profile", ns=namespace, node=node)
            for kind, right, names in (
                ("topic", "publish", permit.publish),
                ("topic", "subscribe", permit.subscribe),
                ("service", "reply", permit.reply),
                ("service", "request", permit.request),
                ("action", "execute", permit.execute),
                ("action", "call", permit.call),
            ):
                _add_names(profile, f"{kind}s", kind, names, **{right: "ALLOW"})
    return _text(policy)


def permissions_xml(permit: Permit, namespace: str, begin: datetime, end: datetime) -> bytes:
    """The permissions of one enclave, as DDS reads them; times in UTC."""
    dds = _dds("omg_shared_ca_permissions.xsd")
    grant = SubElement(SubElement(dds, "permissions"), "grant", name=permit.enclave)
    SubElement(grant, "subject_name").text = f"CN={permit.enclave}"
    validity = SubElement(grant, "validity")
    for name, time in (("not_before", begin), ("not_after", end)):
        SubElement(validity, name).text = time.strftime("%Y-%m-%dT%H:%M:%S")
    rule = SubElement(grant, "allow_rule")
    _add_domains(rule)
    publish, subscribe = dds_names(permit, namespace)
    for right, names in (("publish", publish), ("subscribe", subscribe)):
        _add_names(SubElement(rule, right), "topics", "topic", sorted(names))
    SubElement(grant, "default").text = "DENY"
    return _text(dds)


def governance_xml() -> bytes:
    """What holds for everybody: only holders of keys take part, and all is encrypted."""
    dds = _dds("omg_shared_ca_governance.xsd")
    rule = SubElement(SubElement(dds, "domain_access_rules"), "domain_rule")
    _add_domains(rule)
    _add(
        rule,
        allow_unauthenticated_participants="false",
        enable_join_access_control="true",
        discovery_protection_kind="ENCRYPT",
        liveliness_protection_kind="ENCRYPT",
        rtps_protection_kind="SIGN",
    )
    _add(
        SubElement(SubElement(rule, "topic_access_rules"), "topic_rule"),
        topic_expression="*",
        enable_discovery_protection="true",
        enable_liveliness_protection="true",
        enable_read_access_control="true",
        enable_write_access_control="true",
        metadata_protection_kind="ENCRYPT",
        data_protection_kind="ENCRYPT",
    )
    return _text(dds)


def dds_names(permit: Permit, namespace: str) -> tuple[set[str], set[str]]:
    """Topics of DDS that a permit lets its holder publish and subscribe to."""
    publish, subscribe = {_DISCOVERY}, {_DISCOVERY}
    for node in permit.nodes:

        def full(names: Names, node: str = node) -> list[str]:
            return [_full_name(name, namespace, node) for name in names]

        publish |= {f"rt{name}" for name in full(permit.publish)}
        subscribe |= {f"rt{name}" for name in full(permit.subscribe)}
        offered, asked = full(permit.reply), full(permit.request)
        executed, called = full(permit.execute), full(permit.call)
        offered += [f"{name}/_action/{part}" for name in executed for part in _ACTION_SERVICES]
        asked += [f"{name}/_action/{part}" for name in called for part in _ACTION_SERVICES]
        publish |= {f"rt{name}/_action/{part}" for name in executed for part in _ACTION_TOPICS}
        subscribe |= {f"rt{name}/_action/{part}" for name in called for part in _ACTION_TOPICS}
        publish |= {f"rr{name}Reply" for name in offered} | {f"rq{name}Request" for name in asked}
        subscribe |= {f"rq{name}Request" for name in offered} | {f"rr{name}Reply" for name in asked}
    return publish, subscribe


def _full_name(name: str, namespace: str, node: str) -> str:
    if name.startswith("/"):
        return name
    if name.startswith("~/"):
        name = f"{node}/{name[2:]}"
    return f"{namespace.rstrip('/')}/{name}"


def _dds(schema: str) -> Element:
    instance = "http://www.w3.org/2001/XMLSchema-instance"
    return Element(
        "dds", {"xmlns:xsi": instance, "xsi:noNamespaceSchemaLocation": f"{_SCHEMAS}/{schema}"}
    )


def _add_domains(rule: Element) -> None:
    lowest, highest = DOMAINS
    _add(SubElement(SubElement(rule, "domains"), "id_range"), min=str(lowest), max=str(highest))


def _add(parent: Element, **texts: str) -> None:
    for name, text in texts.items():
        SubElement(parent, name).text = text


def _add_names(parent: Element, group: str, kind: str, names: Iterable[str], **rights: str) -> None:
    names = list(names)
    if names:
        added = SubElement(parent, group, rights)
        for name in names:
            SubElement(added, kind).text = name


def _text(root: Element) -> bytes:
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"
