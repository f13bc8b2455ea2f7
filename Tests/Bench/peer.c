#define _GNU_SOURCE
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FRAME_METHOD = 1, FRAME_HEADER = 2, FRAME_BODY = 3, FRAME_END = 0xCE };
enum { FRAME_OVERHEAD = 8, FRAME_MAX = 131072 };
enum { CONNECTION = 10, CHANNEL = 20, BASIC = 60 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* --- Bytes to send: a growing buffer and the primitives of the wire. */

struct bytes {
  uint8_t *start;
  size_t count, room;
};

static void put(struct bytes *b, const void *from, size_t count) {
  if (b->count + count > b->room) {
    b->room = (b->count + count) * 2;
    b->start = realloc(b->start, b->room);
    if (!b->start) fail("realloc");
  }
  if (from) {
    memcpy(b->start + b->count, from, count);
  } else {
    memset(b->start + b->count, 'x', count);
  }
  b->count += count;
}

static void put_number(struct bytes *b, uint64_t value, int octets) {
  uint8_t big_endian[8];
  for (int i = 0; i < octets; i++) big_endian[i] = (uint8_t)(value >> (8 * (octets - 1 - i)));
  put(b, big_endian, (size_t)octets);
}

static void put_short_string(struct bytes *b, const char *text) {
  put_number(b, strlen(text), 1);
  put(b, text, strlen(text));
}

static void put_long_string(struct bytes *b, const char *text) {
  put_number(b, strlen(text), 4);
  put(b, text, strlen(text));
}

/* Where the frame started, for end_frame to fill in its size. */
static size_t begin_frame(struct bytes *b, int type, int channel) {
  size_t start = b->count;
  put_number(b, (uint64_t)type, 1);
  put_number(b, (uint64_t)channel, 2);
  put_number(b, 0, 4);
  return start;
}

static void end_frame(struct bytes *b, size_t start) {
  uint32_t size = htonl((uint32_t)(b->count - start - 7));
  memcpy(b->start + start + 3, &size, sizeof size);
  put_number(b, FRAME_END, 1);
}

static size_t begin_method(struct bytes *b, int channel, int class_id, int method_id) {
  size_t start = begin_frame(b, FRAME_METHOD, channel);
  put_number(b, (uint64_t)class_id, 2);
  put_number(b, (uint64_t)method_id, 2);
  return start;
}

static void put_delivery(struct bytes *b, size_t body_size) {
  size_t frame = begin_method(b, 1, BASIC, 60);
  put_short_string(b, "bench");
  put_number(b, 1, 8);
  put_number(b, 0, 1);
  put_short_string(b, "");
  put_short_string(b, "bench");
  end_frame(b, frame);

  frame = begin_frame(b, FRAME_HEADER, 1);
  put_number(b, BASIC, 2);
  put_number(b, 0, 2);
  put_number(b, body_size, 8);
  put_number(b, 0x9000, 2); /* content type and delivery mode */
  put_short_string(b, "text/plain");
  put_number(b, 2, 1);
  end_frame(b, frame);

  for (size_t done = 0; done < body_size;) {
    size_t part = body_size - done;
    if (part > FRAME_MAX - FRAME_OVERHEAD) part = FRAME_MAX - FRAME_OVERHEAD;
    frame = begin_frame(b, FRAME_BODY, 1);
    put(b, NULL, part);
    end_frame(b, frame);
    done += part;
  }
}

/* --- The socket. The client hanging up is how a benchmark ends, so it ends the process without complaint. */

static void send_all(int fd, const uint8_t *from, size_t count) {
  while (count > 0) {
    ssize_t n = send(fd, from, count, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(0);
    from += n;
    count -= (size_t)n;
  }
}

static void receive_all(int fd, uint8_t *to, size_t count) {
  while (count > 0) {
    ssize_t n = recv(fd, to, count, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) _exit(0);
    to += n;
    count -= (size_t)n;
  }
}

/* Class and method id of the next method frame; other frames are skipped. */
static uint32_t receive_method(int fd) {
  static uint8_t frame[FRAME_MAX];
  for (;;) {
    uint32_t size;
    receive_all(fd, frame, 7);
    memcpy(&size, frame + 3, sizeof size);
    size = ntohl(size);
    if (size + 1 > sizeof frame) _exit(1);
    receive_all(fd, frame + 7, size + 1);
    if (frame[0] == FRAME_METHOD && size >= 4) {
      return (uint32_t)frame[7] << 24 | (uint32_t)frame[8] << 16 | (uint32_t)frame[9] << 8 | frame[10];
    }
  }
}

static void expect(int fd, int class_id, int method_id) {
  uint32_t got = receive_method(fd), wanted = (uint32_t)class_id << 16 | (uint32_t)method_id;
  if (got != wanted) {
    fprintf(stderr, "peer: method %#x where %#x was expected\n", got, wanted);
    _exit(1);
  }
}

static void flush(int fd, struct bytes *b) {
  send_all(fd, b->start, b->count);
  b->count = 0;
}

static void let_in(int fd, struct bytes *b) {
  uint8_t protocol[8];
  size_t frame;
  receive_all(fd, protocol, sizeof protocol);
  if (memcmp(protocol, "AMQP\0\0\11\1", 8) != 0) _exit(1);

  frame = begin_method(b, 0, CONNECTION, 10); /* start */
  put_number(b, 0, 1);
  put_number(b, 9, 1);
  put_number(b, 0, 4);
  put_long_string(b, "PLAIN");
  put_long_string(b, "en_US");
  end_frame(b, frame);
  flush(fd, b);
  expect(fd, CONNECTION, 11);

  frame = begin_method(b, 0, CONNECTION, 30); /* tune */
  put_number(b, 2047, 2);
  put_number(b, FRAME_MAX, 4);
  put_number(b, 60, 2);
  end_frame(b, frame);
  flush(fd, b);
  expect(fd, CONNECTION, 31);

  expect(fd, CONNECTION, 40); /* open */
  frame = begin_method(b, 0, CONNECTION, 41);
  put_short_string(b, "");
  end_frame(b, frame);
  flush(fd, b);

  expect(fd, CHANNEL, 10); /* channel.open */
  frame = begin_method(b, 1, CHANNEL, 11);
  put_long_string(b, "");
  end_frame(b, frame);
  flush(fd, b);
}

/* --- The tasks. */

/* Never asleep inside recv while the client sends, so that no message pays for waking this process: it looks in every
 * 200 us, and takes all there is, unseen. */
static void discard(int fd) {
  const struct timespec pause = {0, 200000};
  static uint8_t unseen[4 << 20];
  for (;;) {
    ssize_t n = recv(fd, unseen, sizeof unseen, MSG_TRUNC | MSG_DONTWAIT);
    if (n == 0) _exit(0);
    if (n > 0) continue;
    if (errno == ECONNRESET) _exit(0);
    if (errno != EAGAIN && errno != EINTR) fail("peer: recv");
    nanosleep(&pause, NULL);
  }
}

static void deliver(int fd, struct bytes *b, size_t body_size, unsigned long deliveries) {
  size_t frame, one;
  unsigned long batch;
  expect(fd, BASIC, 20);
  frame = begin_method(b, 1, BASIC, 21);
  put_short_string(b, "bench");
  end_frame(b, frame);
  flush(fd, b);

  put_delivery(b, body_size);
  one = b->count;
  batch = (256 << 10) / one + 1;
  for (unsigned long i = 1; i < batch; i++) put_delivery(b, body_size);
  for (unsigned long done = 0; done < deliveries;) {
    unsigned long now = deliveries - done < batch ? deliveries - done : batch;
    send_all(fd, b->start, one * now);
    done += now;
  }
  discard(fd);
}

static void answer(int fd, struct bytes *b) {
  size_t frame = begin_method(b, 1, BASIC, 11);
  end_frame(b, frame);
  for (;;) {
    expect(fd, BASIC, 10);
    send_all(fd, b->start, b->count);
  }
}

/* One acknowledgement for each message, when its body is there. */
static void confirm(int fd, struct bytes *b) {
  static uint8_t buffer[FRAME_MAX + FRAME_OVERHEAD];
  for (uint64_t tag = 1;; tag++) {
    for (int type = 0; type != FRAME_BODY;) {
      uint32_t size;
      receive_all(fd, buffer, 7);
      type = buffer[0];
      memcpy(&size, buffer + 3, sizeof size);
      receive_all(fd, buffer, ntohl(size) + 1);
    }
    size_t frame = begin_method(b, 1, BASIC, 80);
    put_number(b, tag, 8);
    put_number(b, 0, 1);
    end_frame(b, frame);
    flush(fd, b);
  }
}

static int accept_one(int listener) {
  int yes = 1, fd = accept(listener, NULL, NULL);
  if (fd < 0) fail("accept");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return fd;
}

/* Connections without a channel, one after the other. */
static void welcome(int listener, struct bytes *b, unsigned long connections) {
  while (connections-- > 0) {
    int fd = accept_one(listener);
    let_in(fd, b);
    expect(fd, CONNECTION, 50); /* close */
    end_frame(b, begin_method(b, 0, CONNECTION, 51));
    flush(fd, b);
    close(fd);
  }
}

/* All of them open until the last one hangs up. */
static void keep(int listener, struct bytes *b, unsigned long connections) {
  uint8_t octet;
  int fd = -1;
  while (connections-- > 0) {
    fd = accept_one(listener);
    let_in(fd, b);
  }
  receive_all(fd, &octet, 1);
}

static void serve(int listener, enum peer_task task, size_t body_size, unsigned long deliveries) {
  struct bytes b = {NULL, 0, 0};
  int fd;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  prctl(PR_SET_TIMERSLACK, 1);
  if (task == PEER_WELCOME) return welcome(listener, &b, deliveries);
  if (task == PEER_KEEP) return keep(listener, &b, deliveries);
  fd = accept_one(listener);
  let_in(fd, &b);
  switch (task) {
    case PEER_DISCARD: discard(fd); break;
    case PEER_DELIVER: deliver(fd, &b, body_size, deliveries); break;
    case PEER_ANSWER: answer(fd, &b); break;
    case PEER_CONFIRM: confirm(fd, &b); break;
    case PEER_WELCOME:
    case PEER_KEEP: break;
  }
}

struct peer peer_start(enum peer_task task, size_t body_size, unsigned long deliveries) {
  struct peer peer;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int window = 8 << 20; /* inherited by the connection; without privileges the system's limit holds */
  if (setsockopt(listener, SOL_SOCKET, SO_RCVBUFFORCE, &window, sizeof window) != 0) {
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
  }
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 64) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
    fail("listen");
  }
  peer.port = ntohs(address.sin_port);
  peer.process = fork();
  if (peer.process < 0) fail("fork");
  if (peer.process == 0) {
    serve(listener, task, body_size, deliveries);
    _exit(0);
  }
  close(listener);
  return peer;
}

void peer_wait(struct peer peer) {
  int status;
  while (waitpid(peer.process, &status, 0) < 0 && errno == EINTR) {
  }
}
