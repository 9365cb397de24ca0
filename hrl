#!/usr/bin/env bash
# hrl: sets up what is missing, then runs the command line interface. `./hrl --help` lists the
# commands. A step of the set-up runs again only when the files that it depends on have changed.
#
#   HRL_PYTHON       Python 3.10 to 3.13 to use; default: the first one found
#   HRL_TORCH        what pip installs as torch, for example the path of a wheel;
#                    default: the CPU build of requirements/torch.txt
#   HRL_NO_APT=1     never install system packages, print the command instead
#   MUJOCO_GL        egl or osmesa; default: the one that works
set -euo pipefail

root=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
packages=(hrl_core hrl_sim_bridge hrl_perception hrl_skills hrl_systems hrl_master hrl_mcp hrl_training
  hrl_bringup hrl_console hrl_driver)
foreign_interfaces=(tf2_msgs control_msgs spot_msgs) # of packages that are not on PyPI
command=${1:-}

say() { printf '[hrl] %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

supported() {
  "$1" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
  local candidate
  for candidate in ${HRL_PYTHON:-python3 python3.12 python3.11 python3.13 python3.10}; do
    if supported "$candidate"; then
      command -v "$candidate"
      return
    fi
  done
  return 1
}

# --- steps -------------------------------------------------------------------------------------

key_of() { # files and folders -> one hash of their names and contents
  (cd "$root" && find "$@" -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum) |
    cut -c 1-16
}

step() { # step NAME KEY SENTENCE COMMAND...: run COMMAND unless it succeeded with this KEY before
  local name=$1 key=$2 sentence=$3 log="$venv/log/$1.log" start=$SECONDS
  shift 3
  [ "$(cat "$venv/stamps/$name" 2>/dev/null)" != "$key" ] || return 0
  mkdir -p "$venv/log" "$venv/stamps"
  say "$sentence ..."
  set +e # and not `if (...)`: bash ignores set -e inside a condition
  (set -e; "$@") >"$log" 2>&1 </dev/null
  local status=$?
  set -e
  if [ $status = 0 ]; then
    echo "$key" >"$venv/stamps/$name"
    say "    done in $((SECONDS - start)) s"
    return 0
  fi
  tail -n 15 "$log" | sed 's/^/      /' >&2
  say "    failed after $((SECONDS - start)) s; all of it: $log"
  failed+=("$name")
  # The tests still say something about what is there; everything else needs all of it.
  [ "$command" = test ] || exit 1
}

pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }

# --- system packages ---------------------------------------------------------------------------

gl_packages="libegl1 libgl1-mesa-dri libopengl0"

has_software_gl() {
  local libraries
  libraries=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p)
  case $libraries in
    *libOSMesa.so*) return 0 ;;
    *libEGL_mesa.so* | *libEGL_nvidia.so*) ;;
    *) return 1 ;;
  esac
  [[ $libraries == *libEGL.so.1* && ($libraries == *libOpenGL.so.0* || $libraries == *libGL.so.1*) ]]
}

has_browser() { command -v chromium || command -v chromium-browser || command -v google-chrome; } >/dev/null

missing_system_packages() {
  local version
  [ "$with_browser" = 0 ] || has_browser || echo chromium
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  "$python" -c 'import venv, ensurepip' 2>/dev/null || echo "python$version-venv"
  [ -e "$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')/Python.h" ] ||
    echo "python$version-dev"
  command -v c++ >/dev/null || echo g++
  has_software_gl || echo "$gl_packages"
}

apt_as() { # the prefix with which apt-get may be called, or a failure
  [ -z "${HRL_NO_APT:-}" ] && command -v apt-get >/dev/null || return 1
  if [ "$(id -u)" = 0 ]; then echo env; else sudo -n true 2>/dev/null && echo sudo; fi
}

install_system_packages() {
  local missing prefix start=$SECONDS
  missing=$(missing_system_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if ! prefix=$(apt_as); then
    say "these system packages are missing, and installing them is not allowed here:"
    say "    sudo apt-get update && sudo apt-get install -y $missing"
    fail "please run that (or your system's equivalent) and start again"
  fi
  say "installing system packages: $missing..."
  # shellcheck disable=SC2086  # one word per package
  if ! { $prefix apt-get -q update && DEBIAN_FRONTEND=noninteractive $prefix apt-get -q install \
    -y --no-install-recommends $missing; } >"$root/.venv-apt.log" 2>&1 </dev/null; then
    tail -n 15 "$root/.venv-apt.log" | sed 's/^/      /' >&2
    fail "could not install them: sudo apt-get install -y $missing"
  fi
  rm -f "$root/.venv-apt.log"
  say "    done in $((SECONDS - start)) s"
}

# --- what the steps do -------------------------------------------------------------------------

make_venv() {
  if [ ! -x "$venv/bin/python" ]; then
    # shellcheck disable=SC2046  # nothing or one word
    "$python" -m venv $([ -z "$installed_ros" ] || echo --system-site-packages) "$venv"
  fi
}

install_requirements() {
  pip install -r requirements/base.txt -r requirements/dev.txt -r requirements/build.txt
  pip install --no-deps -r requirements/spot.txt
}

# The default torch for Linux on x86-64 comes with gigabytes of CUDA. A CPU build is taken from
# the user's own package index if that has one, otherwise from where uv knows it to be.
install_torch() {
  local pin
  if [ -n "${HRL_TORCH:-}" ]; then
    pip install "$HRL_TORCH"
    return
  fi
  pin=$(grep '^torch==' requirements/torch.txt)
  if pip install "$pin+cpu"; then return; fi
  pip install -r requirements/uv.txt
  if "$venv/bin/uv" pip install --python "$venv/bin/python" --torch-backend cpu "$pin"; then
    return
  fi
  echo "No CPU build of torch can be reached: taking the default one, which may bring CUDA."
  pip install "$pin"
}

build_messages() {
  local folders=(./src/hrl_msgs) options=() package
  [ -n "$installed_ros" ] || options=(--config-settings cmake.define.JOIN_SOURCES=ON)
  "$venv/bin/python" -c 'import rclpy'
  for package in "${foreign_interfaces[@]}"; do
    if [ -z "$installed_ros" ] || ! "$venv/bin/python" -c "import $package" 2>/dev/null; then
      folders=("./src/$package" "${folders[@]}")
    fi
  done
  CMAKE_PREFIX_PATH=$AMENT_PREFIX_PATH pip install --no-build-isolation --no-deps \
    "${options[@]}" "${folders[@]}"
}

install_packages() {
  local folders=("${packages[@]/#/./src/}")
  # PEP 517: the older way would put the executables elsewhere.
  pip install --use-pep517 --no-deps --no-build-isolation \
    --config-settings editable_mode=compat \
    "${folders[@]/#/--editable=}"
  "$venv/bin/python" -m hrl_bringup.ament_links "${folders[@]}"
}

# A picture drawn off screen tells more than a list of libraries.
choose_gl() {
  local backend
  for backend in ${MUJOCO_GL:-egl osmesa}; do
    if MUJOCO_GL=$backend "$venv/bin/python" -c '
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size=\"1\"/></worldbody></mujoco>")
with mujoco.Renderer(model, 8, 8) as renderer:
    renderer.update_scene(mujoco.MjData(model))
    renderer.render()
'; then
      echo "$backend" >"$venv/mujoco_gl"
      return
    fi
  done
  echo "no off-screen OpenGL: sudo apt-get install -y $gl_packages"
  return 1
}

set_up() {
  local start=$SECONDS with_ros=$1
  mkdir -p "$venv"
  if command -v flock >/dev/null; then # two at once would install over each other
    exec 9>"$venv/lock"
    flock 9
  fi
  if [ ! -e "$venv/stamps/gl" ] || { [ "$with_browser" = 1 ] && ! has_browser; }; then
    install_system_packages
  fi
  step venv made "making $venv with $python" make_venv
  step requirements "$(key_of requirements/{base,dev,build,spot}.txt)" \
    "installing the Python packages" install_requirements
  step torch "$(key_of requirements/torch.txt)${HRL_TORCH:-}" "installing torch" install_torch
  step packages "$(key_of src/hrl_bringup/hrl_bringup/ament_links.py src/*/setup.py launch)" \
    "installing the packages of src/" install_packages
  # What `./hrl env` has set was found by this step.
  { [ -n "${MUJOCO_GL:-}" ] && [ "$MUJOCO_GL" = "$(cat "$venv/mujoco_gl" 2>/dev/null)" ]; } ||
    step gl "${MUJOCO_GL:-any}" "looking for off-screen OpenGL" choose_gl
  [ "$with_ray" = 0 ] || step ray "$(key_of requirements/ray.txt)" "installing Ray" \
    pip install -r requirements/ray.txt
  [ "$with_services" = 0 ] || step services "$(key_of requirements/services.txt)" \
    "installing the web services" pip install -r requirements/services.txt
  if [ "$with_ros" = 1 ]; then
    [ -n "$installed_ros" ] || step ros "$(key_of requirements/ros-jazzy.txt)" \
      "installing ROS 2 Jazzy" pip install -r requirements/ros-jazzy.txt
    step messages "$(key_of requirements/{ros-jazzy,build}.txt src/hrl_msgs "${foreign_interfaces[@]/#/src/}")" \
      "building the ROS 2 interfaces (a minute or two)" build_messages
  fi
  exec 9>&-
  [ $((SECONDS - start)) -lt 3 ] || say "set-up took $((SECONDS - start)) s"
}

# --- main --------------------------------------------------------------------------------------

# Where a ROS 2 installation is sourced and its rclpy can be imported, that one is used.
installed_ros=
venv=$root/.venv
failed=()
if [ -n "${ROS_DISTRO:-}" ]; then
  for candidate in ${HRL_PYTHON:-python3 /usr/bin/python3}; do
    if "$candidate" -c 'import rclpy' 2>/dev/null; then
      installed_ros=$ROS_DISTRO
      venv=$root/.venv-$ROS_DISTRO
      HRL_PYTHON=$candidate
      break
    fi
  done
  [ -n "$installed_ros" ] || [ "$command" = doctor ] ||
    fail "ROS 2 $ROS_DISTRO is sourced, but ${HRL_PYTHON:-neither python3 nor /usr/bin/python3}" \
      "cannot import its rclpy: name its Python in HRL_PYTHON, or start from a shell without ROS"
fi

export AMENT_PREFIX_PATH=$venv${AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}
export ROS_AUTOMATIC_DISCOVERY_RANGE=${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}
export ROS_LOG_DIR=${ROS_LOG_DIR:-$root/out/log}
export FASTDDS_DEFAULT_PROFILES_FILE=${FASTDDS_DEFAULT_PROFILES_FILE:-$root/config/fastdds_shm.xml}
export FASTRTPS_DEFAULT_PROFILES_FILE=$FASTDDS_DEFAULT_PROFILES_FILE # its name in Jazzy
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} # small networks: more threads only wait for each other
if [ -n "$installed_ros" ]; then # the wheels see to it themselves
  export LD_LIBRARY_PATH=$venv/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
fi

python=$venv/bin/python
if [ ! -x "$python" ]; then
  python=$(find_python) || fail "no Python 3.10 to 3.13 found (tried ${HRL_PYTHON:-python3 and" \
    "python3.10 to python3.13}): install one, or name it in HRL_PYTHON"
fi

export PATH=$venv/bin:$PATH

if [ "$command" = doctor ] && [[ " $* " != *" --driver"* ]]; then
  # changes nothing, and works on a bare machine
  MUJOCO_GL=${MUJOCO_GL:-$(cat "$venv/mujoco_gl" 2>/dev/null || true)}
  export MUJOCO_GL
  exec "$python" "$root/src/hrl_bringup/hrl_bringup/doctor.py"
fi

# The table of commands says what this one needs.
needs=$("$python" "$root/src/hrl_bringup/hrl_bringup/commands.py" "$@")
with_ros=0 with_ray=0 with_services=0 with_browser=0
case " $needs " in *" ros "*) with_ros=1 ;; esac
case " $needs " in *" ray "*) with_ray=1 ;; esac
case " $needs " in *" services "*) with_services=1 ;; esac
case " $needs " in *" browser "*) with_browser=1 ;; esac
here=$PWD
cd "$root"
set_up $with_ros
cd "$here"
[ -x "$venv/bin/python" ] || fail "there is no $venv/bin/python"

mkdir -p "$ROS_LOG_DIR"
[ -n "${MUJOCO_GL:-}" ] || MUJOCO_GL=$(cat "$venv/mujoco_gl" 2>/dev/null || echo egl)
export MUJOCO_GL
export HRL_SETUP_FAILED="${failed[*]:-}"
case $command in
  env) # eval "$(./hrl env)" lets `ros2`, launch files and python run beside the nodes
    for name in PATH AMENT_PREFIX_PATH ROS_AUTOMATIC_DISCOVERY_RANGE ROS_LOG_DIR \
      FASTDDS_DEFAULT_PROFILES_FILE FASTRTPS_DEFAULT_PROFILES_FILE OMP_NUM_THREADS MUJOCO_GL ${LD_LIBRARY_PATH:+LD_LIBRARY_PATH}; do
      printf 'export %s=%q\n' "$name" "${!name}"
    done
    ;;
  *) exec "$venv/bin/python" -m hrl_bringup.cli "$@" ;;
esac
