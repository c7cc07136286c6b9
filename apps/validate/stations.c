#include "apps/validate/stations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apps/station/quality.h"

enum { MAX_SIGNALS = 16, MAX_TICKS = 100, NS_PER_SAMPLE = 1000000000 / APP_STATIONS_RATE_HZ };

int64_t app_stations_ns(uint64_t sample)
{
    return (int64_t)sample * NS_PER_SAMPLE;
}

uint64_t app_stations_sample(int64_t ns)
{
    return (uint64_t)((ns + NS_PER_SAMPLE - 1) / NS_PER_SAMPLE);
}

int64_t app_stations_airtime_ns(void *waveform, size_t mpdu_len, unsigned rate_index)
{
    const struct phy_waveform *w = waveform;
    return app_stations_ns(w->frame_samples(mpdu_len + 4, rate_index));
}

/* --- opening and closing --- */

int app_stations_open(struct app_stations *all, uint32_t i, const struct phy_config *phy, const struct mac_config *mac, const char **why_out)
{
    struct app_driven_station *s = &all->each[i];
    size_t n_phy = (phy_bytes(phy) + 63) / 64 * 64, n_mac = (mac_bytes(mac) + 63) / 64 * 64;
    *s = (struct app_driven_station){.phy_memory = s->phy_memory ? s->phy_memory : aligned_alloc(64, n_phy),
                             .mac_memory = s->mac_memory ? s->mac_memory : aligned_alloc(64, n_mac)};
    *why_out = "memory";
    if (!s->phy_memory || !s->mac_memory)
        return -ENOMEM;
    int rc = phy_init(s->phy_memory, n_phy, phy, &s->phy, why_out);
    if (rc == 0)
        rc = mac_init(s->mac_memory, n_mac, mac, &s->mac, why_out);
    if (rc == 0)
        s->deadline_ns = mac_deadline(s->mac);
    return rc;
}

void app_stations_close(struct app_stations *all)
{
    for (uint32_t i = 0; i < APP_STATIONS_MAX; i++) {
        struct app_driven_station *s = &all->each[i];
        if (s->phy)
            phy_close(s->phy);
        if (s->mac)
            mac_close(s->mac);
        free(s->phy_memory);
        free(s->mac_memory);
    }
}

/* --- driving --- */

static int transmit(struct app_stations *all, uint32_t i)
{
    struct app_driven_station *s = &all->each[i];
    const struct mac_update *mu = &all->mac_update;
    struct phy_event event = {.kind = PHY_EV_TRANSMIT};
    event.transmit.start_sample = app_stations_sample(mu->start_ns);
    event.transmit.mpdu = mu->mpdu;
    event.transmit.len_bytes = mu->mpdu_len;
    event.transmit.rate_index = mu->rate_index;
    int rc = phy_step(s->phy, &event, &all->phy_update);
    if (rc != 0 || s->sending || all->phy_update.burst_len > all->burst_cap)
        return -EPROTO;
    s->sending = true;
    s->send_start = event.transmit.start_sample;
    s->send_end = s->send_start + all->phy_update.burst_len;
    return all->emit(all->ctx, i);
}

int app_stations_feed(struct app_stations *all, uint32_t i, const struct mac_event *event)
{
    struct app_driven_station *s = &all->each[i];
    int rc = mac_step(s->mac, event, &all->mac_update);
    s->deadline_ns = mac_deadline(s->mac);
    if (rc == 0 && all->mac_update.transmit)
        rc = transmit(all, i);
    return rc == 0 ? all->took(all->ctx, i, event->now_ns) : rc;
}

bool app_stations_is_deaf(const struct app_stations *all, uint32_t i, uint64_t sample)
{
    const struct app_driven_station *s = &all->each[i];
    return s->sending && sample >= s->send_start && sample < s->send_end;
}

int app_stations_hear(struct app_stations *all, uint32_t i, const struct phy_event *heard)
{
    struct phy_signal signals[MAX_SIGNALS];
    int rc = phy_step(all->each[i].phy, heard, &all->phy_update);
    size_t n_signals = all->phy_update.n_signals;
    if (rc != 0 || n_signals > MAX_SIGNALS)
        return rc != 0 ? rc : -EPROTO;
    memcpy(signals, all->phy_update.signals, n_signals * sizeof *signals); /* a frame that one of them brings about overwrites them */
    for (size_t k = 0; k < n_signals && rc == 0; k++) {
        struct mac_event event;
        if (!app_mac_event(&signals[k], APP_STATIONS_RATE_HZ, &event))
            continue;
        if (all->signal)
            all->signal(all->ctx, i, &event);
        rc = app_stations_feed(all, i, &event);
    }
    return rc;
}

int app_stations_work(struct app_stations *all, uint32_t i, uint64_t now)
{
    struct app_driven_station *s = &all->each[i];
    int rc = 0;
    if (s->sending && s->send_end <= now) {
        struct mac_event done = {.kind = MAC_EV_TX_DONE, .now_ns = app_stations_ns(s->send_end)};
        s->sending = false;
        rc = app_stations_feed(all, i, &done);
    }
    for (int ticks = 0; rc == 0 && s->deadline_ns <= app_stations_ns(now) && ticks < MAX_TICKS; ticks++) {
        struct mac_event tick = {.kind = MAC_EV_TICK, .now_ns = app_stations_ns(now)};
        rc = app_stations_feed(all, i, &tick);
    }
    return rc;
}

uint64_t app_stations_boundary(const struct app_stations *all, uint64_t t, uint64_t most)
{
    uint64_t block_end = (t / APP_STATIONS_BLOCK + 1) * APP_STATIONS_BLOCK, next = most > t && most < block_end ? most : block_end;
    for (uint32_t i = 0; i < all->n; i++) {
        const struct app_driven_station *s = &all->each[i];
        uint64_t edges[3] = {s->sending ? s->send_start : 0, s->sending ? s->send_end : 0,
                             s->deadline_ns < app_stations_ns(next) ? app_stations_sample(s->deadline_ns) : UINT64_MAX};
        for (size_t k = 0; k < 3; k++)
            if (edges[k] > t && edges[k] < next)
                next = edges[k];
        if (s->deadline_ns <= app_stations_ns(t))
            next = t + 1;
    }
    return next;
}
