"""What every hrl package shares: geometry, configuration, the robot, the site, sensed data, topics."""
