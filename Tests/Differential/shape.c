/* Shapes of shape.h: the letters of methods.inc say what a member is, layout.inc where it is. */
#include "shape.h"

#include <amqp_framing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../Golden/print.h"

typedef struct member {
  const char *type;
  size_t offset, size;
} member;

static const member members[] = {
#define SIZE(type, size)
#define VALUE(name, value)
#define FIELD(type, name, offset, size) {#type, offset, size},
#include "../ABI/layout.inc"
#include "../ABI/layout-later.inc"
#undef SIZE
#undef VALUE
#undef FIELD
};

/* The members of a struct stand together, in the order of the wire. */
static const member *members_of(const method_shape *shape) {
  char type[100];
  size_t i;
  snprintf(type, sizeof type, "amqp_%s_t", shape->name);
  for (i = 0; i < sizeof members / sizeof *members; i++)
    if (strcmp(members[i].type, type) == 0) return &members[i];
  fprintf(stderr, "no layout of %s\n", type);
  exit(1);
}

/* Called for each member; a digit stands for so many. */
typedef void (*visitor)(char kind, void *at, size_t size, void *context);

static void each(const method_shape *shape, void *decoded, visitor visit, void *context) {
  const member *m = members_of(shape);
  const char *field;
  for (field = shape->fields; *field != 0; field++) {
    int count = *field >= '0' && *field <= '9' ? *field - '0' : 1;
    for (; count > 0; count--, m++) visit(*field, (char *)decoded + m->offset, m->size, context);
  }
}

/* ---- filling ---- */

typedef struct filling {
  generator *g;
  amqp_pool_t *pool;
} filling;

static amqp_bytes_t copied(const uint8_t *bytes, size_t size, amqp_pool_t *pool) {
  amqp_bytes_t copy;
  copy.len = size;
  copy.bytes = size == 0 ? NULL : amqp_pool_alloc(pool, size);
  if (size > 0) memcpy(copy.bytes, bytes, size);
  return copy;
}

amqp_bytes_t shape_shortstr(generator *g, amqp_pool_t *pool) {
  static octets o;
  o.size = 0;
  generate_shortstr(g, &o);
  return copied(o.bytes + 1, o.size - 1, pool);
}

amqp_table_t shape_table(generator *g, amqp_pool_t *pool) {
  static octets o;
  amqp_table_t table = {0, NULL};
  size_t offset = 0;
  o.size = 0;
  generate_table(g, &o, 3);
  if (amqp_decode_table(copied(o.bytes, o.size, pool), pool, &table, &offset) != AMQP_STATUS_OK)
    printf("a table that was not decoded\n");
  return table;
}

amqp_basic_properties_t *shape_properties(generator *g, amqp_pool_t *pool) {
  static octets o;
  void *decoded = NULL;
  o.size = 0;
  generate_properties(g, &o);
  if (amqp_decode_properties(AMQP_BASIC_CLASS, pool, copied(o.bytes, o.size, pool), &decoded) != AMQP_STATUS_OK)
    printf("properties that were not decoded\n");
  return decoded;
}

static void fill(char kind, void *at, size_t size, void *context) {
  filling *f = context;
  uint64_t number = generate_number(f->g);
  amqp_bytes_t bytes;
  amqp_table_t table;
  static octets o;
  switch (kind) {
    case 'S':
      bytes = shape_shortstr(f->g, f->pool);
      memcpy(at, &bytes, sizeof bytes);
      break;
    case 'X':
      o.size = 0;
      generate_longstr(f->g, &o, 300);
      bytes = copied(o.bytes + 4, o.size - 4, f->pool);
      memcpy(at, &bytes, sizeof bytes);
      break;
    case 'T':
      table = shape_table(f->g, f->pool);
      memcpy(at, &table, sizeof table);
      break;
    default: memcpy(at, &number, size); break;   /* little-endian, as every machine of these tests */
  }
}

void shape_fill(const method_shape *shape, void *decoded, generator *g, amqp_pool_t *pool) {
  filling f;
  f.g = g;
  f.pool = pool;
  each(shape, decoded, fill, &f);
}

/* ---- printing ---- */

static void print(char kind, void *at, size_t size, void *context) {
  uint64_t number = 0;
  amqp_bytes_t bytes;
  amqp_table_t table;
  (void)context;
  switch (kind) {
    case 'S': case 'X':
      memcpy(&bytes, at, sizeof bytes);
      print_bytes("", bytes);
      break;
    case 'T':
      memcpy(&table, at, sizeof table);
      print_table("", &table);
      break;
    default:
      memcpy(&number, at, size);
      printf(" %llu", (unsigned long long)number);
      break;
  }
}

void shape_print(const method_shape *shape, const void *decoded) {
  if (decoded != NULL) each(shape, (void *)decoded, print, NULL);
}
