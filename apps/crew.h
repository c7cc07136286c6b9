/* Several threads for one task that falls into equal parts, such as verifying many signatures: crew_run returns when all parts are done, and
 * the caller works along. Idle threads sleep. */
#ifndef APPS_CREW_H
#define APPS_CREW_H

#include <stddef.h>

struct app_crew;

/* n_threads beside the caller, 0 to 15; fewer where the system gives no more. NULL: no memory. */
struct app_crew *app_crew_open(size_t n_threads);
/* Calls part(ctx, i) once for each i below n, in any order, from several threads. */
void app_crew_run(struct app_crew *crew, size_t n, void (*part)(void *ctx, size_t i), void *ctx);
void app_crew_close(struct app_crew *crew); /* NULL is fine */
#endif
