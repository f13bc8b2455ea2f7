// The memory functions of the C standard library, and nothing else of it: what the layers below the transport may use.
#ifndef PULSE_CMEMORY_H
#define PULSE_CMEMORY_H

#include <stdlib.h>
#include <string.h>

#endif
