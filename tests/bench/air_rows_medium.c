/* One medium: all hear all, without delay or noise. Two frames that a member hears at once destroy each other; what begins in one instant is
 * locked on by nobody. A frame that is lost at a receiver arrives there with a bad FCS. */
#include "tests/bench/air_rows.h"

#include <string.h>

static const unsigned rates_mbps[] = {6, 9, 12, 18, 24, 36, 48, 54};

unsigned air_rate_index(unsigned mbps)
{
    for (unsigned i = 0; i < sizeof rates_mbps / sizeof rates_mbps[0]; i++)
        if (rates_mbps[i] == mbps)
            return i;
    air_fail("finding a rate");
}

/* IEEE 802.11 17.4.3, 20 MHz: preamble and SIGNAL 20 us, then symbols of 4 us; FCS counted. */
int64_t air_airtime_ns(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    (void)ctx;
    int64_t bits = 16 + 8 * ((int64_t)mpdu_len + 4) + 6, each = 4 * (int64_t)rates_mbps[rate_index];
    return 20000 + (bits + each - 1) / each * 4000;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static bool is_lost(struct air_cluster *c)
{
    uint64_t draw = mix(mix(c->what.seed + 0x105) + c->n_draws++ * UINT64_C(0x9e3779b97f4a7c15));
    return (double)(draw >> 11) / 9007199254740992.0 < c->what.loss;
}

void air_medium_take(struct air_cluster *c, uint32_t member)
{
    struct air_member *m = &c->members[member];
    const struct mac_update *u = &c->mac_update;
    m->waiting = true;
    m->start_ns = u->start_ns;
    m->end_ns = u->start_ns + air_airtime_ns(NULL, u->mpdu_len, u->rate_index);
    m->mpdu_len = u->mpdu_len;
    memcpy(m->mpdu, u->mpdu, u->mpdu_len);
}

static void hear_end(struct air_cluster *c, uint32_t listener, uint32_t sender, int64_t start_ns, const uint8_t *mpdu, size_t len)
{
    struct air_member *l = &c->members[listener];
    l->n_heard--;
    if (l->locked_on == (int)sender) {
        struct mac_event frame = {.kind = MAC_EV_FRAME};
        frame.frame.mpdu = mpdu;
        frame.frame.len_bytes = len;
        frame.frame.quality = (struct mac_rx_quality){.start_ns = start_ns, .end_ns = c->now_ns, .header_ok = true,
            .fcs_ok = !l->spoilt && !is_lost(c), .rssi_dbfs = -60, .head_dbfs = -60, .snr_db = 30, .rise_ns = -1};
        l->locked_on = -1;
        air_cluster_mac(c, listener, &frame);
    }
    if (l->n_heard == 0) {
        struct mac_event idle = {.kind = MAC_EV_CCA_IDLE};
        air_cluster_mac(c, listener, &idle);
    }
}

void air_medium_end(struct air_cluster *c)
{
    for (uint32_t k = 0; k < c->what.n; k++) {
        struct air_member *m = &c->members[k];
        if (!m->on_air || m->end_ns != c->now_ns)
            continue;
        uint8_t mpdu[MAC_MAX_MPDU_BYTES]; /* TX_DONE may bring the next frame */
        size_t len = m->mpdu_len;
        int64_t start_ns = m->start_ns;
        memcpy(mpdu, m->mpdu, len);
        m->on_air = false;
        struct mac_event done = {.kind = MAC_EV_TX_DONE};
        air_cluster_mac(c, k, &done);
        for (uint32_t i = 0; i < c->what.n; i++)
            if (i != k)
                hear_end(c, i, k, start_ns, mpdu, len);
    }
}

static void hear_begin(struct air_cluster *c, uint32_t listener, unsigned n_new, uint32_t sender)
{
    struct air_member *l = &c->members[listener];
    bool was_quiet = l->n_heard == 0;
    l->n_heard += n_new;
    if (!was_quiet || n_new > 1)
        l->spoilt = true;
    if (was_quiet) {
        struct mac_event busy = {.kind = MAC_EV_CCA_BUSY};
        air_cluster_mac(c, listener, &busy);
    }
    if (was_quiet && n_new == 1 && !l->on_air) {
        struct mac_event lock = {.kind = MAC_EV_LOCK};
        l->locked_on = (int)sender;
        l->spoilt = false;
        air_cluster_mac(c, listener, &lock);
    }
}

void air_medium_begin(struct air_cluster *c)
{
    unsigned n_starts = 0;
    bool starts[AIR_MAX_MEMBERS] = {false};
    for (uint32_t k = 0; k < c->what.n; k++) {
        struct air_member *m = &c->members[k];
        if (!m->waiting || m->start_ns != c->now_ns)
            continue;
        starts[k] = true;
        n_starts++;
        m->waiting = false;
        m->on_air = true;
        m->locked_on = -1; /* what it was receiving is lost */
        c->n_frames++;
    }
    for (uint32_t i = 0; n_starts > 0 && i < c->what.n; i++) {
        unsigned n_new = n_starts - starts[i];
        uint32_t sender = 0;
        while (sender < c->what.n && (!starts[sender] || sender == i))
            sender++;
        if (n_new > 0)
            hear_begin(c, i, n_new, sender);
    }
}

int64_t air_medium_next_ns(const struct air_cluster *c)
{
    int64_t next_ns = INT64_MAX;
    for (uint32_t k = 0; k < c->what.n; k++) {
        const struct air_member *m = &c->members[k];
        if (m->on_air && m->end_ns < next_ns)
            next_ns = m->end_ns;
        if (m->waiting && m->start_ns < next_ns)
            next_ns = m->start_ns;
    }
    return next_ns;
}
