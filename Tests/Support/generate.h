/*
 * Generated AMQP: values that follow from a seed, as the bytes that the specification says they are. Nothing here calls the
 * library under test, so what it decodes was encoded by somebody else.
 */
#ifndef GENERATE_H
#define GENERATE_H

#include <stddef.h>
#include <stdint.h>

typedef struct generator {
  uint64_t state;
} generator;

/* What does not fit is left out, and `size` never exceeds `sizeof bytes`. */
typedef struct octets {
  size_t size;
  uint8_t bytes[65536];
} octets;

typedef struct method_shape {
  uint32_t id;          /* class << 16 | method */
  const char *name;
  const char *fields;   /* see methods.inc */
} method_shape;

extern const method_shape method_shapes[];
extern const size_t method_shape_count;

generator generate_from(uint64_t seed);
uint32_t generate(generator *g, uint32_t below);   /* 0 ... below - 1; 0 for 0 */
uint64_t generate_number(generator *g);            /* small, large and the edges in between, alike often */

void octets_put(octets *o, const void *bytes, size_t size);
void octets_put_number(octets *o, uint64_t value, unsigned size);   /* network order */

void generate_shortstr(generator *g, octets *o);
void generate_longstr(generator *g, octets *o, uint32_t below);
void generate_table(generator *g, octets *o, int depth);            /* with its length; tables and arrays in it up to `depth` */
void generate_arguments(generator *g, octets *o, const char *fields);
void generate_properties(generator *g, octets *o);                  /* class basic: flags and list */
/* A whole frame around a payload. */
void octets_put_frame(octets *o, uint8_t type, uint16_t channel, const void *payload, size_t size);

#endif
