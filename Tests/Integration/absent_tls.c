/* The TLS functions that Debian's amqp-tools refer to. The tools are linked so that every name must be found before
   they start, even for a connection without TLS. While the library under test has no TLS, this object lends them the
   names, by LD_PRELOAD; nothing here is ever called over TCP. */
#include <amqp.h>
#include <stdlib.h>

amqp_socket_t *amqp_ssl_socket_new(amqp_connection_state_t state);
int amqp_ssl_socket_set_cacert(amqp_socket_t *socket, const char *path);
int amqp_ssl_socket_set_key(amqp_socket_t *socket, const char *certificate, const char *key);

amqp_socket_t *amqp_ssl_socket_new(amqp_connection_state_t state) {
  (void)state;
  abort();
}

int amqp_ssl_socket_set_cacert(amqp_socket_t *socket, const char *path) {
  (void)socket;
  (void)path;
  abort();
}

int amqp_ssl_socket_set_key(amqp_socket_t *socket, const char *certificate, const char *key) {
  (void)socket;
  (void)certificate;
  (void)key;
  abort();
}
