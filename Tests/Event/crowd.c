/* The peer of crowd.h: one epoll loop, a few octets of memory per client, answers that are the same for everybody. */
#include "crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 65536, PIECE = 8192 };

static struct client {
  int64_t heard;
  uint16_t kept;        /* octets of a frame that is not whole yet */
  uint8_t logged_in, began;
  uint8_t partial[1024];
} *clients[CLIENTS_MAX];
static int epoll, heartbeat;
static crowd_record *seen;

static void fail(const char *what) {
  perror(what);
  _exit(90);
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void leave(int fd) {
  if (clients[fd] == NULL) return;
  seen->open--;
  free(clients[fd]);
  clients[fd] = NULL;
  close(fd);
}

static void say(int fd, uint16_t channel, uint32_t method, const void *arguments, size_t size) {
  uint8_t frame[256] = {1, (uint8_t)(channel >> 8), (uint8_t)channel, 0, 0, 0, (uint8_t)(size + 4)};
  frame[7] = (uint8_t)(method >> 24), frame[8] = (uint8_t)(method >> 16), frame[9] = (uint8_t)(method >> 8);
  frame[10] = (uint8_t)method;
  if (size > 0) memcpy(frame + 11, arguments, size);
  frame[11 + size] = 0xCE;
  if (send(fd, frame, size + 12, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)size + 12) leave(fd);
}

static void beat(int fd) {
  static const uint8_t frame[8] = {8, 0, 0, 0, 0, 0, 0, 0xCE};
  if (send(fd, frame, 8, MSG_NOSIGNAL | MSG_DONTWAIT) != 8) leave(fd);
}

static void answer(int fd, uint32_t method) {
  uint8_t tune[8] = {0x07, 0xFF, 0, 2, 0, 0, (uint8_t)(heartbeat >> 8), (uint8_t)heartbeat};
  switch (method) {
    case 10 << 16 | 11: say(fd, 0, 10 << 16 | 30, tune, 8); break;
    case 10 << 16 | 40:
      clients[fd]->logged_in = 1;
      seen->logged_in++;
      say(fd, 0, 10 << 16 | 41, "", 1);
      break;
    case 10 << 16 | 50:
      seen->closed_well++;
      say(fd, 0, 10 << 16 | 51, NULL, 0);
      break;
    default: break;
  }
}

/* One client's octets: whole frames are answered, the rest is kept. */
static void hear(int fd) {
  static const char start[] = "\0\11\0\0\0\0\0\0\0\5PLAIN\0\0\0\5en_US";
  uint8_t bytes[PIECE];
  struct client *c = clients[fd];
  size_t at = 0, count = c->kept;
  ssize_t n;
  memcpy(bytes, c->partial, count);
  n = recv(fd, bytes + count, sizeof bytes - count, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    leave(fd);
    return;
  }
  count += (size_t)n;
  c->heard = now();
  if (!c->began && count >= 8) {
    c->began = 1;
    at = 8;
    say(fd, 0, 10 << 16 | 10, start, sizeof start - 1);
  }
  while (c->began && clients[fd] == c && count - at >= 8) {
    size_t size = (size_t)bytes[at + 3] << 24 | (size_t)bytes[at + 4] << 16 | (size_t)bytes[at + 5] << 8 | bytes[at + 6];
    const uint8_t *p = bytes + at + 7;
    if (count - at < size + 8) break;
    if (bytes[at] == 8) seen->heartbeats++;
    if (bytes[at] == 1) answer(fd, (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]);
    at += size + 8;
  }
  if (clients[fd] != c) return;
  c->kept = (uint16_t)(count - at);
  if (count - at > sizeof c->partial)
    leave(fd);
  else
    memcpy(c->partial, bytes + at, count - at);
}

static void take_in(int listener) {
  int fd, yes = 1;
  while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (fd >= CLIENTS_MAX || (clients[fd] = calloc(1, sizeof **clients)) == NULL) fail("a client");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    clients[fd]->heard = now();
    seen->accepted++;
    seen->open++;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
  }
}

static void serve(int listener) {
  struct epoll_event events[256], listening = {.events = EPOLLIN, .data.fd = listener};
  int64_t next_beat = now() + heartbeat * 500;
  int i, n;
  epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening) != 0) fail("epoll_ctl");
  for (;;) {
    int64_t left = heartbeat == 0 ? -1 : next_beat - now();
    n = epoll_wait(epoll, events, 256, left < 0 && heartbeat > 0 ? 0 : (int)left);
    for (i = 0; i < n; i++) {
      if (events[i].data.fd == listener)
        take_in(listener);
      else if (clients[events[i].data.fd] != NULL)
        hear(events[i].data.fd);
    }
    if (heartbeat == 0 || now() < next_beat) continue;
    next_beat += heartbeat * 500;
    for (i = 0; i < CLIENTS_MAX; i++) {
      if (clients[i] == NULL || !clients[i]->logged_in) continue;
      if (now() - clients[i]->heard > heartbeat * 2000) {
        seen->cut_for_silence++;
        leave(i);
      } else {
        beat(i);
      }
    }
  }
}

crowd crowd_start(int heartbeat_seconds) {
  crowd c;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  struct rlimit limit;
  pid_t parent = getpid();
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  heartbeat = heartbeat_seconds;
  seen = c.record = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (listener < 0 || seen == MAP_FAILED || bind(listener, (struct sockaddr *)&address, size) != 0 ||
      listen(listener, 4096) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    fail("listen");
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  c.port = ntohs(address.sin_port);
  fflush(NULL);
  c.process = fork();
  if (c.process < 0) fail("fork");
  if (c.process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(91);
    serve(listener);
  }
  close(listener);
  return c;
}

void crowd_freeze(crowd c) { kill(c.process, SIGSTOP); }

void crowd_stop(crowd c) {
  kill(c.process, SIGKILL);
  waitpid(c.process, NULL, 0);
  munmap(c.record, sizeof *c.record);
}
