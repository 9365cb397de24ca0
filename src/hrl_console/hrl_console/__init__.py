"""The operators' console: a web page on what the robot does, and what people do about it."""
