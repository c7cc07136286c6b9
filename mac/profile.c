/* Timing profiles. */
#include "mac/mac.h"

struct mac_profile mac_profile_dot11_10(int64_t rx_start_delay_ns)
{
    /* Broadcasts have no ACK to repair a collision, and consensus makes many stations answer at once: they draw from a wider window. */
    return (struct mac_profile){
        .name = "dot11-10-flex",
        .slot_ns = 13000,
        .sifs_ns = 32000,
        .rx_start_delay_ns = rx_start_delay_ns,
        .cw_min = {[MAC_CAT_VOTE] = 63, [MAC_CAT_PROPOSAL] = 63, [MAC_CAT_GOSSIP] = 63, [MAC_CAT_DATA] = 15},
        .cw_max = 1023,
        .retry_limit = 7,
        .lifetime_ns = 500000000,
        .data_rate = 1,
        .basic_rate = 0,
        .fragment_bytes = 1500,
        .txop_ns = 20000000,
    };
}
