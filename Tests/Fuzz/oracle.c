/* The tables and verdicts of oracle.h. */
#include "oracle.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static library loaded;

const library *ours(void) {
  static const library linked = {
      amqp_decode_method,  amqp_encode_method,  amqp_decode_properties, amqp_encode_properties,
      amqp_decode_table,   amqp_encode_table,   amqp_table_clone,       amqp_parse_url,
      amqp_error_string2,  amqp_constant_name,  amqp_constant_is_hard_error,
      amqp_method_name,    amqp_method_has_content,
      amqp_new_connection, amqp_handle_input,   amqp_destroy_connection};
  return &linked;
}

static void *found(void *handle, const char *name) {
  void *function = dlsym(handle, name);
  Dl_info where;
  require(function != NULL, name);
  require(dladdr(function, &where) != 0 && strstr(where.dli_fname, "librabbitmq") != NULL, "the reference is another library");
  return function;
}

static void load(void) {
  const char *path = getenv("PULSE_REFERENCE_LIBRARY");
  void *handle = path == NULL || *path == 0 ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) {
    fprintf(stderr, "no reference: %s\n", path == NULL || *path == 0 ? "PULSE_REFERENCE_LIBRARY is not set" : dlerror());
    return;
  }
/* By way of memcpy, because ISO C has no conversion from void * to a function. */
#define LOAD(name)                                             \
  do {                                                         \
    void *function = found(handle, "amqp_" #name);             \
    memcpy(&loaded.name, &function, sizeof function);          \
  } while (0)
  LOAD(decode_method);
  LOAD(encode_method);
  LOAD(decode_properties);
  LOAD(encode_properties);
  LOAD(decode_table);
  LOAD(encode_table);
  LOAD(table_clone);
  LOAD(parse_url);
  LOAD(error_string2);
  LOAD(constant_name);
  LOAD(constant_is_hard_error);
  LOAD(method_name);
  LOAD(method_has_content);
  LOAD(handle_input);
  LOAD(destroy_connection);
  LOAD(new_connection);
#undef LOAD
}

const library *reference(void) {
  static int is_tried;
  if (!is_tried) load();
  is_tried = 1;
  return loaded.new_connection != NULL ? &loaded : NULL;
}

int is_later_method(amqp_method_number_t id) {
  return id == AMQP_CONNECTION_UPDATE_SECRET_METHOD || id == AMQP_CONNECTION_UPDATE_SECRET_OK_METHOD;
}

int has_third_word(amqp_bytes_t properties) {
  const uint8_t *at = properties.bytes;
  return properties.len >= 4 && at[1] & 1 && at[3] & 1;
}

void require(int truth, const char *what) {
  if (truth) return;
  fprintf(stderr, "FOUND: %s\n", what);
  abort();
}

void require_equal(long long actual, long long expected, const char *what) {
  if (actual == expected) return;
  fprintf(stderr, "FOUND: %s: ours %lld, the reference's %lld\n", what, actual, expected);
  abort();
}

static void print_octets(const char *whose, const uint8_t *bytes, size_t size, size_t from) {
  size_t i;
  fprintf(stderr, "%s, %zu octets, from %zu:", whose, size, from);
  for (i = from; i < size && i < from + 64; i++) fprintf(stderr, " %02x", bytes[i]);
  fprintf(stderr, "\n");
}

void require_same_bytes(const void *first, size_t first_size, const void *second, size_t second_size, const char *what) {
  const uint8_t *one = first, *other = second;
  size_t at = 0;
  while (at < first_size && at < second_size && one[at] == other[at]) at++;
  if (at == first_size && at == second_size) return;
  print_octets("first", first, first_size, at);
  print_octets("second", second, second_size, at);
  require(0, what);
}

input input_of(const uint8_t *data, size_t size) {
  input from = {data, data + size};
  return from;
}

uint32_t take(input *from, unsigned octets) {
  uint32_t value = 0;
  for (; octets > 0; octets--) value = value << 8 | (from->at < from->end ? *from->at++ : 0u);
  return value;
}

amqp_bytes_t rest(const input *from) {
  amqp_bytes_t bytes;
  bytes.len = (size_t)(from->end - from->at);
  bytes.bytes = (void *)from->at;
  return bytes;
}
