/* The cluster file. */
#include "apps/node_cluster.h"

#include "apps/keyfile.h"
#include "apps/options.h"
#include "apps/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static int parse_key(void *root, void *value, const char *text, char *why)
{
    (void)root;
    if (app_keyfile_parse_hex(text, value) == 0)
        return 0;
    snprintf(why, APP_YAML_MAX_WHY, "a public key has 64 hexadecimal digits, as in NAME.pub");
    return -EINVAL;
}

/* RFC 3339 in whole seconds of UTC; the way there and back finds a 31 February */
static int64_t read_time_s(const char *text)
{
    struct tm tm = {0};
    char back[32];
    if (strlen(text) != 20 ||
        sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec) != 6)
        return -1;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t seconds = timegm(&tm);
    if (!strftime(back, sizeof back, "%Y-%m-%dT%H:%M:%SZ", &tm) || strcmp(back, text) != 0)
        return -1;
    return seconds;
}

static int parse_time(void *root, void *value, const char *text, char *why)
{
    (void)root;
    int64_t seconds = read_time_s(text);
    if (seconds < 0 || seconds > CHAIN_MAX_TIME_NS / 2 / 1000000000) {
        snprintf(why, APP_YAML_MAX_WHY, "a time is written as 2026-01-31T12:00:00Z");
        return -EINVAL;
    }
    *(int64_t *)value = seconds * 1000000000;
    return 0;
}

bool app_node_endpoint_ok(const char *endpoint)
{
    const char *port = strrchr(endpoint, ':');
    uint64_t number;
    if (strncmp(endpoint, "tcp://", 6) != 0 || port <= endpoint + 6 || strpbrk(endpoint, "*; ") || strpbrk(port, "xX"))
        return false;
    return app_parse_u64(port + 1, &number) == 0 && number >= 1 && number <= 65535;
}

/* Against those before it in the file; clients are read after members */
static int check_party(const struct app_node_cluster *c, const struct app_node_party *party, const char **field_out, char *why)
{
    if (!app_keyfile_name_ok(party->name)) {
        *field_out = "name";
        snprintf(why, APP_YAML_MAX_WHY, "'%s' is no name: a-z, 0-9 and -, at most 31", party->name);
        return -EINVAL;
    }
    const struct app_node_party *lists[] = {c->members, c->clients};
    const uint32_t n[] = {c->n_members, c->n_clients};
    for (size_t list = 0; list < 2; list++)
        for (uint32_t i = 0; i < n[list]; i++) {
            const struct app_node_party *other = &lists[list][i];
            *field_out = strcmp(other->name, party->name) == 0                            ? "name"
                         : memcmp(other->ledger_key, party->ledger_key, CHAIN_KEY_BYTES) == 0 ? "ledger_key"
                         : memcmp(other->curve_key, party->curve_key, CHAIN_KEY_BYTES) == 0   ? "curve_key"
                         : *party->endpoint && strcmp(other->endpoint, party->endpoint) == 0  ? "endpoint"
                                                                                              : NULL;
            if (*field_out) {
                snprintf(why, APP_YAML_MAX_WHY, "the same as that of '%s'", other->name);
                return -EINVAL;
            }
        }
    return 0;
}

static int check_member(void *root, void *item, const char **field_out, char *why)
{
    const struct app_node_party *member = item;
    if (!app_node_endpoint_ok(member->endpoint)) {
        *field_out = "endpoint";
        snprintf(why, APP_YAML_MAX_WHY, "an endpoint is written as tcp://10.0.0.7:7400");
        return -EINVAL;
    }
    return check_party(root, member, field_out, why);
}

static int check_client(void *root, void *item, const char **field_out, char *why)
{
    return check_party(root, item, field_out, why);
}

static int check_timing(void *root, void *item, const char **field_out, char *why)
{
    (void)item;
    const struct app_node_cluster *c = root;
    if (c->timeout_ns < 3 * c->heartbeat_ns) {
        *field_out = "timeout";
        snprintf(why, APP_YAML_MAX_WHY, "must be at least three times timing.heartbeat, or one lost message looks like a lost leader");
        return -EINVAL;
    }
    if (c->timeout_max_ns < c->timeout_ns) {
        *field_out = "timeout_max";
        snprintf(why, APP_YAML_MAX_WHY, "must not be below timing.timeout");
        return -EINVAL;
    }
    return 0;
}

/* Against quiet, which is read before, and the channels before it in the file */
static int check_channel(void *root, void *item, const char **field_out, char *why)
{
    const struct chain_genesis *g = &((const struct app_node_cluster *)root)->genesis;
    const struct chain_channel *channel = item;
    if (channel->high_hz <= channel->low_hz) {
        *field_out = "high";
        snprintf(why, APP_YAML_MAX_WHY, "must be above low");
        return -EINVAL;
    }
    if (channel->quiet_phase_ns > g->quiet_period_ns - g->quiet_length_ns) {
        *field_out = "quiet_phase";
        snprintf(why, APP_YAML_MAX_WHY, "must not be above quiet.period - quiet.length");
        return -EINVAL;
    }
    for (uint32_t i = 0; i < g->n_channels; i++)
        if (channel->low_hz < g->channels[i].high_hz && g->channels[i].low_hz < channel->high_hz) {
            *field_out = "low";
            snprintf(why, APP_YAML_MAX_WHY, "overlaps with channels[%u]", (unsigned)i);
            return -EINVAL;
        }
    return 0;
}

static const char *const engines[] = {"pbft", "raft", NULL};

#define IN_CLUSTER(member) offsetof(struct app_node_cluster, member)
#define IN_GENESIS(member) (IN_CLUSTER(genesis) + offsetof(struct chain_genesis, member))
#define IN_CHANNEL(member) offsetof(struct chain_channel, member)
#define IN_PARTY(member) offsetof(struct app_node_party, member)
#define DURATION(field, at, low_ns, high_ns) {.name = field, .kind = APP_YAML_DURATION_NS, .offset = at, .min = low_ns, .max = high_ns}
#define KEY(field, at) {.name = field, .kind = APP_YAML_PARSED, .required = true, .offset = at, .parse = parse_key}
#define END {.name = ""}

/* nested mappings lie at offset 0 of the cluster, so that their rows may reach anywhere in it */
#define YEAR_NS 31536e12

static const struct app_yaml_field channel_fields[] = {
    {.name = "low", .kind = APP_YAML_FREQ_U64_HZ, .required = true, .offset = IN_CHANNEL(low_hz), .min = 1, .max = 1e12},
    {.name = "high", .kind = APP_YAML_FREQ_U64_HZ, .required = true, .offset = IN_CHANNEL(high_hz), .min = 1, .max = 1e12},
    {.name = "control", .kind = APP_YAML_BOOL, .offset = IN_CHANNEL(control)},
    {.name = "hop", .kind = APP_YAML_BOOL, .offset = IN_CHANNEL(hop)},
    DURATION("quiet_phase", IN_CHANNEL(quiet_phase_ns), 0, YEAR_NS),
    END,
};
static const struct app_yaml_field quiet_fields[] = {
    DURATION("period", IN_GENESIS(quiet_period_ns), 1e3, YEAR_NS),
    DURATION("length", IN_GENESIS(quiet_length_ns), 1, YEAR_NS),
    END,
};
static const struct app_yaml_field sensing_fields[] = {
    {.name = "p_fa", .kind = APP_YAML_REAL, .offset = IN_CLUSTER(local_p_fa), .min = 1e-9, .max = 0.5},
    {.name = "min_positive", .kind = APP_YAML_U32, .offset = IN_GENESIS(fuse_min_positive), .min = 1, .max = CHAIN_MAX_KEYS},
    {.name = "white_after", .kind = APP_YAML_U32, .offset = IN_GENESIS(white_after), .min = 0, .max = 1e6},
    {.name = "plain", .kind = APP_YAML_BOOL, .offset = IN_GENESIS(fuse_plain)},
    DURATION("decide_after", IN_GENESIS(fuse_after_ns), 1, YEAR_NS),
    END,
};
static const struct app_yaml_field lease_fields[] = {
    DURATION("transmit_expire", IN_GENESIS(transmit_expire_ns), 1e6, YEAR_NS),
    DURATION("heartbeat", IN_GENESIS(heartbeat_ns), 1e6, YEAR_NS),
    DURATION("stop", IN_GENESIS(stop_ns), 0, YEAR_NS),
    DURATION("grant", IN_GENESIS(grant_ns), 1e6, YEAR_NS),
    DURATION("drift_guard", IN_GENESIS(drift_guard_ns), 0, YEAR_NS),
    DURATION("abandon", IN_GENESIS(abandon_ns), 0, YEAR_NS),
    {.name = "reuse", .kind = APP_YAML_U32, .offset = IN_GENESIS(reuse_m), .min = 0, .max = UINT32_MAX, .unit = "m"},
    {.name = "white_space", .kind = APP_YAML_BOOL, .offset = IN_GENESIS(lease_in_white_space)},
    {.name = "max_eirp", .kind = APP_YAML_REAL, .offset = IN_CLUSTER(max_eirp_dbm_mhz), .min = -200, .max = 200, .unit = "dBm/MHz"},
    END,
};
static const struct app_yaml_field hop_fields[] = {
    DURATION("dwell", IN_GENESIS(hop_dwell_ns), 1e6, YEAR_NS),
    {.name = "rendezvous_every", .kind = APP_YAML_U32, .offset = IN_GENESIS(hop_rendezvous_every), .min = 2, .max = 1000, .unit = "slots"},
    DURATION("hold_off", IN_GENESIS(hop_hold_off_ns), 2e9, YEAR_NS),
    END,
};
static const struct app_yaml_field timing_fields[] = {
    DURATION("heartbeat", IN_CLUSTER(heartbeat_ns), 1e6, 1e10),
    DURATION("timeout", IN_CLUSTER(timeout_ns), 1e7, 6e10),
    DURATION("timeout_max", IN_CLUSTER(timeout_max_ns), 1e7, 6e11),
    DURATION("gossip", IN_CLUSTER(gossip_ns), 1e6, 6e10),
    DURATION("status", IN_CLUSTER(status_ns), 1e6, 6e10),
    DURATION("propose_delay", IN_CLUSTER(propose_delay_ns), 0, 1e10),
    DURATION("min_block_interval", IN_GENESIS(min_block_interval_ns), 0, 6e10),
    DURATION("max_skew", IN_GENESIS(max_skew_ns), 0, 6e10),
    DURATION("max_ahead", IN_GENESIS(max_ahead_ns), 1e6, 6e10),
    END,
};
static const struct app_yaml_field limit_fields[] = {
    {.name = "mempool", .kind = APP_YAML_U32, .offset = IN_CLUSTER(mempool_txs), .min = 16, .max = 4096, .unit = "transactions"},
    {.name = "batch", .kind = APP_YAML_U32, .offset = IN_CLUSTER(max_batch_bytes), .min = 1024, .max = CHAIN_MAX_BATCH_BYTES,
     .unit = "octets"},
    {.name = "put_keys", .kind = APP_YAML_U32, .offset = IN_GENESIS(put_keys), .min = 0, .max = CHAIN_MAX_PUT_KEYS},
    END,
};
static const struct app_yaml_field member_fields[] = {
    {.name = "name", .kind = APP_YAML_TEXT, .required = true, .offset = IN_PARTY(name), .cap = APP_NODE_NAME},
    {.name = "endpoint", .kind = APP_YAML_TEXT, .required = true, .offset = IN_PARTY(endpoint), .cap = APP_NODE_ENDPOINT},
    KEY("ledger_key", IN_PARTY(ledger_key)),
    KEY("curve_key", IN_PARTY(curve_key)),
    END,
};
static const struct app_yaml_field client_fields[] = {
    {.name = "name", .kind = APP_YAML_TEXT, .required = true, .offset = IN_PARTY(name), .cap = APP_NODE_NAME},
    KEY("ledger_key", IN_PARTY(ledger_key)),
    KEY("curve_key", IN_PARTY(curve_key)),
    END,
};
static const struct app_yaml_field cluster_fields[] = {
    {.name = "name", .kind = APP_YAML_TEXT, .required = true, .offset = IN_GENESIS(name), .cap = CHAIN_MAX_NAME},
    {.name = "engine", .kind = APP_YAML_TEXT, .required = true, .offset = IN_GENESIS(engine), .cap = 8, .choices = engines},
    {.name = "time", .kind = APP_YAML_PARSED, .required = true, .offset = IN_GENESIS(time_ns), .parse = parse_time},
    {.name = "quiet", .kind = APP_YAML_MAP, .fields = quiet_fields},
    {.name = "channels", .kind = APP_YAML_LIST, .required = true, .item = APP_YAML_MAP, .offset = IN_GENESIS(channels), .min_items = 1,
     .cap = CHAIN_MAX_CHANNELS, .stride = sizeof(struct chain_channel), .count_offset = IN_GENESIS(n_channels), .fields = channel_fields,
     .check = check_channel},
    {.name = "sensing", .kind = APP_YAML_MAP, .fields = sensing_fields},
    {.name = "lease", .kind = APP_YAML_MAP, .fields = lease_fields},
    {.name = "hop", .kind = APP_YAML_MAP, .fields = hop_fields},
    {.name = "timing", .kind = APP_YAML_MAP, .fields = timing_fields, .check = check_timing},
    {.name = "limits", .kind = APP_YAML_MAP, .fields = limit_fields},
    {.name = "admission", .kind = APP_YAML_MAP, .offset = IN_CLUSTER(rules), .fields = app_genesis_admission_fields},
    {.name = "access", .kind = APP_YAML_MAP, .offset = IN_CLUSTER(rules), .fields = app_genesis_access_fields, .check = app_genesis_check_access},
    {.name = "units", .kind = APP_YAML_MAP, .offset = IN_CLUSTER(rules), .fields = app_genesis_unit_fields, .check = app_genesis_check_units},
    {.name = "members", .kind = APP_YAML_LIST, .required = true, .item = APP_YAML_MAP, .offset = IN_CLUSTER(members), .min_items = 1,
     .cap = CHAIN_MAX_MEMBERS, .stride = sizeof(struct app_node_party), .count_offset = IN_CLUSTER(n_members), .fields = member_fields,
     .check = check_member},
    {.name = "clients", .kind = APP_YAML_LIST, .item = APP_YAML_MAP, .offset = IN_CLUSTER(clients), .cap = CHAIN_MAX_MEMBERS,
     .stride = sizeof(struct app_node_party), .count_offset = IN_CLUSTER(n_clients), .fields = client_fields, .check = check_client},
    END,
};

static void fill_defaults(struct app_node_cluster *c)
{
    const int64_t ms = 1000000, s = 1000000000;
    memset(c, 0, sizeof *c);
    c->genesis.quiet_period_ns = 1 * s;
    c->genesis.quiet_length_ns = 20 * ms;
    c->genesis.max_skew_ns = 50 * ms;
    c->genesis.transmit_expire_ns = 240 * s; /* WINNF-TS-0016: transmitExpireTime, heartbeatInterval, 60 s to stop */
    c->genesis.heartbeat_ns = 60 * s;
    c->genesis.stop_ns = 60 * s;
    c->genesis.grant_ns = 3600 * s;
    c->genesis.drift_guard_ns = 1 * s;
    c->genesis.abandon_ns = 480 * s;
    c->max_eirp_dbm_mhz = 20;
    c->local_p_fa = 1e-3;
    c->genesis.fuse_min_positive = 1;
    c->genesis.white_after = 3;
    c->genesis.fuse_after_ns = 2 * s;
    c->genesis.min_block_interval_ns = 10 * ms;
    c->genesis.max_ahead_ns = 500 * ms;
    c->max_batch_bytes = CHAIN_MAX_BATCH_BYTES;
    c->mempool_txs = 1024;
    c->genesis.put_keys = 16;
    c->heartbeat_ns = 100 * ms;
    c->timeout_ns = 600 * ms;
    c->timeout_max_ns = 10 * s;
    c->gossip_ns = 300 * ms;
    c->status_ns = 500 * ms;
    c->propose_delay_ns = 2 * ms;
}

/* Where the file has what the genesis block calls otherwise, and what must hold between fields that no mapping of them checks */
static const struct {
    const char *in_genesis, *field, *why;
} blames[] = {
    {"members.n_keys", "clients", "too many"},
    {"members.keys", "members", "a ledger_key of zeros"},
    {"quiet_length_ns", "quiet.length quiet.period", "quiet.length must not be above quiet.period"},
    {"heartbeat_ns", "lease.heartbeat lease.transmit_expire", "lease.heartbeat must be below lease.transmit_expire"},
    {"grant_ns", "lease.grant lease.transmit_expire", "lease.grant must not be below lease.transmit_expire"},
    {"drift_guard_ns", "lease.drift_guard lease.transmit_expire", "lease.drift_guard must be below lease.transmit_expire"},
    {"lease_in_white_space", "lease.white_space", "needs an authority"},
    {"channels.hop", "channels.hop", "a control channel is none of the hop set"},
    {"hop_dwell_ns", "hop.dwell timing.max_skew", "a hop set needs a dwell of at least 8 timing.max_skew, and is needed for one"},
    {"hop_rendezvous_every", "hop.rendezvous_every", "a hop set needs one, and is needed for one"},
    {"hop_hold_off_ns", "hop.hold_off", "a hop set needs one, and is needed for one"},
    {"max_ahead_ns", "timing.max_ahead lease.stop", "timing.max_ahead must not be above lease.stop + timing.max_skew + 2 lease.drift_guard"},
    {"fuse_min_positive", "sensing.min_positive", "must not be above the number of members and clients"},
    {"admit_votes", "admission.votes", "must not be above the number of members"},
    {"fuse_after_ns", "sensing.decide_after quiet.period", "sensing.decide_after must not be above four times quiet.period"},
};

/* Everything is read: the genesis block is made, and what is wrong between fields is found */
static int finish(void *root, void *item, const char **field_out, char *why)
{
    (void)item;
    struct app_node_cluster *c = root;
    struct chain_genesis *g = &c->genesis;
    if (c->n_members + c->n_clients > CHAIN_MAX_KEYS) {
        *field_out = "clients";
        snprintf(why, APP_YAML_MAX_WHY, "more than %d members and clients", CHAIN_MAX_KEYS);
        return -EINVAL;
    }
    g->members.n = c->n_members;
    g->members.n_keys = c->n_members + c->n_clients;
    for (uint32_t i = 0; i < g->members.n_keys; i++)
        memcpy(g->members.keys[i], app_node_cluster_party(c, i)->ledger_key, CHAIN_KEY_BYTES);
    const char *name = c->rules.authority;
    uint32_t authority = *name ? app_node_cluster_find(c, name) : 0;
    if (authority >= CHAIN_MAX_KEYS) {
        *field_out = "admission.authority";
        snprintf(why, APP_YAML_MAX_WHY, "'%s' is no member or client of the cluster", name);
        return -EINVAL;
    }
    app_genesis_set_rules(g, &c->rules, authority);
    g->max_eirp_cdbm_mhz = (int32_t)lround(c->max_eirp_dbm_mhz * 100);
    g->local_p_fa_ppb = (uint32_t)lround(c->local_p_fa * 1e9);
    g->max_batch_bytes = c->max_batch_bytes;
    const char *bad = "genesis";
    if (chain_genesis_finish(g, &c->genesis_hash, &bad) == 0)
        return 0;
    *field_out = bad;
    snprintf(why, APP_YAML_MAX_WHY, "out of range");
    for (size_t i = 0; i < sizeof blames / sizeof blames[0]; i++)
        if (strcmp(blames[i].in_genesis, bad) == 0) {
            *field_out = blames[i].field;
            snprintf(why, APP_YAML_MAX_WHY, "%s", blames[i].why);
        }
    return -EINVAL;
}

int app_node_cluster_read_text(const char *name, const void *text, size_t len, struct app_node_cluster *out, char *error_out)
{
    fill_defaults(out);
    return app_yaml_read_text(name, text, len, cluster_fields, finish, out, error_out);
}

int app_node_cluster_read(const char *path, struct app_node_cluster *out, char *error_out)
{
    fill_defaults(out);
    return app_yaml_read(path, cluster_fields, finish, out, error_out);
}

const struct app_node_party *app_node_cluster_party(const struct app_node_cluster *c, uint32_t id)
{
    if (id < c->n_members)
        return &c->members[id];
    return id - c->n_members < c->n_clients ? &c->clients[id - c->n_members] : NULL;
}

uint32_t app_node_cluster_find(const struct app_node_cluster *c, const char *name)
{
    for (uint32_t i = 0; i < c->n_members + c->n_clients; i++)
        if (strcmp(app_node_cluster_party(c, i)->name, name) == 0)
            return i;
    return CHAIN_MAX_KEYS;
}

uint32_t app_node_cluster_find_key(const struct app_node_cluster *c, const uint8_t ledger_key[CHAIN_KEY_BYTES])
{
    for (uint32_t i = 0; i < c->n_members + c->n_clients; i++)
        if (memcmp(app_node_cluster_party(c, i)->ledger_key, ledger_key, CHAIN_KEY_BYTES) == 0)
            return i;
    return CHAIN_MAX_KEYS;
}
