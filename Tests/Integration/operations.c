/* What a program does with exchanges, queues, channels, transactions and confirmations. */
#include "support.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static amqp_bytes_t own_exchange(amqp_connection_state_t connection, const char *suffix, const char *type) {
  char name[128];
  amqp_bytes_t exchange;
  snprintf(name, sizeof name, "exchange.%ld.%s", (long)getpid(), suffix);
  exchange = amqp_bytes_malloc_dup(amqp_cstring_bytes(name));
  amqp_exchange_declare(connection, 1, exchange, amqp_cstring_bytes(type), 0, 0, 1, 0, amqp_empty_table);
  REQUIRE_DONE(connection);
  return exchange;
}

static void exchange_bindings(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1), key = amqp_cstring_bytes("a.b");
  amqp_bytes_t source = own_exchange(connection, "source", "topic"), sink = own_exchange(connection, "sink", "fanout");
  amqp_queue_bind(connection, 1, queue, sink, amqp_empty_bytes, amqp_empty_table);
  REQUIRE_DONE(connection);
  amqp_exchange_bind(connection, 1, sink, source, amqp_cstring_bytes("a.#"), amqp_empty_table);
  REQUIRE_DONE(connection);
  REQUIRE_OK(amqp_basic_publish(connection, 1, source, key, 0, 0, NULL, amqp_cstring_bytes("1")));
  REQUIRE_OK(amqp_basic_publish(connection, 1, source, amqp_cstring_bytes("b"), 0, 0, NULL, amqp_cstring_bytes("2")));
  require_queue_length(connection, queue, 1);
  amqp_exchange_unbind(connection, 1, sink, source, amqp_cstring_bytes("a.#"), amqp_empty_table);
  REQUIRE_DONE(connection);
  amqp_exchange_delete(connection, 1, source, 1);
  if (amqp_get_rpc_reply(connection).reply_type != AMQP_RESPONSE_NORMAL) {
    FAIL("the source exchange is still in use, or went too early");
  }
  amqp_queue_unbind(connection, 1, queue, sink, amqp_empty_bytes, amqp_empty_table);
  REQUIRE_DONE(connection);
  farewell(connection);
}

static void transactions(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  REQUIRE(amqp_channel_open(connection, 2) != NULL);
  amqp_tx_select(connection, 2);
  REQUIRE_DONE(connection);
  publish(connection, 2, queue, amqp_cstring_bytes("rolled back"));
  amqp_tx_rollback(connection, 2);
  REQUIRE_DONE(connection);
  require_queue_length(connection, queue, 0);
  publish(connection, 2, queue, amqp_cstring_bytes("committed"));
  require_queue_length(connection, queue, 0);
  amqp_tx_commit(connection, 2);
  REQUIRE_DONE(connection);
  require_queue_length(connection, queue, 1);
  farewell(connection);
}

/* With a prefetch limit of 3 the broker sends three, and one more for each acknowledgement. */
static void prefetch_limit(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  struct timeval brief = {0, 300000};
  amqp_envelope_t envelope;
  uint64_t last = 0;
  int i;
  amqp_basic_qos(connection, 1, 0, 3, 0);
  REQUIRE_DONE(connection);
  for (i = 0; i < 10; ++i) {
    publish(connection, 1, queue, amqp_cstring_bytes("x"));
  }
  start_consumer(connection, 1, queue, 0);
  for (i = 0; i < 3; ++i) {
    consume(connection, &envelope);
    last = envelope.delivery_tag;
    amqp_destroy_envelope(&envelope);
  }
  REQUIRE_EQUAL(last, 3);
  REQUIRE_LIBRARY_ERROR(amqp_consume_message(connection, &envelope, &brief, 0), AMQP_STATUS_TIMEOUT);
  REQUIRE_OK(amqp_basic_ack(connection, 1, 1, 0));
  consume(connection, &envelope);
  REQUIRE_EQUAL(envelope.delivery_tag, 4);
  amqp_destroy_envelope(&envelope);
  REQUIRE_LIBRARY_ERROR(amqp_consume_message(connection, &envelope, &brief, 0), AMQP_STATUS_TIMEOUT);
  REQUIRE_OK(amqp_basic_ack(connection, 1, 4, 1)); /* 2, 3 and 4 at once */
  for (i = 5; i <= 7; ++i) {
    consume(connection, &envelope);
    REQUIRE_EQUAL(envelope.delivery_tag, i);
    amqp_destroy_envelope(&envelope);
  }
  farewell(connection);
}

static void cancel_purge_delete(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t tag = amqp_cstring_bytes("my-tag"), queue;
  amqp_queue_declare_ok_t *declared =
      amqp_queue_declare(connection, 1, amqp_empty_bytes, 0, 0, 1, 0, amqp_empty_table);
  amqp_basic_consume_ok_t *started;
  amqp_basic_cancel_ok_t *cancelled;
  amqp_queue_purge_ok_t *purged;
  amqp_queue_delete_ok_t *deleted;
  amqp_envelope_t envelope;
  struct timeval brief = {0, 200000};
  int i;
  REQUIRE_DONE(connection);
  REQUIRE(declared->queue.len > 0);
  queue = amqp_bytes_malloc_dup(declared->queue);
  started = amqp_basic_consume(connection, 1, queue, tag, 0, 1, 0, amqp_empty_table);
  REQUIRE_DONE(connection);
  REQUIRE(bytes_equal(started->consumer_tag, "my-tag"));
  declared = amqp_queue_declare(connection, 1, queue, 1, 0, 0, 0, amqp_empty_table);
  REQUIRE_DONE(connection);
  REQUIRE_EQUAL(declared->consumer_count, 1);
  publish(connection, 1, queue, amqp_cstring_bytes("x"));
  consume(connection, &envelope);
  REQUIRE(bytes_equal(envelope.consumer_tag, "my-tag"));
  amqp_destroy_envelope(&envelope);
  cancelled = amqp_basic_cancel(connection, 1, tag);
  REQUIRE_DONE(connection);
  REQUIRE(bytes_equal(cancelled->consumer_tag, "my-tag"));
  for (i = 0; i < 7; ++i) {
    publish(connection, 1, queue, amqp_cstring_bytes("x"));
  }
  REQUIRE_LIBRARY_ERROR(amqp_consume_message(connection, &envelope, &brief, 0), AMQP_STATUS_TIMEOUT);
  require_queue_length(connection, queue, 7);
  purged = amqp_queue_purge(connection, 1, queue);
  REQUIRE_DONE(connection);
  REQUIRE_EQUAL(purged->message_count, 7);
  for (i = 0; i < 4; ++i) {
    publish(connection, 1, queue, amqp_cstring_bytes("x"));
  }
  require_queue_length(connection, queue, 4);
  deleted = amqp_queue_delete(connection, 1, queue, 0, 0);
  REQUIRE_DONE(connection);
  REQUIRE_EQUAL(deleted->message_count, 4);
  farewell(connection);
}

static void reject_nack_recover(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  amqp_envelope_t envelope;
  int step;
  start_consumer(connection, 1, queue, 0);
  publish(connection, 1, queue, amqp_cstring_bytes("again"));
  for (step = 0; step < 4; ++step) {
    consume(connection, &envelope);
    REQUIRE_EQUAL(!envelope.redelivered, step == 0);
    REQUIRE(bytes_equal(envelope.message.body, "again"));
    if (step == 0) {
      REQUIRE_OK(amqp_basic_reject(connection, 1, envelope.delivery_tag, 1));
    } else if (step == 1) {
      REQUIRE_OK(amqp_basic_nack(connection, 1, envelope.delivery_tag, 0, 1));
    } else if (step == 2) {
      amqp_basic_recover(connection, 1, 1);
      REQUIRE_DONE(connection);
    } else {
      REQUIRE_OK(amqp_basic_nack(connection, 1, envelope.delivery_tag, 0, 0));
    }
    amqp_destroy_envelope(&envelope);
  }
  require_queue_length(connection, queue, 0);
  farewell(connection);
}

static void thousand_channels(void) {
  enum { channels = 1000 };
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  static char seen[channels + 1];
  int channel;
  double began = seconds_now();
  for (channel = 2; channel <= channels; ++channel) {
    REQUIRE(amqp_channel_open(connection, (amqp_channel_t)channel) != NULL);
  }
  for (channel = 1; channel <= channels; ++channel) {
    char text[16];
    snprintf(text, sizeof text, "%d", channel);
    publish(connection, (amqp_channel_t)channel, queue, amqp_cstring_bytes(text));
  }
  for (channel = channels; channel >= 1; --channel) {
    amqp_message_t message;
    amqp_rpc_reply_t reply = {0};
    char text[16] = "";
    int number;
    /* The messages of other channels may still be on their way into the queue. */
    do {
      amqp_maybe_release_buffers(connection);
      reply = amqp_basic_get(connection, (amqp_channel_t)channel, queue, 1);
      REQUIRE_REPLY(reply);
      REQUIRE(seconds_now() - began < 40);
    } while (reply.reply.id != AMQP_BASIC_GET_OK_METHOD);
    REQUIRE_REPLY(amqp_read_message(connection, (amqp_channel_t)channel, &message, 0));
    REQUIRE(message.body.len < sizeof text);
    memcpy(text, message.body.bytes, message.body.len);
    number = atoi(text);
    REQUIRE(number >= 1 && number <= channels && !seen[number]);
    seen[number] = 1;
    amqp_destroy_message(&message);
  }
  for (channel = 2; channel <= channels; channel += 2) {
    REQUIRE_REPLY(amqp_channel_close(connection, (amqp_channel_t)channel, AMQP_REPLY_SUCCESS));
  }
  farewell(connection);
}

/* A channel number that was closed can be opened again. */
static void channel_again(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  int i;
  for (i = 0; i < 50; ++i) {
    REQUIRE_REPLY(amqp_channel_close(connection, 1, AMQP_REPLY_SUCCESS));
    REQUIRE(amqp_channel_open(connection, 1) != NULL);
  }
  require_queue_length(connection, own_queue(connection, 1), 0);
  farewell(connection);
}

static void negotiation(void) {
  static const struct {
    int channel_max, frame_max, heartbeat, expected_channel_max, expected_frame_max, expected_heartbeat;
  } rows[] = {{0, 131072, 0, 2047, 131072, 0}, {10, 4096, 5, 10, 4096, 5}, {65535, 1000000, 600, 2047, 131072, 60}};
  size_t i;
  for (i = 0; i < sizeof rows / sizeof *rows; ++i) {
    amqp_connection_state_t connection = connected();
    REQUIRE_REPLY(amqp_login(connection, "/", rows[i].channel_max, rows[i].frame_max, rows[i].heartbeat,
                             AMQP_SASL_METHOD_PLAIN, "guest", "guest"));
    REQUIRE_EQUAL(amqp_get_channel_max(connection), rows[i].expected_channel_max);
    REQUIRE_EQUAL(amqp_get_frame_max(connection), rows[i].expected_frame_max);
    REQUIRE_EQUAL(amqp_get_heartbeat(connection), rows[i].expected_heartbeat);
    REQUIRE(amqp_get_server_properties(connection)->num_entries > 0);
    REQUIRE_REPLY(amqp_connection_close(connection, AMQP_REPLY_SUCCESS));
    REQUIRE_OK(amqp_destroy_connection(connection));
  }
}

/* Takes confirmations until the broker has answered for every one of `count` messages; how many it refused. */
static int count_refusals(amqp_connection_state_t connection, uint64_t count) {
  char *answered = calloc(count + 1, 1);
  uint64_t open = count, refused = 0;
  REQUIRE(answered != NULL);
  while (open > 0) {
    struct timeval limit = {30, 0};
    amqp_frame_t frame;
    uint64_t tag, number;
    int multiple, refusal;
    amqp_maybe_release_buffers(connection);
    REQUIRE_OK(amqp_simple_wait_frame_noblock(connection, &frame, &limit));
    REQUIRE_EQUAL(frame.frame_type, AMQP_FRAME_METHOD);
    refusal = frame.payload.method.id == AMQP_BASIC_NACK_METHOD;
    if (refusal) {
      tag = ((amqp_basic_nack_t *)frame.payload.method.decoded)->delivery_tag;
      multiple = ((amqp_basic_nack_t *)frame.payload.method.decoded)->multiple;
    } else {
      REQUIRE_EQUAL(frame.payload.method.id, AMQP_BASIC_ACK_METHOD);
      tag = ((amqp_basic_ack_t *)frame.payload.method.decoded)->delivery_tag;
      multiple = ((amqp_basic_ack_t *)frame.payload.method.decoded)->multiple;
    }
    REQUIRE(tag >= 1 && tag <= count);
    REQUIRE(!answered[tag]);
    for (number = multiple ? 1 : tag; number <= tag; ++number) {
      if (!answered[number]) {
        answered[number] = 1;
        open -= 1;
        refused += (uint64_t)refusal;
      }
    }
  }
  free(answered);
  return (int)refused;
}

static void confirmations(void) {
  enum { messages = 500 };
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  int i;
  amqp_confirm_select(connection, 1);
  REQUIRE_DONE(connection);
  for (i = 0; i < messages; ++i) {
    publish(connection, 1, queue, amqp_cstring_bytes("x"));
  }
  REQUIRE_EQUAL(count_refusals(connection, messages), 0);
  require_queue_length(connection, queue, messages);
  farewell(connection);
}

static amqp_bytes_t refusing_queue(amqp_connection_state_t connection) {
  amqp_table_entry_t entries[2];
  amqp_table_t arguments = {2, entries};
  memset(entries, 0, sizeof entries);
  entries[0].key = amqp_cstring_bytes("x-max-length");
  entries[0].value.kind = AMQP_FIELD_KIND_I32;
  entries[0].value.value.i32 = 1;
  entries[1].key = amqp_cstring_bytes("x-overflow");
  entries[1].value.kind = AMQP_FIELD_KIND_UTF8;
  entries[1].value.value.bytes = amqp_cstring_bytes("reject-publish");
  return own_queue_with(connection, 1, arguments);
}

/* A full queue of this kind refuses: basic.nack. */
static void refused_confirmations(void) {
  enum { messages = 20 };
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = refusing_queue(connection);
  int i, refused;
  amqp_confirm_select(connection, 1);
  REQUIRE_DONE(connection);
  for (i = 0; i < messages; ++i) {
    publish(connection, 1, queue, amqp_cstring_bytes("x"));
  }
  refused = count_refusals(connection, messages);
  REQUIRE(refused > 0);
  REQUIRE(refused < messages);
  farewell(connection);
}

/* The same two by amqp_publisher_confirm_wait. */
static void confirm_wait_function_works(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1), full = refusing_queue(connection);
  amqp_publisher_confirm_t confirm;
  struct timeval limit = {10, 0}, brief = {0, 200000};
  int refused = 0, i;
  REQUIRE(confirm_wait != NULL);
  amqp_confirm_select(connection, 1);
  REQUIRE_DONE(connection);
  for (i = 1; i <= 3; ++i) {
    publish(connection, 1, queue, amqp_cstring_bytes("x"));
    REQUIRE_REPLY(confirm_wait(connection, &limit, &confirm));
    REQUIRE_EQUAL(confirm.method, AMQP_BASIC_ACK_METHOD);
    REQUIRE_EQUAL(confirm.channel, 1);
    REQUIRE_EQUAL(confirm.payload.ack.delivery_tag, i);
  }
  for (; i <= 8; ++i) {
    publish(connection, 1, full, amqp_cstring_bytes("x"));
    REQUIRE_REPLY(confirm_wait(connection, &limit, &confirm));
    REQUIRE_EQUAL(confirm.payload.nack.delivery_tag, i);
    refused += confirm.method == AMQP_BASIC_NACK_METHOD;
  }
  REQUIRE(refused >= 1);
  REQUIRE_LIBRARY_ERROR(confirm_wait(connection, &brief, &confirm), AMQP_STATUS_TIMEOUT);
  /* Something else comes first: it stays where it was, and the confirmation comes after it. */
  REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_empty_bytes, amqp_cstring_bytes("no such queue"), 1, 0, NULL,
                                amqp_cstring_bytes("lost")));
  REQUIRE_LIBRARY_ERROR(confirm_wait(connection, &limit, &confirm), AMQP_STATUS_UNEXPECTED_STATE);
  {
    amqp_basic_return_t *returned = next_method(connection, 1, AMQP_BASIC_RETURN_METHOD);
    amqp_message_t message;
    REQUIRE_EQUAL(returned->reply_code, 312);
    REQUIRE_REPLY(amqp_read_message(connection, 1, &message, 0));
    amqp_destroy_message(&message);
  }
  REQUIRE_REPLY(confirm_wait(connection, &limit, &confirm));
  REQUIRE_EQUAL(confirm.method, AMQP_BASIC_ACK_METHOD);
  farewell(connection);
}

static void new_secret(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  REQUIRE(update_secret != NULL);
  REQUIRE(update_secret(connection, 0, amqp_cstring_bytes("guest"), amqp_cstring_bytes("a rehearsal")) != NULL);
  REQUIRE_DONE(connection);
  require_service(connection, own_queue(connection, 1));
  farewell(connection);
}

/* One thread receives, another publishes, on one connection. */
enum { thread_messages = 20000 };
struct two_threads {
  amqp_connection_state_t connection;
  amqp_bytes_t queue;
};

static void *publish_many(void *context) {
  struct two_threads *shared = context;
  uint32_t i;
  for (i = 0; i < thread_messages; ++i) {
    char body[2000];
    size_t length = 4 + i % (sizeof body - 4);
    memset(body, (int)(i & 255), sizeof body);
    memcpy(body, &i, 4);
    REQUIRE_OK(amqp_basic_publish(shared->connection, 1, amqp_empty_bytes, shared->queue, 0, 0, NULL,
                                  (amqp_bytes_t){length, body}));
  }
  return NULL;
}

static void two_threads(void) {
  struct two_threads shared;
  pthread_t publisher;
  uint32_t i, number;
  shared.connection = logged_in(2, 0);
  shared.queue = own_queue(shared.connection, 1);
  REQUIRE(amqp_channel_open(shared.connection, 2) != NULL);
  start_consumer(shared.connection, 2, shared.queue, 1);
  REQUIRE(pthread_create(&publisher, NULL, publish_many, &shared) == 0);
  for (i = 0; i < thread_messages; ++i) {
    struct timeval limit = {30, 0};
    amqp_envelope_t envelope;
    amqp_rpc_reply_t reply;
    amqp_maybe_release_buffers_on_channel(shared.connection, 2);
    reply = amqp_consume_message(shared.connection, &envelope, &limit, 0);
    REQUIRE_REPLY(reply);
    REQUIRE_EQUAL(envelope.message.body.len, 4 + i % 1996);
    memcpy(&number, envelope.message.body.bytes, 4);
    REQUIRE_EQUAL(number, i);
    REQUIRE(envelope.message.body.len == 4 ||
            ((unsigned char *)envelope.message.body.bytes)[envelope.message.body.len - 1] == (i & 255));
    amqp_destroy_envelope(&envelope);
  }
  REQUIRE(pthread_join(publisher, NULL) == 0);
  farewell(shared.connection);
}

const struct test_case operation_cases[] = {{"exchange_bindings", "plain", 0, exchange_bindings},
                                            {"transactions", "plain", 0, transactions},
                                            {"prefetch_limit", "plain", 0, prefetch_limit},
                                            {"cancel_purge_delete", "plain", 0, cancel_purge_delete},
                                            {"reject_nack_recover", "plain", 0, reject_nack_recover},
                                            {"thousand_channels", "plain", 0, thousand_channels},
                                            {"channel_again", "plain", 0, channel_again},
                                            {"negotiation", "plain", 0, negotiation},
                                            {"confirmations", "plain", 0, confirmations},
                                            {"refused_confirmations", "plain", 0, refused_confirmations},
                                            {"confirm_wait", "plain", 1, confirm_wait_function_works},
                                            {"update_secret", "plain", 1, new_secret},
                                            {"two_threads", "plain", 0, two_threads},
                                            {NULL, NULL, 0, NULL}};
