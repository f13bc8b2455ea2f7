/* Headers with every kind of field, and every property, through the broker and back. */
#include "support.h"

#include <stdlib.h>

enum { kind_count = 18 };

static amqp_table_entry_t entry(const char *key, uint8_t kind) {
  amqp_table_entry_t made;
  memset(&made, 0, sizeof made);
  made.key = amqp_cstring_bytes(key);
  made.value.kind = kind;
  return made;
}

static amqp_table_entry_t text_entry(const char *key, uint8_t kind, const char *text) {
  amqp_table_entry_t made = entry(key, kind);
  made.value.value.bytes = amqp_cstring_bytes(text);
  return made;
}

/* One entry of each kind. The inner table and array live as long as the program. */
static amqp_table_t every_kind(void) {
  static amqp_table_entry_t entries[kind_count], inner[2];
  static amqp_field_value_t items[3];
  amqp_table_t table;
  int n = 0;
  inner[0] = text_entry("inner text", AMQP_FIELD_KIND_UTF8, "within");
  inner[1] = entry("inner number", AMQP_FIELD_KIND_I64);
  inner[1].value.value.i64 = INT64_MIN;
  memset(items, 0, sizeof items);
  items[0].kind = AMQP_FIELD_KIND_I32;
  items[0].value.i32 = -5;
  items[1].kind = AMQP_FIELD_KIND_UTF8;
  items[1].value.bytes = amqp_cstring_bytes("item");
  items[2].kind = AMQP_FIELD_KIND_TABLE;
  items[2].value.table.num_entries = 2;
  items[2].value.table.entries = inner;

  entries[n] = entry("boolean", AMQP_FIELD_KIND_BOOLEAN), entries[n++].value.value.boolean = 1;
  entries[n] = entry("i8", AMQP_FIELD_KIND_I8), entries[n++].value.value.i8 = INT8_MIN;
  entries[n] = entry("u8", AMQP_FIELD_KIND_U8), entries[n++].value.value.u8 = UINT8_MAX;
  entries[n] = entry("i16", AMQP_FIELD_KIND_I16), entries[n++].value.value.i16 = INT16_MIN;
  entries[n] = entry("u16", AMQP_FIELD_KIND_U16), entries[n++].value.value.u16 = UINT16_MAX;
  entries[n] = entry("i32", AMQP_FIELD_KIND_I32), entries[n++].value.value.i32 = INT32_MIN;
  entries[n] = entry("u32", AMQP_FIELD_KIND_U32), entries[n++].value.value.u32 = UINT32_MAX;
  entries[n] = entry("i64", AMQP_FIELD_KIND_I64), entries[n++].value.value.i64 = INT64_MAX;
  entries[n] = entry("f32", AMQP_FIELD_KIND_F32), entries[n++].value.value.f32 = 1.5f;
  entries[n] = entry("f64", AMQP_FIELD_KIND_F64), entries[n++].value.value.f64 = -2.25e100;
  entries[n] = entry("decimal", AMQP_FIELD_KIND_DECIMAL);
  entries[n].value.value.decimal.decimals = 2;
  entries[n++].value.value.decimal.value = 31415;
  entries[n++] = text_entry("utf8", AMQP_FIELD_KIND_UTF8, "gr\xC3\xBC\xC3\x9F dich");
  entries[n++] = text_entry("empty", AMQP_FIELD_KIND_UTF8, "");
  entries[n] = entry("array", AMQP_FIELD_KIND_ARRAY);
  entries[n].value.value.array.num_entries = 3;
  entries[n++].value.value.array.entries = items;
  entries[n] = entry("timestamp", AMQP_FIELD_KIND_TIMESTAMP), entries[n++].value.value.u64 = 4102444800u;
  entries[n] = entry("table", AMQP_FIELD_KIND_TABLE);
  entries[n].value.value.table.num_entries = 2;
  entries[n++].value.value.table.entries = inner;
  entries[n++] = entry("void", AMQP_FIELD_KIND_VOID);
  entries[n++] = text_entry("bytes", AMQP_FIELD_KIND_BYTES, "raw\x01\x02");
  REQUIRE_EQUAL(n, kind_count);
  table.num_entries = n;
  table.entries = entries;
  return table;
}

static int same_value(const amqp_field_value_t *a, const amqp_field_value_t *b);

static const amqp_field_value_t *find(const amqp_table_t *table, amqp_bytes_t key) {
  int i;
  for (i = 0; i < table->num_entries; ++i) {
    const amqp_table_entry_t *each = &table->entries[i];
    if (each->key.len == key.len && memcmp(each->key.bytes, key.bytes, key.len) == 0) {
      return &each->value;
    }
  }
  return NULL;
}

/* The order of the entries is the broker's business. */
static int same_table(const amqp_table_t *a, const amqp_table_t *b) {
  int i;
  if (a->num_entries != b->num_entries) {
    return 0;
  }
  for (i = 0; i < a->num_entries; ++i) {
    const amqp_field_value_t *other = find(b, a->entries[i].key);
    if (other == NULL || !same_value(&a->entries[i].value, other)) {
      return 0;
    }
  }
  return 1;
}

static int same_bytes(amqp_bytes_t a, amqp_bytes_t b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

static int same_value(const amqp_field_value_t *a, const amqp_field_value_t *b) {
  int i;
  if (a->kind != b->kind) {
    return 0;
  }
  switch (a->kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
      return !a->value.boolean == !b->value.boolean;
    case AMQP_FIELD_KIND_I8:
    case AMQP_FIELD_KIND_U8:
      return a->value.u8 == b->value.u8;
    case AMQP_FIELD_KIND_I16:
    case AMQP_FIELD_KIND_U16:
      return a->value.u16 == b->value.u16;
    case AMQP_FIELD_KIND_I32:
    case AMQP_FIELD_KIND_U32:
      return a->value.u32 == b->value.u32;
    case AMQP_FIELD_KIND_F32:
      return memcmp(&a->value.f32, &b->value.f32, sizeof(float)) == 0;
    case AMQP_FIELD_KIND_F64:
      return memcmp(&a->value.f64, &b->value.f64, sizeof(double)) == 0;
    case AMQP_FIELD_KIND_I64:
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      return a->value.u64 == b->value.u64;
    case AMQP_FIELD_KIND_DECIMAL:
      return a->value.decimal.decimals == b->value.decimal.decimals && a->value.decimal.value == b->value.decimal.value;
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return same_bytes(a->value.bytes, b->value.bytes);
    case AMQP_FIELD_KIND_TABLE:
      return same_table(&a->value.table, &b->value.table);
    case AMQP_FIELD_KIND_ARRAY:
      if (a->value.array.num_entries != b->value.array.num_entries) {
        return 0;
      }
      for (i = 0; i < a->value.array.num_entries; ++i) {
        if (!same_value(&a->value.array.entries[i], &b->value.array.entries[i])) {
          return 0;
        }
      }
      return 1;
    default:
      return a->kind == AMQP_FIELD_KIND_VOID;
  }
}

static void require_same_table(const amqp_table_t *sent, const amqp_table_t *received) {
  int i;
  for (i = 0; i < sent->num_entries; ++i) {
    const amqp_field_value_t *other = find(received, sent->entries[i].key);
    if (other == NULL) {
      FAIL("the field \"%.*s\" is gone", (int)sent->entries[i].key.len, (char *)sent->entries[i].key.bytes);
    }
    if (!same_value(&sent->entries[i].value, other)) {
      FAIL("the field \"%.*s\" came back changed (kind '%c' sent, '%c' received)", (int)sent->entries[i].key.len,
           (char *)sent->entries[i].key.bytes, sent->entries[i].value.kind, other->kind);
    }
  }
  REQUIRE_EQUAL(received->num_entries, sent->num_entries);
}

static amqp_basic_properties_t every_property(void) {
  amqp_basic_properties_t p;
  memset(&p, 0xA5, sizeof p); /* what has no flag must not be read; here all have one */
  p._flags = AMQP_BASIC_CONTENT_TYPE_FLAG | AMQP_BASIC_CONTENT_ENCODING_FLAG | AMQP_BASIC_HEADERS_FLAG |
             AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_PRIORITY_FLAG | AMQP_BASIC_CORRELATION_ID_FLAG |
             AMQP_BASIC_REPLY_TO_FLAG | AMQP_BASIC_EXPIRATION_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG |
             AMQP_BASIC_TIMESTAMP_FLAG | AMQP_BASIC_TYPE_FLAG | AMQP_BASIC_USER_ID_FLAG | AMQP_BASIC_APP_ID_FLAG |
             AMQP_BASIC_CLUSTER_ID_FLAG;
  p.content_type = amqp_cstring_bytes("application/octet-stream");
  p.content_encoding = amqp_cstring_bytes("identity");
  p.headers = every_kind();
  p.delivery_mode = AMQP_DELIVERY_PERSISTENT;
  p.priority = 7;
  p.correlation_id = amqp_cstring_bytes("correlation");
  p.reply_to = amqp_cstring_bytes("reply");
  p.expiration = amqp_cstring_bytes("60000");
  p.message_id = amqp_cstring_bytes("message");
  p.timestamp = 1234567890123u;
  p.type = amqp_cstring_bytes("type");
  p.user_id = amqp_cstring_bytes("guest");
  p.app_id = amqp_cstring_bytes("application");
  p.cluster_id = amqp_cstring_bytes("cluster");
  return p;
}

static void require_same_properties(const amqp_basic_properties_t *sent, const amqp_basic_properties_t *received) {
  REQUIRE_EQUAL(received->_flags, sent->_flags);
  REQUIRE(same_bytes(sent->content_type, received->content_type));
  REQUIRE(same_bytes(sent->content_encoding, received->content_encoding));
  require_same_table(&sent->headers, &received->headers);
  REQUIRE_EQUAL(received->delivery_mode, sent->delivery_mode);
  REQUIRE_EQUAL(received->priority, sent->priority);
  REQUIRE(same_bytes(sent->correlation_id, received->correlation_id));
  REQUIRE(same_bytes(sent->reply_to, received->reply_to));
  REQUIRE(same_bytes(sent->expiration, received->expiration));
  REQUIRE(same_bytes(sent->message_id, received->message_id));
  REQUIRE(sent->timestamp == received->timestamp);
  REQUIRE(same_bytes(sent->type, received->type));
  REQUIRE(same_bytes(sent->user_id, received->user_id));
  REQUIRE(same_bytes(sent->app_id, received->app_id));
  REQUIRE(same_bytes(sent->cluster_id, received->cluster_id));
}

static void properties_and_headers(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  amqp_basic_properties_t sent = every_property();
  amqp_envelope_t envelope;
  amqp_message_t message;
  amqp_rpc_reply_t reply;

  REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, &sent, amqp_cstring_bytes("body")));
  reply = amqp_basic_get(connection, 1, queue, 1);
  REQUIRE_REPLY(reply);
  REQUIRE_EQUAL(reply.reply.id, AMQP_BASIC_GET_OK_METHOD);
  REQUIRE_REPLY(amqp_read_message(connection, 1, &message, 0));
  require_same_properties(&sent, &message.properties);
  REQUIRE(bytes_equal(message.body, "body"));

  start_consumer(connection, 1, queue, 1);
  REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, &sent, amqp_empty_bytes));
  consume(connection, &envelope);
  farewell(connection);
  require_same_properties(&sent, &envelope.message.properties);
  require_same_properties(&sent, &message.properties); /* still the caller's after the connection has gone */
  REQUIRE_EQUAL(envelope.message.body.len, 0);
  amqp_destroy_envelope(&envelope);
  amqp_destroy_message(&message);
}

/* RabbitMQ has no unsigned 64-bit field: the frame is an error there, which closes the connection with 501 or 505. */
static void unsigned_64_bit_header(void) {
  amqp_connection_state_t connection = logged_in(0, 0);
  amqp_bytes_t queue = own_queue(connection, 1);
  amqp_table_entry_t field = entry("u64", AMQP_FIELD_KIND_U64);
  amqp_basic_properties_t properties;
  amqp_rpc_reply_t reply;
  memset(&properties, 0, sizeof properties);
  field.value.value.u64 = UINT64_MAX;
  properties._flags = AMQP_BASIC_HEADERS_FLAG;
  properties.headers.num_entries = 1;
  properties.headers.entries = &field;
  REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, &properties, amqp_cstring_bytes("x")));
  reply = amqp_basic_get(connection, 1, queue, 1);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) {
    amqp_message_t message; /* a newer broker */
    REQUIRE_REPLY(amqp_read_message(connection, 1, &message, 0));
    require_same_properties(&properties, &message.properties);
    amqp_destroy_message(&message);
    farewell(connection);
    return;
  }
  REQUIRE(reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION);
  REQUIRE_EQUAL(reply.reply.id, AMQP_CONNECTION_CLOSE_METHOD);
  amqp_destroy_connection(connection);
}

/* Headers that fill most of a frame, in both sizes of frame. */
static void large_headers(void) {
  static const int frame_sizes[] = {4096, 131072};
  size_t i;
  for (i = 0; i < 2; ++i) {
    amqp_connection_state_t connection = logged_in(0, frame_sizes[i]);
    amqp_bytes_t queue = own_queue(connection, 1);
    amqp_table_entry_t field = entry("large", AMQP_FIELD_KIND_UTF8);
    amqp_basic_properties_t properties;
    amqp_envelope_t envelope;
    memset(&properties, 0, sizeof properties);
    field.value.value.bytes = patterned((size_t)frame_sizes[i] - 200, 5);
    memset(field.value.value.bytes.bytes, 'h', field.value.value.bytes.len);
    properties._flags = AMQP_BASIC_HEADERS_FLAG;
    properties.headers.num_entries = 1;
    properties.headers.entries = &field;
    start_consumer(connection, 1, queue, 1);
    REQUIRE_OK(amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, &properties, amqp_cstring_bytes("x")));
    consume(connection, &envelope);
    require_same_table(&properties.headers, &envelope.message.properties.headers);
    amqp_destroy_envelope(&envelope);
    farewell(connection);
  }
}

/* Headers that no frame can hold are refused before anything is sent: the connection still works. */
static void oversized_headers(void) {
  amqp_connection_state_t connection = logged_in(0, 4096);
  amqp_bytes_t queue = own_queue(connection, 1);
  amqp_table_entry_t field = entry("oversized", AMQP_FIELD_KIND_UTF8);
  amqp_basic_properties_t properties;
  amqp_envelope_t envelope;
  memset(&properties, 0, sizeof properties);
  field.value.value.bytes = patterned(8192, 5);
  properties._flags = AMQP_BASIC_HEADERS_FLAG;
  properties.headers.num_entries = 1;
  properties.headers.entries = &field;
  start_consumer(connection, 1, queue, 1);
  REQUIRE(amqp_basic_publish(connection, 1, amqp_empty_bytes, queue, 0, 0, &properties, amqp_cstring_bytes("x")) < 0);
  publish(connection, 1, queue, amqp_cstring_bytes("after"));
  consume(connection, &envelope);
  REQUIRE(bytes_equal(envelope.message.body, "after"));
  amqp_destroy_envelope(&envelope);
  farewell(connection);
}

const struct test_case content_cases[] = {{"properties_and_headers", "plain", 0, properties_and_headers},
                                          {"unsigned_64_bit_header", "plain", 0, unsigned_64_bit_header},
                                          {"large_headers", "plain", 0, large_headers},
                                          {"oversized_headers", "plain", 1, oversized_headers},
                                          {NULL, NULL, 0, NULL}};
