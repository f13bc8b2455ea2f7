# `cpack -G DEB` in the build directory: one package that stands in for Debian's librabbitmq4 and librabbitmq-dev.
#
# It conflicts with the two and replaces them, so that dpkg swaps the files in one step, and provides both under a version
# that satisfies every package built for them. Removing it and installing librabbitmq4 goes back.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME librabbitmq-pulse)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGE_CONTACT "The Pulse developers <pulse@localhost>")
set(CPACK_PACKAGE_FILE_NAME "${CPACK_PACKAGE_NAME}_${PROJECT_VERSION}")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
set(CPACK_STRIP_FILES OFF)   # the library is stripped already
# The prefix is written into the pkg-config file when it is installed: it has to be the real one.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(provided "librabbitmq4 (= ${PROJECT_VERSION}), librabbitmq-dev (= ${PROJECT_VERSION})")
# amqp-tools come from the same source and ask for exactly its version: the one that this system has, or would have.
find_program(DPKG_QUERY_EXECUTABLE dpkg-query)
find_program(APT_CACHE_EXECUTABLE apt-cache)
set(debian_version)
if(DPKG_QUERY_EXECUTABLE)
  execute_process(COMMAND "${DPKG_QUERY_EXECUTABLE}" -W -f "\${Version}" librabbitmq4
    OUTPUT_VARIABLE debian_version ERROR_QUIET)
endif()
if(NOT debian_version AND APT_CACHE_EXECUTABLE)
  execute_process(COMMAND "${APT_CACHE_EXECUTABLE}" show --no-all-versions librabbitmq4
    OUTPUT_VARIABLE shown ERROR_QUIET)
  if(shown MATCHES "\nVersion: ([^\n]+)")
    set(debian_version "${CMAKE_MATCH_1}")
  endif()
endif()
if(debian_version)
  string(APPEND provided ", librabbitmq4 (= ${debian_version})")
endif()
set(CPACK_DEBIAN_PACKAGE_PROVIDES "${provided}")
set(CPACK_DEBIAN_PACKAGE_CONFLICTS "librabbitmq4, librabbitmq-dev")
set(CPACK_DEBIAN_PACKAGE_REPLACES "librabbitmq4, librabbitmq-dev")
find_program(DPKG_SHLIBDEPS_EXECUTABLE dpkg-shlibdeps)
if(DPKG_SHLIBDEPS_EXECUTABLE)
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
else()
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libc6, libssl3, libevent-core-2.1-7")
endif()
# The loader's cache, brought up to date after installing and removing.
file(WRITE "${PROJECT_BINARY_DIR}/package/triggers" "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA "${PROJECT_BINARY_DIR}/package/triggers")
include(CPack)
