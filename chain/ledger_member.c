/* Who belongs: motions that several members make together, admission of keys, seats that are won and lost. */
#include <string.h>

#include "chain/ledger_state.h"

static const int64_t MOTION_NS = 3600 * INT64_C(1000000000); /* a motion that nobody carried is forgotten */
enum { MOTIONS_EACH = CHAIN_MAX_MOTIONS / CHAIN_MAX_MEMBERS };

static uint32_t certificate_quorum(const struct chain_ledger *l)
{
    uint32_t n = l->genesis.members.n;
    return strcmp(l->genesis.engine, "pbft") == 0 ? chain_pbft_quorum(n) : chain_majority(n);
}

static uint32_t voices_needed(const struct chain_ledger *l, enum chain_motion_kind kind)
{
    uint32_t k = l->genesis.admit_votes;
    if (kind != CHAIN_MOTION_ADMIT || k == 0)
        return certificate_quorum(l);
    return k < l->genesis.members.n ? k : l->genesis.members.n;
}

/* Of who has a seat now and was not convicted. */
static uint32_t count_voices(const struct chain_ledger *l, const struct chain_motion *m)
{
    uint32_t n = 0;
    for (uint32_t seat = 0; seat < l->genesis.members.n; seat++)
        n += (m->voices >> l->genesis.members.seats[seat] & 1) && !(l->convicted >> seat & 1);
    return n;
}

static void forget_motion(struct chain_ledger *l, size_t i)
{
    chain_ledger_touch(l, CHAIN_TABLE_MOTIONS, l->motions[i].id, 0);
    memmove(&l->motions[i], &l->motions[i + 1], (l->n_motions - i - 1) * sizeof l->motions[0]);
    l->n_motions--;
}

static void forget_old_motions(struct chain_ledger *l)
{
    while (l->n_motions > 0 && l->time_ns - l->motions[0].opened_ns >= MOTION_NS)
        forget_motion(l, 0);
}

static size_t find_motion(const struct chain_ledger *l, const struct chain_motion *like)
{
    size_t i = 0;
    while (i < l->n_motions && (l->motions[i].kind != like->kind || l->motions[i].key_id != like->key_id ||
                                memcmp(l->motions[i].key, like->key, CHAIN_KEY_BYTES) != 0))
        i++;
    return i;
}

/* Each seat has its own share of the table, so that nobody can keep the others from moving anything. */
static bool may_open(const struct chain_ledger *l, uint32_t author)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n_motions; i++)
        n += l->motions[i].opener == author;
    return n < MOTIONS_EACH && l->n_motions < CHAIN_MAX_MOTIONS;
}

/* One voice for a motion; carried: it is decided. */
static enum chain_response speak(struct chain_ledger *l, uint32_t author, const struct chain_motion *motion,
                                 struct chain_ledger_event *subject, bool *carried)
{
    uint32_t seat = chain_members_seat(&l->genesis.members, author);
    bool is_authority = l->genesis.has_authority && author == l->genesis.authority;
    forget_old_motions(l);
    size_t i = find_motion(l, motion);
    if (is_authority) {
        if (i < l->n_motions)
            forget_motion(l, i);
        *carried = true;
        return CHAIN_SUCCESS;
    }
    if (seat == CHAIN_MAX_MEMBERS || l->convicted >> seat & 1)
        return CHAIN_NOT_ENTITLED;
    if (i == l->n_motions) {
        if (!may_open(l, author))
            return CHAIN_LIMIT;
        l->motions[l->n_motions] = *motion;
        l->motions[l->n_motions].id = l->next_motion_id++;
        l->motions[l->n_motions].opener = author;
        l->motions[l->n_motions++].opened_ns = l->time_ns;
        chain_ledger_touch(l, CHAIN_TABLE_COUNTERS, 0, 0);
    }
    struct chain_motion *m = &l->motions[i];
    subject->id = m->id;
    m->voices |= UINT64_C(1) << author;
    chain_ledger_touch(l, CHAIN_TABLE_MOTIONS, m->id, 0);
    *carried = count_voices(l, m) >= voices_needed(l, m->kind);
    if (*carried)
        forget_motion(l, i);
    return CHAIN_SUCCESS;
}

enum chain_response chain_ledger_admit(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                       struct chain_ledger_event *subject)
{
    struct chain_members *members = &l->genesis.members;
    struct chain_motion motion = {.kind = CHAIN_MOTION_ADMIT};
    bool carried = false;
    for (uint32_t i = 0; i < members->n_keys; i++)
        if (memcmp(members->keys[i], op->admit.key, CHAIN_KEY_BYTES) == 0)
            return CHAIN_INVALID_VALUE;
    if (members->n_keys == CHAIN_MAX_KEYS)
        return CHAIN_LIMIT;
    memcpy(motion.key, op->admit.key, CHAIN_KEY_BYTES);
    enum chain_response code = speak(l, author, &motion, subject, &carried);
    if (code != CHAIN_SUCCESS || !carried)
        return code;
    memcpy(members->keys[members->n_keys], op->admit.key, CHAIN_KEY_BYTES);
    chain_ledger_touch(l, CHAIN_TABLE_KEYS, members->n_keys, 0);
    chain_ledger_emit(l, CHAIN_LE_ADMITTED)->station = members->n_keys++;
    return CHAIN_SUCCESS;
}

enum chain_response chain_ledger_reconfigure(struct chain_ledger *l, uint32_t author, const struct chain_op *op,
                                             struct chain_ledger_event *subject)
{
    const struct chain_members *members = &l->genesis.members;
    uint32_t key_id = op->reconfigure.key_id;
    bool add = op->reconfigure.add, carried = false;
    if (l->reseat.due)
        return CHAIN_BUSY;
    if (key_id >= members->n_keys || (chain_members_seat(members, key_id) == CHAIN_MAX_MEMBERS) != add)
        return CHAIN_INVALID_VALUE;
    if (members->n == (add ? CHAIN_MAX_MEMBERS : 1) || members->epoch == UINT32_MAX)
        return CHAIN_LIMIT;
    struct chain_motion motion = {.kind = add ? CHAIN_MOTION_SEAT : CHAIN_MOTION_UNSEAT, .key_id = key_id};
    enum chain_response code = speak(l, author, &motion, subject, &carried);
    if (code != CHAIN_SUCCESS || !carried)
        return code;
    l->reseat.due = true;
    l->reseat.add = add;
    l->reseat.key_id = key_id;
    struct chain_ledger_event *event = chain_ledger_emit(l, CHAIN_LE_RECONFIGURED);
    event->station = key_id;
    event->id = members->epoch + UINT64_C(1);
    return CHAIN_SUCCESS;
}

/* What was moved about seats was said to the members that were. */
static void forget_seat_motions(struct chain_ledger *l)
{
    for (size_t i = l->n_motions; i-- > 0;)
        if (l->motions[i].kind != CHAIN_MOTION_ADMIT)
            forget_motion(l, i);
}

void chain_ledger_take_seats(struct chain_ledger *l)
{
    struct chain_members *members = &l->genesis.members;
    if (!l->reseat.due)
        return;
    l->former.n = members->n;
    memcpy(l->former.seats, members->seats, sizeof l->former.seats);
    l->former.convicted = l->convicted;
    l->convicted = 0;
    members->epoch++;
    members->n = 0;
    memset(members->seats, 0, sizeof members->seats);
    for (uint32_t key = 0, old = 0; key < members->n_keys; key++) {
        bool seated = old < l->former.n && l->former.seats[old] == key;
        old += seated;
        if (key == l->reseat.key_id ? l->reseat.add : seated)
            members->seats[members->n++] = (uint8_t)key;
    }
    l->reseat.due = false;
    forget_seat_motions(l);
    chain_ledger_touch(l, CHAIN_TABLE_MEMBERS, 0, 0);
    chain_ledger_touch(l, CHAIN_TABLE_MEMBERS, 1, 0);
}

const struct chain_members *chain_ledger_members(const struct chain_ledger *l)
{
    return &l->genesis.members;
}

size_t chain_ledger_n_motions(const struct chain_ledger *l)
{
    return l->n_motions;
}

const struct chain_motion *chain_ledger_motion(const struct chain_ledger *l, size_t i)
{
    return i < l->n_motions ? &l->motions[i] : NULL;
}
