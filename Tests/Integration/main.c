/* One case of the integration suite, in a process of its own:
 *
 *   cases list                                     name, group and whether a mend is needed, one case per line
 *   cases run NAME PORT DIRECTORY LIBRARY          DIRECTORY: where `run` leaves the signs of its events
 *
 * Exit code 0 passed, 1 failed (the reason on standard error), 77 skipped. Before the case begins the process proves
 * from /proc/self/maps that LIBRARY, and no other librabbitmq, is in it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "support.h"

const char *case_name, *event_directory;

static const struct test_case *const tables[] = {body_cases, content_cases, operation_cases, refusal_cases,
                                                 heartbeat_cases, tls_cases};

static void prove_library(const char *expected) {
  char line[PATH_MAX + 200], wanted[PATH_MAX];
  int found = 0;
  FILE *maps = fopen("/proc/self/maps", "r");
  REQUIRE(maps != NULL);
  if (realpath(expected, wanted) == NULL) {
    FAIL("no library %s", expected);
  }
  while (fgets(line, sizeof line, maps) != NULL) {
    char *path = strchr(line, '/');
    if (path != NULL && strstr(path, "librabbitmq") != NULL) {
      path[strcspn(path, "\n")] = '\0';
      if (strcmp(path, wanted) != 0) {
        FAIL("loaded %s instead of %s", path, wanted);
      }
      found = 1;
    }
  }
  fclose(maps);
  REQUIRE(found);
}

static void list(void) {
  size_t table;
  for (table = 0; table < sizeof tables / sizeof *tables; ++table) {
    const struct test_case *each;
    for (each = tables[table]; each->name != NULL; ++each) {
      printf("%s %s %s\n", each->name, each->group, each->mended ? "mended" : "any");
    }
  }
}

int main(int argc, char **argv) {
  size_t table;
  if (argc == 2 && strcmp(argv[1], "list") == 0) {
    list();
    return 0;
  }
  if (argc != 6 || strcmp(argv[1], "run") != 0) {
    fprintf(stderr, "usage: %s list | run NAME PORT DIRECTORY LIBRARY\n", argv[0]);
    return 2;
  }
  case_name = argv[2];
  broker_port = atoi(argv[3]);
  event_directory = argv[4];
  prove_library(argv[5]);
  *(void **)&confirm_wait = dlsym(RTLD_DEFAULT, "amqp_publisher_confirm_wait");
  *(void **)&update_secret = dlsym(RTLD_DEFAULT, "amqp_connection_update_secret");
  for (table = 0; table < sizeof tables / sizeof *tables; ++table) {
    const struct test_case *each;
    for (each = tables[table]; each->name != NULL; ++each) {
      if (strcmp(each->name, case_name) == 0) {
        if (each->mended && confirm_wait == NULL && getenv("INTEGRATION_ALL") == NULL) {
          return exit_skipped;
        }
        each->run();
        return exit_passed;
      }
    }
  }
  fprintf(stderr, "no case %s\n", case_name);
  return 2;
}
