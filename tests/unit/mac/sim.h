/* A small medium in virtual time for MACs under test: carrier sense without delay, no propagation time, no noise. Two frames that a
 * listener hears at once destroy each other; two that begin in one instant are not even locked on. It drives the production
 * mac_step and nothing else. */
#ifndef TESTS_UNIT_MAC_SIM_H
#define TESTS_UNIT_MAC_SIM_H

#include "mac/draw.h"
#include "mac/frame.h"
#include "mac/mac.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIM_MAX_STATIONS = 50 };

/* ck_assert writes to a pipe each time that it holds; millions of events must not. */
#define SIM_REQUIRE(condition) \
    do { \
        if (!(condition)) \
            ck_abort_msg("%s", #condition); \
    } while (0)

struct sim;

struct sim_station {
    struct mac *mac;
    void *memory;
    bool on_air, waiting; /* a frame is being sent; one is to start at start_ns */
    int64_t start_ns, end_ns;
    uint8_t mpdu[MAC_MAX_MPDU_BYTES];
    size_t mpdu_len;
    bool response;
    unsigned n_heard;       /* frames on the air that it hears */
    int locked_on;          /* station whose frame it receives, -1: none */
    bool spoilt;
    int64_t rise_ns;        /* when the first frame that spoilt it began, after its own start */
    uint64_t n_delivered, n_delivered_bytes, n_acked, n_no_ack, n_sent, n_expired, n_verdicts, n_attacks;
};

struct sim {
    size_t n;
    struct mac_config cfg;
    int64_t now_ns;
    struct sim_station stations[SIM_MAX_STATIONS];
    bool deaf_to[SIM_MAX_STATIONS][SIM_MAX_STATIONS]; /* [listener][sender] */
    double loss;
    uint64_t n_lost_draws, loss_seed;
    uint64_t digest; /* of every frame and its time */
    uint64_t n_frames, n_response_frames, n_collided;
    bool (*gate)(struct sim *s, size_t i, const struct mac_update *out); /* false: refused */
    void (*on_report)(struct sim *s, size_t i, const struct mac_report *report);
    void (*on_delivery)(struct sim *s, size_t i, const struct mac_delivery *delivery);
    void *ctx;
};

/* 802.11a at 6 Mb/s: preamble and SIGNAL 20 us, then symbols of 24 bits in 4 us; FCS counted (17.4.3). */
static inline int64_t sim_airtime_11a(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    (void)ctx;
    (void)rate_index;
    int64_t bits = 16 + 8 * ((int64_t)mpdu_len + 4) + 6;
    return 20000 + (bits + 23) / 24 * 4000;
}

static inline struct mac_config sim_config_11a(void)
{
    return (struct mac_config){
        .seed = 1,
        .profile = {.name = "11a",
                    .slot_ns = 9000,
                    .sifs_ns = 16000,
                    .rx_start_delay_ns = 20000,
                    .cw_min = {15, 15, 15, 15},
                    .cw_max = 1023,
                    .aifsn = {2, 2, 2, 2},
                    .retry_limit = 7,
                    .rts_threshold_bytes = SIZE_MAX,
                    .lifetime_ns = INT64_C(1000000000000),
                    .fragment_bytes = 1500,
                    .txop_ns = 20000000},
        .airtime_ns = sim_airtime_11a,
        .queue_messages = 8,
        .queue_bytes = 1 << 18,
        .max_peers = 16,
        .reassembly_ns = 1000000000,
        .jam = {.window_ns = 250000000, .min_frames = 6, .noise_dbfs = -90},
    };
}

static inline void sim_open(struct sim *s, size_t n, const struct mac_config *cfg)
{
    memset(s, 0, sizeof *s);
    s->n = n;
    s->cfg = *cfg;
    s->loss_seed = 99;
    for (size_t i = 0; i < n; i++) {
        struct mac_config own = *cfg;
        const char *bad_field;
        own.station_id = (uint32_t)i;
        size_t len = mac_bytes(&own);
        s->stations[i].memory = aligned_alloc(64, len);
        s->stations[i].locked_on = -1;
        ck_assert_int_eq(mac_init(s->stations[i].memory, len, &own, &s->stations[i].mac, &bad_field), 0);
    }
}

static inline void sim_close(struct sim *s)
{
    for (size_t i = 0; i < s->n; i++) {
        mac_close(s->stations[i].mac);
        free(s->stations[i].memory);
    }
}

static inline int sim_feed(struct sim *s, size_t i, struct mac_event *event);

static inline void sim_digest(struct sim *s, uint64_t word)
{
    s->digest = (s->digest ^ word) * UINT64_C(0x100000001b3);
    s->digest ^= s->digest >> 29;
}

static inline void sim_carry_out(struct sim *s, size_t i, const struct mac_update *out)
{
    struct sim_station *st = &s->stations[i];
    for (size_t k = 0; k < out->n_deliveries; k++) {
        st->n_delivered++;
        st->n_delivered_bytes += out->deliveries[k].len_bytes;
        if (s->on_delivery)
            s->on_delivery(s, i, &out->deliveries[k]);
    }
    if (out->has_verdict) {
        st->n_verdicts++;
        st->n_attacks += mac_jam_is_attack(out->verdict.kind);
    }
    bool refused = false;
    if (out->transmit) {
        SIM_REQUIRE(!st->on_air && !st->waiting);
        SIM_REQUIRE(out->start_ns >= s->now_ns);
        refused = s->gate && !s->gate(s, i, out);
        if (!refused) {
            st->waiting = true;
            st->start_ns = out->start_ns;
            st->end_ns = out->start_ns + s->cfg.airtime_ns(s->cfg.airtime_ctx, out->mpdu_len, out->rate_index);
            st->mpdu_len = out->mpdu_len;
            st->response = out->is_response;
            memcpy(st->mpdu, out->mpdu, out->mpdu_len);
        }
    }
    for (size_t k = 0; k < out->n_reports; k++) {
        st->n_acked += out->reports[k].result == MAC_ACKED;
        st->n_no_ack += out->reports[k].result == MAC_NO_ACK;
        st->n_sent += out->reports[k].result == MAC_SENT;
        st->n_expired += out->reports[k].result == MAC_EXPIRED;
        if (s->on_report)
            s->on_report(s, i, &out->reports[k]);
    }
    if (refused) {
        struct mac_event done = {.kind = MAC_EV_TX_DONE};
        SIM_REQUIRE(sim_feed(s, i, &done) == 0);
    }
}

static inline int sim_feed(struct sim *s, size_t i, struct mac_event *event)
{
    static struct mac_update update[SIM_MAX_STATIONS][4]; /* a report may make a station send: steps nest */
    static unsigned depth[SIM_MAX_STATIONS];
    SIM_REQUIRE(depth[i] < 4);
    struct mac_update *out = &update[i][depth[i]++];
    event->now_ns = s->now_ns;
    int rc = mac_step(s->stations[i].mac, event, out);
    if (rc == 0)
        sim_carry_out(s, i, out);
    depth[i]--;
    return rc;
}

static inline int sim_send(struct sim *s, size_t i, struct mac_address to, enum mac_category category, const uint8_t *message, size_t len)
{
    struct mac_event event = {.kind = MAC_EV_SEND};
    event.send.id = 1;
    event.send.to = to;
    event.send.category = category;
    event.send.message = message;
    event.send.len_bytes = len;
    return sim_feed(s, i, &event);
}

static inline bool sim_hears(const struct sim *s, size_t listener, size_t sender)
{
    return listener != sender && !s->deaf_to[listener][sender];
}

static inline bool sim_lost(struct sim *s)
{
    struct mac_draw_key key = {.seed = s->loss_seed};
    double draw = (double)(mac_draw(&key, MAC_DRAW_BACKOFF, s->n_lost_draws++) >> 11) / 9007199254740992.0;
    return draw < s->loss;
}

static inline void sim_end_frame(struct sim *s, size_t sender)
{
    struct sim_station *st = &s->stations[sender];
    st->on_air = false;
    uint8_t mpdu[MAC_MAX_MPDU_BYTES]; /* TX_DONE may bring the next fragment */
    size_t mpdu_len = st->mpdu_len;
    int64_t start_ns = st->start_ns;
    memcpy(mpdu, st->mpdu, mpdu_len);
    struct mac_event done = {.kind = MAC_EV_TX_DONE};
    SIM_REQUIRE(sim_feed(s, sender, &done) == 0);
    for (size_t i = 0; i < s->n; i++) {
        struct sim_station *l = &s->stations[i];
        if (!sim_hears(s, i, sender))
            continue;
        l->n_heard--;
        if (l->locked_on == (int)sender) {
            struct mac_event frame = {.kind = MAC_EV_FRAME};
            bool good = !l->spoilt && !sim_lost(s);
            frame.frame.mpdu = mpdu;
            frame.frame.len_bytes = mpdu_len;
            frame.frame.quality = (struct mac_rx_quality){.start_ns = start_ns, .end_ns = s->now_ns, .header_ok = true,
                .fcs_ok = good, .rssi_dbfs = -60, .head_dbfs = -60, .snr_db = 30, .rise_ns = l->spoilt ? l->rise_ns : -1, .rise_db = l->spoilt ? 3 : 0};
            l->locked_on = -1;
            SIM_REQUIRE(sim_feed(s, i, &frame) == 0);
        }
        if (l->n_heard == 0) {
            struct mac_event idle = {.kind = MAC_EV_CCA_IDLE};
            SIM_REQUIRE(sim_feed(s, i, &idle) == 0);
        }
    }
}

/* All frames that start now, as each listener hears them. */
static inline void sim_start_frames(struct sim *s)
{
    bool starts[SIM_MAX_STATIONS] = {false};
    for (size_t i = 0; i < s->n; i++) {
        struct sim_station *st = &s->stations[i];
        if (!st->waiting || st->start_ns != s->now_ns)
            continue;
        starts[i] = true;
        st->waiting = false;
        st->on_air = true;
        st->locked_on = -1; /* what it was receiving is lost */
        s->n_frames++;
        s->n_response_frames += st->response;
        sim_digest(s, (uint64_t)s->now_ns);
        for (size_t k = 0; k < st->mpdu_len; k++)
            sim_digest(s, st->mpdu[k]);
    }
    for (size_t i = 0; i < s->n; i++) {
        struct sim_station *l = &s->stations[i];
        unsigned n_new = 0;
        size_t sender = 0;
        for (size_t k = 0; k < s->n; k++)
            if (starts[k] && sim_hears(s, i, k)) {
                n_new++;
                sender = k;
            }
        if (n_new == 0)
            continue;
        bool was_quiet = l->n_heard == 0;
        l->n_heard += n_new;
        if (!was_quiet || n_new > 1) {
            if (!l->spoilt && l->locked_on >= 0)
                l->rise_ns = s->now_ns - s->stations[l->locked_on].start_ns;
            l->spoilt = true;
            s->n_collided++;
        }
        struct mac_event busy = {.kind = MAC_EV_CCA_BUSY}, lock = {.kind = MAC_EV_LOCK};
        if (was_quiet)
            SIM_REQUIRE(sim_feed(s, i, &busy) == 0);
        if (was_quiet && n_new == 1 && !l->on_air) {
            l->locked_on = (int)sender;
            l->spoilt = false;
            SIM_REQUIRE(sim_feed(s, i, &lock) == 0);
        }
    }
}

/* Everything that is due at this instant: ends, then whoever has a deadline, then starts. */
static inline void sim_instant(struct sim *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->stations[i].on_air && s->stations[i].end_ns == s->now_ns)
            sim_end_frame(s, i);
    for (size_t i = 0; i < s->n; i++) {
        unsigned n_ticks = 0;
        while (mac_deadline(s->stations[i].mac) <= s->now_ns) {
            struct mac_event tick = {.kind = MAC_EV_TICK};
            SIM_REQUIRE(sim_feed(s, i, &tick) == 0);
            SIM_REQUIRE(++n_ticks < 100); /* a deadline that a tick does not move is a loop */
        }
    }
    sim_start_frames(s);
}

static inline int64_t sim_next_ns(const struct sim *s)
{
    int64_t next_ns = INT64_MAX;
    for (size_t i = 0; i < s->n; i++) {
        const struct sim_station *st = &s->stations[i];
        int64_t at_ns = mac_deadline(st->mac);
        if (st->on_air && st->end_ns < at_ns)
            at_ns = st->end_ns;
        if (st->waiting && st->start_ns < at_ns)
            at_ns = st->start_ns;
        if (at_ns < next_ns)
            next_ns = at_ns;
    }
    return next_ns;
}

static inline void sim_run_until(struct sim *s, int64_t end_ns)
{
    for (;;) {
        int64_t next_ns = sim_next_ns(s);
        if (next_ns > end_ns)
            break;
        s->now_ns = next_ns > s->now_ns ? next_ns : s->now_ns;
        sim_instant(s);
    }
    s->now_ns = end_ns;
}

static inline struct mac_stats sim_stats(const struct sim *s, size_t i)
{
    struct mac_stats stats;
    mac_stats(s->stations[i].mac, &stats);
    return stats;
}
#endif
