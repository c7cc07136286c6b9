/* Checkpoints beside the turns. SQLite lets one connection move the log into the file while another appends; the log begins anew once all of it
 * was moved and no reader needs it. A reader that stays in one transaction is what keeps it from that. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "chain/store/store_internal.h"

enum { PAGE_OCTETS = 4096, TRY_EVERY_PAGES = 4096, RESTART_MS = 20 };

struct store_checkpointer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_mutex_t turn; /* held while a checkpoint runs: SQLite refuses a second one at once, without waiting */
    pthread_cond_t wake;
    bool wanted, stop;
    sqlite3 *db;
};

static void *run(void *arg)
{
    struct store_checkpointer *c = arg;
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        if (!c->wanted) {
            pthread_cond_wait(&c->wake, &c->lock);
            continue;
        }
        c->wanted = false;
        pthread_mutex_unlock(&c->lock);
        /* a failure shows where it matters: the next turn meets the same disk */
        pthread_mutex_lock(&c->turn);
        sqlite3_wal_checkpoint_v2(c->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        pthread_mutex_unlock(&c->turn);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

struct store_checkpointer *store_checkpointer_open(const char *path)
{
    struct store_checkpointer *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->turn, NULL);
    pthread_cond_init(&c->wake, NULL);
    /* FULL: what is in the file must be there before the log begins anew */
    bool ok = sqlite3_open_v2(path, &c->db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
              sqlite3_exec(c->db, "PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0", NULL, NULL, NULL) == SQLITE_OK &&
              pthread_create(&c->thread, NULL, run, c) == 0;
    if (ok)
        return c;
    sqlite3_close(c->db);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->turn);
    pthread_mutex_destroy(&c->lock);
    free(c);
    return NULL;
}

void store_checkpointer_wake(struct store_checkpointer *c)
{
    pthread_mutex_lock(&c->lock);
    c->wanted = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

void store_checkpointer_close(struct store_checkpointer *c)
{
    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    sqlite3_close(c->db);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->turn);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

uint64_t chain_store_log_octets(const struct chain_store *s, uint64_t *bound_out)
{
    *bound_out = s->policy.log_octets;
    return s->log_pages * PAGE_OCTETS;
}

int store_bound_log(struct chain_store *s, char *error_out)
{
    uint64_t octets = s->log_pages * PAGE_OCTETS, bound = s->policy.log_octets;
    if (octets < bound / 16)
        s->log_tried = 0;
    if (octets < bound / 16 || (octets < bound && s->log_pages < s->log_tried + TRY_EVERY_PAGES))
        return 0;
    s->log_tried = s->log_pages;
    sqlite3_busy_timeout(s->db, octets < bound ? RESTART_MS : 2000);
    if (s->checkpointer)
        pthread_mutex_lock(&s->checkpointer->turn);
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
    if (s->checkpointer)
        pthread_mutex_unlock(&s->checkpointer->turn);
    sqlite3_busy_timeout(s->db, 2000);
    if (rc == SQLITE_OK)
        s->log_pages = s->log_tried = 0;
    if (rc == SQLITE_OK || octets < bound)
        return 0;
    snprintf(error_out, CHAIN_STORE_MAX_ERROR,
             "%.180s: its write-ahead log reached %llu MiB, since a reader stays in one transaction; nothing is written any more", s->path,
             (unsigned long long)(octets >> 20));
    return -EBUSY;
}
