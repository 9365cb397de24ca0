# Perception, skills and master for a robot, built with colcon on ROS 2 Jazzy. The robot's own
# driver takes the place of the plant. From the repository's root:
#   docker build -f docker/Dockerfile.robot -t hrl-robot .
#   docker run --rm --network host --ipc host hrl-robot \
#     ros2 launch hrl_bringup skills.launch.py use_sim_time:=false
FROM ros:jazzy-ros-base

SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# Versions are those of the base image's distribution.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3-pip python3-venv \
 && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/hrl
COPY requirements requirements
# Beside ROS 2's own Python packages, and in front of older ones of the distribution. uv knows
# where the CPU build of torch is; a robot with a GPU takes another one: --build-arg TORCH=cu126
ARG TORCH=cpu
ENV PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1
RUN python3 -m venv --system-site-packages venv \
 && venv/bin/pip install -r requirements/base.txt -r requirements/build.txt \
      -r requirements/uv.txt pytest "$(grep ^httpx requirements/services.txt)" \
 && venv/bin/pip install --no-deps -r requirements/spot.txt \
 && venv/bin/uv pip install --python venv/bin/python --torch-backend "$TORCH" \
      -r requirements/torch.txt

COPY config config
COPY launch launch
COPY src src
# colcon of the venv's Python: the executables then start with that Python.
RUN . /opt/ros/jazzy/setup.bash \
 && venv/bin/python -m colcon build --base-paths src \
 && rm -rf build log

COPY docker/robot_entrypoint.sh /robot_entrypoint.sh
ENTRYPOINT ["/robot_entrypoint.sh"]
CMD ["ros2", "launch", "hrl_bringup", "skills.launch.py", "use_sim_time:=false"]
