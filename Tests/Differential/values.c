/*
 * values SEED: generated values of everything that is encoded and decoded, printed. The same program runs on the reference and
 * on this library, and the two outputs are compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <amqp_event.h>

#include "../Golden/print.h"
#include "shape.h"

static uint8_t room_bytes[1 << 17];
static const amqp_bytes_t room = {sizeof room_bytes, room_bytes};

/* Update-secret came later than the reference. */
static int is_later(const method_shape *shape) { return shape->id == 0x000A0046 || shape->id == 0x000A0047; }

static void print_encoded(int size) {
  printf("%s %d", size < 0 ? status_name(size) : "", size);
  if (size > 0) print_octets(room_bytes, (size_t)size);
  printf("\n");
}

/* A method that this program filled, and one that came in. */
static void one_method(const method_shape *shape, generator *g) {
  uint64_t decoded[64];   /* aligned for any of the structs, and larger */
  static octets o;
  amqp_pool_t pool;
  amqp_bytes_t bytes;
  void *again = NULL;
  int status;
  if (is_later(shape)) return;
  init_amqp_pool(&pool, 1024);
  memset(decoded, 0, sizeof decoded);
  shape_fill(shape, decoded, g, &pool);
  printf("%s ", shape->name);
  print_encoded(amqp_encode_method(shape->id, decoded, room));
  o.size = 0;
  generate_arguments(g, &o, shape->fields);
  bytes.len = generate(g, 8) == 0 ? generate(g, (uint32_t)o.size + 1) : o.size;   /* sometimes cut short */
  bytes.bytes = o.bytes;
  status = amqp_decode_method(shape->id, &pool, bytes, &again);
  printf("%s of %zu octets %s", shape->name, bytes.len, status_name(status));
  if (status == AMQP_STATUS_OK) {
    shape_print(shape, again);
    status = amqp_encode_method(shape->id, again, room);
    printf(" %d, as it came %d", status, status == (int)bytes.len && memcmp(room_bytes, o.bytes, bytes.len) == 0);
  }
  printf("\n");
  empty_amqp_pool(&pool);
}

static void properties_and_table(generator *g) {
  amqp_pool_t pool;
  amqp_basic_properties_t *properties;
  amqp_table_t table, clone = {0, NULL};
  size_t offset = generate(g, 9);
  int status;
  init_amqp_pool(&pool, 1024);
  properties = shape_properties(g, &pool);
  print_properties(properties);
  print_encoded(amqp_encode_properties(AMQP_BASIC_CLASS, properties, room));
  table = shape_table(g, &pool);
  print_table("table", &table);
  status = amqp_encode_table(room, &table, &offset);
  printf(" %s %zu", status_name(status), offset);
  printf(" clone %s", status_name(amqp_table_clone(&table, &clone, &pool)));
  print_table("", &clone);
  printf("\n");
  empty_amqp_pool(&pool);
}

static void url(generator *g) {
  static const char *const parts[] = {"amqp", "amqps", "://", ":", "/", "@", "[", "]", "host", "::1", "5672", "0", "65536",
                                      "user", "pass", "%2f", "%", "%4", "?", "#", "/v", " ", "%00", "-1", "+5"};
  static const char *const begins[] = {"", "amqp://", "amqps://"};
  char text[200] = "", shown[200];
  struct amqp_connection_info info;
  uint32_t count = generate(g, 9);
  int status;
  strcat(text, begins[generate(g, 10) == 0 ? 0 : 1 + generate(g, 2)]);
  for (; count > 0; count--) strcat(text, parts[generate(g, sizeof parts / sizeof *parts)]);
  strcpy(shown, text);
  amqp_default_connection_info(&info);
  status = amqp_parse_url(text, &info);
  printf("%s: %s", shown, status_name(status));
  if (status == AMQP_STATUS_OK) printf(" %s|%s|%s|%d|%s|%d", info.user, info.password, info.host, info.port, info.vhost, info.ssl);
  printf("\n");
}

static void number(generator *g) {
  int value = (int)generate_number(g);
  uint32_t id = (uint32_t)value;
  printf("%d: %s, hard %d", value, amqp_constant_name(value), amqp_constant_is_hard_error(value));
  if (id != 0x000A0046 && id != 0x000A0047)
    printf(", %s, content %d", amqp_method_name(id) ? amqp_method_name(id) : "no method", amqp_method_has_content(id));
  printf("\n");
}

int main(int argc, char **argv) {
  generator g = generate_from(argc > 1 ? strtoull(argv[1], NULL, 10) : 1);
  size_t i, round;
  int status;
  check_loaded_library();
  for (round = 0; round < 10; round++)
    for (i = 0; i < method_shape_count; i++) one_method(&method_shapes[i], &g);
  for (i = 0; i < 100; i++) properties_and_table(&g);
  for (i = 0; i < 300; i++) url(&g);
  for (i = 0; i < 100; i++) number(&g);
  for (status = 2; status > AMQP_EVENT_STATUS_FULL; status--) {   /* from there on they are of the event API */
    const char *text = amqp_error_string2(status);
    if (status != AMQP_STATUS_SSL_UNIMPLEMENTED && strcmp(text, "(unknown error)") != 0) printf("%d: %s\n", status, text);
  }
  return 0;
}
