// The list of the event loops in use, which connections of different threads may ask for at once. Swift would make the
// global at its first use, and a lock that has to be made is none.

#include <pthread.h>
#include <stddef.h>

// As HubList in Drivers/EventHub.swift.
static struct {
  pthread_mutex_t turn;
  void *first;
} hubs = {PTHREAD_MUTEX_INITIALIZER, NULL};

void *pulse_hubs(void);
void *pulse_hubs(void) { return &hubs; }
