/*
 * What the targets share: the library under test and the reference behind one table of functions, and a verdict. The library under
 * test is linked in, instrumented; the reference is opened beside it, and only where it is installed.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <amqp.h>
#include <amqp_framing.h>
#include <stddef.h>
#include <stdint.h>

typedef struct library {
  int (*decode_method)(amqp_method_number_t, amqp_pool_t *, amqp_bytes_t, void **);
  int (*encode_method)(amqp_method_number_t, void *, amqp_bytes_t);
  int (*decode_properties)(uint16_t, amqp_pool_t *, amqp_bytes_t, void **);
  int (*encode_properties)(uint16_t, void *, amqp_bytes_t);
  int (*decode_table)(amqp_bytes_t, amqp_pool_t *, amqp_table_t *, size_t *);
  int (*encode_table)(amqp_bytes_t, amqp_table_t *, size_t *);
  int (*table_clone)(const amqp_table_t *, amqp_table_t *, amqp_pool_t *);
  int (*parse_url)(char *, struct amqp_connection_info *);
  const char *(*error_string2)(int);
  const char *(*constant_name)(int);
  amqp_boolean_t (*constant_is_hard_error)(int);
  const char *(*method_name)(amqp_method_number_t);
  amqp_boolean_t (*method_has_content)(amqp_method_number_t);
  amqp_connection_state_t (*new_connection)(void);
  int (*handle_input)(amqp_connection_state_t, amqp_bytes_t, amqp_frame_t *);
  int (*destroy_connection)(amqp_connection_state_t);
} library;

const library *ours(void);
const library *reference(void);   /* NULL where it is not installed */

/* Each ends the process with what was found when it does not hold: the fuzzer keeps the input. */
void require(int truth, const char *what);
void require_equal(long long ours, long long reference, const char *what);
void require_same_bytes(const void *first, size_t first_size, const void *second, size_t second_size, const char *what);

/* Methods and properties that the reference does not know or takes for something else: update-secret came later than it, and
 * property flags beyond the second word have no place in its struct, where it puts them nevertheless. */
int is_later_method(amqp_method_number_t id);
int has_third_word(amqp_bytes_t properties);

/* The input as a stream of choices: past its end all are 0. */
typedef struct input {
  const uint8_t *at, *end;
} input;

input input_of(const uint8_t *data, size_t size);
uint32_t take(input *from, unsigned octets);   /* at most 4, the first the most significant */
amqp_bytes_t rest(const input *from);

#endif
