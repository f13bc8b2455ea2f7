/* Linked into a program of other cases: they run over TLS, each peer behind a relay. TLS_VERSION=12 or 13 settles which. */
#include <stdlib.h>

#include "tls.h"

int client_open_otherwise(amqp_connection_state_t connection, int port) {
  const char *version = getenv("TLS_VERSION");
  relay_options options = {.version = version ? atoi(version) : 0};
  relay *r = relay_start(&options, port);   /* ends with this process */
  amqp_socket_t *socket = tls_socket(connection);
  return socket == NULL ? AMQP_STATUS_NO_MEMORY : tls_open(socket, "localhost", relay_port(r));
}
