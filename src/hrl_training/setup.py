from setuptools import find_packages, setup

package_name = "hrl_training"

setup(
    name=package_name,
    version="0.1.0",
    description="Trains and evaluates the skills on the plant.",
    license="Apache-2.0",
    maintainer="hrl maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    packages=find_packages(exclude=["test"]),
    # The gait's measured velocity response, the outcomes of skills in the fast world, the page, the
    # cards of MLSH.
    package_data={
        package_name: [
            "tasks/navigation/gait_responses/*.yaml",
            "fast/*.json",
            "trials/*.html",
            "mlsh/experiments/*.yaml",
        ]
    },
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    python_requires=">=3.10",
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # without it `colcon test` runs no test and passes
    zip_safe=True,
)
