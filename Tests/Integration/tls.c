/* What only a broker with TLS shows. The rest of a run with --tls is every other case over TLS. */
#define _GNU_SOURCE
#include <amqp_ssl_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support.h"

static const char *file(const char *name) {
  static char paths[4][500];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof paths[0], "%s/%s", getenv("INTEGRATION_TLS"), name);
  return path;
}

/* With the certificate and key NAME.pem and NAME.key, or none. `version` 12, 13 or 0. */
static amqp_connection_state_t connected_as(const char *name, int version) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = amqp_ssl_socket_new(connection);
  char certificate[64], key[64];
  REQUIRE(socket != NULL);
  REQUIRE_OK(amqp_ssl_socket_set_cacert(socket, file("ca.pem")));
  if (name != NULL) {
    snprintf(certificate, sizeof certificate, "%s.pem", name);
    snprintf(key, sizeof key, "%s.key", name);
    REQUIRE_OK(amqp_ssl_socket_set_key(socket, file(certificate), file(key)));
  }
  if (version != 0) {
    amqp_tls_version_t only = version == 12 ? AMQP_TLSv1_2 : (amqp_tls_version_t)4;
    REQUIRE_OK(amqp_ssl_socket_set_ssl_versions(socket, only, only));
  }
  REQUIRE_OK(amqp_socket_open(socket, "localhost", broker_port));
  return connection;
}

static amqp_rpc_reply_t login_external(amqp_connection_state_t connection, const char *identity) {
  return amqp_login(connection, "/", 0, AMQP_DEFAULT_FRAME_SIZE, 0, AMQP_SASL_METHOD_EXTERNAL, identity);
}

/* Publishes to a queue of its own and gets it back. */
static void prove_service(amqp_connection_state_t connection) {
  amqp_bytes_t queue;
  amqp_envelope_t envelope;
  REQUIRE(amqp_channel_open(connection, 1) != NULL);
  queue = own_queue(connection, 1);
  start_consumer(connection, 1, queue, 1);
  publish(connection, 1, queue, amqp_cstring_bytes("by certificate"));
  consume(connection, &envelope);
  REQUIRE(bytes_equal(envelope.message.body, "by certificate"));
  amqp_destroy_envelope(&envelope);
  amqp_bytes_free(queue);
  farewell(connection);
}

/* The name comes from the certificate: nothing else is sent. */
static void external_login(void) {
  static const char *const kinds[] = {"client-rsa", "client-ec", "client-ed25519"};
  static const int versions[] = {12, 13};
  size_t kind, version;
  for (version = 0; version < 2; ++version) {
    for (kind = 0; kind < 3; ++kind) {
      amqp_connection_state_t connection;
      /* This broker's TLS 1.2 knows no Ed25519. */
      if (versions[version] == 12 && strcmp(kinds[kind], "client-ed25519") == 0) continue;
      connection = connected_as(kinds[kind], versions[version]);
      REQUIRE_REPLY(login_external(connection, kind == 0 ? "" : "tls-client"));
      prove_service(connection);
    }
  }
}

/* PLAIN under a certificate, and without one. */
static void plain_login(void) {
  static const char *const kinds[] = {NULL, "client-ec"};
  static const int versions[] = {12, 13};
  size_t kind, version;
  for (version = 0; version < 2; ++version) {
    for (kind = 0; kind < 2; ++kind) {
      amqp_connection_state_t connection = connected_as(kinds[kind], versions[version]);
      REQUIRE_REPLY(login(connection, "/", "guest"));
      prove_service(connection);
    }
  }
}

/* No certificate, no name. Whoever is not offered EXTERNAL hears it from the library, else from the broker. */
static void external_login_without_a_certificate(void) {
  amqp_connection_state_t connection = connected_as(NULL, 0);
  amqp_rpc_reply_t reply = login_external(connection, "");
  REQUIRE(reply.reply_type != AMQP_RESPONSE_NORMAL);
  REQUIRE_OK(amqp_destroy_connection(connection));
}

/* A certificate of an authority that the broker does not trust: never a login. */
static void untrusted_certificate(void) {
  static const int versions[] = {12, 13};
  size_t version;
  for (version = 0; version < 2; ++version) {
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = amqp_ssl_socket_new(connection);
    amqp_tls_version_t only = versions[version] == 12 ? AMQP_TLSv1_2 : (amqp_tls_version_t)4;
    int status;
    REQUIRE_OK(amqp_ssl_socket_set_cacert(socket, file("ca.pem")));
    REQUIRE_OK(amqp_ssl_socket_set_key(socket, file("other.pem"), file("other.key")));
    REQUIRE_OK(amqp_ssl_socket_set_ssl_versions(socket, only, only));
    status = amqp_socket_open(socket, "localhost", broker_port);
    if (status == AMQP_STATUS_OK) {
      REQUIRE(login_external(connection, "").reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION);
    } else {
      REQUIRE_EQUAL(status, AMQP_STATUS_SSL_CONNECTION_FAILED);
    }
    REQUIRE_OK(amqp_destroy_connection(connection));
  }
}

/* A body of 16 MB there and back, octet by octet. */
static void sixteen_megabytes(void) {
  static const int versions[] = {12, 13};
  const size_t size = 16u << 20;
  size_t version, i;
  amqp_bytes_t body = amqp_bytes_malloc(size);
  for (i = 0; i < size; ++i) ((unsigned char *)body.bytes)[i] = (unsigned char)(i * 2654435761u >> 11);
  for (version = 0; version < 2; ++version) {
    amqp_connection_state_t connection = connected_as("client-ec", versions[version]);
    amqp_bytes_t queue;
    amqp_envelope_t envelope;
    REQUIRE_REPLY(login(connection, "/", "guest"));
    REQUIRE(amqp_channel_open(connection, 1) != NULL);
    queue = own_queue(connection, 1);
    start_consumer(connection, 1, queue, 1);
    publish(connection, 1, queue, body);
    consume(connection, &envelope);
    REQUIRE_EQUAL(envelope.message.body.len, size);
    REQUIRE(memcmp(envelope.message.body.bytes, body.bytes, size) == 0);
    amqp_destroy_envelope(&envelope);
    amqp_bytes_free(queue);
    farewell(connection);
  }
  amqp_bytes_free(body);
}

const struct test_case tls_cases[] = {
    {"tls_external_login", "tls", 1, external_login},
    {"tls_plain_login", "tls", 1, plain_login},
    {"tls_external_login_without_a_certificate", "tls", 1, external_login_without_a_certificate},
    {"tls_untrusted_certificate", "tls", 1, untrusted_certificate},
    {"tls_sixteen_megabytes", "tls", 0, sixteen_megabytes},
    {NULL, NULL, 0, NULL},
};
