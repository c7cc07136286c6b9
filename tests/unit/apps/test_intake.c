#define SUITE_NAME "apps/node_intake"
#include "tests/unit/check_main.h"

#include "apps/node_intake.h"
#include "chain/cbor.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>

enum { MAX_SENT = 64 };

/* A node that notes what it is handed, and callers that note what they hear */
static struct {
    struct app_node_intake in;
    struct chain_members members;
    struct chain_ed25519 key;
    int result;
    size_t n_bodies, n_txs, body_ops[256];
    uint64_t next_nonce, content; /* content: what signed operations are about */
    size_t n_sent;
    struct {
        struct chain_net_caller to;
        uint64_t number, height;
        int64_t code;
    } sent[MAX_SENT * APP_INTAKE_MAX_ITEMS];
    size_t n_messages;
} house;

static const int64_t S = 1000000000;

static int submit_body(void *ctx, const uint8_t *body, size_t len, uint64_t *nonce_out)
{
    (void)ctx;
    int n = chain_tx_count(body, len);
    ck_assert_int_gt(n, 0);
    if (house.result != 0)
        return house.result;
    house.body_ops[house.n_bodies++ % 256] = (size_t)n;
    *nonce_out = house.next_nonce;
    house.next_nonce += (uint64_t)n;
    return 0;
}

static int submit_tx(void *ctx, const struct chain_msg *tx, const uint8_t *octets, size_t len)
{
    struct chain_msg again;
    (void)ctx;
    ck_assert_int_eq(chain_msg_decode(&house.members, octets, len, &again, NULL), 0);
    ck_assert(again.seq == tx->seq && again.author == tx->author && memcmp(&again.digest, &tx->digest, sizeof again.digest) == 0);
    house.n_txs += house.result == 0;
    return house.result;
}

static void hear(void *ctx, const struct chain_net_caller *to, const uint8_t *data, size_t len)
{
    (void)ctx;
    struct chain_cbor_reader r = {.data = data, .len = len};
    size_t n_runs = chain_cbor_get_array(&r, 1 << 16);
    house.n_messages++;
    for (size_t i = 0; i < n_runs; i++) {
        chain_cbor_expect_array(&r, 3);
        uint64_t number = chain_cbor_get_uint(&r), height = chain_cbor_get_uint(&r);
        size_t n = chain_cbor_get_array(&r, APP_INTAKE_MAX_ITEMS);
        for (size_t k = 0; k < n; k++) {
            ck_assert_uint_lt(house.n_sent, sizeof house.sent / sizeof house.sent[0]);
            house.sent[house.n_sent].to = *to;
            house.sent[house.n_sent].number = number + k;
            house.sent[house.n_sent].height = height;
            house.sent[house.n_sent++].code = chain_cbor_get_int(&r);
        }
    }
    ck_assert_int_eq(chain_cbor_end(&r), 0);
}

static void open_house(void)
{
    uint8_t seed[32] = {7};
    ck_assert_int_ge(sodium_init(), 0);
    memset(&house, 0, sizeof house);
    house.members.n = 1;
    house.members.n_keys = 2;
    chain_members_seat_in_order(&house.members);
    chain_ed25519_from_seed(seed, house.members.keys[1], house.key.secret);
    house.next_nonce = 1000;
    app_node_intake_init(&house.in);
    house.in.members = &house.members;
    house.in.submit_body = submit_body;
    house.in.submit_tx = submit_tx;
    house.in.send = hear;
}

static size_t encode_op(uint64_t id, uint8_t *out)
{
    struct chain_op op = {.kind = CHAIN_OP_HEARTBEAT, .lease.grant_id = id};
    long len = chain_op_encode(&op, out, CHAIN_MAX_OP_BYTES);
    ck_assert_int_gt(len, 0);
    return (size_t)len;
}

static int take(uint8_t caller, const uint8_t *data, size_t len, int64_t now_ns)
{
    struct chain_net_event event = {.kind = CHAIN_NET_SUBMIT, .caller = {.len = 1, .id = {caller}}, .data = data, .len = len};
    return app_node_intake_take(&house.in, &event, now_ns);
}

static void submit(uint8_t caller, uint64_t number, size_t n)
{
    static uint8_t octets[APP_INTAKE_MAX_ITEMS * 64];
    struct chain_cbor_writer w = {.out = octets, .cap = sizeof octets};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, number);
    chain_cbor_put_bool(&w, false);
    chain_cbor_put_array(&w, n);
    for (size_t i = 0; i < n; i++) {
        uint8_t op[CHAIN_MAX_OP_BYTES];
        chain_cbor_put_bytes(&w, op, encode_op(number + i, op));
    }
    ck_assert_int_eq(take(caller, octets, w.len, S), 0);
}

/* A signed transaction of n operations by key 1; octets in `out` */
static size_t sign_tx(uint64_t nonce, size_t n, uint8_t *out, size_t cap, uint8_t sig_out[CHAIN_SIG_BYTES])
{
    uint8_t body[64 * 64];
    struct chain_cbor_writer w = {.out = body, .cap = sizeof body};
    chain_cbor_put_array(&w, n);
    for (size_t i = 0; i < n; i++) {
        uint8_t op[CHAIN_MAX_OP_BYTES];
        size_t len = encode_op(house.content + i, op);
        memcpy(body + w.len, op, len);
        w.len += len;
    }
    struct chain_msg msg = {.kind = CHAIN_MSG_TX, .author = 1, .seq = nonce, .body = body, .body_len = w.len};
    struct chain_signer signer = chain_signer_ed25519(&house.key);
    ck_assert_int_eq(chain_msg_digest(&house.members, msg.kind, body, w.len, &msg.digest), 0);
    ck_assert_int_eq(signer.sign(signer.ctx, &house.members, &msg), 0);
    if (sig_out)
        memcpy(sig_out, msg.sig, sizeof msg.sig);
    long len = chain_msg_encode(&house.members, &msg, out, cap);
    ck_assert_int_gt(len, 0);
    return (size_t)len;
}

/* Key 1's are one transaction of these n, as it would be signed now. */
static void execute(uint32_t author, uint64_t nonce, size_t n, uint64_t height, enum chain_response code)
{
    uint8_t tx[4096], sig[CHAIN_SIG_BYTES] = {0};
    if (author == 1)
        sign_tx(nonce, n, tx, sizeof tx, sig);
    for (size_t i = 0; i < n; i++) {
        struct chain_ledger_event event = {.kind = CHAIN_LE_TX, .station = author, .nonce = nonce + i, .height = height, .code = code,
                                           .op = CHAIN_OP_HEARTBEAT};
        memcpy(event.sig, sig, sizeof sig);
        app_node_intake_executed(&house.in, &event);
    }
}

/* The envelope is refused as a whole. */
static void refuse_whole(uint64_t nonce, size_t n, uint64_t height, enum chain_response code)
{
    uint8_t tx[4096];
    struct chain_ledger_event event = {.kind = CHAIN_LE_TX, .station = 1, .nonce = nonce, .height = height, .code = code};
    sign_tx(nonce, n, tx, sizeof tx, event.sig);
    app_node_intake_executed(&house.in, &event);
}

START_TEST(operations_of_several_callers_share_a_transaction_and_each_hears_of_its_own)
{
    submit(1, 50, 3);
    submit(2, 7, 80);
    ck_assert_int_eq(app_node_intake_pack(&house.in, S), 0);
    ck_assert_uint_eq(house.n_bodies, 2);
    ck_assert_uint_eq(house.body_ops[0], 64);
    ck_assert_uint_eq(house.body_ops[1], 19);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 0); /* nothing before it is executed */
    execute(0, 1000, 64, 9, CHAIN_SUCCESS);
    execute(0, 1064, 19, 10, CHAIN_INVALID_VALUE);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_messages, 2);
    ck_assert_uint_eq(house.n_sent, 83);
    for (size_t i = 0; i < 83; i++) {
        bool first = i < 3;
        ck_assert_uint_eq(house.sent[i].to.id[0], first ? 1 : 2);
        ck_assert_uint_eq(house.sent[i].number, first ? 50 + i : 7 + i - 3);
        ck_assert_uint_eq(house.sent[i].height, i < 64 ? 9 : 10);
        ck_assert_int_eq(house.sent[i].code, i < 64 ? 0 : CHAIN_INVALID_VALUE);
    }
    execute(0, 1000, 83, 11, CHAIN_SUCCESS); /* said again: nobody waits any more */
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_messages, 2);
    ck_assert_uint_eq(house.in.n_pending, 0);
}
END_TEST

START_TEST(what_the_node_has_no_room_for_waits_and_what_the_queue_has_no_room_for_is_refused)
{
    house.result = -ENOBUFS;
    for (size_t i = 0; i < APP_INTAKE_QUEUE / 256; i++)
        submit(1, 256 * i, 256);
    ck_assert_int_eq(app_node_intake_pack(&house.in, S), 0);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 0);
    submit(3, 1, 2);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 2);
    ck_assert_uint_eq(house.sent[1].height, 0);
    ck_assert_int_eq(house.sent[1].code, APP_INTAKE_BUSY);
    house.result = 0;
    ck_assert_int_eq(app_node_intake_pack(&house.in, S), 0);
    ck_assert_uint_eq(house.n_bodies, APP_INTAKE_QUEUE / 64);
    execute(0, 1000, APP_INTAKE_QUEUE, 4, CHAIN_SUCCESS);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 2 + APP_INTAKE_QUEUE);
    ck_assert_uint_eq(house.in.n_pending, 0);
}
END_TEST

static void submit_signed(uint8_t caller, uint64_t number, uint64_t nonce, size_t n, int64_t now_ns)
{
    uint8_t tx[4096], octets[8192];
    struct chain_cbor_writer w = {.out = octets, .cap = sizeof octets};
    size_t len = sign_tx(nonce, n, tx, sizeof tx, NULL);
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, number);
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_array(&w, 1);
    chain_cbor_put_bytes(&w, tx, len);
    ck_assert_int_eq(take(caller, octets, w.len, now_ns), 0);
}

/* As the loop does: sleeps until the crew has something */
static void collect_all(void)
{
    while (house.in.n_txs > 0) {
        struct pollfd crew = {.fd = app_crew_fd(house.in.crew), .events = POLLIN};
        ck_assert_int_eq(poll(&crew, 1, 10000), 1);
        ck_assert_int_eq(app_node_intake_collect(&house.in, S), 0);
    }
}

START_TEST(each_operation_of_a_signed_transaction_is_answered)
{
    submit_signed(1, 5, 70, 4, S);
    ck_assert_uint_eq(house.n_txs, 1);
    execute(1, 70, 4, 3, CHAIN_SUCCESS);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 4);
    ck_assert_uint_eq(house.sent[3].number, 8);
    ck_assert_uint_eq(house.sent[3].height, 3);
    /* one that is refused as a whole, with another one right behind it */
    submit_signed(1, 20, 80, 3, S);
    submit_signed(1, 30, 83, 2, S);
    refuse_whole(80, 3, 4, CHAIN_UNSYNC_OP_PARAM);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 7);
    ck_assert_int_eq(house.sent[6].code, CHAIN_UNSYNC_OP_PARAM);
    ck_assert_uint_eq(house.in.n_pending, 2);
    /* the node does not take it: all of its operations hear why */
    house.result = -ENOBUFS;
    submit_signed(2, 1, 200, 2, S);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 9);
    ck_assert_int_eq(house.sent[8].code, APP_INTAKE_BUSY);
    ck_assert_uint_eq(house.in.n_pending, 2);
}
END_TEST

START_TEST(a_signature_that_is_not_the_authors_is_refused_also_by_a_crew)
{
    for (int with_crew = 0; with_crew < 2; with_crew++) {
        house.in.crew = with_crew ? app_crew_open(2, app_node_intake_verify, &house.in) : NULL;
        house.key.secret[0] ^= (uint8_t)(1 + with_crew);
        size_t n_sent = house.n_sent;
        submit_signed(1, 5, 70, 3, S);
        app_node_intake_flush(&house.in, S);
        ck_assert_uint_eq(house.n_txs, 0);
        ck_assert_uint_eq(house.n_sent, n_sent + 1);
        ck_assert_int_eq(house.sent[n_sent].code, APP_INTAKE_MALFORMED);
        app_crew_close(house.in.crew);
    }
}
END_TEST

/* 200 transactions in one message, every seventh of them forged */
START_TEST(a_crew_finds_the_forged_ones_among_many)
{
    enum { N = 200 };
    static uint8_t octets[N * 512];
    struct chain_cbor_writer w = {.out = octets, .cap = sizeof octets};
    chain_cbor_put_array(&w, 3);
    chain_cbor_put_uint(&w, 0);
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_array(&w, N);
    for (size_t i = 0; i < N; i++) {
        uint8_t tx[512];
        size_t len = sign_tx(100 + i, 1, tx, sizeof tx, NULL);
        tx[len - 1] ^= i % 7 == 0;
        chain_cbor_put_bytes(&w, tx, len);
    }
    house.in.crew = app_crew_open(3, app_node_intake_verify, &house.in);
    for (int round = 0; round < 20; round++) {
        house.in.n_pending = 0;
        memset(house.in.slots, 0, sizeof house.in.slots);
        size_t n_sent = house.n_sent;
        ck_assert_int_eq(take(1, octets, w.len, S), 0);
        collect_all();
        app_node_intake_flush(&house.in, S);
        ck_assert_uint_eq(house.n_sent, n_sent + (N + 6) / 7);
        for (size_t i = n_sent; i < house.n_sent; i++)
            ck_assert_uint_eq(house.sent[i].number % 7, 0);
    }
    app_crew_close(house.in.crew);
}
END_TEST

/* Messages of several callers while the crew works: what is handed in keeps its order, and numbers count on within a message. Each message is
 * one transaction of two operations, one forged and one of three. Keys change in between. */
START_TEST(what_a_crew_has_under_way_is_answered_to_whom_it_belongs)
{
    enum { MESSAGES = 3000 };
    static uint8_t octets[4096];
    house.in.crew = app_crew_open(3, app_node_intake_verify, &house.in);
    for (uint64_t i = 0; i < MESSAGES; i++) {
        struct chain_cbor_writer w = {.out = octets, .cap = sizeof octets};
        uint8_t tx[3][1024];
        size_t lens[] = {sign_tx(10 * i, 2, tx[0], 1024, NULL), sign_tx(10 * i + 2, 1, tx[1], 1024, NULL), sign_tx(10 * i + 3, 3, tx[2], 1024, NULL)};
        tx[1][lens[1] - 1] ^= 1;
        chain_cbor_put_array(&w, 3);
        chain_cbor_put_uint(&w, 100 * i);
        chain_cbor_put_bool(&w, true);
        chain_cbor_put_array(&w, 3);
        for (int k = 0; k < 3; k++)
            chain_cbor_put_bytes(&w, tx[k], lens[k]);
        house.members.n_keys = 2 + (uint32_t)(i / 1000);
        ck_assert_int_eq(take((uint8_t)(1 + i % 3), octets, w.len, S), 0);
        ck_assert_int_eq(app_node_intake_collect(&house.in, S), 0);
        if (i % 100 != 99)
            continue;
        collect_all();
        for (uint64_t k = i - 99; k <= i; k++) {
            execute(1, 10 * k, 2, 1, CHAIN_SUCCESS);
            execute(1, 10 * k + 3, 3, 1, CHAIN_SUCCESS);
        }
        house.n_sent = 0;
        app_node_intake_flush(&house.in, S);
        ck_assert_uint_eq(house.n_sent, 600);
        for (size_t k = 0; k < house.n_sent; k++) {
            ck_assert_uint_eq(house.sent[k].to.id[0], 1 + house.sent[k].number / 100 % 3);
            ck_assert_int_eq(house.sent[k].code, house.sent[k].number % 100 == 2 ? APP_INTAKE_MALFORMED : 0);
        }
        ck_assert_uint_eq(house.in.n_pending, 0);
    }
    ck_assert_uint_eq(house.n_txs, 2 * MESSAGES);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(house.in.callers[i].n_open, 0);
    app_crew_close(house.in.crew);
}
END_TEST

START_TEST(a_transaction_that_somebody_waits_for_already_is_not_answered_twice)
{
    submit_signed(1, 5, 70, 2, S);
    submit_signed(2, 9, 70, 2, S);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_txs, 1);
    ck_assert_uint_eq(house.n_sent, 2);
    ck_assert_uint_eq(house.sent[0].to.id[0], 2);
    ck_assert_int_eq(house.sent[0].code, APP_INTAKE_UNKNOWN);
    execute(1, 70, 2, 3, CHAIN_SUCCESS);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 4);
    ck_assert_uint_eq(house.sent[2].to.id[0], 1);
}
END_TEST

static void recall(void *ctx, struct app_node_answer *a)
{
    (void)ctx;
    if (a->nonce == 70) { /* executed, and remembered */
        a->height = 6;
        a->known = 3;
        a->codes[0] = CHAIN_SUCCESS;
        a->codes[1] = CHAIN_GRANT_CONFLICT;
    } else if (a->nonce == 90) {
        a->taken = APP_NONCE_USED;
    }
}

/* It came by way of other members, and the client wants f + 1 answers. */
START_TEST(a_transaction_that_the_node_knows_already_is_answered_with_what_became_of_it)
{
    house.in.recall = recall;
    house.result = -EALREADY;
    submit_signed(1, 5, 70, 2, S);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 2);
    ck_assert(house.sent[0].number == 5 && house.sent[0].height == 6 && house.sent[0].code == CHAIN_SUCCESS);
    ck_assert(house.sent[1].number == 6 && house.sent[1].height == 6 && house.sent[1].code == CHAIN_GRANT_CONFLICT);
    submit_signed(1, 7, 80, 2, S); /* it waits there */
    submit_signed(1, 9, 90, 2, S); /* executed, and not remembered yet */
    submit_signed(1, 11, 94, 1, S);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 2);
    execute(1, 80, 2, 9, CHAIN_SUCCESS);
    execute(1, 90, 2, 8, CHAIN_SUCCESS);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 6);
    ck_assert(house.sent[2].number == 7 && house.sent[2].height == 9 && house.sent[5].number == 10 && house.sent[5].height == 8);
    submit_signed(1, 13, 90, 2, S); /* executed long ago */
    app_node_intake_flush(&house.in, 3 * S);
    ck_assert_uint_eq(house.n_sent, 8);
    ck_assert(house.sent[6].number == 13 && house.sent[6].height == 0 && house.sent[6].code == APP_INTAKE_UNKNOWN);
    ck_assert_uint_eq(house.in.n_pending, 1); /* 94: it waits at the node */
    ck_assert_uint_eq(house.in.callers[0].n_open, 1);
}
END_TEST

/* A key signed two transactions with one nonce. */
START_TEST(a_transaction_is_never_answered_with_what_became_of_another_one_with_its_nonce)
{
    house.in.recall = recall;
    house.content = 500;
    house.result = -EALREADY;
    submit_signed(1, 5, 90, 1, S); /* the other one is executed, and not on the disk yet */
    house.content = 0;
    execute(1, 90, 1, 8, CHAIN_SUCCESS);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 1);
    ck_assert(house.sent[0].number == 5 && house.sent[0].height == 0 && house.sent[0].code == APP_INTAKE_UNKNOWN);
    house.result = 0;
    house.content = 500;
    submit_signed(1, 20, 200, 3, S); /* the other one comes by way of another member, and has the second of its nonces */
    house.content = 0;
    refuse_whole(201, 1, 9, CHAIN_UNSYNC_OP_PARAM); /* not that time: no nonce is used */
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 1);
    submit_signed(2, 1, 199, 2, S); /* nor does one get in that wants some of them */
    ck_assert_uint_eq(house.in.n_pending, 3);
    execute(1, 201, 1, 10, CHAIN_SUCCESS);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 6);
    for (size_t i = 1; i < 6; i++)
        ck_assert(house.sent[i].height == 0 && house.sent[i].code == APP_INTAKE_UNKNOWN);
    ck_assert_uint_eq(house.in.n_pending + house.in.callers[0].n_open + house.in.callers[1].n_open, 0);
    ck_assert_uint_eq(house.in.stats.unknown, 4);
    house.content = 500;
    submit_signed(1, 30, 300, 2, S);
    execute(1, 300, 2, 11, CHAIN_SUCCESS); /* itself */
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.n_sent, 8);
    ck_assert(house.sent[7].number == 31 && house.sent[7].height == 11 && house.sent[7].code == CHAIN_SUCCESS);
}
END_TEST

START_TEST(what_never_comes_is_given_up_after_its_time)
{
    submit(1, 5, 2);
    ck_assert_int_eq(app_node_intake_pack(&house.in, S), 0);
    app_node_intake_flush(&house.in, (APP_INTAKE_MAX_WAIT_S + 0) * S);
    ck_assert_uint_eq(house.n_sent, 0);
    app_node_intake_flush(&house.in, (APP_INTAKE_MAX_WAIT_S + 2) * S);
    ck_assert_uint_eq(house.n_sent, 2);
    ck_assert_int_eq(house.sent[0].code, APP_INTAKE_UNKNOWN);
    ck_assert_uint_eq(house.in.n_pending, 0);
    ck_assert_uint_eq(house.in.callers[0].n_open, 0);
}
END_TEST

START_TEST(octets_without_sense_are_refused_and_counted)
{
    static const uint8_t junk[] = {0xff, 0, 1, 2}, no_op[] = {0x83, 0x05, 0xf4, 0x81, 0x42, 0x81, 0x00}, cut[] = {0x83, 0x05, 0xf4, 0x82, 0x42, 0x81},
                         no_tx[] = {0x83, 0x05, 0xf5, 0x81, 0x41, 0x80};
    ck_assert_int_eq(take(1, junk, sizeof junk, S), 0);
    ck_assert_uint_eq(house.in.stats.refused_malformed, 1);
    ck_assert_int_eq(take(1, no_op, sizeof no_op, S), 0);
    ck_assert_int_eq(take(1, cut, sizeof cut, S), 0);
    ck_assert_int_eq(take(1, no_tx, sizeof no_tx, S), 0);
    app_node_intake_flush(&house.in, S);
    ck_assert_uint_eq(house.in.stats.refused_malformed, 4);
    ck_assert_uint_eq(house.n_sent, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(house.sent[i].code, APP_INTAKE_MALFORMED);
    for (size_t len = 0; len < sizeof no_op; len++)
        ck_assert_int_eq(take(1, no_op, len, S), 0);
    ck_assert_uint_eq(house.n_bodies + house.n_txs + house.in.n_queued, 0);
}
END_TEST

/* Keys that fall on the same place of the table find each other whatever is taken out between them. */
START_TEST(ten_thousand_operations_in_any_order_are_each_answered_once)
{
    enum { ROUNDS = 40, N = 256 };
    for (uint64_t round = 0; round < ROUNDS; round++) {
        submit((uint8_t)(1 + round % 5), round * N, N);
        ck_assert_int_eq(app_node_intake_pack(&house.in, S), 0);
        if (round % 2 == 0)
            continue; /* two rounds under way, executed in reverse */
        for (uint64_t i = 2 * N; i-- > 0;)
            execute(0, house.next_nonce - 2 * N + i, 1, round, CHAIN_SUCCESS);
        app_node_intake_flush(&house.in, S);
        ck_assert_uint_eq(house.in.n_pending, 0);
    }
    ck_assert_uint_eq(house.n_sent, ROUNDS * N);
    uint64_t sum = 0;
    for (size_t i = 0; i < house.n_sent; i++)
        sum += house.sent[i].number;
    ck_assert_uint_eq(sum, (uint64_t)ROUNDS * N * (ROUNDS * N - 1) / 2);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *cases = tcase_create("intake");
    tcase_add_checked_fixture(cases, open_house, NULL);
    tcase_add_test(cases, operations_of_several_callers_share_a_transaction_and_each_hears_of_its_own);
    tcase_add_test(cases, what_the_node_has_no_room_for_waits_and_what_the_queue_has_no_room_for_is_refused);
    tcase_add_test(cases, each_operation_of_a_signed_transaction_is_answered);
    tcase_add_test(cases, a_signature_that_is_not_the_authors_is_refused_also_by_a_crew);
    tcase_add_test(cases, a_crew_finds_the_forged_ones_among_many);
    tcase_add_test(cases, what_a_crew_has_under_way_is_answered_to_whom_it_belongs);
    tcase_add_test(cases, a_transaction_that_somebody_waits_for_already_is_not_answered_twice);
    tcase_add_test(cases, a_transaction_that_the_node_knows_already_is_answered_with_what_became_of_it);
    tcase_add_test(cases, a_transaction_is_never_answered_with_what_became_of_another_one_with_its_nonce);
    tcase_add_test(cases, what_never_comes_is_given_up_after_its_time);
    tcase_add_test(cases, octets_without_sense_are_refused_and_counted);
    tcase_add_test(cases, ten_thousand_operations_in_any_order_are_each_answered_once);
    suite_add_tcase(suite, cases);
}
