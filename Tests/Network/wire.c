/* A bad wire between two network namespaces: every packet is late by so much, and of each connection every so manieth is lost.
 *
 * Type:     wire NEAR FAR PROCESS DELAY-MILLISECONDS LOSS-EVERY
 *
 * Makes the interface NEAR in the namespace that it is started in and FAR in the namespace of PROCESS, and carries Ethernet
 * frames between them until it is killed. Good at first, bad from SIGUSR1 on. What is late and lost are real packets, so the
 * retransmissions are the kernel's own.
 * The loss is counted, not thrown dice for: what is sent again arrives, and a run is like the next.
 * Prints `ready` when both interfaces are there (the caller gives them addresses); ends with 77 where the kernel has no TAP. */
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE /* for setns */
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { frame_limit_octets = 2048, queue_limit_frames = 1024, connections = 4096, code_skipped = 77 };

struct frame {
  int64_t due_microseconds;
  size_t length;
  uint8_t octets[frame_limit_octets];
};

/* What has passed of one connection in one direction, and the sequence number of what was lost last. */
struct traffic {
  unsigned seen;
  uint32_t lost;
};

/* One direction: frames that are under way, first in first out. */
struct direction {
  int from, to;
  unsigned first, count;
  struct traffic traffic[connections];
  struct frame frames[queue_limit_frames];
};

static volatile sig_atomic_t bad;

static int64_t now_microseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

static int open_interface(const char *name) {
  struct ifreq request;
  int descriptor = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (descriptor < 0) {
    perror("/dev/net/tun");
    exit(code_skipped);
  }
  memset(&request, 0, sizeof request);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (ioctl(descriptor, TUNSETIFF, &request) != 0) {
    perror(name);
    exit(code_skipped);
  }
  return descriptor;
}

static void enter_namespace_of(const char *process) {
  char path[64];
  int descriptor;
  snprintf(path, sizeof path, "/proc/%s/ns/net", process);
  descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 || setns(descriptor, CLONE_NEWNET) != 0) {
    perror(path);
    exit(1);
  }
  close(descriptor);
}

static unsigned number_at(const uint8_t *octets) { return (unsigned)octets[0] << 8 | octets[1]; }

/* Whether it is the turn of this frame to be lost. Only packets of TCP over IPv4 are, and never again the one that was lost last:
 * what is sent again after so many others would fall victim to the count each time. The ports tell connections apart, and not all
 * begin to lose at once. */
static int is_lost(struct direction *direction, const uint8_t *octets, size_t length, unsigned loss_every) {
  const uint8_t *header = octets + 14 + 4 * (size_t)(octets[14] & 15);
  struct traffic *traffic;
  unsigned connection;
  uint32_t sequence;
  if (length < 54 || number_at(octets + 12) != 0x0800 || octets[23] != 6 || header + 20 > octets + length) return 0;
  connection = (number_at(header) + number_at(header + 2)) % connections;
  sequence = (uint32_t)number_at(header + 4) << 16 | number_at(header + 6);
  traffic = &direction->traffic[connection];
  if (traffic->seen > 0 && (int32_t)(sequence - traffic->lost) <= 0) return 0;
  if (traffic->seen == 0) traffic->lost = sequence - 1;
  if ((++traffic->seen + connection) % loss_every != 0) return 0;
  traffic->lost = sequence;
  return 1;
}

static void turn_bad(int number) {
  (void)number;
  bad = 1;
}

static void take(struct direction *direction, int64_t delay_microseconds, unsigned loss_every) {
  for (;;) {
    struct frame *frame = &direction->frames[(direction->first + direction->count) % queue_limit_frames], lost;
    int full = direction->count == queue_limit_frames;
    uint8_t *octets = full ? lost.octets : frame->octets;
    ssize_t length = read(direction->from, octets, frame_limit_octets);
    if (length <= 0) return;
    if (full || (bad && is_lost(direction, octets, (size_t)length, loss_every))) continue;
    frame->length = (size_t)length;
    frame->due_microseconds = now_microseconds() + (bad ? delay_microseconds : 0);
    direction->count++;
  }
}

/* Hands over what is due, and says in how many milliseconds the next frame will be: -1 when none is under way. */
static int deliver(struct direction *direction) {
  while (direction->count > 0) {
    struct frame *frame = &direction->frames[direction->first];
    int64_t left = frame->due_microseconds - now_microseconds();
    if (left > 0) return (int)((left + 999) / 1000);
    /* A frame that the other side does not take is lost, as on any wire. */
    if (write(direction->to, frame->octets, frame->length) < 0 && errno != EIO && errno != EAGAIN) perror("write");
    direction->first = (direction->first + 1) % queue_limit_frames;
    direction->count--;
  }
  return -1;
}

static int sooner(int one, int other) { return one < 0 || (other >= 0 && other < one) ? other : one; }

int main(int argc, char **argv) {
  static struct direction there, back;
  const struct sigaction on_bad = {.sa_handler = turn_bad};
  int64_t delay_microseconds;
  unsigned loss_every;
  int wait;

  if (argc != 6 || (loss_every = (unsigned)atoi(argv[5])) == 0) {
    fprintf(stderr, "wire NEAR FAR PROCESS DELAY-MILLISECONDS LOSS-EVERY\n");
    return 2;
  }
  delay_microseconds = atoi(argv[4]) * INT64_C(1000);
  there.from = back.to = open_interface(argv[1]);
  enter_namespace_of(argv[3]);
  there.to = back.from = open_interface(argv[2]);
  sigaction(SIGUSR1, &on_bad, NULL);
  puts("ready");
  fflush(stdout);
  for (;;) {
    struct pollfd ends[2] = {{.fd = there.from, .events = POLLIN}, {.fd = back.from, .events = POLLIN}};
    wait = sooner(deliver(&there), deliver(&back));
    if (poll(ends, 2, wait) < 0 && errno != EINTR) return 1;
    take(&there, delay_microseconds, loss_every);
    take(&back, delay_microseconds, loss_every);
  }
}
