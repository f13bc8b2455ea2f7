#include "keeper_support.h"

#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__has_feature)
#define SANITIZES_THREADS __has_feature(thread_sanitizer)
#else
#define SANITIZES_THREADS 0
#endif

keeper_plan live = {H, PEER_LIVE}, dead = {H, PEER_MUTE}, alarmed = {H, PEER_ALARM}, off = {0, PEER_LIVE};

void planned(peer_link *link, void *argument) {
  const keeper_plan *plan = argument;
  if (!peer_handshake(link, 0, 131072, (uint16_t)plan->heartbeat)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_watch(link);
  peer_reached(link, 1);
  peer_serve(link, plan->flags, 60000);
}

void again_and_again(peer_link *link, void *unused) {
  (void)unused;
  do {
    if (!peer_handshake(link, 0, 131072, H)) continue;
    peer_serve(link, PEER_LIVE, 60000);
  } while (peer_accept(link, 20000));
}

amqp_connection_state_t kept(const peer *p, int heartbeat) {
  amqp_connection_state_t c = client_open(p, heartbeat);
  if (c != NULL) CHECK_STATUS(amqp_heartbeat_background(c, 1), AMQP_STATUS_OK);
  return c;
}

/* Entries of a directory of the process, but "." and "..". */
static int entries(const char *directory) {
  DIR *open = opendir(directory);
  int count = -2;
  if (open == NULL) return -1;
  while (readdir(open) != NULL) count++;
  closedir(open);
  return count;
}

int descriptors(void) { return entries("/proc/self/fd") - 1; }

/* Threads that are there before anything happens: the one that runs this, and the sanitizer's own, which comes with the first
 * that is made. */
static int threads_at_first;
static void *nothing(void *unused) { return unused; }
static void only_one(void) { threads_at_first = 1; }
__attribute__((constructor)) static void count_threads(void) {
  pthread_t first;
  pthread_atfork(NULL, NULL, only_one);
  if (SANITIZES_THREADS && pthread_create(&first, NULL, nothing, NULL) == 0) pthread_join(first, NULL);
  threads_at_first = entries("/proc/self/task");
}

int threads(void) { return entries("/proc/self/task") - threads_at_first + 1; }

int threads_become(int wanted) {
  int i;
  for (i = 0; i < 200 && threads() != wanted; i++) peer_sleep(10);
  return threads();
}

int other_thread(void) {
  DIR *open = opendir("/proc/self/task");
  struct dirent *entry;
  int found = 0;
  while ((entry = readdir(open)) != NULL)
    if (atoi(entry->d_name) > 0 && atoi(entry->d_name) != getpid()) found = atoi(entry->d_name);
  closedir(open);
  return found;
}
