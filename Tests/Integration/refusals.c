/* What the broker refuses, returns and closes, and how the program learns of it. */
#include "support.h"

#include <stdlib.h>

static void unroutable_comes_back(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t body = patterned(300000, 4);
  amqp_basic_properties_t properties;
  amqp_basic_return_t *returned;
  amqp_message_t message;
  uint64_t sum = checksum(body);
  memset(&properties, 0, sizeof properties);
  properties._flags = AMQP_BASIC_MESSAGE_ID_FLAG;
  properties.message_id = amqp_cstring_bytes("m1");
  REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_cstring_bytes("amq.direct"), amqp_cstring_bytes("nowhere"), 1, 0,
                                &properties, body));
  returned = next_method(connection, 1, AMQP_BASIC_RETURN_METHOD);
  REQUIRE_EQUAL(returned->reply_code, 312);
  REQUIRE(bytes_equal(returned->reply_text, "NO_ROUTE"));
  REQUIRE(bytes_equal(returned->exchange, "amq.direct"));
  REQUIRE(bytes_equal(returned->routing_key, "nowhere"));
  REQUIRE_REPLY(amqp_read_message(connection, 1, &message, 0));
  REQUIRE_EQUAL(message.properties._flags, AMQP_BASIC_MESSAGE_ID_FLAG);
  REQUIRE(bytes_equal(message.properties.message_id, "m1"));
  REQUIRE_EQUAL(message.body.len, body.len);
  REQUIRE(checksum(message.body) == sum);
  amqp_destroy_message(&message);
  farewell(connection);
}

/* A returned message while a consumer waits: consume says that something else is there, and loses nothing. */
static void return_amid_deliveries(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  amqp_envelope_t envelope;
  amqp_message_t message;
  amqp_basic_return_t *returned;
  struct timeval limit = {10, 0};
  int returns = 0, deliveries = 0;
  start_consumer(connection, 1, queue, 1);
  publish(connection, 1, queue, amqp_cstring_bytes("one"));
  REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes("nowhere"), 1, 0, NULL,
                                amqp_cstring_bytes("back")));
  publish(connection, 1, queue, amqp_cstring_bytes("two"));
  while (returns + deliveries < 3) {
    amqp_rpc_reply_t reply = amqp_consume_message(connection, &envelope, &limit, 0);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
      deliveries += 1;
      REQUIRE(bytes_equal(envelope.message.body, deliveries == 1 ? "one" : "two"));
      amqp_destroy_envelope(&envelope);
      continue;
    }
    REQUIRE_LIBRARY_ERROR(reply, AMQP_STATUS_UNEXPECTED_STATE);
    returned = next_method(connection, 1, AMQP_BASIC_RETURN_METHOD);
    REQUIRE_EQUAL(returned->reply_code, 312);
    REQUIRE_REPLY(amqp_read_message(connection, 1, &message, 0));
    REQUIRE(bytes_equal(message.body, "back"));
    amqp_destroy_message(&message);
    returns += 1;
  }
  REQUIRE_EQUAL(returns, 1);
  farewell(connection);
}

static void reopen_channel(amqp_connection_state_t connection, int answer) {
  if (answer) {
    amqp_channel_close_ok_t close_ok = {0};
    REQUIRE_OK(amqp_send_method(connection, 1, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok));
  }
  REQUIRE(amqp_channel_open(connection, 1) != NULL);
  REQUIRE_DONE(connection);
}

/* The broker says so by closing the channel, some time after the publish. */
static void missing_exchange(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_channel_close_t *close;
  REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_cstring_bytes("no such exchange"), amqp_empty_bytes, 0, 0, NULL,
                                amqp_cstring_bytes("x")));
  close = next_method(connection, 1, AMQP_CHANNEL_CLOSE_METHOD);
  REQUIRE_EQUAL(close->reply_code, AMQP_NOT_FOUND);
  REQUIRE_EQUAL(close->class_id, 60);
  REQUIRE_EQUAL(close->method_id, 40);
  reopen_channel(connection, 1);
  require_queue_length(connection, own_queue(connection, 1), 0);
  farewell(connection);
}

/* The next RPC on that channel reports the close. */
static void missing_exchange_seen_by_rpc(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_cstring_bytes("no such exchange"), amqp_empty_bytes, 0, 0, NULL,
                                amqp_cstring_bytes("x")));
  REQUIRE(amqp_queue_declare(connection, 1, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table) == NULL);
  REQUIRE_CHANNEL_CLOSED(amqp_get_rpc_reply(connection), AMQP_NOT_FOUND);
  reopen_channel(connection, 1);
  farewell(connection);
}

/* A consumer hears of it as well. */
static void missing_exchange_seen_by_consumer(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  amqp_envelope_t envelope;
  amqp_channel_close_t *close;
  start_consumer(connection, 1, queue, 1);
  REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_cstring_bytes("no such exchange"), amqp_empty_bytes, 0, 0, NULL,
                                amqp_cstring_bytes("x")));
  REQUIRE_LIBRARY_ERROR(amqp_consume_message(connection, &envelope, NULL, 0), AMQP_STATUS_UNEXPECTED_STATE);
  close = next_method(connection, 1, AMQP_CHANNEL_CLOSE_METHOD);
  REQUIRE_EQUAL(close->reply_code, AMQP_NOT_FOUND);
  reopen_channel(connection, 1);
  farewell(connection);
}

/* A close that is queued already, since a wait for another channel read it, is reported by the next RPC. */
static void queued_close_seen_by_rpc(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  struct timeval limit = {5, 0};
  REQUIRE(amqp_channel_open(connection, 2) != NULL);
  REQUIRE_OK(amqp_set_rpc_timeout(connection, &limit));
  REQUIRE_OK(amqp_basic_publish(connection, 2, amqp_cstring_bytes("no such exchange"), amqp_empty_bytes, 0, 0, NULL,
                                amqp_cstring_bytes("x")));
  /* Channels 1 and 2 are processes of their own in the broker: give it the time to close 2 before it answers on 1. */
  sleep_seconds(0.3);
  require_queue_length(connection, own_queue(connection, 1), 0);
  REQUIRE(amqp_queue_declare(connection, 2, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table) == NULL);
  REQUIRE_CHANNEL_CLOSED(amqp_get_rpc_reply(connection), AMQP_NOT_FOUND);
  {
    amqp_channel_close_ok_t close_ok = {0};
    REQUIRE_OK(amqp_send_method(connection, 2, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok));
  }
  farewell(connection);
}

static void passive_declare_of_nothing(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  REQUIRE(amqp_queue_declare(connection, 1, amqp_cstring_bytes("no such queue"), 1, 0, 0, 0, amqp_empty_table) == NULL);
  REQUIRE_CHANNEL_CLOSED(amqp_get_rpc_reply(connection), AMQP_NOT_FOUND);
  reopen_channel(connection, 1);
  farewell(connection);
}

static void inequivalent_declare(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  REQUIRE(amqp_queue_declare(connection, 1, queue, 0, 0, 1, 0, amqp_empty_table) == NULL);
  REQUIRE_CHANNEL_CLOSED(amqp_get_rpc_reply(connection), AMQP_PRECONDITION_FAILED);
  reopen_channel(connection, 1);
  farewell(connection);
}

static void get_from_missing_queue(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  REQUIRE_CHANNEL_CLOSED(amqp_basic_get(connection, 1, amqp_cstring_bytes("no such queue"), 1), AMQP_NOT_FOUND);
  reopen_channel(connection, 1);
  farewell(connection);
}

/* A frame for a channel that was never opened: the broker closes the connection with 504. */
static void unopened_channel(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_queue_declare(connection, 9, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table);
  REQUIRE_CONNECTION_CLOSED(amqp_get_rpc_reply(connection), 504);
  REQUIRE_OK(amqp_destroy_connection(connection));
}

static void refused_login(void) {
  amqp_connection_state_t connection = connected();
  REQUIRE_CONNECTION_CLOSED(login(connection, "/", "wrong"), AMQP_ACCESS_REFUSED);
  REQUIRE_OK(amqp_destroy_connection(connection));
}

static void missing_vhost(void) {
  amqp_connection_state_t connection = connected();
  REQUIRE_CONNECTION_CLOSED(login(connection, "no such vhost", "guest"), AMQP_NOT_ALLOWED);
  REQUIRE_OK(amqp_destroy_connection(connection));
}

static void unsupported_sasl(void) {
  amqp_connection_state_t connection = connected();
  amqp_rpc_reply_t reply = amqp_login(connection, "/", 0, 131072, 0, AMQP_SASL_METHOD_EXTERNAL, "me");
  REQUIRE_LIBRARY_ERROR(reply, AMQP_STATUS_BROKER_UNSUPPORTED_SASL_METHOD);
  REQUIRE_OK(amqp_destroy_connection(connection));
}

/* The broker closes the connection of a client that is waiting, sending or idle: connection.close 320. */

static void require_forced_close(amqp_connection_state_t connection) {
  amqp_connection_close_t *close = next_method(connection, 0, AMQP_CONNECTION_CLOSE_METHOD);
  amqp_connection_close_ok_t close_ok = {0};
  REQUIRE_EQUAL(close->reply_code, AMQP_CONNECTION_FORCED);
  REQUIRE_OK(amqp_send_method(connection, 0, AMQP_CONNECTION_CLOSE_OK_METHOD, &close_ok));
  REQUIRE_OK(amqp_destroy_connection(connection));
}

static void cut_while_consuming(void) {
  amqp_connection_state_t connection = logged_in(10, 0);
  amqp_envelope_t envelope;
  start_consumer(connection, 1, own_queue(connection, 1), 1);
  announce_ready();
  REQUIRE_LIBRARY_ERROR(amqp_consume_message(connection, &envelope, NULL, 0), AMQP_STATUS_UNEXPECTED_STATE);
  require_forced_close(connection);
}

static void cut_while_waiting_for_frames(void) {
  amqp_connection_state_t connection = logged_in(10, 0);
  announce_ready();
  require_forced_close(connection);
}

static void cut_before_rpc(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  announce_ready();
  await_event("cut");
  REQUIRE(amqp_queue_declare(connection, 1, amqp_empty_bytes, 0, 0, 1, 1, amqp_empty_table) == NULL);
  REQUIRE_CONNECTION_CLOSED(amqp_get_rpc_reply(connection), AMQP_CONNECTION_FORCED);
  REQUIRE_OK(amqp_destroy_connection(connection));
}

static void publish_after_cut(int heartbeat_seconds) {
  amqp_connection_state_t connection = logged_in(heartbeat_seconds, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  publish(connection, 1, queue, amqp_cstring_bytes("before"));
  announce_ready();
  await_event("cut");
  sleep_seconds(1.2);
  REQUIRE_EQUAL(amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, NULL, amqp_cstring_bytes("after")),
                AMQP_STATUS_CONNECTION_CLOSED);
  {
    amqp_connection_close_t *close = next_method(connection, 0, AMQP_CONNECTION_CLOSE_METHOD);
    REQUIRE_EQUAL(close->reply_code, AMQP_CONNECTION_FORCED);
  }
  REQUIRE_OK(amqp_destroy_connection(connection));
}

/* A message must not be written into a connection that the broker has closed, and be reported as sent. */
static void cut_before_publish(void) { publish_after_cut(0); }
static void cut_before_publish_with_heartbeat(void) { publish_after_cut(10); }

static void cut_while_awaiting_confirmation(void) {
  amqp_connection_state_t connection = logged_in(10, 0);
  amqp_publisher_confirm_t confirm;
  REQUIRE(confirm_wait != NULL);
  amqp_confirm_select(connection, 1);
  REQUIRE_DONE(connection);
  announce_ready();
  REQUIRE_LIBRARY_ERROR(confirm_wait(connection, NULL, &confirm), AMQP_STATUS_UNEXPECTED_STATE);
  require_forced_close(connection);
}

const struct test_case refusal_cases[] = {
    {"unroutable_comes_back", "plain", 0, unroutable_comes_back},
    {"return_amid_deliveries", "plain", 0, return_amid_deliveries},
    {"missing_exchange", "plain", 0, missing_exchange},
    {"missing_exchange_seen_by_rpc", "plain", 0, missing_exchange_seen_by_rpc},
    {"missing_exchange_seen_by_consumer", "plain", 0, missing_exchange_seen_by_consumer},
    {"queued_close_seen_by_rpc", "plain", 1, queued_close_seen_by_rpc},
    {"passive_declare_of_nothing", "plain", 0, passive_declare_of_nothing},
    {"inequivalent_declare", "plain", 0, inequivalent_declare},
    {"get_from_missing_queue", "plain", 0, get_from_missing_queue},
    {"unopened_channel", "plain", 0, unopened_channel},
    {"refused_login", "plain", 0, refused_login},
    {"missing_vhost", "plain", 0, missing_vhost},
    {"unsupported_sasl", "plain", 0, unsupported_sasl},
    {"cut_while_consuming", "cut", 0, cut_while_consuming},
    {"cut_while_waiting_for_frames", "cut", 0, cut_while_waiting_for_frames},
    {"cut_before_rpc", "cut", 0, cut_before_rpc},
    {"cut_before_publish", "cut", 1, cut_before_publish},
    {"cut_before_publish_with_heartbeat", "cut", 1, cut_before_publish_with_heartbeat},
    {"cut_while_awaiting_confirmation", "cut", 1, cut_while_awaiting_confirmation},
    {NULL, NULL, 0, NULL}};
