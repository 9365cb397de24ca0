from hrl_bringup.fault_lines import FaultLines


def test_a_fault_is_told_when_it_begins_and_when_it_ends():
    lines = FaultLines()
    assert lines.take("/perception", {}) == []
    assert lines.take("/perception", {"camera": "no usable picture from camera for 3 s: why"}) == [
        "/perception: no usable picture from camera for 3 s: why"
    ]
    assert lines.take("/perception", {"camera": "no usable picture from camera for 4 s: why"}) == []
    assert lines.take("/walk", {"scan": "scan come at 4.0 Hz"}) == ["/walk: scan come at 4.0 Hz"]
    assert lines.take("/perception", {}) == ["/perception: camera: no more"]
