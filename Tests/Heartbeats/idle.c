/* What a publish after idle finds: a connection that the broker has closed meanwhile, or one that is fine. */
#include <string.h>

#include "client.h"

#define H 2

typedef struct goodbye {
  int heartbeat, with_method;
} goodbye;

static void close_while_idle(peer_link *link, void *argument) {
  const goodbye *how = argument;
  if (!peer_handshake(link, 0, 131072, (uint16_t)how->heartbeat)) return;
  if (!peer_serve_until(link, AMQP_CHANNEL_OPEN_METHOD, 10000)) return;
  peer_answer(link);
  if (how->with_method) peer_send_connection_close(link, 320, "CONNECTION_FORCED");
  peer_half_close(link);   /* the socket itself stays, so that a publish does not learn it from a reset */
  peer_reached(link, 1);
  peer_serve(link, PEER_READ, 20000);
}

static void publish_after_idle(int heartbeat, int with_method) {
  goodbye how = {heartbeat, with_method};
  peer *p = peer_start(close_while_idle, &how);
  amqp_connection_state_t c = client_open(p, heartbeat);
  amqp_frame_t frame;
  if (c == NULL) return;
  CHECK(peer_wait(p, 1, 5000));
  peer_sleep(1300);
  CHECK_STATUS(client_publish(c, 1, "lost"), AMQP_STATUS_CONNECTION_CLOSED);
  peer_sleep(50);
  CHECK_INT(peer_seen(p)->publishes, 0);
  if (with_method && CHECK_STATUS(amqp_simple_wait_frame_noblock(c, &frame, client_seconds(1)), AMQP_STATUS_OK))
    CHECK_INT(frame.payload.method.id, AMQP_CONNECTION_CLOSE_METHOD);
  CHECK_STATUS(client_publish(c, 1, "lost"), AMQP_STATUS_CONNECTION_CLOSED);
  amqp_destroy_connection(c);
  peer_stop(p);
}

CASE(publish_after_idle_sees_the_end_of_file) { publish_after_idle(H, 0); }
CASE(publish_after_idle_sees_the_end_of_file_without_heartbeats) { publish_after_idle(0, 0); }
CASE(publish_after_idle_sees_connection_close) { publish_after_idle(H, 1); }
CASE(publish_after_idle_sees_connection_close_without_heartbeats) { publish_after_idle(0, 1); }

static void living(peer_link *link, void *unused) {
  (void)unused;
  if (peer_handshake(link, 0, 131072, 0)) peer_serve(link, PEER_LIVE, 30000);
}

CASE(publish_after_idle_on_a_living_connection_is_sent) {
  peer *p = peer_start(living, NULL);
  amqp_connection_state_t c = client_open(p, 0);
  if (c == NULL) return;
  peer_sleep(1300);
  CHECK_STATUS(client_publish(c, 1, "fine"), AMQP_STATUS_OK);
  peer_sleep(100);
  CHECK_INT(peer_seen(p)->publishes, 1);
  amqp_destroy_connection(c);
  peer_stop(p);
}

int main(int argc, char **argv) { return check_main(argc, argv); }
