"""A scan as a fixed number of sectors: what policies and the master see of their surroundings."""

import numpy as np


def sector_angles(count: int) -> np.ndarray:
    """Middle of each sector (count,) rad, counter-clockwise, from just after straight behind.

    Sector k and sector count - 1 - k are mirror images of each other in the x axis.
    """
    return (np.arange(count) + 0.5) * 2 * np.pi / count - np.pi


def scan_sectors(
    ranges: np.ndarray,
    angle_min: float,
    angle_increment: float,
    count: int,
    range_max: float,
) -> np.ndarray:
    """Nearest return per sector: (..., beams) m -> (..., count) m in [0, range_max].

    A beam that measured nothing (nan) or hit nothing (inf) leaves its sector to the other beams;
    a sector without any return reads `range_max`, the largest range that a caller trusts.
    """
    ranges = np.asarray(ranges)
    finite = np.where(np.isfinite(ranges), ranges, range_max)
    angles = angle_min + angle_increment * np.arange(ranges.shape[-1])
    sector = np.floor((angles + np.pi) / (2 * np.pi) * count).astype(int) % count
    order = np.argsort(sector, kind="stable")
    present, first = np.unique(sector[order], return_index=True)
    result = np.full((*ranges.shape[:-1], count), range_max, dtype=finite.dtype)
    result[..., present] = np.minimum.reduceat(finite[..., order], first, axis=-1)
    return np.clip(result, 0.0, range_max)
