#include "chain/ledger.h"

#include <assert.h>
#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "chain/ledger_entries.h"

static size_t map_offset(void)
{
    return (sizeof(struct chain_ledger) + 15) & ~(size_t)15;
}

/* The tables have fixed bounds; only applications' records depend on genesis. */
static size_t puts_bytes(const struct chain_genesis *genesis)
{
    return (size_t)CHAIN_MAX_KEYS * genesis->put_keys * sizeof(struct chain_put);
}

size_t chain_ledger_bytes(const struct chain_genesis *genesis)
{
    if (genesis->put_keys > CHAIN_MAX_PUT_KEYS)
        return 0;
    return map_offset() + puts_bytes(genesis) + chain_map_bytes(chain_ledger_max_entries(genesis));
}

static int refuse(const char **bad_field_out, const char *field)
{
    if (bad_field_out)
        *bad_field_out = field;
    return -EINVAL;
}

/* A window is cleared when it opens, a touched key is written when it counts: they stay as they are. */
static void clear_ledger(struct chain_ledger *l)
{
    const size_t from[2] = {offsetof(struct chain_ledger, windows), offsetof(struct chain_ledger, touched.keys)};
    const size_t to[2] = {from[0] + sizeof l->windows, from[1] + sizeof l->touched.keys};
    memset(l, 0, from[0]);
    memset((uint8_t *)l + to[0], 0, from[1] - to[0]);
    memset((uint8_t *)l + to[1], 0, sizeof *l - to[1]);
}

int chain_ledger_init(void *mem, size_t len, const struct chain_genesis *genesis, const struct chain_signer *signer,
                      struct chain_ledger **out, const char **bad_field_out)
{
    if (genesis->put_keys > CHAIN_MAX_PUT_KEYS)
        return refuse(bad_field_out, "put_keys");
    if (!mem || len < chain_ledger_bytes(genesis) || (uintptr_t)mem % alignof(struct chain_ledger) != 0)
        return refuse(bad_field_out, "mem");
    if (!signer || !signer->verify)
        return refuse(bad_field_out, "signer");
    struct chain_ledger *l = mem;
    clear_ledger(l);
    l->genesis = *genesis;
    l->puts = (struct chain_put *)(void *)((uint8_t *)mem + map_offset());
    memset(l->puts, 0, puts_bytes(genesis));
    size_t map_at = map_offset() + puts_bytes(genesis);
    int rc = chain_map_init((uint8_t *)mem + map_at, len - map_at, chain_ledger_max_entries(genesis), &l->map);
    if (rc != 0)
        return refuse(bad_field_out, "mem");
    rc = chain_genesis_finish(&l->genesis, &l->genesis_hash, bad_field_out);
    if (rc != 0)
        return rc;
    if (memcmp(l->genesis.members.chain_id, genesis->members.chain_id, sizeof genesis->members.chain_id) != 0)
        return refuse(bad_field_out, "members.chain_id");
    l->signer = *signer;
    l->next_grant_id = l->next_evidence_id = l->next_record_id = l->next_motion_id = 1;
    l->treasury = genesis->supply;
    for (uint32_t c = 0; c < genesis->n_channels; c++)
        if (chain_genesis_is_white(genesis, c))
            l->channels[c] = (struct chain_channel_record){.status = CHAIN_CHANNEL_WHITE, .since_ns = genesis->time_ns};
    l->tip = (struct chain_header){.time_ns = genesis->time_ns, .batch_digest = l->genesis_hash};
    chain_merkle_root(NULL, NULL, 0, &l->tip.tx_root);
    chain_merkle_init(&l->below);
    chain_merkle_finish(&l->below, &l->tip.history_root);
    chain_ledger_rebuild_root(l, &l->tip.state_root);
    chain_header_hash(&l->tip, &l->tip_hash);
    *out = l;
    return 0;
}

struct chain_ledger_event *chain_ledger_emit(struct chain_ledger *l, enum chain_ledger_event_kind kind)
{
    assert(l->n_events < l->cap_events);
    struct chain_ledger_event *event = &l->events[l->n_events++];
    memset(event, 0, sizeof *event);
    event->kind = kind;
    event->height = l->height;
    event->block_time_ns = l->time_ns;
    event->station = CHAIN_MAX_KEYS;
    event->channel = CHAIN_MAX_CHANNELS;
    return event;
}

/* Members, and whoever minds the chain rather than a radio, need no station. */
static bool takes_station(enum chain_op_kind kind)
{
    switch (kind) {
    case CHAIN_OP_REGISTER:
    case CHAIN_OP_ADMIT:
    case CHAIN_OP_RECONFIGURE:
    case CHAIN_OP_EQUIVOCATION:
    case CHAIN_OP_SPECTRUM:
    case CHAIN_OP_WITHDRAW:
    case CHAIN_OP_PUT:
    case CHAIN_OP_PAY:
    case CHAIN_OP_HOP_EPOCH:
        return false;
    default:
        return true;
    }
}

static enum chain_response carry_out(struct chain_ledger *l, uint32_t author, const struct chain_op *op, struct chain_ledger_event *subject)
{
    switch (op->kind) {
    case CHAIN_OP_REGISTER:
        return chain_ledger_register(l, author, op);
    case CHAIN_OP_SENSE_COMMIT:
        subject->id = op->commit.window;
        return chain_ledger_commit(l, author, op);
    case CHAIN_OP_SENSE_REVEAL:
        subject->id = op->reveal.window;
        return chain_ledger_reveal(l, author, op);
    case CHAIN_OP_GRANT:
        return chain_ledger_request_grant(l, author, op, subject);
    case CHAIN_OP_HEARTBEAT:
        return chain_ledger_heartbeat(l, author, op->lease.grant_id, subject);
    case CHAIN_OP_RELINQUISH:
        return chain_ledger_relinquish(l, author, op->lease.grant_id, subject);
    case CHAIN_OP_EVIDENCE:
        return chain_ledger_add_evidence(l, author, op, subject);
    case CHAIN_OP_ADMIT:
        return chain_ledger_admit(l, author, op, subject);
    case CHAIN_OP_MOVE:
        return chain_ledger_move(l, author, op);
    case CHAIN_OP_DEREGISTER:
        return chain_ledger_deregister(l, author);
    case CHAIN_OP_RECONFIGURE:
        return chain_ledger_reconfigure(l, author, op, subject);
    case CHAIN_OP_EQUIVOCATION:
        return chain_ledger_accuse(l, author, op, subject);
    case CHAIN_OP_SPECTRUM:
        return chain_ledger_add_record(l, author, op, subject);
    case CHAIN_OP_WITHDRAW:
        return chain_ledger_withdraw(l, author, op->withdraw.record_id, subject);
    case CHAIN_OP_PUT:
        subject->id = op->put.key;
        return chain_ledger_keep_put(l, author, op);
    case CHAIN_OP_UNAUTHORISED:
        return chain_ledger_add_unauthorised(l, author, op, subject);
    case CHAIN_OP_PAY:
        return chain_ledger_pay(l, author, op);
    case CHAIN_OP_HOP_EPOCH:
        subject->id = op->hop.epoch;
        return chain_ledger_bring_hop(l, author, op, subject);
    default:
        return CHAIN_VERSION;
    }
}

static enum chain_response apply_op(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                    struct chain_ledger_event *subject)
{
    enum chain_response code = chain_ledger_check_op(l, op);
    if (code != CHAIN_SUCCESS)
        return code;
    if (takes_station(op->kind) && !l->stations[author].registered)
        return l->stations[author].departed ? CHAIN_DEREGISTER : CHAIN_REG_PENDING;
    return carry_out(l, author, op, subject);
}

/* Concludes one operation, or an envelope that is refused as a whole. */
static void conclude(struct chain_ledger *l, struct chain_ledger_event *subject, enum chain_response code)
{
    subject->code = code;
    if (code != CHAIN_SUCCESS) {
        subject->kind = CHAIN_LE_REFUSED;
        *chain_ledger_emit(l, CHAIN_LE_REFUSED) = *subject;
    }
    subject->kind = CHAIN_LE_TX;
    *chain_ledger_emit(l, CHAIN_LE_TX) = *subject;
}

/* Takes the envelope's nonces and opens it. One that is ill-formed uses up its first nonce. */
static enum chain_response open_tx(struct chain_ledger *l, const uint8_t *data, size_t len, bool verify_signatures, size_t most_ops,
                                   struct chain_ledger_event *subject, struct chain_tx_reader *ops)
{
    struct chain_msg tx;
    size_t consumed;
    int (*decode)(const struct chain_members *, const uint8_t *, size_t, struct chain_msg *, size_t *) =
        verify_signatures ? chain_msg_decode : chain_msg_read;
    if (decode(&l->genesis.members, data, len, &tx, &consumed) != 0 || consumed != len || tx.kind != CHAIN_MSG_TX)
        return CHAIN_MISSING_PARAM;
    subject->station = tx.author;
    subject->nonce = tx.seq;
    memcpy(subject->sig, tx.sig, sizeof subject->sig);
    if (verify_signatures && l->signer.verify(l->signer.ctx, &l->genesis.members, &tx) != 0)
        return CHAIN_CERT_ERROR;
    int n = chain_tx_count(tx.body, tx.body_len);
    if (n > 0 && (size_t)n > most_ops)
        return CHAIN_INVALID_VALUE;
    uint64_t n_nonces = n > 0 ? (uint64_t)n : 1;
    if (chain_ledger_nonce_check(&l->nonces[tx.author], tx.seq, n_nonces) != 0)
        return CHAIN_UNSYNC_OP_PARAM;
    chain_ledger_nonce_take(&l->nonces[tx.author], tx.seq, n_nonces);
    chain_ledger_touch(l, CHAIN_TABLE_NONCES, tx.author, 0);
    return n > 0 && chain_tx_begin(ops, tx.body, tx.body_len) == n ? CHAIN_SUCCESS : CHAIN_MISSING_PARAM;
}

/* Returns how many operations it held. */
static size_t apply_tx(struct chain_ledger *l, const uint8_t *data, size_t len, bool verify_signatures, size_t index, size_t most_ops)
{
    struct chain_ledger_event whole = {.height = l->height, .block_time_ns = l->time_ns, .station = CHAIN_MAX_KEYS,
                                       .channel = CHAIN_MAX_CHANNELS, .tx = (uint32_t)index};
    struct chain_tx_reader ops;
    enum chain_response code = open_tx(l, data, len, verify_signatures, most_ops, &whole, &ops);
    if (code != CHAIN_SUCCESS) {
        conclude(l, &whole, code);
        return 0;
    }
    struct chain_op op;
    uint32_t n = 0;
    for (; chain_tx_next(&ops, &op) == 0; n++) {
        struct chain_ledger_event subject = whole;
        subject.nonce += n;
        subject.index = n;
        subject.op = op.kind;
        code = apply_op(l, whole.station, &op, &subject);
        conclude(l, &subject, code);
    }
    return n;
}

static void execute(struct chain_ledger *l, const struct chain_batch_view *view, bool verify_signatures)
{
    size_t n_ops = 0;
    chain_ledger_expire_grants(l);
    chain_ledger_age_records(l);
    for (size_t i = 0; i < view->n_txs; i++)
        n_ops += apply_tx(l, view->txs[i].data, view->txs[i].len, verify_signatures, i, CHAIN_MAX_BATCH_OPS - n_ops);
    chain_ledger_recheck_grants(l);
    chain_ledger_fuse_due(l);
    chain_ledger_take_seats(l);
}

/* A grant that lived before the block falls back, is cut short as the block begins and as it ends, is suspended and ends; a window
 * says two things a channel. */
enum { EVENTS_OF_TIME = 5 * CHAIN_MAX_GRANTS + CHAIN_MAX_WINDOWS * CHAIN_MAX_CHANNELS * 2 };
/* A grant is given, bars its holder, was applied, is suspended and ended by others' operations; all else says less. */
enum { EVENTS_EACH = 5, MOST_OPS = CHAIN_MAX_BATCH_OPS + CHAIN_MAX_BATCH_TXS };
static_assert(EVENTS_OF_TIME + EVENTS_EACH * MOST_OPS <= CHAIN_MAX_LEDGER_EVENTS, "a block's events fit");

size_t chain_ledger_events_bound(size_t n)
{
    return EVENTS_OF_TIME + EVENTS_EACH * n;
}

int chain_ledger_apply(struct chain_ledger *l, const uint8_t *batch, size_t len, bool verify_signatures,
                       struct chain_header *header_out, struct chain_ledger_event *events_out, size_t cap, size_t *n_out)
{
    struct chain_batch_view view;
    struct chain_header header = {.height = l->tip.height + 1, .parent = l->tip_hash};
    if (chain_batch_decode(&view, batch, len) != 0)
        return -EBADMSG;
    if (cap < CHAIN_MAX_LEDGER_EVENTS)
        return -ENOSPC;
    chain_batch_tx_root(&view, &header.tx_root);
    chain_batch_digest_over(&l->genesis.members, len > 0 ? &view.time_ns : NULL, &header.tx_root, &header.batch_digest);
    header.time_ns = view.time_ns > l->tip.time_ns ? view.time_ns : l->tip.time_ns + 1;
    l->height = header.height;
    l->time_ns = header.time_ns;
    l->events = events_out;
    l->cap_events = cap;
    l->n_events = 0;
    l->n_accused = 0;
    execute(l, &view, verify_signatures);
    l->events = NULL;
    chain_ledger_update_root(l, &header.state_root);
    chain_merkle_add(&l->below, l->tip_hash.octets, CHAIN_HASH_BYTES, NULL, 0);
    chain_merkle_finish(&l->below, &header.history_root);
    l->tip = header;
    chain_header_hash(&header, &l->tip_hash);
    *header_out = header;
    *n_out = l->n_events;
    return 0;
}

uint64_t chain_ledger_height(const struct chain_ledger *l)
{
    return l->tip.height;
}

const struct chain_header *chain_ledger_tip(const struct chain_ledger *l)
{
    return &l->tip;
}

const struct chain_channel_record *chain_ledger_channel(const struct chain_ledger *l, uint32_t channel)
{
    return channel < l->genesis.n_channels ? &l->channels[channel] : NULL;
}

size_t chain_ledger_n_grants(const struct chain_ledger *l)
{
    return l->n_grants;
}

const struct chain_grant *chain_ledger_grant(const struct chain_ledger *l, size_t i)
{
    return i < l->n_grants ? &l->grants[i] : NULL;
}

size_t chain_ledger_n_evidence(const struct chain_ledger *l)
{
    return l->n_evidence;
}

const struct chain_evidence *chain_ledger_evidence(const struct chain_ledger *l, size_t i)
{
    return i < l->n_evidence ? &l->evidence[i] : NULL;
}

uint64_t chain_ledger_next_nonce(const struct chain_ledger *l, uint32_t key_id)
{
    return key_id < l->genesis.members.n_keys ? l->nonces[key_id].top : 0;
}

bool chain_ledger_nonces_unused(const struct chain_ledger *l, uint32_t key_id, uint64_t first, uint64_t n)
{
    return key_id < l->genesis.members.n_keys && chain_ledger_nonce_check(&l->nonces[key_id], first, n) == 0;
}

uint32_t chain_ledger_reputation(const struct chain_ledger *l, uint32_t station)
{
    if (!chain_ledger_registered(l, station))
        return 0;
    return chain_fuse_reputation(&l->stations[station].sensing, l->genesis.local_p_fa_ppb);
}
