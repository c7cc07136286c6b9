/* Who sends under whose address. First by signature: a message that is not by whom it says it is came under the transmitter's address.
 * A member relays only what it has verified. Where the signature holds, because a valid frame was sent again, by the radio's
 * fingerprint; and nobody else sends under one's own address. The last two are evidence for the ledger, without a suspect. */
#include "apps/station/internal.h"

#include <string.h>

#include "mac/frame.h"

enum { NOTE_GAP_NS = 1000000000 };

const char *app_spoof_reason_name(enum app_spoof_reason reason)
{
    static const char *const names[APP_SPOOF_N_REASONS] = {
        [APP_SPOOF_SIGNATURE] = "signature", [APP_SPOOF_FINGERPRINT] = "fingerprint", [APP_SPOOF_OWN_ADDRESS] = "own-address"};
    return names[reason];
}

void spoof_start(struct app_station *s)
{
    for (uint32_t c = 0; c < s->n_channels; c++) {
        const struct chain_channel *channel = &s->cfg.genesis->channels[c];
        struct mac_fingerprint_config cfg = mac_fingerprint_wifi((double)(channel->low_hz + channel->high_hz) / 2);
        if (s->cfg.waveform == phy_waveform_flex())
            cfg.spread_turns *= 10; /* its offset comes from the preamble alone */
        mac_fingerprint_init(&s->fingerprints[c], &cfg, s->fingerprint_peers[c], MAX_FINGERPRINTS);
    }
}

/* Counts; NULL where this address was noted for this reason within the last second. */
static struct app_station_note *flag(struct app_station *s, enum app_spoof_reason reason, const struct mac_address *address, uint32_t channel,
                                     int64_t now_ns, struct app_station_update *out)
{
    uint32_t station = mac_station_of(address);
    if (s->n_spoofs[reason]++ && s->spoof_noted[reason].station == station && now_ns - s->spoof_noted[reason].at_ns < NOTE_GAP_NS)
        return NULL;
    s->spoof_noted[reason].station = station;
    s->spoof_noted[reason].at_ns = now_ns;
    struct app_station_note *n = note(out, APP_NOTE_SPOOF, now_ns, channel);
    n->reason = reason;
    n->id = station;
    return n;
}

void spoof_frame(struct app_station *s, uint32_t channel, const struct mac_event *event, struct app_station_update *out)
{
    const struct mac_rx_quality *q = &event->frame.quality;
    const struct mac_address self = mac_address_of(s->cfg.id);
    struct mac_frame frame;
    struct mac_fingerprint_reading reading;
    if (!q->header_ok || !q->fcs_ok || !event->frame.mpdu || mac_frame_read(event->frame.mpdu, event->frame.len_bytes, &frame) != 0 ||
        frame.kind != MAC_FRAME_DATA || !frame.ours || mac_station_of(&frame.transmitter) == UINT32_MAX)
        return;
    if (mac_address_equal(&frame.transmitter, &self)) {
        (void)flag(s, APP_SPOOF_OWN_ADDRESS, &self, channel, event->now_ns, out);
        policy_copied(s, channel, q, event->now_ns);
        return;
    }
    mac_fingerprint_observe(&s->fingerprints[channel], &frame.transmitter, q, &reading);
    if (reading.verdict == MAC_FINGERPRINT_NONE)
        return;
    policy_copied(s, channel, q, event->now_ns);
    struct app_station_note *n = flag(s, APP_SPOOF_FINGERPRINT, &frame.transmitter, channel, event->now_ns, out);
    if (!n)
        return;
    n->offset_hz = q->cfo_hz;
    n->expected_hz = reading.offset_hz;
    n->spread_hz = reading.spread_hz;
}

void spoof_forged(struct app_station *s, const struct mac_address *transmitter, int64_t now_ns, struct app_station_update *out)
{
    (void)flag(s, APP_SPOOF_SIGNATURE, transmitter, s->tuned, now_ns, out);
}

const uint8_t *spoof_address(struct app_station *s, const uint8_t *mpdu, size_t len)
{
    enum { ADDRESS_2 = 10 };
    const struct mac_address copied = mac_address_of(s->cfg.copied);
    struct mac_frame frame;
    if (len > sizeof s->spoofed || mac_frame_read(mpdu, len, &frame) != 0 || frame.kind != MAC_FRAME_DATA)
        return mpdu;
    memcpy(s->spoofed, mpdu, len);
    memcpy(s->spoofed + ADDRESS_2, copied.octets, sizeof copied.octets);
    return s->spoofed;
}

void app_station_spoofs(const struct app_station *s, uint64_t out[APP_SPOOF_N_REASONS])
{
    memcpy(out, s->n_spoofs, sizeof s->n_spoofs);
}
