/* Jam verdicts against what the jammers really did. A verdict matches an episode if it starts within it or at most 50 ms after, and
 * names band and kind. */
#include "apps/run/accounts.h"

#include "phy/air/emitter.h"

#include <stdio.h>
#include <string.h>

enum { GRACE_NS = 50000000 };

static enum mac_jam_kind verdict_by_times(enum phy_emitter_kind kind)
{
    switch (phy_emitter_schedule(kind)) {
    case PHY_EMITTER_ALWAYS: return MAC_JAM_CONSTANT;
    case PHY_EMITTER_ON_POWER:
    case PHY_EMITTER_FOLLOWS: return MAC_JAM_REACTIVE;
    case PHY_EMITTER_PERIODIC:
    case PHY_EMITTER_ON_OFF:
    default: return MAC_JAM_PULSE;
    }
}

static enum mac_jam_kind verdict_of(const struct app_scenario_jammer *jammer)
{
    enum phy_emitter_kind kind = (enum phy_emitter_kind)phy_emitter_kind_of(jammer->kind);
    switch (kind) {
    case PHY_EMITTER_TONE: return MAC_JAM_TONE;
    case PHY_EMITTER_SWEEP: return MAC_JAM_SWEEP;
    case PHY_EMITTER_PREAMBLE: return MAC_JAM_PREAMBLE;
    case PHY_EMITTER_PILOT: return MAC_JAM_PILOT;
    case PHY_EMITTER_DECEPTIVE: return MAC_JAM_DECEPTIVE;
    default: return verdict_by_times(kind);
    }
}

/* What a follower does on one channel is noise for as long as it dwells there, and begins within a frame. */
static bool names(const struct app_scenario_jammer *jammer, enum mac_jam_kind kind)
{
    bool follows = phy_emitter_kind_of(jammer->kind) == PHY_EMITTER_FOLLOWER;
    return kind == verdict_of(jammer) || (follows && kind == MAC_JAM_CONSTANT);
}

static bool matches(const struct app_scenario_jammer *jammer, const struct mac_jam_verdict *v, int64_t at_ns)
{
    return app_scenario_jams(jammer, v->channel) && at_ns >= jammer->start_ns && at_ns <= jammer->stop_ns + GRACE_NS &&
           names(jammer, v->kind);
}

static void journal_verdict(struct app_accounts *a, uint32_t station, const struct app_station_note *n)
{
    const struct mac_jam_verdict *v = &n->verdict;
    app_journal_begin(a->journal, n->at_ns, mac_jam_is_attack(v->kind) ? "jam_verdict" : "link_verdict", a->scenario->stations[station].name);
    app_journal_int(a->journal, "channel", v->channel);
    app_journal_text(a->journal, "kind", mac_jam_kind_name(v->kind));
    app_journal_int(a->journal, "confidence_permille", v->confidence_permille);
    app_journal_int(a->journal, "n_frames", v->n_frames);
    app_journal_int(a->journal, "n_good", v->n_good);
    app_journal_int(a->journal, "mean_rise_us", v->mean_rise_us);
    app_journal_int(a->journal, "busy_permille", v->busy_permille);
    app_journal_end(a->journal);
}

void app_accounts_verdict(struct app_accounts *a, uint32_t station, const struct app_station_note *n)
{
    journal_verdict(a, station, n);
    if (!mac_jam_is_attack(n->verdict.kind))
        return;
    a->n_verdicts++;
    bool matched = false;
    for (uint32_t j = 0; j < a->scenario->n_jammers; j++) {
        if (!matches(&a->scenario->jammers[j], &n->verdict, n->at_ns))
            continue;
        matched = true;
        if (a->jams[j].n_verdicts++ == 0) {
            a->jams[j].first_verdict_ns = n->at_ns;
            snprintf(a->kinds[j], sizeof a->kinds[j], "%s", mac_jam_kind_name(n->verdict.kind));
        }
    }
    a->n_false_verdicts += !matched;
}

void app_accounts_jam_burst(struct app_accounts *a, uint32_t jammer, uint32_t channel, int64_t start_ns, int64_t end_ns, bool overlaps_traffic)
{
    struct app_jam_account *jam = &a->jams[jammer];
    jam->n_bursts++;
    if (overlaps_traffic && jam->first_burst_ns == INT64_MIN)
        jam->first_burst_ns = start_ns;
    app_journal_begin(a->journal, start_ns, "jam_burst", NULL);
    app_journal_text(a->journal, "name", a->scenario->jammers[jammer].name);
    app_journal_int(a->journal, "channel", channel);
    app_journal_int(a->journal, "end_ns", end_ns);
    app_journal_bool(a->journal, "on_frame", overlaps_traffic);
    app_journal_end(a->journal);
}

static int compare_int64(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

json_t *app_accounts_jam_json(const struct app_accounts *a)
{
    int64_t delays_ns[APP_MAX_JAMMERS];
    size_t n_delays = 0;
    uint64_t missed = 0, sent = 0, good = 0;
    json_t *kinds = json_array();
    for (uint32_t j = 0; j < a->scenario->n_jammers; j++) {
        const struct app_jam_account *jam = &a->jams[j];
        sent += jam->pairs_sent;
        good += jam->pairs_good;
        missed += jam->n_verdicts == 0;
        json_array_append_new(kinds, jam->n_verdicts ? json_string(a->kinds[j]) : json_null());
        if (jam->n_verdicts && jam->first_burst_ns != INT64_MIN)
            delays_ns[n_delays++] = jam->first_verdict_ns > jam->first_burst_ns ? jam->first_verdict_ns - jam->first_burst_ns : 0;
    }
    qsort(delays_ns, n_delays, sizeof delays_ns[0], compare_int64);
    json_t *p50 = n_delays ? json_real((double)delays_ns[(n_delays - 1) / 2] / 1e6) : json_null();
    json_t *during = sent ? json_real((double)good / (double)sent) : json_null();
    return json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:I, s:I}", "episodes", (json_int_t)a->scenario->n_jammers, "verdicts",
                     (json_int_t)a->n_verdicts, "missed", (json_int_t)missed, "false", (json_int_t)a->n_false_verdicts, "kinds",
                     kinds, "p50_to_verdict_ms", p50, "delivery_during", during, "evidence_records", (json_int_t)a->n_evidence,
                     "evidence_confirmed", (json_int_t)a->n_evidence_confirmed);
}
