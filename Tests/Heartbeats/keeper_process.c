/*
 * Heartbeats in the background, seen from the process: the thread is there when it is needed, once, and at no other time; it
 * takes nothing from the program, and stands what programs do with threads, fork and exit.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper_support.h"

/* ---- one thread, and nothing else ---- */

CASE(two_connections_share_one_thread_and_the_last_ends_it) {
  peer *p = peer_start(planned, &live), *q = peer_start(planned, &live);
  amqp_connection_state_t c, d;
  c = kept(p, H);
  d = kept(q, H);
  if (c == NULL || d == NULL) return;
  CHECK_INT(threads(), 2);
  peer_sleep(2 * H * 1000);
  CHECK_BETWEEN(peer_seen(p)->heartbeats, 3, 6);
  CHECK_BETWEEN(peer_seen(q)->heartbeats, 3, 6);
  amqp_destroy_connection(c);
  peer_sleep(100);
  CHECK_INT(threads(), 2);
  peer_sleep(2 * H * 1000);
  CHECK_BETWEEN(peer_seen(q)->heartbeats, 6, 12);
  amqp_destroy_connection(d);
  CHECK_INT(threads_become(1), 1);
  peer_stop(p);
  peer_stop(q);
}

CASE(it_has_no_descriptor) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = client_open(p, H);
  int before;
  if (c == NULL) return;
  before = descriptors();
  CHECK_STATUS(amqp_heartbeat_background(c, 1), AMQP_STATUS_OK);
  peer_sleep(H * 1000);
  CHECK_INT(descriptors(), before);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(all_signals_are_blocked_in_it) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = kept(p, H);
  char path[64], line[256];
  unsigned long long blocked = 0;
  FILE *status;
  if (c == NULL) return;
  snprintf(path, sizeof path, "/proc/self/task/%d/status", other_thread());
  status = fopen(path, "r");
  if (!CHECK(status != NULL)) return;
  while (fgets(line, sizeof line, status)) sscanf(line, "SigBlk: %llx", &blocked);
  fclose(status);
  /* All but KILL and STOP, and the two that the C library needs itself. */
  CHECK_INT(blocked | 1ull << 8 | 1ull << 18 | 1ull << 31 | 1ull << 32, ~0ull);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* The mapping in which the thread's stack pointer lies. */
CASE(its_stack_is_small) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = kept(p, H);
  char path[64], line[512] = "";
  unsigned long long pointer = 0, begin, end, size = 0;
  FILE *file;
  if (c == NULL) return;
  peer_sleep(50);
  snprintf(path, sizeof path, "/proc/self/task/%d/syscall", other_thread());
  file = fopen(path, "r");
  if (file == NULL || fgets(line, sizeof line, file) == NULL ||
      sscanf(line, "%*s %*s %*s %*s %*s %*s %*s %llx", &pointer) != 1)
    check_skip("this kernel does not show a thread's stack pointer");
  fclose(file);
  file = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "%llx-%llx", &begin, &end) == 2 && pointer >= begin && pointer < end) size = end - begin;
  fclose(file);
  CHECK_BETWEEN(size, 4096, 256 * 1024);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- others' threads ---- */

static void *destroy(void *connection) {
  amqp_destroy_connection(connection);
  return NULL;
}

CASE(another_thread_destroys_what_is_kept) {
  peer *p = peer_start(again_and_again, NULL), *q = peer_start(planned, &live);
  amqp_connection_state_t other = kept(q, H);
  int i, times = getenv("PULSE_PATIENCE") ? 5 : 60;
  if (other == NULL) return;
  for (i = 0; i < times; i++) {
    amqp_connection_state_t c = client_login(p, H);
    pthread_t thread;
    if (c == NULL) break;
    CHECK_STATUS(amqp_heartbeat_background(c, 1), AMQP_STATUS_OK);
    /* Every now and then when a heartbeat is just due. */
    peer_sleep(i % 10 == 9 ? H * 500 - H * 32 + i % 7 : i % 3);
    pthread_create(&thread, NULL, destroy, c);
    pthread_join(thread, NULL);
  }
  CHECK_INT(threads(), 2);
  amqp_destroy_connection(other);
  peer_stop(p);
  peer_stop(q);
}

typedef struct worker {
  amqp_connection_state_t connection;
  int sent;
} worker;

static void *publish_for_three_intervals(void *argument) {
  worker *w = argument;
  int64_t begun = peer_now();
  while (elapsed_milliseconds(begun) < 3 * H * 1000) {
    if (!CHECK_STATUS(client_publish(w->connection, 1, "x"), AMQP_STATUS_OK)) break;
    w->sent++;
    if (w->sent % 100 == 0) peer_sleep(w->sent % 1000 == 0 ? H * 500 : 3);
  }
  return NULL;
}

CASE(it_gets_in_nobodys_way) {
  peer *p = peer_start(planned, &live);
  worker w = {kept(p, H), 0};
  amqp_frame_t frame;
  pthread_t publisher;
  int status;
  if (w.connection == NULL) return;
  pthread_create(&publisher, NULL, publish_for_three_intervals, &w);
  status = amqp_simple_wait_frame_noblock(w.connection, &frame, client_seconds(3.5 * H));
  CHECK_STATUS(status, AMQP_STATUS_TIMEOUT);
  pthread_join(publisher, NULL);
  CHECK(amqp_basic_qos(w.connection, 1, 0, 1, 0) != NULL);   /* all that went before has arrived */
  CHECK_INT(peer_seen(p)->publishes, w.sent);
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(w.connection);
  peer_stop(p);
}

/* ---- fork and exit ---- */

static int in_child(void (*run)(peer *own, amqp_connection_state_t parents), peer *own, amqp_connection_state_t parents) {
  int status = -1;
  pid_t child;
  fflush(NULL);
  child = fork();
  if (child == 0) {
    run(own, parents);
    fflush(NULL);
    _exit(check_failures() != 0);
  }
  waitpid(child, &status, 0);
  return CHECK(WIFEXITED(status)) && CHECK_INT(WEXITSTATUS(status), 0);
}

static void child_keeps_its_own(peer *own, amqp_connection_state_t parents) {
  amqp_connection_state_t c;
  CHECK_INT(threads(), 1);
  amqp_destroy_connection(parents);   /* its copy of it */
  c = kept(own, H);
  if (c == NULL) return;
  CHECK_INT(threads(), 2);
  peer_sleep(2 * H * 1000);
  CHECK_BETWEEN(peer_seen(own)->heartbeats, 3, 6);
  amqp_destroy_connection(c);
  CHECK_INT(threads_become(1), 1);
}

CASE(a_child_leaves_its_parents_connections_alone) {
  peer *p = peer_start(planned, &live), *own = peer_start(planned, &live);
  amqp_connection_state_t c = kept(p, H);
  if (c == NULL) return;
  in_child(child_keeps_its_own, own, c);
  peer_sleep(2 * H * 1000);
  CHECK_BETWEEN(peer_seen(p)->longest_silence / 1000000, 300, H * 1000);
  CHECK_INT(peer_seen(p)->ended_at, 0);
  CHECK_STATUS(client_publish(c, 1, "x"), AMQP_STATUS_OK);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  amqp_destroy_connection(c);
  peer_stop(p);
  peer_stop(own);
}

static void child_destroys(peer *own, amqp_connection_state_t parents) {
  (void)own;
  alarm(5);   /* instead of for ever */
  amqp_destroy_connection(parents);
}

static int publishing; /* looked at by the thread that publishes */

static void *publish_until_told(void *connection) {
  static char octets[200000];
  amqp_bytes_t body = {sizeof octets, octets};
  while (__atomic_load_n(&publishing, __ATOMIC_RELAXED))
    if (!CHECK_STATUS(amqp_basic_publish(connection, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, body), 0)) break;
  return NULL;
}

CASE(a_child_destroys_what_a_thread_of_its_parent_was_publishing_on) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = kept(p, H);
  pthread_t publisher;
  int i;
  if (c == NULL) return;
  __atomic_store_n(&publishing, 1, __ATOMIC_RELAXED);
  pthread_create(&publisher, NULL, publish_until_told, c);
  for (i = 0; i < 60; i++)
    if (!in_child(child_destroys, NULL, c)) break;
  __atomic_store_n(&publishing, 0, __ATOMIC_RELAXED);
  pthread_join(publisher, NULL);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);   /* all that went before has arrived */
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void child_does_nothing(peer *own, amqp_connection_state_t parents) {
  (void)own, (void)parents;
  peer_sleep(3);
}

CASE(a_program_that_forks_all_the_time_is_kept) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = kept(p, H);
  int64_t begun;
  if (c == NULL) return;
  for (begun = peer_now(); elapsed_milliseconds(begun) < 3 * H * 1000;)
    if (!in_child(child_does_nothing, NULL, c)) break;
  CHECK_BETWEEN(peer_seen(p)->longest_silence / 1000000, 300, H * 1000);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void child_takes_over(peer *own, amqp_connection_state_t parents) {
  (void)own;
  CHECK_STATUS(amqp_heartbeat_background(parents, 1), AMQP_STATUS_OK);
  CHECK_INT(threads(), 2);
  peer_sleep(3 * H * 1000);
}

/* As a daemon does. */
CASE(a_child_may_take_over_what_its_parent_gives_up) {
  peer *p = peer_start(planned, &live);
  amqp_connection_state_t c = kept(p, H);
  if (c == NULL) return;
  CHECK_STATUS(amqp_heartbeat_background(c, 0), AMQP_STATUS_OK);
  in_child(child_takes_over, NULL, c);
  CHECK_BETWEEN(peer_seen(p)->heartbeats, 4, 9);
  CHECK_BETWEEN(peer_seen(p)->longest_silence / 1000000, 300, H * 1000);
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void end_at_death(amqp_connection_state_t connection, const char *line, void *code) {
  (void)connection;
  if (strstr(line, "peer dead") != NULL) exit(*(int *)code);
}

CASE(a_callback_that_it_calls_may_end_the_process) {
  int status = -1, code = 7;
  pid_t child;
  fflush(NULL);
  child = fork();
  if (child == 0) {
    peer *p = peer_start(planned, &dead);
    amqp_connection_state_t c = kept(p, H);
    alarm(10);   /* instead of for ever */
    if (c == NULL) _exit(1);
    amqp_heartbeat_trace(c, end_at_death, &code);
    for (;;) pause();
  }
  waitpid(child, &status, 0);
  if (CHECK(WIFEXITED(status))) CHECK_INT(WEXITSTATUS(status), code);
}

CASE(the_process_may_end_while_it_runs) {
  int i;
  for (i = 0; i < 6; i++) {
    peer *p = peer_start(planned, &live);
    int status = -1;
    pid_t child;
    fflush(NULL);
    child = fork();
    if (child == 0) {
      amqp_connection_state_t c = kept(p, H);
      if (c == NULL) exit(1);
      peer_sleep(H * 500 - H * 36 + i * 2);   /* about when a heartbeat is due */
      exit(check_failures() != 0);
    }
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    peer_stop(p);
  }
}

int main(int argc, char **argv) { return check_main(argc, argv); }
