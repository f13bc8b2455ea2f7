# Library with its links, headers, manual page, pkg-config file, CMake package `rabbitmq-c`, and the `uninstall` target.

install(FILES "${PROJECT_BINARY_DIR}/librabbitmq.so.${PULSE_FILE_VERSION}" "${PULSE_LIBRARY}" "${PULSE_LINK}"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(DIRECTORY "${PULSE_INCLUDE_DIR}/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.h")
install(FILES docs/librabbitmq.7 DESTINATION "${CMAKE_INSTALL_MANDIR}/man7")

# The pkg-config file names the prefix, which `cmake --install --prefix` may still change: written at install time.
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(PULSE_PKGCONFIG_DIR "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
else()
  set(PULSE_PKGCONFIG_DIR "\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endif()
foreach(directory LIBDIR INCLUDEDIR)
  if(IS_ABSOLUTE "${CMAKE_INSTALL_${directory}}")
    set(PULSE_PC_${directory} "${CMAKE_INSTALL_${directory}}")
  else()
    set(PULSE_PC_${directory} "\${prefix}/${CMAKE_INSTALL_${directory}}")
  endif()
endforeach()
configure_file(cmake/librabbitmq.pc.in "${PROJECT_BINARY_DIR}/librabbitmq.pc.in" @ONLY)
install(CODE "
  file(READ \"${PROJECT_BINARY_DIR}/librabbitmq.pc.in\" text)
  string(REPLACE \"%PREFIX%\" \"\${CMAKE_INSTALL_PREFIX}\" text \"\${text}\")
  file(WRITE \"${PROJECT_BINARY_DIR}/librabbitmq.pc\" \"\${text}\")
  file(INSTALL \"${PROJECT_BINARY_DIR}/librabbitmq.pc\" DESTINATION \"${PULSE_PKGCONFIG_DIR}\")")

include(CMakePackageConfigHelpers)
set(package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/rabbitmq-c")
configure_package_config_file(
  cmake/rabbitmq-c-config.cmake.in "${PROJECT_BINARY_DIR}/package/rabbitmq-c-config.cmake"
  INSTALL_DESTINATION "${package_dir}" PATH_VARS CMAKE_INSTALL_LIBDIR CMAKE_INSTALL_INCLUDEDIR)
configure_file(cmake/rabbitmq-c-config-version.cmake.in
  "${PROJECT_BINARY_DIR}/package/rabbitmq-c-config-version.cmake" @ONLY)
configure_file(cmake/rabbitmq-targets.cmake.in "${PROJECT_BINARY_DIR}/package/rabbitmq-targets.cmake" @ONLY)
install(
  FILES
    "${PROJECT_BINARY_DIR}/package/rabbitmq-c-config.cmake"
    "${PROJECT_BINARY_DIR}/package/rabbitmq-c-config-version.cmake"
    "${PROJECT_BINARY_DIR}/package/rabbitmq-targets.cmake"
  DESTINATION "${package_dir}")

if(NOT TARGET uninstall)
  add_custom_target(uninstall
    COMMAND "${CMAKE_COMMAND}" "-DMANIFEST=${PROJECT_BINARY_DIR}/install_manifest.txt"
      -P "${PROJECT_SOURCE_DIR}/cmake/Uninstall.cmake"
    COMMENT "Removing what install put there" VERBATIM)
endif()
