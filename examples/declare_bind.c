/* Declares an exchange and a queue and binds them: what a deployment does once, and what is harmless to do again.
 *
 * Type:     declare_bind [host [port [exchange [queue [binding-key]]]]]       to set up
 *           declare_bind host port exchange queue binding-key delete          to take everything down again
 *           declare_bind localhost 5672 weather reports 'europe.#'
 * You see:  exchange "weather" (topic, durable)
 *           queue "reports" (durable): 0 messages, 0 consumers
 *           bound with "europe.#"
 *
 * The broker refuses a second declaration that differs from the first: PRECONDITION_FAILED (406).
 */
#include <amqp.h>
#include <amqp_tcp_socket.h>
#include <stdio.h>
#include <string.h>

#include "common.h"

static void set_up(amqp_connection_state_t connection, const char *exchange, const char *queue, const char *key) {
  amqp_table_entry_t limit;
  amqp_table_t arguments;
  amqp_queue_declare_ok_t *declared;

  amqp_exchange_declare(connection, 1, amqp_cstring_bytes(exchange), amqp_cstring_bytes("topic"), 0, 1, 0, 0,
                        amqp_empty_table);
  check_last_reply(connection, "declare the exchange");
  printf("exchange \"%s\" (topic, durable)\n", exchange);

  /* An argument of the queue: it keeps at most so many messages and drops the oldest. */
  memset(&limit, 0, sizeof limit);
  limit.key = amqp_cstring_bytes("x-max-length");
  limit.value.kind = AMQP_FIELD_KIND_I32;
  limit.value.value.i32 = 100000;
  arguments.num_entries = 1;
  arguments.entries = &limit;
  declared = amqp_queue_declare(connection, 1, amqp_cstring_bytes(queue), 0, 1, 0, 0, arguments);
  check_last_reply(connection, "declare the queue");
  printf("queue \"%.*s\" (durable): %u messages, %u consumers\n", (int)declared->queue.len,
         (char *)declared->queue.bytes, (unsigned)declared->message_count, (unsigned)declared->consumer_count);

  amqp_queue_bind(connection, 1, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange), amqp_cstring_bytes(key),
                  amqp_empty_table);
  check_last_reply(connection, "bind the queue");
  printf("bound with \"%s\"\n", key);
}

static void take_down(amqp_connection_state_t connection, const char *exchange, const char *queue, const char *key) {
  amqp_queue_delete_ok_t *deleted;
  amqp_queue_unbind(connection, 1, amqp_cstring_bytes(queue), amqp_cstring_bytes(exchange), amqp_cstring_bytes(key),
                    amqp_empty_table);
  check_last_reply(connection, "unbind the queue");
  deleted = amqp_queue_delete(connection, 1, amqp_cstring_bytes(queue), 0, 0);
  check_last_reply(connection, "delete the queue");
  printf("queue \"%s\" deleted with %u messages\n", queue, (unsigned)deleted->message_count);
  amqp_exchange_delete(connection, 1, amqp_cstring_bytes(exchange), 0);
  check_last_reply(connection, "delete the exchange");
  printf("exchange \"%s\" deleted\n", exchange);
}

int main(int argc, char **argv) {
  const char *host = argument(argc, argv, 1, "localhost");
  int port = (int)number_argument(argc, argv, 2, 5672, 1, 65535);
  const char *exchange = argument(argc, argv, 3, "weather");
  const char *queue = argument(argc, argv, 4, "reports");
  const char *key = argument(argc, argv, 5, "#");
  const char *action = argument(argc, argv, 6, "");

  amqp_connection_state_t connection = amqp_new_connection();
  amqp_socket_t *socket = connection != NULL ? amqp_tcp_socket_new(connection) : NULL;

  if (socket == NULL) {
    fail("no memory for a connection");
  }
  check_status(amqp_socket_open(socket, host, port), "connect");
  check_reply(amqp_login(connection, "/", AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE, 60,
                         AMQP_SASL_METHOD_PLAIN, "guest", "guest"),
              "log in");
  amqp_channel_open(connection, 1);
  check_last_reply(connection, "open a channel");

  if (strcmp(action, "delete") == 0) {
    take_down(connection, exchange, queue, key);
  } else {
    set_up(connection, exchange, queue, key);
  }

  check_reply(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS), "close the channel");
  check_reply(amqp_connection_close(connection, AMQP_REPLY_SUCCESS), "close the connection");
  check_status(amqp_destroy_connection(connection), "free the connection");
  return 0;
}
