#include "apps/crew.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

enum { MAX_THREADS = 15 };

struct app_crew {
    size_t n_threads;
    pthread_t threads[MAX_THREADS];
    pthread_mutex_t lock;
    pthread_cond_t wake, done;
    /* under the lock: */
    bool stop;
    uint64_t round;    /* rises with each task */
    size_t n_at_work;  /* threads that have not finished with this round */
    /* of the round, set before it begins: */
    size_t n;
    void (*part)(void *ctx, size_t i);
    void *ctx;
    atomic_size_t next;
};

static void work(struct app_crew *c)
{
    for (size_t i; (i = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed)) < c->n;)
        c->part(c->ctx, i);
}

static void *serve(void *arg)
{
    struct app_crew *c = arg;
    uint64_t seen = 0;
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (c->round == seen) {
            pthread_cond_wait(&c->wake, &c->lock);
            continue;
        }
        seen = c->round;
        pthread_mutex_unlock(&c->lock);
        work(c);
        pthread_mutex_lock(&c->lock);
        if (--c->n_at_work == 0)
            pthread_cond_signal(&c->done);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct app_crew *app_crew_open(size_t n_threads)
{
    struct app_crew *c = calloc(1, sizeof *c);
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->wake, NULL);
    pthread_cond_init(&c->done, NULL);
    sigset_t all, before; /* signals are the caller's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (c->n_threads < n_threads && c->n_threads < MAX_THREADS && pthread_create(&c->threads[c->n_threads], NULL, serve, c) == 0)
        c->n_threads++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return c;
}

void app_crew_run(struct app_crew *c, size_t n, void (*part)(void *ctx, size_t i), void *ctx)
{
    if (c->n_threads == 0 || n < 2) {
        for (size_t i = 0; i < n; i++)
            part(ctx, i);
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->n = n;
    c->part = part;
    c->ctx = ctx;
    atomic_store_explicit(&c->next, 0, memory_order_relaxed);
    c->n_at_work = c->n_threads;
    c->round++;
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    work(c);
    pthread_mutex_lock(&c->lock);
    while (c->n_at_work > 0)
        pthread_cond_wait(&c->done, &c->lock);
    pthread_mutex_unlock(&c->lock);
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
    pthread_cond_destroy(&c->done);
    pthread_mutex_destroy(&c->lock);
    free(c);
}
