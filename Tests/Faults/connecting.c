/*
 * Row 15 and what is settled about connecting. getaddrinfo is replaced in this program, so that a name can be slow or have
 * several addresses without a name server; a black hole is a listening socket whose queue is full: the kernel drops what comes.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"

/* slow.test answers after eight seconds; none.test never exists; A+B.test... are the addresses 127.0.0.A, 127.0.0.B, ... */

#define OURS 0x5EED0000

static struct addrinfo *address(int last, const char *service, struct addrinfo *next) {
  struct addrinfo *info = calloc(1, sizeof *info + sizeof(struct sockaddr_in));
  struct sockaddr_in *in = (struct sockaddr_in *)(info + 1);
  in->sin_family = AF_INET;
  in->sin_port = htons((uint16_t)(service ? atoi(service) : 0));
  in->sin_addr.s_addr = htonl(0x7F000000u + (unsigned)last);
  info->ai_flags = OURS;
  info->ai_family = AF_INET;
  info->ai_socktype = SOCK_STREAM;
  info->ai_protocol = IPPROTO_TCP;
  info->ai_addr = (struct sockaddr *)in;
  info->ai_addrlen = sizeof *in;
  info->ai_next = next;
  return info;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **result) {
  static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  struct addrinfo *list = NULL;
  int numbers[8], count = 0;
  if (name == NULL || strstr(name, ".test") == NULL) {
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    return real(name, service, hints, result);
  }
  if (hints != NULL && (hints->ai_flags & AI_NUMERICHOST)) return EAI_NONAME;
  if (strcmp(name, "slow.test") == 0) peer_sleep(8000);
  for (; *name >= '0' && *name <= '9' && count < 8; name += *name == '+') numbers[count++] = (int)strtol(name, (char **)&name, 10);
  if (count == 0) return EAI_NONAME;
  while (count > 0) list = address(numbers[--count], service, list);
  *result = list;
  return 0;
}

void freeaddrinfo(struct addrinfo *list) {
  static void (*real)(struct addrinfo *);
  if (list != NULL && list->ai_flags != OURS) {
    if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "freeaddrinfo");
    real(list);
    return;
  }
  while (list != NULL) {
    struct addrinfo *next = list->ai_next;
    free(list);
    list = next;
  }
}

static void black_hole(int last, int port) {
  struct sockaddr_in in;
  int listener = socket(AF_INET, SOCK_STREAM, 0), i;
  memset(&in, 0, sizeof in);
  in.sin_family = AF_INET;
  in.sin_port = htons((uint16_t)port);
  in.sin_addr.s_addr = htonl(0x7F000000u + (unsigned)last);
  if (!CHECK(bind(listener, (struct sockaddr *)&in, sizeof in) == 0) || !CHECK(listen(listener, 0) == 0)) return;
  for (i = 0; i < 64; i++) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct pollfd waiting = {fd, POLLOUT, 0};
    if (connect(fd, (struct sockaddr *)&in, sizeof in) != 0 && errno == EINPROGRESS && poll(&waiting, 1, 60) == 0) return;
  }
  check_skip("no connection can be made to hang on this machine");
}

static void ordinary(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) peer_serve(link, PEER_LIVE, 10000);
}

static int open_within(const char *host, int port, struct timeval *timeout, int64_t *milliseconds) {
  amqp_connection_state_t c = amqp_new_connection();
  amqp_socket_t *socket = amqp_tcp_socket_new(c);
  int64_t begun = peer_now();
  int status = amqp_socket_open_noblock(socket, host, port, timeout);
  *milliseconds = elapsed_milliseconds(begun);
  if (status == AMQP_STATUS_OK)
    CHECK_INT(client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest")), 0);
  amqp_destroy_connection(c);
  return status;
}

CASE(row15_the_timeout_covers_name_resolution) {
  int64_t took;
  CHECK_STATUS(open_within("slow.test", 5672, client_seconds(0.5), &took), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(took, 450, 3000);
}

CASE(row15_every_address_has_its_share_of_the_time) {
  peer *p = peer_start(ordinary, NULL);
  int64_t took;
  black_hole(2, peer_port(p));
  CHECK_STATUS(open_within("2+1.test", peer_port(p), client_seconds(2), &took), AMQP_STATUS_OK);
  CHECK_BETWEEN(took, 0, 2000);
  peer_stop(p);
}

CASE(row15_two_of_three_addresses_hang) {
  peer *p = peer_start(ordinary, NULL);
  int64_t took;
  black_hole(2, peer_port(p));
  black_hole(3, peer_port(p));
  CHECK_STATUS(open_within("2+3+1.test", peer_port(p), client_seconds(3), &took), AMQP_STATUS_OK);
  CHECK_BETWEEN(took, 0, 3000);
  peer_stop(p);
}

CASE(all_addresses_hang) {
  peer *p = peer_start(ordinary, NULL);
  int64_t took;
  black_hole(2, peer_port(p));
  black_hole(3, peer_port(p));
  CHECK_STATUS(open_within("2+3.test", peer_port(p), client_seconds(1), &took), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(took, 950, 3000);
  peer_stop(p);
}

CASE(a_refused_address_is_passed_over) {
  peer *p = peer_start(ordinary, NULL);
  int64_t took;
  CHECK_STATUS(open_within("9+8+1.test", peer_port(p), client_seconds(5), &took), AMQP_STATUS_OK);
  peer_stop(p);
}

CASE(all_addresses_refuse) {
  peer *p = peer_start(ordinary, NULL);
  int port = peer_port(p);
  int64_t took;
  peer_stop(p);
  CHECK_STATUS(open_within("8+9.test", port, client_seconds(5), &took), AMQP_STATUS_SOCKET_ERROR);
  CHECK_STATUS(open_within("8+9.test", port, NULL, &took), AMQP_STATUS_SOCKET_ERROR);
}

CASE(a_name_that_does_not_exist) {
  int64_t took;
  CHECK_STATUS(open_within("none.test", 5672, client_seconds(5), &took), AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED);
  CHECK_STATUS(open_within("none.test", 5672, NULL, &took), AMQP_STATUS_HOSTNAME_RESOLUTION_FAILED);
}

CASE(a_zero_timeout_is_one_attempt) {
  peer *p = peer_start(ordinary, NULL);
  int64_t took;
  int status;
  black_hole(2, peer_port(p));
  CHECK_STATUS(open_within("127.0.0.2", peer_port(p), client_seconds(0), &took), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(took, 0, 400);
  status = open_within("127.0.0.1", peer_port(p), client_seconds(0), &took);
  CHECK(status == AMQP_STATUS_OK || status == AMQP_STATUS_TIMEOUT);
  peer_stop(p);
}

CASE(row17_connect_timeout_of_thirty_days) {
  peer *p = peer_start(ordinary, NULL);
  int64_t took;
  CHECK_STATUS(open_within("127.0.0.1", peer_port(p), client_seconds(30.0 * 24 * 3600), &took), AMQP_STATUS_OK);
  peer_stop(p);
}

CASE(negative_connect_timeouts_are_invalid) {
  peer *p = peer_start(ordinary, NULL);
  struct timeval seconds = {-1, 0}, microseconds = {0, -1};
  int64_t took;
  CHECK_STATUS(open_within("127.0.0.1", peer_port(p), &seconds, &took), AMQP_STATUS_INVALID_PARAMETER);
  CHECK_STATUS(open_within("127.0.0.1", peer_port(p), &microseconds, &took), AMQP_STATUS_INVALID_PARAMETER);
  peer_stop(p);
}

CASE(a_second_open_says_in_use) {
  peer *p = peer_start(ordinary, NULL);
  amqp_connection_state_t c = client_connect(p);
  if (c == NULL) return;
  CHECK_STATUS(amqp_socket_open(amqp_get_socket(c), "127.0.0.1", peer_port(p)), AMQP_STATUS_SOCKET_INUSE);
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
