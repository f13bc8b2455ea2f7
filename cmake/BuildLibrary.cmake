# Run by the build: SWIFT builds PACKAGE with TRAIT in SCRATCH; the product becomes FILE, stripped, with its two links.
# SANITIZE, where it is not empty, names a sanitizer: its functions come with the program, and the symbols stay for its reports.

# A change of the export map alone does not make the package manager link again: without the old product it must.
file(REMOVE "${SCRATCH}/release/librabbitmq.so")

set(sanitizer_options)
if(SANITIZE)
  set(STRIP)
  set(sanitizer_options --sanitize=${SANITIZE} -Xlinker -z -Xlinker undefs)
  if(SANITIZE STREQUAL "thread")
    # To Swift, who changes a field accesses the whole struct, and two threads that change two fields of a connection collide.
    # That is how the sides of a connection are meant; reads and writes of memory are what is to be watched. So the announcement
    # of such accesses goes to a function that does nothing.
    list(APPEND sanitizer_options -Xlinker --defsym=__tsan_external_write=amqp_version_number)
  endif()
endif()

execute_process(
  COMMAND "${SWIFT}" build --configuration release --product rabbitmq --traits "${TRAIT}"
    --package-path "${PACKAGE}" --scratch-path "${SCRATCH}" --cache-path "${SCRATCH}/cache"
    ${sanitizer_options}
    --disable-local-rpath   # or the installed library would look for others beside itself
  RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "swift build failed (${failed})")
endif()
if(NOT EXISTS "${SCRATCH}/release/librabbitmq.so")
  message(FATAL_ERROR "swift build succeeded, and ${SCRATCH}/release/librabbitmq.so is not there")
endif()

# Made under another name and moved: a program that has the old file mapped keeps it.
file(COPY_FILE "${SCRATCH}/release/librabbitmq.so" "${FILE}.new")
if(STRIP)
  execute_process(COMMAND "${STRIP}" --strip-all "${FILE}.new" RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${STRIP} failed (${failed})")
  endif()
endif()
file(CHMOD "${FILE}.new" PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
file(RENAME "${FILE}.new" "${FILE}")
file(TOUCH "${FILE}")

get_filename_component(name "${FILE}" NAME)
get_filename_component(soname "${SONAME_LINK}" NAME)
file(CREATE_LINK "${name}" "${SONAME_LINK}" SYMBOLIC)
file(CREATE_LINK "${soname}" "${DEVELOPMENT_LINK}" SYMBOLIC)
