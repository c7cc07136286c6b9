/* Threads that work off a row of small tasks in order, such as verifying signatures, while their owner does something else. They give way to
 * the system's other threads: what is under way is finished before more is begun. Idle threads sleep. */
#ifndef APPS_CREW_H
#define APPS_CREW_H

#include <stddef.h>

enum { APP_CREW_TASKS = 1024 }; /* that may wait, a power of two */

struct app_crew;

/* 1 to 16 threads; fewer where the system gives no more. Each task is one call of task(ctx, i), from any of them; i counts the tasks, modulo
 * APP_CREW_TASKS. NULL: no memory, no descriptor or no thread. */
struct app_crew *app_crew_open(size_t n_threads, void (*task)(void *ctx, size_t i), void *ctx);
/* Readable when app_crew_take would find some. */
int app_crew_fd(const struct app_crew *crew);
/* n more tasks; given and not taken back are APP_CREW_TASKS at most. */
void app_crew_give(struct app_crew *crew, size_t n);
/* How many of the oldest tasks were done and are taken back now: all that were given, or a good number of them, or none yet. */
size_t app_crew_take(struct app_crew *crew);
/* Waits until all are done, and takes them back. */
size_t app_crew_finish(struct app_crew *crew);
void app_crew_close(struct app_crew *crew); /* NULL is fine; what has not begun is not done */
#endif
