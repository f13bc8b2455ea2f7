/*
 * A whole session, again and again, each time with one more system call failing, or with the stream cut, reset or held up at the next
 * octet. Whatever happens: a status, no hang, nothing left behind, and both sides of the stream a beginning of what they are
 * when nothing happens. Where what happened is not an end (a signal, a full socket, a few octets at a time), all goes well.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"
#include "forced.h"
#include "shim.h"

enum { MESSAGES = 3, LARGE = 20000 };

static size_t body_size = LARGE;   /* of the last message each way */

/* ---- the session ---- */

static char letter(size_t at) { return (char)('a' + at % 26); }

static char *body_of(int message, size_t *size) {
  static char body[LARGE];
  size_t i;
  *size = message == MESSAGES ? body_size : (size_t)message - 1;
  for (i = 0; i < *size; i++) body[i] = letter(i + (size_t)message);
  return body;
}

static void script(peer_link *link, void *unused) {
  int i;
  size_t size;
  char *body;
  (void)unused;
  if (!peer_handshake(link, 0, 8192, 0) || !peer_serve_until(link, AMQP_BASIC_CONSUME_METHOD, 10000)) return;
  peer_cork(link);
  for (i = 1; i <= MESSAGES; i++) {
    if (i == 2) peer_answer(link);   /* the first comes before the answer and has to be set aside */
    body = body_of(i, &size);
    peer_deliver(link, 1, (uint64_t)i, body, size);
  }
  peer_uncork(link);
  peer_serve(link, PEER_LIVE, 30000);
}

/* 0, or the first status that is not. */
static int consume(amqp_connection_state_t c, int message) {
  amqp_envelope_t envelope;
  size_t size;
  char *body = body_of(message, &size);
  int status = client_reply_status(amqp_consume_message(c, &envelope, client_seconds(10), 0));
  if (status != 0) {
    amqp_destroy_envelope(&envelope);   /* harmless after a failure */
    return status;
  }
  CHECK_INT(envelope.delivery_tag, message);
  if (CHECK_INT(envelope.message.body.len, size) && size > 0) CHECK(memcmp(envelope.message.body.bytes, body, size) == 0);
  amqp_destroy_envelope(&envelope);
  return amqp_basic_ack(c, 1, (uint64_t)message, 0);
}

static int publish(amqp_connection_state_t c, int message) {
  amqp_bytes_t bytes;
  bytes.bytes = body_of(message, &bytes.len);
  return amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes);
}

static int status_of(amqp_connection_state_t c, const void *answer) {
  return answer != NULL ? 0 : client_reply_status(amqp_get_rpc_reply(c));
}

static int open_socket(amqp_connection_state_t c, int port) {
  amqp_socket_t *socket;
  if (client_open_otherwise != NULL) return client_open_otherwise(c, port);
  socket = amqp_tcp_socket_new(c);
  return socket == NULL ? AMQP_STATUS_NO_MEMORY : amqp_socket_open(socket, "127.0.0.1", port);
}

static int session(amqp_connection_state_t c, int port) {
  int status = open_socket(c, port), i;
  if (status == 0) status = amqp_set_rpc_timeout(c, client_seconds(10));
  if (status == 0)
    status = client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
  if (status == 0) status = status_of(c, amqp_channel_open(c, 1));
  if (status == 0)
    status = status_of(c, amqp_basic_consume(c, 1, client_bytes("q"), client_bytes("t"), 0, 0, 0, amqp_empty_table));
  for (i = 1; i <= MESSAGES && status == 0; i++) status = consume(c, i);
  for (i = 1; i <= MESSAGES && status == 0; i++) status = publish(c, i);
  if (status == 0) status = status_of(c, amqp_basic_qos(c, 1, 0, 1, 0));
  if (status == 0) status = client_reply_status(amqp_connection_close(c, 200));
  return status;
}

/* ---- one session with a plan ---- */

static struct {
  uint32_t size;
  uint8_t bytes[1 << 17];
} clean;   /* what the peer receives when nothing happens */

static int descriptors(void) {
  DIR *directory = opendir("/proc/self/fd");
  int count = 0;
  while (directory != NULL && readdir(directory) != NULL) count++;
  if (directory != NULL) closedir(directory);
  return count;
}

/* What the peer has received is a beginning of what it receives when nothing happens, and all of it if all went well. */
static void check_received(const peer *p, int status) {
  const peer_record *seen = peer_seen(p);
  CHECK_INT(seen->malformed, 0);
  if (clean.size == 0) {
    if (!CHECK(status == 0 && seen->byte_count <= sizeof clean.bytes)) return;
    clean.size = seen->byte_count;
    memcpy(clean.bytes, seen->bytes, clean.size);
    return;
  }
  if (CHECK(seen->byte_count <= clean.size)) CHECK(memcmp(seen->bytes, clean.bytes, seen->byte_count) == 0);
  if (status == 0) CHECK_INT(seen->byte_count, clean.size);
}

static int run(const shim_plan *plan) {
  peer *p = peer_start(script, NULL);
  int before, status, failed = check_failures();
  long live;
  amqp_connection_state_t c;
  if (before_session != NULL) before_session(peer_port(p));
  before = descriptors();
  live = shim_live();
  shim_begin(plan);
  c = amqp_new_connection();
  status = c == NULL ? AMQP_STATUS_NO_MEMORY : session(c, peer_port(p));
  shim_end();
  CHECK(status <= 0);
  if (status < 0 && plan->call != SHIM_POLL && amqp_get_sockfd(c) < 0)   /* it stays broken, and says so at once */
    CHECK(amqp_basic_ack(c, 1, 1, 0) < 0);
  CHECK_STATUS(amqp_destroy_connection(c), AMQP_STATUS_OK);
  CHECK_INT(descriptors(), before);
  if (clean.size > 0) CHECK_INT(shim_live(), live);   /* after the first, in which OpenSSL takes what it keeps */
  if (peer_seen(p)->accepted_at != 0) peer_join(p, 5000);
  check_received(p, status);
  if (check_failures() > failed)
    printf("  call %d, index %ld, error %d (%s), at %ld and %ld: %s\n", plan->call, plan->index, plan->error, strerror(plan->error),
           plan->at_in, plan->at_out, status_name(status));
  if (after_session != NULL) after_session();
  peer_stop(p);
  return status;
}

/* Once for what libraries allocate on first use, once to be compared with. */
static void warm_up(void) {
  check_allow_seconds(170);
  amqp_destroy_connection(amqp_new_connection());
  run(&shim_nothing);
  run(&shim_nothing);
}

/* ---- each call with each errno ---- */

enum { GOES_ON, ENDS, EITHER };

static void fail_each(shim_call call, const int *errors, int count, int expected) {
  long index, calls;
  int i, happened = 0;
  shim_plan plan = shim_nothing;
  warm_up();
  run(&shim_nothing);
  calls = shim_count(call);
  plan.call = call;
  for (i = 0; i < count && check_failures() == 0; i++) {
    for (index = 0; index < calls && check_failures() == 0; index++) {
      int status;
      plan.index = index;
      plan.error = errors[i];
      status = run(&plan);
      if (!shim_failed()) continue;   /* this time it took fewer calls */
      happened++;
      if ((expected == GOES_ON && status != 0) || (expected == ENDS && status == 0)) {
        printf("  call %d, index %ld of %ld, %s: ", call, index, calls, strerror(errors[i]));
        CHECK_STATUS(status, expected == ENDS ? AMQP_STATUS_SOCKET_ERROR : AMQP_STATUS_OK);
      }
    }
  }
  if (calls == 0) check_skip("the library under test makes no such call");
  CHECK(happened >= count);
}

#define EACH(call, expected, ...)                                                            \
  do {                                                                                       \
    static const int errors[] = {__VA_ARGS__};                                               \
    int count = (int)(sizeof errors / sizeof *errors);                                       \
    fail_each(call, errors, client_open_otherwise != NULL && count > 2 ? 2 : count, expected); \
  } while (0)

CASE(receives_that_go_on) { EACH(SHIM_RECV, GOES_ON, EINTR, EAGAIN); }
CASE(receives_that_fail) {
  EACH(SHIM_RECV, ENDS, ECONNRESET, 0, ETIMEDOUT, ENOMEM, ENOBUFS, EHOSTUNREACH, ENOTCONN, EBADF, EIO);
}
CASE(sends_that_go_on) { EACH(SHIM_SEND, GOES_ON, EINTR, EAGAIN); }
CASE(sends_that_fail) { EACH(SHIM_SEND, ENDS, EPIPE, ECONNRESET, ENOBUFS, ENOMEM, ETIMEDOUT, EHOSTUNREACH, EBADF, EIO); }
CASE(messages_that_go_on) { EACH(SHIM_SENDMSG, GOES_ON, EINTR, EAGAIN); }
CASE(messages_that_fail) { EACH(SHIM_SENDMSG, ENDS, EPIPE, ECONNRESET, ENOBUFS, ENOMEM, ETIMEDOUT, EHOSTUNREACH, EBADF, EIO); }
CASE(waits_that_go_on) { EACH(SHIM_POLL, GOES_ON, EINTR); }
CASE(waits_that_fail) { EACH(SHIM_POLL, EITHER, ENOMEM, EINVAL); }
CASE(connects_that_go_on) { EACH(SHIM_CONNECT, GOES_ON, EINTR); }
CASE(connects_that_fail) {
  EACH(SHIM_CONNECT, ENDS, ECONNREFUSED, ENETUNREACH, ETIMEDOUT, EADDRNOTAVAIL, EAGAIN, EACCES, ENOBUFS, EPERM);
}
CASE(sockets_that_fail) { EACH(SHIM_SOCKET, ENDS, EMFILE, ENFILE, ENOMEM, ENOBUFS, EACCES, EPROTONOSUPPORT, EAFNOSUPPORT); }
CASE(options_that_fail) {
  EACH(SHIM_SETSOCKOPT, EITHER, ENOMEM, ENOPROTOOPT);
  EACH(SHIM_GETSOCKOPT, EITHER, ENOBUFS, ENOPROTOOPT);
}

CASE(allocations_that_fail) {
  const char *runtime = getenv("PULSE_RUNTIME");
  /* Ordinary Swift's runtime allocates metadata of its own when code first runs, and ends the process without memory for it. */
  if (runtime != NULL && strcmp(runtime, "StaticStdlib") == 0) check_skip("the fallback's runtime needs memory of its own");
  EACH(SHIM_ALLOCATION, EITHER, ENOMEM);
}

/* ---- a few octets at a time ---- */

CASE(a_few_octets_at_a_time) {
  static const size_t sizes[] = {1, 2, 7, 8, 9, 4095};
  size_t i;
  warm_up();
  for (i = 0; i < sizeof sizes / sizeof *sizes && check_failures() == 0; i++) {
    shim_plan plan = shim_nothing;
    plan.most_in = sizes[i];
    CHECK_STATUS(run(&plan), AMQP_STATUS_OK);
    plan.most_out = sizes[i];
    CHECK_STATUS(run(&plan), AMQP_STATUS_OK);
    plan.most_in = 0;
    CHECK_STATUS(run(&plan), AMQP_STATUS_OK);
  }
}

/* ---- at each octet of the stream: held up, cut, reset ---- */

/* Over TLS at every 29th: a session takes a hundred times as long. */
static void at_each_octet(int is_in, int error) {
  long octets, at, step = client_open_otherwise != NULL ? 29 : 1;
  int goes_on = error == EAGAIN;
  shim_plan plan = shim_nothing;
  body_size = 50;
  warm_up();
  run(&shim_nothing);
  octets = is_in ? shim_octets_in() : shim_octets_out();
  CHECK(octets > 300);
  plan.error = error;
  for (at = 0; at < octets && check_failures() == 0; at += step) {
    int status;
    if (is_in) plan.at_in = at;
    else plan.at_out = at;
    status = run(&plan);
    CHECK(shim_failed());
    if (!CHECK((status == 0) == goes_on)) printf("  at octet %ld of %ld: %s\n", at, octets, status_name(status));
  }
}

CASE(what_comes_is_held_up_at_each_octet) { at_each_octet(1, EAGAIN); }
CASE(what_comes_is_cut_at_each_octet) { at_each_octet(1, 0); }
CASE(what_comes_is_reset_at_each_octet) { at_each_octet(1, ECONNRESET); }
CASE(what_goes_is_held_up_at_each_octet) { at_each_octet(0, EAGAIN); }
CASE(what_goes_is_reset_at_each_octet) { at_each_octet(0, EPIPE); }

int main(int argc, char **argv) { return check_main(argc, argv); }
