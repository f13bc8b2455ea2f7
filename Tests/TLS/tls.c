/* The beginnings of tls.h. */
#include "tls.h"

#include <sys/socket.h>

amqp_socket_t *tls_socket(amqp_connection_state_t connection) {
  amqp_socket_t *socket = amqp_ssl_socket_new(connection);
  if (!CHECK(socket != NULL)) return NULL;
  CHECK_STATUS(amqp_ssl_socket_set_cacert(socket, relay_file("ca.pem")), AMQP_STATUS_OK);
  CHECK_NO_ERROR_LEFT();
  return socket;
}

int tls_open(amqp_socket_t *socket, const char *host, int port) {
  int status = amqp_socket_open(socket, host, port);
  CHECK_NO_ERROR_LEFT();
  return status;
}

int tls_open_within(amqp_socket_t *socket, const char *host, int port, double seconds) {
  int status = amqp_socket_open_noblock(socket, host, port, client_seconds(seconds));
  CHECK_NO_ERROR_LEFT();
  return status;
}

behind behind_start(const relay_options *options, peer_script script, void *argument) {
  behind b;
  b.peer = peer_start(script, argument);
  b.relay = relay_start(options, peer_port(b.peer));
  return b;
}

void behind_stop(behind b) {
  relay_stop(b.relay);
  peer_stop(b.peer);
}

amqp_connection_state_t behind_open(behind b, int heartbeat) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  if (socket == NULL) return NULL;
  if (CHECK_STATUS(tls_open(socket, "localhost", relay_port(b.relay)), AMQP_STATUS_OK)) {
    amqp_rpc_reply_t reply =
        amqp_login(connection, "/", 0, 131072, heartbeat, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
    if (CHECK_INT(client_reply_status(reply), 0) && CHECK(amqp_channel_open(connection, 1) != NULL)) {
      CHECK_NO_ERROR_LEFT();
      return connection;
    }
  }
  amqp_destroy_connection(connection);
  return NULL;
}

void serve_script(peer_link *link, void *heartbeat) {
  peer_handshake(link, 0, 131072, (uint16_t)(intptr_t)heartbeat);
  peer_serve(link, PEER_LIVE, 60000);
}

unsigned char octet(size_t position) { return (unsigned char)(position * 2654435761u >> 13 ^ position >> 3); }

amqp_bytes_t filled(size_t size) {
  amqp_bytes_t body = amqp_bytes_malloc(size);
  size_t i;
  for (i = 0; i < size; i++) ((unsigned char *)body.bytes)[i] = octet(i);
  return body;
}

void check_body(const amqp_envelope_t *envelope, size_t size) {
  size_t i;
  if (!CHECK_INT(envelope->message.body.len, size)) return;
  for (i = 0; i < size && ((unsigned char *)envelope->message.body.bytes)[i] == octet(i); i++) continue;
  CHECK_INT(i, size);
}

void narrow(amqp_connection_state_t connection) {
  int size = 4096;
  CHECK(setsockopt(amqp_get_sockfd(connection), SOL_SOCKET, SO_SNDBUF, &size, sizeof size) == 0);
}
