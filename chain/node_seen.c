/* What a disk may have forgotten: a node that starts votes on nothing before enough others have told what they last saw signed by it, and how
 * far they are themselves. docs/consensus.md, "Starting again", says why that is enough. */
#include "chain/node_internal.h"

#include <string.h>

static const int64_t ANSWER_WAIT_NS = 8000000; /* who starts together is answered together */

static bool is_vote(uint8_t kind)
{
    return kind == CHAIN_MSG_PBFT_PRE_PREPARE || kind == CHAIN_MSG_PBFT_PREPARE || kind == CHAIN_MSG_PBFT_COMMIT;
}

static bool binds_view(uint8_t kind)
{
    return is_vote(kind) || kind == CHAIN_MSG_PBFT_VIEW_CHANGE || kind == CHAIN_MSG_PBFT_NEW_VIEW;
}

static void keep(struct node_heard *heard, enum node_heard_by which, const struct chain_msg *msg)
{
    struct node_signed *s = &heard->latest[which];
    *s = (struct node_signed){.kind = msg->kind, .view = msg->view, .seq = msg->seq, .digest = msg->digest};
    memcpy(s->sig, msg->sig, CHAIN_SIG_BYTES);
}

/* Only what binds: a suspicion, a question or a pre-vote may be forgotten. */
void node_note_heard(struct chain_node *m, const struct chain_members *members, const struct chain_msg *msg)
{
    if (!chain_msg_by_seat(msg->kind) || msg->author >= members->n || members->epoch < m->heard[members->seats[msg->author]].epoch)
        return;
    struct node_heard *heard = &m->heard[members->seats[msg->author]];
    if (members->epoch > heard->epoch)
        *heard = (struct node_heard){.epoch = members->epoch};
    if (binds_view(msg->kind) && msg->view >= heard->latest[NODE_HEARD_VIEW].view)
        keep(heard, NODE_HEARD_VIEW, msg);
    if (is_vote(msg->kind) && msg->seq >= heard->latest[NODE_HEARD_HEIGHT].seq)
        keep(heard, NODE_HEARD_HEIGHT, msg);
    if (msg->kind == CHAIN_MSG_HEADER_VOTE && msg->seq >= heard->latest[NODE_HEARD_HEADER].seq)
        keep(heard, NODE_HEARD_HEADER, msg);
}

/* So many of the others that every quorum that counted a lost vote has one among them who tells. With PBFT a member that forgot is one of the
 * f, and the others of the f may keep silent. */
static uint32_t answers_needed(const struct chain_node *m)
{
    uint32_t n = m->members->n, f = chain_pbft_f(n);
    if (n == 1)
        return 0;
    return n - m->quorum + (m->cfg.engine->byzantine && f > 1 ? f : 1);
}

static uint32_t count_members(const struct chain_node *m, uint64_t keys)
{
    uint32_t n = 0;
    for (uint32_t seat = 0; seat < m->members->n; seat++)
        n += (uint32_t)(keys >> m->members->seats[seat] & 1);
    return n;
}

static uint32_t count_answers(const struct chain_node *m)
{
    return count_members(m, m->answered);
}

static void ask(struct chain_node *m)
{
    m->ask_number = m->now_ns > 0 ? (uint64_t)m->now_ns : 1;
    m->ask_wait_ns = m->cfg.gossip_ns;
    m->ask_due_ns = m->now_ns;
}

void node_seen_start(struct chain_node *m)
{
    if (m->votes_allowed || !m->engine)
        return;
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    m->disk_view = s.promised;
    m->disk_height = s.voted > node_tip(m) ? s.voted : node_tip(m);
    ask(m);
}

/* Raft: acknowledgements that our disk may have lost may still be counted, together with some that others give from now on. */
static bool lost_counts(const struct chain_node *m)
{
    return m->votes_allowed && !m->whole && !m->cfg.engine->byzantine;
}

/* They cannot any more once a leader of their term or of a later one has named its log, or enough others theirs who are in a later term. With four members or
 * fewer they never do (docs/consensus.md). */
static bool is_whole(const struct chain_node *m)
{
    return m->whole || m->members->n <= 4 ||
           (m->claim.epoch == m->members->epoch && (m->claim.led_term >= m->lost_term || count_members(m, m->beyond) >= answers_needed(m)));
}

static uint64_t own_term(const struct chain_node *m)
{
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    return s.view;
}

void node_seen_follow(struct chain_node *m)
{
    if (lost_counts(m) && own_term(m) > m->lost_term)
        node_seen_again(m);
}

void node_seen_again(struct chain_node *m)
{
    if (!m->votes_allowed || m->asks_again)
        return;
    m->asks_again = true;
    m->whole = m->members->n <= 4;
    m->answered = m->beyond = 0;
    m->claim = (struct node_claim){0};
    ask(m);
}

void node_seen_go_on(struct chain_node *m)
{
    if (!m->votes_allowed && m->ask_number != 0 && m->ask_due_ns == INT64_MAX && count_answers(m) < answers_needed(m))
        m->ask_due_ns = m->now_ns;
}

bool node_must_ask(const struct chain_node *m)
{
    return m->members->n > 1 && !m->cfg.trust_disk;
}

/* Others hold what our disk does not. Raft's floors cover that. */
bool node_has_forgotten(const struct chain_node *m)
{
    return m->cfg.engine->byzantine && m->lost.epoch == m->members->epoch && (m->lost.view > m->disk_view || m->lost.height > m->disk_height);
}

/* In a later view it has said nothing. In the very view, nothing of the heights above all that it voted for; but whoever leads may have proposed
 * there, and a disk that is known to have lost something is told of what others heard, which may not be all. */
static bool speaks_anew(const struct chain_node *m)
{
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    bool follows = s.view == m->lost.view && s.leader != CHAIN_TO_ALL && s.leader != m->seat;
    return s.view > m->lost.view || (follows && !m->cfg.distrust_disk);
}

/* Raft's floors bind from the start. With PBFT: nothing of what others hold from us is missing on our disk, or all of it lies behind. */
static bool may_vote(const struct chain_node *m)
{
    uint32_t epoch = m->members->epoch;
    bool leader_told = lost_counts(m) && m->claim.epoch == epoch && m->claim.led_term >= m->lost_term;
    if ((count_answers(m) < answers_needed(m) && !leader_told) || m->lost.epoch > epoch || m->claim.epoch > epoch)
        return false;
    if (!m->cfg.engine->byzantine)
        return true;
    if (!m->cfg.distrust_disk && !node_has_forgotten(m))
        return true;
    return m->lost.epoch < epoch || (m->certified >= m->lost.height && speaks_anew(m));
}

bool node_become_voter(struct chain_node *m, struct chain_node_update *out)
{
    bool first = !m->votes_allowed;
    if (!m->engine || !(first || m->asks_again || (lost_counts(m) && is_whole(m))) || !may_vote(m))
        return false;
    uint64_t promised = first ? m->claim.promised : 0; /* what a voter promised is on its disk */
    if (first) {
        m->lost_term = m->claim.epoch == m->members->epoch ? promised : 0; /* where none of them is in this epoch yet, nobody led in it */
        m->beyond = 0;
    }
    m->whole = is_whole(m);
    m->votes_allowed = true;
    m->asks_again = false;
    m->ask_due_ns = lost_counts(m) ? m->now_ns + m->ask_wait_ns : INT64_MAX;
    struct chain_event event = {.kind = CHAIN_EV_VOTER, .now_ns = m->now_ns};
    if (!m->cfg.engine->byzantine && m->claim.epoch == m->members->epoch) {
        event.floor.term = promised;
        event.floor.log_term = m->claim.log_term;
        event.floor.log_index = m->claim.log_index;
        event.floor.committed = m->claim.committed;
        event.floor.lost_counts = !m->whole;
    }
    node_engine_step(m, &event, out);
    return true;
}

/* Who votes needs nobody but the leader, if there is one. */
static void put_question(struct chain_node *m)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_SEEN_ASK, .author = m->cfg.self, .seq = m->ask_number};
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    bool asks_all = !m->votes_allowed || m->asks_again;
    uint32_t to = asks_all || s.leader >= m->members->n ? CHAIN_TO_ALL : m->members->seats[s.leader];
    if ((asks_all || to != CHAIN_TO_ALL) && m->signer.sign(m->signer.ctx, m->members, &msg) == 0)
        node_put(m, &msg, to, CHAIN_URGENT_VOTE, 0);
}

static void put_signed(struct chain_cbor_writer *w, const struct node_signed *s)
{
    chain_cbor_put_array(w, 5);
    chain_cbor_put_uint(w, s->kind);
    chain_cbor_put_uint(w, s->view);
    chain_cbor_put_uint(w, s->seq);
    chain_cbor_put_bytes(w, s->digest.octets, CHAIN_HASH_BYTES);
    chain_cbor_put_bytes(w, s->sig, CHAIN_SIG_BYTES);
}

static void put_heard(struct chain_cbor_writer *w, uint32_t key, uint64_t number, const struct node_heard *heard)
{
    size_t n = 0;
    for (size_t i = 0; i < NODE_HEARD_KINDS; i++)
        n += heard->latest[i].kind != 0;
    chain_cbor_put_array(w, 4);
    chain_cbor_put_uint(w, key);
    chain_cbor_put_uint(w, number);
    chain_cbor_put_uint(w, heard->epoch);
    chain_cbor_put_array(w, n);
    for (size_t i = 0; i < NODE_HEARD_KINDS; i++)
        if (heard->latest[i].kind != 0)
            put_signed(w, &heard->latest[i]);
}

/* What it says is on disk before it leaves: who names a later term gives no word in an earlier one any more, whatever happens. */
static void tell_seen(struct chain_node *m, const struct chain_node_update *out)
{
    struct chain_engine_stats s;
    node_engine_stats(m, &s);
    size_t n = 0;
    for (uint32_t key = 0; key < CHAIN_MAX_KEYS; key++)
        n += m->asked_number[key] != 0;
    struct chain_cbor_writer w = {.out = m->scratch, .cap = CHAIN_MAX_MSG_BYTES};
    chain_cbor_put_array(&w, 8);
    chain_cbor_put_uint(&w, m->members->epoch);
    chain_cbor_put_uint(&w, s.view);
    chain_cbor_put_bool(&w, s.is_leader);
    chain_cbor_put_uint(&w, s.promised);
    chain_cbor_put_uint(&w, s.log_term);
    chain_cbor_put_uint(&w, s.log_index);
    chain_cbor_put_uint(&w, s.committed > node_tip(m) ? s.committed : node_tip(m));
    chain_cbor_put_array(&w, n);
    for (uint32_t key = 0; key < CHAIN_MAX_KEYS; key++) {
        if (m->asked_number[key] != 0)
            put_heard(&w, key, m->asked_number[key], &m->heard[key]);
        m->asked_number[key] = 0;
    }
    m->answer_due_ns = INT64_MAX;
    struct chain_msg msg = {.kind = CHAIN_MSG_SEEN, .author = m->cfg.self, .body = m->scratch, .body_len = w.len};
    if (!w.full && chain_msg_digest(m->members, msg.kind, msg.body, msg.body_len, &msg.digest) == 0 &&
        m->signer.sign(m->signer.ctx, m->members, &msg) == 0)
        node_put(m, &msg, CHAIN_TO_ALL, CHAIN_URGENT_VOTE, m->persist_seq + (out->n_records > 0));
}

void node_seen_timer(struct chain_node *m, const struct chain_node_update *out)
{
    if (m->now_ns >= m->ask_due_ns) {
        put_question(m);
        bool enough = count_answers(m) >= answers_needed(m) && !lost_counts(m);
        m->ask_due_ns = enough ? INT64_MAX : m->now_ns + node_jitter(m, NODE_JITTER_SEEN, m->ask_wait_ns);
        if (m->ask_wait_ns < 4 * m->cfg.gossip_ns)
            m->ask_wait_ns *= 2;
    }
    if (m->now_ns >= m->answer_due_ns)
        tell_seen(m, out);
}

void node_take_seen_ask(struct chain_node *m, const struct chain_msg *msg)
{
    if (msg->body_len > 0 || msg->view != 0 || msg->seq == 0) {
        m->stats.refused_malformed++;
        return;
    }
    int64_t since_ns = m->asked_ns[msg->author];
    if (since_ns != INT64_MIN && m->now_ns - since_ns < m->cfg.gossip_ns / 2) {
        m->stats.duplicates++;
        return;
    }
    if (!node_verify(m, msg))
        return;
    m->asked_ns[msg->author] = m->now_ns;
    m->asked_number[msg->author] = msg->seq;
    if (m->answer_due_ns == INT64_MAX)
        m->answer_due_ns = m->now_ns + node_jitter(m, NODE_JITTER_SEEN, ANSWER_WAIT_NS);
}

static void raise_lost(struct node_lost *lost, uint32_t epoch, const struct chain_msg *msg)
{
    if (epoch > lost->epoch)
        *lost = (struct node_lost){.epoch = epoch};
    if (epoch < lost->epoch)
        return;
    if (msg->kind >= CHAIN_MSG_PBFT_PRE_PREPARE && msg->view > lost->view)
        lost->view = msg->view;
    if (is_vote(msg->kind) && msg->seq > lost->height)
        lost->height = msg->seq;
}

/* One message that somebody holds from us, if our signature is under it. */
static bool take_signed(struct chain_node *m, struct chain_cbor_reader *r, uint64_t epoch, struct node_lost *lost)
{
    struct chain_msg msg = {0};
    chain_cbor_expect_array(r, 5);
    uint64_t kind = chain_cbor_get_uint(r);
    msg.view = chain_cbor_get_uint(r);
    msg.seq = chain_cbor_get_uint(r);
    chain_cbor_get_fixed(r, msg.digest.octets, CHAIN_HASH_BYTES);
    chain_cbor_get_fixed(r, msg.sig, CHAIN_SIG_BYTES);
    msg.kind = (uint8_t)kind;
    if (r->bad || kind > UINT8_MAX || epoch > UINT32_MAX || !chain_msg_by_seat(msg.kind))
        return false;
    struct chain_members then = *m->members;
    then.epoch = (uint32_t)epoch;
    bool good = false;
    for (msg.author = 0; msg.author < CHAIN_MAX_MEMBERS && !good; msg.author++) { /* which seat we had then, we may have forgotten */
        if (epoch == m->members->epoch && msg.author != m->seat)
            continue;
        then.n = CHAIN_MAX_MEMBERS;
        memset(then.seats, (int)m->cfg.self, sizeof(then.seats));
        good = m->cfg.signer.verify(m->cfg.signer.ctx, &then, &msg) == 0;
        m->stats.verified++;
    }
    if (good)
        raise_lost(lost, (uint32_t)epoch, &msg);
    return good;
}

/* Who has not got its answers yet may be told more than by them: a VIEW-CHANGE of ours that others go by. */
void node_take_own_word(struct chain_node *m, const struct chain_msg *msg)
{
    if (!m->votes_allowed && m->engine && binds_view(msg->kind) && node_verify(m, msg))
        raise_lost(&m->lost, m->members->epoch, msg);
}

/* An entry of the answer: ours if it names us and the number. False: malformed, or a signature that is not ours. */
static bool take_entry(struct chain_node *m, struct chain_cbor_reader *r, bool *ours, struct node_lost *lost)
{
    chain_cbor_expect_array(r, 4);
    uint64_t key = chain_cbor_get_uint(r), number = chain_cbor_get_uint(r), epoch = chain_cbor_get_uint(r);
    size_t n = chain_cbor_get_array(r, NODE_HEARD_KINDS);
    bool is_ours = key == m->cfg.self && number == m->ask_number;
    *ours = *ours || (is_ours && !r->bad);
    for (size_t i = 0; i < n && !r->bad; i++) {
        if (is_ours) {
            if (!take_signed(m, r, epoch, lost))
                return false;
            continue;
        }
        uint8_t octets[CHAIN_SIG_BYTES];
        chain_cbor_expect_array(r, 5);
        (void)chain_cbor_get_uint(r), (void)chain_cbor_get_uint(r), (void)chain_cbor_get_uint(r);
        chain_cbor_get_fixed(r, octets, CHAIN_HASH_BYTES);
        chain_cbor_get_fixed(r, octets, CHAIN_SIG_BYTES);
    }
    return !r->bad;
}

static void raise_claim(struct node_claim *claim, const struct node_claim *by)
{
    if (by->epoch > claim->epoch)
        *claim = (struct node_claim){.epoch = by->epoch};
    if (by->epoch < claim->epoch)
        return;
    claim->led_term = by->led_term > claim->led_term ? by->led_term : claim->led_term;
    claim->promised = by->promised > claim->promised ? by->promised : claim->promised;
    claim->committed = by->committed > claim->committed ? by->committed : claim->committed;
    if (by->log_term > claim->log_term || (by->log_term == claim->log_term && by->log_index > claim->log_index)) {
        claim->log_term = by->log_term;
        claim->log_index = by->log_index;
    }
}

void node_take_seen(struct chain_node *m, const struct chain_msg *msg)
{
    bool waits = !m->votes_allowed || m->asks_again, had = m->answered >> msg->author & 1;
    if (m->ask_number == 0 || (waits ? had : !lost_counts(m))) {
        m->stats.duplicates++;
        return;
    }
    if (!node_verify(m, msg))
        return;
    struct chain_cbor_reader r = {.data = msg->body, .len = msg->body_len};
    struct node_claim claim;
    chain_cbor_expect_array(&r, 8);
    claim.epoch = chain_cbor_get_u32(&r);
    uint64_t term = chain_cbor_get_uint(&r);
    claim.led_term = chain_cbor_get_bool(&r) ? term : 0;
    uint64_t promised = chain_cbor_get_uint(&r);
    claim.promised = m->members->n <= 4 ? term : promised; /* a lost vote does harm with five or more alone */
    claim.log_term = chain_cbor_get_uint(&r);
    claim.log_index = chain_cbor_get_uint(&r);
    claim.committed = chain_cbor_get_uint(&r);
    size_t n = chain_cbor_get_array(&r, CHAIN_MAX_KEYS);
    bool ours = false, good = !r.bad;
    struct node_lost lost = m->lost;
    for (size_t i = 0; i < n && good; i++)
        good = take_entry(m, &r, &ours, &lost);
    if (!good || chain_cbor_end(&r) != 0) {
        m->stats.refused_malformed++;
        return;
    }
    if (!ours)
        return; /* for somebody else */
    bool beyond = claim.epoch == m->members->epoch && term > m->lost_term;
    if (lost_counts(m) && own_term(m) > m->lost_term && !beyond && claim.epoch <= m->members->epoch)
        return; /* it may come to our term yet */
    m->answered |= UINT64_C(1) << msg->author;
    m->beyond |= beyond ? UINT64_C(1) << msg->author : 0;
    m->lost = lost;
    if (m->cfg.engine->byzantine)
        return;
    raise_claim(&m->claim, &claim);
    if (claim.epoch > m->members->epoch)
        m->later_epoch = true;
    node_note_reported(m, msg->author, claim.committed); /* whom to fetch it from */
}

int64_t node_seen_deadline(const struct chain_node *m)
{
    return m->ask_due_ns < m->answer_due_ns ? m->ask_due_ns : m->answer_due_ns;
}
