"""Keystore and permissions under a DDS that checks them: what strangers and insiders can do.

Needs Fast DDS 2 with its headers (Debian, Ubuntu: apt-get install libfastrtps-dev), of which the
topics are used by the names that ROS gives them.
"""

import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from hrl_bringup.environment import Domain
from hrl_bringup.security.keystore import write_keystore
from hrl_bringup.security.permits import permits

SOURCE = __file__.replace("test_strangers.py", "dds_probe.cpp")
STRANGER = "-"
DRIVE, STOP, ANSWER = "rt/cmd_vel", "rt/e_stop", "rq/approvals/answerRequest"


@pytest.fixture(scope="module")
def meet(tmp_path_factory):
    """meet((who, "pub"|"sub", topic), ...) -> what each of them could do, all at once."""
    folder = tmp_path_factory.mktemp("dds")
    build = ["c++", "-std=c++17", "-o", str(folder / "probe"), SOURCE, "-lfastrtps", "-lfastcdr"]
    if subprocess.run(build, capture_output=True).returncode != 0:
        pytest.skip("no headers of Fast DDS 2: apt-get install libfastrtps-dev")
    for name in ("ours", "other"):
        write_keystore(folder / name, folder / name / "private", permits(), "/", 1)

    def visit(domain: int, who: str, what: str, topic: str) -> str:
        keystore, _, name = who.rpartition(":")
        enclave = folder / (keystore or "ours") / "enclaves" / "hrl" / name
        keys = STRANGER if who == STRANGER else str(enclave)
        command = [str(folder / "probe"), str(domain), keys, what, topic, "6"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        # The log of Fast DDS comes on the same stream.
        said = re.search(r"^(refused|met \d+ got \d+)", done.stdout, re.M)
        return said[0] if said else done.stdout + done.stderr

    def meet(*visits):
        with Domain() as domain, ThreadPoolExecutor(len(visits)) as pool:
            running = [pool.submit(visit, domain.number, *each) for each in visits]
            return [each.result() for each in running]

    return meet


@pytest.mark.slow
@pytest.mark.parametrize(
    ("speaker", "topic", "hearer"),
    [("walk", DRIVE, "plant"), ("e_stop", STOP, "master"), ("approver", ANSWER, "master")],
)
def test_who_has_the_right_is_heard_and_a_stranger_neither_hears_nor_is_heard(
    meet, speaker, topic, hearer
):
    said, heard, spied = meet(
        (speaker, "pub", topic), (hearer, "sub", topic), (STRANGER, "sub", topic)
    )
    assert said == "met 1 got 0" and heard.startswith("met 1") and not heard.endswith("got 0")
    assert spied == "met 0 got 0"
    for stranger in (STRANGER, f"other:{speaker}"):
        said, heard = meet((stranger, "pub", topic), (hearer, "sub", topic))
        assert (said, heard) == ("met 0 got 0", "met 0 got 0")


@pytest.mark.slow
def test_an_insider_has_the_own_rights_only(meet):
    tried = meet(
        ("perception", "pub", DRIVE),
        ("operator", "pub", DRIVE),
        ("operator", "pub", STOP),
        ("operator", "pub", ANSWER),
        ("walk", "sub", "rt/plant/truth"),
    )
    assert tried == ["refused"] * 5
