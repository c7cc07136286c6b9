#include "apps/live/init.h"

#include "apps/live/config.h"
#include "apps/node_init.h"

#include <stdio.h>
#include <string.h>

enum { TYPICAL_FRAME_BYTES = 400, AVERAGE_SLOTS = 8 };

/* Timers follow from how long it takes to get a frame out. */
struct plan {
    const struct app_live_init *init;
    int64_t turnaround_ns, access_ns, round_ns, skew_ns;
};

static int64_t at_least(int64_t ns, int64_t least_ns)
{
    return ns > least_ns ? ns : least_ns;
}

static struct plan make_plan(const struct app_live_init *init)
{
    const struct phy_waveform *waveform = phy_waveform_find(init->waveform);
    uint32_t rate_hz = init->sample_rate_hz;
    int64_t air_ns = (int64_t)((2 * (uint64_t)init->block_samples + APP_LIVE_DECODE_SAMPLES) * 1000000000u / rate_hz);
    struct plan p = {.init = init, .turnaround_ns = init->turnaround_ns ? init->turnaround_ns : (air_ns + 9999) / 10000 * 10000};
    int64_t slot_ns = p.turnaround_ns + 100000;
    int64_t frame_ns = waveform ? (int64_t)(waveform->frame_samples(TYPICAL_FRAME_BYTES, 0) * 1000000000u / rate_hz) : 1000000;
    p.access_ns = p.turnaround_ns + (2 + AVERAGE_SLOTS) * slot_ns + frame_ns;
    p.round_ns = init->n_members * p.access_ns;
    p.skew_ns = init->radio ? 50000000 : 1000000; /* NTP, or one air's clock */
    return p;
}

/* As a duration in whole milliseconds. */
static long long ms(int64_t ns)
{
    return (long long)((ns + 999999) / 1000000);
}

static void put_rules(FILE *file, const void *ctx)
{
    const struct plan *p = ctx;
    int64_t quiet_ns = 2 * p->skew_ns + at_least(2 * p->turnaround_ns, 10000000);
    int64_t heartbeat_ns = at_least(2 * p->round_ns, 50000000);
    int64_t period_ns = at_least(8 * p->round_ns, 250000000);
    period_ns = at_least(period_ns, 5 * quiet_ns);
    fprintf(file,
            "channels: # the one that the radios are tuned to; a radio's sample rate has to fit in\n"
            "  - {low: 5180M, high: 5190M, control: true}\n"
            "# In quiet windows all keep silent and sense. Whatever is heard then is somebody with an older right.\n"
            "quiet: {period: %lldms, length: %lldms}\n"
            "sensing: {p_fa: 0.0001, min_positive: %u, white_after: 3, decide_after: %lldms}\n"
            "lease: {transmit_expire: 240s, heartbeat: 60s, stop: 60s, grant: 1h}\n"
            "# A frame needs about %lld ms to get out, one from each member %lld ms.\n"
            "timing: {heartbeat: %lldms, timeout: %lldms, timeout_max: %lldms, gossip: %lldms, status: %lldms,\n"
            "  propose_delay: %lldms, min_block_interval: %lldms, max_skew: %lldms}\n",
            ms(period_ns), ms(quiet_ns), (unsigned)(p->init->n_members + 1) / 2, ms(period_ns / 2), ms(p->access_ns), ms(p->round_ns),
            ms(heartbeat_ns), ms(6 * heartbeat_ns), ms(60 * heartbeat_ns), ms(3 * heartbeat_ns), ms(5 * heartbeat_ns),
            ms(at_least(p->access_ns / 2, 1000000)), ms(at_least(p->access_ns, 10000000)), ms(p->skew_ns));
}

static void put_radio(FILE *file, const struct app_live_init *init, uint32_t member)
{
    unsigned tx = init->base_port + 2 * member;
    if (init->radio)
        fprintf(file, "radio: {uri: \"%s\", sample_rate: %u, block: %u}\ntime: wall\n", init->radio, (unsigned)init->sample_rate_hz,
                (unsigned)init->block_samples);
    else
        fprintf(file,
                "radio: # port %u of an airdeed air\n"
                "  uri: \"zmq:tx=tcp://127.0.0.1:%u,rx=tcp://127.0.0.1:%u,lead=%u\"\n"
                "  sample_rate: %u\n  block: %u\ntime: tcp://127.0.0.1:%u # the air's clock for this port\nnoise_dbfs: -60\n",
                (unsigned)member + 1, tx, tx + 1, (unsigned)init->block_samples, (unsigned)init->sample_rate_hz,
                (unsigned)init->block_samples, init->base_port + 2 * init->n_members + member);
}

static void put_member(FILE *file, uint32_t member, const void *ctx)
{
    const struct plan *p = ctx;
    put_radio(file, p->init, member);
    fprintf(file, "waveform: %s\ntx_dbfs: -20\nprofile: {turnaround: %lldus} # the same for all, the slowest member's%s\n", p->init->waveform,
            (long long)(p->turnaround_ns / 1000), p->init->radio ? ": airdeed latency-probe measures it" : "");
    if (p->init->radio)
        fprintf(file, "# Nothing is sent, --tx or not, until a band is named here that you may use. It has to lie in the control channel.\n"
                      "# transmit: {low: 5180M, high: 5190M, max_burst: 100ms, duty: 0.5}\n");
}

void app_live_init_air(const struct app_live_init *init, char *out, unsigned cap)
{
    snprintf(out, cap, "--ports %u --base-port %u --clock-port %u --rate %u --block %u --noise -60 --patience 10s", (unsigned)init->n_members,
             (unsigned)init->base_port, init->base_port + 2 * (unsigned)init->n_members, (unsigned)init->sample_rate_hz,
             (unsigned)init->block_samples);
}

int app_live_init_cluster(const struct app_live_init *init, char *error_out)
{
    struct plan plan = make_plan(init);
    struct app_node_init files = {.prefix = "s",
                                  .put_rules = put_rules,
                                  .put_member = put_member,
                                  .ctx = &plan,
                                  .dir = init->dir,
                                  .engine = init->engine,
                                  .n_members = init->n_members,
                                  .n_clients = init->n_clients,
                                  .base_port = (uint16_t)(init->base_port + 3 * init->n_members),
                                  .now_ns = init->now_ns};
    return app_node_init_cluster(&files, error_out);
}
