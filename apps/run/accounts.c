#include "apps/run/accounts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int app_accounts_open(struct app_accounts *a, const struct app_scenario *scenario, const struct chain_genesis *genesis,
                      const struct phy_waveform *waveform, int64_t sifs_ns, struct app_journal *journal)
{
    memset(a, 0, sizeof *a);
    a->scenario = scenario;
    a->genesis = genesis;
    a->waveform = waveform;
    a->journal = journal;
    a->control_sifs_ns = sifs_ns;
    a->heights = calloc(ACCOUNTS_MAX_HEIGHTS, sizeof *a->heights);
    if (!a->heights)
        return -ENOMEM;
    for (size_t i = 0; i < ACCOUNTS_MAX_HEIGHTS; i++)
        a->heights[i].proposed_ns = INT64_MIN;
    for (size_t j = 0; j < APP_MAX_JAMMERS; j++)
        a->jams[j].first_burst_ns = INT64_MIN;
    return 0;
}

void app_accounts_close(struct app_accounts *a)
{
    free(a->heights);
    a->heights = NULL;
}

void app_accounts_start(struct app_accounts *a, uint64_t seed)
{
    const struct app_scenario *sc = a->scenario;
    app_journal_begin(a->journal, 0, "run_start", NULL);
    app_journal_text(a->journal, "version", AIRDEED_VERSION);
    app_journal_text(a->journal, "scenario", sc->name);
    app_journal_int(a->journal, "seed", (int64_t)seed);
    app_journal_text(a->journal, "consensus", sc->consensus);
    app_journal_int(a->journal, "duration_ns", sc->duration_ns);
    app_journal_end(a->journal);
    for (uint32_t c = 0; c < sc->n_channels; c++) {
        app_journal_begin(a->journal, 0, "channel", NULL);
        app_journal_int(a->journal, "index", c);
        app_journal_text(a->journal, "name", sc->channels[c].name);
        app_journal_int(a->journal, "low_hz", (int64_t)sc->channels[c].low_hz);
        app_journal_int(a->journal, "high_hz", (int64_t)sc->channels[c].high_hz);
        app_journal_bool(a->journal, "control", c == sc->control_channel);
        if (c != sc->control_channel && app_scenario_shares(sc, c))
            app_journal_bool(a->journal, "hop", true);
        app_journal_end(a->journal);
    }
    for (uint32_t i = 0; i < sc->n_stations; i++) {
        app_journal_begin(a->journal, 0, "station_info", sc->stations[i].name);
        app_journal_int(a->journal, "index", i);
        app_journal_text(a->journal, "call_sign", sc->stations[i].name);
        app_journal_end(a->journal);
    }
}

static void journal_edge(struct app_accounts *a, int64_t t_ns, const char *event, const char *name, const char *kind, uint32_t channel)
{
    app_journal_begin(a->journal, t_ns, event, NULL);
    app_journal_text(a->journal, "name", name);
    if (kind)
        app_journal_text(a->journal, "kind", kind);
    app_journal_int(a->journal, "channel", channel);
    app_journal_end(a->journal);
}

void app_accounts_edges(struct app_accounts *a, int64_t from_ns, int64_t to_ns)
{
    for (uint32_t i = 0; i < a->scenario->n_primaries; i++) {
        const struct app_scenario_primary *p = &a->scenario->primaries[i];
        bool comes;
        for (int64_t t_ns = from_ns; (t_ns = app_scenario_primary_edge(p, t_ns, &comes)) < to_ns; t_ns++)
            journal_edge(a, t_ns, comes ? "primary_on" : "primary_off", p->name, NULL, p->channel);
    }
    for (uint32_t i = 0; i < a->scenario->n_jammers; i++) {
        const struct app_scenario_jammer *j = &a->scenario->jammers[i];
        for (uint32_t k = 0; k < j->n_channels; k++) {
            if (j->start_ns >= from_ns && j->start_ns < to_ns)
                journal_edge(a, j->start_ns, "jam_on", j->name, j->kind, j->channels[k]);
            if (j->stop_ns >= from_ns && j->stop_ns < to_ns)
                journal_edge(a, j->stop_ns, "jam_off", j->name, j->kind, j->channels[k]);
        }
    }
}

bool app_accounts_primary_sends(const struct app_accounts *a, uint32_t channel, int64_t from_ns, int64_t to_ns, bool *partly_out)
{
    *partly_out = false;
    for (uint32_t i = 0; i < a->scenario->n_primaries; i++) {
        const struct app_scenario_primary *p = &a->scenario->primaries[i];
        int on = p->channel == channel ? app_scenario_primary_sends(p, a->scenario->sample_rate_hz, from_ns, to_ns) : 0;
        if (on == 2)
            return true;
        *partly_out |= on == 1;
    }
    return false;
}

static struct app_jam_account *jam_at(struct app_accounts *a, uint32_t channel, int64_t t_ns)
{
    for (uint32_t j = 0; j < a->scenario->n_jammers; j++) {
        const struct app_scenario_jammer *jammer = &a->scenario->jammers[j];
        if (app_scenario_jams(jammer, channel) && t_ns >= jammer->start_ns && t_ns < jammer->stop_ns)
            return &a->jams[j];
    }
    return NULL;
}

/* Intended receivers: all other stations for a group address, one otherwise. */
static uint32_t n_receivers(const struct app_accounts *a, const struct app_station_emission *e)
{
    bool group = e->mpdu_len > 4 && (e->mpdu[4] & 1);
    return group ? a->scenario->n_stations - 1 : 1;
}

static const char *emission_kind(const struct app_accounts *a, const struct app_station_emission *e)
{
    if (e->is_response)
        return "ack";
    return app_scenario_shares(a->scenario, e->channel) ? "consensus" : "data";
}

void app_accounts_emission(struct app_accounts *a, uint32_t station, const struct app_station_emission *e, int64_t start_ns,
                           int64_t end_ns)
{
    a->n_emissions++;
    uint32_t n = n_receivers(a, e);
    struct app_jam_account *jam = jam_at(a, e->channel, start_ns);
    a->pairs_sent += n;
    if (jam)
        jam->pairs_sent += n;
    app_journal_begin(a->journal, start_ns, "emission", a->scenario->stations[station].name);
    app_journal_int(a->journal, "channel", e->channel);
    app_journal_int(a->journal, "start_ns", start_ns);
    app_journal_int(a->journal, "end_ns", end_ns);
    app_journal_text(a->journal, "kind", emission_kind(a, e));
    app_journal_end(a->journal);
    const char *reason = app_accounts_violation(a, station, e->channel, start_ns, end_ns);
    if (reason) {
        a->n_violations++;
        app_journal_begin(a->journal, start_ns, "violation", a->scenario->stations[station].name);
        app_journal_int(a->journal, "channel", e->channel);
        app_journal_int(a->journal, "start_ns", start_ns);
        app_journal_text(a->journal, "reason", reason);
        app_journal_end(a->journal);
    }
    app_accounts_lease_emission(a, station, e->channel, start_ns, end_ns);
}

void app_accounts_received(struct app_accounts *a, uint32_t station, const struct app_station_received *r, int64_t start_ns)
{
    if (!r->frame.fcs_ok) {
        a->n_frames_bad++;
        return;
    }
    a->n_frames_ok++;
    const uint8_t *to = r->frame.psdu + 4;
    bool intended = r->frame.psdu_len >= 14 && ((to[0] & 1) || mac_station_of((const struct mac_address *)to) == station);
    if (!intended)
        return;
    a->pairs_good++;
    struct app_jam_account *jam = jam_at(a, r->channel, start_ns);
    if (jam)
        jam->pairs_good++;
}

void app_accounts_refused(struct app_accounts *a, uint32_t station, uint32_t channel, int64_t t_ns, const char *reason)
{
    a->n_refused++;
    app_journal_begin(a->journal, t_ns, "gate_closed", a->scenario->stations[station].name);
    app_journal_int(a->journal, "channel", channel);
    app_journal_text(a->journal, "reason", reason);
    app_journal_end(a->journal);
}
