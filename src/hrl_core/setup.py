from setuptools import find_packages, setup

package_name = "hrl_core"

setup(
    name=package_name,
    version="0.1.0",
    description="What the hrl packages share: geometry, configuration, robot, site, topics.",
    license="Apache-2.0",
    maintainer="hrl maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["pages/*.html", "pages/*.css", "pages/*.mplstyle"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    python_requires=">=3.10",
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # without it `colcon test` runs no test and passes
    zip_safe=True,
)
