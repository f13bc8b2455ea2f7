/*
 * A minimal harness for the C suites. One program = one file of cases:
 *
 *   CASE(queue_is_fifo) { CHECK(1 + 1 == 2); CHECK_STATUS(amqp_..., AMQP_STATUS_OK); }
 *   int main(int argc, char **argv) { return check_main(argc, argv); }
 *
 * `program` runs every case in a process of its own and prints a line for each; `program CASE...` runs those in this process;
 * `program --list` names them. A case fails by a CHECK, by a signal (abort, crash) or by lasting longer than
 * CHECK_SECONDS (a hang). The exit status is 0 when all passed, 77 when the only case was skipped, else 1.
 *
 * Before anything else check_main proves which librabbitmq was loaded: it must be the file that the environment variable
 * PULSE_LIBRARY names. A test that silently runs against another library of the same name is worse than none.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdint.h>

#define CHECK_SECONDS 40
#define CHECK_SKIPPED 77

typedef void (*check_case)(void);
void check_register(const char *name, check_case run);
int check_main(int argc, char **argv);

#define CASE(name)                                                                                        \
  static void name(void);                                                                                 \
  __attribute__((constructor)) static void register_##name(void) { check_register(#name, name); }         \
  static void name(void)

/* Each counts a failure, says where and what, and goes on; each is also its truth, for `if (!CHECK(...)) return;`. */
#define CHECK(condition) check_true((condition) ? 1 : 0, #condition, __FILE__, __LINE__)
#define CHECK_INT(actual, expected) \
  check_int((int64_t)(actual), (int64_t)(expected), #actual, #expected, __FILE__, __LINE__)
#define CHECK_STATUS(actual, expected) check_status((actual), (expected), #actual, __FILE__, __LINE__)
#define CHECK_TEXT(actual, expected) check_text((actual), (expected), #actual, __FILE__, __LINE__)
/* At least `low` and at most `high`, in milliseconds. */
#define CHECK_BETWEEN(actual, low, high) \
  check_between((int64_t)(actual), (int64_t)(low), (int64_t)(high), #actual, __FILE__, __LINE__)

int check_true(int truth, const char *text, const char *file, int line);
int check_int(int64_t actual, int64_t expected, const char *text, const char *expected_text, const char *file, int line);
int check_status(int actual, int expected, const char *text, const char *file, int line);
int check_text(const char *actual, const char *expected, const char *text, const char *file, int line);
int check_between(int64_t actual, int64_t low, int64_t high, const char *text, const char *file, int line);

void check_skip(const char *reason);             /* ends the case; not a failure */
int check_failures(void);
void check_allow_seconds(int seconds);           /* more time for this case */
const char *status_name(int status);             /* "AMQP_STATUS_TIMEOUT" */
void check_loaded_library(void);                 /* exits when the wrong library is loaded; check_main calls it */
const char *loaded_library(void);                /* the real path of the librabbitmq that this process runs on */
/* Runs something that answers 0 when all was well. With PULSE_EXPECT_FAILURE=1 in the environment, which is how the suites run on
 * a library with known faults, it runs in a process of its own and the answer is reversed: a fault that does not show is the failure. */
int check_run(int (*run)(void *argument), void *argument);

#endif
