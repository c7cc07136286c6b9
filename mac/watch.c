/* What the detector of jamming is told: it is one for each channel that the station is ever on. */
#include "mac/internal.h"

static uint32_t count_ears(const struct mac_config *cfg)
{
    return cfg->n_channels > 0 ? cfg->n_channels : 1;
}

size_t mac_watch_bytes(const struct mac_config *cfg)
{
    return count_ears(cfg) * sizeof(struct mac_ear);
}

void mac_watch_init(struct mac *m, void *mem)
{
    m->ears = mem;
    m->n_ears = m->cfg.n_channels;
    m->ear = &m->ears[m->cfg.n_channels > 0 ? m->cfg.channel : 0];
    m->tuned_ns = INT64_MIN / 4;
    for (uint32_t i = 0; i < count_ears(&m->cfg); i++) {
        m->ears[i] = (struct mac_ear){.left_ns = INT64_MIN};
        mac_jam_init(&m->ears[i].jam, &m->cfg.jam, m->cfg.n_channels > 0 ? i : m->cfg.channel);
    }
}

int64_t mac_watch_deadline(const struct mac *m)
{
    int64_t at_ns = mac_jam_deadline(&m->ear->jam);
    return at_ns > INT64_MAX - m->ear->away_ns ? INT64_MAX : at_ns + m->ear->away_ns;
}

/* The queue may have waited longer, but elsewhere. */
static int64_t blocked_here_ns(const struct mac *m, int64_t now_ns)
{
    int64_t blocked_ns = mac_access_blocked_ns(m, now_ns), visit_ns = now_ns - m->tuned_ns;
    return m->ear->blocked_ns + (blocked_ns < visit_ns ? blocked_ns : visit_ns);
}

void mac_watch_form(struct mac *m, struct mac_jam_observation *seen, struct mac_update *out)
{
    int64_t away_ns = m->ear->away_ns;
    if (seen->kind == MAC_JAM_SEEN_FRAME || seen->kind == MAC_JAM_SEEN_TICK || seen->kind == MAC_JAM_SEEN_SHAPE)
        seen->blocked_ns = blocked_here_ns(m, seen->now_ns + away_ns);
    if (!mac_jam_form(&m->ear->jam, seen, &out->verdict))
        return;
    out->has_verdict = true;
    out->verdict.from_ns += away_ns;
    out->verdict.at_ns += away_ns;
}

void mac_watch(struct mac *m, struct mac_jam_observation *seen, struct mac_update *out)
{
    int64_t away_ns = m->ear->away_ns;
    struct mac_rx_quality quality;
    if (seen->kind == MAC_JAM_SEEN_FRAME && away_ns != 0) {
        quality = *seen->quality;
        quality.start_ns -= away_ns;
        quality.end_ns -= away_ns;
        seen->quality = &quality;
    }
    seen->now_ns -= away_ns;
    if (mac_jam_note(&m->ear->jam, seen))
        mac_watch_form(m, seen, out);
    if (seen->kind == MAC_JAM_SEEN_SENT)
        m->ear->blocked_ns = 0;
}

/* An ear that is opened for the first time has nothing to remember, and no time to leave out. */
void mac_watch_retune(struct mac *m, const struct mac_event *in, struct mac_update *out)
{
    struct mac_ear *ear = &m->ears[in->retune.channel];
    if (ear == m->ear)
        return;
    m->ear->blocked_ns = blocked_here_ns(m, in->now_ns);
    m->ear->left_ns = in->now_ns;
    m->ear->jam.locked = false;
    m->ear = ear;
    m->tuned_ns = in->now_ns;
    if (ear->left_ns != INT64_MIN)
        ear->away_ns += in->now_ns - ear->left_ns;
    struct mac_jam_observation seen = {.kind = in->retune.busy ? MAC_JAM_SEEN_BUSY : MAC_JAM_SEEN_IDLE, .now_ns = in->now_ns};
    if (ear->jam.busy != in->retune.busy)
        mac_watch(m, &seen, out);
}
