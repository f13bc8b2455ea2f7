/*
 * Faults of the send side. The system calls that send are replaced in this program, so that the kernel can be made to take a
 * few bytes only, to be interrupted, or to report a broken connection at a chosen byte.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "client.h"

/* ---- a kernel under our control: for one descriptor, and only while it is named here ---- */

static int faulty_fd = -1;
static size_t whole_bytes;      /* so many bytes are taken, then every call fails with `then_errno` */
static int then_errno;
static size_t most_per_call;    /* 0: no limit */
static int interruptions;       /* so many EINTR before each call that succeeds */
static int interrupted;

/* -1: fail (errno set); else how many of `size` bytes the call may take. */
static ssize_t allowance(size_t size) {
  if (interrupted < interruptions) {
    interrupted++;
    errno = EINTR;
    return -1;
  }
  interrupted = 0;
  if (most_per_call > 0 && size > most_per_call) size = most_per_call;
  if (then_errno != 0) {
    if (whole_bytes == 0) {
      errno = then_errno;
      return -1;
    }
    if (size > whole_bytes) size = whole_bytes;
    whole_bytes -= size;
  }
  return (ssize_t)size;
}

typedef ssize_t (*sendto_function)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);

static ssize_t take(int fd, const void *bytes, size_t size, int flags) {
  static sendto_function real;
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "sendto");
  if (fd == faulty_fd) {
    ssize_t allowed = allowance(size);
    if (allowed < 0) return -1;
    size = (size_t)allowed;
  }
  return real(fd, bytes, size, flags, NULL, 0);
}

static ssize_t take_pieces(int fd, const struct iovec *pieces, size_t count, int flags) {
  size_t i, total = 0, size = 0;
  ssize_t sent;
  uint8_t *all;
  for (i = 0; i < count; i++) total += pieces[i].iov_len;
  all = malloc(total + 1);
  for (i = 0; i < count; i++) {
    if (pieces[i].iov_len > 0) memcpy(all + size, pieces[i].iov_base, pieces[i].iov_len);
    size += pieces[i].iov_len;
  }
  sent = take(fd, all, total, flags);
  i = (size_t)errno;
  free(all);
  errno = (int)i;
  return sent;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags) { return take(fd, bytes, size, flags); }
ssize_t sendmsg(int fd, const struct msghdr *m, int flags) { return take_pieces(fd, m->msg_iov, m->msg_iovlen, flags); }

ssize_t writev(int fd, const struct iovec *pieces, int count) {
  static ssize_t (*real)(int, const struct iovec *, int);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "writev");
  if (fd != faulty_fd) return real(fd, pieces, count);
  return take_pieces(fd, pieces, (size_t)count, MSG_NOSIGNAL);
}

ssize_t write(int fd, const void *bytes, size_t size) {
  static ssize_t (*real)(int, const void *, size_t);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "write");
  if (fd != faulty_fd) return real(fd, bytes, size);
  return take(fd, bytes, size, MSG_NOSIGNAL);
}

/* ---- scripts ---- */

static uint32_t frame_max = 4096;

static void obliging(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, frame_max, 0)) return;
  peer_serve(link, PEER_LIVE, 20000);
}

static void not_reading(peer_link *link, void *unused) {
  (void)unused;
  peer_set_receive_buffer(link, 65536);
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_reached(link, 1);
  peer_serve(link, PEER_MUTE, 20000);
}

static void fill_socket(int fd) {
  static uint8_t block[8192];
  int refused = 0;
  while (refused < 20)
    if (send(fd, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
      refused++;
      peer_sleep(10);
    }
  while (send(fd, block, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1) continue;
}

static int wait_for_publishes(peer *p, uint64_t count, int milliseconds) {
  int64_t begun = peer_now();
  while (peer_seen(p)->publishes < count && elapsed_milliseconds(begun) < milliseconds) peer_sleep(2);
  return peer_seen(p)->publishes == count;
}

/* ---- 5: the RPC timeout and the send half ---- */

CASE(row05_rpc_timeout_covers_the_send_half) {
  peer *p = peer_start(not_reading, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  int64_t begun;
  if (c == NULL) return;
  check_allow_seconds(10);
  CHECK(peer_wait(p, 1, 5000));
  CHECK_STATUS(amqp_set_rpc_timeout(c, client_seconds(0.5)), AMQP_STATUS_OK);
  fill_socket(amqp_get_sockfd(c));
  begun = peer_now();
  CHECK(amqp_queue_declare(c, 1, client_bytes("q"), 0, 0, 0, 0, amqp_empty_table) == NULL);
  CHECK_STATUS(client_reply_status(amqp_get_rpc_reply(c)), AMQP_STATUS_TIMEOUT);
  CHECK_BETWEEN(elapsed_milliseconds(begun), 450, 3000);
  CHECK_INT(amqp_get_sockfd(c), -1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 8: the last frame of a body goes out at once ---- */

CASE(row08_exact_multiples_of_the_frame_size_are_not_late) {
  static char body[3 * 4088];
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  int frames, late = 0;
  if (c == NULL) return;
  for (frames = 1; frames <= 3; frames++) {
    amqp_bytes_t bytes;
    int64_t begun = peer_now();
    bytes.bytes = body;
    bytes.len = (size_t)frames * 4088;
    CHECK_STATUS(amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes), AMQP_STATUS_OK);
    CHECK(wait_for_publishes(p, (uint64_t)frames, 3000));
    if (elapsed_milliseconds(begun) > 150) late++;
  }
  CHECK(late < 2);   /* one delay may be the machine's; 200 ms each time are the library's */
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(bodies_around_the_frame_size_arrive_whole) {
  static const size_t sizes[] = {0, 1, 4087, 4088, 4089, 8175, 8176, 8177, 40880, 100000};
  static uint8_t body[100000];
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  const peer_record *seen = peer_seen(p);
  uint64_t total = 0, expected = 0;
  size_t i;
  uint32_t n;
  if (c == NULL) return;
  for (i = 0; i < sizeof body; i++) body[i] = (uint8_t)(i * 7 + (i >> 8));
  for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    amqp_bytes_t bytes;
    bytes.bytes = body;
    bytes.len = sizes[i];
    expected += sizes[i];
    CHECK_STATUS(amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes), AMQP_STATUS_OK);
  }
  CHECK(wait_for_publishes(p, sizeof sizes / sizeof *sizes, 5000));
  CHECK_INT(seen->malformed, 0);
  for (n = 0, i = 0; n < seen->frame_count; n++) {
    const peer_frame *frame = &seen->frames[n];
    CHECK(frame->size + 8 <= 4096);
    if (frame->type == PEER_FRAME_HEADER) i = 0;
    if (frame->type != PEER_FRAME_BODY) continue;
    CHECK(memcmp(seen->bytes + frame->offset, body + i, frame->size) == 0);
    i += frame->size;
    total += frame->size;
  }
  CHECK_INT(total, expected);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 14: everything is encoded before the first byte leaves ---- */

static amqp_basic_properties_t huge_properties(void) {
  static char text[9000];
  static amqp_table_entry_t entry;
  amqp_basic_properties_t properties;
  memset(&properties, 0, sizeof properties);
  memset(text, 'x', sizeof text);
  entry.key = client_bytes("a");
  entry.value.kind = AMQP_FIELD_KIND_UTF8;
  entry.value.value.bytes.bytes = text;
  entry.value.value.bytes.len = sizeof text;
  properties._flags = AMQP_BASIC_HEADERS_FLAG;
  properties.headers.num_entries = 1;
  properties.headers.entries = &entry;
  return properties;
}

CASE(row14_properties_that_do_not_fit_send_nothing) {
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_basic_properties_t properties = huge_properties();
  uint64_t before;
  if (c == NULL) return;
  before = peer_seen(p)->received;
  CHECK(amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, &properties, client_bytes("x")) < 0);
  peer_sleep(100);
  CHECK_INT(peer_seen(p)->received, before);
  CHECK_STATUS(client_publish(c, 1, "fine"), AMQP_STATUS_OK);
  CHECK(wait_for_publishes(p, 1, 2000));
  CHECK_INT(peer_count(p, AMQP_BASIC_PUBLISH_METHOD), 1);
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(row14_names_that_do_not_fit_send_nothing) {
  static char name[300];
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  uint64_t before;
  amqp_bytes_t bytes;
  if (c == NULL) return;
  memset(name, 'n', sizeof name);
  bytes.bytes = name;
  bytes.len = sizeof name;
  before = peer_seen(p)->received;
  CHECK(amqp_basic_publish(c, 1, bytes, client_bytes("q"), 0, 0, NULL, client_bytes("x")) < 0);
  CHECK(amqp_basic_publish(c, 1, client_bytes(""), bytes, 0, 0, NULL, client_bytes("x")) < 0);
  CHECK(amqp_queue_declare(c, 1, bytes, 0, 0, 0, 0, amqp_empty_table) == NULL);
  CHECK(client_reply_status(amqp_get_rpc_reply(c)) < 0);
  peer_sleep(100);
  CHECK_INT(peer_seen(p)->received, before);
  CHECK_STATUS(client_publish(c, 1, "fine"), AMQP_STATUS_OK);
  CHECK(wait_for_publishes(p, 1, 2000));
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 16: a protocol header that was sent in part ---- */

static void quiet(peer_link *link, void *unused) {
  (void)unused;
  peer_serve(link, PEER_MUTE, 10000);
}

CASE(row16_half_a_protocol_header_is_an_error) {
  peer *p = peer_start(quiet, NULL);
  amqp_connection_state_t c = client_connect(p);
  int status;
  if (c == NULL) return;
  check_allow_seconds(10);
  CHECK_STATUS(amqp_set_handshake_timeout(c, client_seconds(0.5)), AMQP_STATUS_OK);
  faulty_fd = amqp_get_sockfd(c);
  whole_bytes = 4;
  then_errno = EAGAIN;
  status = client_reply_status(amqp_login(c, "/", 0, 131072, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
  faulty_fd = -1;
  CHECK_STATUS(status, AMQP_STATUS_TIMEOUT);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(a_connection_that_breaks_inside_the_protocol_header_says_so) {
  peer *p = peer_start(quiet, NULL);
  amqp_connection_state_t c = client_connect(p);
  int status;
  if (c == NULL) return;
  faulty_fd = amqp_get_sockfd(c);
  whole_bytes = 4;
  then_errno = ECONNRESET;
  status = amqp_send_header(c);
  faulty_fd = -1;
  CHECK(status == AMQP_STATUS_SOCKET_ERROR || status == AMQP_STATUS_CONNECTION_CLOSED);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(short_writes_and_interruptions_lose_nothing) {
  static uint8_t body[9000];
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_bytes_t bytes;
  size_t i;
  if (c == NULL) return;
  for (i = 0; i < sizeof body; i++) body[i] = (uint8_t)(i ^ (i >> 5));
  bytes.bytes = body;
  bytes.len = sizeof body;
  faulty_fd = amqp_get_sockfd(c);
  interruptions = 3;
  for (i = 1; i < 40; i += 6) {
    most_per_call = i;
    CHECK_STATUS(amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes), AMQP_STATUS_OK);
    CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  }
  faulty_fd = -1;
  CHECK_INT(peer_seen(p)->publishes, 7);
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(a_connection_that_breaks_inside_a_publish_says_so) {
  static uint8_t body[20000];
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_bytes_t bytes = {sizeof body, body};
  int status;
  if (c == NULL) return;
  faulty_fd = amqp_get_sockfd(c);
  whole_bytes = 5000;
  then_errno = EPIPE;
  status = amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes);
  CHECK(status == AMQP_STATUS_SOCKET_ERROR || status == AMQP_STATUS_CONNECTION_CLOSED);
  status = client_publish(c, 1, "after");
  CHECK(status < 0);
  faulty_fd = -1;
  amqp_destroy_connection(c);
  peer_stop(p);
}

static void says_why(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  if (!peer_serve_until_go(link, PEER_LIVE, 20000)) return;
  peer_deliver(link, 1, 1, "the last", 8);
  peer_send_connection_close(link, 320, "CONNECTION_FORCED");
  peer_reached(link, 1);
  peer_serve(link, PEER_MUTE, 20000);
}

CASE(what_came_before_the_connection_broke_can_be_read) {
  static uint8_t body[20000];
  peer *p = peer_start(says_why, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_bytes_t bytes = {sizeof body, body};
  amqp_envelope_t envelope;
  amqp_frame_t frame;
  if (c == NULL) return;
  peer_go(p);
  CHECK(peer_wait(p, 1, 10000));
  faulty_fd = amqp_get_sockfd(c);
  whole_bytes = 5000;
  then_errno = ECONNRESET;
  CHECK(amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes) < 0);
  faulty_fd = -1;
  if (CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(1), 0)), 0))
    amqp_destroy_envelope(&envelope);
  if (CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(1)), AMQP_STATUS_OK))
    CHECK_INT(frame.payload.method.id, AMQP_CONNECTION_CLOSE_METHOD);
  CHECK(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(1)) < 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- 19: what amqp_send_frame refuses ---- */

CASE(row19_send_frame_refuses_a_body_larger_than_the_frame) {
  static uint8_t body[200000];
  peer *p = peer_start(obliging, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  amqp_frame_t frame;
  uint64_t before;
  if (c == NULL) return;
  memset(&frame, 0, sizeof frame);
  frame.frame_type = AMQP_FRAME_BODY;
  frame.channel = 1;
  frame.payload.body_fragment.bytes = body;
  frame.payload.body_fragment.len = 4089;
  before = peer_seen(p)->received;
  CHECK(amqp_send_frame(c, &frame) < 0);
  frame.payload.body_fragment.len = sizeof body;
  CHECK(amqp_send_frame(c, &frame) < 0);
  peer_sleep(100);
  CHECK_INT(peer_seen(p)->received, before);
  frame.payload.body_fragment.len = 4088;
  CHECK_STATUS(amqp_send_frame(c, &frame), AMQP_STATUS_OK);
  CHECK(amqp_basic_qos(c, 1, 0, 1, 0) != NULL);
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

/* ---- settled: a blocked publisher keeps reading, and nothing that it reads is lost ---- */

static void talks_while_not_reading(peer_link *link, void *unused) {
  int i;
  (void)unused;
  peer_set_receive_buffer(link, 65536);
  if (!peer_handshake(link, 0, 131072, 2)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  peer_reached(link, 1);
  for (i = 1; i <= 6; i++) {
    peer_serve(link, PEER_ALARM, 300);
    peer_deliver(link, 1, (uint64_t)i, "meanwhile", 9);
  }
  peer_serve(link, PEER_LIVE, 20000);
}

CASE(deliveries_during_a_blocked_publish_are_kept_in_order) {
  static uint8_t body[1000000];
  peer *p = peer_start(talks_while_not_reading, NULL);
  amqp_connection_state_t c = client_open(p, 2);
  amqp_bytes_t bytes = {sizeof body, body};
  amqp_envelope_t envelope;
  int i;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  for (i = 0; i < 12; i++)
    CHECK_STATUS(amqp_basic_publish(c, 1, client_bytes(""), client_bytes("q"), 0, 0, NULL, bytes), AMQP_STATUS_OK);
  for (i = 1; i <= 6; i++) {
    if (!CHECK_INT(client_reply_status(amqp_consume_message(c, &envelope, client_seconds(5), 0)), 0)) break;
    CHECK_INT(envelope.delivery_tag, i);
    amqp_destroy_envelope(&envelope);
  }
  CHECK(wait_for_publishes(p, 12, 5000));
  CHECK_INT(peer_seen(p)->malformed, 0);
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
