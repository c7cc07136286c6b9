/* Clients' operations on their way into transactions, and the answers back. */
#include "apps/node_intake.h"

#include "chain/cbor.h"

#include <errno.h>
#include <string.h>

enum { MAX_ANSWER_BYTES = 64 * 1024, MAX_RUN_HEAD = 24, MAX_CODE = 5 };
static const int64_t SWEEP_NS = 1000000000;

void app_node_intake_init(struct app_node_intake *in)
{
    for (size_t i = 0; i < APP_INTAKE_MAX_CALLERS; i++)
        in->callers[i].first_answer = UINT32_MAX;
}

static bool is_caller(const struct app_intake_caller *c, const struct chain_net_caller *id)
{
    return c->id.len == id->len && memcmp(c->id.id, id->id, id->len) == 0;
}

/* Their place in the table, kept while anything of theirs is open. APP_INTAKE_MAX_CALLERS: no room */
static uint32_t find_caller(struct app_node_intake *in, const struct chain_net_caller *id)
{
    if (is_caller(&in->callers[in->last_caller], id))
        return in->last_caller;
    uint32_t free_place = APP_INTAKE_MAX_CALLERS;
    for (uint32_t i = 0; i < APP_INTAKE_MAX_CALLERS; i++) {
        if (is_caller(&in->callers[i], id))
            return in->last_caller = i;
        if (free_place == APP_INTAKE_MAX_CALLERS && in->callers[i].n_open == 0 && in->callers[i].first_answer == UINT32_MAX)
            free_place = i;
    }
    if (free_place < APP_INTAKE_MAX_CALLERS) {
        in->callers[free_place].id = *id;
        in->last_caller = free_place;
    }
    return free_place;
}

/* --- operations that wait for their block, by (author, nonce): open addressing ---------------------------------------------------- */

static size_t slot_of(uint32_t author, uint64_t nonce)
{
    uint64_t word = (nonce ^ (uint64_t)author << 56) * 0x9e3779b97f4a7c15U;
    return (size_t)(word >> 40) % APP_INTAKE_SLOTS;
}

static struct app_intake_op *find_pending(struct app_node_intake *in, uint32_t author, uint64_t nonce)
{
    size_t i = slot_of(author, nonce);
    for (; in->slots[i].used; i = (i + 1) % APP_INTAKE_SLOTS)
        if (in->slots[i].author == author && in->slots[i].nonce == nonce)
            break;
    return &in->slots[i];
}

/* False: somebody waits for it already */
static bool add_pending(struct app_node_intake *in, const struct app_intake_op *op)
{
    struct app_intake_op *slot = find_pending(in, op->author, op->nonce);
    if (slot->used)
        return false;
    *slot = *op;
    slot->used = true;
    in->n_pending++;
    return true;
}

/* What lies behind moves up, so that no search ends too early. */
static void remove_pending(struct app_node_intake *in, struct app_intake_op *op)
{
    size_t hole = (size_t)(op - in->slots);
    for (size_t i = (hole + 1) % APP_INTAKE_SLOTS; in->slots[i].used; i = (i + 1) % APP_INTAKE_SLOTS) {
        size_t home = slot_of(in->slots[i].author, in->slots[i].nonce);
        size_t from_home = (i + APP_INTAKE_SLOTS - home) % APP_INTAKE_SLOTS, from_hole = (i + APP_INTAKE_SLOTS - hole) % APP_INTAKE_SLOTS;
        if (from_home < from_hole)
            continue;
        in->slots[hole] = in->slots[i];
        hole = i;
    }
    in->slots[hole].used = false;
    in->n_pending--;
}

/* --- answers ----------------------------------------------------------------------------------------------------------------------- */

/* How many of a caller's answers from i on make one run, and their octets at most */
static size_t measure_run(const struct app_node_intake *in, uint32_t i, uint32_t *next_out)
{
    const struct app_intake_answer *first = &in->answers[i];
    size_t n = 1;
    uint32_t next = first->next;
    for (; next != UINT32_MAX && n < APP_INTAKE_MAX_ITEMS; n++, next = in->answers[next].next)
        if (in->answers[next].height != first->height || in->answers[next].number != first->number + n)
            break;
    *next_out = next;
    return n;
}

/* As many runs as one message holds, from i on; the index to go on from */
static uint32_t send_runs(struct app_node_intake *in, const struct app_intake_caller *caller, uint32_t i)
{
    uint8_t octets[MAX_ANSWER_BYTES];
    size_t n_runs = 0, bytes = MAX_RUN_HEAD;
    uint32_t end = i, next;
    while (end != UINT32_MAX) {
        bytes += MAX_RUN_HEAD + MAX_CODE * measure_run(in, end, &next);
        if (bytes > sizeof octets)
            break;
        end = next;
        n_runs++;
    }
    struct chain_cbor_writer w = {.out = octets, .cap = sizeof octets};
    chain_cbor_put_array(&w, n_runs);
    while (i != end) {
        size_t n = measure_run(in, i, &next);
        chain_cbor_put_array(&w, 3);
        chain_cbor_put_uint(&w, in->answers[i].number);
        chain_cbor_put_uint(&w, in->answers[i].height);
        chain_cbor_put_array(&w, n);
        for (; i != next; i = in->answers[i].next)
            chain_cbor_put_int(&w, in->answers[i].code);
    }
    in->send(in->ctx, &caller->id, octets, w.len);
    return end;
}

static void send_answers(struct app_node_intake *in)
{
    for (size_t i = 0; in->n_answers > 0 && i < APP_INTAKE_MAX_CALLERS; i++) {
        struct app_intake_caller *caller = &in->callers[i];
        for (uint32_t at = caller->first_answer; at != UINT32_MAX;)
            at = send_runs(in, caller, at);
        caller->first_answer = UINT32_MAX;
    }
    in->n_answers = 0;
}

static void answer(struct app_node_intake *in, uint32_t i_caller, uint64_t number, uint64_t height, int code)
{
    if (in->n_answers == APP_INTAKE_PENDING)
        send_answers(in);
    struct app_intake_caller *caller = &in->callers[i_caller];
    uint32_t at = (uint32_t)in->n_answers++;
    in->answers[at] = (struct app_intake_answer){number, height, code, UINT32_MAX};
    if (caller->first_answer == UINT32_MAX)
        caller->first_answer = at;
    else
        in->answers[caller->last_answer].next = at;
    caller->last_answer = at;
    in->stats.answered++;
}

static void settle(struct app_node_intake *in, struct app_intake_op *op, uint64_t height, int code)
{
    answer(in, op->caller, op->number, height, code);
    in->callers[op->caller].n_open--;
    in->stats.unknown += code == APP_INTAKE_UNKNOWN;
    remove_pending(in, op);
}

/* All operations of its transaction */
static void settle_tx(struct app_node_intake *in, const struct app_intake_op *any, uint64_t height, int code)
{
    uint32_t author = any->author, n = any->n_before + 1U + any->n_after;
    uint64_t first = any->nonce - any->n_before;
    for (uint32_t i = 0; i < n; i++) {
        struct app_intake_op *op = find_pending(in, author, first + i);
        if (op->used)
            settle(in, op, height, code);
    }
}

static void refuse(struct app_node_intake *in, uint32_t i_caller, uint64_t number, int code)
{
    in->stats.refused_busy += code == APP_INTAKE_BUSY;
    in->stats.refused_malformed += code == APP_INTAKE_MALFORMED;
    answer(in, i_caller, number, 0, code);
}

/* --- what comes in ----------------------------------------------------------------------------------------------------------------- */

static void enqueue(struct app_node_intake *in, uint32_t i_caller, uint64_t number, const uint8_t *octets, size_t len)
{
    struct chain_op op;
    if (len > CHAIN_MAX_OP_BYTES || chain_op_decode(&op, octets, len) != 0) {
        refuse(in, i_caller, number, APP_INTAKE_MALFORMED);
        return;
    }
    if (in->n_queued == APP_INTAKE_QUEUE || in->n_queued + in->n_pending >= APP_INTAKE_PENDING) {
        refuse(in, i_caller, number, APP_INTAKE_BUSY);
        return;
    }
    size_t at = (in->first_queued + in->n_queued++) % APP_INTAKE_QUEUE;
    in->queue[at].op = (struct app_intake_op){.caller = (uint16_t)i_caller, .number = number};
    in->queue[at].len = (uint16_t)len;
    memcpy(in->queue[at].octets, octets, len);
    in->callers[i_caller].n_open++;
    in->stats.submitted++;
}

static int code_of(int result)
{
    return result > 0 ? result : result == -ENOBUFS || result == -EAGAIN ? APP_INTAKE_BUSY
                             : result == -EALREADY                      ? APP_INTAKE_UNKNOWN
                                                                        : APP_INTAKE_MALFORMED;
}

/* Called by several threads, each for another one */
void app_node_intake_verify(void *ctx, size_t i)
{
    struct app_node_intake *in = ctx;
    struct app_intake_tx *tx = &in->txs[i];
    struct chain_ed25519 nobody = {0};
    struct chain_signer signer = chain_signer_ed25519(&nobody);
    size_t consumed = 0;
    tx->n_ops = 0;
    if (chain_msg_decode(&in->known, tx->octets, tx->len, &tx->msg, &consumed) != 0 || consumed != tx->len || tx->msg.kind != CHAIN_MSG_TX)
        return;
    int n = chain_tx_count(tx->msg.body, tx->msg.body_len);
    if (n > 0 && signer.verify(signer.ctx, &in->known, &tx->msg) == 0)
        tx->n_ops = n;
}

/* It waits at the node already, by way of another member, or was executed: answered from what is remembered, or once the node's disk has it, or given up soon. */
static void await_or_recall(struct app_node_intake *in, const struct app_intake_tx *tx, int64_t now_ns)
{
    struct app_node_answer a = {.author = tx->msg.author, .n_ops = (uint32_t)tx->n_ops, .nonce = tx->msg.seq, .digest = tx->msg.digest};
    in->recall(in->ctx, &a);
    for (uint32_t i = 0; i < a.n_ops; i++) {
        struct app_intake_op *op = find_pending(in, a.author, a.nonce + i);
        if (op->used && app_node_answer_known(&a))
            settle(in, op, a.height, a.codes[i]);
        else if (op->used && a.taken == APP_NONCE_USED)
            op->until_ns = now_ns + SWEEP_NS;
    }
}

/* Somebody waits for a nonce of it already. */
static bool is_awaited(struct app_node_intake *in, const struct chain_msg *tx, int n)
{
    for (int i = 0; i < n; i++)
        if (find_pending(in, tx->author, tx->seq + (uint64_t)i)->used)
            return true;
    return false;
}

/* A signed transaction: to the node. -EIO: fatal; else 0. */
static int hand_in(struct app_node_intake *in, const struct app_intake_tx *tx, int64_t now_ns)
{
    const struct chain_msg msg = tx->msg;
    int n = tx->n_ops;
    uint64_t number = tx->first ? tx->number : in->next_number;
    in->callers[tx->caller].n_open--;
    in->next_number = number + (n > 0 ? (uint64_t)n : 1);
    if (n == 0) {
        refuse(in, tx->caller, number, APP_INTAKE_MALFORMED);
        return 0;
    }
    bool room = in->n_queued + in->n_pending + (size_t)n <= APP_INTAKE_PENDING;
    struct app_intake_op op = {.caller = tx->caller, .author = msg.author, .until_ns = now_ns + APP_INTAKE_MAX_WAIT_S * INT64_C(1000000000)};
    memcpy(op.sig, msg.sig, sizeof op.sig);
    bool known = room && is_awaited(in, &msg, n);
    for (int i = 0; room && !known && i < n; i++) { /* before it is handed in: a cluster of one executes it there and then */
        op.nonce = msg.seq + (uint64_t)i;
        op.number = number + (uint64_t)i;
        op.n_before = (uint8_t)i;
        op.n_after = (uint8_t)(n - 1 - i);
        in->callers[tx->caller].n_open += add_pending(in, &op);
    }
    int result = !room ? -ENOBUFS : known ? -EALREADY : in->submit_tx(in->ctx, &tx->msg, tx->octets, tx->len);
    if (result == -EIO)
        return result;
    in->stats.submitted += (uint64_t)n;
    if (result == -EALREADY && !known && in->recall) {
        await_or_recall(in, tx, now_ns);
        return 0;
    }
    for (int i = 0; result != 0 && i < n; i++) {
        struct app_intake_op *pending = find_pending(in, msg.author, msg.seq + (uint64_t)i);
        if (!known && pending->used) {
            in->callers[tx->caller].n_open--;
            remove_pending(in, pending);
        }
        refuse(in, tx->caller, number + (uint64_t)i, code_of(result));
    }
    return 0;
}

/* The n oldest, which are verified */
static int hand_in_oldest(struct app_node_intake *in, size_t n, int64_t now_ns)
{
    int err = 0;
    for (; n > 0 && !err; n--, in->n_txs--) {
        err = hand_in(in, &in->txs[in->first_tx], now_ns);
        in->first_tx = (in->first_tx + 1) % APP_CREW_TASKS;
    }
    if (in->n_txs == 0)
        in->n_octets = 0;
    return err;
}

int app_node_intake_collect(struct app_node_intake *in, int64_t now_ns)
{
    return in->n_txs > 0 ? hand_in_oldest(in, app_crew_take(in->crew), now_ns) : 0;
}

/* What the crew works on stays as it is until it is done. */
static int finish(struct app_node_intake *in, int64_t now_ns)
{
    return in->n_txs > 0 ? hand_in_oldest(in, app_crew_finish(in->crew), now_ns) : 0;
}

/* Room for a message's transactions, and whose they may be. Keys are added, never changed. */
static int prepare(struct app_node_intake *in, size_t n, size_t len, int64_t now_ns)
{
    bool room = in->n_txs + n <= APP_CREW_TASKS && in->n_octets + len <= APP_INTAKE_OCTETS;
    bool same = memcmp(&in->known, in->members, sizeof in->known) == 0;
    int err = room && same ? 0 : finish(in, now_ns);
    if (!same)
        memcpy(&in->known, in->members, sizeof in->known);
    return err;
}

static void put_tx(struct app_node_intake *in, struct app_intake_tx tx)
{
    if (tx.len > 0)
        memcpy(in->octets + in->n_octets, tx.octets, tx.len);
    tx.octets = in->octets + in->n_octets;
    in->n_octets += tx.len;
    in->txs[(in->first_tx + in->n_txs++) % APP_CREW_TASKS] = tx;
    in->callers[tx.caller].n_open++;
}

/* n transactions and what cannot be read behind them. A few are verified at once if nobody is before them: a thread would not be sooner. */
static int take_signed(struct app_node_intake *in, struct chain_cbor_reader *r, size_t n, struct app_intake_tx tx, int64_t now_ns)
{
    enum { A_FEW = 2 };
    size_t n_before = in->n_txs;
    for (size_t i = 0; i < n && !r->bad; i++, tx.first = false) {
        tx.octets = chain_cbor_get_bytes(r, &tx.len);
        if (r->bad)
            tx.len = 0;
        put_tx(in, tx);
    }
    size_t n_more = in->n_txs - n_before;
    if (in->crew && (n_before > 0 || n_more > A_FEW)) {
        app_crew_give(in->crew, n_more);
        return 0;
    }
    size_t first = in->first_tx;
    for (size_t i = 0; i < n_more; i++)
        app_node_intake_verify(in, (first + i) % APP_CREW_TASKS);
    int err = hand_in_oldest(in, n_more, now_ns);
    in->first_tx = first; /* the crew did not count them */
    return err;
}

int app_node_intake_take(struct app_node_intake *in, const struct chain_net_event *event, int64_t now_ns)
{
    struct chain_cbor_reader r = {.data = event->data, .len = event->len};
    chain_cbor_expect_array(&r, 3);
    uint64_t number = chain_cbor_get_uint(&r);
    bool is_signed = chain_cbor_get_bool(&r);
    size_t n = chain_cbor_get_array(&r, APP_INTAKE_MAX_ITEMS);
    uint32_t i_caller = r.bad || n == 0 ? APP_INTAKE_MAX_CALLERS : find_caller(in, &event->caller);
    if (i_caller == APP_INTAKE_MAX_CALLERS) {
        in->stats.refused_malformed += r.bad || n == 0;
        in->stats.refused_busy += !r.bad && n > 0;
        return 0; /* nobody to answer to, or nothing to answer */
    }
    if (is_signed) {
        struct app_intake_tx tx = {.caller = (uint16_t)i_caller, .first = true, .number = number};
        int err = prepare(in, n, event->len, now_ns);
        return err ? err : take_signed(in, &r, n, tx, now_ns);
    }
    for (size_t i = 0; i < n && !r.bad; i++) {
        size_t len;
        const uint8_t *octets = chain_cbor_get_bytes(&r, &len);
        if (!r.bad)
            enqueue(in, i_caller, number++, octets, len);
    }
    if (r.bad)
        refuse(in, i_caller, number, APP_INTAKE_MALFORMED);
    return 0;
}

/* The head of a transaction's body with as many queued operations as fit */
static size_t fill_body(const struct app_node_intake *in, uint8_t *body, size_t cap, size_t *len_out)
{
    size_t n = 0, bytes = 2;
    while (n < in->n_queued && n < CHAIN_MAX_TX_OPS) {
        size_t len = in->queue[(in->first_queued + n) % APP_INTAKE_QUEUE].len;
        if (bytes + len > cap)
            break;
        bytes += len;
        n++;
    }
    struct chain_cbor_writer w = {.out = body, .cap = cap};
    chain_cbor_put_array(&w, n);
    for (size_t i = 0; i < n; i++) {
        size_t at = (in->first_queued + i) % APP_INTAKE_QUEUE;
        memcpy(body + w.len, in->queue[at].octets, in->queue[at].len);
        w.len += in->queue[at].len;
    }
    *len_out = w.len;
    return n;
}

int app_node_intake_pack(struct app_node_intake *in, int64_t now_ns)
{
    uint8_t body[CHAIN_MAX_TX_BYTES - CHAIN_TX_OVERHEAD];
    while (in->n_queued > 0) {
        size_t len, n = fill_body(in, body, sizeof body, &len);
        uint64_t nonce;
        int result = in->submit_body(in->ctx, body, len, &nonce);
        if (result == -EIO)
            return result;
        if (result == -ENOBUFS || result == -EAGAIN)
            return 0; /* until a block has made room */
        for (size_t i = 0; i < n; i++) {
            struct app_intake_op *op = &in->queue[in->first_queued].op;
            op->own = true;
            op->author = in->self;
            op->nonce = nonce + i;
            op->n_before = (uint8_t)i;
            op->n_after = (uint8_t)(n - 1 - i);
            op->until_ns = now_ns + APP_INTAKE_MAX_WAIT_S * INT64_C(1000000000);
            in->callers[op->caller].n_open -= result != 0 || !add_pending(in, op);
            if (result != 0)
                refuse(in, op->caller, op->number, code_of(result));
            in->first_queued = (in->first_queued + 1) % APP_INTAKE_QUEUE;
            in->n_queued--;
        }
    }
    return 0;
}

/* --- what comes out ----------------------------------------------------------------------------------------------------------------- */

void app_node_intake_executed(struct app_node_intake *in, const struct chain_ledger_event *event)
{
    if (event->kind != CHAIN_LE_TX)
        return;
    struct app_intake_op *op = find_pending(in, event->station, event->nonce);
    if (!op->used)
        return;
    bool whole = event->op == 0; /* refused: it has this one event, with its first nonce */
    if (op->own || memcmp(op->sig, event->sig, sizeof op->sig) == 0) {
        if (whole)
            settle_tx(in, op, event->height, (int)event->code);
        else
            settle(in, op, event->height, (int)event->code);
    } else if (!whole || event->code == CHAIN_MISSING_PARAM) { /* refused for another reason it uses no nonce */
        settle_tx(in, op, 0, APP_INTAKE_UNKNOWN);
    }
}

static void sweep(struct app_node_intake *in, int64_t now_ns)
{
    if (now_ns < in->swept_ns + SWEEP_NS)
        return;
    in->swept_ns = now_ns;
    for (size_t i = 0; i < APP_INTAKE_SLOTS && in->n_pending > 0; i++)
        while (in->slots[i].used && in->slots[i].until_ns <= now_ns) /* another one may have moved here */
            settle(in, &in->slots[i], 0, APP_INTAKE_UNKNOWN);
}

void app_node_intake_flush(struct app_node_intake *in, int64_t now_ns)
{
    sweep(in, now_ns);
    if (in->n_answers > 0)
        send_answers(in);
}
