/* airdeed air: what it says while it runs, and at the end. */
#include "apps/air.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const waiting_words[] = {
    [APP_AIR_NOT_WAITING] = "",
    [APP_AIR_WAITING_CONNECTION] = "not connected",
    [APP_AIR_WAITING_TX] = "waiting for its samples",
    [APP_AIR_WAITING_RX] = "waiting until it asks",
};
static const char *const waiting_names[] = {
    [APP_AIR_NOT_WAITING] = "null",
    [APP_AIR_WAITING_CONNECTION] = "\"connection\"",
    [APP_AIR_WAITING_TX] = "\"tx\"",
    [APP_AIR_WAITING_RX] = "\"rx\"",
};

static bool is_live(const struct app_air_port *p)
{
    return p->tx_live || p->rx_live;
}

static double count_seconds(const struct app_air *air, uint64_t n_samples)
{
    return (double)n_samples / air->cfg.rate_hz;
}

static void print_json_port(const struct app_air *air, uint32_t k)
{
    const struct app_air_port *p = &air->ports[k];
    printf("%s{\"port\": %u, \"live\": %s, \"waiting_for\": %s, \"tx_samples\": %" PRIu64 ", \"rx_samples\": %" PRIu64
           ", \"zero_samples\": %" PRIu64 ", \"discarded_samples\": %" PRIu64 ", \"silences\": %" PRIu64 ", \"bad_replies\": %" PRIu64
           ", \"nonfinite\": %" PRIu64 "}",
           k ? ", " : "", (unsigned)k + 1, is_live(p) ? "true" : "false", waiting_names[app_air_port_waiting(p)], p->n_tx_samples,
           p->n_rx_samples, p->n_zeros, p->n_discarded, p->n_silences, p->source.n_bad, p->source.n_nonfinite);
}

static void print_json(const struct app_air *air, double rate_sps, bool last)
{
    uint64_t position = app_air_mix_position(air->mix);
    printf("{%s\"sample\": %" PRIu64 ", \"time_s\": %.6f, \"speed\": %.3f, \"dropped_bursts\": %" PRIu64 ", \"ports\": [",
           last ? "\"summary\": true, " : "", position, count_seconds(air, position), rate_sps / air->cfg.rate_hz,
           app_air_mix_dropped(air->mix));
    for (uint32_t k = 0; k < air->cfg.n_ports; k++)
        print_json_port(air, k);
    printf("]}\n");
    fflush(stdout);
}

static void print_progress(const struct app_air *air, double rate_sps)
{
    fprintf(stderr, "\r\033[K%.3f s, %.2f Msps", count_seconds(air, app_air_mix_position(air->mix)), rate_sps * 1e-6);
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        enum app_air_waiting waiting = app_air_port_waiting(&air->ports[k]);
        if (waiting || !is_live(&air->ports[k]))
            fprintf(stderr, "; %u: %s", (unsigned)k + 1, waiting ? waiting_words[waiting] : "silent");
    }
}

static void tell_changes(struct app_air *air)
{
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        bool live = is_live(&air->ports[k]) && air->ports[k].n_tx_samples + air->ports[k].n_rx_samples > 0;
        if (live == air->told_live[k])
            continue;
        air->told_live[k] = live;
        enum app_air_waiting waiting = app_air_port_waiting(&air->ports[k]);
        fprintf(stderr, "%sairdeed air: port %u: %s%s at sample %" PRIu64 "\n", air->progress ? "\r\033[K" : "", (unsigned)k + 1,
                live ? "here" : "silent, ", live ? "" : waiting ? waiting_words[waiting] : "nothing came",
                app_air_mix_position(air->mix));
    }
}

void app_air_report(struct app_air *air, int64_t now_ns)
{
    uint64_t position = app_air_mix_position(air->mix);
    double elapsed_s = air->reported_ns ? (double)(now_ns - air->reported_ns) * 1e-9 : 0;
    double rate_sps = elapsed_s > 0 ? (double)(position - air->reported_sample) / elapsed_s : 0;
    air->reported_ns = now_ns;
    air->reported_sample = position;
    tell_changes(air);
    if (air->cfg.json)
        print_json(air, rate_sps, false);
    if (air->progress)
        print_progress(air, rate_sps);
}

void app_air_summary(const struct app_air *air)
{
    uint64_t position = app_air_mix_position(air->mix);
    double wall_s = (double)(app_air_now_ns() - air->opened_ns) * 1e-9;
    if (air->progress)
        fprintf(stderr, "\r\033[K");
    if (air->cfg.json) {
        print_json(air, wall_s > 0 ? (double)position / wall_s : 0, true);
        return;
    }
    printf("%" PRIu64 " samples, %.6f s, in %.3f s: %.3f Msps\n", position, count_seconds(air, position), wall_s,
           wall_s > 0 ? (double)position / wall_s * 1e-6 : 0);
    for (uint32_t k = 0; k < air->cfg.n_ports; k++) {
        const struct app_air_port *p = &air->ports[k];
        printf("port %u: %" PRIu64 " sent, %" PRIu64 " heard, %" PRIu64 " counted as zeros, silent %" PRIu64 " times", (unsigned)k + 1,
               p->n_tx_samples, p->n_rx_samples, p->n_zeros, p->n_silences);
        if (p->n_discarded)
            printf(", %" PRIu64 " came too late", p->n_discarded);
        if (p->source.n_bad)
            printf(", %" PRIu64 " replies were not whole samples", p->source.n_bad);
        if (p->source.n_nonfinite)
            printf(", %" PRIu64 " samples were no numbers", p->source.n_nonfinite);
        printf("\n");
    }
    if (app_air_mix_dropped(air->mix))
        printf("%" PRIu64 " bursts of emitters were dropped: there was no room\n", app_air_mix_dropped(air->mix));
}
