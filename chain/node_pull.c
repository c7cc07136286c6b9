/* Snapshots from and to other members. Who asks for blocks that the other one has pruned is told so, and when enough members say it asks for the
 * newest snapshot, one part at a time: first for the ends of the epochs that it does not know, each certified by the members of the
 * epoch before, then for the certified header, then for the state. Nothing is believed: members follow from the epochs' ends, the
 * header's certificate from the members, the state from the header. Only a whole snapshot that holds is installed. */
#include "chain/node_internal.h"
#include "chain/snapshot.h"

#include <string.h>

enum {
    PULL_MAX_ATTEMPTS = 16, /* without an answer; then blocks are asked for again, and who has pruned them */
    PULL_ANYONE = 12,       /* attempts at blocks in vain, after which one member's word is enough */
    PART_OVERHEAD = 320,    /* octets of a message and a body around the part, without header and certificate */
    MIN_PART_BYTES = 512
};

/* Body of SNAPSHOT: [[epoch's end, ...], header, certificate, octets of the whole, offset, octets]. Header and certificate are empty but
 * at offset 0. With epochs' ends the rest is empty, and offset is the first one's epoch. With neither ends nor a part it tells what height
 * there is, and offset is the height of the block that is not there. */
struct answer {
    size_t n_ends, ends_at, header_len, cert_len, part_len;
    const uint8_t *header, *cert, *part;
    uint64_t total, offset;
};

/* ---- telling */

static void put_answer(struct chain_node *m, uint64_t height, const struct chain_cbor_writer *w, uint32_t to)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_SNAPSHOT, .author = m->cfg.self, .seq = height, .body = m->scratch, .body_len = w->len};
    if (!w->full && chain_msg_digest(m->members, msg.kind, msg.body, msg.body_len, &msg.digest) == 0 &&
        m->signer.sign(m->signer.ctx, m->members, &msg) == 0)
        node_put(m, &msg, to, CHAIN_URGENT_GOSSIP, 0);
}

static void put_rest(struct chain_cbor_writer *w, const struct chain_node_block *head, const struct chain_node_snapshot *part, uint64_t offset)
{
    chain_cbor_put_bytes(w, head->header, head->header_len);
    chain_cbor_put_bytes(w, head->cert, head->cert_len);
    chain_cbor_put_uint(w, part->len);
    chain_cbor_put_uint(w, offset);
    chain_cbor_put_bytes(w, part->part, part->part_len);
}

void node_tell_pruned(struct chain_node *m, uint64_t height, uint32_t to)
{
    struct chain_node_snapshot newest;
    struct chain_node_block head = {0};
    if (!m->cfg.read_snapshot || m->cfg.read_snapshot(m->cfg.read_block_ctx, 0, 0, 0, &newest) != 0 || newest.height < height)
        return;
    newest.part_len = 0;
    struct chain_cbor_writer w = {.out = m->scratch, .cap = CHAIN_MAX_MSG_BYTES};
    chain_cbor_put_array(&w, 6);
    chain_cbor_put_array(&w, 0);
    put_rest(&w, &head, &newest, height);
    put_answer(m, newest.height, &w, to);
}

static size_t room_of(const struct chain_node *m)
{
    size_t room = node_max_bundle(m) < CHAIN_SNAPSHOT_PART_BYTES + PART_OVERHEAD ? node_max_bundle(m) : CHAIN_SNAPSHOT_PART_BYTES + PART_OVERHEAD;
    return room > PART_OVERHEAD + MIN_PART_BYTES ? room - PART_OVERHEAD : MIN_PART_BYTES;
}

static size_t octets_of(const struct chain_proof_epoch *end)
{
    return end->header_len + end->cert_len + end->members_len + end->path->n_steps * (CHAIN_HASH_BYTES + 4) + 16;
}

/* The ends of epochs from one on that lie below the height, as many as there is room for; *more: there are others. */
static size_t count_ends(struct chain_node *m, uint64_t epoch, uint64_t height, bool *more)
{
    struct chain_proof_epoch end;
    uint64_t end_height;
    size_t n = 0, octets = 0, room = room_of(m);
    *more = false;
    while (m->cfg.read_epoch && m->cfg.read_epoch(m->cfg.read_block_ctx, epoch + n, &end_height, &end) == 0 && end_height < height) {
        octets += octets_of(&end);
        *more = n > 0 && octets > room;
        if (*more)
            break;
        n++;
    }
    return n;
}

static bool put_ends(struct chain_node *m, struct chain_cbor_writer *w, uint64_t epoch, size_t n)
{
    chain_cbor_put_array(w, n);
    for (size_t i = 0; i < n; i++) {
        struct chain_proof_epoch end;
        uint64_t end_height;
        if (m->cfg.read_epoch(m->cfg.read_block_ctx, epoch + i, &end_height, &end) != 0)
            return false;
        chain_proof_put_epoch(w, &end);
    }
    return true;
}

static void serve(struct chain_node *m, uint64_t height, uint64_t epoch, uint64_t offset, uint32_t to)
{
    struct chain_node_snapshot part;
    struct chain_node_block head = {0};
    bool more;
    int rc = offset <= SIZE_MAX ? m->cfg.read_snapshot(m->cfg.read_block_ctx, height, (size_t)offset, 0, &part) : -1;
    if (rc != 0) {
        node_tell_pruned(m, 0, to); /* gone meanwhile: there is a newer one */
        return;
    }
    height = part.height;
    size_t n_ends = count_ends(m, epoch, height, &more);
    struct chain_cbor_writer w = {.out = m->scratch, .cap = CHAIN_MAX_MSG_BYTES};
    chain_cbor_put_array(&w, 6);
    if (!put_ends(m, &w, epoch, n_ends))
        return;
    uint8_t octets[CHAIN_MAX_HEADER_BYTES + CHAIN_MAX_CERT_BYTES];
    if (n_ends > 0) {
        part.part_len = 0;
        offset = epoch;
    } else {
        if (offset == 0) { /* what follows reads from the store, too */
            if (!m->cfg.read_block || m->cfg.read_block(m->cfg.read_block_ctx, height, &head) != 0 || head.cert_len == 0 ||
                head.header_len + head.cert_len > sizeof(octets))
                return;
            memcpy(octets, head.header, head.header_len);
            memcpy(octets + head.header_len, head.cert, head.cert_len);
            head.header = octets;
            head.cert = octets + head.header_len;
        }
        size_t taken = head.header_len + head.cert_len, room = room_of(m);
        room = room > taken + MIN_PART_BYTES ? room - taken : MIN_PART_BYTES;
        if (m->cfg.read_snapshot(m->cfg.read_block_ctx, height, (size_t)offset, room, &part) != 0)
            return;
    }
    put_rest(&w, &head, &part, offset);
    m->stats.parts_served++;
    put_answer(m, height, &w, to);
}

void node_take_snapshot_ask(struct chain_node *m, const struct chain_msg *msg)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    chain_cbor_expect_array(&r, 3);
    uint64_t target = chain_cbor_get_uint(&r), epoch = chain_cbor_get_uint(&r), offset = chain_cbor_get_uint(&r);
    if (chain_cbor_end(&r) != 0 || msg->view != 0 || epoch > UINT32_MAX) {
        m->stats.refused_malformed++;
        return;
    }
    if (target != m->cfg.self)
        return;
    if (!m->cfg.read_snapshot) {
        m->stats.refused_stale++;
        return;
    }
    struct node_pull_served *last = &m->pull_served[msg->author];
    if (last->used && last->height == msg->seq && last->epoch == epoch && last->offset == offset && m->now_ns - last->at_ns < m->cfg.gossip_ns / 2) {
        m->stats.duplicates++;
        return;
    }
    if (!node_verify(m, msg))
        return;
    *last = (struct node_pull_served){.used = true, .height = msg->seq, .epoch = epoch, .offset = offset, .at_ns = m->now_ns};
    serve(m, msg->seq, epoch, offset, msg->author);
}

/* ---- asking */

static bool is_listed(uint64_t keys, uint32_t key)
{
    return keys >> key & 1;
}

void node_pull_stop(struct chain_node *m)
{
    m->pull.active = false;
    m->pull.holders = 0;
    m->pull.due_ns = INT64_MAX;
}

/* From the beginning of a state; the epochs that were followed stay. */
static void begin_again(struct chain_node *m)
{
    struct node_pull *p = &m->pull;
    p->height = 0;
    p->have = p->total = 0;
    p->sources = 0;
    p->due_ns = m->now_ns;
}

/* The next one that says it has a snapshot and has told no nonsense. False: there is nobody. */
static bool choose_target(struct chain_node *m)
{
    struct node_pull *p = &m->pull;
    for (uint32_t i = 1; i <= CHAIN_MAX_KEYS; i++) {
        uint32_t key = (p->target + i) % CHAIN_MAX_KEYS;
        if (!is_listed(p->holders & ~p->barred, key))
            continue;
        if (p->alone && key != p->target)
            begin_again(m);
        p->target = key;
        return true;
    }
    return false;
}

static void begin(struct chain_node *m)
{
    struct node_pull *p = &m->pull;
    p->active = true;
    p->alone = false;
    p->attempts = 0;
    p->barred = 0;
    p->epochs_len = p->n_epochs = 0;
    p->light = (struct chain_light){.byzantine = m->cfg.engine->byzantine, .members = *m->members, .signer = m->signer};
    begin_again(m);
    (void)choose_target(m);
}

static void ask(struct chain_node *m)
{
    struct node_pull *p = &m->pull;
    uint8_t body[32];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof(body)};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, p->target);
    chain_cbor_put_uint(&w, p->light.members.epoch);
    chain_cbor_put_uint(&w, p->have);
    struct chain_msg msg = {.kind = CHAIN_MSG_SNAPSHOT_ASK, .author = m->cfg.self, .seq = p->height, .body = body, .body_len = w.len};
    if (chain_msg_digest(m->members, msg.kind, msg.body, msg.body_len, &msg.digest) == 0 &&
        m->signer.sign(m->signer.ctx, m->members, &msg) == 0)
        node_put(m, &msg, p->target, CHAIN_URGENT_GOSSIP, 0);
}

void node_pull_timer(struct chain_node *m)
{
    struct node_pull *p = &m->pull;
    if (!p->active || m->now_ns < p->due_ns)
        return;
    if (p->attempts >= PULL_MAX_ATTEMPTS || (p->attempts > 0 && !choose_target(m))) {
        node_pull_stop(m);
        return;
    }
    ask(m);
    int64_t wait_ns = m->cfg.gossip_ns * (p->attempts < 3 ? (int64_t)1 << p->attempts : 4);
    p->attempts++;
    p->due_ns = m->now_ns + node_jitter(m, NODE_JITTER_PULL, wait_ns);
}

/* ---- taking */

/* Whoever it was says nothing that helps: the next one is asked. */
static void refuse(struct chain_node *m)
{
    m->stats.refused_snapshot++;
    m->pull.barred |= UINT64_C(1) << m->pull.target;
    begin_again(m);
    if (!choose_target(m))
        node_pull_stop(m);
}

static bool decode(const struct chain_msg *msg, struct answer *out)
{
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    struct chain_proof_epoch end;
    struct chain_map_proof path;
    chain_cbor_expect_array(&r, 6);
    out->n_ends = chain_cbor_get_array(&r, CHAIN_MAX_MSG_BYTES);
    out->ends_at = r.pos;
    for (size_t i = 0; i < out->n_ends && !r.bad; i++)
        if (!chain_proof_get_epoch(&r, &end, &path))
            return false;
    out->header = chain_cbor_get_bytes(&r, &out->header_len);
    out->cert = chain_cbor_get_bytes(&r, &out->cert_len);
    out->total = chain_cbor_get_uint(&r);
    out->offset = chain_cbor_get_uint(&r);
    out->part = chain_cbor_get_bytes(&r, &out->part_len);
    bool alone = out->n_ends == 0 || (out->header_len == 0 && out->part_len == 0);
    return chain_cbor_end(&r) == 0 && msg->view == 0 && msg->seq > 0 && alone && (out->header_len == 0 || out->part_len > 0);
}

static bool follow_ends(struct chain_node *m, const struct chain_msg *msg, const struct answer *a)
{
    struct node_pull *p = &m->pull;
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len, .pos = a->ends_at};
    struct chain_cbor_writer w = {.out = m->pull_epochs, .cap = NODE_PULL_EPOCHS_BYTES, .len = p->epochs_len};
    for (size_t i = 0; i < a->n_ends; i++) {
        struct chain_proof_epoch end;
        struct chain_map_proof path;
        if (!chain_proof_get_epoch(&r, &end, &path) || chain_proof_follow_epoch(&p->light, &end) != NULL)
            return false;
        chain_proof_put_epoch(&w, &end);
        if (w.full)
            return false;
        p->epochs_len = w.len;
        p->n_epochs++;
    }
    return true;
}

/* The header that everything after it has to lead to. */
static bool take_head(struct chain_node *m, const struct chain_msg *msg, const struct answer *a)
{
    struct node_pull *p = &m->pull;
    struct chain_header header;
    uint32_t n_signers;
    if (a->header_len > sizeof(p->header) || a->cert_len > sizeof(p->cert) || chain_header_decode(&header, a->header, a->header_len) != 0 ||
        header.height != msg->seq || header.height <= m->certified || a->total == 0 || a->total > m->pull_cap ||
        chain_light_verify(&p->light, &header, a->cert, a->cert_len, &n_signers) != 0)
        return false;
    p->height = header.height;
    p->total = (size_t)a->total;
    memcpy(p->header, a->header, a->header_len);
    memcpy(p->cert, a->cert, a->cert_len);
    p->header_len = a->header_len;
    p->cert_len = a->cert_len;
    p->n_signers = n_signers;
    chain_hash_of(a->header, a->header_len, &p->hash);
    return true;
}

/* The state that the header promises, under the members that certified it? */
static bool is_whole(struct chain_node *m)
{
    struct node_pull *p = &m->pull;
    struct chain_hash hash;
    const char *bad_field;
    if (!m->spare && chain_ledger_init(m->spare_mem, chain_ledger_bytes(m->cfg.genesis), m->cfg.genesis, &m->signer, &m->spare, &bad_field) != 0)
        return false;
    if (chain_snapshot_load(m->spare, m->pull_octets, p->total) != 0)
        return false;
    chain_header_hash(chain_ledger_tip(m->spare), &hash);
    const struct chain_members *then = chain_ledger_members(m->spare), *now = &p->light.members;
    bool same = then->epoch == now->epoch && then->n == now->n && memcmp(then->seats, now->seats, now->n) == 0;
    return same && memcmp(&hash, &p->hash, sizeof(hash)) == 0;
}

static void hand_out(struct chain_node *m, struct chain_node_update *out)
{
    struct node_pull *p = &m->pull;
    m->install = (struct chain_node_install){
        .block = {.height = p->height, .header = p->header, .header_len = p->header_len, .cert = p->cert, .cert_len = p->cert_len,
                  .n_signers = p->n_signers},
        .snapshot = m->pull_octets, .len = p->total, .epochs = m->pull_epochs, .epochs_len = p->epochs_len, .n_epochs = p->n_epochs,
        .ledger = m->ledger};
    out->install = &m->install;
    m->certified = p->height;
    m->certify_due_ns = m->fetch_due_ns = INT64_MAX;
    m->tell_stable = p->height;
    m->stats.snapshots_installed++;
    node_pull_stop(m);
}

/* The node has executed that block itself, and lacks certificates that everybody has pruned: the snapshot's stands for all before it. */
static void vouch(struct chain_node *m, struct chain_node_update *out)
{
    struct node_pull *p = &m->pull;
    struct node_block *own = node_find_block(m, p->height);
    struct chain_node_block stored;
    struct chain_hash hash;
    if (own)
        hash = own->hash;
    else if (m->cfg.read_block && m->cfg.read_block(m->cfg.read_block_ctx, p->height, &stored) == 0)
        chain_hash_of(stored.header, stored.header_len, &hash);
    else
        return;
    if (memcmp(&hash, &p->hash, sizeof(hash)) != 0) {
        node_fail(m, p->height);
        return;
    }
    if (m->vote_next <= p->height)
        m->vote_next = m->sign_next = p->height + 1;
    hand_out(m, out);
}

/* The node is where the snapshot is. What its engine promised in this epoch stays; of one that is over nothing binds it. */
static void install(struct chain_node *m, struct chain_node_update *out)
{
    struct node_pull *p = &m->pull;
    if (chain_snapshot_load(m->ledger, m->pull_octets, p->total) != 0) {
        node_fail(m, p->height);
        return;
    }
    for (size_t i = 0; i < CHAIN_NODE_RING; i++)
        m->blocks[i].height = 0;
    node_clear_votes(m);
    m->n_late = 0;
    m->vote_next = m->sign_next = p->height + 1;
    m->epoch_end = 0;
    m->syncing = m->kick = true;
    m->tell_synced = p->height;
    chain_mempool_follow(m->pool, m->ledger);
    uint64_t next = chain_ledger_next_nonce(m->ledger, m->cfg.self);
    if (next > m->last_nonce)
        m->last_nonce = next - 1;
    hand_out(m, out);
    if (chain_ledger_members(m->ledger)->epoch != m->members->epoch) {
        m->epoch_end = m->certified;
        node_end_epoch(m, out);
    } else {
        node_follow_members(m);
    }
}

static void finish(struct chain_node *m, struct chain_node_update *out)
{
    struct node_pull *p = &m->pull;
    if (p->height <= m->certified) {
        node_pull_stop(m); /* by now */
        return;
    }
    if (is_whole(m)) {
        (p->height > node_tip(m) ? install : vouch)(m, out);
        return;
    }
    /* who spoilt it is known only where one alone told all of it */
    bool one = (p->sources & (p->sources - 1)) == 0;
    p->alone = true;
    if (one) {
        refuse(m);
        return;
    }
    m->stats.refused_snapshot++;
    begin_again(m);
}

static void take_part(struct chain_node *m, const struct chain_msg *msg, const struct answer *a, struct chain_node_update *out)
{
    struct node_pull *p = &m->pull;
    bool good = p->have == 0 ? take_head(m, msg, a) : a->total == p->total;
    good = good && a->part_len <= p->total - p->have;
    if (!good || (a->part_len < MIN_PART_BYTES && a->part_len < p->total - p->have)) {
        refuse(m);
        return;
    }
    memcpy(m->pull_octets + p->have, a->part, a->part_len);
    p->have += a->part_len;
    p->sources |= UINT64_C(1) << msg->author;
    p->attempts = 0;
    p->due_ns = m->now_ns;
    m->stats.parts_taken++;
    if (p->have == p->total)
        finish(m, out);
}

static uint32_t count_seated(const struct chain_node *m, uint64_t keys)
{
    uint32_t n = 0;
    for (uint32_t seat = 0; seat < m->members->n; seat++)
        n += is_listed(keys, m->members->seats[seat]);
    return n;
}

/* One member's word is not enough to give up what others may still have; and a word of long ago says nothing of what we lack. */
static void take_hint(struct chain_node *m, const struct chain_msg *msg, uint64_t missing)
{
    struct node_pull *p = &m->pull;
    if (missing > m->certified)
        p->holders |= UINT64_C(1) << msg->author;
    if (!p->active && p->holders && (count_seated(m, p->holders) >= m->witness || m->fetch_attempts >= PULL_ANYONE))
        begin(m);
    else if (p->active && msg->author == p->target && p->height > 0 && msg->seq > p->height)
        begin_again(m); /* the one that was asked for is gone there */
}

static bool is_expected(const struct node_pull *p, const struct chain_msg *msg, const struct answer *a)
{
    if (!p->active || msg->author != p->target)
        return false;
    if (a->n_ends > 0)
        return p->have == 0 && a->offset == p->light.members.epoch;
    return a->offset == p->have && (p->have == 0 ? a->header_len > 0 : msg->seq == p->height);
}

bool node_take_snapshot(struct chain_node *m, const struct chain_msg *msg, struct chain_node_update *out)
{
    struct node_pull *p = &m->pull;
    struct answer a;
    if (!decode(msg, &a)) {
        m->stats.refused_malformed++;
        return false;
    }
    bool hint = a.n_ends == 0 && a.part_len == 0;
    if (msg->seq <= m->certified || m->epoch_turns) {
        m->stats.refused_stale++;
        return false;
    }
    if (!hint && !is_expected(p, msg, &a)) {
        m->stats.duplicates++;
        return false;
    }
    if (!node_verify(m, msg))
        return false;
    if (hint) {
        take_hint(m, msg, a.offset);
    } else if (a.n_ends == 0) {
        take_part(m, msg, &a, out);
    } else if (follow_ends(m, msg, &a)) {
        p->attempts = 0;
        p->due_ns = m->now_ns;
    } else {
        refuse(m);
    }
    return out->install != NULL;
}
