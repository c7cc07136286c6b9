/* One MAC fed by hand: each event is named, and the instant of what it answers is read. Station 0 of a small medium (sim.h), so that
 * a test may also open many. */
#ifndef TESTS_UNIT_MAC_ONE_H
#define TESTS_UNIT_MAC_ONE_H

#include "tests/unit/mac/sim.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)

enum { SLOT = 9000, SIFS = 16000, DIFS = 34000, START_DELAY = 20000, RTS_NS = 52000, ACK_NS = 44000 };

static struct sim s;
static struct mac_update out;
static struct mac *mac;
static uint8_t message[4000];

static inline void open_one(const struct mac_config *cfg)
{
    sim_open(&s, 1, cfg); /* station 0 */
    mac = s.stations[0].mac;
}

static inline int feed(enum mac_event_kind kind, int64_t now_ns)
{
    struct mac_event event = {.kind = kind, .now_ns = now_ns};
    return mac_step(mac, &event, &out);
}

static inline void hear(const struct mac_frame *frame, int64_t end_ns)
{
    uint8_t mpdu[MAC_MAX_MPDU_BYTES];
    struct mac_event event = {.kind = MAC_EV_FRAME, .now_ns = end_ns};
    event.frame.mpdu = mpdu;
    ck_assert_int_eq(mac_frame_write(frame, mpdu, sizeof mpdu, &event.frame.len_bytes), 0);
    event.frame.quality = (struct mac_rx_quality){.start_ns = end_ns - ACK_NS, .end_ns = end_ns, .header_ok = true, .fcs_ok = true,
                                                  .head_dbfs = -40, .rssi_dbfs = -40, .rise_ns = -1};
    ck_assert_int_eq(mac_step(mac, &event, &out), 0);
}

static inline void send(int64_t now_ns, struct mac_address to, size_t len)
{
    struct mac_event event = {.kind = MAC_EV_SEND, .now_ns = now_ns};
    event.send.to = to;
    event.send.category = MAC_CAT_DATA;
    event.send.message = message;
    event.send.len_bytes = len;
    ck_assert_int_eq(mac_step(mac, &event, &out), 0);
}

/* Ticks until a frame is handed out, and reads it. */
static inline int64_t next_frame(struct mac_frame *frame)
{
    for (int i = 0; i < 100; i++) {
        int64_t at_ns = mac_deadline(mac);
        ck_assert_int_ne(at_ns, INT64_MAX);
        ck_assert_int_eq(feed(MAC_EV_TICK, at_ns), 0);
        if (out.transmit) {
            ck_assert_int_eq(mac_frame_read(out.mpdu, out.mpdu_len, frame), 0);
            return out.start_ns;
        }
    }
    ck_abort_msg("it never sends");
    return 0;
}

static inline struct mac_stats stats(void)
{
    return sim_stats(&s, 0);
}

static inline struct mac_frame data_of(uint16_t sequence, uint16_t message_id, bool retry)
{
    return (struct mac_frame){.kind = MAC_FRAME_DATA, .retry = retry, .receiver = mac_address_of(0), .transmitter = mac_address_of(5),
                              .bssid = mac_bssid, .sequence = sequence, .message_id = message_id, .payload = message, .payload_len = 10};
}

#endif
