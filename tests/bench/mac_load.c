/* What bench_mac.py runs of ours. mac_load saturate STATIONS ATTEMPTS SEED: attempts, CPU seconds, throughput, collision probability.
 * mac_load storm STATIONS STORMS SEED: frames, CPU seconds, steps of MACs; one station broadcasts, all others answer. */
#include "apps/ether.h"
#include "apps/validate/saturate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int saturate(uint32_t n, uint64_t trials, uint64_t seed)
{
    struct app_saturate cfg = {.n = n, .payload = 1000, .cw = 15, .attempts = 7, .trials = trials, .seed = seed};
    struct app_saturated out;
    clock_t from = clock();
    if (app_saturate_mac(&cfg, &out) != 0)
        return 3;
    double cpu_s = (double)(clock() - from) / CLOCKS_PER_SEC;
    printf("%llu %.6f %.6f %.6f\n", (unsigned long long)(trials + trials / 20), cpu_s, out.s_mbps, out.p);
    return 0;
}

struct storm {
    struct app_ether *ether;
    uint64_t n_reported;
};

static void on_delivery(void *ctx, size_t station, const struct mac_delivery *delivery)
{
    static const uint8_t vote[100] = {'v'};
    struct storm *s = ctx;
    if (delivery->message[0] == 'p' && app_ether_send(s->ether, station, &mac_broadcast, MAC_CAT_VOTE, vote, sizeof vote, 0) != 0)
        exit(3);
}

static void on_report(void *ctx, size_t station, const struct mac_report *report)
{
    struct storm *s = ctx;
    (void)report;
    s->n_reported += station != 0;
}

static int storm(size_t n, uint64_t trials, uint64_t seed)
{
    static const uint8_t proposal[256] = {'p'};
    struct storm s = {0};
    struct app_ether_config cfg = {.n = n, .mac = app_ether_config_11a(), .ctx = &s, .on_delivery = on_delivery, .on_report = on_report};
    struct app_ether_stats stats;
    const char *why;
    cfg.mac.seed = seed;
    cfg.mac.max_peers = 1;
    cfg.mac.queue_bytes = 2048;
    cfg.mac.profile.cw_min[MAC_CAT_VOTE] = 1023;
    s.ether = app_ether_open(&cfg, &why);
    if (!s.ether)
        return 3;
    clock_t from = clock();
    for (uint64_t i = 0; i < trials; i++) {
        if (app_ether_send(s.ether, 0, &mac_broadcast, MAC_CAT_PROPOSAL, proposal, sizeof proposal, 0) != 0)
            return 3;
        while (s.n_reported < (n - 1) * (i + 1) && app_ether_run_instant(s.ether))
            continue;
        app_ether_run(s.ether, app_ether_now(s.ether) + 100000000);
    }
    double cpu_s = (double)(clock() - from) / CLOCKS_PER_SEC;
    app_ether_stats(s.ether, &stats);
    printf("%llu %.6f %llu\n", (unsigned long long)stats.n_frames, cpu_s, (unsigned long long)stats.n_steps);
    app_ether_close(s.ether);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 5 && strcmp(argv[1], "saturate") == 0)
        return saturate((uint32_t)strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    if (argc == 5 && strcmp(argv[1], "storm") == 0)
        return storm(strtoul(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), strtoull(argv[4], NULL, 10));
    fprintf(stderr, "usage: mac_load saturate|storm STATIONS ATTEMPTS|STORMS SEED\n");
    return 2;
}
