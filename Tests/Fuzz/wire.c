/* The socket pair of wire.h. */
#include "wire.h"

#include <amqp_tcp_socket.h>
#include <sys/socket.h>
#include <unistd.h>

/* start (PLAIN, en_US), tune (2047, 4096, 0), open-ok; then channel.open-ok on 1. */
static const char handshake[] =
    "\1\0\0\0\0\0\x1C\0\x0A\0\x0A\0\x09\0\0\0\0\0\0\0\5PLAIN\0\0\0\5en_US\xCE"
    "\1\0\0\0\0\0\x0C\0\x0A\0\x1E\x07\xFF\0\0\x10\0\0\0\xCE"
    "\1\0\0\0\0\0\5\0\x0A\0\x29\0\xCE"
    "\1\0\1\0\0\0\x08\0\x14\0\x0B\0\0\0\0\xCE";

static void say(int broker, const void *bytes, size_t size) {
  require(size == 0 || send(broker, bytes, size, MSG_NOSIGNAL) == (ssize_t)size, "the socket pair is too small");
}

void wire_say(int broker, amqp_bytes_t bytes, int with_handshake) {
  if (with_handshake) say(broker, handshake, sizeof handshake - 1);
  say(broker, bytes.bytes, bytes.len);
  shutdown(broker, SHUT_WR);
}

wire wire_with(amqp_bytes_t bytes, int with_handshake) {
  wire w = {amqp_new_connection(), -1};
  amqp_socket_t *socket = amqp_tcp_socket_new(w.connection);
  int ends[2];
  require(socket != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "no socket pair");
  wire_say(ends[1], bytes, with_handshake);
  amqp_tcp_socket_set_sockfd(socket, ends[0]);
  w.broker = ends[1];
  return w;
}

void wire_drain(const wire *w) {
  static char sink[1 << 16];
  while (recv(w->broker, sink, sizeof sink, MSG_DONTWAIT) > 0) continue;
}

void wire_end(wire *w) {
  require_equal(amqp_destroy_connection(w->connection), AMQP_STATUS_OK, "destroying");
  close(w->broker);
}
