/* The relay of relay.h. OpenSSL's server side, so that it shares no line with the library under test. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFETIME_SECONDS 300
#define BUFFER 32768

struct relay {
  pid_t process;
  int port;
  relay_record *seen;
};

static void require(int holds, const char *what) {
  if (holds) return;
  fprintf(stderr, "relay: %s failed: %s\n", what, strerror(errno));
  ERR_print_errors_fp(stderr);
  exit(2);
}

const char *relay_file(const char *name) {
  static char paths[8][512];
  static unsigned next;
  const char *directory = getenv("PULSE_TLS_CERTIFICATES");
  char *path = paths[next++ % 8];
  require(directory != NULL, "PULSE_TLS_CERTIFICATES");
  snprintf(path, sizeof paths[0], "%s/%s", directory, name);
  return path;
}

/* ---- TLS ---- */

static void count_records(int is_write, int version, int type, const void *bytes, size_t size, SSL *ssl, void *seen) {
  (void)version, (void)ssl;
  if (is_write) return;
  if (type == SSL3_RT_INNER_CONTENT_TYPE && size == 1 && *(const unsigned char *)bytes == SSL3_RT_APPLICATION_DATA)
    ((relay_record *)seen)->records++;
  if (type == SSL3_RT_HEADER && size >= 1 && SSL_version(ssl) == TLS1_2_VERSION &&
      *(const unsigned char *)bytes == SSL3_RT_APPLICATION_DATA)
    ((relay_record *)seen)->records++;
}

static SSL_CTX *make_context(const relay_options *options, relay_record *seen) {
  SSL_CTX *context = SSL_CTX_new(TLS_server_method());
  char name[64];
  require(context != NULL, "SSL_CTX_new");
  if (options->version == 10) SSL_CTX_set_security_level(context, 0);
  snprintf(name, sizeof name, "%s.pem", options->certificate ? options->certificate : "server");
  require(SSL_CTX_use_certificate_chain_file(context, relay_file(name)) == 1, name);
  snprintf(name, sizeof name, "%s.key", options->certificate ? options->certificate : "server");
  require(SSL_CTX_use_PrivateKey_file(context, relay_file(name), SSL_FILETYPE_PEM) == 1, name);
  if (options->version) {
    int version = options->version == 10 ? TLS1_VERSION : options->version == 12 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
  }
  if (options->ciphers) require(SSL_CTX_set_cipher_list(context, options->ciphers) == 1, "the ciphers");
  if (options->asks_client) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    require(SSL_CTX_load_verify_locations(context, relay_file("ca.pem"), NULL) == 1, "ca.pem");
  }
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_msg_callback(context, count_records);
  SSL_CTX_set_msg_callback_arg(context, seen);
  return context;
}

static void describe(SSL *ssl, relay_record *seen) {
  const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  X509 *client = SSL_get1_peer_certificate(ssl);
  snprintf(seen->server_name, sizeof seen->server_name, "%s", name ? name : "");
  seen->client_name[0] = 0;
  if (client)
    X509_NAME_get_text_by_NID(X509_get_subject_name(client), NID_commonName, seen->client_name, sizeof seen->client_name);
  X509_free(client);
  seen->version = SSL_version(ssl) == TLS1_3_VERSION ? 13 : SSL_version(ssl) == TLS1_2_VERSION ? 12 : 10;
}

/* ---- one connection ---- */

struct direction {
  char bytes[BUFFER];
  int size, at;
  int source_ended, target_ended;
};

static void reset_and_leave(int descriptor) {
  struct linger now = {1, 0};
  setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close(descriptor);
  _exit(0);
}

/* -1: the connection is over, else the poll events that TLS waits for. */
static int step(SSL *ssl, int plain, struct direction *up, struct direction *down, const relay_options *options,
                relay_record *seen, int *moved) {
  int wants = 0, count;
  if (up->at == up->size && !up->source_ended && !seen->deaf) {
    up->at = up->size = 0;
    ERR_clear_error();
    count = SSL_read(ssl, up->bytes, BUFFER);
    if (count > 0) {
      up->size = count, *moved = 1;
      if (options->renews) SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED);
    } else {
      int error = SSL_get_error(ssl, count);
      if (error == SSL_ERROR_WANT_READ) wants |= POLLIN;
      else if (error == SSL_ERROR_WANT_WRITE) wants |= POLLOUT;
      else {
        up->source_ended = 1, *moved = 1;
        if (error == SSL_ERROR_ZERO_RETURN) seen->close_notify = 1;
        if (error == SSL_ERROR_SYSCALL && errno == ECONNRESET) reset_and_leave(plain);
        shutdown(plain, SHUT_WR);
      }
    }
  }
  if (up->at < up->size) {
    count = (int)send(plain, up->bytes + up->at, (size_t)(up->size - up->at), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count > 0) up->at += count, *moved = 1;
    else if (errno != EAGAIN) up->at = up->size, up->target_ended = 1;
  }
  if (down->at == down->size && !down->source_ended) {
    down->at = down->size = 0;
    count = (int)recv(plain, down->bytes, BUFFER, MSG_DONTWAIT);
    if (count > 0) down->size = count, *moved = 1;
    else if (count == 0) down->source_ended = 1, *moved = 1;
    else if (errno != EAGAIN) reset_and_leave(SSL_get_fd(ssl));
  }
  if (down->at < down->size) {
    ERR_clear_error();
    count = SSL_write(ssl, down->bytes + down->at, down->size - down->at);
    if (count > 0) down->at += count, *moved = 1;
    else {
      int error = SSL_get_error(ssl, count);
      if (error == SSL_ERROR_WANT_READ) wants |= POLLIN;
      else if (error == SSL_ERROR_WANT_WRITE) wants |= POLLOUT;
      else return -1;
    }
  }
  if (down->source_ended && down->at == down->size && !down->target_ended) {
    down->target_ended = 1;
    if (!options->abrupt) SSL_shutdown(ssl);
    shutdown(SSL_get_fd(ssl), SHUT_WR);
  }
  return up->source_ended && down->target_ended && up->at == up->size ? -1 : wants;
}

static void pump(SSL *ssl, int plain, const relay_options *options, relay_record *seen) {
  static struct direction up, down;
  for (;;) {
    int moved = 0, wants = step(ssl, plain, &up, &down, options, seen, &moved);
    if (wants < 0) break;
    if (moved) continue;
    struct pollfd entries[2] = {{SSL_get_fd(ssl), (short)wants, 0}, {plain, 0, 0}};
    if (up.at < up.size) entries[1].events |= POLLOUT;
    if (down.at == down.size && !down.source_ended) entries[1].events |= POLLIN;
    /* A side that is not looked at must not wake the loop by its end. */
    if (entries[0].events == 0) entries[0].fd = -1;
    if (entries[1].events == 0) entries[1].fd = -1;
    poll(entries, 2, 1000);
  }
}

static void serve(int client, SSL_CTX *context, const relay_options *options, int port, relay_record *seen) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
  int size = 16384, plain;
  SSL *ssl = SSL_new(context);
  if (options->bare) _exit(0);
  if (options->silent) {
    sleep(LIFETIME_SECONDS);
    _exit(0);
  }
  require(ssl != NULL && SSL_set_fd(ssl, client) == 1, "SSL_set_fd");
  if (SSL_accept(ssl) != 1) {
    __atomic_fetch_add(&seen->refusals, 1, __ATOMIC_SEQ_CST);
    _exit(0);
  }
  describe(ssl, seen);
  __atomic_fetch_add(&seen->handshakes, 1, __ATOMIC_SEQ_CST);
  plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (!options->roomy) {
    setsockopt(plain, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(plain, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  if (connect(plain, (struct sockaddr *)&address, sizeof address) != 0) _exit(0);
  fcntl(client, F_SETFL, O_NONBLOCK);
  pump(ssl, plain, options, seen);
  close(plain);
  close(client);
  _exit(0);
}

/* ---- the relay ---- */

static void listen_for_ever(int listener, const relay_options *options, int port, relay_record *seen) {
  SSL_CTX *context = make_context(options, seen);
  signal(SIGCHLD, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  alarm(LIFETIME_SECONDS);
  for (;;) {
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (client < 0) continue;
    __atomic_fetch_add(&seen->connections, 1, __ATOMIC_SEQ_CST);
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      signal(SIGCHLD, SIG_DFL);
      close(listener);
      serve(client, context, options, port, seen);
    }
    close(client);
  }
}

relay *relay_start(const relay_options *options, int port) {
  static const relay_options usual;
  struct sockaddr_in address = {.sin_family = AF_INET};
  socklen_t length = sizeof address;
  int size = 16384, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  relay *r = calloc(1, sizeof *r);
  if (options == NULL) options = &usual;
  require(r != NULL && listener >= 0, "socket");
  if (!options->roomy) {
    setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  }
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  require(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 64) == 0 &&
              getsockname(listener, (struct sockaddr *)&address, &length) == 0, "listen");
  r->port = ntohs(address.sin_port);
  r->seen = mmap(NULL, sizeof *r->seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(r->seen != MAP_FAILED, "mmap");
  fflush(NULL);
  r->process = fork();
  require(r->process >= 0, "fork");
  if (r->process == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    listen_for_ever(listener, options, port, r->seen);
  }
  close(listener);
  return r;
}

int relay_port(const relay *r) { return r->port; }
const relay_record *relay_seen(const relay *r) { return r->seen; }

void relay_set_deaf(relay *r, int deaf) { r->seen->deaf = deaf; }

void relay_stop(relay *r) {
  kill(r->process, SIGKILL);
  waitpid(r->process, NULL, 0);
  munmap(r->seen, sizeof *r->seen);
  free(r);
}
