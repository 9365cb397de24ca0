from setuptools import find_packages, setup

package_name = "hrl_retreat"

setup(
    name=package_name,
    version="0.1.0",
    description="A skill for hrl from another package: retreat from a shelf.",
    license="Apache-2.0",
    maintainer="hrl maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["tasks/*", "policies/*/*/*"]},
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    python_requires=">=3.10",
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=False,
    entry_points={
        "hrl.skills": ["retreat = hrl_retreat.retreat:Retreat"],
        "hrl.trials": ["retreat = hrl_retreat.trials:RetreatTrials"],
    },
)
