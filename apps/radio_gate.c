#include "apps/radio_gate.h"

#include <math.h>
#include <string.h>

const char *app_radio_verdict_name(enum app_radio_verdict verdict)
{
    static const char *const names[] = {
        [APP_RADIO_OPEN] = "open",
        [APP_RADIO_TX_OFF] = "transmission is off",
        [APP_RADIO_STOPPED] = "stopped by a signal",
        [APP_RADIO_STALLED] = "the loop stood still",
        [APP_RADIO_CLOCK_STEP] = "a clock jumped",
        [APP_RADIO_BAND] = "outside the configured band",
        [APP_RADIO_NO_DEED] = "outside every deed",
        [APP_RADIO_LENGTH] = "longer than a burst may be",
        [APP_RADIO_DUTY] = "over the duty limit",
        [APP_RADIO_ORDER] = "overlaps the burst before",
    };
    return (unsigned)verdict < APP_RADIO_N_VERDICTS ? names[verdict] : "unknown";
}

struct app_radio_limits app_radio_limits_default(void)
{
    return (struct app_radio_limits){
        .max_burst_ns = 100000000,
        .duty_window_ns = 1000000000,
        .duty_on_ns = 500000000,
        .max_stall_ns = 500000000,
        .max_step_ns = 250000000,
        .hold_ns = 1000000000,
    };
}

void app_radio_gate_init(struct app_radio_gate *g, const struct app_radio_limits *limits)
{
    memset(g, 0, sizeof *g);
    g->limits = *limits;
    g->last_end_ns = INT64_MIN;
}

void app_radio_gate_stop(struct app_radio_gate *g)
{
    g->stopped = true;
}

/* a - b, or as far as int64_t goes */
static int64_t subtract(int64_t a, int64_t b)
{
    int64_t difference;
    if (!__builtin_sub_overflow(a, b, &difference))
        return difference;
    return a > b ? INT64_MAX : INT64_MIN;
}

static enum app_radio_verdict state_at(const struct app_radio_gate *g, int64_t monotonic_ns)
{
    if (!g->limits.transmit)
        return APP_RADIO_TX_OFF;
    if (g->stopped)
        return APP_RADIO_STOPPED;
    if (g->stepped)
        return APP_RADIO_CLOCK_STEP;
    if (!g->ticked || monotonic_ns < g->closed_until_ns || subtract(monotonic_ns, g->last.monotonic_ns) > g->limits.max_stall_ns)
        return APP_RADIO_STALLED;
    return APP_RADIO_OPEN;
}

/* Samples come late, in bursts, with gaps; none of this is a step. Only a sample clock that ran backwards, or that is further ahead
 * of the host's than it ever was, has jumped. Crystals part by less than 100 ppm: ahead_ns follows that. */
static void watch_samples(struct app_radio_gate *g, const struct app_radio_clocks *now, int64_t elapsed_ns)
{
    int64_t ahead_ns = subtract(now->sample_ns, now->monotonic_ns);
    g->ahead_ns -= elapsed_ns / 10000;
    if (now->sample_ns < g->last.sample_ns || subtract(ahead_ns, g->ahead_ns) > g->limits.max_step_ns)
        g->stepped = true;
    if (subtract(g->ahead_ns, ahead_ns) > g->limits.max_stall_ns)
        g->closed_until_ns = now->monotonic_ns + g->limits.hold_ns;
    if (ahead_ns > g->ahead_ns)
        g->ahead_ns = ahead_ns;
}

enum app_radio_verdict app_radio_gate_tick(struct app_radio_gate *g, const struct app_radio_clocks *now)
{
    if (!g->ticked) {
        g->ahead_ns = subtract(now->sample_ns, now->monotonic_ns);
    } else {
        int64_t elapsed_ns = subtract(now->monotonic_ns, g->last.monotonic_ns);
        int64_t parted_ns = subtract(subtract(now->wall_ns, g->last.wall_ns), elapsed_ns);
        if (elapsed_ns < 0 || parted_ns > g->limits.max_step_ns || parted_ns < -g->limits.max_step_ns)
            g->stepped = true;
        if (elapsed_ns > g->limits.max_stall_ns)
            g->closed_until_ns = now->monotonic_ns + g->limits.hold_ns;
        watch_samples(g, now, elapsed_ns);
    }
    g->ticked = true;
    g->last = *now;
    return state_at(g, now->monotonic_ns);
}

static bool is_inside(const struct app_radio_emission *e, double low_hz, double high_hz)
{
    double half_hz = e->occupied_hz / 2;
    /* written so that a NAN anywhere is outside */
    return e->occupied_hz > 0 && e->center_hz - half_hz >= low_hz && e->center_hz + half_hz <= high_hz;
}

static bool is_deeded(const struct app_radio_emission *e, const struct app_radio_deed *deeds, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_inside(e, deeds[i].low_hz, deeds[i].high_hz) && e->end_ns <= deeds[i].until_ns)
            return true;
    return false;
}

int64_t app_radio_gate_on_air_ns(const struct app_radio_gate *g, int64_t end_ns)
{
    int64_t from_ns = subtract(end_ns, g->limits.duty_window_ns), on_ns = 0;
    for (size_t i = 0; i < g->n_bursts; i++) {
        size_t k = (g->first + i) % APP_RADIO_GATE_BURSTS;
        int64_t start_ns = g->bursts[k].start_ns > from_ns ? g->bursts[k].start_ns : from_ns;
        int64_t stop_ns = g->bursts[k].end_ns < end_ns ? g->bursts[k].end_ns : end_ns;
        on_ns += stop_ns > start_ns ? stop_ns - start_ns : 0;
    }
    return on_ns;
}

static bool has_left(const struct app_radio_gate *g, size_t k, const struct app_radio_emission *e)
{
    return g->bursts[k].end_ns <= subtract(e->end_ns, g->limits.duty_window_ns);
}

/* Bursts come in order of time, so that the windows to look at are those that end with a burst: each is looked at when its last
 * burst is asked for. */
static bool is_within_duty(const struct app_radio_gate *g, const struct app_radio_emission *e)
{
    if (g->n_bursts == APP_RADIO_GATE_BURSTS && !has_left(g, g->first, e))
        return false;
    return app_radio_gate_on_air_ns(g, e->end_ns) + (e->end_ns - e->start_ns) <= g->limits.duty_on_ns;
}

static enum app_radio_verdict judge(const struct app_radio_gate *g, int64_t monotonic_ns, const struct app_radio_emission *e,
                                    const struct app_radio_deed *deeds, size_t n_deeds)
{
    enum app_radio_verdict state = state_at(g, monotonic_ns);
    if (state != APP_RADIO_OPEN)
        return state;
    int64_t len_ns = subtract(e->end_ns, e->start_ns);
    if (len_ns <= 0 || len_ns > g->limits.max_burst_ns)
        return APP_RADIO_LENGTH;
    if (!is_inside(e, g->limits.band_low_hz, g->limits.band_high_hz))
        return APP_RADIO_BAND;
    if (!is_deeded(e, deeds, n_deeds))
        return APP_RADIO_NO_DEED;
    if (e->start_ns < g->last_end_ns)
        return APP_RADIO_ORDER;
    return is_within_duty(g, e) ? APP_RADIO_OPEN : APP_RADIO_DUTY;
}

enum app_radio_verdict app_radio_gate_admit(struct app_radio_gate *g, int64_t monotonic_ns, const struct app_radio_emission *e,
                                            const struct app_radio_deed *deeds, size_t n_deeds)
{
    enum app_radio_verdict verdict = judge(g, monotonic_ns, e, deeds, n_deeds);
    g->count[verdict]++;
    if (verdict != APP_RADIO_OPEN)
        return verdict;
    while (g->n_bursts > 0 && has_left(g, g->first, e)) {
        g->first = (g->first + 1) % APP_RADIO_GATE_BURSTS;
        g->n_bursts--;
    }
    size_t last = (g->first + g->n_bursts++) % APP_RADIO_GATE_BURSTS;
    g->bursts[last].start_ns = e->start_ns;
    g->bursts[last].end_ns = g->last_end_ns = e->end_ns;
    return APP_RADIO_OPEN;
}

size_t app_radio_deeds(const struct app_station *station, const struct chain_genesis *genesis, bool is_response,
                       struct app_radio_deed out[APP_STATION_MAX_DEEDS])
{
    struct app_station_deed deeds[APP_STATION_MAX_DEEDS];
    size_t n = app_station_deeds(station, deeds), n_out = 0;
    for (size_t i = 0; i < n; i++) {
        if (deeds[i].channel >= genesis->n_channels || (deeds[i].responses_only && !is_response))
            continue;
        const struct chain_channel *channel = &genesis->channels[deeds[i].channel];
        out[n_out++] = (struct app_radio_deed){
            .low_hz = (double)channel->low_hz, .high_hz = (double)channel->high_hz, .until_ns = deeds[i].until_ns};
    }
    return n_out;
}
