from setuptools import find_packages, setup

package_name = "hrl_skills"

setup(
    name=package_name,
    version="0.1.0",
    description="The learned skills of the standard set as ROS 2 action servers.",
    license="Apache-2.0",
    maintainer="hrl maintainers",
    maintainer_email="maintainers@users.noreply.github.com",
    packages=find_packages(exclude=["test"]),
    package_data={package_name: ["policies/*/*/*"]},  # weights and cards
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{package_name}"]),
        (f"share/{package_name}", ["package.xml"]),
    ],
    python_requires=">=3.10",
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},  # without it `colcon test` runs no test and passes
    zip_safe=False,
    entry_points={
        "console_scripts": ["skill_node = hrl_skills.ros.skill_node:main"],
        "hrl.skills": [
            "walk = hrl_skills.walk:Walk",
            "approach = hrl_skills.approach:Approach",
            "grasp = hrl_skills.grasp:Grasp",
            "place = hrl_skills.place:Place",
            "align = hrl_skills.align:Align",
            "back_out = hrl_skills.back_out:BackOut",
        ],
    },
)
