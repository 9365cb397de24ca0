import hashlib
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from hrl_core.config import ConfigError
from hrl_core.floor.rectangles import solids
from hrl_core.floor.routes import passable
from hrl_sim_bridge.picture import draw_world
from hrl_sim_bridge.trials.draws import draw_trial
from hrl_sim_bridge.worlds.faults import Fault, FaultKind
from hrl_sim_bridge.worlds.layout_families import FAMILIES, Hall
from hrl_sim_bridge.worlds.layouts import generate, write_layout
from hrl_sim_bridge.worlds.loading import load_world

SEEDS = (0, 1, 100000)


@pytest.fixture(scope="module")
def layouts():
    return {(family, seed): generate(family, seed) for family in FAMILIES for seed in SEEDS}


def test_a_family_and_a_seed_are_one_layout(layouts):
    assert generate("islands", 1).model_dump() == layouts["islands", 1].model_dump()
    dumps = [repr(world.model_dump()) for world in layouts.values()]
    assert len({*dumps}) == len(dumps)


def test_layouts_are_within_their_ranges(layouts):
    for world in layouts.values():
        site = world.site
        assert 8 <= site.size[0] <= 16 and 6 <= site.size[1] <= 12
        assert 2 <= len(site.shelves) <= 6 and 1 <= len(site.stations) <= 3
        assert 3 <= len(site.items) <= 6
        boards = [place.board_height for place in site.furniture]
        assert min(boards) >= 0.35 and max(boards) <= 0.75


def test_every_bin_and_station_can_be_reached_and_seen(layouts):
    for world in layouts.values():
        site = world.site
        start = np.array(site.waypoints["dock"].pose[:2])
        assert passable(site, [], np.vstack([start, site.staging_places()]), 1.3).all()
        for name in site.targets:
            face = site.faces[name]
            stand = site.pose_in_front(name, site.staging)[:2]
            sight = np.linspace(stand, face[:2, 3] + 0.03 * face[:2, 0], 50)
            assert all(thing.distance(sight).min() > 0 for thing in solids(site))


def test_waypoints_hang_together_by_ways_that_are_free(layouts):
    loops = 0
    for world in layouts.values():
        points = world.site.waypoints
        edges = {frozenset((a, b)) for a in points for b in points[a].neighbours}
        reached, ahead = set(), ["dock"]
        while ahead:
            name = ahead.pop()
            if name not in reached:
                reached.add(name)
                ahead += points[name].neighbours
        assert reached == {*points}
        loops += len(edges) >= len(points)
        for a, b in edges:
            way = np.linspace(points[a].pose[:2], points[b].pose[:2], 60)
            assert min(thing.distance(way).min() for thing in solids(world.site)) > 0.45
    assert loops >= 0.8 * len(layouts)


def test_a_layout_is_the_same_from_its_file_and_by_its_name(tmp_path, layouts):
    write_layout("perimeter", 1, tmp_path / "hall.yaml")
    expected = layouts["perimeter", 1].model_dump()
    assert load_world(tmp_path / "hall.yaml").model_dump() == expected
    assert load_world("perimeter:1").model_dump() == expected


@pytest.mark.parametrize("family", ["aisles", "perimeter", "islands"])
def test_the_shipped_families_load_and_disturb(family):
    world = load_world(family)
    assert any(draw_trial(world, seed).disturbances for seed in range(10))


def test_a_seed_without_a_size_stays_the_layout_that_it_was(tmp_path):
    were = {
        "aisles": "f0ca56732cdd2d98",
        "perimeter": "bb9fbf81c302637c",
        "islands": "2cb48f2c32dcc0bd",
        "mixed": "6ea3fb5d18600863",
    }
    for family in FAMILIES:
        write_layout(family, 1, tmp_path / family)
    files = {family: (tmp_path / family).read_bytes() for family in FAMILIES}
    assert {f: hashlib.sha256(file).hexdigest()[:16] for f, file in files.items()} == were


@pytest.mark.parametrize("family", [*FAMILIES])
def test_a_hall_has_the_size_and_what_was_asked_for(family):
    site = generate(family, 1, Hall((20, 14), shelves=11, items=12)).site
    assert (site.size, len(site.shelves), len(site.items)) == ((20, 14), 11, 12)
    assert len(site.bins) > 30 and len(site.markers) == len({*site.markers})
    assert site.markers.keys() <= {*range(587)}


@pytest.mark.slow
def test_the_largest_hall_has_room_for_every_skill():
    site = load_world("aisles@40x25:1").site  # refuses places that no robot reaches
    assert (site.size, len(site.shelves)) == ((40, 25), 30) and len(site.bins) >= 90


@pytest.mark.parametrize(
    ("hall", "why"),
    [
        ({"size": (50, 20)}, "size 50x20: allowed are 8 to 40 by 6 to 25 m"),
        ({"size": (30, 20), "shelves": 31}, "shelves = 31: allowed are 2 to 30"),
        ({"size": (8, 6), "shelves": 9}, "shelves = 9: 8x6 m have room for 6 at most"),
        ({"size": (30, 20), "items": 15}, "items = 15: allowed are 1 to 14"),
    ],
)
def test_a_hall_that_cannot_be_is_refused(hall, why):
    with pytest.raises(ConfigError, match=why):
        Hall(**hall)


def test_unknown_families_and_seeds_are_refused():
    with pytest.raises(ConfigError, match=r"unknown family 'maze'; known: \['aisles'"):
        load_world("maze:3")
    with pytest.raises(ConfigError, match="size '30': give WxH in whole m"):
        load_world("mixed@30:3")
    with pytest.raises(ConfigError, match="seed = -1: allowed are whole numbers from 0"):
        generate("aisles", -1)


def test_a_picture_shows_what_blocks_the_way(tmp_path, warehouse):
    nominal = draw_trial(warehouse, 0, "none")
    blocked = replace(nominal, faults=(Fault(FaultKind.BLOCKED_AISLE, "west"),))
    red = []
    for name, trial in {"nominal": nominal, "blocked": blocked}.items():
        draw_world(warehouse, trial, tmp_path / f"{name}.png")
        picture = imread(tmp_path / f"{name}.png")[..., :3]
        red.append(int((np.abs(picture - [0.784, 0.157, 0.118]).max(axis=-1) < 0.02).sum()))
    assert red[1] > red[0] + 1000
