/* What needs no connection: tables there and back, URLs, texts. Printed like the sessions of sessions.c, and compared the same way. */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "print.h"

static void tables(void) {
  static char room[4096];
  amqp_bytes_t encoded = {sizeof room, room}, small = {40, room};
  amqp_table_t table = rich_table(), decoded, clone;
  amqp_table_entry_t entries[4];
  amqp_pool_t pool;
  size_t offset = 5, end;
  int i;
  printf("\n== tables\n");
  init_amqp_pool(&pool, 1024);
  print_status("encode", amqp_encode_table(encoded, &table, &offset));
  end = offset;
  printf("offset %zu: ", offset);
  print_octets(room + 5, end - 5);
  printf("\n");
  offset = 5;
  encoded.len = end;
  print_status("decode", amqp_decode_table(encoded, &pool, &decoded, &offset));
  printf("offset %zu", offset);
  print_table("decoded", &decoded);
  printf("\n");
  print_status("clone", amqp_table_clone(&decoded, &clone, &pool));
  print_table("clone", &clone);
  printf("\n");
  for (encoded.len = end - 1; encoded.len > 5; encoded.len -= 7) {   /* cut short anywhere */
    offset = 5;
    printf("%zu of %zu: %s\n", encoded.len, end, status_name(amqp_decode_table(encoded, &pool, &decoded, &offset)));
  }
  offset = 0;
  print_status("no room", amqp_encode_table(small, &table, &offset));
  memset(entries, 0, sizeof entries);
  entries[0].key = client_bytes("b");
  entries[1].key = client_bytes("a");
  entries[2].key = client_bytes("");
  entries[3].key = client_bytes("ab");
  for (i = 0; i < 16; i++) {
    int order = amqp_table_entry_cmp(&entries[i / 4], &entries[i % 4]);
    printf("%d", order < 0 ? -1 : order > 0);
  }
  printf("\n");
  empty_amqp_pool(&pool);
}

static void urls(void) {
  static const char *const list[] = {
      "amqp://user:pass@host:1234/vhost", "amqp://", "amqps://", "amqp://host", "amqps://host", "amqp://host/", "amqp://:pass@",
      "amqp://user@", "amqp://user:@host", "amqp://[::1]", "amqp://[::1]:99/x", "amqp://host:1x", "amqp://ho%73t/%2f",
      "amqp://us%3ar:p%40ss@h/v%2Fh", "http://host", "amqp:/host", "", "amqp://host/a/b", "amqp://host:99999", "amqp://host:",
      "amqp://%zz", "amqp://host:-1", "amqp://[::1", "amqp://user:pass@host:10000/vhost?x=1", "amqps://user:pass@host/v"};
  struct amqp_connection_info info;
  unsigned i;
  printf("\n== urls\n");
  amqp_default_connection_info(&info);
  printf("%s %s %s %d %s %d\n", info.user, info.password, info.host, info.port, info.vhost, info.ssl);
  for (i = 0; i < sizeof list / sizeof *list; i++) {
    char copy[100];
    int status;
    snprintf(copy, sizeof copy, "%s", list[i]);
    amqp_default_connection_info(&info);
    status = amqp_parse_url(copy, &info);
    printf("%s: %s", list[i], status_name(status));
    if (status == AMQP_STATUS_OK) printf(" %s %s %s %d %s %d", info.user, info.password, info.host, info.port, info.vhost, info.ssl);
    printf("\n");
  }
}

static void texts(void) {
  uint32_t class_id, method_id;
  int i;
  printf("\n== texts\n");
  for (i = 1; i > -25; i--) printf("%d: %s\n", i, amqp_error_string2(i));
  for (i = -0x0FF; i > -0x104; i--) printf("%d: %s\n", i, amqp_error_string2(i));
  for (i = 0; i < 1000; i++)
    if (amqp_constant_name(i) != NULL) printf("%d: %s hard=%d\n", i, amqp_constant_name(i), amqp_constant_is_hard_error(i));
  for (class_id = 0; class_id < 100; class_id++)
    for (method_id = 0; method_id < 130; method_id++) {
      uint32_t id = class_id << 16 | method_id;
      if (id == 0x000A0046 || id == 0x000A0047) continue;   /* update-secret came later */
      if (amqp_method_name(id) != NULL) printf("%08x: %s content=%d\n", id, amqp_method_name(id), amqp_method_has_content(id));
    }
}

int main(void) {
  check_loaded_library();
  tables();
  urls();
  texts();
  return 0;
}
