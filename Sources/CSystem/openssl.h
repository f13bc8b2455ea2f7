// What Swift cannot import of OpenSSL: macros that stand for calls of SSL_ctrl, constants of another type than the
// parameter they are for, and the engines, which OpenSSL 3 deprecates and OpenSSL 4 has no more.
#ifndef PULSE_OPENSSL_H
#define PULSE_OPENSSL_H

// The engine functions are called on purpose: programs that keep keys in one do so by this library's interface.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#ifndef OPENSSL_NO_ENGINE
#include <openssl/engine.h>
#endif

enum {
  system_tls_1_2 = TLS1_2_VERSION,
  system_tls_1_3 = TLS1_3_VERSION,
  system_tls_record_octets = SSL3_RT_MAX_PLAIN_LENGTH
};

// --- the context

static inline int system_tls_set_least(SSL_CTX *context, int version) {
  return (int)SSL_CTX_set_min_proto_version(context, version);
}

static inline int system_tls_set_greatest(SSL_CTX *context, int version) {
  return (int)SSL_CTX_set_max_proto_version(context, version);
}

// Writing may end after a record, and its source may lie elsewhere when it is taken up again. A read takes what is there
// instead of first the header and then the rest of a record.
static inline void system_tls_prepare(SSL_CTX *context) {
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_read_ahead(context, 1);
}

// --- the connection

static inline int system_tls_name_server(SSL *ssl, const char *name) {
  return (int)SSL_set_tlsext_host_name(ssl, name);
}

static inline int system_tls_has_ended(const SSL *ssl) { return (SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN) != 0; }

// --- the stream below it

enum { system_bio_flush = BIO_CTRL_FLUSH, system_bio_kind = BIO_TYPE_SOURCE_SINK };

static inline void system_bio_retry_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void system_bio_retry_write(BIO *bio) { BIO_set_retry_write(bio); }
static inline void system_bio_no_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

// --- certificates

// The password as the callback's own argument: OpenSSL's callback takes it as the answer, and asks at the terminal without.
static inline EVP_PKEY *system_key_from_memory(const void *text, int count, pem_password_cb *callback, void *argument) {
  BIO *memory = BIO_new_mem_buf(text, count);
  EVP_PKEY *key;
  if (memory == NULL) return NULL;
  key = PEM_read_bio_PrivateKey(memory, NULL, callback, argument);
  BIO_free(memory);
  return key;
}

// Whether the certificate names any IP address.
static inline int system_certificate_has_addresses(const X509 *certificate) {
  GENERAL_NAMES *names = (GENERAL_NAMES *)X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
  int index, found = 0;
  for (index = 0; !found && index < sk_GENERAL_NAME_num(names); index++) {
    found = sk_GENERAL_NAME_value(names, index)->type == GEN_IPADD;
  }
  GENERAL_NAMES_free(names);
  return found;
}

enum {
  system_host_whole_wildcards = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
  system_host_no_wildcards = X509_CHECK_FLAG_NO_WILDCARDS
};

// --- engines

#ifndef OPENSSL_NO_ENGINE

enum { system_has_engines = 1 };

// An engine that is ready for use, or NULL.
static inline void *system_engine_start(const char *name) {
  ENGINE *engine;
  ENGINE_load_builtin_engines();
  engine = ENGINE_by_id(name);
  if (engine == NULL) return NULL;
  if (ENGINE_init(engine)) {
    if (ENGINE_set_default(engine, ENGINE_METHOD_ALL)) {
      ENGINE_free(engine);
      return engine;
    }
    ENGINE_finish(engine);
  }
  ENGINE_free(engine);
  return NULL;
}

static inline void system_engine_finish(void *engine) { ENGINE_finish((ENGINE *)engine); }

static inline EVP_PKEY *system_engine_key(void *engine, const char *name) {
  return ENGINE_load_private_key((ENGINE *)engine, name, NULL, NULL);
}

#else

enum { system_has_engines = 0 };
static inline void *system_engine_start(const char *name) { return (void)name, NULL; }
static inline void system_engine_finish(void *engine) { (void)engine; }
static inline EVP_PKEY *system_engine_key(void *engine, const char *name) { return (void)engine, (void)name, NULL; }

#endif

#endif
