/*
 * Who may be at the other end: every kind of certificate, with each verification on and off. A broker that fails is never
 * connected to, and the code says what failed.
 */
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <dlfcn.h>

#include "tls.h"

enum { GOOD = AMQP_STATUS_OK, PEER = AMQP_STATUS_SSL_PEER_VERIFY_FAILED, HOST = AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED,
       FAILED = AMQP_STATUS_SSL_CONNECTION_FAILED };

/* Every name that ends in .test is this machine, and so is localhost with the dot of an absolute name. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
  int (*next)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
      (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
  size_t length = host ? strlen(host) : 0;
  int is_ours = length > 5 && (strcmp(host + length - 5, ".test") == 0 || strcasecmp(host, "localhost.") == 0);
  if (is_ours && !(hints->ai_flags & AI_NUMERICHOST)) host = "127.0.0.1";
  return next(host, service, hints, found);
}

/* What both verifications say, then the peer's alone, then the host's alone. */
static const struct row {
  const char *certificate, *host;
  int both, peer_only, host_only;
} rows[] = {
    {"server", "localhost", GOOD, GOOD, GOOD},
    {"server", "127.0.0.1", GOOD, GOOD, GOOD},
    {"server", "localhost.", GOOD, GOOD, GOOD},
    {"server", "LOCALHOST", GOOD, GOOD, GOOD},
    {"server", "elsewhere.test", HOST, GOOD, HOST},
    {"server-rsa", "localhost", GOOD, GOOD, GOOD},
    {"chained", "localhost", GOOD, GOOD, GOOD},
    {"other", "localhost", PEER, PEER, GOOD},
    {"self-signed", "localhost", PEER, PEER, GOOD},
    {"self-signed", "elsewhere.test", PEER, PEER, HOST},
    {"expired", "localhost", PEER, PEER, GOOD},
    {"expired", "elsewhere.test", PEER, PEER, HOST},
    {"for-clients", "localhost", PEER, PEER, GOOD},
    {"revoked", "localhost", GOOD, GOOD, GOOD},   /* no list of the revoked was given */
    {"wrong-host", "localhost", HOST, GOOD, HOST},
    {"wrong-host", "127.0.0.1", HOST, GOOD, HOST},
    {"wrong-host", "elsewhere.test", GOOD, GOOD, GOOD},
    {"wildcard", "one.wild.test", GOOD, GOOD, GOOD},
    {"wildcard", "wild.test", HOST, GOOD, HOST},
    {"wildcard", "one.two.wild.test", HOST, GOOD, HOST},
    {"wildcard", "onewild.test", HOST, GOOD, HOST},
    {"partial-wildcard", "broker.wild.test", HOST, GOOD, HOST},
    {"common-name", "localhost", GOOD, GOOD, GOOD},
    {"common-name-besides", "localhost", HOST, GOOD, HOST},
    {"address-as-dns", "127.0.0.1", GOOD, GOOD, GOOD},
    {"address-as-common-name", "127.0.0.1", GOOD, GOOD, GOOD},
    {"other-address", "127.0.0.1", HOST, GOOD, HOST},
    {"address-wildcard", "127.0.0.1", HOST, GOOD, HOST},
};

static void verify(const struct row *row, relay *r, int peer_on, int host_on, int expected, const char *what) {
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  int status, handshakes = relay_seen(r)->handshakes;
  amqp_ssl_socket_set_verify_peer(socket, peer_on);
  amqp_ssl_socket_set_verify_hostname(socket, host_on);
  status = tls_open(socket, row->host, relay_port(r));
  if (status != expected)
    printf("  %s for %s, %s verified: %s\n", row->certificate, row->host, what, amqp_error_string2(status));
  CHECK_STATUS(status, expected);
  CHECK((amqp_get_sockfd(connection) >= 0) == (expected == GOOD));
  CHECK((amqp_socket_get_sockfd(socket) >= 0) == (expected == GOOD));
  if (expected == GOOD) {
    int tries;
    for (tries = 0; tries < 200 && relay_seen(r)->handshakes == handshakes; tries++) peer_sleep(5);
    CHECK_INT(relay_seen(r)->handshakes, handshakes + 1);
  }
  amqp_destroy_connection(connection);
}

CASE(every_certificate_with_every_verification) {
  size_t i, step = getenv("PULSE_FEW") ? 5 : 1;
  check_allow_seconds(120);
  for (i = 0; i < sizeof rows / sizeof *rows; i += step) {
    relay_options options = {.certificate = rows[i].certificate};
    relay *r = relay_start(&options, 9);
    verify(&rows[i], r, 1, 1, rows[i].both, "both");
    verify(&rows[i], r, 1, 0, rows[i].peer_only, "the peer");
    verify(&rows[i], r, 0, 1, rows[i].host_only, "the host");
    verify(&rows[i], r, 0, 0, GOOD, "nothing");
    relay_stop(r);
  }
}

CASE(nobody_is_trusted_unless_told) {
  relay *r = relay_start(NULL, 9);
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = amqp_ssl_socket_new(connection);
  CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), PEER);
  /* The same socket, told better: a failed open leaves it as new. */
  CHECK_STATUS(amqp_ssl_socket_set_cacert(socket, relay_file("ca.pem")), GOOD);
  CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), GOOD);
  CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), AMQP_STATUS_SOCKET_INUSE);
  amqp_destroy_connection(connection);
  relay_stop(r);
}

CASE(authorities_add_up) {
  relay_options options = {.certificate = "other"};
  relay *r = relay_start(&options, 9);
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  CHECK_STATUS(amqp_ssl_socket_set_cacert(socket, relay_file("other-ca.pem")), GOOD);
  CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), GOOD);
  amqp_destroy_connection(connection);
  relay_stop(r);
}

CASE(default_paths) {
  relay *r = relay_start(NULL, 9);
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = amqp_ssl_socket_new(connection);
  if (amqp_ssl_socket_enable_default_verify_paths == NULL) check_skip("an older API level");
  setenv("SSL_CERT_FILE", relay_file("ca.pem"), 1);
  CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), PEER);
  CHECK_STATUS(amqp_ssl_socket_enable_default_verify_paths(socket), GOOD);
  CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), GOOD);
  amqp_destroy_connection(connection);
  relay_stop(r);
}

/* A list of the revoked, put into the context that the library hands out. */
CASE(revoked_by_a_list_in_the_context) {
  static const struct { const char *certificate; int expected; } kinds[] = {{"revoked", PEER}, {"server", GOOD}};
  int i;
  for (i = 0; i < 2; i++) {
    relay_options options = {.certificate = kinds[i].certificate};
    relay *r = relay_start(&options, 9);
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = tls_socket(connection);
    X509_STORE *store = SSL_CTX_get_cert_store(amqp_ssl_socket_get_context(socket));
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    CHECK(X509_load_crl_file(lookup, relay_file("ca.crl"), X509_FILETYPE_PEM) == 1);
    X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
    CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), kinds[i].expected);
    amqp_destroy_connection(connection);
    relay_stop(r);
  }
}

static int asked;
static int accept_anybody(int trusted, X509_STORE_CTX *store) {
  (void)trusted;
  asked++;
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}
static int refuse_everybody(int trusted, X509_STORE_CTX *store) {
  (void)trusted, (void)store;
  asked++;
  return 0;
}
static int accept_but_tell(int trusted, X509_STORE_CTX *store) {
  (void)trusted, (void)store;
  return 1;
}

/* A program that decides itself, by a callback in the context. The host is still the library's business. */
CASE(a_programs_own_verification) {
  relay_options options = {.certificate = "other"};
  relay *r = relay_start(&options, 9);
  static const struct { SSL_verify_cb callback; const char *host; int expected; } kinds[] = {
      {accept_anybody, "localhost", GOOD}, {accept_anybody, "elsewhere.test", HOST},
      {refuse_everybody, "localhost", PEER}, {accept_but_tell, "localhost", PEER}};
  size_t i;
  for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = tls_socket(connection);
    SSL_CTX_set_verify(amqp_ssl_socket_get_context(socket), SSL_VERIFY_PEER, kinds[i].callback);
    CHECK_STATUS(tls_open(socket, kinds[i].host, relay_port(r)), kinds[i].expected);
    amqp_destroy_connection(connection);
  }
  CHECK(asked > 0);
  relay_stop(r);
}

/* A broker whose cipher needs no certificate has shown none. */
CASE(no_certificate_at_all) {
  relay_options options = {.version = 12, .ciphers = "AECDH-AES128-SHA:@SECLEVEL=0"};
  relay *r = relay_start(&options, 9);
  int kind;
  for (kind = 0; kind < 3; kind++) {
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = tls_socket(connection);
    CHECK(SSL_CTX_set_cipher_list(amqp_ssl_socket_get_context(socket), "AECDH-AES128-SHA:@SECLEVEL=0") == 1);
    amqp_ssl_socket_set_verify_peer(socket, kind == 0);
    amqp_ssl_socket_set_verify_hostname(socket, kind <= 1);
    CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), kind == 0 ? PEER : kind == 1 ? HOST : GOOD);
    amqp_destroy_connection(connection);
  }
  relay_stop(r);
}

CASE(server_name_is_sent_for_names_alone) {
  static const struct { const char *host, *sent; } kinds[] = {
      {"localhost", "localhost"}, {"localhost.", "localhost"}, {"127.0.0.1", ""}, {"one.wild.test", "one.wild.test"}};
  relay *r = relay_start(NULL, 9);
  size_t i;
  int tries;
  for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = tls_socket(connection);
    int before = relay_seen(r)->handshakes;
    amqp_ssl_socket_set_verify_hostname(socket, 0);
    CHECK_STATUS(tls_open(socket, kinds[i].host, relay_port(r)), GOOD);
    for (tries = 0; tries < 200 && relay_seen(r)->handshakes == before; tries++) peer_sleep(5);
    CHECK_TEXT(relay_seen(r)->server_name, kinds[i].sent);
    amqp_destroy_connection(connection);
  }
  relay_stop(r);
}

/* The host is refused during the handshake: a stranger does not learn who we are. */
CASE(a_wrong_host_never_sees_the_clients_certificate) {
  relay_options options = {.certificate = "wrong-host", .asks_client = 1, .version = 13};
  relay *r = relay_start(&options, 9);
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  CHECK_STATUS(amqp_ssl_socket_set_key(socket, relay_file("client-ec.pem"), relay_file("client-ec.key")), GOOD);
  CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), HOST);
  peer_sleep(100);
  CHECK_INT(relay_seen(r)->handshakes, 0);
  CHECK_INT(relay_seen(r)->refusals, 1);
  CHECK_TEXT(relay_seen(r)->client_name, "");
  amqp_destroy_connection(connection);
  relay_stop(r);
}

CASE(versions) {
  enum { OLDEST = AMQP_TLSv1, OLD = AMQP_TLSv1_1, V12 = AMQP_TLSv1_2, V13 = 4, LATEST = AMQP_TLSvLATEST };
  static const struct { int least, greatest, set, with12, with13; } kinds[] = {
      {0, 0, GOOD, 12, 13},        {V12, V12, GOOD, 12, FAILED}, {V13, V13, GOOD, FAILED, 13},
      {V12, V13, GOOD, 12, 13},    {V12, LATEST, GOOD, 12, 13},  {V13, LATEST, GOOD, FAILED, 13},
      {LATEST, LATEST, GOOD, FAILED, 13},
      {V13, V12, AMQP_STATUS_INVALID_PARAMETER, 12, 13},
      {OLDEST, LATEST, AMQP_STATUS_UNSUPPORTED, 12, 13},
      {OLD, V12, AMQP_STATUS_UNSUPPORTED, 12, 13},
      {OLDEST, OLDEST, AMQP_STATUS_UNSUPPORTED, 12, 13},
      {5, 6, AMQP_STATUS_UNSUPPORTED, 12, 13},
      {-1, V13, AMQP_STATUS_INVALID_PARAMETER, 12, 13},
  };
  size_t i;
  int version;
  for (version = 12; version <= 13; version++) {
    relay_options options = {.version = version};
    relay *r = relay_start(&options, 9);
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++) {
      int expected = version == 12 ? kinds[i].with12 : kinds[i].with13, tries;
      amqp_connection_state_t connection = amqp_new_connection();
      amqp_socket_t *socket = tls_socket(connection);
      int before = relay_seen(r)->handshakes;
      if (kinds[i].least != 0)
        CHECK_STATUS(amqp_ssl_socket_set_ssl_versions(socket, (amqp_tls_version_t)kinds[i].least,
                                                      (amqp_tls_version_t)kinds[i].greatest), kinds[i].set);
      CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), expected < 0 ? expected : GOOD);
      for (tries = 0; expected > 0 && tries < 200 && relay_seen(r)->handshakes == before; tries++) peer_sleep(5);
      if (expected > 0) CHECK_INT(relay_seen(r)->version, expected);
      amqp_destroy_connection(connection);
    }
    relay_stop(r);
  }
}

CASE(an_obsolete_broker_is_refused) {
  relay_options options = {.version = 10, .ciphers = "ALL:@SECLEVEL=0"};
  relay *r = relay_start(&options, 9);
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), FAILED);
  amqp_destroy_connection(connection);
  relay_stop(r);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
