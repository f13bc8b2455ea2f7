// What the process has of the background heartbeats: at most one thread, and the list of the connections that it keeps.
//
// Statics in C, because they must be there before anything runs and after everything has: in Sources/CRabbitMQ/process_keeper.c. Who
// uses them is Drivers/HeartbeatKeeper.swift.
#ifndef PULSE_PROCESS_KEEPER_H
#define PULSE_PROCESS_KEEPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct process_keeper {
  pthread_mutex_t lock;      // guards all of this, and the keeper's work on a connection
  pthread_cond_t changed;    // `wake` comes earlier, or there is nothing left to do
  void *first;               // connection
  void *next;                // the connection with which the round in progress goes on
  uint64_t wake;             // when the next round begins: monotonic nanoseconds
  uint32_t generation;       // of the process: what was in the list before a fork is not in the child's; never 0
  bool is_running;           // there is a thread, or it is being made
  bool is_over;              // the process is about to end
} process_keeper;

process_keeper *process_get_keeper(void);

// From now on a child of fork() begins with an empty list and without a thread. Once is enough, more do no harm.
void process_watch_fork(void);

// The keeper stops when the process begins to end, before OpenSSL, which must be in use already, frees what it needs. As above.
void process_watch_exit(void);

// What the program and its libraries take from the stack of each thread for their thread-local variables.
size_t process_thread_local_octets(void);

// What the keeper's thread does first.
void process_keeper_begin(void);

// Waits on `changed` until `wake`; the lock is released meanwhile.
void process_keeper_wait(void);

#endif
