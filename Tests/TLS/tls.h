/* What the TLS cases begin with: a TLS socket of the library under test, and a relay in front of a scripted peer. */
#ifndef TLS_H
#define TLS_H

#include <amqp_ssl_socket.h>
#include <openssl/err.h>

#include "check.h"
#include "client.h"
#include "peer.h"
#include "relay.h"

#pragma weak amqp_ssl_socket_enable_default_verify_paths

/* A TLS socket that trusts the authority of the tests, not open yet. */
amqp_socket_t *tls_socket(amqp_connection_state_t connection);
/* Opens it, and checks that nothing is left in OpenSSL's queue of errors. */
int tls_open(amqp_socket_t *socket, const char *host, int port);
int tls_open_within(amqp_socket_t *socket, const char *host, int port, double seconds);
/* Every call of the library must leave OpenSSL's queue of errors empty. */
#define CHECK_NO_ERROR_LEFT() CHECK_INT(ERR_peek_error(), 0)

/* A peer that does a handshake with the heartbeat and serves until it is stopped, behind a relay. */
typedef struct behind {
  peer *peer;
  relay *relay;
} behind;
behind behind_start(const relay_options *options, peer_script script, void *argument);
void behind_stop(behind b);
/* Connected and logged in to it, channel 1 open. NULL after a failed CHECK. */
amqp_connection_state_t behind_open(behind b, int heartbeat);
void serve_script(peer_link *link, void *heartbeat);   /* argument: (void *)(intptr_t)seconds */

/* Bodies of which every octet is known. */
unsigned char octet(size_t position);
amqp_bytes_t filled(size_t size);   /* to be freed */
void check_body(const amqp_envelope_t *envelope, size_t size);
/* Gives the connection a send buffer so small that hardly a record goes out in one piece. */
void narrow(amqp_connection_state_t connection);

#endif
