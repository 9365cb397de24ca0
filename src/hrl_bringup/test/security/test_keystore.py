"""Keystore and policies: laid out as sros2 does, signed, and each enclave with its own rights."""

import subprocess
from xml.etree import ElementTree

import pytest
from cryptography import x509

from hrl_bringup import doctor
from hrl_bringup.nodes import NODES
from hrl_bringup.security.command import main
from hrl_bringup.security.environment import security_environment
from hrl_bringup.security.permits import permits
from hrl_bringup.security.policy import dds_names
from hrl_core.config import ConfigError

RIGHTS = {  # the schema of sros2: what may stand in a profile
    "topics": ("topic", {"publish", "subscribe"}),
    "services": ("service", {"reply", "request"}),
    "actions": ("action", {"execute", "call"}),
}
ENCLAVE_FILES = {
    "cert.pem", "key.pem", "identity_ca.cert.pem", "permissions_ca.cert.pem", "governance.p7s",
    "permissions.p7s", "permissions.xml",
}  # fmt: skip


@pytest.fixture(scope="module")
def keystore(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    assert main(["--out", str(folder / "robot"), "--private", str(folder / "safe")]) == 0
    return folder / "robot"


def may(node: str) -> tuple[set[str], set[str]]:
    """What an enclave may publish and subscribe to, in the names of DDS."""
    (permit,) = [permit for permit in permits() if permit.enclave == f"/hrl/{node}"]
    return dds_names(permit, "/")


def test_every_node_of_the_table_has_an_enclave_with_the_files_of_sros2(keystore):
    enclaves = keystore / "enclaves" / "hrl"
    assert {path.name for path in enclaves.iterdir()} == {
        *NODES, "robot", "e_stop", "operator", "approver", "mcp",
    }  # fmt: skip
    for enclave in enclaves.iterdir():
        assert {path.name for path in enclave.iterdir()} == ENCLAVE_FILES
        assert (enclave / "key.pem").stat().st_mode & 0o777 == 0o600
    assert not list(keystore.rglob("ca.key.pem"))  # it is where --private says
    private = keystore.parent / "safe"
    assert (private / "ca.key.pem").stat().st_mode & 0o777 == 0o600


def test_the_policy_keeps_the_schema_of_sros2(keystore):
    root = ElementTree.parse(keystore / "policy.xml").getroot()
    assert (root.tag, root.attrib) == ("policy", {"version": "0.2.0"})
    (enclaves,) = root
    assert enclaves.tag == "enclaves" and len(enclaves) == len(permits())
    for enclave in enclaves:
        assert enclave.tag == "enclave" and set(enclave.attrib) == {"path"}
        (profiles,) = enclave
        assert profiles.tag == "profiles" and len(profiles)
        for profile in profiles:
            assert profile.tag == "profile" and set(profile.attrib) == {"ns", "node"}
            for group in profile:
                kind, rights = RIGHTS[group.tag]
                assert set(group.attrib) <= rights and set(group.attrib.values()) == {"ALLOW"}
                assert len(group) and {each.tag for each in group} == {kind}


def test_sros2_accepts_policy_and_makes_the_same_permissions_of_it(keystore):
    policy = pytest.importorskip("sros2.policy", reason="sros2 comes with an installed ROS 2")
    etree = pytest.importorskip("lxml.etree")
    tree = policy.load_policy(keystore / "policy.xml")
    transform = etree.XSLT(
        etree.parse(str(policy.get_transport_template("dds", "permissions.xsl")))
    )
    made = transform(tree, allow_ros_discovery_topic=etree.XSLT.strparam("1"))
    grants = {grant.get("name"): grant for grant in made.iter("grant")}
    for permit in permits():
        for right, ours in zip(("publish", "subscribe"), dds_names(permit, "/"), strict=True):
            theirs = {topic.text for topic in grants[permit.enclave].iterfind(f".//{right}//topic")}
            assert theirs == ours, permit.enclave
    for name in ("permissions", "governance"):
        schema = etree.XMLSchema(
            etree.parse(str(policy.get_transport_schema("dds", f"{name}.xsd")))
        )
        for file in keystore.rglob(f"{name}.xml"):
            schema.assertValid(etree.parse(str(file)))


def test_permissions_deny_all_that_is_not_named_until_the_certificate_expires(keystore):
    for enclave in (keystore / "enclaves" / "hrl").iterdir():
        (grant,) = ElementTree.parse(enclave / "permissions.xml").getroot().iter("grant")
        certificate = x509.load_pem_x509_certificate((enclave / "cert.pem").read_bytes())
        assert grant.findtext("subject_name") == certificate.subject.rfc4514_string()
        assert [part.tag for part in grant] == ["subject_name", "validity", "allow_rule", "default"]
        assert grant.findtext("default") == "DENY"
        end = grant.findtext("validity/not_after")
        assert end == certificate.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%S")


def test_openssl_finds_every_signature_true(keystore):
    authority = str(keystore / "public" / "ca.cert.pem")
    for file in keystore.rglob("*.p7s"):
        verify = ["openssl", "smime", "-verify", "-text", "-CAfile", authority, "-in", str(file)]
        verified = subprocess.run(verify, capture_output=True, text=True, timeout=30)
        assert verified.returncode == 0, verified.stderr


def test_only_skills_drive_and_few_stop_or_approve():
    publishers: dict[str, set[str]] = {}
    for permit in permits():
        for topic in dds_names(permit, "/")[0]:
            publishers.setdefault(topic, set()).add(permit.enclave.removeprefix("/hrl/"))
    others = {"plant", "driver", "perception", "master", "recorder", "console"}
    assert publishers["rt/cmd_vel"] == set(NODES) - others
    assert publishers["rt/e_stop"] == {"robot", "driver", "e_stop", "console"}
    assert publishers["rq/approvals/answerRequest"] == {"approver", "console", "mcp"}
    assert publishers["rq/run_mission/_action/send_goalRequest"] == {"operator", "mcp"}
    assert "rt/plant/truth" not in may("perception")[1] | may("walk")[1] | may("master")[1]


def test_doing_it_again_renews_the_keys_under_the_same_authority(keystore):
    master = keystore / "enclaves" / "hrl" / "master"
    before = (master / "key.pem").read_bytes(), (master / "identity_ca.cert.pem").read_bytes()
    arguments = ["--out", str(keystore), "--private", str(keystore.parent / "safe")]
    assert main([*arguments, "--days", "30"]) == 0
    after = (master / "key.pem").read_bytes(), (master / "identity_ca.cert.pem").read_bytes()
    assert before[0] != after[0] and before[1] == after[1]


def test_a_namespace_stands_before_every_name_and_nowhere_else(tmp_path):
    assert main(["--out", str(tmp_path), "--namespace", "/robot1"]) == 0
    text = (tmp_path / "enclaves/hrl/walk/permissions.xml").read_text()
    assert "<topic>rt/robot1/cmd_vel</topic>" in text and "<topic>rt/cmd_vel</topic>" not in text
    assert "<topic>rt/clock</topic>" in text and "rq/robot1/walk/get_stateRequest" in text


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--namespace", "robot 1"], "--namespace 'robot 1': expected /"),
        (["--out", "/proc/nowhere"], "/proc/nowhere"),
        (["--private", "elsewhere"], "they belong together"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(keystore, arguments, why):
    given = arguments if "--out" in arguments else ["--out", str(keystore), *arguments]
    with pytest.raises(ConfigError, match=why):
        main(given)


def test_a_demo_that_could_not_check_keys_does_not_begin(keystore, monkeypatch):
    monkeypatch.setattr("hrl_bringup.security.environment.dds_security", lambda: (False, "here"))
    with pytest.raises(ConfigError, match="has no security compiled in \\(here\\)"):
        security_environment(keystore)
    monkeypatch.setattr("hrl_bringup.security.environment.dds_security", lambda: (True, "here"))
    assert security_environment(keystore)["ROS_SECURITY_STRATEGY"] == "Enforce"
    with pytest.raises(ConfigError, match="no keystore"):
        security_environment(keystore / "enclaves")


def test_the_doctor_says_whether_keys_can_be_checked(monkeypatch, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libfastrtps.so").write_bytes(b"DDS:Auth:PKI-DH")
    monkeypatch.setattr(doctor.sys, "prefix", str(tmp_path))
    assert doctor.dds_security()[0] and not doctor._security().cure
    (tmp_path / "lib" / "libfastrtps.so").write_bytes(b"nothing")
    monkeypatch.delenv("ROS_SECURITY_ENABLE", raising=False)
    assert "needs an installed ROS 2" in doctor._security().found and not doctor._security().cure
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    assert "unset ROS_SECURITY_ENABLE" in doctor._security().cure
