#include "apps/validate/jam_episodes.h"

#include <math.h>

#include "apps/validate/signals.h"

enum { US = APP_JAM_RATE_HZ / 1000000, PURPOSE = 0x6570, SLOTS = 20 };

static const struct {
    const char *name;
    enum mac_jam_kind kind;
    int emitter; /* -1: no jammer */
} classes[JAM_N_CLASSES] = {
    [JAM_CLASS_NONE] = {"none", MAC_JAM_NONE, -1},
    [JAM_CLASS_CONGESTION] = {"congestion", MAC_JAM_CONGESTION, -1},
    [JAM_CLASS_WEAK_LINK] = {"weak-link", MAC_JAM_WEAK_LINK, -1},
    [JAM_CLASS_FOREIGN] = {"foreign", MAC_JAM_FOREIGN, -1},
    [JAM_CLASS_NOISE] = {"noise", MAC_JAM_CONSTANT, PHY_EMITTER_NOISE},
    [JAM_CLASS_TONE] = {"tone", MAC_JAM_TONE, PHY_EMITTER_TONE},
    [JAM_CLASS_SWEEP] = {"sweep", MAC_JAM_SWEEP, PHY_EMITTER_SWEEP},
    [JAM_CLASS_PULSE] = {"pulse", MAC_JAM_PULSE, PHY_EMITTER_PULSE},
    [JAM_CLASS_RANDOM] = {"random", MAC_JAM_PULSE, PHY_EMITTER_RANDOM},
    [JAM_CLASS_REACTIVE] = {"reactive", MAC_JAM_REACTIVE, PHY_EMITTER_REACTIVE},
    [JAM_CLASS_PREAMBLE] = {"preamble", MAC_JAM_PREAMBLE, PHY_EMITTER_PREAMBLE},
    [JAM_CLASS_PILOT] = {"pilot", MAC_JAM_PILOT, PHY_EMITTER_PILOT},
    [JAM_CLASS_DECEPTIVE] = {"deceptive", MAC_JAM_DECEPTIVE, PHY_EMITTER_DECEPTIVE},
    [JAM_CLASS_HOPPING] = {"hopping", MAC_JAM_UNKNOWN, PHY_EMITTER_RANDOM},
};

struct draws {
    uint64_t seed, number, counter;
    bool training;
};

static double draw_unit(struct draws *d)
{
    return (double)(app_validate_draw(d->seed, PURPOSE, d->number, d->counter++) >> 11) * 0x1p-53;
}

/* In every other one of the range's slots. */
static double draw_in(struct draws *d, double low, double high)
{
    double u = draw_unit(d) * (SLOTS / 2.0), slot = floor(u);
    return low + (high - low) * (2 * slot + (d->training ? 0 : 1) + (u - slot)) / SLOTS;
}

enum mac_jam_kind app_jam_class_kind(enum app_jam_class class)
{
    return classes[class].kind;
}

const char *app_jam_class_name(enum app_jam_class class)
{
    return classes[class].name;
}

/* Radars' pulses are shorter than a burst that the detector takes for a jammer's (docs/mac.md). */
static void draw_primary(struct draws *d, struct phy_primary *p)
{
    *p = (struct phy_primary){.kind = (enum phy_primary_kind)(draw_unit(d) * PHY_PRIMARY_N_KINDS)};
    p->bandwidth = p->kind == PHY_PRIMARY_OFDM ? draw_in(d, 0.3, 0.9) : draw_in(d, 0.02, 0.3);
    p->offset = p->kind == PHY_PRIMARY_NARROWBAND ? draw_in(d, -0.3, 0.3) : 0;
    p->pulse_samples = (uint32_t)(draw_in(d, 5, 30) * US);
    p->period_samples = (uint32_t)(draw_in(d, 500, 3000) * US);
}

static void draw_jammer(struct draws *d, enum app_jam_class class, struct phy_emitter_config *j)
{
    *j = (struct phy_emitter_config){.kind = (enum phy_emitter_kind)classes[class].emitter};
    double burst_us = draw_in(d, 100, 800), duty = draw_in(d, 0.1, 0.6);
    j->burst_samples = (uint32_t)(burst_us * US);
    j->period_samples = (uint32_t)(burst_us / duty * US);
    j->mean_on_samples = burst_us * US;
    j->mean_off_samples = burst_us * (1 / duty - 1) * US;
    j->offset = j->kind == PHY_EMITTER_TONE ? draw_in(d, -0.4, 0.4) : 0;
    j->sweep_low = -0.4;
    j->sweep_high = 0.4;
    j->sweep_samples = (uint32_t)(exp(draw_in(d, log(50), log(5000))) * US);
    j->react_samples = (uint32_t)(draw_in(d, 30, 150) * US);
    if (class == JAM_CLASS_PREAMBLE)
        j->period_samples = (uint32_t)(draw_in(d, 200, 2000) * US);
    if (class == JAM_CLASS_DECEPTIVE)
        j->period_samples = (uint32_t)(draw_in(d, 1000, 8000) * US);
}

void app_jam_draw(enum app_jam_class class, bool training, uint64_t seed, uint64_t number, struct app_jam_episode *out, double *jsr_db_out)
{
    struct draws d = {.seed = seed, .number = number * JAM_N_CLASSES + (uint64_t)class, .training = training};
    *out = (struct app_jam_episode){.seed = seed, .episode = d.number, .n_stations = 2, .snr_db = 20, .message_bytes = 200};
    out->frames_per_s = training ? (draw_unit(&d) < 0.5 ? 70 : 130) : 100;
    out->start_ns = 60000000 + (int64_t)(draw_unit(&d) * 60e6);
    out->end_ns = out->start_ns + 510000000;
    *jsr_db_out = NAN;
    if (class == JAM_CLASS_CONGESTION) {
        out->n_stations = APP_JAM_MAX_STATIONS;
        out->frames_per_s *= APP_JAM_MAX_STATIONS;
    }
    if (class == JAM_CLASS_WEAK_LINK)
        out->snr_db = draw_in(&d, -0.5, 2.5); /* the data rate has a FER of 1 % at 4 dB */
    if (class == JAM_CLASS_FOREIGN) {
        out->has_primary = true;
        out->inr_db = draw_in(&d, 12, 35);
        draw_primary(&d, &out->primary);
    }
    if (classes[class].emitter < 0)
        return;
    *jsr_db_out = draw_in(&d, -5, 20);
    out->has_jammer = true;
    out->alternate = class == JAM_CLASS_HOPPING;
    out->inr_db = out->snr_db + *jsr_db_out;
    draw_jammer(&d, class, &out->jammer);
}
