/* What the golden runs print with: every function writes to standard output, print_bytes and those before it within a line. */
#ifndef PRINT_H
#define PRINT_H

#include "client.h"

void print_octets(const void *bytes, size_t size);
void print_bytes(const char *name, amqp_bytes_t bytes);
void print_table(const char *name, const amqp_table_t *table);
void print_properties(const amqp_basic_properties_t *properties);
void print_method(uint32_t id, void *decoded);

void print_reply(const char *what, amqp_rpc_reply_t reply);
void print_result(const char *what, amqp_connection_state_t connection, const void *result);
void print_status(const char *what, int status);
int print_frame(const char *what, amqp_connection_state_t connection);   /* waits for one */
void print_received(peer *p);                                            /* every frame that the peer got */

amqp_table_t rich_table(void);   /* a table with every kind of field, to send and to encode */

#endif
