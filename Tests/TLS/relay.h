/*
 * TLS in front of a peer that speaks none: each connection to the relay is decrypted and led to a port of this machine, in
 * a process of its own, with small buffers, so that silence, pressure and ends pass through as they are.
 *
 * The certificates are those that Tests/TLS/certificates made in the directory that PULSE_TLS_CERTIFICATES names.
 */
#ifndef RELAY_H
#define RELAY_H

#include <stddef.h>

typedef struct relay_options {
  const char *certificate;      /* a NAME of Tests/TLS/certificates; NULL: "server" */
  int version;                  /* 12 or 13: only that; 10: only 1.0; 0: any */
  int asks_client;              /* 1: the client needs a certificate of the authority */
  int abrupt;                   /* 1: ends the stream without close_notify */
  int silent;                   /* 1: accepts connections and says nothing, not even hello */
  int bare;                     /* 1: closes the connection at once */
  const char *ciphers;          /* of TLS 1.2; NULL: the usual */
  int roomy;                    /* 1: the kernel's own buffer sizes, for bulk */
  int renews;                   /* 1: asks for new keys after each read (TLS 1.3) */
} relay_options;

typedef struct relay relay;

relay *relay_start(const relay_options *options, int port);   /* never NULL: exits on failure */
int relay_port(const relay *r);
void relay_stop(relay *r);

/* What the relay has seen of its latest connection. */
typedef struct relay_record {
  volatile int connections, handshakes, refusals;
  volatile int version;             /* 12 or 13 */
  volatile int close_notify;        /* the client said goodbye */
  volatile int deaf;
  volatile int records;             /* written by the client, application data only */
  char server_name[256], client_name[256];
} relay_record;
const relay_record *relay_seen(const relay *r);
void relay_set_deaf(relay *r, int deaf);   /* deaf: takes nothing of what the client sends */

const char *relay_file(const char *name);   /* the path of a file of the certificates' directory; good for eight calls */

#endif
