/* SPDX-License-Identifier: MIT */

/**
 * @file amqp_ssl_socket.h
 * TLS, by OpenSSL, as the transport of a connection. Make the socket, say whom
 * to trust, then amqp_socket_open(), which makes the TLS handshake. The
 * broker's certificate and host name are verified unless turned off.
 *
 * All functions but the first and the last four take a socket of
 * amqp_ssl_socket_new(): with NULL or a TCP socket, status functions answer
 * AMQP_STATUS_INVALID_PARAMETER, pointer functions NULL, and void functions do
 * nothing. Files are in PEM form.
 */

#ifndef AMQP_SSL_H
#define AMQP_SSL_H

#include "amqp.h"

AMQP_BEGIN_DECLS

/**
 * Gives a connection a TLS socket, not open yet. A socket that the connection
 * had before is closed and freed.
 * @param state  the connection, which owns the socket
 * @return the socket, valid until the connection is destroyed or given another
 *         socket; NULL if state is NULL, there is no memory or OpenSSL fails
 */
AMQP_PUBLIC_FUNCTION
amqp_socket_t *AMQP_CALL amqp_ssl_socket_new(amqp_connection_state_t state);

/**
 * The OpenSSL context of a socket, for settings that have no function here.
 * @param self  the socket
 * @return an `SSL_CTX *` that the socket owns
 */
AMQP_PUBLIC_FUNCTION
void *AMQP_CALL amqp_ssl_socket_get_context(amqp_socket_t *self);

/* ===== Whom to trust ====================================================== */

/**
 * Trusts the certificate authorities of the system, where OpenSSL finds them.
 * @param self  the socket
 * @return AMQP_STATUS_OK; AMQP_STATUS_SSL_ERROR if they cannot be set;
 *         AMQP_STATUS_INVALID_PARAMETER
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_ssl_socket_enable_default_verify_paths(amqp_socket_t *self);

/**
 * Trusts the certificate authorities of a file, on top of those set before.
 * @param self    the socket
 * @param cacert  path of a file with one or more certificates
 * @return AMQP_STATUS_OK; AMQP_STATUS_SSL_ERROR if it cannot be loaded;
 *         AMQP_STATUS_INVALID_PARAMETER
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_ssl_socket_set_cacert(amqp_socket_t *self,
                                         const char *cacert);

/**
 * Turns both verifications on or off. Deprecated: use
 * amqp_ssl_socket_set_verify_peer() and amqp_ssl_socket_set_verify_hostname().
 * @param self    the socket
 * @param verify  1 on, 0 off
 */
AMQP_DEPRECATED(AMQP_PUBLIC_FUNCTION void AMQP_CALL amqp_ssl_socket_set_verify(
    amqp_socket_t *self, amqp_boolean_t verify));

/**
 * Turns the verification of the broker's certificate on or off: a broker
 * without one of a trusted authority is AMQP_STATUS_SSL_PEER_VERIFY_FAILED.
 * @param self    the socket
 * @param verify  1 on, which is the default; 0 off
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_ssl_socket_set_verify_peer(amqp_socket_t *self,
                                               amqp_boolean_t verify);

/**
 * Turns the verification of the host name on or off: a certificate for another
 * host is AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED. An IP address is compared
 * with the certificate's IP names; where it has none, with its DNS names and
 * CN.
 * @param self    the socket
 * @param verify  1 on, which is the default; 0 off
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_ssl_socket_set_verify_hostname(amqp_socket_t *self,
                                                   amqp_boolean_t verify);

/* ===== Proving who one is ================================================= */

/**
 * Sets the password of a private key that is encrypted; call it before the key
 * is set.
 * @param self    the socket
 * @param passwd  NUL-terminated, copied; NULL: none
 */
AMQP_PUBLIC_FUNCTION
void AMQP_CALL amqp_ssl_socket_set_key_passwd(amqp_socket_t *self,
                                              const char *passwd);

/**
 * Sets the client's certificate and private key.
 * @param self  the socket
 * @param cert  path of a file with the certificate, its chain after it
 * @param key   path of a file with the private key
 * @return AMQP_STATUS_OK; AMQP_STATUS_SSL_ERROR if one cannot be loaded or they
 *         do not belong together; AMQP_STATUS_INVALID_PARAMETER
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_ssl_socket_set_key(amqp_socket_t *self, const char *cert,
                                      const char *key);

/**
 * Sets the client's certificate and a private key that an OpenSSL engine keeps;
 * amqp_set_ssl_engine() comes first.
 * @param self  the socket
 * @param cert  path of a file with the certificate, its chain after it
 * @param key   the key's name in the engine
 * @return AMQP_STATUS_OK; AMQP_STATUS_SSL_ERROR if the engine has no such key
 *         or the certificate cannot be loaded; AMQP_STATUS_SSL_UNIMPLEMENTED if
 *         OpenSSL has no engines; AMQP_STATUS_INVALID_PARAMETER
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_ssl_socket_set_key_engine(amqp_socket_t *self,
                                             const char *cert, const char *key);

/**
 * Sets the client's certificate and a private key that is in memory.
 * @param self  the socket
 * @param cert  path of a file with the certificate, its chain after it
 * @param key   the private key in PEM form, of any kind; not kept
 * @param n     bytes of it
 * @return AMQP_STATUS_OK; AMQP_STATUS_SSL_ERROR if one cannot be loaded or they
 *         do not belong together; AMQP_STATUS_NO_MEMORY;
 *         AMQP_STATUS_INVALID_PARAMETER, also for more bytes than INT_MAX
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_ssl_socket_set_key_buffer(amqp_socket_t *self,
                                             const char *cert, const void *key,
                                             size_t n);

/* ===== TLS versions ======================================================= */

/** TLS versions. The first two are obsolete (RFC 8996) and not offered. */
typedef enum {
  AMQP_TLSv1 = 1,           /**< TLS 1.0 */
  AMQP_TLSv1_1 = 2,         /**< TLS 1.1 */
  AMQP_TLSv1_2 = 3,         /**< TLS 1.2 */
  AMQP_TLSv1_3 = 4,         /**< TLS 1.3 */
  AMQP_TLSvLATEST = 0xFFFF  /**< the newest that OpenSSL has */
} amqp_tls_version_t;

/**
 * Sets which TLS versions the handshake may agree on. Unless called: 1.2 and
 * later.
 * @param self  the socket
 * @param min   the oldest
 * @param max   the newest
 * @return AMQP_STATUS_OK; AMQP_STATUS_UNSUPPORTED for a version that is not
 *         offered; AMQP_STATUS_INVALID_PARAMETER if min is above max
 */
AMQP_PUBLIC_FUNCTION
int AMQP_CALL amqp_ssl_socket_set_ssl_versions(amqp_socket_t *self,
                                               amqp_tls_version_t min,
                                               amqp_tls_version_t max);

/* ===== The TLS library ==================================================== */

/**
 * Does nothing: OpenSSL initialises itself. Deprecated.
 * @param do_initialize  not looked at
 */
AMQP_DEPRECATED_EXPORT
void AMQP_CALL amqp_set_initialize_ssl_library(amqp_boolean_t do_initialize);

/**
 * Does nothing: OpenSSL initialises itself. Deprecated.
 * @return AMQP_STATUS_OK
 */
AMQP_DEPRECATED_EXPORT
int AMQP_CALL amqp_initialize_ssl_library(void);

/**
 * Chooses the OpenSSL engine that amqp_ssl_socket_set_key_engine() asks, for
 * the whole process.
 * @param engine  its id
 * @return AMQP_STATUS_OK; AMQP_STATUS_SSL_SET_ENGINE_FAILED if there is no such
 *         engine or it cannot be used; AMQP_STATUS_SSL_UNIMPLEMENTED if OpenSSL
 *         has no engines; AMQP_STATUS_INVALID_PARAMETER for NULL
 */
AMQP_PUBLIC_FUNCTION
int amqp_set_ssl_engine(const char *engine);

/**
 * Does nothing: OpenSSL cleans up by itself. Deprecated.
 * @return AMQP_STATUS_OK
 */
AMQP_DEPRECATED_EXPORT
int AMQP_CALL amqp_uninitialize_ssl_library(void);

AMQP_END_DECLS

#endif
