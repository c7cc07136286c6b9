/* Slot plans from the air: the reader alone, and one after another through a whole MAC that has votes to send. Input: records of a length
 * octet and that many octets: the sender's id, whether it is a retry, and a plan. */
#include "tests/fuzz/mac_feed.h"

/* What is read is what would have been written, octet for octet. */
static void check_round_trip(const uint8_t *data, size_t len)
{
    struct mac_slot_plan plan;
    uint8_t again[MAC_SLOT_PLAN_BYTES];
    if (mac_slot_plan_read(data, len, &plan) != MAC_SLOT_GOOD)
        return;
    require(mac_slot_plan_write(&plan, again, sizeof again) == len && memcmp(again, data, len) == 0);
    if (mac_slot_plan_check(&plan, 8, 8, 32000, 1000000000) == MAC_SLOT_GOOD)
        require(mac_slot_plan_end_ns(&plan) <= 1000000000);
}

/* Lets time pass: whatever it sends has left a moment later. */
static void run(struct mac *mac, int64_t *now_ns, int64_t until_ns, struct mac_update *out)
{
    for (unsigned n_turns = 0; mac_deadline(mac) <= until_ns; n_turns++) {
        require(n_turns < 1000);
        if (mac_deadline(mac) > *now_ns)
            *now_ns = mac_deadline(mac);
        struct mac_event tick = {.kind = MAC_EV_TICK, .now_ns = *now_ns};
        require(mac_step(mac, &tick, out) == 0);
        if (!out->transmit)
            continue;
        require(out->start_ns >= *now_ns);
        *now_ns = out->start_ns + airtime_ns(NULL, out->mpdu_len, out->rate_index);
        struct mac_event done = {.kind = MAC_EV_TX_DONE, .now_ns = *now_ns};
        require(mac_step(mac, &done, out) == 0);
    }
    *now_ns = until_ns > *now_ns ? until_ns : *now_ns;
}

static void hear(struct mac *mac, int64_t now_ns, const uint8_t *record, size_t len, struct mac_update *out)
{
    uint8_t mpdu[MAC_MAX_MPDU_BYTES], payload[20] = {0};
    struct mac_frame frame = {.kind = MAC_FRAME_DATA, .receiver = mac_broadcast, .bssid = mac_bssid, .payload = payload,
                              .payload_len = sizeof payload, .slots = record + 2, .slots_len = len - 2, .retry = (record[1] & 1) != 0};
    struct mac_event event = {.kind = MAC_EV_FRAME, .now_ns = now_ns};
    frame.transmitter = mac_address_of(record[0]);
    require(mac_frame_write(&frame, mpdu, sizeof mpdu, &event.frame.len_bytes) == 0);
    event.frame.mpdu = mpdu;
    event.frame.quality = hear_well(now_ns - 300000, now_ns);
    require(mac_step(mac, &event, out) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct mac_update out;
    struct mac *mac = open_mac((struct mac_config){.profile = mac_profile_dot11_10(40000), .queue_messages = 4, .slot_stations = 8,
                                                   .slot_rates = 8, .jam.noise_dbfs = -90});
    int64_t now_ns = 1000000;
    while (len > 0) {
        size_t n = data[0] < len - 1 ? data[0] : len - 1;
        if (n >= 2) {
            check_round_trip(data + 3, n - 2);
            hear(mac, now_ns, data + 1, n, &out);
            struct mac_event vote = {.kind = MAC_EV_SEND, .now_ns = now_ns};
            vote.send.to = mac_broadcast;
            vote.send.message = data;
            vote.send.len_bytes = n;
            (void)!mac_step(mac, &vote, &out); /* its queue may be full */
        }
        run(mac, &now_ns, now_ns + (n > 40 ? 100000 : 5000000), &out);
        data += n + 1;
        len -= n + 1;
    }
    run(mac, &now_ns, now_ns + 2000000000, &out);
    mac_close(mac);
    return 0;
}
