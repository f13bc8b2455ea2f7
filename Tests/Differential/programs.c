/*
 * programs SEED COUNT: that many random programs of API calls against the scripted peer, one after another, everything that they see
 * and everything that the peer received printed. Run on the reference and on this library, the outputs are the same: what differs
 * by right (docs/PARITY.md) is what these programs do not do.
 *
 * The peer speaks only when asked. A basic.get is where it does something unforeseen: the seed says what, and it says it in one
 * write, before or as its answer, so that nothing depends on time. After each get the program takes all there is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../Golden/print.h"
#include "shape.h"

enum { FRAME_MAX = 4096, CHANNELS = 3 };

/* ---- the peer ---- */

static void say_message(peer_link *link, generator *g, uint16_t channel, uint32_t method) {
  static octets o;
  static char body[3 * FRAME_MAX];
  static const uint32_t sizes[] = {0, 1, 100, FRAME_MAX - 8, FRAME_MAX - 7, sizeof body};
  uint32_t size = sizes[generate(g, 6)];
  const char *fields = method == AMQP_BASIC_DELIVER_METHOD ? "SL1SS" : method == AMQP_BASIC_RETURN_METHOD ? "sSSS" : "L1SSl";
  o.size = 0;
  generate_arguments(g, &o, fields);
  peer_send_method(link, channel, method, o.bytes, o.size);
  o.size = 0;
  generate_properties(g, &o);
  if (o.size < 3000) peer_send_header(link, channel, size, o.bytes, o.size);
  else peer_send_header(link, channel, size, NULL, 0);
  memset(body, 'a' + (int)generate(g, 26), sizeof body);
  peer_send_body(link, channel, body, size);
}

static void answer_get(peer_link *link, generator *g) {
  uint16_t channel = peer_channel(link);
  uint32_t count = generate(g, 4);
  peer_cork(link);
  switch (generate(g, 6)) {
    case 0: say_message(link, g, channel, AMQP_BASIC_GET_OK_METHOD); break;
    case 1: peer_send_channel_close(link, channel, 404, "NOT_FOUND - no such queue"); break;
    case 2:
      for (; count > 0; count--) say_message(link, g, (uint16_t)(1 + generate(g, CHANNELS)), AMQP_BASIC_DELIVER_METHOD);
      peer_answer(link);
      break;
    case 3:
      for (; count > 0; count--) peer_send_ack(link, channel, generate_number(g), (int)generate(g, 2));
      say_message(link, g, channel, AMQP_BASIC_RETURN_METHOD);
      peer_answer(link);
      break;
    default: peer_answer(link); break;
  }
  peer_uncork(link);
}

/* Not below the channels that the programs use: none has a channel beyond the limit (row 19). */
static int channel_max(generator *g) { return generate(g, 4) == 0 ? 0 : CHANNELS + (int)generate(g, 3000); }

static void script(peer_link *link, void *seed) {
  generator g = generate_from(*(uint64_t *)seed);
  if (!peer_handshake(link, (uint16_t)channel_max(&g), FRAME_MAX + generate(&g, 2) * 1000, 0)) return;
  while (peer_serve_until(link, AMQP_BASIC_GET_METHOD, 20000)) answer_get(link, &g);
}

/* ---- the programs ---- */

typedef struct program {
  amqp_connection_state_t c;
  generator g;
  amqp_pool_t pool;
} program;

static amqp_bytes_t name(program *p) { return shape_shortstr(&p->g, &p->pool); }
static int truth(program *p) { return generate(&p->g, 8) == 0 ? (int)generate_number(&p->g) : (int)generate(&p->g, 2); }

static void publish(program *p, amqp_channel_t channel) {
  static char body[4 * FRAME_MAX];
  amqp_basic_properties_t *properties = generate(&p->g, 3) == 0 ? NULL : shape_properties(&p->g, &p->pool);
  amqp_bytes_t bytes, exchange = name(p), key = name(p);
  uint32_t frames = generate(&p->g, 4), more = generate(&p->g, 3);
  bytes.len = frames == 0 ? generate(&p->g, 200) : frames * (FRAME_MAX - 8) + more - 1;
  bytes.bytes = body;
  memset(body, 'A' + (int)generate(&p->g, 26), sizeof body);
  print_status("publish", amqp_basic_publish(p->c, channel, exchange, key, truth(p), truth(p), properties, bytes));
}

static void print_envelope(program *p) {
  struct timeval at_once = {0, 0};
  amqp_envelope_t envelope;
  amqp_rpc_reply_t reply = amqp_consume_message(p->c, &envelope, &at_once, 0);
  print_reply("consume", reply);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) return;
  printf(" channel=%d tag=%llu redelivered=%d", envelope.channel, (unsigned long long)envelope.delivery_tag, envelope.redelivered);
  print_bytes("consumer", envelope.consumer_tag);
  print_bytes("exchange", envelope.exchange);
  print_bytes("key", envelope.routing_key);
  print_properties(&envelope.message.properties);
  print_bytes("body", envelope.message.body);
  printf("\n");
  amqp_destroy_envelope(&envelope);
}

static void print_message(program *p, amqp_channel_t channel) {
  amqp_message_t message;
  amqp_rpc_reply_t reply = amqp_read_message(p->c, channel, &message, 0);
  print_reply("read", reply);
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) return;
  print_properties(&message.properties);
  print_bytes("body", message.body);
  printf("\n");
  amqp_destroy_message(&message);
}

/* All that is there: messages by consume as long as deliveries come first, the rest frame by frame. */
static void drain(program *p) {
  int is_by_frames = generate(&p->g, 2) == 0;
  while (amqp_frames_enqueued(p->c) || amqp_data_in_buffer(p->c)) {
    if (!is_by_frames) {
      print_envelope(p);
      is_by_frames = generate(&p->g, 4) == 0;
    } else if (print_frame("frame", p->c) != AMQP_STATUS_OK) {
      break;
    }
    if (is_by_frames == 0 && !amqp_frames_enqueued(p->c) && !amqp_data_in_buffer(p->c)) break;
    is_by_frames = 1;
  }
  printf("release %d\n", amqp_release_buffers_ok(p->c));
}

static void get(program *p, amqp_channel_t channel) {
  amqp_rpc_reply_t reply = amqp_basic_get(p->c, channel, name(p), truth(p));
  amqp_channel_close_ok_t close_ok = {0};
  print_reply("get", reply);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL && reply.reply.id == AMQP_BASIC_GET_OK_METHOD) print_message(p, channel);
  if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION) {
    print_status("close-ok", amqp_send_method(p->c, channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &close_ok));
    print_result("open", p->c, amqp_channel_open(p->c, channel));
  }
  drain(p);
}

/* A method that the peer has no answer to, filled at random. */
static void send_method(program *p, amqp_channel_t channel) {
  static const uint32_t ids[] = {AMQP_BASIC_ACK_METHOD,      AMQP_BASIC_REJECT_METHOD,        AMQP_BASIC_NACK_METHOD,
                                 AMQP_CHANNEL_FLOW_OK_METHOD, AMQP_BASIC_RECOVER_ASYNC_METHOD, AMQP_CONNECTION_SECURE_OK_METHOD,
                                 AMQP_QUEUE_DECLARE_OK_METHOD, AMQP_BASIC_DELIVER_METHOD,      AMQP_CONNECTION_BLOCKED_METHOD};
  uint64_t decoded[64];
  uint32_t id = ids[generate(&p->g, sizeof ids / sizeof *ids)];
  size_t i;
  for (i = 0; method_shapes[i].id != id; i++) continue;
  memset(decoded, 0, sizeof decoded);
  shape_fill(&method_shapes[i], decoded, &p->g, &p->pool);
  printf("%s ", method_shapes[i].name);
  print_status("sent", amqp_send_method(p->c, channel, id, decoded));
}

static void ask_for_queues(program *p, amqp_channel_t channel) {
  amqp_connection_state_t c = p->c;
  amqp_bytes_t one = name(p), other = name(p), key = name(p);
  amqp_table_t table = shape_table(&p->g, &p->pool);
  int a = truth(p), b = truth(p), d = truth(p), e = truth(p);
  switch (generate(&p->g, 9)) {
    case 0: print_result("queue.declare", c, amqp_queue_declare(c, channel, one, a, b, d, e, table)); break;
    case 1: print_result("queue.bind", c, amqp_queue_bind(c, channel, one, other, key, table)); break;
    case 2: print_result("queue.unbind", c, amqp_queue_unbind(c, channel, one, other, key, table)); break;
    case 3: print_result("queue.purge", c, amqp_queue_purge(c, channel, one)); break;
    case 4: print_result("queue.delete", c, amqp_queue_delete(c, channel, one, a, b)); break;
    case 5: print_result("exchange.declare", c, amqp_exchange_declare(c, channel, one, other, a, b, d, e, table)); break;
    case 6: print_result("exchange.delete", c, amqp_exchange_delete(c, channel, one, a)); break;
    case 7: print_result("exchange.bind", c, amqp_exchange_bind(c, channel, one, other, key, table)); break;
    default: print_result("exchange.unbind", c, amqp_exchange_unbind(c, channel, one, other, key, table)); break;
  }
}

static void ask_for_the_rest(program *p, amqp_channel_t channel) {
  amqp_connection_state_t c = p->c;
  uint64_t number = generate_number(&p->g);
  amqp_bytes_t one = name(p), other = name(p);
  int a = truth(p), b = truth(p), d = truth(p);
  switch (generate(&p->g, 8)) {
    case 0: print_result("qos", c, amqp_basic_qos(c, channel, (uint32_t)number, (uint16_t)number, a)); break;
    case 1: print_result("consume", c, amqp_basic_consume(c, channel, one, other, a, b, d, shape_table(&p->g, &p->pool))); break;
    case 2: print_result("cancel", c, amqp_basic_cancel(c, channel, one)); break;
    case 3: print_result("recover", c, amqp_basic_recover(c, channel, a)); break;
    case 4: print_result("tx.select", c, amqp_tx_select(c, channel)); break;
    case 5: print_result("tx.commit", c, amqp_tx_commit(c, channel)); break;
    case 6: print_result("flow", c, amqp_channel_flow(c, channel, a)); break;
    default: print_result("confirm.select", c, amqp_confirm_select(c, channel)); break;
  }
}

static void settle(program *p, amqp_channel_t channel) {
  uint64_t tag = generate_number(&p->g);
  switch (generate(&p->g, 3)) {
    case 0: print_status("ack", amqp_basic_ack(p->c, channel, tag, truth(p))); break;
    case 1: print_status("nack", amqp_basic_nack(p->c, channel, tag, truth(p), truth(p))); break;
    default: print_status("reject", amqp_basic_reject(p->c, channel, tag, truth(p))); break;
  }
}

static void step(program *p) {
  amqp_channel_t channel = (amqp_channel_t)(1 + generate(&p->g, CHANNELS));
  switch (generate(&p->g, 10)) {
    case 0: case 1: publish(p, channel); break;
    case 2: case 3: get(p, channel); break;
    case 4: settle(p, channel); break;
    case 5: send_method(p, channel); break;
    case 6: ask_for_the_rest(p, channel); break;
    case 7:
      print_reply("close", amqp_channel_close(p->c, channel, (int)generate(&p->g, 1000)));
      print_result("open", p->c, amqp_channel_open(p->c, channel));
      break;
    case 8:
      amqp_maybe_release_buffers_on_channel(p->c, channel);
      amqp_maybe_release_buffers(p->c);
      break;
    default: ask_for_queues(p, channel); break;
  }
}

static void run(uint64_t seed) {
  peer *broker = peer_start(script, &seed);
  program p;
  amqp_bytes_t user, secret;
  char user_text[300], secret_text[300];
  uint32_t steps;
  int channel;
  printf("\n== program %llu\n", (unsigned long long)seed);
  p.c = client_connect(broker);
  if (p.c == NULL) exit(1);
  p.g = generate_from(~seed);
  init_amqp_pool(&p.pool, 4096);
  user = name(&p);
  secret = name(&p);
  snprintf(user_text, sizeof user_text, "%.*s", (int)user.len, (char *)user.bytes);
  snprintf(secret_text, sizeof secret_text, "%.*s", (int)secret.len, (char *)secret.bytes);
  print_reply("login",
              amqp_login(p.c, "/", channel_max(&p.g), FRAME_MAX, 0, AMQP_SASL_METHOD_PLAIN, user_text, secret_text));
  printf("channel_max %d frame_max %d\n", amqp_get_channel_max(p.c), amqp_get_frame_max(p.c));
  for (channel = 1; channel <= CHANNELS; channel++) print_result("open", p.c, amqp_channel_open(p.c, (amqp_channel_t)channel));
  for (steps = 10 + generate(&p.g, 40); steps > 0; steps--) step(&p);
  print_reply("close", amqp_connection_close(p.c, 200));
  print_received(broker);
  print_status("destroy", amqp_destroy_connection(p.c));
  empty_amqp_pool(&p.pool);
  peer_stop(broker);
}

int main(int argc, char **argv) {
  uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 1, count = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  check_loaded_library();
  for (; count > 0; count--, seed++) run(seed);
  return 0;
}
