/*
 * Heartbeats in the background for very many connections: what that costs, and that none is lost while the machine is busy.
 *
 * One peer serves them all, in a process of its own: it answers the handshake, beats, and notes who was silent for too long.
 * The program does nothing but compute, or sleep.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "keeper_support.h"

#define CONNECTIONS_MAX 5000

/* ---- the peer ---- */

/* What it has seen, shared with the program. */
typedef struct crowd_record {
  volatile int connected, lost, heartbeats, malformed;
  volatile int64_t longest_silence;   /* nanoseconds, since begun */
  volatile int64_t begun;
} crowd_record;

typedef struct client {
  int64_t received, sent;
  int stage;   /* answers of the handshake that were given */
} client;

static const uint8_t start_frame[] = {1, 0, 0, 0, 0, 0, 28, 0, 10, 0, 10, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5,
                                      'P', 'L', 'A', 'I', 'N', 0, 0, 0, 5, 'e', 'n', '_', 'U', 'S', 0xCE};
static const uint8_t open_ok_frame[] = {1, 0, 0, 0, 0, 0, 5, 0, 10, 0, 41, 0, 0xCE};
static const uint8_t heartbeat_frame[] = {8, 0, 0, 0, 0, 0, 0, 0xCE};

static void say(int fd, client *c, const uint8_t *bytes, size_t size) {
  if (send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size) c->sent = peer_now();
}

static void hear(int fd, client *c, crowd_record *seen, int heartbeat) {
  uint8_t tune_frame[] = {1, 0, 0, 0, 0, 0, 12, 0, 10, 0, 30, 0, 0, 0, 2, 0, 0, 0, (uint8_t)heartbeat, 0xCE};
  uint8_t bytes[4096];
  ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
  int64_t now = peer_now(), since = c->received > seen->begun ? c->received : seen->begun;
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) {
    if (seen->begun) seen->lost++;
    close(fd);
    c->stage = -1;
    return;
  }
  if (seen->begun && now - since > seen->longest_silence) seen->longest_silence = now - since;
  c->received = now;
  if (c->stage >= 3) {
    if (memcmp(bytes, heartbeat_frame, 8) == 0) seen->heartbeats++; else seen->malformed++;
    return;
  }
  switch (c->stage++) {
    case 0: say(fd, c, start_frame, sizeof start_frame); break;
    case 1: say(fd, c, tune_frame, sizeof tune_frame); break;
    default:   /* tune-ok, then open: in one piece or two */
      if (count == 20) c->stage--; else say(fd, c, open_ok_frame, sizeof open_ok_frame), seen->connected++;
  }
}

static void serve_crowd(int listener, crowd_record *seen, int heartbeat) {
  static struct pollfd entries[CONNECTIONS_MAX + 1];
  static client clients[CONNECTIONS_MAX + 1];
  int count = 1, i;
  entries[0] = (struct pollfd){listener, POLLIN, 0};
  for (;;) {
    int64_t now;
    poll(entries, (nfds_t)count, heartbeat * 50);
    now = peer_now();
    while (count <= CONNECTIONS_MAX) {
      int fd = accept(listener, NULL, NULL);
      if (fd < 0) break;
      entries[count] = (struct pollfd){fd, POLLIN, 0};
      clients[count] = (client){now, now, 0};
      count++;
    }
    for (i = 1; i < count; i++) {
      client *c = &clients[i];
      if (c->stage < 0) continue;
      if (entries[i].revents) hear(entries[i].fd, c, seen, heartbeat);
      if (c->stage < 0) entries[i].fd = -1;
      if (c->stage >= 3 && now - c->sent > heartbeat * 500000000ll) say(entries[i].fd, c, heartbeat_frame, 8);
    }
  }
}

static crowd_record *seen;
static pid_t crowd;

static int start_crowd(int heartbeat) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  bind(listener, (struct sockaddr *)&address, size);
  listen(listener, 4096);
  getsockname(listener, (struct sockaddr *)&address, &size);
  fflush(NULL);
  crowd = fork();
  if (crowd == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve_crowd(listener, seen, heartbeat);
  }
  close(listener);
  return ntohs(address.sin_port);
}

/* What was before does not count. */
static void begin(void) {
  seen->heartbeats = 0;
  seen->begun = peer_now();
}

static void stop_crowd(void) {
  kill(crowd, SIGKILL);
  waitpid(crowd, NULL, 0);
}

/* ---- the program ---- */

static amqp_connection_state_t connections[CONNECTIONS_MAX];

/* Opens that many. 0 when the limit of descriptors does not allow it. */
static int open_many(int port, int count, int heartbeat) {
  struct rlimit limit;
  int i;
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < (rlim_t)count + 50) return 0;
  for (i = 0; i < count; i++) {
    amqp_connection_state_t c = connections[i] = amqp_new_connection();
    if (amqp_socket_open(amqp_tcp_socket_new(c), "127.0.0.1", port) != AMQP_STATUS_OK ||
        amqp_heartbeat_background(c, 1) != AMQP_STATUS_OK ||
        amqp_login(c, "/", 0, 131072, heartbeat, AMQP_SASL_METHOD_PLAIN, "guest", "guest").reply_type != AMQP_RESPONSE_NORMAL) {
      CHECK(!"a connection");
      return i;
    }
  }
  return count;
}

static int close_many(int count) {
  int i, alive = 0;
  for (i = 0; i < count; i++) {
    alive += amqp_heartbeat_service(connections[i]) == AMQP_STATUS_OK;
    amqp_destroy_connection(connections[i]);
  }
  return alive;
}

static double cpu_seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int is_long(void) { return getenv("PULSE_LONG") && atoi(getenv("PULSE_LONG")); }

/* Per cent of one processor for `count` connections with this interval, all of them idle. */
static double cost(int count, int heartbeat, int seconds) {
  double before;
  int port;
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < (rlim_t)count + 50) check_skip("too few descriptors are allowed");
  /* The peer needs as many. */
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  port = start_crowd(heartbeat);
  CHECK_INT(open_many(port, count, heartbeat), count);
  CHECK_INT(threads(), 2);
  peer_sleep(heartbeat * 500);
  begin();
  before = cpu_seconds();
  peer_sleep(seconds * 1000);
  before = cpu_seconds() - before;
  CHECK_INT(seen->lost, 0);
  CHECK_INT(seen->malformed, 0);
  CHECK_BETWEEN(seen->heartbeats, count * (2 * seconds / heartbeat - 1), count * (5 * seconds / (2 * heartbeat) + 1));
  CHECK_BETWEEN(seen->longest_silence / 1000000, 0, heartbeat * 900);
  printf("%d connections, H = %d: %.2f %% of a processor, %d heartbeats in %d s, longest silence %d ms\n", count, heartbeat,
         100 * before / seconds, seen->heartbeats, seconds, (int)(seen->longest_silence / 1000000));
  seen->begun = 0;
  CHECK_INT(close_many(count), count);
  CHECK_INT(threads_become(1), 1);
  stop_crowd();
  return 100 * before / seconds;
}

CASE(two_hundred_connections) { CHECK(cost(200, 2, 4) < 1); }

/* As many heartbeats in a second as five thousand connections have with H = 10. Other work on the machine makes each of them
 * dearer: twice as dear passes here. */
CASE(a_thousand_connections) { CHECK(cost(1000, 2, 6) < 2); }

CASE(five_thousand_cost_less_than_a_hundredth_of_a_processor) {
  double best = 100;
  int i;
  if (!is_long()) check_skip("takes minutes: PULSE_LONG=1");
  check_allow_seconds(500);
  for (i = 0; i < 3 && best >= 1; i++) {
    double now = cost(5000, 10, 30);
    if (now < best) best = now;
  }
  CHECK(best < 1);
}

static void *burn(void *unused) {
  (void)unused;
  for (;;) continue;
  return NULL;
}

/* Every processor computes; nobody reads. */
CASE(none_is_lost_while_the_machine_is_busy) {
  enum { COUNT = 1000, INTERVAL = 5 };
  int seconds = is_long() ? 600 : 60, port, i;
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  struct rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max < COUNT + 50) check_skip("too few descriptors are allowed");
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  check_allow_seconds(seconds + 60);
  port = start_crowd(INTERVAL);
  CHECK_INT(open_many(port, COUNT, INTERVAL), COUNT);
  for (i = 0; i < processors; i++) {
    pthread_t thread;
    pthread_create(&thread, NULL, burn, NULL);
  }
  begin();
  peer_sleep(seconds * 1000);
  CHECK_INT(seen->lost, 0);
  CHECK_BETWEEN(seen->longest_silence / 1000000, 0, 2 * INTERVAL * 1000);
  printf("%d connections, H = %d, %ld processors computing for %d s: %d lost, longest silence %d ms\n", COUNT, INTERVAL,
         processors, seconds, seen->lost, (int)(seen->longest_silence / 1000000));
  seen->begun = 0;
  CHECK_INT(close_many(COUNT), COUNT);
  stop_crowd();
}

int main(int argc, char **argv) { return check_main(argc, argv); }
