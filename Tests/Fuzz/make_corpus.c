/*
 * Writes the corpus anew: make_corpus DIRECTORY. Small inputs of each kind that the targets know, generated from fixed seeds, for
 * the fuzzer to start from. Every finding that was mended is kept beside them, under the name found-*.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../Support/generate.h"

static const char *directory;

static octets *fresh(void) {
  static octets o;
  o.size = 0;
  return &o;
}

static void keep(const char *target, const char *name, const octets *o) {
  char path[1000];
  FILE *file;
  snprintf(path, sizeof path, "%s/%s", directory, target);
  mkdir(path, 0777);
  snprintf(path, sizeof path, "%s/%s/%s", directory, target, name);
  file = fopen(path, "wb");
  if (file == NULL || fwrite(o->bytes, 1, o->size, file) != o->size || fclose(file) != 0) {
    perror(path);
    exit(1);
  }
}

static void put_method(octets *o, uint16_t channel, const method_shape *shape, generator *g) {
  static octets payload;
  payload.size = 0;
  octets_put_number(&payload, shape->id, 4);
  generate_arguments(g, &payload, shape->fields);
  octets_put_frame(o, 1, channel, payload.bytes, payload.size);
}

static const method_shape *shape_of(uint32_t id) {
  size_t i;
  for (i = 0; i < method_shape_count; i++)
    if (method_shapes[i].id == id) return &method_shapes[i];
  abort();
}

/* Deliver, get-ok or return, with its header and a body in up to three frames. */
static void put_message(octets *o, uint16_t channel, uint32_t id, generator *g) {
  static octets payload;
  uint32_t frames = generate(g, 4), sizes[3], total = 0, i;
  static const char body[200] = "body";
  put_method(o, channel, shape_of(id), g);
  for (i = 0; i < frames && i < 3; i++) total += sizes[i] = 1 + generate(g, 199);
  payload.size = 0;
  octets_put_number(&payload, 60, 2);
  octets_put_number(&payload, 0, 2);
  octets_put_number(&payload, total, 8);
  generate_properties(g, &payload);
  octets_put_frame(o, 2, channel, payload.bytes, payload.size);
  for (i = 0; i < frames && i < 3; i++) octets_put_frame(o, 3, channel, body, sizes[i]);
}

static void put_handshake(octets *o, generator *g) {
  static octets start;
  start.size = 0;
  octets_put_number(&start, 0x000A000A, 4);
  octets_put_number(&start, 9, 2);
  generate_table(g, &start, 2);
  octets_put_number(&start, 14, 4);
  octets_put(&start, "PLAIN EXTERNAL", 14);
  octets_put_number(&start, 5, 4);
  octets_put(&start, "en_US", 5);
  octets_put_frame(o, 1, 0, start.bytes, start.size);
  octets_put_frame(o, 1, 0, "\0\x0A\0\x1E\0\0\0\1\0\0\0\0", 12);
  octets_put_frame(o, 1, 0, "\0\x0A\0\x29\0", 5);
}

static void put_heartbeat(octets *o) { octets_put_frame(o, 8, 0, NULL, 0); }

static void methods(void) {
  size_t i;
  for (i = 0; i < method_shape_count; i++) {
    generator g = generate_from(i);
    octets *o = fresh();
    octets_put_number(o, method_shapes[i].id, 4);
    generate_arguments(&g, o, method_shapes[i].fields);
    keep("method", method_shapes[i].name, o);
  }
}

static void values(void) {
  unsigned i;
  char name[20];
  for (i = 0; i < 12; i++) {
    generator g = generate_from(1000 + i);
    octets *o = fresh();
    snprintf(name, sizeof name, "generated-%u", i);
    octets_put_number(o, 60, 2);
    generate_properties(&g, o);
    keep("properties", name, o);
    o = fresh();
    generate_table(&g, o, 4);
    keep("table", name, o);
  }
}

static void urls(void) {
  static const char *const list[] = {"amqp://user:pass@host:1234/vhost", "amqps://", "amqp://[::1]:99/x", "amqp://us%3ar:p%40ss@h/v%2Fh"};
  size_t i;
  char name[20];
  for (i = 0; i < sizeof list / sizeof *list; i++) {
    octets *o = fresh();
    snprintf(name, sizeof name, "form-%zu", i);
    octets_put(o, list[i], strlen(list[i]));
    keep("url", name, o);
  }
}

/* Calls and the stream that answers them. */
static void streams(void) {
  static const uint32_t content[] = {0x003C003C, 0x003C0047, 0x003C0032};
  static const uint32_t answers[] = {0x0032000B, 0x003C000B, 0x0014000B, 0x003C0015, 0x0055000B, 0x003C0048, 0x00140029, 0x003C0050, 0x000A0033};
  unsigned i, k;
  char name[20];
  for (i = 0; i < 24; i++) {
    generator g = generate_from(2000 + i);
    octets *o = fresh();
    snprintf(name, sizeof name, "generated-%u", i);
    octets_put_number(o, i, 1);   /* the size of the pieces */
    if (i == 0) octets_put(o, "AMQP\0\0\x09\1", 8);
    for (k = 0; k < 4; k++) {
      put_message(o, (uint16_t)generate(&g, 3), content[generate(&g, 3)], &g);
      if (generate(&g, 3) == 0) put_heartbeat(o);
      put_method(o, (uint16_t)generate(&g, 3), &method_shapes[generate(&g, (uint32_t)method_shape_count)], &g);
    }
    keep("frames", name, o);
    o = fresh();
    octets_put_number(o, 12, 1);
    for (k = 0; k < 12; k++) octets_put_number(o, i % 2 ? k % 2 ? i / 2 % 9 : 13 : generate(&g, 13), 1);
    if (i % 2) put_method(o, 1, shape_of(answers[i / 2 % 9]), &g);
    for (k = 0; k < 3; k++) {
      put_message(o, 1, content[generate(&g, 3)], &g);
      put_method(o, 1, shape_of(answers[generate(&g, 9)]), &g);
    }
    keep("server", name, o);
    if (i >= 8) continue;
    o = fresh();
    octets_put_number(o, i, 1);
    if (i & 1) generate_table(&g, o, 2);
    put_handshake(o, &g);
    put_message(o, 1, content[0], &g);
    keep("login", name, o);
    o->bytes[0] = (uint8_t)(i * 8 | 2);
    keep("event", name, o);
  }
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  directory = argv[1];
  mkdir(directory, 0777);
  methods();
  values();
  urls();
  streams();
  return 0;
}
