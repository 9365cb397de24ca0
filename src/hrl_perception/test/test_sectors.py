import numpy as np
import pytest

from hrl_perception.sectors import scan_sectors, sector_angles

BEAMS = 360
STEP = 2 * np.pi / BEAMS


def sectors(ranges: np.ndarray, count: int = 8, range_max: float = 5.0) -> np.ndarray:
    return scan_sectors(ranges, -np.pi, STEP, count, range_max)


def test_a_sector_holds_its_nearest_return():
    ranges = np.full(BEAMS, 4.0)
    ranges[180 + 10] = 1.5  # 10 degrees to the left of straight ahead
    expected = np.full(8, 4.0)
    expected[4] = 1.5
    np.testing.assert_allclose(sectors(ranges), expected)
    assert 0 < sector_angles(8)[4] < np.pi / 4


@pytest.mark.parametrize("nothing", [np.nan, np.inf])
def test_beams_without_a_return_do_not_hide_the_others(nothing):
    ranges = np.full(BEAMS, nothing)
    assert (sectors(ranges) == 5.0).all()
    ranges[200] = 2.0
    assert sectors(ranges).min() == 2.0


def test_ranges_beyond_the_limit_and_below_zero_are_clipped():
    ranges = np.full(BEAMS, 11.0)
    ranges[0] = -0.2
    assert sectors(ranges).max() == 5.0
    assert sectors(ranges).min() == 0.0


def test_batches_give_what_single_scans_give():
    ranges = np.random.default_rng(0).uniform(0.1, 12.0, (3, 2, BEAMS))
    ranges[1, 0, :40] = np.nan
    together = sectors(ranges, 36)
    assert together.shape == (3, 2, 36)
    for i in range(3):
        for j in range(2):
            np.testing.assert_array_equal(together[i, j], sectors(ranges[i, j], 36))


def test_the_mirror_image_of_a_scan_has_reversed_sectors():
    half = 0.5 * STEP
    ranges = np.random.default_rng(1).uniform(0.1, 4.0, BEAMS)
    seen = scan_sectors(ranges, -np.pi + half, STEP, 72, 5.0)
    mirrored = scan_sectors(ranges[::-1], -np.pi + half, STEP, 72, 5.0)
    np.testing.assert_array_equal(mirrored, seen[::-1])


def test_more_sectors_than_beams_read_the_largest_range():
    assert (scan_sectors(np.array([1.0, 2.0]), 0.0, 0.1, 16, 5.0) == 5.0).sum() >= 14
