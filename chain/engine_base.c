#include "chain/engine_base.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

static const char *find_bad_field(const struct chain_engine_config *cfg)
{
    if (!cfg->members || cfg->members->n == 0 || cfg->members->n > CHAIN_MAX_MEMBERS)
        return "members";
    if (cfg->self >= cfg->members->n)
        return "self";
    if (!cfg->signer || !cfg->signer->sign || !cfg->signer->verify)
        return "signer";
    if (!cfg->check_batch)
        return "check_batch";
    if (cfg->heartbeat_ns <= 0)
        return "heartbeat_ns";
    if (cfg->timeout_ns < 2 * cfg->heartbeat_ns || cfg->timeout_ns > INT64_MAX / 8)
        return "timeout_ns";
    if (cfg->spread_ns < 0 || cfg->spread_ns > INT64_MAX / 8)
        return "spread_ns";
    if (cfg->timeout_max_ns < cfg->timeout_ns || cfg->timeout_max_ns > INT64_MAX / 8)
        return "timeout_max_ns";
    if (cfg->window > CHAIN_WINDOW)
        return "window";
    return NULL;
}

int chain_base_init(struct chain_engine_base *b, const struct chain_engine_ops *ops, const struct chain_engine_config *cfg,
                    uint8_t *scratch, size_t scratch_cap, const char **bad_field_out)
{
    const char *bad = find_bad_field(cfg);
    if (bad_field_out)
        *bad_field_out = bad;
    if (bad)
        return -EINVAL;
    b->head.ops = ops;
    b->cfg = *cfg;
    b->stats = (struct chain_engine_stats){.leader = CHAIN_TO_ALL};
    b->out = NULL;
    b->now_ns = 0;
    b->n_draws = 0;
    b->written_seq = b->persisted_seq = 0;
    b->waits = false;
    b->n_waits = 0;
    b->scratch = scratch;
    b->scratch_cap = scratch_cap;
    b->scratch_len = 0;
    return 0;
}

void chain_base_begin(struct chain_engine_base *b, const struct chain_event *in, struct chain_update *out)
{
    out->n_msgs = out->n_records = out->n_commits = 0;
    out->n_reads = out->n_proofs = 0;
    out->below_floor = out->hurry = false;
    out->persist_seq = 0;
    b->out = out;
    b->now_ns = in->now_ns;
    b->scratch_len = 0;
    if (in->kind == CHAIN_EV_PERSISTED && in->persisted_seq > b->persisted_seq && in->persisted_seq <= b->written_seq)
        b->persisted_seq = in->persisted_seq;
}

bool chain_base_access(struct chain_engine_base *b, int64_t waiting_since_ns)
{
    bool waits = waiting_since_ns != INT64_MAX;
    if (waits == b->waits)
        return false;
    b->waits = waits;
    if (!waits) {
        b->waited[(b->n_waits - 1) % CHAIN_BASE_WAITS].to_ns = b->now_ns;
        return true;
    }
    int64_t last_ns = b->n_waits > 0 ? b->waited[(b->n_waits - 1) % CHAIN_BASE_WAITS].to_ns : INT64_MIN;
    size_t at = b->n_waits++ % CHAIN_BASE_WAITS;
    b->waited[at].from_ns = waiting_since_ns > last_ns ? waiting_since_ns : last_ns; /* no time counts twice */
    b->waited[at].to_ns = INT64_MAX;
    return false;
}

int64_t chain_base_patience(const struct chain_engine_base *b, int64_t since_ns, int64_t timeout_ns)
{
    int64_t waited_ns = 0;
    for (uint32_t i = 0; i < CHAIN_BASE_WAITS && i < b->n_waits; i++) {
        int64_t from_ns = b->waited[i].from_ns > since_ns ? b->waited[i].from_ns : since_ns;
        if (b->waited[i].to_ns > from_ns)
            waited_ns = b->waited[i].to_ns == INT64_MAX ? INT64_MAX : chain_base_later(waited_ns, b->waited[i].to_ns - from_ns);
    }
    int64_t most_ns = timeout_ns < b->cfg.timeout_max_ns ? b->cfg.timeout_max_ns : timeout_ns;
    return chain_base_later(since_ns, waited_ns < most_ns - timeout_ns ? timeout_ns + waited_ns : most_ns);
}

bool chain_base_settled(const struct chain_engine_base *b)
{
    return b->persisted_seq == b->written_seq;
}

uint8_t *chain_base_room(struct chain_engine_base *b, size_t *cap_out)
{
    *cap_out = b->scratch_cap - b->scratch_len;
    return b->scratch + b->scratch_len;
}

void chain_base_take(struct chain_engine_base *b, size_t len)
{
    assert(len <= b->scratch_cap - b->scratch_len);
    b->scratch_len += len;
}

void chain_base_sign(struct chain_engine_base *b, struct chain_msg *msg)
{
    msg->author = b->cfg.self;
    if (msg->body_len > 0) {
        int rc = chain_msg_digest(b->cfg.members, msg->kind, msg->body, msg->body_len, &msg->digest);
        assert(rc == 0);
        (void)rc;
    }
    int rc = b->cfg.signer->sign(b->cfg.signer->ctx, b->cfg.members, msg);
    assert(rc == 0);
    (void)rc;
}

static bool has_nobody(const struct chain_engine_base *b, uint32_t to)
{
    return to == b->cfg.self || (to == CHAIN_TO_ALL && b->cfg.members->n == 1);
}

bool chain_base_relay(struct chain_engine_base *b, const struct chain_msg *msg, uint32_t to, bool after_persist)
{
    if (b->out->n_msgs == CHAIN_MAX_OUT_MSGS)
        return false;
    if (has_nobody(b, to))
        return true;
    b->out->msgs[b->out->n_msgs++] = (struct chain_out_msg){.msg = *msg, .to = to, .after_persist = after_persist};
    b->stats.sent++;
    return true;
}

bool chain_base_send(struct chain_engine_base *b, struct chain_msg *msg, uint32_t to, bool after_persist)
{
    if (has_nobody(b, to))
        return true;
    chain_base_sign(b, msg);
    return chain_base_relay(b, msg, to, after_persist);
}

void chain_base_expect(struct chain_engine_base *b, unsigned rounds)
{
    if (b->out->n_msgs > 0 && b->out->msgs[b->out->n_msgs - 1].to == CHAIN_TO_ALL)
        b->out->msgs[b->out->n_msgs - 1].rounds = rounds;
}

static struct chain_record *add_record(struct chain_engine_base *b)
{
    assert(b->out->n_records < CHAIN_MAX_RECORDS);
    if (b->out->persist_seq == 0)
        b->out->persist_seq = ++b->written_seq;
    b->out->hurry = true;
    return &b->out->records[b->out->n_records++];
}

void chain_base_record(struct chain_engine_base *b, uint64_t key, const uint8_t *data, size_t len)
{
    *add_record(b) = (struct chain_record){.key = key, .data = data, .len = len, .key_end = key};
}

void chain_base_delete(struct chain_engine_base *b, uint64_t key, uint64_t key_end)
{
    *add_record(b) = (struct chain_record){.key = key, .key_end = key_end};
}

void chain_base_commit(struct chain_engine_base *b, uint64_t height, const uint8_t *batch, size_t len)
{
    assert(b->out->n_commits < CHAIN_MAX_COMMITS);
    b->out->commits[b->out->n_commits++] = (struct chain_commit){.height = height, .batch = batch, .len = len};
    b->stats.committed = height;
}

static void put_le64(uint8_t *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

uint64_t chain_base_draw(struct chain_engine_base *b, const char *purpose)
{
    uint8_t counters[24], hash[16];
    put_le64(counters, b->cfg.seed);
    put_le64(counters + 8, b->cfg.self);
    put_le64(counters + 16, b->n_draws++);
    crypto_generichash(hash, sizeof hash, counters, sizeof counters, (const uint8_t *)purpose, strlen(purpose));
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value |= (uint64_t)hash[i] << (8 * i);
    return value;
}

int64_t chain_base_jitter(struct chain_engine_base *b, int64_t ns)
{
    return ns - ns / 4 + (int64_t)(chain_base_draw(b, "airdeed-engine-jitter") % (uint64_t)(ns / 2 + 1));
}

int64_t chain_base_later(int64_t at_ns, int64_t delay_ns)
{
    return at_ns > INT64_MAX - delay_ns ? INT64_MAX : at_ns + delay_ns;
}
