/* What every load generator of bench ledger measures, and how it says it: operations a second and their times from hand-in to answer,
 * over a window that opens after a warm-up. One JSON object on stdout. */
#ifndef TESTS_BENCH_LEDGER_METER_H
#define TESTS_BENCH_LEDGER_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ledger_meter {
    int64_t open_ns, close_ns; /* the window, by ledger_meter_now */
    size_t n, cap, n_failed;
    uint32_t *us;
};

int64_t ledger_meter_now(void); /* monotonic ns */
/* 0 or -ENOMEM */
int ledger_meter_init(struct ledger_meter *m, double warm_s, double window_s);
/* An operation that was handed in at since_ns was answered now, well or not. */
void ledger_meter_count(struct ledger_meter *m, int64_t since_ns, int64_t now_ns, bool good);
static inline bool ledger_meter_done(const struct ledger_meter *m, int64_t now_ns)
{
    return now_ns >= m->close_ns;
}
/* Prints {"ops", "failed", "seconds", "ops_per_s", "p50_ms", "p99_ms"} and frees; the program's exit code: 1 when nothing was counted. */
int ledger_meter_finish(struct ledger_meter *m);
#endif
