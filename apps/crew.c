#include "apps/crew.h"

#include "apps/turns.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MAX_THREADS = 16, MANY = 128, NICER = 5 };

struct app_crew {
    size_t n_threads;
    pthread_t threads[MAX_THREADS];
    void (*task)(void *ctx, size_t i);
    void *ctx;
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t wake, all_done;
    /* under the lock; tasks are numbered as they are given */
    bool stop, told;
    size_t n_taken, n_done, n_begun, n_given; /* each at most the next, but for n_done: tasks are done in any order */
    bool done[APP_CREW_TASKS];
};

/* With the lock held. Once all is done or much of it, its owner is told. */
static void note_done(struct app_crew *c, size_t i)
{
    uint64_t one = 1;
    c->done[i] = true;
    c->n_done++;
    if (!c->told && (c->n_done == c->n_given || c->n_done - c->n_taken >= MANY))
        c->told = write(c->fd, &one, sizeof one) == (ssize_t)sizeof one;
    if (c->n_done == c->n_given)
        pthread_cond_signal(&c->all_done);
}

static void *serve(void *arg)
{
    struct app_crew *c = arg;
    int nice_now = getpriority(PRIO_PROCESS, 0);
    setpriority(PRIO_PROCESS, 0, nice_now + NICER); /* Linux: of this thread alone */
    app_turns_set(0);
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (c->n_begun == c->n_given) {
            pthread_cond_wait(&c->wake, &c->lock);
            continue;
        }
        size_t i = c->n_begun++ % APP_CREW_TASKS;
        pthread_mutex_unlock(&c->lock);
        c->task(c->ctx, i);
        pthread_mutex_lock(&c->lock);
        note_done(c, i);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct app_crew *app_crew_open(size_t n_threads, void (*task)(void *ctx, size_t i), void *ctx)
{
    struct app_crew *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->task = task;
    c->ctx = ctx;
    c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    pthread_cond_init(&c->all_done, NULL);
    sigset_t all, before; /* signals are the caller's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (c->fd >= 0 && c->n_threads < n_threads && c->n_threads < MAX_THREADS && pthread_create(&c->threads[c->n_threads], NULL, serve, c) == 0)
        c->n_threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (c->n_threads > 0)
        return c;
    app_crew_close(c);
    return NULL;
}

int app_crew_fd(const struct app_crew *c)
{
    return c->fd;
}

void app_crew_give(struct app_crew *c, size_t n)
{
    pthread_mutex_lock(&c->lock);
    c->n_given += n;
    pthread_mutex_unlock(&c->lock);
    if (n > 1)
        pthread_cond_broadcast(&c->wake);
    else
        pthread_cond_signal(&c->wake);
}

/* With the lock held */
static size_t take_done(struct app_crew *c)
{
    size_t n = 0;
    uint64_t count;
    while (c->n_taken + n < c->n_given && c->done[(c->n_taken + n) % APP_CREW_TASKS])
        n++;
    if (c->told)
        c->told = read(c->fd, &count, sizeof count) < 0;
    if (n < MANY && c->n_taken + n < c->n_given)
        return 0;
    for (size_t i = 0; i < n; i++)
        c->done[c->n_taken++ % APP_CREW_TASKS] = false;
    return n;
}

size_t app_crew_take(struct app_crew *c)
{
    pthread_mutex_lock(&c->lock);
    size_t n = take_done(c);
    pthread_mutex_unlock(&c->lock);
    return n;
}

size_t app_crew_finish(struct app_crew *c)
{
    pthread_mutex_lock(&c->lock);
    while (c->n_done < c->n_given)
        pthread_cond_wait(&c->all_done, &c->lock);
    size_t n = take_done(c);
    pthread_mutex_unlock(&c->lock);
    return n;
}

void app_crew_close(struct app_crew *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < c->n_threads; i++)
        pthread_join(c->threads[i], NULL);
    pthread_cond_destroy(&c->wake);
    pthread_cond_destroy(&c->all_done);
    pthread_mutex_destroy(&c->lock);
    if (c->fd >= 0)
        close(c->fd);
    free(c);
}
