"""Point clouds <-> arrays."""

from array import array

import numpy as np
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import Header

from hrl_core.config import ConfigError

AXES = ("x", "y", "z")
_TYPES = {PointField.FLOAT32: np.float32, PointField.FLOAT64: np.float64}


def points_of(message: PointCloud2) -> np.ndarray:
    """Points (n, 3) m in header.frame_id; nan where there was no return. Raises ConfigError."""
    fields = {field.name: field for field in message.fields}
    missing = [axis for axis in AXES if axis not in fields]
    if missing:
        raise ConfigError(f"fields lack {missing}: they are {sorted(fields)}")
    count, step = message.width * message.height, message.point_step
    if len(message.data) < count * step or (message.height > 1 and message.row_step < step):
        raise ConfigError(f"data has {len(message.data)} bytes: {count} points need {count * step}")
    order = ">" if message.is_bigendian else "<"
    columns = {}
    for axis in AXES:
        field = fields[axis]
        if field.datatype not in _TYPES:
            raise ConfigError(f"{axis} has datatype {field.datatype}: allowed are {sorted(_TYPES)}")
        kind = np.dtype(_TYPES[field.datatype]).newbyteorder(order)
        if field.offset + kind.itemsize > step:
            raise ConfigError(f"offset of {axis} = {field.offset}: a point has {step} bytes")
        columns[axis] = (kind, field.offset)
    kind = np.dtype(
        {
            "names": list(AXES),
            "formats": [columns[axis][0] for axis in AXES],
            "offsets": [columns[axis][1] for axis in AXES],
            "itemsize": step,
        }
    )
    table = np.frombuffer(message.data, kind, count)
    return np.stack([table[axis] for axis in AXES], axis=-1).astype(float)


def cloud_msg(header: Header, points: np.ndarray) -> PointCloud2:
    """Points (n, 3) m -> message."""
    data = np.ascontiguousarray(points, np.float32)
    message = PointCloud2(
        header=header,
        height=1,
        width=len(data),
        fields=[
            PointField(name=axis, offset=4 * k, datatype=PointField.FLOAT32, count=1)
            for k, axis in enumerate(AXES)
        ],
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(data),
        is_dense=True,
    )
    message.data = array("B", data.tobytes())
    return message
