/* What must hold between the fields of a scenario. */
#include "apps/run/scenario_table.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MIN_BURST_SAMPLES = 16, MAX_REACT_BURSTS = 60, MAX_DECIDE_PERIODS = 4, HOP_SKEWS = 8 };

#define refuse app_scenario_refuse

const char app_scenario_base_rule[] = "channels, stations and which is control are the base's, since other fields refer to them";

int app_scenario_refuse(const char **field_out, const char *field, char *why_out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why_out, APP_YAML_MAX_WHY, format, args);
    va_end(args);
    *field_out = field;
    return -EINVAL;
}

/* Names become file names and words of messages. */
static bool is_plain_name(const char *name)
{
    return *name && *name != '-' && name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static const char *const plain_name_rule = "must be of lower-case letters, digits and '-', and not begin with '-'";

/* Is the name of the item in this array already that of an item before it? */
static bool is_repeated(const void *items, const void *item, size_t stride, const char *name)
{
    for (const char *other = items; other < (const char *)item; other += stride)
        if (strcmp(other, name) == 0) /* names are the first member of each */
            return true;
    return false;
}

_Static_assert(offsetof(struct app_scenario_channel, name) == 0 && offsetof(struct app_scenario_station, name) == 0 &&
                   offsetof(struct app_scenario_primary, name) == 0 && offsetof(struct app_scenario_jammer, name) == 0,
               "is_repeated reads names at the start");

static int check_name(const void *items, const void *item, size_t stride, const char **field_out, char *why_out)
{
    const char *name = item;
    if (!is_plain_name(name))
        return refuse(field_out, "name", why_out, "'%s' %s", name, plain_name_rule);
    if (is_repeated(items, item, stride, name))
        return refuse(field_out, "name", why_out, "'%s' is taken by an earlier one", name);
    return 0;
}

/* Of a primary user or a jammer, which stand beside the stations in messages. */
static int check_emitter_name(const struct app_scenario *s, const void *items, const void *item, size_t stride, const char **field_out,
                              char *why_out)
{
    if (is_repeated(s->stations, s->stations + s->n_stations, sizeof *s->stations, item))
        return refuse(field_out, "name", why_out, "'%s' is the name of a station", (const char *)item);
    return check_name(items, item, stride, field_out, why_out);
}

/* from..to lies in the run; to 0 stands for its end */
static int check_times(const struct app_scenario *s, int64_t start_ns, int64_t stop_ns, const char **field_out, char *why_out)
{
    if (start_ns >= s->duration_ns)
        return refuse(field_out, "start", why_out, "must come before the end of the run (duration)");
    if (stop_ns > s->duration_ns)
        return refuse(field_out, "stop", why_out, "must not come after the end of the run (duration); left out it means that end");
    if (stop_ns && stop_ns <= start_ns)
        return refuse(field_out, "stop", why_out, "must come after start; left out it means the end of the run");
    return 0;
}

int app_scenario_check_channel(void *root, void *item, const char **field_out, char *why_out)
{
    const struct app_scenario *s = root;
    const struct app_scenario_channel *c = item;
    if (s->has_base)
        return refuse(field_out, NULL, why_out, "%s", app_scenario_base_rule);
    int err = check_name(s->channels, c, sizeof *c, field_out, why_out);
    if (err)
        return err;
    if (c->low_hz != floor(c->low_hz))
        return refuse(field_out, "low", why_out, "must be a whole number of Hz");
    if (c->high_hz != floor(c->high_hz))
        return refuse(field_out, "high", why_out, "must be a whole number of Hz");
    if (c->high_hz - c->low_hz < s->sample_rate_hz)
        return refuse(field_out, "high", why_out, "a channel must be at least sample_rate wide (%.12g Hz), this one is %.12g Hz",
                      (double)s->sample_rate_hz, c->high_hz - c->low_hz);
    for (const struct app_scenario_channel *other = s->channels; other < c; other++)
        if (c->low_hz < other->high_hz && other->low_hz < c->high_hz)
            return refuse(field_out, "low", why_out, "channel '%s' overlaps channel '%s'", c->name, other->name);
    return 0;
}

int app_scenario_check_station(void *root, void *item, const char **field_out, char *why_out)
{
    const struct app_scenario *s = root;
    if (s->has_base)
        return refuse(field_out, NULL, why_out, "%s", app_scenario_base_rule);
    return check_name(s->stations, item, sizeof(struct app_scenario_station), field_out, why_out);
}

bool app_scenario_shares(const struct app_scenario *s, uint32_t channel)
{
    for (uint32_t i = 0; i < s->hop.n_channels; i++)
        if (s->hop.channels[i] == channel)
            return true;
    return channel == s->control_channel;
}

int app_scenario_check_hop(void *root, void *item, const char **field_out, char *why_out)
{
    (void)item;
    const struct app_scenario *s = root;
    for (uint32_t i = 0; i < s->hop.n_channels; i++) {
        if (s->hop.channels[i] == s->control_channel)
            return refuse(field_out, "channels", why_out, "the control channel '%s' is where stations meet that do not hop together",
                          s->channels[s->control_channel].name);
        for (uint32_t j = 0; j < i; j++)
            if (s->hop.channels[i] == s->hop.channels[j])
                return refuse(field_out, "channels", why_out, "channel '%s' stands there twice", s->channels[s->hop.channels[i]].name);
    }
    if (s->hop.retune_ns > s->hop.dwell_ns / 4)
        return refuse(field_out, "retune dwell", why_out, "retune must not be longer than a quarter of dwell");
    return 0;
}

int app_scenario_check_traffic(void *root, void *item, const char **field_out, char *why_out)
{
    const struct app_scenario *s = root;
    const struct app_scenario_traffic *t = item;
    if (t->from == t->to)
        return refuse(field_out, "to", why_out, "must be another station than from");
    for (const struct app_scenario_traffic *other = s->traffic; other < t; other++)
        if (other->from == t->from)
            return refuse(field_out, "from", why_out, "'%s' sends in an earlier line of traffic", s->stations[t->from].name);
    for (uint32_t i = 0; i < t->n_wanted; i++) {
        if (t->wanted[i] == s->control_channel)
            return refuse(field_out, "wanted", why_out, "the control channel '%s' is not leased", s->channels[t->wanted[i]].name);
        if (app_scenario_shares(s, t->wanted[i]))
            return refuse(field_out, "wanted", why_out, "channel '%s' of the hop set is not leased", s->channels[t->wanted[i]].name);
        for (uint32_t j = 0; j < i; j++)
            if (t->wanted[i] == t->wanted[j])
                return refuse(field_out, "wanted", why_out, "channel '%s' stands there twice", s->channels[t->wanted[i]].name);
    }
    return check_times(s, t->start_ns, t->stop_ns, field_out, why_out);
}

int app_scenario_check_primary(void *root, void *item, const char **field_out, char *why_out)
{
    const struct app_scenario *s = root;
    const struct app_scenario_primary *p = item;
    int err = check_emitter_name(s, s->primaries, p, sizeof *p, field_out, why_out);
    if (err)
        return err;
    if (p->channel == s->control_channel)
        return refuse(field_out, "channel", why_out, "the control channel has no primary user: the stations could not agree to leave it");
    if (app_scenario_shares(s, p->channel))
        return refuse(field_out, "channel", why_out, "a channel of the hop set has no primary user: it is everybody's");
    if (fabs(p->offset_hz) > s->sample_rate_hz / 2.0)
        return refuse(field_out, "offset", why_out, "must keep the carrier within the channel, +-sample_rate/2");
    err = app_scenario_check_primary_wave(s, p, field_out, why_out);
    if (err)
        return err;
    return check_times(s, p->start_ns, p->stop_ns, field_out, why_out);
}

int app_scenario_check_jammer(void *root, void *item, const char **field_out, char *why_out)
{
    const struct app_scenario *s = root;
    struct app_scenario_jammer *j = item;
    int err = check_emitter_name(s, s->jammers, j, sizeof *j, field_out, why_out);
    if (!err)
        err = app_scenario_check_jammer_channels(s, j, field_out, why_out);
    if (err)
        return err;
    err = app_scenario_check_jammer_wave(s, j, field_out, why_out);
    if (err)
        return err;
    double sample_ns = 1e9 / s->sample_rate_hz;
    if ((double)j->react_ns < APP_BLOCK_SAMPLES * sample_ns)
        return refuse(field_out, "react", why_out, "must be at least %d samples, %.12gus at this sample_rate", APP_BLOCK_SAMPLES,
                      APP_BLOCK_SAMPLES * sample_ns / 1e3);
    if ((double)j->burst_ns < MIN_BURST_SAMPLES * sample_ns)
        return refuse(field_out, "burst", why_out, "must be at least %d samples, %.12gus at this sample_rate", MIN_BURST_SAMPLES,
                      MIN_BURST_SAMPLES * sample_ns / 1e3);
    if (j->react_ns > MAX_REACT_BURSTS * j->burst_ns)
        return refuse(field_out, "react burst", why_out, "react must not be longer than %d bursts", MAX_REACT_BURSTS);
    return check_times(s, j->start_ns, j->stop_ns, field_out, why_out);
}

int app_scenario_check_quiet(void *root, void *item, const char **field_out, char *why_out)
{
    (void)item;
    const struct app_scenario *s = root;
    if (s->quiet.length_ns >= s->quiet.period_ns)
        return refuse(field_out, "length period", why_out, "length must be shorter than period");
    if (s->quiet.phase_ns + s->quiet.length_ns > s->quiet.period_ns)
        return refuse(field_out, "phase period length", why_out, "phase + length must not exceed period");
    return 0;
}

int app_scenario_check_lease(void *root, void *item, const char **field_out, char *why_out)
{
    (void)item;
    const struct app_scenario *s = root;
    if (s->lease.heartbeat_ns >= s->lease.transmit_expire_ns)
        return refuse(field_out, "heartbeat transmit_expire", why_out, "heartbeat must be shorter than transmit_expire, or every lease lapses between two heartbeats");
    if (s->lease.stop_ns > s->lease.transmit_expire_ns)
        return refuse(field_out, "stop transmit_expire", why_out, "stop must not be longer than transmit_expire");
    if (s->lease.grant_ns < s->lease.transmit_expire_ns)
        return refuse(field_out, "grant transmit_expire", why_out, "grant must not be shorter than transmit_expire");
    if (s->lease.drift_guard_ns >= s->lease.transmit_expire_ns)
        return refuse(field_out, "drift_guard transmit_expire", why_out, "drift_guard must be shorter than transmit_expire");
    return 0;
}

int app_scenario_check_engine(void *root, void *item, const char **field_out, char *why_out)
{
    (void)item;
    const struct app_scenario *s = root;
    if (s->engine.heartbeat_ns >= s->engine.timeout_ns)
        return refuse(field_out, "heartbeat timeout", why_out, "heartbeat must be shorter than timeout, or every leader is given up");
    if (s->engine.timeout_max_ns < s->engine.timeout_ns)
        return refuse(field_out, "timeout_max timeout", why_out, "timeout_max must not be shorter than timeout");
    return 0;
}

static const char *const clock_fields[] = {
#define CLOCK(i) "stations[" #i "].clock_offset"
    CLOCK(0), CLOCK(1), CLOCK(2),  CLOCK(3),  CLOCK(4),  CLOCK(5),  CLOCK(6),  CLOCK(7),
    CLOCK(8), CLOCK(9), CLOCK(10), CLOCK(11), CLOCK(12), CLOCK(13), CLOCK(14), CLOCK(15)};
_Static_assert(sizeof clock_fields / sizeof *clock_fields == APP_MAX_STATIONS, "a name for each station");

static int check_clocks(const struct app_scenario *s, const char **field_out, char *why_out)
{
    for (uint32_t i = 0; i < s->n_stations; i++)
        for (uint32_t j = 0; j < i; j++) {
            int64_t apart_ns = s->stations[i].clock_offset_ns - s->stations[j].clock_offset_ns;
            if (apart_ns > s->lease.max_skew_ns || -apart_ns > s->lease.max_skew_ns)
                return refuse(field_out, clock_fields[i], why_out, "the clocks of '%s' and '%s' are further apart than lease.max_skew",
                              s->stations[j].name, s->stations[i].name);
        }
    return 0;
}

static uint32_t station_of(const struct app_scenario *s, const char *name)
{
    uint32_t i = 0;
    while (i < s->n_stations && strcmp(s->stations[i].name, name) != 0)
        i++;
    return i;
}

uint32_t app_scenario_copied(const struct app_scenario *s, uint32_t station)
{
    return station_of(s, s->stations[station].copies);
}

static int check_copies(const struct app_scenario *s, const char **field_out, char *why_out)
{
    for (uint32_t i = 0; i < s->n_stations; i++)
        if (*s->stations[i].copies && (app_scenario_copied(s, i) == s->n_stations || app_scenario_copied(s, i) == i))
            return refuse(field_out, "stations", why_out, "'%s' copies '%s', which is no other station", s->stations[i].name,
                          s->stations[i].copies);
    return 0;
}

uint32_t app_scenario_authority(const struct app_scenario *s)
{
    return station_of(s, s->rules.authority);
}

static int check_admission(const struct app_scenario *s, const char **field_out, char *why_out)
{
    if (*s->rules.authority && app_scenario_authority(s) == s->n_stations)
        return refuse(field_out, "admission.authority", why_out, "'%s': no station has this name", s->rules.authority);
    if (s->rules.admit_votes > s->n_stations)
        return refuse(field_out, "admission.votes", why_out, "must not exceed the number of stations, %u", s->n_stations);
    return 0;
}

int app_scenario_check_whole(void *root, void *item, const char **field_out, char *why_out)
{
    (void)item;
    const struct app_scenario *s = root;
    if (!is_plain_name(s->name))
        return refuse(field_out, "name", why_out, "'%s' %s", s->name, plain_name_rule);
    if (s->seed > INT64_MAX)
        return refuse(field_out, "seed", why_out, "must be at most %lld", (long long)INT64_MAX);
    if (*s->tables && strcmp(s->fidelity, "packet") != 0 && !app_scenario_is_packet(s))
        return refuse(field_out, "tables", why_out, "is for fidelity: packet");
    if (s->settle_ns >= s->duration_ns)
        return refuse(field_out, "settle duration", why_out, "settle must be shorter than duration");
    if (s->sensing.min_positive > s->n_stations)
        return refuse(field_out, "sensing.min_positive", why_out, "must not exceed the number of stations, %u", s->n_stations);
    if (s->quiet.length_ns <= 2 * s->lease.max_skew_ns)
        return refuse(field_out, "lease.max_skew quiet.length", why_out,
                      "quiet.length must be longer than 2 lease.max_skew, or no time is quiet for everybody");
    if (s->sensing.decide_after_ns > MAX_DECIDE_PERIODS * s->quiet.period_ns)
        return refuse(field_out, "sensing.decide_after quiet.period", why_out,
                      "sensing.decide_after must not be longer than %d quiet.period", MAX_DECIDE_PERIODS);
    for (uint32_t i = 0; i < s->n_traffic && s->has_base; i++) /* of which a base may have known only one */
        for (uint32_t k = 0; k < s->traffic[i].n_wanted; k++)
            if (app_scenario_shares(s, s->traffic[i].wanted[k]))
                return refuse(field_out, "hop.channels", why_out, "channel '%s' is wanted by traffic, and one of the hop set is not leased",
                              s->channels[s->traffic[i].wanted[k]].name);
    if (s->hop.n_channels > 0 && s->hop.dwell_ns < HOP_SKEWS * s->lease.max_skew_ns)
        return refuse(field_out, "hop.dwell lease.max_skew", why_out, "hop.dwell must be at least %d times lease.max_skew", HOP_SKEWS);
    int err = check_copies(s, field_out, why_out);
    if (!err)
        err = check_admission(s, field_out, why_out);
    return err ? err : check_clocks(s, field_out, why_out);
}
