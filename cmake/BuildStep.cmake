# The library as an imported target whose file is made by one custom command: `swift build`, strip, copy, links.

if(RABBITMQ_RUNTIME STREQUAL "embedded")
  set(PULSE_RUNTIME Embedded)
elseif(RABBITMQ_RUNTIME STREQUAL "static")
  set(PULSE_RUNTIME StaticStdlib)
else()
  message(FATAL_ERROR "RABBITMQ_RUNTIME is `${RABBITMQ_RUNTIME}`; it can be `embedded` or `static`.")
endif()

set(library_file "${PROJECT_BINARY_DIR}/librabbitmq.so.${PULSE_FILE_VERSION}")
set(PULSE_LIBRARY "${PROJECT_BINARY_DIR}/librabbitmq.so.${PULSE_SOVERSION}")
set(PULSE_LINK "${PROJECT_BINARY_DIR}/librabbitmq.so")
set(PULSE_INCLUDE_DIR "${PROJECT_SOURCE_DIR}/include")
# The same library with its symbols, for debuggers.
set(PULSE_UNSTRIPPED_LIBRARY "${PROJECT_BINARY_DIR}/swift/release/librabbitmq.so")

file(GLOB_RECURSE library_sources CONFIGURE_DEPENDS
  "${PROJECT_SOURCE_DIR}/Sources/*.swift" "${PROJECT_SOURCE_DIR}/Sources/*.c"
  "${PROJECT_SOURCE_DIR}/Sources/*.h" "${PROJECT_SOURCE_DIR}/Sources/*.modulemap"
  "${PROJECT_SOURCE_DIR}/include/*.h" "${PROJECT_SOURCE_DIR}/include/*.modulemap")

add_custom_command(
  OUTPUT "${library_file}"
  BYPRODUCTS "${PULSE_LIBRARY}" "${PULSE_LINK}"
  COMMAND "${CMAKE_COMMAND}"
    "-DSWIFT=${SWIFT_EXECUTABLE}" "-DSTRIP=${STRIP_EXECUTABLE}" "-DTRAIT=${PULSE_RUNTIME}"
    "-DSANITIZE=${PULSE_SANITIZE}"
    "-DPACKAGE=${PROJECT_SOURCE_DIR}" "-DSCRATCH=${PROJECT_BINARY_DIR}/swift"
    "-DFILE=${library_file}" "-DSONAME_LINK=${PULSE_LIBRARY}" "-DDEVELOPMENT_LINK=${PULSE_LINK}"
    -P "${PROJECT_SOURCE_DIR}/cmake/BuildLibrary.cmake"
  DEPENDS
    ${library_sources} "${PROJECT_SOURCE_DIR}/Package.swift" "${PROJECT_SOURCE_DIR}/cmake/librabbitmq.map"
    "${PROJECT_SOURCE_DIR}/cmake/BuildLibrary.cmake"
  COMMENT "Building librabbitmq.so.${PULSE_SOVERSION} (${RABBITMQ_RUNTIME} Swift)"
  USES_TERMINAL VERBATIM)
add_custom_target(librabbitmq ALL DEPENDS "${library_file}")

add_library(rabbitmq SHARED IMPORTED GLOBAL)
add_library(rabbitmq::rabbitmq ALIAS rabbitmq)
add_dependencies(rabbitmq librabbitmq)
set_target_properties(rabbitmq PROPERTIES
  IMPORTED_LOCATION "${PULSE_LIBRARY}"
  IMPORTED_SONAME "librabbitmq.so.${PULSE_SOVERSION}"
  INTERFACE_INCLUDE_DIRECTORIES "${PULSE_INCLUDE_DIR}")
