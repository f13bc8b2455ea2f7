/*
 * System calls that fail on command. A program that is linked with the shim stands in for the functions of the C library by
 * which the library under test calls the kernel, and for malloc and its kin: each call is counted, and the chosen one fails, or
 * moves less than it was asked to. Peers are other processes, where nothing is ever chosen.
 */
#ifndef SHIM_H
#define SHIM_H

#include <stddef.h>

typedef enum shim_call {
  SHIM_RECV,
  SHIM_SEND,
  SHIM_SENDMSG,
  SHIM_POLL,
  SHIM_CONNECT,
  SHIM_SOCKET,
  SHIM_SETSOCKOPT,
  SHIM_GETSOCKOPT,
  SHIM_ALLOCATION,
  SHIM_CALLS
} shim_call;

typedef struct shim_plan {
  shim_call call;
  long index;        /* the call of this kind that fails, from 0; negative: none */
  int error;         /* with this errno; 0 from a recv: the end of the stream */
  size_t most_in;    /* so many octets at most for each recv; 0: any */
  size_t most_out;   /* the same for send and sendmsg */
  long at_in;        /* the recv that would pass this octet of the stream stops there, and the one after it fails; negative: none */
  long at_out;       /* the same for sending */
} shim_plan;

extern const shim_plan shim_nothing;

void shim_begin(const shim_plan *plan);   /* counts anew */
void shim_end(void);                      /* all calls are as they are */
long shim_count(shim_call call);
long shim_octets_in(void);
long shim_octets_out(void);
long shim_live(void);                     /* allocations that were not freed yet, planned or not */
int shim_failed(void);                    /* whether what was planned has happened */

#endif
