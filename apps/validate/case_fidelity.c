/* Contention at iq and at packet fidelity: the same stations, once on samples, once on tables. */
#include "apps/calibrate/tables.h"
#include "apps/options.h"
#include "apps/validate/contend.h"
#include "apps/validate/validate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *why, int code)
{
    fprintf(stderr, "airdeed validate fidelity: %s\n", why);
    return code;
}

/* Mb/s at 10 MHz: half of those of 20 MHz. */
static int find_rate(double mbps)
{
    const struct phy_waveform *waveform = phy_waveform_wifi();
    for (unsigned r = 0; r < waveform->n_rates; r++)
        if (fabs(waveform->rate_kbps_at_1msps[r] * 1e-9 * APP_CONTEND_RATE_HZ - mbps) < 1e-6)
            return (int)r;
    return -1;
}

static int run_fidelity(struct app_validate *v)
{
    static struct phy_packet_tables tables;
    char error[APP_TABLES_MAX_ERROR];
    uint32_t measured_hz;
    const char *why;
    struct app_saturated iq, packet;
    int rate = find_rate(v->values[VALIDATE_RATE]);
    if (rate < 0)
        return fail("--rate is none of 3, 4.5, 6, 9, 12, 18, 24, 27", APP_BAD_USAGE);
    if (app_tables_load("", "wifi", &tables, &measured_hz, error) != 0)
        return fail(error, APP_SYSTEM_FAILED);
    struct app_contend cfg = {.n = (uint32_t)v->values[VALIDATE_N], .snr_db = v->values[VALIDATE_SNR],
                              .spread_db = v->values[VALIDATE_SPREAD_DB], .payload = (uint32_t)v->values[VALIDATE_PAYLOAD],
                              .rate = (unsigned)rate, .trials = v->trials, .seed = v->seed};
    int rc = app_contend_run(&cfg, &iq, &why);
    cfg.tables = &tables;
    cfg.trials *= 4;
    if (rc == 0)
        rc = app_contend_run(&cfg, &packet, &why);
    if (rc != 0)
        return fail(why, APP_SYSTEM_FAILED);
    app_validate_within(v, "s_mbps", packet.s_mbps, iq.s_mbps, hypot(packet.s_mbps_error, iq.s_mbps_error), .01 * iq.s_mbps);
    app_validate_within(v, "p_collision", packet.p, iq.p, hypot(packet.p_error, iq.p_error), .01);
    return 0;
}

const struct app_validate_case app_validate_fidelity = {
    "fidelity",
    "n saturated stations of dot11-10 with the production MAC, receiver and carrier sense, at packet fidelity with the tables compiled in",
    "the same at iq fidelity, on samples: S within 1 %, p within .01; --spread-db: links are that much stronger or weaker",
    {{VALIDATE_N, 5, 2, APP_CONTEND_MAX_STATIONS},
     {VALIDATE_RATE, 6, 3, 27},
     {VALIDATE_PAYLOAD, 500, 5, 1400},
     {VALIDATE_SNR, 20, 10, 40},
     {VALIDATE_SPREAD_DB, 0, 0, 20},
     {VALIDATE_TRIALS, 20000, 400, 1e7}},
    run_fidelity,
};
