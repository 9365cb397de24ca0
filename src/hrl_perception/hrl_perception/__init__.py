"""From cameras and odometry to detections and localisation."""
