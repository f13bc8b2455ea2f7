/* The sessions of forced.c over TLS, each behind a relay that begins and ends outside of what is forced. */
#include "../Faults/forced.h"
#include "tls.h"

static relay *current;

void before_session(int port) {
  static const relay_options options;
  current = relay_start(&options, port);
}

void after_session(void) { relay_stop(current); }

int client_open_otherwise(amqp_connection_state_t connection, int port) {
  amqp_socket_t *socket = tls_socket(connection);
  (void)port;
  return socket == NULL ? AMQP_STATUS_NO_MEMORY : tls_open(socket, "localhost", relay_port(current));
}
