"""What all hrl packages share: geometry, configuration, robot, site, sensed data, topics."""
