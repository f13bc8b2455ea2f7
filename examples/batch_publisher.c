/* Publishes many small messages in few system calls, with publisher confirms.
 *
 * Type:     batch_publisher [host [port [queue [messages [batch]]]]]
 *           batch_publisher localhost 5672 batch 100000 1000
 * You see:  100000 messages in batches of 1000, all confirmed, in 0.35 s: 285714 per second
 *
 * Between cork and uncork messages are gathered in the connection and leave together. The broker confirms them in its own
 * time, and several with one answer; here each batch is confirmed before the next begins, so that nothing is in doubt
 * when the program stops with an error.
 */
#include <amqp.h>
#include <amqp_batch.h>
#include <amqp_tcp_socket.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common.h"

/* Waits until `count` messages from number `first` on are confirmed. An answer is for one message, or for all up to its tag; they
   may come in any order. */
static void await_confirms(amqp_connection_state_t connection, uint64_t first, long count, char *is_confirmed) {
  long left = count;
  memset(is_confirmed, 0, (size_t)count);
  while (left > 0) {
    amqp_publisher_confirm_t confirm;
    struct timeval timeout = {30, 0};
    uint64_t tag, number;
    check_reply(amqp_publisher_confirm_wait(connection, &timeout, &confirm), "wait for a confirm");
    tag = confirm.payload.ack.delivery_tag;
    if (confirm.method != AMQP_BASIC_ACK_METHOD || tag < first || tag - first >= (uint64_t)count) {
      fail("the broker refused a message");
    }
    for (number = confirm.payload.ack.multiple ? first : tag; number <= tag; number++) {
      left -= !is_confirmed[number - first];
      is_confirmed[number - first] = 1;
    }
    amqp_maybe_release_buffers(connection);
  }
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "batch");
  long count = number_argument(argc, argv, 4, 10000, 1, 1000000000);
  long batch = number_argument(argc, argv, 5, 1000, 1, 1000000);

  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
  double began, took;
  char *is_confirmed = malloc((size_t)batch);
  long sent = 0;

  if (socket == NULL || is_confirmed == NULL) {
    fail("no memory");
  }
  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 30,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  amqp_channel_open(connection, 1);
  check_last_reply(connection, "open a channel");
  amqp_queue_declare(connection, 1, amqp_cstring_bytes(queue), 0, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "declare the queue");
  amqp_confirm_select(connection, 1);
  check_last_reply(connection, "turn on confirms");

  began = seconds_now();
  while (sent < count) {
    long first = sent, end = sent + batch < count ? sent + batch : count;
    check_status(amqp_publish_cork(connection), "cork");
    while (sent < end) {
      check_status(amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 0, 0, NULL,
                                      amqp_cstring_bytes("a small message")),
                   "publish");
      sent += 1;
    }
    check_status(amqp_publish_uncork(connection), "uncork");
    await_confirms(connection, (uint64_t)first + 1, sent - first, is_confirmed);
  }
  took = seconds_now() - began;

  check_reply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  free(is_confirmed);
  printf("%ld messages in batches of %ld, all confirmed, in %.2f s: %.0f per second\n", count, batch, took,
         (double)count / took);
  return 0;
}
