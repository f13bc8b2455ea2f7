/*
 * amqp_batch.h. The system calls that send are counted in this program, and can be made to fail.
 */
#include <amqp_batch.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "client.h"

#pragma weak amqp_publish_cork
#pragma weak amqp_publish_uncork

/* ---- the system calls of one descriptor ---- */

static int watched_fd = -1;
static int sends;
static int is_broken;

static int is_refused(int fd) {
  if (fd != watched_fd) return 0;
  __atomic_add_fetch(&sends, 1, __ATOMIC_RELAXED);
  if (is_broken) errno = EPIPE;
  return is_broken;
}

ssize_t send(int fd, const void *bytes, size_t size, int flags) {
  static ssize_t (*real)(int, const void *, size_t, int);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "send");
  return is_refused(fd) ? -1 : real(fd, bytes, size, flags);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
  static ssize_t (*real)(int, const struct msghdr *, int);
  if (real == NULL) *(void **)&real = dlsym(RTLD_NEXT, "sendmsg");
  return is_refused(fd) ? -1 : real(fd, message, flags);
}

/* ---- the peer ---- */

static void confirming(peer_link *link, void *unused) {
  (void)unused;
  if (!peer_handshake(link, 0, 131072, 0)) return;
  peer_serve(link, PEER_LIVE | PEER_CONFIRM, 20000);
}

static peer *p;
static amqp_connection_state_t connection;

/* 1: connected and corked. */
static int begin(void) {
  if (amqp_publish_cork == NULL) check_skip("this library has no amqp_batch.h");
  p = peer_start(confirming, NULL);
  connection = client_open(p, 0);
  if (connection == NULL || !CHECK_STATUS(amqp_publish_cork(connection), AMQP_STATUS_OK)) return 0;
  watched_fd = amqp_get_sockfd(connection);
  return 1;
}

static void end(void) {
  watched_fd = -1;
  amqp_destroy_connection(connection);
  peer_stop(p);
}

static void publish(int count) {
  for (int i = 0; i < count; i++) {
    if (!CHECK_STATUS(client_publish(connection, 1, "message"), AMQP_STATUS_OK)) return;
  }
}

/* So many publishes arrive within two seconds, and no more. */
static void check_arrived(uint64_t count) {
  for (int tries = 0; tries < 200 && peer_seen(p)->publishes < count; tries++) peer_sleep(10);
  CHECK_INT(peer_seen(p)->publishes, count);
  CHECK(!peer_seen(p)->malformed);
}

static void check_nothing_leaves(void) {
  peer_sleep(30);
  CHECK_INT(peer_seen(p)->publishes, 0);
  CHECK_INT(sends, 0);
}

/* ---- cases ---- */

CASE(uncork_sends_once) {
  if (!begin()) return;
  publish(100);
  check_nothing_leaves();
  CHECK_STATUS(amqp_publish_uncork(connection), AMQP_STATUS_OK);
  CHECK_INT(sends, 1);
  check_arrived(100);
  publish(1);
  CHECK_INT(sends, 2);
  check_arrived(101);
  end();
}

CASE(bodies_arrive_in_order) {
  char text[8];
  const peer_record *seen;
  unsigned bodies = 0;
  if (!begin()) return;
  for (int i = 0; i < 300; i++) {
    snprintf(text, sizeof text, "%d", i);
    CHECK_STATUS(client_publish(connection, (amqp_channel_t)1, text), AMQP_STATUS_OK);
  }
  CHECK_STATUS(amqp_publish_uncork(connection), AMQP_STATUS_OK);
  check_arrived(300);
  seen = peer_seen(p);
  peer_sleep(50);
  for (uint32_t i = 0; i < seen->frame_count; i++) {
    if (seen->frames[i].type != PEER_FRAME_BODY) continue;
    snprintf(text, sizeof text, "%u", bodies++);
    CHECK(seen->frames[i].size == strlen(text) && memcmp(seen->bytes + seen->frames[i].offset, text, strlen(text)) == 0);
  }
  CHECK_INT(bodies, 300);
  end();
}

CASE(sixty_four_kilobytes_leave) {
  int count = 0;
  if (!begin()) return;
  while (sends == 0 && count < 10000) {
    publish(1);
    count++;
  }
  CHECK_INT(sends, 1);
  CHECK_BETWEEN(count, 500, 1500);
  check_arrived((uint64_t)count);
  end();
}

CASE(a_large_body_takes_them_along) {
  char body[20000];
  amqp_bytes_t bytes = {sizeof body, body};
  if (!begin()) return;
  memset(body, 'x', sizeof body);
  publish(3);
  CHECK_STATUS(amqp_basic_publish(connection, 1, amqp_empty_bytes, client_bytes("q"), 0, 0, NULL, bytes), AMQP_STATUS_OK);
  CHECK_INT(sends, 1);
  check_arrived(4);
  end();
}

CASE(a_wait_sends_them) {
  amqp_publisher_confirm_t confirm;
  if (!begin()) return;
  if (amqp_publisher_confirm_wait == NULL) check_skip("no amqp_publisher_confirm_wait");
  publish(5);
  for (int i = 0; i < 5; i++) {
    CHECK_STATUS(client_reply_status(amqp_publisher_confirm_wait(connection, client_seconds(5), &confirm)), 0);
  }
  CHECK_INT(sends, 1);
  check_arrived(5);
  end();
}

CASE(a_request_sends_them) {
  if (!begin()) return;
  publish(5);
  amqp_queue_declare(connection, 1, client_bytes("q"), 0, 0, 0, 0, amqp_empty_table);
  CHECK_STATUS(client_reply_status(amqp_get_rpc_reply(connection)), 0);
  CHECK_INT(peer_seen(p)->publishes, 5);
  end();
}

CASE(an_ack_sends_them) {
  if (!begin()) return;
  publish(5);
  CHECK_STATUS(amqp_basic_ack(connection, 1, 1, 0), AMQP_STATUS_OK);
  CHECK_INT(sends, 1);
  check_arrived(5);
  end();
}

CASE(close_sends_them_and_destroy_loses_them) {
  if (!begin()) return;
  publish(5);
  CHECK_STATUS(client_reply_status(amqp_connection_close(connection, AMQP_REPLY_SUCCESS)), 0);
  CHECK_INT(peer_seen(p)->publishes, 5);
  end();
  sends = 0;
  if (!begin()) return;
  publish(5);
  watched_fd = -1;
  amqp_destroy_connection(connection);
  CHECK(peer_join(p, 5000));
  CHECK_INT(peer_seen(p)->publishes, 0);
  peer_stop(p);
}

CASE(a_failure_is_told_by_uncork) {
  if (!begin()) return;
  publish(5);
  is_broken = 1;
  CHECK(amqp_publish_uncork(connection) < 0);
  CHECK(client_publish(connection, 1, "message") < 0);
  is_broken = 0;
  end();
}

CASE(null_and_unconnected) {
  if (amqp_publish_cork == NULL) check_skip("this library has no amqp_batch.h");
  CHECK_STATUS(amqp_publish_cork(NULL), AMQP_STATUS_INVALID_PARAMETER);
  CHECK_STATUS(amqp_publish_uncork(NULL), AMQP_STATUS_INVALID_PARAMETER);
  connection = amqp_new_connection();
  CHECK_STATUS(amqp_publish_cork(connection), AMQP_STATUS_SOCKET_CLOSED);
  CHECK_STATUS(amqp_publish_uncork(connection), AMQP_STATUS_SOCKET_CLOSED);
  amqp_destroy_connection(connection);
}

/* One thread publishes in batches while this one takes the confirms. */
enum { BATCHES = 100, BATCH = 50 };

static void *publish_batches(void *unused) {
  (void)unused;
  for (int i = 0; i < BATCHES; i++) {
    CHECK_STATUS(amqp_publish_cork(connection), AMQP_STATUS_OK);
    publish(BATCH);
    CHECK_STATUS(amqp_publish_uncork(connection), AMQP_STATUS_OK);
  }
  return NULL;
}

CASE(two_threads) {
  pthread_t publisher;
  amqp_publisher_confirm_t confirm;
  if (!begin()) return;
  if (amqp_publisher_confirm_wait == NULL) check_skip("no amqp_publisher_confirm_wait");
  if (!CHECK(pthread_create(&publisher, NULL, publish_batches, NULL) == 0)) return;
  for (int i = 0; i < BATCHES * BATCH; i++) {
    if (!CHECK_STATUS(client_reply_status(amqp_publisher_confirm_wait(connection, client_seconds(10), &confirm)), 0)) break;
    CHECK_INT(confirm.payload.ack.delivery_tag, i + 1);
    amqp_maybe_release_buffers(connection);
  }
  pthread_join(publisher, NULL);
  check_arrived(BATCHES * BATCH);
  end();
}

int main(int argc, char **argv) { return check_main(argc, argv); }
