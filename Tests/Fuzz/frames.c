/*
 * Frames out of bytes, by amqp_handle_input: the same frames whether the bytes come whole or in pieces of any size, and the same as
 * the reference's. Where the two differ on purpose (docs/PARITY.md, row 19) ours refuses, and `is_mended` says for which bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

typedef struct record {
  size_t size, capacity;
  uint8_t *bytes;
  size_t taken;   /* input octets up to the end of the last frame */
  int status;     /* that ended it; 0: everything was taken */
  int is_comparable;   /* with the reference */
} record;

static void note(record *to, const void *bytes, size_t size) {
  if (size > to->capacity - to->size) {
    to->capacity = 2 * (to->size + size);
    to->bytes = realloc(to->bytes, to->capacity);
  }
  if (size > 0) memcpy(to->bytes + to->size, bytes, size);
  to->size += size;
}

static void note_number(record *to, uint64_t number) { note(to, &number, sizeof number); }

/* A frame as bytes: what points somewhere is encoded, by ours, whoever decoded it. */
static void note_frame(record *to, const amqp_frame_t *frame) {
  static uint8_t room_bytes[1 << 18];
  static const amqp_bytes_t room = {sizeof room_bytes, room_bytes};
  int size;
  note_number(to, frame->frame_type);
  note_number(to, frame->frame_type == 'A' ? 0 : frame->channel);
  switch (frame->frame_type) {
    case AMQP_FRAME_METHOD:
      note_number(to, frame->payload.method.id);
      if (is_later_method(frame->payload.method.id)) to->is_comparable = 0;
      size = amqp_encode_method(frame->payload.method.id, frame->payload.method.decoded, room);
      if (size > 0) note(to, room_bytes, (size_t)size);
      break;
    case AMQP_FRAME_HEADER:
      if (has_third_word(frame->payload.properties.raw)) to->is_comparable = 0;
      note_number(to, frame->payload.properties.class_id);
      note_number(to, frame->payload.properties.body_size);
      note(to, frame->payload.properties.raw.bytes, frame->payload.properties.raw.len);
      size = amqp_encode_properties(frame->payload.properties.class_id, frame->payload.properties.decoded, room);
      if (size > 0) note(to, room_bytes, (size_t)size);
      break;
    case AMQP_FRAME_BODY:
      note(to, frame->payload.body_fragment.bytes, frame->payload.body_fragment.len);
      break;
    case 'A':
      note_number(to, frame->payload.protocol_header.transport_high);
      note_number(to, frame->payload.protocol_header.transport_low);
      note_number(to, frame->payload.protocol_header.protocol_version_major);
      note_number(to, frame->payload.protocol_header.protocol_version_minor);
      break;
    default: break;
  }
}

/* Hands in all bytes, at most `piece` at once (0: all that are left), each piece in memory of its own. */
static record read_all(const library *by, amqp_bytes_t bytes, size_t piece) {
  record all = {0, 0, NULL, 0, 0, 1};
  amqp_connection_state_t connection = by->new_connection();
  size_t at = 0;
  require(connection != NULL, "no connection");
  while (at < bytes.len) {
    size_t size = piece == 0 || piece > bytes.len - at ? bytes.len - at : piece;
    amqp_bytes_t some;
    amqp_frame_t frame;
    int status;
    some.len = size;
    some.bytes = malloc(size);
    memcpy(some.bytes, (uint8_t *)bytes.bytes + at, size);
    memset(&frame, 0x55, sizeof frame);
    status = by->handle_input(connection, some, &frame);
    require(status <= (int)size, "took more than there was");
    if (status < 0) {
      all.status = status;
      /* Broken stays broken. */
      if (by == ours() && status == AMQP_STATUS_BAD_AMQP_DATA)
        require_equal(by->handle_input(connection, some, &frame), status, "bad data is for ever");
      free(some.bytes);
      break;
    }
    require(status > 0, "took nothing and was not at its end");
    at += (size_t)status;
    /* The reference hands heartbeats out. */
    if (frame.frame_type != 0 && frame.frame_type != AMQP_FRAME_HEARTBEAT) {
      note_frame(&all, &frame);
      all.taken = at;
    } else if (frame.frame_type == AMQP_FRAME_HEARTBEAT) {
      require(by != ours(), "a heartbeat was handed out");
      all.taken = at;
    }
    free(some.bytes);
  }
  by->destroy_connection(connection);
  return all;
}

/* Whether the fields are what is refused: that is for the other targets to judge. */
static int has_bad_fields(uint8_t type, const uint8_t *payload, uint32_t size) {
  amqp_pool_t pool;
  amqp_bytes_t fields;
  void *decoded;
  int status;
  fields.bytes = (void *)(payload + (type == AMQP_FRAME_METHOD ? 4 : 12));
  fields.len = size - (type == AMQP_FRAME_METHOD ? 4 : 12);
  init_amqp_pool(&pool, 512);
  status = type == AMQP_FRAME_METHOD
               ? amqp_decode_method((uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 | (uint32_t)payload[2] << 8 | payload[3],
                                    &pool, fields, &decoded)
               : amqp_decode_properties((uint16_t)(payload[0] << 8 | payload[1]), &pool, fields, &decoded);
  empty_amqp_pool(&pool);
  return status == AMQP_STATUS_BAD_AMQP_DATA;
}

/* Whether the bytes from here on begin with a frame that the reference takes, and should not. */
static int is_mended(const uint8_t *at, size_t size) {
  uint32_t length;
  uint16_t channel;
  if (size < 8) return 1;   /* the reference looks at the first frame when it has eight octets of it */
  channel = (uint16_t)(at[1] << 8 | at[2]);
  length = (uint32_t)at[3] << 24 | (uint32_t)at[4] << 16 | (uint32_t)at[5] << 8 | at[6];
  switch (at[0]) {
    case AMQP_FRAME_METHOD: return length < 4 || (size >= 8 + (size_t)length && has_bad_fields(at[0], at + 7, length));
    case AMQP_FRAME_HEADER: return length < 14 || (size >= 8 + (size_t)length && has_bad_fields(at[0], at + 7, length));
    case AMQP_FRAME_BODY: return 0;
    case AMQP_FRAME_HEARTBEAT: return length != 0 || channel != 0;
    default: return 1;
  }
}

/* Heartbeats are no frames of ours: past them, to where ours stood. */
static size_t skip_heartbeats(const uint8_t *bytes, size_t size, size_t at) {
  static const uint8_t heartbeat[8] = {8, 0, 0, 0, 0, 0, 0, 0xCE};
  while (size - at >= 8 && memcmp(bytes + at, heartbeat, 8) == 0) at += 8;
  return at;
}

/* Of a connection's first frame the reference takes the eighth octet for 0. */
static int is_first_octet_lost(amqp_bytes_t bytes) {
  const uint8_t *at = bytes.bytes;
  return bytes.len > 7 && at[0] != 'A' && at[7] != 0;
}

static void compare(const record *mine, amqp_bytes_t bytes) {
  record theirs;
  const uint8_t *octets = bytes.bytes;
  size_t stop = skip_heartbeats(octets, bytes.len, mine->taken);
  if (mine->status != 0 && is_mended(octets + stop, bytes.len - stop)) bytes.len = stop;
  theirs = read_all(reference(), bytes, 0);
  if (bytes.len == stop)
    require_equal(0, theirs.status, "before a frame that is refused");
  else
    require_equal(mine->status, theirs.status, "the end of the stream");
  require_same_bytes(mine->bytes, mine->size, theirs.bytes, theirs.size, "the frames");
  free(theirs.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input from = input_of(data, size);
  size_t piece = 1 + take(&from, 1) % 32;
  amqp_bytes_t bytes = rest(&from);
  record whole = read_all(ours(), bytes, 0), pieces = read_all(ours(), bytes, piece);
  require_equal(whole.status, pieces.status, "whole and in pieces");
  require_same_bytes(whole.bytes, whole.size, pieces.bytes, pieces.size, "the frames, whole and in pieces");
  if (reference() != NULL && whole.is_comparable && !is_first_octet_lost(bytes)) compare(&whole, bytes);
  free(whole.bytes);
  free(pieces.bytes);
  return 0;
}
