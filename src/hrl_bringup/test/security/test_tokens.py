"""Tokens of the console: hashed at rest, taken away at once, refused in sentences."""

import json
import stat

import pytest

from hrl_bringup.security.tokens import Tokens
from hrl_core.config import ConfigError


@pytest.fixture
def tokens(tmp_path):
    return Tokens(tmp_path / "deep" / "tokens.json")


def test_a_token_says_whose_it_is_and_the_file_does_not_say_the_token(tokens):
    ada, bob = tokens.make("Ada", ["operator", "approver"]), tokens.make("Bob", [])
    assert tokens.person(ada).name == "Ada" and tokens.person(ada).may("approver")
    assert not tokens.person(bob).may("operator") and tokens.person(bob).may("viewer")
    assert ada not in tokens.path.read_text() and len(ada) >= 43
    assert stat.S_IMODE(tokens.path.stat().st_mode) == 0o600
    for wrong in (
        "",
        "x",
        ada[:-1],
        "\ud800",
        json.loads(tokens.path.read_text())["Ada"]["sha256"],
    ):
        assert tokens.person(wrong) is None


def test_a_token_that_was_removed_or_made_anew_is_worth_nothing_in_a_console_that_runs(tokens):
    running = Tokens(tokens.path)
    old = tokens.make("Ada", ["operator"])
    assert running.person(old)
    new = tokens.make("Ada", ["operator"])
    assert running.person(old) is None and running.person(new)
    tokens.remove("Ada")
    assert running.person(new) is None
    with pytest.raises(ConfigError, match="no token of 'Ada'; of: \\[\\]"):
        tokens.remove("Ada")


@pytest.mark.parametrize(
    ("name", "roles", "part"),
    [
        ("<b>", ["viewer"], "name '<b>': expected"),
        ("Ada", ["king"], "role 'king': allowed are viewer, operator, approver"),
    ],
)
def test_a_wrong_name_or_role_is_refused(tokens, name, roles, part):
    with pytest.raises(ConfigError, match=part):
        tokens.make(name, roles)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"\xff", b'{"Ada": {"roles": ["operator"], "sha256": "x"}}']
)
def test_a_damaged_file_is_a_sentence_with_its_name(tokens, content):
    tokens.make("Ada", ["operator"])
    tokens.path.write_bytes(content)
    with pytest.raises(ConfigError, match="tokens.json: no file of tokens"):
        tokens.person("x")
