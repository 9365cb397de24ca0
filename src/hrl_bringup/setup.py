from glob import glob
from os.path import dirname

from setuptools import find_packages, setup

package_name = "hrl_bringup"


def shared(folder):
    """Install a folder as it is: [(share/hrl_bringup/<folder>, [file, ...]), ...]."""
    files = [path for path in glob(f"{folder}/**", recursive=True) if "." in path]
    folders = sorted({dirname(path) for path in files})
    return [
        (f"share/{package_name}/{name}", sorted(p for p in files if dirname(p) == name))
        for name in folders
    ]


setup(
    name=package_name,
    version="0.1.0",
    description="The command line, launch files, configuration, demo and trials.",
    license="Apache-2.0",
    maintainer="hrl maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["reports/*.html", "reports/*.svg"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
        *shared("config"),
        *shared("launch"),
    ],
    python_requires=">=3.10",
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # without it `colcon test` runs no test and passes
    zip_safe=True,
    entry_points={"console_scripts": ["recorder_node = hrl_bringup.ros.recorder_node:main"]},
)
