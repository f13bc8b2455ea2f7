/* A field table anywhere in a buffer: decoded, encoded, cloned and compared, by both libraries. */
#include <stdlib.h>
#include <string.h>

#include "oracle.h"

enum { ROOM = 1 << 17 };
static uint8_t first[ROOM], second[ROOM];

/* Encodes into `bytes`, behind `offset` octets; answers the end. */
static size_t encode(const library *by, amqp_table_t *table, uint8_t *bytes, size_t offset) {
  amqp_bytes_t room;
  room.bytes = bytes;
  room.len = ROOM;
  require_equal(by->encode_table(room, table, &offset), AMQP_STATUS_OK, "encoding what was decoded");
  return offset;
}

/* The reference reads a value on beyond the end of its table, so that what it has decoded is not what came. */
static int is_overrun(amqp_table_t *table, const uint8_t *encoded, size_t size) {
  size_t end = encode(reference(), table, second, 0);
  return end > size || memcmp(second, encoded, end) != 0;
}

static void clone_and_compare(amqp_table_t *table, size_t end) {
  amqp_table_t clone;
  amqp_pool_t pool;
  int i;
  init_amqp_pool(&pool, 256);
  if (ours()->table_clone(table, &clone, &pool) == AMQP_STATUS_OK) {
    require_same_bytes(first, end, second, encode(ours(), &clone, second, 0), "a clone");
    for (i = 0; i < table->num_entries; i++)
      require(amqp_table_entry_cmp(&table->entries[i], &clone.entries[i]) == 0, "a clone of an entry");
  }
  empty_amqp_pool(&pool);
}

static size_t offset_of(size_t size, const uint8_t *data) { return size == 0 ? 0 : data[0] % 4u; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  amqp_bytes_t encoded;
  amqp_pool_t pool, their_pool;
  amqp_table_t table = {0, NULL}, their_table = {0, NULL};
  size_t offset = offset_of(size, data), their_offset = offset, end;
  int status;
  encoded.bytes = (void *)data;
  encoded.len = size;
  init_amqp_pool(&pool, 256);
  init_amqp_pool(&their_pool, 256);
  status = ours()->decode_table(encoded, &pool, &table, &offset);
  if (reference() != NULL) {
    size_t begun = offset_of(size, data);
    int theirs = reference()->decode_table(encoded, &their_pool, &their_table, &their_offset);
    if (status != AMQP_STATUS_BAD_AMQP_DATA || theirs != AMQP_STATUS_OK || !is_overrun(&their_table, data + begun, size - begun))
      require_equal(status, theirs, "decoding a table");
    if (status == AMQP_STATUS_OK) require_equal((long long)offset, (long long)their_offset, "where the table ends");
  }
  if (status == AMQP_STATUS_OK) {
    /* What is deeper than programs may hand in is decoded, and refused when it is handed back. */
    amqp_bytes_t room = {ROOM, first};
    end = 0;
    if (ours()->encode_table(room, &table, &end) == AMQP_STATUS_OK) {
      if (reference() != NULL) {
        require_same_bytes(first, end, second, encode(reference(), &table, second, 0), "our table, encoded by both");
        require_same_bytes(first, end, second, encode(ours(), &their_table, second, 0), "both tables, encoded by us");
      }
      clone_and_compare(&table, end);
    }
  }
  empty_amqp_pool(&pool);
  empty_amqp_pool(&their_pool);
  return 0;
}
