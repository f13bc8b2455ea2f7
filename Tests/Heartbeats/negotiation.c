/* What client and server agree on at login: each row is a real login, seen from both ends. */
#include "client.h"

typedef struct offer {
  int client_channel_max, client_frame_max, client_heartbeat;
  int server_channel_max, server_frame_max, server_heartbeat;
  int channel_max, frame_max, heartbeat;   /* agreed */
} offer;

static void script(peer_link *link, void *argument) {
  const offer *o = argument;
  peer_handshake(link, (uint16_t)o->server_channel_max, (uint32_t)o->server_frame_max, (uint16_t)o->server_heartbeat);
  peer_serve(link, PEER_READ, 10000);
}

static void negotiate(const offer *o) {
  peer *p = peer_start(script, (void *)o);
  amqp_connection_state_t c = client_connect(p);
  int before = check_failures();
  amqp_rpc_reply_t reply;
  if (c == NULL) return;
  reply = amqp_login(c, "/", o->client_channel_max, o->client_frame_max, o->client_heartbeat, AMQP_SASL_METHOD_PLAIN,
                     "guest", "guest");
  CHECK_INT(client_reply_status(reply), 0);
  CHECK_INT(amqp_get_channel_max(c), o->channel_max);
  CHECK_INT(amqp_get_frame_max(c), o->frame_max);
  CHECK_INT(amqp_get_heartbeat(c), o->heartbeat);
  CHECK_INT(peer_seen(p)->channel_max, o->channel_max);
  CHECK_INT(peer_seen(p)->frame_max, o->frame_max);
  CHECK_INT(peer_seen(p)->heartbeat, o->heartbeat);
  if (check_failures() != before)
    check_int(0, 1, "this row", "see above", __FILE__, __LINE__);
  amqp_destroy_connection(c);
  peer_stop(p);
}

#define NEGOTIATE_ALL(rows)                                                       \
  do {                                                                            \
    unsigned i;                                                                   \
    for (i = 0; i < sizeof rows / sizeof *rows && check_failures() < 8; i++) negotiate(&rows[i]); \
  } while (0)

CASE(heartbeat) {
  static const offer rows[] = {
      {0, 131072, 0, 0, 131072, 0, 65535, 131072, 0},
      {0, 131072, 0, 0, 131072, 60, 65535, 131072, 0},        /* the client's 0 is a veto */
      {0, 131072, 60, 0, 131072, 0, 65535, 131072, 60},       /* the server's 0 leaves the client's */
      {0, 131072, 60, 0, 131072, 10, 65535, 131072, 10},      /* else the smaller */
      {0, 131072, 10, 0, 131072, 60, 65535, 131072, 10},
      {0, 131072, 60, 0, 131072, 60, 65535, 131072, 60},
      {0, 131072, 1, 0, 131072, 65535, 65535, 131072, 1},
      {0, 131072, 65535, 0, 131072, 65535, 65535, 131072, 65535},
      {0, 131072, 65535, 0, 131072, 1, 65535, 131072, 1},
  };
  NEGOTIATE_ALL(rows);
}

CASE(channel_max) {
  static const offer rows[] = {
      {0, 131072, 0, 0, 131072, 0, 65535, 131072, 0},         /* both without a limit: all there are */
      {0, 131072, 0, 2047, 131072, 0, 2047, 131072, 0},
      {100, 131072, 0, 0, 131072, 0, 100, 131072, 0},
      {100, 131072, 0, 2047, 131072, 0, 100, 131072, 0},
      {2047, 131072, 0, 100, 131072, 0, 100, 131072, 0},
      {1, 131072, 0, 1, 131072, 0, 1, 131072, 0},
      {65535, 131072, 0, 65535, 131072, 0, 65535, 131072, 0},
  };
  NEGOTIATE_ALL(rows);
}

CASE(frame_max) {
  static const offer rows[] = {
      {0, 131072, 0, 0, 131072, 0, 65535, 131072, 0},
      {0, 4096, 0, 0, 131072, 0, 65535, 4096, 0},
      {0, 131072, 0, 0, 4096, 0, 65535, 4096, 0},
      {0, 131072, 0, 0, 0, 0, 65535, 131072, 0},              /* the server has no limit */
      {0, 1000000, 0, 0, 500000, 0, 65535, 500000, 0},
  };
  NEGOTIATE_ALL(rows);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
