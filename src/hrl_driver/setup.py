from setuptools import find_packages, setup

package_name = "hrl_driver"

setup(
    name=package_name,
    version="0.1.0",
    description="Between the drivers of robots and our topics.",
    license="Apache-2.0",
    maintainer="hrl maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    python_requires=">=3.10",
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # without it `colcon test` runs no test and passes
    zip_safe=True,
    entry_points={"console_scripts": ["driver_node = hrl_driver.ros.driver_node:main"]},
)
