#include "chain/ledger.h"

#include <errno.h>

#include "chain/map.h"
#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger"
#include "tests/unit/check_main.h"

static struct bench *b;

static void set_up(void)
{
    b = bench_open(4);
}

static void tear_down(void)
{
    bench_close(b);
}

START_TEST(the_genesis_block_has_height_zero_and_names_the_genesis)
{
    const struct chain_header *tip = chain_ledger_tip(b->ledger);
    ck_assert_uint_eq(tip->height, 0);
    ck_assert_int_eq(tip->time_ns, T0);
    ck_assert_mem_eq(tip->batch_digest.octets, b->genesis.members.chain_id, 8);
}
END_TEST

START_TEST(headers_form_a_chain)
{
    struct chain_hash parent;
    chain_header_hash(chain_ledger_tip(b->ledger), &parent);
    for (int i = 1; i <= 5; i++) {
        struct chain_op op = op_register();
        add_op(b, (uint32_t)i % 4, &op);
        run_block(b, i * 10 * MS);
        ck_assert_uint_eq(b->header.height, (uint64_t)i);
        ck_assert_int_eq(b->header.time_ns, T0 + i * 10 * MS);
        ck_assert_mem_eq(b->header.parent.octets, parent.octets, CHAIN_HASH_BYTES);
        struct chain_hash digest;
        ck_assert_int_eq(chain_batch_digest(&b->genesis.members, b->batch, b->batch_len, &digest), 0);
        ck_assert_mem_eq(b->header.batch_digest.octets, digest.octets, CHAIN_HASH_BYTES);
        chain_header_hash(&b->header, &parent);
    }
}
END_TEST

START_TEST(an_empty_batch_moves_block_time_by_one_nanosecond)
{
    run_block(b, 10 * MS);
    struct chain_hash root = b->header.state_root;
    ck_assert_int_eq(chain_ledger_apply(b->ledger, NULL, 0, false, &b->header, b->events, CHAIN_MAX_LEDGER_EVENTS, &b->n_events), 0);
    ck_assert_int_eq(b->header.time_ns, T0 + 10 * MS + 1);
    ck_assert_uint_eq(b->n_events, 0);
    ck_assert_mem_eq(b->header.state_root.octets, root.octets, CHAIN_HASH_BYTES);
    /* a committed batch from the past still makes a block */
    run_block(b, 5 * MS);
    ck_assert_int_eq(b->header.time_ns, T0 + 10 * MS + 2);
}
END_TEST

START_TEST(a_station_registers_once_and_before_anything_else)
{
    struct chain_op reg = op_register(), grant = op_grant(b, 1);
    ck_assert_int_eq(run_op(b, 1 * MS, 2, &grant), CHAIN_REG_PENDING);
    ck_assert(!chain_ledger_registered(b->ledger, 2));
    ck_assert_int_eq(run_op(b, 2 * MS, 2, &reg), CHAIN_SUCCESS);
    ck_assert(chain_ledger_registered(b->ledger, 2));
    ck_assert_uint_eq(chain_ledger_reputation(b->ledger, 2), 125);
    const struct chain_ledger_event *event = find_event(b, CHAIN_LE_REGISTERED, 0);
    ck_assert_uint_eq(event->station, 2);
    ck_assert_uint_eq(event->channel, CHAIN_MAX_CHANNELS);
    ck_assert_int_eq(run_op(b, 3 * MS, 2, &reg), CHAIN_INVALID_VALUE);
}
END_TEST

START_TEST(impossible_places_and_call_signs_are_refused)
{
    struct chain_op op = op_register();
    op.reg.lat_e7 = 900000001;
    ck_assert_int_eq(run_op(b, 1 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_register();
    op.reg.lon_e7 = INT32_MIN;
    ck_assert_int_eq(run_op(b, 2 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_register();
    op.reg.height_cm = INT32_MAX;
    ck_assert_int_eq(run_op(b, 3 * MS, 0, &op), CHAIN_INVALID_VALUE);
    op = op_register();
    op.reg.call_sign[0] = 0;
    ck_assert_int_eq(run_op(b, 4 * MS, 0, &op), CHAIN_INVALID_VALUE);
    strcpy(op.reg.call_sign, "a\nb");
    ck_assert_int_eq(run_op(b, 5 * MS, 0, &op), CHAIN_INVALID_VALUE);
    ck_assert(!chain_ledger_registered(b->ledger, 0));
}
END_TEST

static enum chain_response run_nonce(uint64_t nonce)
{
    static int64_t at_ns;
    uint8_t body[CHAIN_MAX_OP_BYTES + 1], tx[1024];
    struct chain_op op = op_register();
    size_t len = (size_t)chain_tx_encode(&op, 1, body, sizeof body);
    size_t n = make_tx(b, 1, nonce, body, len, tx, sizeof tx);
    add_raw(b, tx, n);
    run_block(b, ++at_ns * MS);
    return find_event(b, CHAIN_LE_TX, 0)->code;
}

START_TEST(a_nonce_counts_once_within_1024_below_the_highest)
{
    ck_assert_int_eq(run_nonce(2000), CHAIN_SUCCESS);
    ck_assert_int_eq(run_nonce(2000), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(run_nonce(1999), CHAIN_INVALID_VALUE); /* applied: registered already */
    ck_assert_int_eq(run_nonce(1999), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(run_nonce(977), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(run_nonce(976), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(run_nonce(0), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(run_nonce(3023), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(run_nonce(2000), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(run_nonce(2001), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(run_nonce(UINT64_MAX), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(run_nonce(UINT64_MAX - 1), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(run_nonce(UINT64_MAX - 1), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(run_nonce(3023), CHAIN_UNSYNC_OP_PARAM);
}
END_TEST

START_TEST(a_transaction_that_is_none_is_refused_and_the_others_go_on)
{
    struct chain_op op = op_register();
    add_raw(b, (const uint8_t *)"junk", 4);
    add_raw(b, (const uint8_t *)"", 0);
    add_body(b, 1, (const uint8_t *)"junk", 4);
    add_op(b, 3, &op);
    run_block(b, 10 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_TX), 4);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_REFUSED), 3);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_TX, 0)->station, CHAIN_MAX_KEYS);
    ck_assert_int_eq(find_event(b, CHAIN_LE_TX, 2)->code, CHAIN_MISSING_PARAM);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_TX, 2)->station, 1);
    ck_assert_int_eq(find_event(b, CHAIN_LE_TX, 3)->code, CHAIN_SUCCESS);
    ck_assert_int_eq(find_event(b, CHAIN_LE_TX, 3)->op, CHAIN_OP_REGISTER);
    ck_assert(chain_ledger_registered(b->ledger, 3));
}
END_TEST

static void add_envelope(uint32_t author, uint64_t nonce, const struct chain_op *ops, size_t n)
{
    static uint8_t body[CHAIN_MAX_TX_BYTES], tx[CHAIN_MAX_TX_BYTES];
    long len = chain_tx_encode(ops, n, body, sizeof body);
    ck_assert_int_gt(len, 0);
    add_raw(b, tx, make_tx(b, author, nonce, body, (size_t)len, tx, sizeof tx));
}

START_TEST(an_envelope_uses_one_range_of_nonces_and_its_operations_stand_or_fall_alone)
{
    b->sign = true;
    bench_start(b);
    struct chain_op ops[CHAIN_MAX_TX_OPS];
    for (size_t i = 0; i < CHAIN_MAX_TX_OPS; i++)
        ops[i] = op_register(); /* the first registers, the others find that done */
    ops[5] = (struct chain_op){.kind = CHAIN_OP_HEARTBEAT, .lease.grant_id = 9};
    add_envelope(2, 1000, ops, CHAIN_MAX_TX_OPS);
    add_envelope(2, 1063, ops, 2); /* 1063 was used: refused whole, and 1064 is free yet */
    add_envelope(2, 1064, ops, 1);
    run_block(b, 10 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_TX), 66);
    for (uint32_t i = 0; i < 64; i++) {
        const struct chain_ledger_event *e = find_event(b, CHAIN_LE_TX, i);
        ck_assert_uint_eq(e->nonce, 1000 + i);
        ck_assert_uint_eq(e->index, i);
        ck_assert_uint_eq(e->tx, 0);
        ck_assert_mem_eq(e->sig, find_event(b, CHAIN_LE_TX, 0)->sig, sizeof e->sig);
        ck_assert_int_eq(e->op, i == 5 ? CHAIN_OP_HEARTBEAT : CHAIN_OP_REGISTER);
        ck_assert_int_eq(e->code, i == 0 ? CHAIN_SUCCESS : CHAIN_INVALID_VALUE);
    }
    const struct chain_ledger_event *refused = find_event(b, CHAIN_LE_TX, 64);
    ck_assert_int_eq(refused->code, CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(refused->op, 0);
    ck_assert_uint_eq(refused->nonce, 1063);
    ck_assert_mem_ne(refused->sig, find_event(b, CHAIN_LE_TX, 0)->sig, sizeof refused->sig); /* each envelope has its own */
    ck_assert_mem_ne(refused->sig, find_event(b, CHAIN_LE_TX, 65)->sig, sizeof refused->sig);
    ck_assert_int_eq(find_event(b, CHAIN_LE_TX, 65)->code, CHAIN_INVALID_VALUE);
    ck_assert_uint_eq(find_event(b, CHAIN_LE_TX, 65)->tx, 2);
}
END_TEST

START_TEST(envelopes_may_arrive_out_of_order_within_the_window)
{
    struct chain_op ops[CHAIN_MAX_TX_OPS];
    for (size_t i = 0; i < CHAIN_MAX_TX_OPS; i++)
        ops[i] = op_register();
    static const uint64_t firsts[] = {10000, 9040, 10128, 10064, 9936, 9168}; /* 9168: the lowest range left below 10191 */
    for (size_t k = 0; k < sizeof firsts / sizeof *firsts; k++) {
        add_envelope(1, firsts[k], ops, CHAIN_MAX_TX_OPS);
        add_envelope(1, firsts[k] + 63, ops, 1);
    }
    add_envelope(1, 9167, ops, CHAIN_MAX_TX_OPS);
    run_block(b, 10 * MS);
    size_t n_refused = 0;
    for (size_t i = 0; i < b->n_events; i++)
        n_refused += b->events[i].kind == CHAIN_LE_TX && b->events[i].op == 0;
    ck_assert_uint_eq(n_refused, 7); /* each second use of a nonce, and what begins below the window */
    ck_assert_uint_eq(count_events(b, CHAIN_LE_TX), 6 * 64 + 7);
}
END_TEST

START_TEST(a_block_holds_so_many_operations_and_no_more)
{
    struct chain_op ops[CHAIN_MAX_TX_OPS];
    for (size_t i = 0; i < CHAIN_MAX_TX_OPS; i++)
        ops[i] = (struct chain_op){.kind = CHAIN_OP_HEARTBEAT, .lease.grant_id = 1};
    for (uint64_t k = 0; k < CHAIN_MAX_BATCH_OPS / CHAIN_MAX_TX_OPS; k++)
        add_envelope(0, 64 * k, ops, CHAIN_MAX_TX_OPS);
    encode_batch(b, T0 + 10 * MS);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, T0 + 50 * MS, true), 0);
    for (uint64_t k = 0; k < CHAIN_MAX_BATCH_OPS / CHAIN_MAX_TX_OPS; k++)
        add_envelope(0, 64 * k, ops, CHAIN_MAX_TX_OPS);
    add_envelope(3, 1, ops, 1);
    encode_batch(b, T0 + 10 * MS);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, T0 + 50 * MS, true), -EBADMSG);
    ck_assert_int_eq(chain_ledger_apply(b->ledger, b->batch, b->batch_len, false, &b->header, b->events, CHAIN_MAX_LEDGER_EVENTS, &b->n_events), 0);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_TX), CHAIN_MAX_BATCH_OPS + 1);
    ck_assert_int_eq(find_event(b, CHAIN_LE_TX, CHAIN_MAX_BATCH_OPS)->code, CHAIN_INVALID_VALUE);
}
END_TEST

START_TEST(an_ill_formed_body_is_voted_for_by_nobody)
{
    static const struct {
        const char *octets;
        size_t len;
    } bodies[] = {{"\x80", 1}, {"\x82\x82\x05\x01", 4}, {"\x81\x82\x05\x01\x00", 5}, {"\x82\x05\x01", 3}, {"\x81\x82\x05", 3}};
    for (size_t k = 0; k < sizeof bodies / sizeof *bodies; k++) {
        ck_assert_int_eq(chain_tx_count((const uint8_t *)bodies[k].octets, bodies[k].len), -EBADMSG);
        add_body(b, 1, (const uint8_t *)bodies[k].octets, bodies[k].len);
        encode_batch(b, T0 + 10 * MS);
        ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, T0 + 50 * MS, true), -EBADMSG);
    }
    ck_assert_int_eq(chain_tx_count((const uint8_t *)"\x82\x82\x05\x01\x82\x06\x01", 7), 2);
}
END_TEST

START_TEST(octets_that_are_no_batch_change_nothing)
{
    struct chain_header before = *chain_ledger_tip(b->ledger);
    ck_assert_int_eq(chain_ledger_apply(b->ledger, (const uint8_t *)"junk", 4, false, &b->header, b->events, CHAIN_MAX_LEDGER_EVENTS,
                                        &b->n_events),
                     -EBADMSG);
    encode_batch(b, T0 + 5 * MS);
    ck_assert_int_eq(chain_ledger_apply(b->ledger, b->batch, b->batch_len, false, &b->header, b->events, 0, &b->n_events), -ENOSPC);
    ck_assert_mem_eq(&before, chain_ledger_tip(b->ledger), sizeof before);
}
END_TEST

START_TEST(a_forged_signature_is_refused_where_signatures_are_verified)
{
    b->sign = true;
    bench_start(b);
    struct chain_op op = op_register();
    ck_assert_int_eq(run_op(b, 1 * MS, 0, &op), CHAIN_SUCCESS);
    add_op(b, 1, &op);
    b->txs[b->txs_len - 1] ^= 1; /* the signature comes last */
    run_block(b, 2 * MS);
    ck_assert_int_eq(find_event(b, CHAIN_LE_TX, 0)->code, CHAIN_CERT_ERROR);
    ck_assert(!chain_ledger_registered(b->ledger, 1));
}
END_TEST

START_TEST(a_batch_is_voted_for_only_with_good_time_signatures_and_nonces)
{
    b->sign = true;
    bench_start(b);
    struct chain_op op = op_register();
    int64_t now_ns = T0 + 50 * MS;
    add_op(b, 0, &op);
    encode_batch(b, T0 + 50 * MS);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, now_ns, true), 0);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, T0 + 30 * MS, true), 0);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, T0 + 30 * MS - 1, true), -ETIME);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, INT64_MIN, true), -ETIME);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len - 1, now_ns, true), -EBADMSG);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, NULL, 0, now_ns, true), 0);
    b->batch[b->batch_len - 1] ^= 1;
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, now_ns, true), -EBADMSG);
    encode_batch(b, T0);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, now_ns, true), -ETIME);
    for (int i = 0; i < 2; i++) {
        b->next_nonce[1] = 7;
        add_op(b, 1, &op);
    }
    encode_batch(b, T0 + 50 * MS);
    ck_assert_int_eq(chain_ledger_check_batch(b->ledger, b->batch, b->batch_len, now_ns, true), -EALREADY);
    ck_assert_uint_eq(chain_ledger_height(b->ledger), 0);
}
END_TEST

START_TEST(the_mempool_learns_why_a_transaction_is_not_wanted)
{
    uint8_t body[CHAIN_MAX_OP_BYTES + 1];
    struct chain_op op = op_register();
    struct chain_msg tx = {.kind = CHAIN_MSG_TX, .author = 1, .seq = 1, .body = body};
    tx.body_len = (size_t)chain_tx_encode(&op, 1, body, sizeof body);
    ck_assert_int_eq(chain_ledger_check_tx(b->ledger, &tx), CHAIN_SUCCESS);
    run_op(b, 1 * MS, 1, &op);
    ck_assert_int_eq(chain_ledger_check_tx(b->ledger, &tx), -EALREADY);
    tx.seq = 2;
    op.reg.lat_e7 = INT32_MAX;
    tx.body_len = (size_t)chain_tx_encode(&op, 1, body, sizeof body);
    ck_assert_int_eq(chain_ledger_check_tx(b->ledger, &tx), CHAIN_INVALID_VALUE);
    tx.body_len--;
    ck_assert_int_eq(chain_ledger_check_tx(b->ledger, &tx), CHAIN_MISSING_PARAM);
    tx.author = 4;
    ck_assert_int_eq(chain_ledger_check_tx(b->ledger, &tx), CHAIN_MISSING_PARAM);
}
END_TEST

START_TEST(an_unfinished_genesis_is_refused_by_name)
{
    struct chain_genesis g = b->genesis;
    struct chain_signer signer = bench_signer(b);
    struct chain_ledger *l;
    const char *bad = NULL;
    size_t len = chain_ledger_bytes(&g);
    void *mem = malloc(len);
    g.members.chain_id[0] ^= 1;
    ck_assert_int_eq(chain_ledger_init(mem, len, &g, &signer, &l, &bad), -EINVAL);
    ck_assert_str_eq(bad, "members.chain_id");
    g.white_after = 1000001;
    ck_assert_int_eq(chain_ledger_init(mem, len, &g, &signer, &l, &bad), -EINVAL);
    ck_assert_str_eq(bad, "white_after");
    ck_assert_int_eq(chain_ledger_init(mem, len - 1, &b->genesis, &signer, &l, &bad), -EINVAL);
    ck_assert_str_eq(bad, "mem");
    free(mem);
}
END_TEST

struct listing {
    size_t n;
    uint8_t last_key[32];
    size_t last_len;
    uint8_t octets[512][360];
    size_t key_len[512], len[512];
};

static void list_entry(void *ctx, const uint8_t *key, size_t key_len, const uint8_t *value, size_t value_len)
{
    struct listing *list = ctx;
    size_t shorter = key_len < list->last_len ? key_len : list->last_len;
    int order = memcmp(list->last_key, key, shorter);
    ck_assert(order < 0 || (order == 0 && list->last_len < key_len));
    memcpy(list->last_key, key, key_len);
    list->last_len = key_len;
    ck_assert_uint_lt(list->n, 512);
    memcpy(list->octets[list->n], key, key_len);
    memcpy(list->octets[list->n] + key_len, value, value_len);
    list->key_len[list->n] = key_len;
    list->len[list->n++] = key_len + value_len;
}

START_TEST(the_state_root_is_the_root_of_a_map_over_the_entries)
{
    static struct listing list;
    static uint8_t mem[65536] __attribute__((aligned(16)));
    register_all(b, 1 * MS);
    sense_windows(b, 0, 4, 2);
    struct chain_op op = op_grant(b, 2);
    ck_assert_int_eq(run_op(b, 1000 * MS, 0, &op), CHAIN_SUCCESS);
    size_t n = chain_ledger_entries(b->ledger, list_entry, &list);
    ck_assert_uint_eq(n, list.n);
    ck_assert_uint_eq(n, 1 + 4 + 1 + 4 + 4 + 4 + 1 + 1); /* the grant, and in the access history */
    struct chain_map *map = NULL;
    ck_assert_int_eq(chain_map_init(mem, sizeof mem, n, &map), 0);
    for (size_t i = n; i-- > 0;) {
        struct chain_hash key, value;
        chain_hash_of(list.octets[i], list.key_len[i], &key);
        chain_hash_of(list.octets[i] + list.key_len[i], list.len[i] - list.key_len[i], &value);
        ck_assert_int_eq(chain_map_put(map, &key, &value), 0);
    }
    struct chain_hash root;
    chain_map_root(map, &root);
    ck_assert_mem_eq(root.octets, b->header.state_root.octets, CHAIN_HASH_BYTES);
}
END_TEST

/* What replicas must agree on from one version to the next: registration, sensing, a lease and evidence end in this root. */
START_TEST(the_state_root_of_a_fixed_run_never_changes)
{
    static const uint8_t expected[CHAIN_HASH_BYTES] = {0xdc, 0xc6, 0x87, 0xa9, 0xbf, 0x7e, 0xc4, 0xa0, 0xe2, 0xb4, 0x8f, 0xbe, 0x08, 0xb8, 0x40, 0xb7,
                                                        0x05, 0x57, 0x68, 0xfc, 0xd7, 0x73, 0xb8, 0x1b, 0x4e, 0x11, 0xd4, 0x86, 0x24, 0xac, 0xf3, 0x7b};
    register_all(b, 1 * MS);
    sense_windows(b, 0, 4, 2);
    struct chain_op grant = op_grant(b, 2), heartbeat = op_lease(CHAIN_OP_HEARTBEAT, 1), evidence = {.kind = CHAIN_OP_EVIDENCE};
    evidence.evidence.from_ns = T0 + 900 * MS;
    evidence.evidence.at_ns = T0 + 950 * MS;
    add_op(b, 0, &grant);
    add_op(b, 0, &heartbeat);
    add_op(b, 1, &evidence);
    run_block(b, 1000 * MS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_REFUSED), 0);
    ck_assert_mem_eq(b->header.state_root.octets, expected, CHAIN_HASH_BYTES);
}
END_TEST

START_TEST(names_are_given_to_codes_and_events)
{
    ck_assert_str_eq(chain_response_name(CHAIN_SUSPENDED_GRANT), "SUSPENDED_GRANT");
    ck_assert_str_eq(chain_response_name((enum chain_response)999), "UNKNOWN");
    ck_assert_str_eq(chain_ledger_event_name(CHAIN_LE_TX), "tx");
    ck_assert_str_eq(chain_ledger_event_name((enum chain_ledger_event_kind)99), "unknown");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("ledger");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, the_genesis_block_has_height_zero_and_names_the_genesis);
    tcase_add_test(tc, headers_form_a_chain);
    tcase_add_test(tc, an_empty_batch_moves_block_time_by_one_nanosecond);
    tcase_add_test(tc, a_station_registers_once_and_before_anything_else);
    tcase_add_test(tc, impossible_places_and_call_signs_are_refused);
    tcase_add_test(tc, a_nonce_counts_once_within_1024_below_the_highest);
    tcase_add_test(tc, a_transaction_that_is_none_is_refused_and_the_others_go_on);
    tcase_add_test(tc, an_envelope_uses_one_range_of_nonces_and_its_operations_stand_or_fall_alone);
    tcase_add_test(tc, envelopes_may_arrive_out_of_order_within_the_window);
    tcase_add_test(tc, a_block_holds_so_many_operations_and_no_more);
    tcase_add_test(tc, an_ill_formed_body_is_voted_for_by_nobody);
    tcase_add_test(tc, octets_that_are_no_batch_change_nothing);
    tcase_add_test(tc, a_forged_signature_is_refused_where_signatures_are_verified);
    tcase_add_test(tc, a_batch_is_voted_for_only_with_good_time_signatures_and_nonces);
    tcase_add_test(tc, the_mempool_learns_why_a_transaction_is_not_wanted);
    tcase_add_test(tc, an_unfinished_genesis_is_refused_by_name);
    tcase_add_test(tc, the_state_root_is_the_root_of_a_map_over_the_entries);
    tcase_add_test(tc, the_state_root_of_a_fixed_run_never_changes);
    tcase_add_test(tc, names_are_given_to_codes_and_events);
    suite_add_tcase(suite, tc);
}
