#include "tests/bench/ledger_meter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int64_t ledger_meter_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int ledger_meter_init(struct ledger_meter *m, double warm_s, double window_s)
{
    *m = (struct ledger_meter){.cap = 1 << 16};
    m->us = malloc(m->cap * sizeof *m->us);
    m->open_ns = ledger_meter_now() + (int64_t)(warm_s * 1e9);
    m->close_ns = m->open_ns + (int64_t)(window_s * 1e9);
    return m->us ? 0 : -ENOMEM;
}

void ledger_meter_count(struct ledger_meter *m, int64_t since_ns, int64_t now_ns, bool good)
{
    if (now_ns < m->open_ns || now_ns >= m->close_ns)
        return;
    if (!good) {
        m->n_failed++;
        return;
    }
    if (m->n == m->cap) {
        uint32_t *more = realloc(m->us, 2 * m->cap * sizeof *m->us);
        if (!more)
            return;
        m->us = more;
        m->cap *= 2;
    }
    m->us[m->n++] = (uint32_t)((now_ns - since_ns) / 1000);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

int ledger_meter_finish(struct ledger_meter *m)
{
    qsort(m->us, m->n, sizeof *m->us, compare);
    double seconds = (double)(m->close_ns - m->open_ns) * 1e-9;
    printf("{\"ops\": %zu, \"failed\": %zu, \"seconds\": %.3f, \"ops_per_s\": %.1f, \"p50_ms\": %.3f, \"p99_ms\": %.3f}\n", m->n, m->n_failed, seconds,
           (double)m->n / seconds, m->n ? m->us[m->n / 2] * 1e-3 : 0, m->n ? m->us[m->n * 99 / 100] * 1e-3 : 0);
    free(m->us);
    return m->n == 0;
}
