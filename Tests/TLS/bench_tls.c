/* Linked with Tests/Bench/bench.c: the same workloads over TLS 1.3. The relay is another process, so it is not counted. */
#define _GNU_SOURCE
#include <amqp.h>
#include <amqp_ssl_socket.h>
#include <sched.h>
#include <unistd.h>

#include "relay.h"

int bench_open_tls(amqp_connection_state_t connection, int port) {
  relay_options options = {.version = 13, .roomy = 1, .certificate = "server"};
  amqp_socket_t *socket = amqp_ssl_socket_new(connection);
  cpu_set_t ours, others;
  relay *r;
  if (socket == NULL) return -1;
  /* With the peer, on the processor that is not the client's. */
  sched_getaffinity(0, sizeof ours, &ours);
  CPU_ZERO(&others);
  CPU_SET(1, &others);
  if (CPU_COUNT(&ours) == 1) sched_setaffinity(0, sizeof others, &others);
  r = relay_start(&options, port);
  sched_setaffinity(0, sizeof ours, &ours);
  amqp_ssl_socket_set_cacert(socket, relay_file("ca.pem"));
  return amqp_socket_open(socket, "localhost", relay_port(r));
}
