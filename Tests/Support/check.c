/* The harness of check.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "check.h"

#include <amqp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CASES_MAX 256

static struct {
  const char *name;
  check_case run;
} cases[CASES_MAX];
static int case_count;
static int failures;

void check_register(const char *name, check_case run) {
  if (case_count == CASES_MAX) abort();
  cases[case_count].name = name;
  cases[case_count++].run = run;
}

/* ---- checks ---- */

static void complain(const char *file, int line) {
  const char *slash = strrchr(file, '/');
  failures++;
  printf("  FAILED %s:%d: ", slash ? slash + 1 : file, line);
}

int check_failures(void) { return failures; }

int check_true(int truth, const char *text, const char *file, int line) {
  if (truth) return 1;
  complain(file, line);
  printf("%s\n", text);
  return 0;
}

int check_int(int64_t actual, int64_t expected, const char *text, const char *expected_text, const char *file, int line) {
  if (actual == expected) return 1;
  complain(file, line);
  printf("%s is %lld, not %lld (%s)\n", text, (long long)actual, (long long)expected, expected_text);
  return 0;
}

int check_status(int actual, int expected, const char *text, const char *file, int line) {
  if (actual == expected) return 1;
  complain(file, line);
  printf("%s is %s (%d), not %s\n", text, status_name(actual), actual, status_name(expected));
  return 0;
}

int check_text(const char *actual, const char *expected, const char *text, const char *file, int line) {
  if (actual != NULL && strcmp(actual, expected) == 0) return 1;
  complain(file, line);
  printf("%s is \"%s\", not \"%s\"\n", text, actual ? actual : "(null)", expected);
  return 0;
}

/* Under valgrind on a busy machine everything takes long: PULSE_PATIENCE says how many times as long is still right. */
static int patience(void) {
  const char *times = getenv("PULSE_PATIENCE");
  return times == NULL || atoi(times) < 1 ? 1 : atoi(times);
}

int check_between(int64_t actual, int64_t low, int64_t high, const char *text, const char *file, int line) {
  high *= patience();
  if (actual >= low && actual <= high) return 1;
  complain(file, line);
  printf("%s is %lld, not in %lld ... %lld\n", text, (long long)actual, (long long)low, (long long)high);
  return 0;
}

void check_skip(const char *reason) {
  printf("  skipped: %s\n", reason);
  fflush(NULL);
  _exit(failures ? 1 : CHECK_SKIPPED);
}

void check_allow_seconds(int seconds) { alarm((unsigned)(seconds * patience())); }

const char *status_name(int status) {
  static const struct {
    int code;
    const char *name;
  } names[] = {
#define NAME(code) {code, #code}
      NAME(AMQP_STATUS_OK), NAME(AMQP_STATUS_NO_MEMORY), NAME(AMQP_STATUS_BAD_AMQP_DATA),
      NAME(AMQP_STATUS_UNKNOWN_CLASS), NAME(AMQP_STATUS_UNKNOWN_METHOD),
      NAME(AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED), NAME(AMQP_STATUS_INCOMPATIBLE_AMQP_VERSION),
      NAME(AMQP_STATUS_CONNECTION_CLOSED), NAME(AMQP_STATUS_BAD_URL), NAME(AMQP_STATUS_SOCKET_ERROR),
      NAME(AMQP_STATUS_INVALID_PARAMETER), NAME(AMQP_STATUS_TABLE_TOO_BIG), NAME(AMQP_STATUS_WRONG_METHOD),
      NAME(AMQP_STATUS_TIMEOUT), NAME(AMQP_STATUS_TIMER_FAILURE), NAME(AMQP_STATUS_HEARTBEAT_TIMEOUT),
      NAME(AMQP_STATUS_UNEXPECTED_STATE), NAME(AMQP_STATUS_SOCKET_CLOSED), NAME(AMQP_STATUS_SOCKET_INUSE),
      NAME(AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD), NAME(AMQP_STATUS_UNSUPPORTED), NAME(AMQP_STATUS_TCP_ERROR),
      NAME(AMQP_STATUS_SSL_ERROR),
#undef NAME
  };
  static char other[32];
  size_t i;
  for (i = 0; i < sizeof names / sizeof *names; i++)
    if (names[i].code == status) return names[i].name;
  snprintf(other, sizeof other, "status %d", status);
  return other;
}

/* ---- which library ---- */

const char *loaded_library(void) {
  static char found[PATH_MAX];
  char line[PATH_MAX + 128];
  FILE *maps = fopen("/proc/self/maps", "r");
  /* A call, so that a linker that drops unused libraries keeps this one. */
  if (maps == NULL || amqp_version_number() == 0) return NULL;
  found[0] = 0;
  while (fgets(line, sizeof line, maps) != NULL) {
    char *path = strchr(line, '/'), *base;
    if (path == NULL) continue;
    path[strcspn(path, "\n")] = 0;
    base = strrchr(path, '/');
    if (strncmp(base, "/librabbitmq.so", 15) != 0) continue;
    if (found[0] != 0 && strcmp(found, path) != 0) {
      printf("two libraries are loaded: %s and %s\n", found, path);
      fclose(maps);
      return NULL;
    }
    snprintf(found, sizeof found, "%s", path);
  }
  fclose(maps);
  return found[0] ? found : NULL;
}

void check_loaded_library(void) {
  const char *wanted = getenv("PULSE_LIBRARY"), *loaded = loaded_library();
  char real[PATH_MAX];
  if (wanted == NULL || realpath(wanted, real) == NULL) {
    printf("PULSE_LIBRARY must name the library under test; it is \"%s\"\n", wanted ? wanted : "");
    exit(2);
  }
  if (loaded == NULL || strcmp(loaded, real) != 0) {
    printf("the wrong library is loaded: %s instead of %s\n", loaded ? loaded : "none", real);
    exit(2);
  }
}

/* ---- running ---- */

static void took_too_long(int number) {
  static const char text[] = "  FAILED: still running after the time allowed\n";
  (void)number;
  if (write(1, text, sizeof text - 1) < 0) _exit(4);
  _exit(3);
}

static int run_one(void *argument) {
  int index = *(int *)argument;
  failures = 0;
  signal(SIGALRM, took_too_long);
  check_allow_seconds(CHECK_SECONDS);
  cases[index].run();
  alarm(0);
  fflush(NULL);
  return failures;
}

/* 0 passed, 1 failed, 2 skipped */
static int run_apart(int (*run)(void *), void *argument) {
  int status = 0;
  pid_t child;
  fflush(NULL);
  child = fork();
  if (child < 0) return 1;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    _exit(run(argument) ? 1 : 0);
  }
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("  FAILED: ended by signal %d (%s)\n", WTERMSIG(status), strsignal(WTERMSIG(status)));
  if (WIFEXITED(status) && WEXITSTATUS(status) == CHECK_SKIPPED) return 2;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
}

int check_run(int (*run)(void *), void *argument) {
  const char *reversed = getenv("PULSE_EXPECT_FAILURE");
  if (reversed == NULL || strcmp(reversed, "1") != 0) return run(argument);
  if (run_apart(run, argument) == 1) {
    printf("the known fault shows\n");
    return 0;
  }
  printf("FAILED: the known fault does not show\n");
  return 1;
}

static int run_all(void) {
  static const char *const words[] = {"pass", "FAIL", "skip"};
  int i, counts[3] = {0, 0, 0};
  for (i = 0; i < case_count; i++) {
    int result = run_apart(run_one, &i);
    counts[result]++;
    printf("%s  %s\n", words[result], cases[i].name);
  }
  printf("%d passed, %d failed, %d skipped, on %s\n", counts[0], counts[1], counts[2], loaded_library());
  return counts[1] ? 1 : 0;
}

int check_main(int argc, char **argv) {
  int argument, i, failed = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc == 2 && strcmp(argv[1], "--list") == 0) {
    for (i = 0; i < case_count; i++) printf("%s\n", cases[i].name);
    return 0;
  }
  check_loaded_library();
  if (argc < 2) return run_all();
  for (argument = 1; argument < argc; argument++) {
    for (i = 0; i < case_count && strcmp(cases[i].name, argv[argument]) != 0; i++) continue;
    if (i == case_count) {
      printf("no such case: %s\n", argv[argument]);
      return 2;
    }
    if (check_run(run_one, &i) != 0) failed = 1;
  }
  return failed;
}
