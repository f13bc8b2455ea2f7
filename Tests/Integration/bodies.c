/* Bodies of every awkward size go to the broker and come back whole, by both ways of receiving. */
#include "support.h"

#include <stdlib.h>

static void require_body(amqp_bytes_t body, size_t size, uint64_t sum) {
  REQUIRE_EQUAL(body.len, size);
  REQUIRE(checksum(body) == sum);
}

/* Publishes once for each way: a delivery to a consumer on channel 2, and basic.get. */
static void round_trip(amqp_connection_state_t connection, amqp_bytes_t pushed, amqp_bytes_t fetched, size_t size) {
  amqp_bytes_t body = patterned(size, size + 1);
  uint64_t sum = checksum(body);
  amqp_envelope_t envelope;
  amqp_message_t message;
  amqp_rpc_reply_t reply;
  double limit = seconds_now() + 30;

  publish(connection, 1, pushed, body);
  consume(connection, &envelope);
  REQUIRE_EQUAL(envelope.channel, 2);
  require_body(envelope.message.body, size, sum);
  amqp_destroy_envelope(&envelope);

  publish(connection, 1, fetched, body);
  do {
    amqp_maybe_release_buffers(connection);
    reply = amqp_basic_get(connection, 1, fetched, 1);
    REQUIRE_REPLY(reply);
    REQUIRE(seconds_now() < limit);
  } while (reply.reply.id == AMQP_BASIC_GET_EMPTY_METHOD);
  REQUIRE_EQUAL(reply.reply.id, AMQP_BASIC_GET_OK_METHOD);
  REQUIRE_REPLY(amqp_read_message(connection, 1, &message, 0));
  require_body(message.body, size, sum);
  amqp_destroy_message(&message);
  amqp_bytes_free(body);
}

static amqp_connection_state_t with_queues(int frame_max, amqp_bytes_t *pushed, amqp_bytes_t *fetched) {
  amqp_connection_state_t connection = logged_in(0, frame_max);
  REQUIRE(amqp_channel_open(connection, 2) != NULL);
  *pushed = own_queue(connection, 1);
  *fetched = own_queue(connection, 1);
  start_consumer(connection, 2, *pushed, 1);
  return connection;
}

static void body_sizes(void) {
  static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 255, 256, 1024, 4095, 4096, 4097, 65535, 65536, 65537, 1000000};
  amqp_bytes_t pushed, fetched;
  amqp_connection_state_t connection = with_queues(0, &pushed, &fetched);
  size_t i;
  for (i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
    round_trip(connection, pushed, fetched, sizes[i]);
  }
  farewell(connection);
}

static void around_multiples(int frame_max, size_t longest) {
  amqp_bytes_t pushed, fetched;
  amqp_connection_state_t connection = with_queues(frame_max, &pushed, &fetched);
  size_t multiple, payload = (size_t)frame_max - 8;
  REQUIRE_EQUAL(amqp_get_frame_max(connection), frame_max);
  for (multiple = 1; multiple <= longest; ++multiple) {
    round_trip(connection, pushed, fetched, multiple * payload - 1);
    round_trip(connection, pushed, fetched, multiple * payload);
    round_trip(connection, pushed, fetched, multiple * payload + 1);
  }
  farewell(connection);
}

static void frame_multiples(void) { around_multiples(131072, 5); }

static void frame_max_4096(void) {
  amqp_bytes_t pushed, fetched;
  amqp_connection_state_t connection;
  around_multiples(4096, 20);
  connection = with_queues(4096, &pushed, &fetched);
  round_trip(connection, pushed, fetched, 1000000);
  farewell(connection);
}

/* Below the protocol's smallest frame: raised to it, not obeyed. */
static void frame_max_too_small(void) {
  amqp_connection_state_t connection = connected();
  amqp_rpc_reply_t reply =
      amqp_login(connection, "/", 0, 100, 0, AMQP_SASL_METHOD_PLAIN, "guest", "guest");
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
    REQUIRE(amqp_get_frame_max(connection) >= 4096);
    REQUIRE(amqp_channel_open(connection, 1) != NULL);
    farewell(connection);
  } else {
    REQUIRE(reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION || reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION);
    amqp_destroy_connection(connection);
  }
}

static void body_64_megabytes(void) {
  amqp_bytes_t pushed, fetched;
  amqp_connection_state_t connection = with_queues(0, &pushed, &fetched);
  round_trip(connection, pushed, fetched, (size_t)64 << 20);
  farewell(connection);
}

static void body_16_megabytes_small_frames(void) {
  amqp_bytes_t pushed, fetched;
  amqp_connection_state_t connection = with_queues(4096, &pushed, &fetched);
  round_trip(connection, pushed, fetched, (size_t)16 << 20);
  farewell(connection);
}

/* A last frame that the kernel is told to hold back for more arrives 200 ms late, if nothing is on its way that an
   acknowledgement could come for. The best of some tries counts: the machine may be busy. */
static void exact_multiple_is_prompt(void) {
  amqp_bytes_t queue, body = patterned(4096 - 8, 1);
  amqp_connection_state_t connection = logged_in(0, 4096);
  double best = 1e9;
  int i;
  queue = own_queue(connection, 1);
  start_consumer(connection, 1, queue, 1);
  for (i = 0; i < 8; ++i) {
    amqp_envelope_t envelope;
    double began, took;
    sleep_seconds(0.1);
    began = seconds_now();
    publish(connection, 1, queue, body);
    consume(connection, &envelope);
    took = seconds_now() - began;
    best = took < best ? took : best;
    amqp_destroy_envelope(&envelope);
  }
  if (best > 0.1) {
    FAIL("the fastest of 8 round trips took %.3f s", best);
  }
  farewell(connection);
}

/* Waits that end while a large body is on its way lose nothing: the message comes whole in the end. */
static void timeouts_within_a_message(void) {
  amqp_bytes_t queue, body = patterned((size_t)24 << 20, 3);
  amqp_connection_state_t connection = logged_in(0, 0), publisher = logged_in(0, 0);
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply;
  double limit = seconds_now() + 60;
  uint64_t sum = checksum(body);
  int timeouts = 0;
  queue = own_queue(connection, 1);
  amqp_queue_bind(connection, 1, queue, amqp_cstring_bytes("amq.direct"), queue, amqp_empty_table);
  REQUIRE_DONE(connection);
  start_consumer(connection, 1, queue, 1);
  REQUIRE_OK(amqp_basic_publish(publisher, 1, amqp_cstring_bytes("amq.direct"), queue, 0, 0, NULL, body));
  for (;;) {
    struct timeval brief = {0, 500};
    reply = amqp_consume_message(connection, &envelope, &brief, 0);
    if (reply.reply_type != AMQP_RESPONSE_LIBRARY_EXCEPTION || reply.library_error != AMQP_STATUS_TIMEOUT) {
      break;
    }
    timeouts += 1;
    REQUIRE(seconds_now() < limit);
  }
  REQUIRE_REPLY(reply);
  REQUIRE(timeouts > 0);
  require_body(envelope.message.body, body.len, sum);
  amqp_destroy_envelope(&envelope);
  farewell(connection);
  farewell(publisher);
}

/* What an envelope holds is the caller's: it outlives the connection, and each piece may be kept and freed alone. */
static void envelope_outlives_connection(void) {
  amqp_bytes_t queue, body = patterned(300000, 9), kept;
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_envelope_t envelope;
  uint64_t sum = checksum(body);
  queue = own_queue(connection, 1);
  start_consumer(connection, 1, queue, 1);
  publish(connection, 1, queue, body);
  consume(connection, &envelope);
  farewell(connection);
  kept = envelope.message.body;
  envelope.message.body = amqp_empty_bytes;
  REQUIRE_EQUAL(envelope.routing_key.len, queue.len);
  REQUIRE(memcmp(envelope.routing_key.bytes, queue.bytes, queue.len) == 0);
  amqp_destroy_envelope(&envelope);
  require_body(kept, 300000, sum);
  free(kept.bytes);
}

const struct test_case body_cases[] = {
    {"body_sizes", "plain", 0, body_sizes},
    {"frame_multiples", "plain", 0, frame_multiples},
    {"frame_max_4096", "plain", 0, frame_max_4096},
    {"frame_max_too_small", "plain", 0, frame_max_too_small},
    {"body_64_megabytes", "plain", 0, body_64_megabytes},
    {"body_16_megabytes_small_frames", "plain", 0, body_16_megabytes_small_frames},
    {"exact_multiple_is_prompt", "plain", 1, exact_multiple_is_prompt},
    {"timeouts_within_a_message", "plain", 0, timeouts_within_a_message},
    {"envelope_outlives_connection", "plain", 0, envelope_outlives_connection},
    {NULL, NULL, 0, NULL}};
