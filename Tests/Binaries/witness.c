/* Preloaded into a program that is not ours: at its end, which librabbitmq its memory maps, by its own /proc/PID/maps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((destructor)) static void testify(void) {
  char line[4096], last[4096] = "";
  const char *path = getenv("BINARIES_WITNESS");
  FILE *maps = path != NULL ? fopen("/proc/self/maps", "r") : NULL, *report;
  if (maps == NULL) return;
  while (fgets(line, sizeof line, maps) != NULL) {
    char *name = strchr(line, '/');
    if (name == NULL || strstr(name, "librabbitmq") == NULL || strcmp(name, last) == 0) continue;
    strcpy(last, name);
    report = fopen(path, "a");
    if (report == NULL) continue;
    fputs(name, report);
    fclose(report);
  }
  fclose(maps);
}
