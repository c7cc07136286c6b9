#include "chain/genesis.h"

#include <errno.h>
#include <string.h>

#include "chain/batch.h"
#include "chain/cbor.h"

enum { GENESIS_VERSION = 2, GENESIS_ITEMS = 42, HOP_ITEMS = 4, MAX_RENDEZVOUS = 1000 };

/* Upper bound of every duration: sums of a block time and some of them stay far below 2^63. */
static const int64_t MAX_DURATION_NS = INT64_C(366) * 86400 * 1000000000;
static const uint64_t MAX_HZ = UINT64_C(1000000000000);

struct range {
    const char *field;
    int64_t value, min, max;
};

static const char *check_ranges(const struct range *rows, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (rows[i].value < rows[i].min || rows[i].value > rows[i].max)
            return rows[i].field;
    return NULL;
}

static bool printable(const char *text, size_t cap)
{
    size_t len = 0;
    for (; len < cap && text[len]; len++)
        if (text[len] < 0x20 || text[len] > 0x7e)
            return false;
    return len > 0 && len < cap;
}

static const char *check_members(const struct chain_members *m)
{
    static const uint8_t nothing[CHAIN_KEY_BYTES];
    if (m->n < 1 || m->n > CHAIN_MAX_MEMBERS)
        return "members.n";
    if (m->n_keys < m->n || m->n_keys > CHAIN_MAX_KEYS)
        return "members.n_keys";
    for (uint32_t i = 0; i < m->n_keys; i++) {
        if (memcmp(m->keys[i], nothing, CHAIN_KEY_BYTES) == 0)
            return "members.keys";
        for (uint32_t j = 0; j < i; j++)
            if (memcmp(m->keys[i], m->keys[j], CHAIN_KEY_BYTES) == 0)
                return "members.keys";
    }
    return NULL;
}

static const char *check_channels(const struct chain_genesis *g)
{
    if (g->n_channels < 1 || g->n_channels > CHAIN_MAX_CHANNELS)
        return "n_channels";
    for (uint32_t i = 0; i < g->n_channels; i++) {
        const struct chain_channel *c = &g->channels[i];
        if (c->low_hz >= c->high_hz || c->high_hz > MAX_HZ)
            return "channels.high_hz";
        if (c->control && c->hop)
            return "channels.hop";
        if (c->quiet_phase_ns < 0 || c->quiet_phase_ns > g->quiet_period_ns - g->quiet_length_ns)
            return "channels.quiet_phase_ns";
        for (uint32_t j = 0; j < i; j++)
            if (c->low_hz < g->channels[j].high_hz && g->channels[j].low_hz < c->high_hz)
                return "channels.low_hz";
    }
    return NULL;
}

/* Two slots' edges, each with everybody's clock on either side, leave half of a slot. */
static const char *check_hop(const struct chain_genesis *g)
{
    bool hops = chain_genesis_hop_set(g) != 0;
    const struct range rows[] = {
        {"hop_dwell_ns", g->hop_dwell_ns, hops ? 1000000 : 0, hops ? MAX_DURATION_NS : 0},
        {"hop_dwell_ns", g->hop_dwell_ns, hops ? 8 * g->max_skew_ns : 0, MAX_DURATION_NS},
        {"hop_rendezvous_every", g->hop_rendezvous_every, hops ? 2 : 0, hops ? MAX_RENDEZVOUS : 0},
        {"hop_hold_off_ns", g->hop_hold_off_ns, hops ? 2000000000 : 0, hops ? MAX_DURATION_NS : 0},
    };
    return check_ranges(rows, sizeof rows / sizeof *rows);
}

static const char *check_rules(const struct chain_genesis *g)
{
    const struct range rows[] = {
        {"authority", g->authority, 0, g->has_authority ? g->members.n_keys - 1 : 0},
        {"admit_votes", g->admit_votes, 0, g->members.n},
        {"access_window_ns", g->access_window_ns, g->access_threshold > 0, MAX_DURATION_NS},
        {"access_threshold", g->access_threshold, 0, CHAIN_MAX_ACCESS},
        {"bar_ns", g->bar_ns, g->access_threshold > 0, MAX_DURATION_NS},
        {"refund_permille", g->refund_permille, 0, 1000},
        {"put_keys", g->put_keys, 0, CHAIN_MAX_PUT_KEYS},
    };
    if (g->supply > CHAIN_MAX_SUPPLY)
        return "supply";
    if (g->endowment > g->supply)
        return "endowment";
    return check_ranges(rows, sizeof rows / sizeof *rows);
}

static const char *check_fields(const struct chain_genesis *g)
{
    if (!printable(g->name, sizeof g->name))
        return "name";
    if (strncmp(g->engine, "pbft", sizeof g->engine) != 0 && strncmp(g->engine, "raft", sizeof g->engine) != 0)
        return "engine";
    const char *bad = check_members(&g->members);
    if (bad)
        return bad;
    const struct range bases[] = {
        {"quiet_period_ns", g->quiet_period_ns, 1000, MAX_DURATION_NS},
        {"transmit_expire_ns", g->transmit_expire_ns, 1, MAX_DURATION_NS},
    };
    bad = check_ranges(bases, sizeof bases / sizeof *bases);
    if (bad)
        return bad;
    const struct range rows[] = { /* some depend on the ones above */
        {"time_ns", g->time_ns, 0, CHAIN_MAX_TIME_NS / 2},
        {"quiet_length_ns", g->quiet_length_ns, 1, g->quiet_period_ns},
        {"max_skew_ns", g->max_skew_ns, 0, MAX_DURATION_NS},
        {"heartbeat_ns", g->heartbeat_ns, 1, g->transmit_expire_ns - 1},
        {"stop_ns", g->stop_ns, 0, MAX_DURATION_NS},
        {"grant_ns", g->grant_ns, g->transmit_expire_ns, MAX_DURATION_NS},
        {"drift_guard_ns", g->drift_guard_ns, 0, g->transmit_expire_ns - 1},
        {"abandon_ns", g->abandon_ns, 0, MAX_DURATION_NS},
        {"lease_in_white_space", g->lease_in_white_space, 0, g->has_authority},
        {"max_eirp_cdbm_mhz", g->max_eirp_cdbm_mhz, -20000, 20000},
        {"local_p_fa_ppb", g->local_p_fa_ppb, 1, 500000000},
        {"fuse_min_positive", g->fuse_min_positive, 1, g->members.n_keys},
        {"white_after", g->white_after, 0, 1000000},
        {"fuse_after_ns", g->fuse_after_ns, 1, 4 * g->quiet_period_ns},
        {"min_block_interval_ns", g->min_block_interval_ns, 0, MAX_DURATION_NS},
        {"max_ahead_ns", g->max_ahead_ns, 0, g->stop_ns + g->max_skew_ns + 2 * g->drift_guard_ns},
        {"max_batch_bytes", g->max_batch_bytes > INT64_MAX ? INT64_MAX : (int64_t)g->max_batch_bytes, 1024,
         CHAIN_MAX_BATCH_BYTES},
    };
    bad = check_ranges(rows, sizeof rows / sizeof *rows);
    bad = bad ? bad : check_rules(g);
    bad = bad ? bad : check_channels(g);
    return bad ? bad : check_hop(g);
}

int chain_genesis_finish(struct chain_genesis *g, struct chain_hash *hash_out, const char **bad_field_out)
{
    const char *bad = check_fields(g);
    if (bad) {
        if (bad_field_out)
            *bad_field_out = bad;
        return -EINVAL;
    }
    uint8_t octets[CHAIN_MAX_GENESIS_BYTES];
    long len = chain_genesis_encode(g, octets, sizeof octets);
    struct chain_hash hash;
    chain_hash_of(octets, (size_t)len, &hash);
    memcpy(g->members.chain_id, hash.octets, sizeof g->members.chain_id);
    chain_members_seat_in_order(&g->members);
    if (hash_out)
        *hash_out = hash;
    return 0;
}

static void put_channels(struct chain_cbor_writer *w, const struct chain_genesis *g)
{
    chain_cbor_put_array(w, g->n_channels);
    for (uint32_t i = 0; i < g->n_channels; i++) {
        const struct chain_channel *c = &g->channels[i];
        chain_cbor_put_array(w, 4);
        chain_cbor_put_uint(w, c->low_hz);
        chain_cbor_put_uint(w, c->high_hz);
        chain_cbor_put_bool(w, c->control);
        chain_cbor_put_int(w, c->quiet_phase_ns);
    }
}

/* Only where there is a hop set: a chain without one has the octets, and the name, that it always had. */
static void put_hop(struct chain_cbor_writer *w, const struct chain_genesis *g)
{
    uint8_t set = chain_genesis_hop_set(g);
    if (set == 0)
        return;
    chain_cbor_put_array(w, HOP_ITEMS);
    chain_cbor_put_uint(w, set);
    chain_cbor_put_int(w, g->hop_dwell_ns);
    chain_cbor_put_uint(w, g->hop_rendezvous_every);
    chain_cbor_put_int(w, g->hop_hold_off_ns);
}

static void put_rules(struct chain_cbor_writer *w, const struct chain_genesis *g)
{
    if (g->has_authority)
        chain_cbor_put_uint(w, g->authority);
    else
        chain_cbor_put_null(w);
    chain_cbor_put_uint(w, g->admit_votes);
    chain_cbor_put_uint(w, g->witness_range_m);
    chain_cbor_put_uint(w, g->access_threshold);
    chain_cbor_put_int(w, g->access_window_ns);
    chain_cbor_put_int(w, g->bar_ns);
    chain_cbor_put_uint(w, g->supply);
    chain_cbor_put_uint(w, g->endowment);
    chain_cbor_put_uint(w, g->grant_price);
    chain_cbor_put_uint(w, g->share_rebate);
    chain_cbor_put_uint(w, g->refund_permille);
    chain_cbor_put_uint(w, g->sense_reward);
    chain_cbor_put_uint(w, g->accuse_reward);
    chain_cbor_put_uint(w, g->put_keys);
}

long chain_genesis_encode(const struct chain_genesis *g, uint8_t *out, size_t cap)
{
    struct chain_cbor_writer w = {.out = out, .cap = cap};
    chain_cbor_put_array(&w, GENESIS_ITEMS + (chain_genesis_hop_set(g) != 0));
    chain_cbor_put_uint(&w, GENESIS_VERSION);
    chain_cbor_put_text(&w, g->name);
    chain_cbor_put_text(&w, g->engine);
    chain_cbor_put_int(&w, g->time_ns);
    chain_cbor_put_uint(&w, g->members.epoch);
    chain_cbor_put_uint(&w, g->members.n);
    chain_cbor_put_array(&w, g->members.n_keys);
    for (uint32_t i = 0; i < g->members.n_keys; i++)
        chain_cbor_put_bytes(&w, g->members.keys[i], CHAIN_KEY_BYTES);
    put_channels(&w, g);
    chain_cbor_put_int(&w, g->quiet_period_ns);
    chain_cbor_put_int(&w, g->quiet_length_ns);
    chain_cbor_put_int(&w, g->max_skew_ns);
    chain_cbor_put_int(&w, g->transmit_expire_ns);
    chain_cbor_put_int(&w, g->heartbeat_ns);
    chain_cbor_put_int(&w, g->stop_ns);
    chain_cbor_put_int(&w, g->grant_ns);
    chain_cbor_put_int(&w, g->drift_guard_ns);
    chain_cbor_put_int(&w, g->max_eirp_cdbm_mhz);
    chain_cbor_put_uint(&w, g->local_p_fa_ppb);
    chain_cbor_put_uint(&w, g->fuse_min_positive);
    chain_cbor_put_uint(&w, g->white_after);
    chain_cbor_put_int(&w, g->fuse_after_ns);
    chain_cbor_put_int(&w, g->min_block_interval_ns);
    chain_cbor_put_int(&w, g->max_ahead_ns);
    chain_cbor_put_uint(&w, g->max_batch_bytes);
    chain_cbor_put_int(&w, g->abandon_ns);
    chain_cbor_put_uint(&w, g->reuse_m);
    chain_cbor_put_bool(&w, g->lease_in_white_space);
    chain_cbor_put_bool(&w, g->fuse_plain);
    put_rules(&w, g);
    put_hop(&w, g);
    return chain_cbor_finish(&w);
}

static void get_members_and_channels(struct chain_cbor_reader *r, struct chain_genesis *g)
{
    g->members.epoch = chain_cbor_get_u32(r);
    g->members.n = chain_cbor_get_u32(r);
    g->members.n_keys = (uint32_t)chain_cbor_get_array(r, CHAIN_MAX_KEYS);
    for (uint32_t i = 0; i < g->members.n_keys; i++)
        chain_cbor_get_fixed(r, g->members.keys[i], CHAIN_KEY_BYTES);
    g->n_channels = (uint32_t)chain_cbor_get_array(r, CHAIN_MAX_CHANNELS);
    for (uint32_t i = 0; i < g->n_channels; i++) {
        struct chain_channel *c = &g->channels[i];
        chain_cbor_expect_array(r, 4);
        c->low_hz = chain_cbor_get_uint(r);
        c->high_hz = chain_cbor_get_uint(r);
        c->control = chain_cbor_get_bool(r);
        c->quiet_phase_ns = chain_cbor_get_int(r);
    }
}

static void get_rules(struct chain_cbor_reader *r, struct chain_genesis *g)
{
    g->has_authority = !chain_cbor_get_null(r);
    if (g->has_authority)
        g->authority = chain_cbor_get_u32(r);
    g->admit_votes = chain_cbor_get_u32(r);
    g->witness_range_m = chain_cbor_get_u32(r);
    g->access_threshold = chain_cbor_get_u32(r);
    g->access_window_ns = chain_cbor_get_int(r);
    g->bar_ns = chain_cbor_get_int(r);
    g->supply = chain_cbor_get_uint(r);
    g->endowment = chain_cbor_get_uint(r);
    g->grant_price = chain_cbor_get_u32(r);
    g->share_rebate = chain_cbor_get_u32(r);
    g->refund_permille = chain_cbor_get_u32(r);
    g->sense_reward = chain_cbor_get_u32(r);
    g->accuse_reward = chain_cbor_get_u32(r);
    g->put_keys = chain_cbor_get_u32(r);
}

static void get_hop(struct chain_cbor_reader *r, struct chain_genesis *g)
{
    chain_cbor_expect_array(r, HOP_ITEMS);
    uint64_t set = chain_cbor_get_uint(r);
    g->hop_dwell_ns = chain_cbor_get_int(r);
    g->hop_rendezvous_every = chain_cbor_get_u32(r);
    g->hop_hold_off_ns = chain_cbor_get_int(r);
    if (set == 0 || set >> g->n_channels != 0)
        r->bad = true;
    for (uint32_t c = 0; c < g->n_channels; c++)
        g->channels[c].hop = set >> c & 1;
}

int chain_genesis_decode(struct chain_genesis *out, const uint8_t *data, size_t len)
{
    struct chain_cbor_reader r = {.data = data, .len = len};
    memset(out, 0, sizeof *out);
    size_t n_items = chain_cbor_get_array(&r, GENESIS_ITEMS + 1);
    if (n_items < GENESIS_ITEMS || chain_cbor_get_uint(&r) != GENESIS_VERSION)
        r.bad = true;
    chain_cbor_get_text(&r, out->name, sizeof out->name);
    chain_cbor_get_text(&r, out->engine, sizeof out->engine);
    out->time_ns = chain_cbor_get_int(&r);
    get_members_and_channels(&r, out);
    out->quiet_period_ns = chain_cbor_get_int(&r);
    out->quiet_length_ns = chain_cbor_get_int(&r);
    out->max_skew_ns = chain_cbor_get_int(&r);
    out->transmit_expire_ns = chain_cbor_get_int(&r);
    out->heartbeat_ns = chain_cbor_get_int(&r);
    out->stop_ns = chain_cbor_get_int(&r);
    out->grant_ns = chain_cbor_get_int(&r);
    out->drift_guard_ns = chain_cbor_get_int(&r);
    out->max_eirp_cdbm_mhz = chain_cbor_get_i32(&r);
    out->local_p_fa_ppb = chain_cbor_get_u32(&r);
    out->fuse_min_positive = chain_cbor_get_u32(&r);
    out->white_after = chain_cbor_get_u32(&r);
    out->fuse_after_ns = chain_cbor_get_int(&r);
    out->min_block_interval_ns = chain_cbor_get_int(&r);
    out->max_ahead_ns = chain_cbor_get_int(&r);
    out->max_batch_bytes = chain_cbor_get_u32(&r);
    out->abandon_ns = chain_cbor_get_int(&r);
    out->reuse_m = chain_cbor_get_u32(&r);
    out->lease_in_white_space = chain_cbor_get_bool(&r);
    out->fuse_plain = chain_cbor_get_bool(&r);
    get_rules(&r, out);
    if (n_items > GENESIS_ITEMS)
        get_hop(&r, out);
    return chain_cbor_end(&r);
}

uint8_t chain_genesis_hop_set(const struct chain_genesis *g)
{
    unsigned set = 0;
    for (uint32_t c = 0; c < g->n_channels && c < CHAIN_MAX_CHANNELS; c++)
        set |= (unsigned)g->channels[c].hop << c;
    return (uint8_t)set;
}

bool chain_genesis_shares(const struct chain_genesis *g, uint32_t channel)
{
    return g->channels[channel].control || g->channels[channel].hop;
}

bool chain_genesis_is_white(const struct chain_genesis *g, uint32_t channel)
{
    return g->white_after == 0 && !chain_genesis_shares(g, channel);
}

void chain_genesis_quiet_after(const struct chain_genesis *g, uint32_t channel, int64_t t_ns, uint64_t *window_out,
                               int64_t *start_ns_out, int64_t *end_ns_out)
{
    int64_t phase_ns = g->channels[channel].quiet_phase_ns;
    int64_t since_first_end_ns = t_ns < 0 ? -1 : t_ns - phase_ns - g->quiet_length_ns;
    int64_t k = since_first_end_ns < 0 ? 0 : since_first_end_ns / g->quiet_period_ns + 1;
    *window_out = (uint64_t)k;
    *start_ns_out = k * g->quiet_period_ns + phase_ns;
    *end_ns_out = *start_ns_out + g->quiet_length_ns;
}

bool chain_genesis_window_span(const struct chain_genesis *g, uint64_t window, int64_t *start_ns_out, int64_t *end_ns_out)
{
    if (window > (uint64_t)(CHAIN_MAX_TIME_NS / g->quiet_period_ns))
        return false;
    int64_t first_ns = g->channels[0].quiet_phase_ns, last_ns = first_ns;
    for (uint32_t i = 1; i < g->n_channels; i++) {
        int64_t phase_ns = g->channels[i].quiet_phase_ns;
        first_ns = phase_ns < first_ns ? phase_ns : first_ns;
        last_ns = phase_ns > last_ns ? phase_ns : last_ns;
    }
    int64_t base_ns = (int64_t)window * g->quiet_period_ns;
    *start_ns_out = base_ns + first_ns;
    *end_ns_out = base_ns + last_ns + g->quiet_length_ns;
    return true;
}
