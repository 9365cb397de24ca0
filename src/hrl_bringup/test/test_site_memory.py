"""`./hrl site`: what is shown, taken along, forgotten, and refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

from hrl_bringup.site_memory.command import main
from hrl_bringup.site_memory.files import read_searches, write_searches
from hrl_bringup.site_memory.learned import items_of, ways_of
from hrl_core.config import ConfigError
from hrl_core.site import load_site
from hrl_master.ledger import Ledger
from hrl_master.ledger_site import Noted, SeenWays
from hrl_master.memory.searches import Search

WORLD = "small_warehouse"
SITE = load_site(WORLD)
NOTES = [
    Noted(Search("can", "A2", "A2", ()), 1000.0, None),
    Noted(Search("can", "A2", "B1", ("A2", "A1")), 1001.5, None),
    Noted(Search("jar", "C3", "", ("C3", "C2")), 1002.0, None),
]


@pytest.fixture
def path(tmp_path):
    with Ledger(tmp_path / "ledger.sqlite", durable=False) as ledger:
        ledger.import_searches(SITE.name, NOTES)
    return tmp_path / "ledger.sqlite"


def test_it_says_and_draws_where_things_were(path, tmp_path, capsys):
    main(["show", "--ledger", str(path), "--world", WORLD, "--out", str(tmp_path / "map.png")])
    said = " ".join(capsys.readouterr().out.split())
    assert "small_warehouse: 3 searches" in said
    assert "can A2 2 A2 1, B1 1 0 A2 1, A1 1" in said
    assert "jar C3 1 1 C3 1, C2 1" in said
    assert imread(tmp_path / "map.png").std() > 0.05


def test_what_one_ledger_knows_another_takes_over_and_forgets(path, tmp_path, capsys):
    file, other = str(tmp_path / "site.yaml"), tmp_path / "other.sqlite"
    main(["export", "--ledger", str(path), file])
    main(["import", "--ledger", str(other), "--world", WORLD, file])
    with Ledger(other) as ledger:
        assert ledger.notes(SITE.name) == NOTES
    main(["clear", "--ledger", str(other)])
    capsys.readouterr()
    main(["show", "--ledger", str(other)])
    assert "small_warehouse: nothing is remembered" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("stock.csv", "item,bin\ncan,A2\njar,C3\n"),
        ("stock.yaml", "stock:\n  - {item: can, bin: A2}\n  - {item: jar, bin: C3, quantity: 2}\n"),
    ],
)
def test_a_stock_list_counts_as_one_search_of_each_item(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    found = [note.search for note in read_searches(tmp_path / name, SITE)]
    assert found == [Search("can", "A2", "A2", ()), Search("jar", "C3", "C3", ())]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.csv", "bin,item\nA2,can\n", "a.csv:1: the first line has to be item,bin"),
        ("a.csv", "item,bin\ncan\n", "a.csv:2: .* allowed is item,bin"),
        ("a.csv", "item,bin\ncan,Z9\n", "bin 'Z9' is unknown; known"),
        ("a.csv", "item,bin\n", "neither searches nor stock"),
        ("a.yaml", "stock: [{item: can, bin: A1}, {item: can, bin: A2}]", "one bin for an item"),
        ("a.yaml", "stock: [{item: ghost, bin: A1}]", "item 'ghost' is unknown; known"),
        ("a.yaml", "searches: [{item: can, home: A1}]", "a.yaml:1: searches.0.at"),
        ("a.yaml", "site: elsewhere", "is of the site 'elsewhere', not of 'small_warehouse'"),
        ("none.yaml", None, "none.yaml: "),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(tmp_path, name, text, sentence):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        read_searches(tmp_path / name, SITE)


def test_wrong_options_are_refused_in_a_sentence(path, tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        main(["show", "--ledger", str(tmp_path / "none.sqlite")])
    with pytest.raises(ConfigError, match="give --world as well"):
        main(["show", "--ledger", str(path), "--out", str(tmp_path / "map.png")])
    Ledger(tmp_path / "empty.sqlite").close()
    with pytest.raises(ConfigError, match="remembers no site; give --world"):
        main(["clear", "--ledger", str(tmp_path / "empty.sqlite")])


BINS = st.sampled_from(sorted(SITE.bins))
SEARCHES = st.builds(
    lambda item, home, looks, there: Search(
        item, home, looks[-1] if there else "", tuple(looks[:-1] if there else looks)
    ),
    st.sampled_from(sorted(SITE.items)),
    BINS,
    st.lists(BINS, min_size=1, unique=True),
    st.booleans(),
)


@given(st.lists(SEARCHES, min_size=1), st.floats(0, 2e9))
def test_a_file_says_what_the_ledger_said_and_no_search_is_lost(tmp_path_factory, searches, at):
    notes = [Noted(search, at, None) for search in searches]
    path = tmp_path_factory.mktemp("files") / "site.yaml"
    write_searches(path, SITE.name, notes)
    assert read_searches(path, SITE) == notes
    assert sum(facts.orders for facts in items_of(notes)) == len(notes)


def test_ways_are_counted_where_they_were_blocked():
    edge, other = ("w1", "w2"), ("w2", "w3")
    facts = ways_of([SeenWays(0.0, [edge], [other]), SeenWays(60.0, [], [edge])])
    assert [(each.way, each.blocked, each.seen) for each in facts] == [(edge, 1, 2)]
    assert facts[0].hours.total() == 1
