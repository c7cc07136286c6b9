/* A MAC that a fuzzer feeds, and what it takes for granted. */
#ifndef TESTS_FUZZ_MAC_FEED_H
#define TESTS_FUZZ_MAC_FEED_H

#include "mac/frame.h"
#include "mac/mac.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static inline int64_t airtime_ns(void *ctx, size_t mpdu_len, unsigned rate_index)
{
    (void)ctx;
    (void)rate_index;
    return 100000 + (int64_t)mpdu_len * 1500;
}

static inline void require(int holds)
{
    if (!holds)
        abort();
}

/* Seed, station and air are the same for all. */
static inline struct mac *open_mac(struct mac_config cfg)
{
    static _Alignas(64) uint8_t memory[1 << 21];
    struct mac *mac;
    const char *bad_field;
    cfg.seed = 1;
    cfg.station_id = 1;
    cfg.airtime_ns = airtime_ns;
    cfg.queue_bytes = 4096;
    cfg.max_peers = 2;
    cfg.reassembly_ns = 100000000;
    cfg.jam.window_ns = 250000000;
    cfg.jam.min_frames = 6;
    require(mac_bytes(&cfg) <= sizeof memory);
    require(mac_init(memory, sizeof memory, &cfg, &mac, &bad_field) == 0);
    return mac;
}

/* How a good frame that ends now came. */
static inline struct mac_rx_quality hear_well(int64_t start_ns, int64_t now_ns)
{
    return (struct mac_rx_quality){
        .start_ns = start_ns, .end_ns = now_ns, .header_ok = true, .fcs_ok = true, .head_dbfs = -40, .rssi_dbfs = -40, .rise_ns = -1};
}
#endif
