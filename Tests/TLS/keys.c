/* Proving who one is: client certificates and private keys of every kind, from files, from memory and from an engine. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls.h"

enum { GOOD = AMQP_STATUS_OK, REFUSED = AMQP_STATUS_SSL_ERROR, INVALID = AMQP_STATUS_INVALID_PARAMETER };

static size_t contents(const char *path, char *text, size_t room) {
  FILE *file = fopen(path, "r");
  size_t size = file ? fread(text, 1, room, file) : 0;
  if (file) fclose(file);
  return size;
}

typedef struct {
  const char *certificate, *key, *password;
  int expected;
} pair;

static const pair pairs[] = {
    {"client-rsa.pem", "client-rsa.key", NULL, GOOD},
    {"client-rsa.pem", "client-rsa-traditional.key", NULL, GOOD},
    {"client-ec.pem", "client-ec.key", NULL, GOOD},
    {"client-ed25519.pem", "client-ed25519.key", NULL, GOOD},
    {"client-chained.pem", "client-chained.key", NULL, GOOD},
    {"client-rsa.pem", "client-rsa-encrypted.key", "a-password", GOOD},
    {"client-ec.pem", "client-ec-encrypted.key", "a-password", GOOD},
    {"client-rsa.pem", "client-rsa-encrypted.key", "another", REFUSED},
    {"client-rsa.pem", "client-ec.key", NULL, REFUSED},
    {"client-ec.pem", "server.key", NULL, REFUSED},
    {"client-ec.pem", "client-ec.pem", NULL, REFUSED},
    {"client-ec.key", "client-ec.key", NULL, REFUSED},
    {"missing.pem", "client-ec.key", NULL, REFUSED},
    {"client-ec.pem", "missing.key", NULL, REFUSED},
};

/* In a world without a terminal: OpenSSL must have nobody to ask for a password. */
static int set(amqp_socket_t *socket, const pair *p, int from_memory) {
  char text[8192], password[32];
  size_t size = contents(relay_file(p->key), text, sizeof text);
  int status;
  if (p->password != NULL) {
    /* Copied: the caller's memory may be gone by the time the key is read. */
    snprintf(password, sizeof password, "%s", p->password);
    amqp_ssl_socket_set_key_passwd(socket, password);
    memset(password, 'x', sizeof password - 1);
  }
  status = from_memory ? amqp_ssl_socket_set_key_buffer(socket, relay_file(p->certificate), text, size)
                       : amqp_ssl_socket_set_key(socket, relay_file(p->certificate), relay_file(p->key));
  CHECK_NO_ERROR_LEFT();
  return status;
}

static void use(const pair *p, relay *r, int from_memory) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  int before = relay_seen(r)->handshakes, tries, status = set(socket, p, from_memory);
  if (status != p->expected) printf("  %s with %s, %s:\n", p->certificate, p->key, from_memory ? "memory" : "file");
  if (CHECK_STATUS(status, p->expected) && status == GOOD) {
    CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), GOOD);
    for (tries = 0; tries < 200 && relay_seen(r)->handshakes == before; tries++) peer_sleep(5);
    CHECK_TEXT(relay_seen(r)->client_name, "tls-client");
  }
  amqp_destroy_connection(connection);
}

static void use_all(int from_memory) {
  static const int versions[] = {12, 13};
  size_t i, v;
  setsid();
  for (v = 0; v < 2; v++) {
    relay_options options = {.asks_client = 1, .version = versions[v]};
    relay *r = relay_start(&options, 9);
    for (i = 0; i < sizeof pairs / sizeof *pairs; i++) use(&pairs[i], r, from_memory);
    relay_stop(r);
  }
}

CASE(every_key_from_a_file) { use_all(0); }
CASE(every_key_from_memory) { use_all(1); }

CASE(a_key_buffer_need_not_end) {
  char *text = malloc(8192), *exact;
  size_t size = contents(relay_file("client-ec.key"), text, 8192);
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  exact = malloc(size);
  memcpy(exact, text, size);
  CHECK_STATUS(amqp_ssl_socket_set_key_buffer(socket, relay_file("client-ec.pem"), exact, size), GOOD);
  CHECK_STATUS(amqp_ssl_socket_set_key_buffer(socket, relay_file("client-ec.pem"), exact, size / 2), REFUSED);
  CHECK_STATUS(amqp_ssl_socket_set_key_buffer(socket, relay_file("client-ec.pem"), exact, 0), REFUSED);
  CHECK_STATUS(amqp_ssl_socket_set_key_buffer(socket, relay_file("client-ec.pem"), exact, (size_t)INT_MAX + 1), INVALID);
  CHECK_STATUS(amqp_ssl_socket_set_key_buffer(socket, relay_file("client-ec.pem"), exact, SIZE_MAX), INVALID);
  CHECK_STATUS(amqp_ssl_socket_set_key_buffer(socket, relay_file("client-ec.pem"), NULL, 0), INVALID);
  CHECK_NO_ERROR_LEFT();
  free(exact);
  free(text);
  amqp_destroy_connection(connection);
}

/* TLS 1.3 tells the client only after it believes to be connected; either way nothing but an error code comes of it. */
CASE(a_broker_that_asks_in_vain) {
  static const int versions[] = {12, 13};
  int v;
  for (v = 0; v < 2; v++) {
    relay_options options = {.asks_client = 1, .version = versions[v]};
    behind b = behind_start(&options, serve_script, NULL);
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = tls_socket(connection);
    int status = tls_open(socket, "localhost", relay_port(b.relay));
    if (status == GOOD)
      status = client_reply_status(amqp_login(connection, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
    CHECK(status < 0);
    CHECK_STATUS(status, versions[v] == 12 ? AMQP_STATUS_SSL_CONNECTION_FAILED : AMQP_STATUS_SSL_ERROR);
    CHECK_NO_ERROR_LEFT();
    CHECK_INT(relay_seen(b.relay)->handshakes, 0);
    amqp_destroy_connection(connection);
    behind_stop(b);
  }
}

CASE(engines) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  const char *certificate = relay_file("client-ec.pem");
  int status;
  CHECK_STATUS(amqp_ssl_socket_set_key_engine(NULL, certificate, "a-key"), INVALID);
  CHECK_STATUS(amqp_ssl_socket_set_key_engine(socket, NULL, "a-key"), INVALID);
  CHECK_STATUS(amqp_ssl_socket_set_key_engine(socket, certificate, NULL), INVALID);
  CHECK_STATUS(amqp_set_ssl_engine(NULL), INVALID);
  status = amqp_set_ssl_engine("no-such-engine");
  CHECK_NO_ERROR_LEFT();
  if (status == AMQP_STATUS_SSL_UNIMPLEMENTED) check_skip("OpenSSL has no engines");
  CHECK_STATUS(status, AMQP_STATUS_SSL_SET_ENGINE_FAILED);
  CHECK_STATUS(amqp_ssl_socket_set_key_engine(socket, certificate, "a-key"), REFUSED);
  status = amqp_set_ssl_engine("dynamic");
  CHECK_NO_ERROR_LEFT();
  CHECK(status == GOOD || status == AMQP_STATUS_SSL_SET_ENGINE_FAILED);
  CHECK_STATUS(amqp_ssl_socket_set_key_engine(socket, certificate, "a-key"), REFUSED);
  CHECK_NO_ERROR_LEFT();
  amqp_destroy_connection(connection);
}

/* Nothing, and a socket of the other class: a status code, NULL, or no effect. */
CASE(wrong_sockets) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *sockets[2] = {NULL, amqp_tcp_socket_new(connection)}, *tls;
  const char *certificate = relay_file("client-ec.pem"), *key = relay_file("client-ec.key");
  int i, both[2];
  CHECK(amqp_ssl_socket_new(NULL) == NULL);
  for (i = 0; i < 2; i++) {
    amqp_socket_t *s = sockets[i];
    CHECK(amqp_ssl_socket_get_context(s) == NULL);
    CHECK_STATUS(amqp_ssl_socket_enable_default_verify_paths(s), INVALID);
    CHECK_STATUS(amqp_ssl_socket_set_cacert(s, relay_file("ca.pem")), INVALID);
    CHECK_STATUS(amqp_ssl_socket_set_key(s, certificate, key), INVALID);
    CHECK_STATUS(amqp_ssl_socket_set_key_engine(s, certificate, "a-key"), INVALID);
    CHECK_STATUS(amqp_ssl_socket_set_key_buffer(s, certificate, "key", 3), INVALID);
    CHECK_STATUS(amqp_ssl_socket_set_ssl_versions(s, AMQP_TLSv1_2, AMQP_TLSvLATEST), INVALID);
    amqp_ssl_socket_set_key_passwd(s, "a-password");
    amqp_ssl_socket_set_verify(s, 0);
    amqp_ssl_socket_set_verify_peer(s, 0);
    amqp_ssl_socket_set_verify_hostname(s, 0);
  }
  tls = amqp_ssl_socket_new(connection);
  CHECK_STATUS(amqp_ssl_socket_set_cacert(tls, NULL), INVALID);
  CHECK_STATUS(amqp_ssl_socket_set_cacert(tls, relay_file("missing.pem")), REFUSED);
  CHECK_STATUS(amqp_ssl_socket_set_cacert(tls, certificate), GOOD);
  CHECK_STATUS(amqp_ssl_socket_set_key(tls, NULL, key), INVALID);
  CHECK_STATUS(amqp_ssl_socket_set_key(tls, certificate, NULL), INVALID);
  CHECK_STATUS(amqp_ssl_socket_set_key_buffer(tls, NULL, key, 3), INVALID);
  amqp_ssl_socket_set_key_passwd(tls, NULL);
  CHECK(pipe(both) == 0);
  amqp_tcp_socket_set_sockfd(tls, both[0]);   /* no TLS socket can take over a descriptor */
  CHECK_INT(amqp_socket_get_sockfd(tls), -1);
  CHECK_INT(amqp_get_sockfd(connection), -1);
  CHECK_NO_ERROR_LEFT();
  amqp_destroy_connection(connection);
  CHECK(fcntl(both[0], F_GETFD) >= 0);
}

CASE(the_rest_of_the_header) {
  amqp_set_initialize_ssl_library(1);
  amqp_set_initialize_ssl_library(0);
  CHECK_STATUS(amqp_initialize_ssl_library(), GOOD);
  CHECK_STATUS(amqp_uninitialize_ssl_library(), GOOD);
  CHECK_STATUS(amqp_initialize_ssl_library(), GOOD);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
