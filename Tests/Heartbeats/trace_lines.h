/* Reading a trace: the file that it goes to and the lines in it. For the two programs that test it. */
#ifndef TRACE_LINES_H
#define TRACE_LINES_H

#include <amqp_heartbeat.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"

#define PASSWORD "pass-word-of-nobody"

/* ---- a place for files ---- */

static char path[64];

static inline void make_path(void) {
  char directory[] = "/tmp/pulse-trace-XXXXXX";
  if (!CHECK(mkdtemp(directory) != NULL)) exit(1);
  snprintf(path, sizeof path, "%s/trace", directory);
}

static inline void remove_path(void) {
  unlink(path);
  *strrchr(path, '/') = 0;
  rmdir(path);
}

/* ---- lines ---- */

#define LINES_MAX 4000
static char text[1 << 19];
static struct { const char *what; int descriptor; } lines[LINES_MAX];
static int line_count;

/* Splits `size` octets of text, each line of which must begin with a time and a descriptor. */
static inline void take_lines(size_t size) {
  char *next = text, *end;
  text[size] = 0;
  for (line_count = 0; *next != 0 && line_count < LINES_MAX; next = end + 1) {
    unsigned long long seconds;
    unsigned microseconds;
    int descriptor = -2, length = 0, digits = 0;
    end = strchr(next, '\n');
    if (!CHECK(end != NULL)) return;
    *end = 0;
    if (!CHECK_INT(sscanf(next, "%llu.%n%6u [fd %d] %n", &seconds, &digits, &microseconds, &descriptor, &length), 3) ||
        !CHECK(next[digits + 6] == ' ')) {
      printf("  the line: %s\n", next);
      return;
    }
    lines[line_count].what = next + length;
    lines[line_count++].descriptor = descriptor;
  }
}

static inline void read_lines(int descriptor) {
  ssize_t count, size = 0;
  while ((count = read(descriptor, text + size, sizeof text - 1 - (size_t)size)) > 0) size += count;
  take_lines((size_t)size);
}

static inline void read_file(void) {
  int file = open(path, O_RDONLY);
  if (!CHECK(file >= 0)) return;
  read_lines(file);
  close(file);
}

static inline int count_lines(const char *what) {
  int i, found = 0;
  for (i = 0; i < line_count; i++) found += strcmp(lines[i].what, what) == 0;
  return found;
}

static inline int find_line(const char *what) {
  int i;
  for (i = 0; i < line_count; i++)
    if (strcmp(lines[i].what, what) == 0) return i;
  printf("  not there: %s\n", what);
  return -1;
}

#endif
