# mujoco is a compiled module without type information: everything in it may be anything.
from typing import Any

def __getattr__(name: str) -> Any: ...
