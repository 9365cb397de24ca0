from setuptools import find_packages, setup

package_name = "hrl_master"

setup(
    name=package_name,
    version="0.1.0",
    description="Chooses the next skill from the scene, guards it and runs missions.",
    license="Apache-2.0",
    maintainer="hrl maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["policies/*/*"]},  # weights and cards
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    python_requires=">=3.10",
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # without it `colcon test` runs no test and passes
    zip_safe=True,
    entry_points={"console_scripts": ["master_node = hrl_master.ros.master_node:main"]},
)
