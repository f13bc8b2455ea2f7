/* A connection over TLS: its beginning, bodies of every size, full sockets, two threads, and a thousand of it. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls.h"

enum { GOOD = AMQP_STATUS_OK };

/* ---- connecting ---- */

CASE(the_handshake_is_within_the_time_to_connect) {
  static const double seconds[] = {0.3, 0};
  relay_options options = {.silent = 1};
  relay *r = relay_start(&options, 9);
  int i;
  for (i = 0; i < 2; i++) {
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = tls_socket(connection);
    int64_t began = peer_now();
    CHECK_STATUS(tls_open_within(socket, "localhost", relay_port(r), seconds[i]), AMQP_STATUS_TIMEOUT);
    CHECK_BETWEEN(elapsed_milliseconds(began), (int)(seconds[i] * 1000), (int)(seconds[i] * 1000) + 300);
    CHECK_INT(amqp_get_sockfd(connection), -1);
    amqp_destroy_connection(connection);
  }
  relay_stop(r);
}

CASE(a_time_to_connect_that_suffices) {
  relay *r = relay_start(NULL, 9);
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  CHECK_STATUS(tls_open_within(socket, "localhost", relay_port(r), 10), GOOD);
  amqp_destroy_connection(connection);
  relay_stop(r);
}

static void plain_script(peer_link *link, void *unused) {
  (void)unused;
  peer_send(link, "AMQP\0\0\11\1", 8);
  peer_serve(link, PEER_READ, 5000);
}

CASE(what_is_no_tls_broker) {
  relay_options options = {.bare = 1};
  relay *r = relay_start(&options, 9);
  peer *p = peer_start(plain_script, NULL);
  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = tls_socket(connection);
  CHECK_STATUS(tls_open(socket, "localhost", relay_port(r)), AMQP_STATUS_SSL_CONNECTION_FAILED);
  CHECK_STATUS(tls_open_within(socket, "localhost", peer_port(p), 1), AMQP_STATUS_SSL_CONNECTION_FAILED);
  CHECK_STATUS(tls_open(socket, "localhost", 1), AMQP_STATUS_SOCKET_ERROR);
  CHECK_INT(amqp_get_sockfd(connection), -1);
  amqp_destroy_connection(connection);
  relay_stop(r);
  peer_stop(p);
}

/* ---- bodies ---- */

static const size_t sizes[] = {0, 1, 100, 2047, 2048, 2049, 16000, 16383, 16384, 16385, 20000, 32768, 65536, 131064, 131065,
                               300000, 1000000};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* Takes publishes and sends each body back as a delivery. */
static void echo_script(peer_link *link, void *unused) {
  static uint8_t body[1 << 20];
  int i;
  (void)unused;
  peer_handshake(link, 0, 131072, 0);
  peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000);
  peer_answer(link);
  for (i = 0; i < SIZES; i++) {
    size_t k;
    for (k = 0; k < sizes[i]; k++) body[k] = octet(k);
    peer_deliver(link, 1, (uint64_t)i + 1, body, sizes[i]);
  }
  peer_set_recording(link, 0);
  peer_serve(link, PEER_LIVE, 60000);
}

static void receive_bodies(const relay_options *options) {
  behind b = behind_start(options, echo_script, NULL);
  amqp_connection_state_t connection = behind_open(b, 0);
  int i;
  if (connection == NULL) return;
  amqp_basic_consume(connection, 1, client_bytes("q"), client_bytes("tag"), 0, 1, 0, amqp_empty_table);
  for (i = 0; i < SIZES; i++) {
    amqp_envelope_t envelope;
    amqp_maybe_release_buffers(connection);
    if (!CHECK_INT(client_reply_status(amqp_consume_message(connection, &envelope, NULL, 0)), 0)) break;
    check_body(&envelope, sizes[i]);
    amqp_destroy_envelope(&envelope);
    CHECK_NO_ERROR_LEFT();
  }
  amqp_destroy_connection(connection);
  behind_stop(b);
}

CASE(bodies_of_every_size_come) {
  static const int versions[] = {12, 13};
  int v;
  for (v = 0; v < 2; v++) {
    relay_options options = {.version = versions[v]};
    receive_bodies(&options);
  }
}

/* Reads slowly, so that the client meets full sockets everywhere, and checks every octet of every body. */
static void check_script(peer_link *link, void *good) {
  uint8_t *bytes;
  size_t size = 0, room = 64 << 20, at = 0;
  int descriptor = peer_descriptor(link), waits = 0, message;
  ssize_t count;
  peer_handshake(link, 0, 131072, 0);
  peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000);
  peer_answer(link);
  bytes = malloc(room);
  while (size < room && (count = recv(descriptor, bytes + size, 7777, 0)) != 0) {
    if (count < 0 && errno != EAGAIN) break;
    if (count > 0) size += (size_t)count;
    if (count < 0 || ++waits % 64 == 0) peer_sleep(1);
  }
  /* Frames: methods and headers are skipped, bodies counted and compared. */
  for (message = 0; message < SIZES; message++) {
    size_t got = 0;
    int frames = 0;
    while (frames < 2 || got < sizes[message]) {
      size_t length, i;
      if (at + 8 > size) goto out;
      length = (size_t)bytes[at + 3] << 24 | (size_t)bytes[at + 4] << 16 | (size_t)bytes[at + 5] << 8 | bytes[at + 6];
      if (at + 8 + length > size || bytes[at + 7 + length] != 0xCE) goto out;
      if (bytes[at] == PEER_FRAME_BODY) {
        for (i = 0; i < length; i++)
          if (bytes[at + 7 + i] != octet(got + i)) goto out;
        got += length;
      } else {
        frames++;
      }
      at += length + 8;
    }
  }
out:
  if (message < SIZES) printf("  message %d of %d, octet %zu of %zu\n", message, SIZES, at, size);
  fflush(stdout);
  *(volatile int *)good = message;
  free(bytes);
  peer_reached(link, 1);
}

static void send_bodies(const relay_options *options) {
  volatile int *good = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  behind b = behind_start(options, check_script, (void *)good);
  amqp_connection_state_t connection = behind_open(b, 0);
  int i;
  if (connection == NULL) return;
  narrow(connection);
  for (i = 0; i < SIZES; i++) {
    amqp_bytes_t body = filled(sizes[i]);
    CHECK_STATUS(amqp_basic_publish(connection, 1, amqp_empty_bytes, client_bytes("key"), 0, 0, NULL, body), GOOD);
    amqp_bytes_free(body);
    CHECK_NO_ERROR_LEFT();
  }
  /* Not closed yet: answers of the peer that nobody has read would make the kernel throw away what is on its way. */
  shutdown(amqp_get_sockfd(connection), SHUT_WR);
  CHECK(peer_wait(b.peer, 1, 20000));
  CHECK_INT(*good, SIZES);
  amqp_destroy_connection(connection);
  behind_stop(b);
}

CASE(bodies_of_every_size_go_through_full_sockets) {
  relay_options kinds[] = {{.version = 12}, {.version = 13}, {.version = 13, .renews = 1}};
  int i;
  check_allow_seconds(90);
  for (i = 0; i < 3; i++) send_bodies(&kinds[i]);
}

/* One record per message: a small one is not scattered. */
CASE(a_small_message_is_one_record) {
  static const int versions[] = {12, 13};
  int v, i;
  for (v = 0; v < 2; v++) {
    relay_options options = {.version = versions[v]};
    behind b = behind_start(&options, serve_script, NULL);
    amqp_connection_state_t connection = behind_open(b, 0);
    int before;
    peer_sleep(50);
    before = relay_seen(b.relay)->records;
    for (i = 0; i < 50; i++) {
      amqp_bytes_t body = filled(i % 2 ? 5000 : 50);
      CHECK_STATUS(amqp_basic_publish(connection, 1, amqp_empty_bytes, client_bytes("key"), 0, 0, NULL, body), GOOD);
      amqp_bytes_free(body);
    }
    for (i = 0; i < 200 && peer_seen(b.peer)->publishes < 50; i++) peer_sleep(10);
    CHECK_INT(relay_seen(b.relay)->records - before, 50);
    amqp_destroy_connection(connection);
    behind_stop(b);
  }
}

/* ---- two threads ---- */

enum { MESSAGES = 3000 };

static void both_script(peer_link *link, void *unused) {
  static uint8_t body[30000];
  uint64_t tag;
  int i;
  (void)unused;
  peer_handshake(link, 0, 131072, 0);
  peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000);
  peer_answer(link);
  peer_set_recording(link, 0);
  for (i = 0; i < 30000; i++) body[i] = octet((size_t)i);
  for (tag = 1; tag <= MESSAGES; tag++) {
    peer_deliver(link, 1, tag, body, tag * 101 % 30000);
    if (tag % 16 == 0) peer_serve(link, PEER_READ, 1);
  }
  peer_serve(link, PEER_LIVE, 60000);
}

static void *publish_thread(void *argument) {
  intptr_t i, failures = 0;
  amqp_bytes_t body = filled(30000);
  for (i = 1; i <= MESSAGES; i++) {
    body.len = (size_t)(i * 103 % 30000);
    failures += amqp_basic_publish(argument, 1, amqp_empty_bytes, client_bytes("key"), 0, 0, NULL, body) != GOOD;
    if (ERR_peek_error() != 0) failures++;
  }
  amqp_bytes_free(body);
  return (void *)failures;
}

CASE(one_thread_reads_and_another_publishes) {
  relay_options kinds[] = {{.version = 12}, {.version = 13}, {.version = 13, .renews = 1}};
  int i, received, tries;
  check_allow_seconds(150);
  for (i = 0; i < 3; i++) {
    behind b = behind_start(&kinds[i], both_script, NULL);
    amqp_connection_state_t connection = behind_open(b, 0);
    pthread_t thread;
    void *failures = NULL;
    amqp_basic_consume(connection, 1, client_bytes("q"), client_bytes("tag"), 0, 1, 0, amqp_empty_table);
    if (i > 0) narrow(connection);
    pthread_create(&thread, NULL, publish_thread, connection);
    for (received = 1; received <= MESSAGES; received++) {
      amqp_envelope_t envelope;
      amqp_maybe_release_buffers(connection);
      if (!CHECK_INT(client_reply_status(amqp_consume_message(connection, &envelope, client_seconds(20), 0)), 0)) break;
      CHECK_INT(envelope.delivery_tag, received);
      check_body(&envelope, (size_t)received * 101 % 30000);
      amqp_destroy_envelope(&envelope);
    }
    pthread_join(thread, &failures);
    CHECK_INT((intptr_t)failures, 0);
    for (tries = 0; tries < 1000 && peer_seen(b.peer)->publishes < MESSAGES; tries++) peer_sleep(10);
    CHECK_INT(peer_seen(b.peer)->publishes, MESSAGES);
    CHECK_INT(peer_seen(b.peer)->malformed, 0);
    CHECK_NO_ERROR_LEFT();
    amqp_destroy_connection(connection);
    behind_stop(b);
  }
}

/* ---- many ---- */

static long resident_kilobytes(void) {
  long pages = 0, resident = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (file == NULL || fscanf(file, "%ld %ld", &pages, &resident) != 2) resident = 0;
  if (file) fclose(file);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void connect_many(int count) {
  relay_options options = {.asks_client = 1};
  relay *r = relay_start(&options, 9);
  long settled = 0;
  int i;
  for (i = 0; i < count; i++) {
    amqp_connection_state_t connection = amqp_new_connection();
    amqp_socket_t *socket = tls_socket(connection);
    amqp_ssl_socket_set_key_passwd(socket, "a-password");
    amqp_ssl_socket_set_key(socket, relay_file("client-ec.pem"), relay_file("client-ec-encrypted.key"));
    if (i % 5 == 4) amqp_ssl_socket_set_cacert(socket, relay_file("missing.pem"));
    CHECK_STATUS(tls_open(socket, i % 5 == 3 ? "127.0.0.2" : "localhost", relay_port(r)),
                 i % 5 == 3 ? AMQP_STATUS_SOCKET_ERROR : GOOD);
    amqp_destroy_connection(connection);
    if (i == count / 5) settled = resident_kilobytes();
    if (check_failures() > 3) break;
  }
  if (count >= 500) CHECK(resident_kilobytes() - settled < 1024);
  relay_stop(r);
}

CASE(a_thousand_connects) {
  check_allow_seconds(120);
  connect_many(getenv("PULSE_FEW") ? 50 : 1000);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
