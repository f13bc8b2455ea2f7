/* The properties of a content header, compared as methods are in method.c. */
#include <string.h>

#include "oracle.h"

enum { ROOM = 1 << 17 };
static uint8_t first[ROOM], second[ROOM];
static const amqp_bytes_t first_room = {ROOM, first}, second_room = {ROOM, second};

static void require_same_encoding(int status, const library *other, uint16_t class_id, void *decoded, const char *what) {
  int theirs = other->encode_properties(class_id, decoded, second_room);
  require_equal(status, theirs, what);
  if (status > 0) require_same_bytes(first, (size_t)status, second, (size_t)theirs, what);
}

/* The reference looks at the flags before it looks at the class, and reads a value on beyond the end of its table. */
static int is_different(int status, int theirs, uint16_t class_id, void *decoded, amqp_bytes_t encoded) {
  int size;
  if (status == AMQP_STATUS_UNKNOWN_CLASS) return theirs == AMQP_STATUS_BAD_AMQP_DATA;
  if (status != AMQP_STATUS_BAD_AMQP_DATA || theirs != AMQP_STATUS_OK) return 0;
  size = reference()->encode_properties(class_id, decoded, second_room);
  return size < 0 || (size_t)size > encoded.len || memcmp(second, encoded.bytes, (size_t)size) != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  input from = input_of(data, size);
  uint16_t class_id = (uint16_t)take(&from, 2);
  amqp_bytes_t encoded = rest(&from), again_encoded = {0, first};
  amqp_pool_t pool, their_pool;
  void *decoded = NULL, *their_decoded = NULL, *again = NULL;
  int status, encoding, is_comparable = reference() != NULL && !has_third_word(encoded);
  init_amqp_pool(&pool, 512);
  init_amqp_pool(&their_pool, 512);
  status = ours()->decode_properties(class_id, &pool, encoded, &decoded);
  if (is_comparable) {
    int theirs = reference()->decode_properties(class_id, &their_pool, encoded, &their_decoded);
    if (!is_different(status, theirs, class_id, their_decoded, encoded)) require_equal(status, theirs, "decoding properties");
  }
  if (status == AMQP_STATUS_OK) {
    encoding = ours()->encode_properties(class_id, decoded, first_room);
    if (is_comparable) {
      require_same_encoding(encoding, reference(), class_id, decoded, "our properties, encoded by both");
      require_same_encoding(encoding, ours(), class_id, their_decoded, "both properties, encoded by us");
    }
    if (encoding >= 0 && !has_third_word(encoded)) {
      again_encoded.len = (size_t)encoding;
      require_equal(ours()->decode_properties(class_id, &pool, again_encoded, &again), AMQP_STATUS_OK, "decoding again");
      require_same_encoding(encoding, ours(), class_id, again, "properties decoded again");
    }
  }
  empty_amqp_pool(&pool);
  empty_amqp_pool(&their_pool);
  return 0;
}
