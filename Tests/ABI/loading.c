/*
 * What loading the library does to a process that is not linked with it: nothing. No signal handler is installed, neither by
 * loading nor by using it, no signal is blocked, no descriptor is opened and no thread is started.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *(*make_function)(void);
typedef void *(*socket_function)(void *);
typedef int (*open_function)(void *, const char *, int);
typedef int (*destroy_function)(void *);

typedef struct snapshot {
  void *handlers[65];
  sigset_t blocked;
  int descriptors, threads;
} snapshot;

static int entries(const char *directory) {
  DIR *open = opendir(directory);
  int count = 0;
  while (open != NULL && readdir(open) != NULL) count++;
  if (open != NULL) closedir(open);
  return count;
}

static snapshot look(void) {
  snapshot now;
  int number;
  memset(&now, 0, sizeof now);
  for (number = 1; number < 65; number++) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) == 0)
      now.handlers[number] = action.sa_flags & SA_SIGINFO ? (void *)(size_t)action.sa_sigaction : (void *)(size_t)action.sa_handler;
  }
  sigprocmask(SIG_BLOCK, NULL, &now.blocked);
  now.descriptors = entries("/proc/self/fd");
  now.threads = entries("/proc/self/task");
  return now;
}

static int compare(const snapshot *before, const snapshot *after, const char *when) {
  int number, differences = 0;
  for (number = 1; number < 65; number++) {
    if (before->handlers[number] == after->handlers[number]) continue;
    printf("the handler of signal %d changed %s\n", number, when);
    differences++;
  }
  if (memcmp(&before->blocked, &after->blocked, sizeof before->blocked) != 0) differences += printf("blocked signals changed %s\n", when);
  if (before->descriptors != after->descriptors) differences += printf("descriptors were opened %s\n", when);
  if (before->threads != after->threads) differences += printf("threads were started %s\n", when);
  return differences;
}

int main(void) {
  const char *path = getenv("PULSE_LIBRARY");
  snapshot before = look(), loaded, used;
  void *library = dlopen(path ? path : "", RTLD_NOW | RTLD_GLOBAL), *connection, *socket;
  make_function make;
  socket_function make_socket;
  open_function open;
  destroy_function destroy;
  int differences;
  if (library == NULL) {
    printf("%s\n", dlerror());
    return 2;
  }
  loaded = look();
  differences = compare(&before, &loaded, "by loading");
  *(void **)&make = dlsym(library, "amqp_new_connection");
  *(void **)&make_socket = dlsym(library, "amqp_tcp_socket_new");
  *(void **)&open = dlsym(library, "amqp_socket_open");
  *(void **)&destroy = dlsym(library, "amqp_destroy_connection");
  if (make == NULL || make_socket == NULL || open == NULL || destroy == NULL) return 3;
  connection = make();
  socket = make_socket(connection);
  if (open(socket, "127.0.0.1", 1) >= 0) differences += printf("connected to port 1\n");
  if (open(socket, "localhost", 1) >= 0) differences += printf("connected to port 1\n");
  destroy(connection);
  used = look();
  differences += compare(&before, &used, "by use");
  return differences ? 1 : 0;
}
