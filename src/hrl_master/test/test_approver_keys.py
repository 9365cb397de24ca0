"""Keys of approvers: what is signed counts once, for one answer of one person."""

from dataclasses import replace

import pytest

from hrl_core.config import ConfigError
from hrl_master.approver_keys import ApproverKey, Approvers, Statement, make_approver

STATEMENT = Statement("3f2a9c10", "m", 4, "grasp can", (12, 5), True, "Ada", "clear")


@pytest.fixture
def folder(tmp_path):
    make_approver("Ada", tmp_path / "approvers", tmp_path)
    return tmp_path


def test_any_change_of_question_or_answer_makes_a_signature_void(folder):
    key, approvers = ApproverKey(folder / "Ada.key.pem"), Approvers(folder / "approvers")
    signature = key.sign(STATEMENT)
    assert approvers.objection(STATEMENT, signature) == ""
    changes = (
        {"approval": "3f2a9c11"}, {"mission": "n"}, {"decision": 5}, {"what": "place packing"},
        {"asked": (12, 6)}, {"approve": False}, {"comment": ""},
    )  # fmt: skip
    for change in changes:
        assert "is not one of Ada" in approvers.objection(replace(STATEMENT, **change), signature)
    assert "none of the approvers Ada" in approvers.objection(
        replace(STATEMENT, by="Bob"), signature
    )
    assert "is not signed" in approvers.objection(STATEMENT, b"")


def test_only_its_owner_may_read_a_private_key_and_it_is_never_overwritten(folder):
    assert (folder / "Ada.key.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="Ada.pub.pem is there"):
        make_approver("Ada", folder / "approvers", folder)
    (folder / "approvers" / "Ada.pub.pem").unlink()
    with pytest.raises(ConfigError, match="Ada.key.pem is there already"):
        make_approver("Ada", folder / "approvers", folder)


@pytest.mark.parametrize("name", ["", "../Ada", "Ada Lovelace", "-x", "a" * 65])
def test_a_name_that_is_no_name_of_a_file_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match="expected up to 64 of"):
        make_approver(name, tmp_path, tmp_path)


def test_a_folder_without_keys_or_with_others_is_refused(folder):
    with pytest.raises(ConfigError, match="there is no folder"):
        Approvers(folder / "nowhere")
    with pytest.raises(ConfigError, match="nobody could approve"):
        Approvers(folder)
    (folder / "approvers" / "Bob.pub.pem").write_text("nonsense")
    with pytest.raises(ConfigError, match="Bob.pub.pem: no public key"):
        Approvers(folder / "approvers")
    with pytest.raises(ConfigError, match="no key of an approver"):
        ApproverKey(folder / "approvers" / "Ada.pub.pem")
