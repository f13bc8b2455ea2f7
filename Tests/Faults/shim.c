/* The stand-ins of shim.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

const shim_plan shim_nothing = {SHIM_CALLS, -1, 0, 0, 0, -1, -1};

static shim_plan plan;
static pid_t planned_in;   /* 0: nothing is planned */
static long counts[SHIM_CALLS], octets_in, octets_out;
static int has_failed;

void shim_begin(const shim_plan *what) {
  plan = *what;
  memset(counts, 0, sizeof counts);
  octets_in = octets_out = has_failed = 0;
  planned_in = getpid();
}

void shim_end(void) { planned_in = 0; }
long shim_count(shim_call call) { return counts[call]; }
long shim_octets_in(void) { return octets_in; }
long shim_octets_out(void) { return octets_out; }
int shim_failed(void) { return has_failed; }

/* By way of memcpy, because ISO C has no conversion from void * to a function. */
#define REAL(name, pointer)                          \
  do {                                               \
    void *found = dlsym(RTLD_NEXT, name);            \
    if (found == NULL) abort();                      \
    memcpy(&(pointer), &found, sizeof found);        \
  } while (0)

static int is_watched(void) { return planned_in != 0 && planned_in == getpid(); }

static int fails(shim_call call) {
  if (!is_watched()) return 0;
  if (counts[call]++ != plan.index || plan.call != call) return 0;
  has_failed = 1;
  errno = plan.error;
  return 1;
}

/* How much of `size` may move now; -1: the stream stands at the octet where it fails, once. */
static long allowed(size_t size, size_t most, long at, long moved) {
  if (most > 0 && size > most) size = most;
  if (at < 0 || has_failed || moved > at) return (long)size;
  if (moved == at) {
    has_failed = 1;
    errno = plan.error;
    return -1;
  }
  return (long)size < at - moved ? (long)size : at - moved;
}

ssize_t recv(int fd, void *room, size_t size, int flags) {
  static ssize_t (*real)(int, void *, size_t, int);
  ssize_t count;
  long some = (long)size;
  if (real == NULL) REAL("recv", real);
  if (fails(SHIM_RECV)) return plan.error == 0 ? 0 : -1;
  if (is_watched()) some = allowed(size, plan.most_in, plan.at_in, octets_in);
  if (some < 0) return plan.error == 0 ? 0 : -1;
  count = real(fd, room, (size_t)some, flags);
  if (is_watched() && count > 0 && !(flags & MSG_PEEK)) octets_in += count;
  return count;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags) {
  static ssize_t (*real)(int, const void *, size_t, int);
  ssize_t count;
  long some = (long)size;
  if (real == NULL) REAL("send", real);
  if (fails(SHIM_SEND)) return -1;
  if (is_watched()) some = allowed(size, plan.most_out, plan.at_out, octets_out);
  if (some < 0) return -1;
  count = real(fd, bytes, (size_t)some, flags);
  if (is_watched() && count > 0) octets_out += count;
  return count;
}

/* What may move of several pieces is sent from the first that has any. */
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  static ssize_t (*real)(int, const struct msghdr *, int);
  size_t size = 0, i;
  ssize_t count;
  if (real == NULL) REAL("sendmsg", real);
  if (fails(SHIM_SENDMSG)) return -1;
  for (i = 0; i < message->msg_iovlen; i++) size += message->msg_iov[i].iov_len;
  if (is_watched()) {
    long some = allowed(size, plan.most_out, plan.at_out, octets_out);
    if (some < 0) return -1;
    if ((size_t)some < size) {
      struct iovec pieces[64];
      struct msghdr part = *message;
      size_t left = (size_t)some;
      for (i = 0; i < message->msg_iovlen && i < 64 && left > 0; i++) {
        pieces[i] = message->msg_iov[i];
        if (pieces[i].iov_len > left) pieces[i].iov_len = left;
        left -= pieces[i].iov_len;
      }
      part.msg_iov = pieces;
      part.msg_iovlen = i;
      count = real(fd, &part, flags);
      if (count > 0) octets_out += count;
      return count;
    }
  }
  count = real(fd, message, flags);
  if (is_watched() && count > 0) octets_out += count;
  return count;
}

int ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout, const sigset_t *mask) {
  static int (*real)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
  if (real == NULL) REAL("ppoll", real);
  return fails(SHIM_POLL) ? -1 : real(entries, count, timeout, mask);
}

/* Older libraries wait by this one. */
int poll(struct pollfd *entries, nfds_t count, int timeout) {
  static int (*real)(struct pollfd *, nfds_t, int);
  if (real == NULL) REAL("poll", real);
  return fails(SHIM_POLL) ? -1 : real(entries, count, timeout);
}

/* A signal interrupts the caller alone: the connect goes on. */
int connect(int fd, const struct sockaddr *address, socklen_t size) {
  static int (*real)(int, const struct sockaddr *, socklen_t);
  if (real == NULL) REAL("connect", real);
  if (!fails(SHIM_CONNECT)) return real(fd, address, size);
  if (plan.error == EINTR) real(fd, address, size);
  errno = plan.error;
  return -1;
}

int socket(int family, int type, int protocol) {
  static int (*real)(int, int, int);
  if (real == NULL) REAL("socket", real);
  return fails(SHIM_SOCKET) ? -1 : real(family, type, protocol);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
  static int (*real)(int, int, int, const void *, socklen_t);
  if (real == NULL) REAL("setsockopt", real);
  return fails(SHIM_SETSOCKOPT) ? -1 : real(fd, level, name, value, size);
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
  static int (*real)(int, int, int, void *, socklen_t *);
  if (real == NULL) REAL("getsockopt", real);
  return fails(SHIM_GETSOCKOPT) ? -1 : real(fd, level, name, value, size);
}

/* ---- memory: the C library's own names for what stands behind ours ---- */

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static long live;

static void *counted(void *block) {
  if (block != NULL) __atomic_add_fetch(&live, 1, __ATOMIC_RELAXED);
  return block;
}

long shim_live(void) { return __atomic_load_n(&live, __ATOMIC_RELAXED); }

void *malloc(size_t size) { return fails(SHIM_ALLOCATION) ? NULL : counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return fails(SHIM_ALLOCATION) ? NULL : counted(__libc_calloc(count, size)); }

void *realloc(void *old, size_t size) {
  void *block;
  if (fails(SHIM_ALLOCATION)) return NULL;
  block = __libc_realloc(old, size);
  return old == NULL ? counted(block) : block;
}

int posix_memalign(void **block, size_t alignment, size_t size) {
  if (fails(SHIM_ALLOCATION)) return ENOMEM;
  *block = counted(__libc_memalign(alignment, size));
  return *block == NULL ? ENOMEM : 0;
}

void free(void *block) {
  if (block != NULL) __atomic_sub_fetch(&live, 1, __ATOMIC_RELAXED);
  __libc_free(block);
}
