/* MPDUs from the air: the reader alone, and one after another through a whole MAC. Input: records of a length octet and that many
 * octets, each one MPDU. */
#include "tests/fuzz/mac_feed.h"

#include <errno.h>

/* What we read as ours we would have written octet for octet; of control frames all but the flags, which we send as 0. */
static void check_round_trip(const uint8_t *mpdu, size_t len)
{
    struct mac_frame frame;
    uint8_t again[MAC_MAX_MPDU_BYTES];
    size_t again_len;
    if (mac_frame_read(mpdu, len, &frame) != 0 || frame.kind == MAC_FRAME_OTHER || (frame.kind == MAC_FRAME_DATA && !frame.ours))
        return;
    require(mac_frame_write(&frame, again, sizeof again, &again_len) == 0);
    require(again_len == len);
    require(again[0] == mpdu[0]);
    require(memcmp(again + 4, mpdu + 4, len - 4) == 0);
}

/* A message of its own is on its way, so that an answer may be awaited when the next frame comes; returns when that stands. */
static int64_t send_one(struct mac *mac, int64_t now_ns, struct mac_update *out)
{
    static const uint8_t message[40];
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = now_ns};
    event.send.to = mac_address_of(2);
    event.send.message = message;
    event.send.len_bytes = sizeof message;
    int rc = mac_step(mac, &event, out);
    require(rc == 0 || rc == -ENOBUFS);
    for (int i = 0; i < 8; i++) {
        int64_t due_ns = mac_deadline(mac);
        now_ns = due_ns > now_ns && due_ns < now_ns + 2000000 ? due_ns : now_ns;
        event = (struct mac_event){.kind = MAC_EV_TICK, .now_ns = now_ns};
        require(mac_step(mac, &event, out) == 0);
        if (!out->transmit)
            continue;
        now_ns = out->start_ns + airtime_ns(NULL, out->mpdu_len, 0);
        event = (struct mac_event){.kind = MAC_EV_TX_DONE, .now_ns = now_ns};
        require(mac_step(mac, &event, out) == 0 && !out->transmit);
        break;
    }
    return now_ns + 200000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct mac_update out;
    struct mac_config cfg = {.profile = mac_profile_dot11_10(44000), .boot = 1, .queue_messages = 2, .jam.noise_dbfs = -60};
    cfg.profile.rts_threshold_bytes = 0;
    cfg.profile.n_rates = 4;
    struct mac *mac = open_mac(cfg);
    int64_t now_ns = 1000000;
    check_round_trip(data, len);
    while (len > 0) {
        size_t n = data[0] < len - 1 ? data[0] : len - 1;
        now_ns = send_one(mac, now_ns, &out);
        struct mac_event event = {.kind = MAC_EV_FRAME, .now_ns = now_ns};
        event.frame.mpdu = data + 1;
        event.frame.len_bytes = n;
        event.frame.quality = hear_well(now_ns - 150000, now_ns);
        check_round_trip(data + 1, n);
        require(mac_step(mac, &event, &out) == 0);
        for (size_t i = 0; i < out.n_deliveries; i++)
            require(out.deliveries[i].len_bytes <= MAC_MAX_MESSAGE_BYTES);
        if (out.transmit) {
            event = (struct mac_event){.kind = MAC_EV_TX_DONE, .now_ns = out.start_ns + airtime_ns(NULL, out.mpdu_len, 0)};
            require(mac_step(mac, &event, &out) == 0);
        }
        now_ns += 1000000;
        data += n + 1;
        len -= n + 1;
    }
    mac_close(mac);
    return 0;
}
