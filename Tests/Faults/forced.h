/* What stands between the sessions of forced.c and their peers, where something does. */
#ifndef FORCED_H
#define FORCED_H

void before_session(int port);   /* of the peer */
void after_session(void);
#pragma weak before_session
#pragma weak after_session

#endif
