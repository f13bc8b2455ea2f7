# What the build needs beyond a C compiler, each with a message that says what to do when it is missing.

find_program(SWIFT_EXECUTABLE swift DOC "The swift command of a Swift 6.3 toolchain")
set(how_to_get_swift
  "Install it from https://www.swift.org/install/linux/ and put its usr/bin directory on PATH, "
  "or name it: cmake -DSWIFT_EXECUTABLE=/path/to/usr/bin/swift ...")
string(CONCAT how_to_get_swift ${how_to_get_swift})
if(NOT SWIFT_EXECUTABLE)
  message(FATAL_ERROR "Pulse needs Swift 6.3 or newer, and no `swift` was found on PATH. ${how_to_get_swift}")
endif()
execute_process(
  COMMAND "${SWIFT_EXECUTABLE}" --version
  OUTPUT_VARIABLE swift_says ERROR_VARIABLE swift_says RESULT_VARIABLE swift_failed)
string(REGEX MATCH "Swift version ([0-9]+\\.[0-9]+(\\.[0-9]+)?)" swift_version "${swift_says}")
set(swift_version "${CMAKE_MATCH_1}")
if(swift_failed OR swift_version VERSION_LESS 6.3)
  message(FATAL_ERROR
    "Pulse needs Swift 6.3 or newer; ${SWIFT_EXECUTABLE} answers: ${swift_says}\n${how_to_get_swift}")
endif()
message(STATUS "Swift ${swift_version}: ${SWIFT_EXECUTABLE}")

find_path(LIBEVENT_INCLUDE_DIR event2/event.h)
if(NOT LIBEVENT_INCLUDE_DIR)
  message(FATAL_ERROR "libevent's headers are missing. On Debian: apt install libevent-dev (scripts/setup does it).")
endif()

find_path(OPENSSL_INCLUDE_DIR openssl/ssl.h)
if(NOT OPENSSL_INCLUDE_DIR)
  message(FATAL_ERROR "OpenSSL's headers are missing. On Debian: apt install libssl-dev (scripts/setup does it).")
endif()

# Embedded Swift's output keeps its symbols until stripped; a build without strip is larger, and nothing else.
find_program(STRIP_EXECUTABLE NAMES ${CMAKE_STRIP} strip llvm-strip)
