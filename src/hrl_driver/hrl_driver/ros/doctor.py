"""`./hrl doctor --driver`: a live graph against a driver file."""

from hrl_core.config import find_config
from hrl_core.robot import load_robot
from hrl_driver.checks import findings
from hrl_driver.profile import load_driver
from hrl_driver.ros.look import look_at


def examine(profile: str, robot: str, patience: float) -> int:
    """Print a line for everything that was looked at; 0: all is as the driver file says, else 1.

    `patience`: s of wall time for all of it to be heard. Raises ConfigError for the files.
    """
    driver = load_driver(profile)
    found = findings(driver, load_robot(robot), look_at(driver, patience))
    wrong = {subject: sentence for subject, sentence in found.items() if sentence}
    for subject in found.keys() - wrong.keys():
        print(f"ok      {subject}")
    for subject, sentence in wrong.items():
        print(f"WRONG   {subject}: {sentence}")
    file = find_config("drivers", profile)
    print(f"{len(found) - len(wrong)} of {len(found)} as {file} says")
    return 1 if wrong else 0
