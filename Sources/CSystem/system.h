// libc, libevent and, in openssl.h, OpenSSL as one Clang module: two modules over them clash on `fd_set`.
//
// The inline functions and constants stand for what Swift cannot import: macros without a plain value, anonymous
// enumerations, errno, variadic functions, and what glibc declares under _GNU_SOURCE alone.
#ifndef PULSE_CSYSTEM_H
#define PULSE_CSYSTEM_H

// First: libevent's configuration defines _GNU_SOURCE, which must not change half of the headers below.
#include <features.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// Declared by poll.h under _GNU_SOURCE alone.
extern int ppoll(struct pollfd *descriptors, nfds_t count, const struct timespec *timeout, const sigset_t *signals);

// Likewise by pthread.h.
extern int pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock, const struct timespec *deadline);

// Likewise by stdlib.h.
extern char *secure_getenv(const char *name);

static inline int system_errno(void) { return errno; }

// To append lines to; a pipe without a reader is refused instead of waited for.
static inline int system_open_for_lines(const char *path) {
  return open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, S_IRUSR | S_IWUSR);
}

// The same file under a number that no program closes twice by mistake; under any where so many are not allowed.
static inline int system_duplicate_high(int descriptor) {
  const int high = fcntl(descriptor, F_DUPFD_CLOEXEC, 200);
  return high >= 0 ? high : fcntl(descriptor, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
}

static const int system_message_look = MSG_DONTWAIT;
static const int system_message_peek = MSG_DONTWAIT | MSG_PEEK;
static const int system_message_send = MSG_DONTWAIT | MSG_NOSIGNAL;

static const int system_socket_stream = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK;
static const int system_socket_type = SOCK_STREAM;
static const int system_protocol_tcp = IPPROTO_TCP;
static const int system_shut_both = SHUT_RDWR;

static const short system_poll_in = POLLIN;
static const short system_poll_out = POLLOUT;
static const short system_poll_peer_closed = 0x2000; // POLLRDHUP, which is declared under _GNU_SOURCE alone
static const short system_poll_invalid = POLLNVAL;

static const int system_wakeup_flags = EFD_CLOEXEC | EFD_NONBLOCK;

static const int system_thread_detached = PTHREAD_CREATE_DETACHED;

// Bytes that the kernel has received and nobody has read yet; negative where it cannot say.
static inline int system_unread(int descriptor) {
  int count = 0;
  return ioctl(descriptor, FIONREAD, &count) == 0 ? count : -1;
}

// Memory accounting of a socket: [0] bytes charged to the receive buffer, [1] its limit. Linux 4.12.
#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
static const int system_so_meminfo = SO_MEMINFO;

// struct tcp_info of the kernel grows; glibc's declaration stops in the middle. The receive window that was last offered to
// the peer came with Linux 6.2, at this offset on every architecture.
enum { system_tcp_info_room = 256, system_tcp_info_receive_window = 232 };

#endif
