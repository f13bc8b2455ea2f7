/*
 * The scripted peer of peer.h.
 *
 * Theory of operation: peer_start binds and listens, maps a record that both processes share, and forks. The child accepts and runs
 * the script; everything that a script does by the clock is one function, `serve` in peer_loop.c, a poll loop that reads, answers
 * and beats according to flags until a deadline, an end of stream, a permit or an awaited method. Input is one growing buffer of
 * whole frames; a frame that is parsed is recorded and, if it is a method, copied to `current`, which peer_answer and scripts
 * look at. What the peer says is in peer_speech.c. This file is the test's side.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "peer_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


struct peer {
  pid_t pid;
  int port, ended, exit_status;
  peer_record *record;
};

void peer_fail(const char *what) {
  fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
  _exit(90);
}

void *peer_claim(void *old, size_t size) {
  void *memory = realloc(old, size);
  if (memory == NULL) peer_fail("memory");
  return memory;
}

int64_t peer_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * SECOND + t.tv_nsec;
}

void peer_sleep(int milliseconds) {
  int64_t until = peer_now() + milliseconds * MILLISECOND, left;
  while ((left = until - peer_now()) > 0) {
    struct timespec t = {left / SECOND, left % SECOND};
    nanosleep(&t, NULL);
  }
}

/* ---- the test's side ---- */

peer *peer_start(peer_script script, void *argument) {
  struct sockaddr_in address;
  socklen_t size = sizeof address;
  pid_t parent = getpid();
  peer *p = calloc(1, sizeof *p);
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (p == NULL || listener < 0) peer_fail("socket");
  memset(&address, 0, sizeof address);
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 16) != 0 ||
      getsockname(listener, (struct sockaddr *)&address, &size) != 0)
    peer_fail("listen");
  p->port = ntohs(address.sin_port);
  p->record = mmap(NULL, sizeof *p->record, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p->record == MAP_FAILED) peer_fail("mmap");
  fflush(NULL);
  p->pid = fork();
  if (p->pid < 0) peer_fail("fork");
  if (p->pid == 0) {
    peer_link link;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(91);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, SIG_DFL);
    alarm(PEER_LIFETIME_SECONDS);
    memset(&link, 0, sizeof link);
    link.listener = listener;
    link.fd = -1;
    link.recording = 1;
    link.record = p->record;
    link.missing = calloc(CHANNELS, sizeof *link.missing);
    link.published = calloc(CHANNELS, sizeof *link.published);
    if (link.missing == NULL || link.published == NULL) peer_fail("memory");
    if (peer_accept(&link, PEER_LIFETIME_SECONDS * 1000)) script(&link, argument);
    _exit(0);
  }
  close(listener);
  return p;
}

int peer_port(const peer *p) { return p->port; }
const peer_record *peer_seen(const peer *p) { return p->record; }
void peer_go(peer *p) { __sync_fetch_and_add(&p->record->permits, 1); }
void peer_pause(peer *p) { kill(p->pid, SIGSTOP); }
void peer_resume(peer *p) { kill(p->pid, SIGCONT); }

int peer_wait(peer *p, int stage, int milliseconds) {
  int64_t until = peer_now() + milliseconds * MILLISECOND;
  while (p->record->stage < stage) {
    if (peer_now() >= until) return 0;
    peer_sleep(2);
  }
  __sync_synchronize();
  return 1;
}

int peer_join(peer *p, int milliseconds) {
  int64_t until = peer_now() + milliseconds * MILLISECOND;
  while (!p->ended) {
    if (waitpid(p->pid, &p->exit_status, WNOHANG) == p->pid)
      p->ended = 1;
    else if (peer_now() >= until)
      return 0;
    else
      peer_sleep(2);
  }
  return WIFEXITED(p->exit_status) && WEXITSTATUS(p->exit_status) == 0;
}

void peer_stop(peer *p) {
  if (p == NULL) return;
  if (!p->ended) {
    kill(p->pid, SIGKILL);
    waitpid(p->pid, &p->exit_status, 0);
  }
  munmap(p->record, sizeof *p->record);
  free(p);
}

const peer_frame *peer_find(const peer *p, uint32_t method, unsigned n) {
  uint32_t i, count = p->record->frame_count;
  for (i = 0; i < count; i++) {
    const peer_frame *frame = &p->record->frames[i];
    if (frame->type == PEER_FRAME_METHOD && frame->id == method && n-- == 0) return frame;
  }
  return NULL;
}

unsigned peer_count(const peer *p, uint32_t method) {
  unsigned n = 0;
  while (peer_find(p, method, n) != NULL) n++;
  return n;
}
