/* The generator of generate.h. */
#include "generate.h"

#include <string.h>

const method_shape method_shapes[] = {
#define METHOD(class_id, method_id, name, fields) {(uint32_t)(class_id) << 16 | (method_id), #name, fields},
#include "methods.inc"
#undef METHOD
};
const size_t method_shape_count = sizeof method_shapes / sizeof *method_shapes;

/* ---- numbers: splitmix64 ---- */

static uint64_t next(generator *g) {
  uint64_t z = g->state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

generator generate_from(uint64_t seed) {
  generator g = {seed};
  next(&g);
  return g;
}

uint32_t generate(generator *g, uint32_t below) { return below == 0 ? 0 : (uint32_t)(next(g) >> 32) % below; }

uint64_t generate_number(generator *g) {
  unsigned bits = generate(g, 65);
  uint64_t edge = bits == 64 ? 0 : UINT64_C(1) << bits;
  switch (generate(g, 4)) {
    case 0: return edge;
    case 1: return edge - 1;
    case 2: return next(g) & (edge - 1);
    default: return generate(g, 4);
  }
}

/* ---- bytes ---- */

void octets_put(octets *o, const void *bytes, size_t size) {
  if (size > sizeof o->bytes - o->size) return;
  if (size > 0) memcpy(o->bytes + o->size, bytes, size);
  o->size += size;
}

void octets_put_number(octets *o, uint64_t value, unsigned size) {
  uint8_t bytes[8];
  unsigned i;
  for (i = 0; i < size; i++) bytes[i] = (uint8_t)(value >> 8 * (size - 1 - i));
  octets_put(o, bytes, size);
}

static void put_letters(generator *g, octets *o, uint32_t count) {
  for (; count > 0; count--) {
    uint8_t letter = generate(g, 20) == 0 ? (uint8_t)generate(g, 256) : (uint8_t)('a' + generate(g, 26));
    octets_put(o, &letter, 1);
  }
}

static void put_shortstr(generator *g, octets *o, uint32_t size) {
  octets_put_number(o, size, 1);
  put_letters(g, o, size);
}

void generate_shortstr(generator *g, octets *o) { put_shortstr(g, o, generate(g, 10) == 0 ? 255 : generate(g, 12)); }

/* The reference cannot copy a table with an empty key, and so not hand out a message that has one. */
static void put_key(generator *g, octets *o) { put_shortstr(g, o, generate(g, 10) == 0 ? 255 : 1 + generate(g, 12)); }

void generate_longstr(generator *g, octets *o, uint32_t below) {
  uint32_t size = generate(g, below);
  octets_put_number(o, size, 4);
  put_letters(g, o, size);
}

/* ---- tables ---- */

static void generate_array(generator *g, octets *o, int depth);

static void generate_value(generator *g, octets *o, int depth) {
  static const char kinds[] = "tbBsuIilLfdDSxTVAF";
  char kind = kinds[generate(g, depth > 0 ? 18 : 16)];
  octets_put(o, &kind, 1);
  switch (kind) {
    case 't': octets_put_number(o, generate(g, 2), 1); break;
    case 'b': case 'B': octets_put_number(o, generate_number(g), 1); break;
    case 's': case 'u': octets_put_number(o, generate_number(g), 2); break;
    case 'I': case 'i': octets_put_number(o, generate_number(g), 4); break;
    case 'f': octets_put_number(o, 0x3F800000 + generate(g, 0x10000), 4); break;   /* no NaN: they equal nothing */
    case 'd': octets_put_number(o, UINT64_C(0x3FF0000000000000) + generate(g, 0x10000), 8); break;
    case 'l': case 'L': case 'T': octets_put_number(o, generate_number(g), 8); break;
    case 'D':
      octets_put_number(o, generate(g, 256), 1);
      octets_put_number(o, generate_number(g), 4);
      break;
    case 'S': case 'x': generate_longstr(g, o, 30); break;
    case 'A': generate_array(g, o, depth - 1); break;
    case 'F': generate_table(g, o, depth - 1); break;
    default: break;
  }
}

/* The length stands before what it measures. */
static size_t leave_room(octets *o) {
  octets_put_number(o, 0, 4);
  return o->size;
}

static void fill_room(octets *o, size_t begun) {
  size_t end = o->size;
  o->size = begun - 4;
  octets_put_number(o, end - begun, 4);
  o->size = end;
}

static void generate_array(generator *g, octets *o, int depth) {
  size_t begun = leave_room(o);
  uint32_t count = generate(g, 5);
  for (; count > 0; count--) generate_value(g, o, depth);
  fill_room(o, begun);
}

void generate_table(generator *g, octets *o, int depth) {
  size_t begun = leave_room(o);
  uint32_t count = generate(g, 6);
  for (; count > 0; count--) {
    put_key(g, o);
    generate_value(g, o, depth);
  }
  fill_room(o, begun);
}

/* ---- methods, properties, frames ---- */

void generate_arguments(generator *g, octets *o, const char *fields) {
  for (; *fields != 0; fields++) switch (*fields) {
      case 'o': octets_put_number(o, generate_number(g), 1); break;
      case 's': octets_put_number(o, generate_number(g), 2); break;
      case 'l': octets_put_number(o, generate_number(g), 4); break;
      case 'L': octets_put_number(o, generate_number(g), 8); break;
      case 'S': generate_shortstr(g, o); break;
      case 'X': generate_longstr(g, o, 300); break;
      case 'T': generate_table(g, o, 3); break;
      default: octets_put_number(o, generate(g, 1u << (*fields - '0')), 1); break;
    }
}

void generate_properties(generator *g, octets *o) {
  static const char fields[] = "SSTooSSSSLSSSS";   /* content type ... cluster id, from flag 15 down */
  uint32_t flags = generate(g, 1u << 14) << 2;
  unsigned i;
  octets_put_number(o, flags, 2);
  for (i = 0; i < 14; i++) {
    char field[2] = {fields[i], 0};
    if (flags >> (15 - i) & 1) generate_arguments(g, o, field);
  }
}

void octets_put_frame(octets *o, uint8_t type, uint16_t channel, const void *payload, size_t size) {
  octets_put_number(o, type, 1);
  octets_put_number(o, channel, 2);
  octets_put_number(o, size, 4);
  octets_put(o, payload, size);
  octets_put_number(o, 0xCE, 1);
}
