"""Approvals that need a key: who has none, the wrong one, or an old signature is refused."""

import subprocess
import sys

import pytest

from hrl_core import topics
from hrl_core.outcomes import Code
from hrl_master.approver_keys import ApproverKey, make_approver
from hrl_master.ros.convert import statement_of
from tests.ros.master_site import MasterSite
from tests.ros.skill_client import SUCCEEDED


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Files of private keys; the master knows Ada and Bob, but not Eve."""
    folder = tmp_path_factory.mktemp("keys")
    known = {name: make_approver(name, folder / "approvers", folder)[1] for name in ("Ada", "Bob")}
    return {**known, "Eve": make_approver("Eve", folder / "elsewhere", folder)[1]}


@pytest.fixture(scope="module")
def site(probe, start_node_for_module, keys, tmp_path_factory):
    site = MasterSite(probe, start_node_for_module, tmp_path_factory.mktemp("account"))
    site.start_master(
        risk_tiers="['grasp:A2=3']",
        approval_timeout=60.0,
        approvers=keys["Ada"].parent / "approvers",
    )
    yield site
    site.close()


def sign(asked, key, approve=True, by="Ada", comment=""):
    statement = statement_of(asked, approve, by, comment)
    return list(ApproverKey(key).sign(statement))


def test_only_an_approver_with_the_own_key_can_answer_and_the_ledger_knows_who_it_was(
    site, keys, listen
):
    heard = listen(topics.DIAGNOSTICS)
    first = site.send("first")
    asked = site.approvals.wait(lambda m: m.state == m.PENDING, 60)
    wrong = {
        "the answer is not signed": {"by": "Ada"},
        "'Eve' is none of the approvers Ada, Bob": {
            "by": "Eve",
            "signature": sign(asked, keys["Eve"], by="Eve"),
        },
        "is not one of Ada under": {"by": "Ada", "signature": sign(asked, keys["Eve"])},
        "is not one of Bob under": {"by": "Bob", "signature": sign(asked, keys["Ada"])},
        "is not one of Ada under this": {  # a signed no makes no yes
            "by": "Ada",
            "signature": sign(asked, keys["Ada"], approve=False),
        },
    }
    for why, fields in wrong.items():
        answer = site.call(topics.ANSWER_APPROVAL, id=asked.id, approve=True, **fields)
        assert not answer.ok and why in answer.detail, answer.detail
    heard.wait(lambda m: any("refused from approvals/answer" in s.message for s in m.status))
    assert "grasp" not in site.skills.begun
    command = [sys.executable, "-m", "hrl_bringup.ros.approvals_node", "approve", asked.id]
    command += ["--key", str(keys["Ada"]), "--comment", "clear"]
    with site.robot.standing_time():
        answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert answer.stdout == "grasp can approved by Ada: clear\n", answer.stderr
    status, result = site.result(first)
    assert (status, result.code) == (SUCCEEDED, Code.SUCCEEDED), result.detail
    ended = site.approvals.wait(lambda m: m.state == m.APPROVED)
    assert (ended.answered_by, ended.with_key) == ("Ada", True)
    rows = site.rows("SELECT verdict, by, answered_by FROM answers WHERE counted")
    assert [tuple(row) for row in rows] == [("approved", "Ada", "Ada")]
    assert len(site.rows("SELECT 1 FROM answers WHERE NOT counted")) >= len(wrong)

    site.begin()
    site.approvals.messages.clear()
    site.send("second")
    again = site.approvals.wait(lambda m: m.state == m.PENDING and m.mission_id == "second", 60)
    replayed = site.call(
        topics.ANSWER_APPROVAL,
        id=again.id,
        approve=True,
        by="Ada",
        signature=sign(asked, keys["Ada"]),  # of the first question
    )
    assert not replayed.ok and "is not one of Ada under" in replayed.detail
    assert site.call(
        topics.ANSWER_APPROVAL,
        id=again.id,
        approve=False,
        by="Ada",
        signature=sign(again, keys["Ada"], approve=False),
    ).ok
