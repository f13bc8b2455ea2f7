/* Publishes messages at a steady rate and says what rate it reached.
 *
 * Type:     publish_rate [host [port [queue [messages-per-second [messages [bytes]]]]]]
 *           publish_rate localhost 5672 rate 1000 5000 256
 * You see:  each second a line such as
 *               1.0 s: 1000 messages sent, 1000 per second
 *           and at the end
 *               5000 messages of 256 bytes in 5.00 s: 1000 per second
 *
 * Between two messages it does not sleep: it waits for frames in the library. So heartbeats are sent and watched also
 * at one message per hour, and a broker that refuses the messages is heard at once.
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "common.h"

/* Waits until `due`, and ends the program on anything that the broker says meanwhile: it has nothing to say to a
   publisher that asked for nothing, unless it is closing the channel or the connection. */
static void wait_until(amqp_connection_state_t connection, double due) {
  for (;;) {
    double left = due - seconds_now();
    struct timeval timeout;
    amqp_frame_t frame;
    int status;
    if (left < 0) {
      left = 0;
    }
    timeout.tv_sec = (long)left;
    timeout.tv_usec = (long)((left - (double)timeout.tv_sec) * 1e6);
    status = amqp_simple_wait_frame_noblock(connection, &frame, &timeout);
    if (status == AMQP_STATUS_TIMEOUT) {
      return;
    }
    check_status(status, "wait");
    fail("%s", frame_text(&frame));
  }
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *queue = argument(argc, argv, 3, "rate");
  long rate = number_argument(argc, argv, 4, 100, 1, 1000000);
  long count = number_argument(argc, argv, 5, 1000, 1, 1000000000);
  long size = number_argument(argc, argv, 6, 64, 0, 16777216);

  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;
  amqp_bytes_t body = amqp_bytes_malloc((size_t)size);
  double began, reported, ended;
  long sent = 0, sent_before = 0;

  if (socket == NULL || (size > 0 && body.bytes == NULL)) {
    fail("no memory");
  }
  if (size > 0) {
    memset(body.bytes, 'x', (size_t)size);
  }
  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 10,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  amqp_channel_open(connection, 1);
  check_last_reply(connection, "open a channel");
  amqp_queue_declare(connection, 1, amqp_cstring_bytes(queue), 0, 0, 0, 0, amqp_empty_table);
  check_last_reply(connection, "declare the queue");

  began = reported = seconds_now();
  while (sent < count) {
    double due = began + (double)sent / (double)rate, now = seconds_now();
    /* At high rates several messages are due at once; a look at the broker's side for every 100 of them is enough. */
    if (due > now || sent % 100 == 0) {
      wait_until(connection, due);
    }
    check_status(amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes(queue), 0, 0, NULL, body),
                 "publish");
    sent += 1;
    now = seconds_now();
    if (now - reported >= 1) {
      printf("%5.1f s: %ld messages sent, %.0f per second\n", now - began, sent,
             (double)(sent - sent_before) / (now - reported));
      fflush(stdout);
      reported = now;
      sent_before = sent;
    }
  }

  wait_until(connection, began + (double)count / (double)rate);
  check_reply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  ended = seconds_now();
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  amqp_bytes_free(body);
  printf("%ld messages of %ld bytes in %.2f s: %.0f per second\n", count, size, ended - began,
         (double)count / (ended - began));
  return 0;
}
