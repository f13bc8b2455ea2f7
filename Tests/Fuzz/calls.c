/* One call of a program, chosen by the input: what server.c and login.c do with a broker that says anything. */
#include <amqp_heartbeat.h>
#include <string.h>
#include <sys/time.h>

#include "wire.h"

static volatile unsigned sum;   /* reading is what finds memory that is not there */

static void look(amqp_bytes_t bytes) {
  size_t i;
  for (i = 0; i < bytes.len; i++) sum += ((const uint8_t *)bytes.bytes)[i];
}

static void look_at_properties(amqp_basic_properties_t *properties) {
  static uint8_t room_bytes[1 << 17];
  amqp_bytes_t room = {sizeof room_bytes, room_bytes};
  require(amqp_encode_properties(AMQP_BASIC_CLASS, properties, room) != AMQP_STATUS_INVALID_PARAMETER, "properties");
}

static void look_at_method(const amqp_method_t *method) {
  static uint8_t room_bytes[1 << 17];
  amqp_bytes_t room = {sizeof room_bytes, room_bytes};
  require(amqp_encode_method(method->id, method->decoded, room) != AMQP_STATUS_UNKNOWN_METHOD, "a method of no number");
}

static void look_at_reply(amqp_rpc_reply_t reply) {
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) require(reply.library_error < 0, "an error that is none");
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) look_at_method(&reply.reply);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL && reply.reply.id != 0) look_at_method(&reply.reply);
}

static int look_at_frame(int status, amqp_frame_t *frame) {
  if (status != AMQP_STATUS_OK) return status;
  switch (frame->frame_type) {
    case AMQP_FRAME_METHOD: look_at_method(&frame->payload.method); break;
    case AMQP_FRAME_HEADER: look_at_properties(frame->payload.properties.decoded); break;
    case AMQP_FRAME_BODY: look(frame->payload.body_fragment); break;
    default: require(0, "a frame that is none");
  }
  return status;
}

static void consume(amqp_connection_state_t c, amqp_channel_t channel, int what) {
  static struct timeval at_once = {0, 0};
  amqp_envelope_t envelope;
  amqp_message_t message;
  amqp_rpc_reply_t reply;
  memset(&envelope, 0x55, sizeof envelope);
  memset(&message, 0x55, sizeof message);
  if (what == 0) {
    reply = amqp_consume_message(c, &envelope, &at_once, 0);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
      look(envelope.consumer_tag);
      look(envelope.routing_key);
      look(envelope.message.body);
      look_at_properties(&envelope.message.properties);
    }
    amqp_destroy_envelope(&envelope);
  } else {
    reply = amqp_read_message(c, channel, &message, 0);
    if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
      look(message.body);
      look_at_properties(&message.properties);
    }
    amqp_destroy_message(&message);
  }
  look_at_reply(reply);
}

static void publish(amqp_connection_state_t c, amqp_channel_t channel, input *choices) {
  static char body[9000];
  amqp_bytes_t bytes, key = amqp_cstring_bytes("key");
  amqp_basic_properties_t properties;
  int status;
  bytes.len = take(choices, 2) % sizeof body;
  bytes.bytes = body;
  properties._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_DELIVERY_MODE_FLAG;
  properties.content_type = key;
  properties.delivery_mode = 2;
  status = amqp_basic_publish(c, channel, key, key, 1, 0, bytes.len & 1 ? &properties : NULL, bytes);
  require(status <= 0, "a status above 0");
}

static void set_options(amqp_connection_state_t c, input *choices) {
  struct timeval time;
  amqp_heartbeat_stats_t stats;
  int status;
  time.tv_sec = (int)take(choices, 4);
  time.tv_usec = (int)take(choices, 4);
  switch (take(choices, 1) % 6) {
    case 0: status = amqp_set_rpc_timeout(c, &time); break;
    case 1: status = amqp_set_handshake_timeout(c, &time); break;
    case 2:
      status = amqp_tune_connection(c, (int)time.tv_sec, (int)(time.tv_usec % (1 << 17)), 0);
      break;
    case 3:
      memset(&stats, 0, sizeof stats);
      stats.size = sizeof stats - (size_t)time.tv_sec % sizeof stats;
      status = amqp_heartbeat_stats(c, &stats);
      break;
    case 4: status = amqp_heartbeat_next(c, &time); break;
    default: status = amqp_heartbeat_service(c); break;
  }
  require(status <= 1, "a status above 1");
}

static void ask(amqp_connection_state_t c, amqp_channel_t channel, unsigned what) {
  amqp_bytes_t name = amqp_cstring_bytes("name");
  amqp_publisher_confirm_t confirm;
  struct timeval at_once = {0, 0};
  switch (what % 9) {
    case 0: amqp_queue_declare(c, channel, name, 0, 0, 0, 0, amqp_empty_table); break;
    case 1: amqp_basic_qos(c, channel, 0, 1, 0); break;
    case 2: amqp_channel_open(c, channel); break;
    case 3: amqp_basic_consume(c, channel, name, name, 0, 0, 0, amqp_empty_table); break;
    case 4: amqp_confirm_select(c, channel); break;
    case 5: look_at_reply(amqp_basic_get(c, channel, name, 0)); return;
    case 6: look_at_reply(amqp_channel_close(c, channel, 200)); return;
    case 7: look_at_reply(amqp_publisher_confirm_wait(c, &at_once, &confirm)); return;
    default: look_at_reply(amqp_connection_close(c, 200)); return;
  }
  look_at_reply(amqp_get_rpc_reply(c));
}

void call_something(wire *w, input *choices) {
  amqp_connection_state_t c = w->connection;
  struct timeval at_once = {0, 0};
  unsigned choice = take(choices, 1);
  amqp_channel_t channel = choice & 0x80 ? (amqp_channel_t)take(choices, 2) : 1;
  amqp_frame_t frame;
  amqp_method_t method;
  switch (choice % 16) {
    case 0: case 1: consume(c, channel, 0); break;
    case 2: consume(c, channel, 1); break;
    case 3: look_at_frame(amqp_simple_wait_frame(c, &frame), &frame); break;
    case 4: look_at_frame(amqp_simple_wait_frame_noblock(c, &frame, &at_once), &frame); break;
    case 5:
      if (amqp_simple_wait_method(c, channel, AMQP_BASIC_ACK_METHOD, &method) == AMQP_STATUS_OK) look_at_method(&method);
      break;
    case 6: publish(c, channel, choices); break;
    case 7: amqp_basic_ack(c, channel, take(choices, 1), 0); break;
    case 8: amqp_maybe_release_buffers(c); break;
    case 9: amqp_maybe_release_buffers_on_channel(c, channel); break;
    case 10: amqp_release_buffers(c); break;
    case 11: set_options(c, choices); break;
    case 12: sum += (unsigned)(amqp_frames_enqueued(c) + amqp_data_in_buffer(c) + amqp_release_buffers_ok(c)); break;
    default: ask(c, channel, take(choices, 1)); break;
  }
  wire_drain(w);
}
