# The targets of the ROS 2 wheels name include folders of the machine that built them
# (/opt/python/cp3xx/...), and CMake refuses a target whose include folder is missing.
# Keep of every imported target what exists here. Changes nothing under an ordinary
# ROS 2 installation.
macro(drop_missing_includes)
  get_property(_imported_targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(_target IN LISTS _imported_targets)
    get_target_property(_include_dirs ${_target} INTERFACE_INCLUDE_DIRECTORIES)
    if(_include_dirs)
      set(_kept_dirs "")
      foreach(_dir IN LISTS _include_dirs)
        if(_dir MATCHES "\\$<" OR EXISTS "${_dir}")
          list(APPEND _kept_dirs "${_dir}")
        endif()
      endforeach()
      set_target_properties(${_target} PROPERTIES
        INTERFACE_INCLUDE_DIRECTORIES "${_kept_dirs}")
    endif()
  endforeach()
endmacro()
