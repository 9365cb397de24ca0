import pytest

from hrl_core.tables import complete


def test_a_table_needs_one_entry_for_each_kind_and_none_besides():
    assert complete("ab", {"a": 1, "b": 2}) == {"a": 1, "b": 2}
    with pytest.raises(KeyError, match=r"without an entry for \['b'\]"):
        complete("ab", {"a": 1})
    with pytest.raises(KeyError, match=r"unknown \['c'\]"):
        complete("ab", {"a": 1, "b": 2, "c": 3})
