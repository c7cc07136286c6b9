/* How long a thread's turns on a processor are. */
#ifndef APPS_TURNS_H
#define APPS_TURNS_H

#include <stdint.h>

/* Of the calling thread, and of those that it starts from then on. On Linux since 6.12 a thread with short turns runs as soon as something
 * wakes it, before one that is in the middle of a longer turn, and gets no larger share for it; older kernels change nothing. From 100 us
 * to 100 ms; 0: as long as the system likes. */
void app_turns_set(uint64_t turn_ns);
#endif
