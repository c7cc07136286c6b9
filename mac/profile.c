/* Timing profiles. */
#include "mac/frame.h"
#include "mac/mac.h"

#include <errno.h>
#include <string.h>

static const int64_t host_step_ns = 100000;
static const int64_t propagation_ns = 1000;
static const int64_t longest_slot_ns = 1000000000;

/* slot and SIFS as in IEEE 802.11 table 17-21 */
static const struct row {
    const char *name;
    int64_t slot_ns, sifs_ns;
    bool edca;
    unsigned aifsn[MAC_N_CATEGORIES];
} rows[] = {
    {"dot11-10", 13000, 32000, false, {2, 2, 2, 2}},
    {"dot11p-10", 13000, 32000, true, {2, 3, 6, 9}},
    {"dot11a-20", 9000, 16000, false, {2, 2, 2, 2}},
    {"dot11-5", 21000, 64000, false, {2, 2, 2, 2}},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

static struct mac_profile fill(const struct row *row, int64_t rx_start_delay_ns)
{
    /* Broadcasts have no ACK to repair a collision, and consensus makes many stations answer at once: they draw from a wider window. */
    struct mac_profile p = {
        .name = row->name,
        .access = MAC_ACCESS_DCF,
        .slot_ns = row->slot_ns,
        .sifs_ns = row->sifs_ns,
        .rx_start_delay_ns = rx_start_delay_ns,
        .cw_min = {[MAC_CAT_VOTE] = 63, [MAC_CAT_PROPOSAL] = 63, [MAC_CAT_GOSSIP] = 63, [MAC_CAT_DATA] = 15},
        .cw_max = 1023,
        .edca = row->edca,
        .retry_limit = 7,
        .rts_threshold_bytes = SIZE_MAX,
        .rts_retry_limit = 7,
        .lifetime_ns = 500000000,
        .data_rate = 1,
        .basic_rate = 0,
        .fragment_bytes = 1500,
        .txop_ns = 20000000,
        .aloha_slot_ns = 5000000,
        .aloha_one_in = 4,
    };
    memcpy(p.aifsn, row->aifsn, sizeof p.aifsn);
    return p;
}

struct mac_profile mac_profile_dot11_10(int64_t rx_start_delay_ns)
{
    return fill(&rows[0], rx_start_delay_ns);
}

int mac_profile_by_name(const char *name, int64_t rx_start_delay_ns, struct mac_profile *out)
{
    for (size_t i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i].name, name) == 0) {
            *out = fill(&rows[i], rx_start_delay_ns);
            return 0;
        }
    return -ENOENT;
}

const char *mac_profile_name(size_t i)
{
    return i < N_ROWS ? rows[i].name : NULL;
}

static int64_t round_up(int64_t ns)
{
    return (ns + host_step_ns - 1) / host_step_ns * host_step_ns;
}

static bool is_time(int64_t ns)
{
    return ns >= 0 && ns <= longest_slot_ns;
}

int mac_profile_host(const struct mac_host_timing *t, struct mac_profile *out, const char **why_out)
{
    *why_out = "a time of the radio is negative, or longer than 1 s";
    if (t->turnaround_ns == 0)
        *why_out = "a turnaround of nothing was not measured";
    if (t->turnaround_ns == 0 || t->ack_ns == 0 || !is_time(t->turnaround_ns) || !is_time(t->cca_delay_ns) ||
        !is_time(t->rx_start_delay_ns) || !is_time(t->ack_ns))
        return -EINVAL;
    struct mac_profile p = mac_profile_dot11_10(t->rx_start_delay_ns);
    p.name = "host";
    p.turnaround_ns = t->turnaround_ns;
    p.sifs_ns = round_up(t->turnaround_ns);
    p.slot_ns = round_up(t->turnaround_ns + t->cca_delay_ns + propagation_ns);
    *why_out = "the turnaround is so long that a slot exceeds 1 s";
    if (p.slot_ns > longest_slot_ns)
        return -ERANGE;
    *why_out = "the turnaround is so long that a Duration field, 32767 us at most, cannot cover SIFS and ACK";
    if (!t->no_hidden_stations && p.sifs_ns + t->ack_ns > MAC_MAX_DURATION_US * INT64_C(1000))
        return -ERANGE;
    *why_out = NULL;
    /* Slots are long here and airtimes are not: a window grows no further than waiting costs more than the collision it avoids. */
    for (size_t i = 0; i < MAC_N_CATEGORIES; i++)
        p.cw_min[i] = 15;
    p.cw_max = 255;
    /* A message may wait for two of the largest windows; fragments of one still follow each other. */
    int64_t wait_ns = 2 * (int64_t)p.cw_max * p.slot_ns;
    p.lifetime_ns = wait_ns > p.lifetime_ns ? wait_ns : p.lifetime_ns;
    p.txop_ns += 8 * p.sifs_ns;
    *out = p;
    return 0;
}
