/* Printing everything that a session shows, one line each: print.h. */
#include "print.h"

#include <stdio.h>
#include <string.h>

void print_octets(const void *bytes, size_t size) {
  const uint8_t *at = bytes;
  size_t i;
  for (i = 0; i < size; i++) {
    if (i == 200) {
      uint32_t sum = 0;
      for (; i < size; i++) sum = sum * 31 + at[i];
      printf("... %zu octets, sum %08x", size, sum);
      return;
    }
    if (at[i] > ' ' && at[i] < 127 && at[i] != '\\')
      putchar(at[i]);
    else
      printf("\\%02x", at[i]);
  }
}

void print_bytes(const char *name, amqp_bytes_t bytes) {
  printf(" %s=%zu:", name, bytes.len);
  print_octets(bytes.bytes, bytes.len);
}

static void print_value(const amqp_field_value_t *value) {
  int i;
  printf("%c:", value->kind);
  switch (value->kind) {
    case 't': printf("%d", value->value.boolean); break;
    case 'b': printf("%d", value->value.i8); break;
    case 'B': printf("%u", value->value.u8); break;
    case 's': printf("%d", value->value.i16); break;
    case 'u': printf("%u", value->value.u16); break;
    case 'I': printf("%d", value->value.i32); break;
    case 'i': printf("%u", value->value.u32); break;
    case 'l': printf("%lld", (long long)value->value.i64); break;
    case 'L': case 'T': printf("%llu", (unsigned long long)value->value.u64); break;
    case 'f': printf("%g", (double)value->value.f32); break;
    case 'd': printf("%g", value->value.f64); break;
    case 'D': printf("%u/%u", value->value.decimal.value, value->value.decimal.decimals); break;
    case 'S': case 'x': print_octets(value->value.bytes.bytes, value->value.bytes.len); break;
    case 'F': print_table("", &value->value.table); break;
    case 'A':
      for (i = 0; i < value->value.array.num_entries; i++) print_value(&value->value.array.entries[i]);
      break;
    default: break;
  }
  printf(";");
}

void print_table(const char *name, const amqp_table_t *table) {
  int i;
  printf(" %s{", name);
  for (i = 0; i < table->num_entries; i++) {
    print_octets(table->entries[i].key.bytes, table->entries[i].key.len);
    printf("=");
    print_value(&table->entries[i].value);
  }
  printf("}");
}

void print_properties(const amqp_basic_properties_t *p) {
  printf(" flags=%x", p->_flags);
  if (p->_flags & AMQP_BASIC_CONTENT_TYPE_FLAG) print_bytes("content_type", p->content_type);
  if (p->_flags & AMQP_BASIC_CONTENT_ENCODING_FLAG) print_bytes("content_encoding", p->content_encoding);
  if (p->_flags & AMQP_BASIC_HEADERS_FLAG) print_table("headers", &p->headers);
  if (p->_flags & AMQP_BASIC_DELIVERY_MODE_FLAG) printf(" delivery_mode=%d", p->delivery_mode);
  if (p->_flags & AMQP_BASIC_PRIORITY_FLAG) printf(" priority=%d", p->priority);
  if (p->_flags & AMQP_BASIC_CORRELATION_ID_FLAG) print_bytes("correlation_id", p->correlation_id);
  if (p->_flags & AMQP_BASIC_REPLY_TO_FLAG) print_bytes("reply_to", p->reply_to);
  if (p->_flags & AMQP_BASIC_EXPIRATION_FLAG) print_bytes("expiration", p->expiration);
  if (p->_flags & AMQP_BASIC_MESSAGE_ID_FLAG) print_bytes("message_id", p->message_id);
  if (p->_flags & AMQP_BASIC_TIMESTAMP_FLAG) printf(" timestamp=%llu", (unsigned long long)p->timestamp);
  if (p->_flags & AMQP_BASIC_TYPE_FLAG) print_bytes("type", p->type);
  if (p->_flags & AMQP_BASIC_USER_ID_FLAG) print_bytes("user_id", p->user_id);
  if (p->_flags & AMQP_BASIC_APP_ID_FLAG) print_bytes("app_id", p->app_id);
  if (p->_flags & AMQP_BASIC_CLUSTER_ID_FLAG) print_bytes("cluster_id", p->cluster_id);
}

void print_method(uint32_t id, void *decoded) {
  const char *name = amqp_method_name(id);
  printf(" %s", name ? name : "-");
  switch (id) {
    case AMQP_QUEUE_DECLARE_OK_METHOD: {
      amqp_queue_declare_ok_t *m = decoded;
      print_bytes("queue", m->queue);
      printf(" messages=%u consumers=%u", m->message_count, m->consumer_count);
      break;
    }
    case AMQP_QUEUE_PURGE_OK_METHOD: printf(" messages=%u", ((amqp_queue_purge_ok_t *)decoded)->message_count); break;
    case AMQP_QUEUE_DELETE_OK_METHOD: printf(" messages=%u", ((amqp_queue_delete_ok_t *)decoded)->message_count); break;
    case AMQP_BASIC_CONSUME_OK_METHOD: print_bytes("tag", ((amqp_basic_consume_ok_t *)decoded)->consumer_tag); break;
    case AMQP_BASIC_CANCEL_OK_METHOD: print_bytes("tag", ((amqp_basic_cancel_ok_t *)decoded)->consumer_tag); break;
    case AMQP_CHANNEL_FLOW_OK_METHOD: printf(" active=%d", ((amqp_channel_flow_ok_t *)decoded)->active); break;
    case AMQP_BASIC_ACK_METHOD: {
      amqp_basic_ack_t *m = decoded;
      printf(" tag=%llu multiple=%d", (unsigned long long)m->delivery_tag, m->multiple);
      break;
    }
    case AMQP_BASIC_DELIVER_METHOD: {
      amqp_basic_deliver_t *m = decoded;
      print_bytes("consumer", m->consumer_tag);
      printf(" tag=%llu redelivered=%d", (unsigned long long)m->delivery_tag, m->redelivered);
      print_bytes("exchange", m->exchange);
      print_bytes("key", m->routing_key);
      break;
    }
    case AMQP_BASIC_RETURN_METHOD: {
      amqp_basic_return_t *m = decoded;
      printf(" code=%d", m->reply_code);
      print_bytes("text", m->reply_text);
      print_bytes("exchange", m->exchange);
      print_bytes("key", m->routing_key);
      break;
    }
    case AMQP_BASIC_GET_OK_METHOD: {
      amqp_basic_get_ok_t *m = decoded;
      printf(" tag=%llu redelivered=%d messages=%u", (unsigned long long)m->delivery_tag, m->redelivered, m->message_count);
      print_bytes("exchange", m->exchange);
      print_bytes("key", m->routing_key);
      break;
    }
    case AMQP_CHANNEL_CLOSE_METHOD: case AMQP_CONNECTION_CLOSE_METHOD: {
      amqp_channel_close_t *m = decoded;   /* the two have the same fields */
      printf(" code=%d class=%d method=%d", m->reply_code, m->class_id, m->method_id);
      print_bytes("text", m->reply_text);
      break;
    }
    default: break;
  }
}

void print_reply(const char *what, amqp_rpc_reply_t reply) {
  printf("%s: reply %d", what, reply.reply_type);
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) printf(" %s", status_name(reply.library_error));
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION ||
      (reply.reply_type == AMQP_RESPONSE_NORMAL && reply.reply.id != 0))
    print_method(reply.reply.id, reply.reply.decoded);
  printf("\n");
}

void print_result(const char *what, amqp_connection_state_t c, const void *result) {
  printf("%s %s ", what, result != NULL ? "answered" : "failed");
  print_reply("", amqp_get_rpc_reply(c));
}

void print_status(const char *what, int status) { printf("%s: %s\n", what, status_name(status)); }

int print_frame(const char *what, amqp_connection_state_t c) {
  amqp_frame_t frame;
  int status = amqp_simple_wait_frame_noblock(c, &frame, client_seconds(1));
  printf("%s: %s", what, status_name(status));
  if (status == AMQP_STATUS_OK) {
    printf(" type %d channel %d", frame.frame_type, frame.channel);
    if (frame.frame_type == AMQP_FRAME_METHOD) print_method(frame.payload.method.id, frame.payload.method.decoded);
    if (frame.frame_type == AMQP_FRAME_HEADER) {
      printf(" class %d size %llu", frame.payload.properties.class_id, (unsigned long long)frame.payload.properties.body_size);
      print_bytes("raw", frame.payload.properties.raw);
      print_properties(frame.payload.properties.decoded);
    }
    if (frame.frame_type == AMQP_FRAME_BODY) print_bytes("body", frame.payload.body_fragment);
  }
  printf("\n");
  return status;
}

static uint32_t get32(const uint8_t *at) { return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]; }

/* Names and kinds of the client properties, the values of the capabilities and of the program's own, and the rest as it is. */
static void print_start_ok(const uint8_t *at, uint32_t size) {
  amqp_bytes_t bytes;
  amqp_table_t table;
  amqp_pool_t pool;
  size_t offset = 0;
  int i;
  bytes.bytes = (void *)at;
  bytes.len = size;
  init_amqp_pool(&pool, 4096);
  if (amqp_decode_table(bytes, &pool, &table, &offset) == AMQP_STATUS_OK) {
    for (i = 0; i < table.num_entries; i++) {
      const amqp_table_entry_t *entry = &table.entries[i];
      printf(" ");
      print_octets(entry->key.bytes, entry->key.len);
      printf(":%c", entry->value.kind);
      if (entry->value.kind == 'F' || (entry->key.len > 3 && memcmp(entry->key.bytes, "my-", 3) == 0))
        print_value(&entry->value);
    }
    printf(" | ");
    print_octets(at + offset, size - offset);
  }
  empty_amqp_pool(&pool);
}

void print_received(peer *p) {
  const peer_record *seen = peer_seen(p);
  uint32_t i;
  peer_sleep(50);
  printf("the peer received %llu frames, malformed %d\n", (unsigned long long)seen->frames_total, seen->malformed);
  for (i = 0; i < seen->frame_count; i++) {
    const peer_frame *frame = &seen->frames[i];
    const uint8_t *payload = seen->bytes + frame->offset;
    printf("  %d on %d, %u:", frame->type, frame->channel, frame->id == AMQP_CONNECTION_START_OK_METHOD ? 0 : frame->size);
    if (frame->type == AMQP_FRAME_METHOD) {
      const char *name = amqp_method_name(get32(payload));
      printf(" %s ", name ? name : "?");
      if (frame->id == AMQP_CONNECTION_START_OK_METHOD)
        print_start_ok(payload + 4, frame->size - 4);
      else
        print_octets(payload + 4, frame->size - 4);
    } else {
      printf(" ");
      print_octets(payload, frame->size);
    }
    printf("\n");
  }
}

/* Every kind of field, in a table that also goes through encode, decode, clone and compare. */
amqp_table_t rich_table(void) {
  static amqp_table_entry_t entries[18], inner[1];
  static amqp_field_value_t items[3];
  static const char kinds[] = "tbBsuIilLfdDSxTVAF";
  amqp_table_t table = {18, entries};
  int i;
  memset(entries, 0, sizeof entries);
  for (i = 0; i < 18; i++) {
    entries[i].key.bytes = (void *)(kinds + i);
    entries[i].key.len = 1;
    entries[i].value.kind = (uint8_t)kinds[i];
  }
  entries[0].value.value.boolean = 1;
  entries[1].value.value.i8 = -2;
  entries[2].value.value.u8 = 254;
  entries[3].value.value.i16 = -300;
  entries[4].value.value.u16 = 65000;
  entries[5].value.value.i32 = -70000;
  entries[6].value.value.u32 = 4000000000u;
  entries[7].value.value.i64 = -5000000000;
  entries[8].value.value.u64 = 18000000000000000000u;
  entries[9].value.value.f32 = 1.5f;
  entries[10].value.value.f64 = -2.25;
  entries[11].value.value.decimal.decimals = 2;
  entries[11].value.value.decimal.value = 314;
  entries[12].value.value.bytes = client_bytes("some text");
  entries[13].value.value.bytes = client_bytes("some bytes");
  entries[14].value.value.u64 = 1700000000;
  items[0].kind = 'S';
  items[0].value.bytes = client_bytes("item");
  items[1].kind = 't';
  items[1].value.boolean = 0;
  items[2].kind = 'V';
  entries[16].value.value.array.num_entries = 3;
  entries[16].value.value.array.entries = items;
  inner[0].key = client_bytes("inner");
  inner[0].value.kind = 'I';
  inner[0].value.value.i32 = 7;
  entries[17].value.value.table.num_entries = 1;
  entries[17].value.value.table.entries = inner;
  return table;
}
