/*
 * The fields of any method. What one library makes of the bytes, the other must make, too: the two structs, encoded again by either
 * library, are the same bytes; and those, decoded again, are the same struct.
 */
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

enum { ROOM = 1 << 17 };
static uint8_t first[ROOM], second[ROOM];

static amqp_bytes_t room_of(void *bytes, size_t size) {
  amqp_bytes_t room;
  room.len = size;
  room.bytes = bytes;
  return room;
}

static void require_same_encoding(int status, const library *other, amqp_method_number_t id, void *decoded, const char *what) {
  int theirs = other->encode_method(id, decoded, room_of(second, ROOM));
  require_equal(status, theirs, what);
  if (status > 0) require_same_bytes(first, (size_t)status, second, (size_t)theirs, what);
}

static int is_comparable(amqp_method_number_t id) { return reference() != NULL && !is_later_method(id); }

/* The reference reads a value on beyond the end of its table, so that what it has decoded is not what came. */
static int is_overrun(int status, int theirs, amqp_method_number_t id, void *decoded, amqp_bytes_t encoded) {
  int size;
  if (status != AMQP_STATUS_BAD_AMQP_DATA || theirs != AMQP_STATUS_OK) return 0;
  size = reference()->encode_method(id, decoded, room_of(second, ROOM));
  return size < 0 || (size_t)size > encoded.len || memcmp(second, encoded.bytes, (size_t)size) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input from = input_of(data, size);
  amqp_method_number_t id = take(&from, 4);
  amqp_bytes_t encoded = rest(&from);
  amqp_pool_t pool, their_pool;
  void *decoded = NULL, *their_decoded = NULL, *again = NULL;
  int status, encoding, their_status;
  init_amqp_pool(&pool, 512);
  init_amqp_pool(&their_pool, 512);
  status = ours()->decode_method(id, &pool, encoded, &decoded);
  if (is_comparable(id)) {
    their_status = reference()->decode_method(id, &their_pool, encoded, &their_decoded);
    if (!is_overrun(status, their_status, id, their_decoded, encoded)) require_equal(status, their_status, "decoding a method");
  }
  if (status == AMQP_STATUS_OK) {
    encoding = ours()->encode_method(id, decoded, room_of(first, ROOM));
    if (is_comparable(id)) {
      require_same_encoding(encoding, reference(), id, decoded, "our struct, encoded by both");
      require_same_encoding(encoding, ours(), id, their_decoded, "both structs, encoded by us");
    }
    if (encoding >= 0) {
      /* In exactly the room that it takes, and in less. */
      uint8_t *exact = malloc((size_t)encoding + 1);
      size_t less = encoding == 0 ? 0 : size % (size_t)encoding;
      require_equal(ours()->encode_method(id, decoded, room_of(exact, (size_t)encoding)), encoding, "exact room");
      if (encoding > 0) require(ours()->encode_method(id, decoded, room_of(exact, less)) < 0, "too little room");
      free(exact);
      require_equal(ours()->decode_method(id, &pool, room_of(first, (size_t)encoding), &again), AMQP_STATUS_OK, "decoding again");
      require_same_encoding(encoding, ours(), id, again, "a struct decoded again");
    }
  }
  empty_amqp_pool(&pool);
  empty_amqp_pool(&their_pool);
  return 0;
}
