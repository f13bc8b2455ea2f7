/* The method structs by their shape: filled and printed through the offsets of Tests/ABI/layout.inc, without a line per method. */
#ifndef SHAPE_H
#define SHAPE_H

#include <amqp.h>

#include "generate.h"

/* Fills the struct, which is zeroed first, with generated values. What they point to lives in the pool. */
void shape_fill(const method_shape *shape, void *decoded, generator *g, amqp_pool_t *pool);
void shape_print(const method_shape *shape, const void *decoded);
/* The same for single values, for the arguments of calls. */
amqp_bytes_t shape_shortstr(generator *g, amqp_pool_t *pool);
amqp_table_t shape_table(generator *g, amqp_pool_t *pool);
amqp_basic_properties_t *shape_properties(generator *g, amqp_pool_t *pool);

#endif
