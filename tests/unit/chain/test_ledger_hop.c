/* Hop epochs on the ledger, and the machine of a member that brings and opens them. */
#include "chain/hopper.h"
#include "chain/ledger_state.h"
#include "chain/snapshot.h"
#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/ledger_hop"
#include "tests/unit/check_main.h"

enum { N = 4, ROUND_MS = 200 };

static struct bench *b;
static uint8_t boxes[CHAIN_MAX_MEMBERS * CHAIN_HOP_BOX_BYTES];
static const uint8_t group_key[CHAIN_HOP_KEY_BYTES] = {7}, secret[CHAIN_CURVE_BYTES] = {3};

static void set_up(void)
{
    b = bench_open(N);
    give_hop_set(&b->genesis);
    ck_assert_int_eq(chain_genesis_finish(&b->genesis, NULL, NULL), 0);
    bench_start(b);
    register_all(b, 1 * MS);
}

static void tear_down(void)
{
    bench_close(b);
}

/* A good one from then on. */
static struct chain_op epoch_op(uint32_t epoch, uint8_t mask, int64_t from_ns)
{
    const struct chain_members *members = chain_ledger_members(b->ledger);
    struct chain_op op = {.kind = CHAIN_OP_HOP_EPOCH, .hop = {.epoch = epoch, .mask = mask, .from_ns = T0 + from_ns, .boxes = boxes}};
    op.hop.boxes_len = (size_t)members->n * CHAIN_HOP_BOX_BYTES;
    chain_hop_commit(members, epoch, group_key, &op.hop.commitment);
    ck_assert_int_eq(chain_hop_seal(members, group_key, secret, op.hop.ephemeral, boxes), 0);
    return op;
}

static enum chain_response bring(int64_t at_ns, uint32_t author, uint32_t epoch, uint8_t mask, int64_t from_ns)
{
    struct chain_op op = epoch_op(epoch, mask, from_ns);
    return run_op(b, at_ns, author, &op);
}

static void name_jammed(int64_t at_ns, uint32_t channel)
{
    struct chain_op seen = {.kind = CHAIN_OP_EVIDENCE,
                            .evidence = {.channel = channel, .kind = 3, .from_ns = T0 + at_ns - 10 * MS, .at_ns = T0 + at_ns}};
    for (uint32_t i = 1; i < 3; i++)
        ck_assert_int_eq(run_op(b, at_ns + i, i, &seen), CHAIN_SUCCESS);
}

static void change_seat(int64_t at_ns, bool add, uint32_t key)
{
    struct chain_op op = {.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = add, .key_id = key}};
    for (uint32_t i = 0; i < 3 && (chain_members_seat(chain_ledger_members(b->ledger), key) == CHAIN_MAX_MEMBERS) == add; i++)
        ck_assert_int_eq(run_op(b, at_ns + i, i, &op), CHAIN_SUCCESS);
}

START_TEST(the_first_epoch_is_due_and_any_member_brings_it_once)
{
    ck_assert_ptr_null(chain_ledger_hop(b->ledger));
    ck_assert(chain_ledger_hop_due(b->ledger, T0 + 10 * MS));
    ck_assert_int_eq(bring(10 * MS, 2, 1, 6, 400 * MS), CHAIN_SUCCESS);
    ck_assert_uint_eq(count_events(b, CHAIN_LE_HOP_EPOCH), 1);
    const struct chain_hop_epoch *epoch = chain_ledger_hop(b->ledger);
    ck_assert_uint_eq(epoch->epoch, 1);
    ck_assert_uint_eq(epoch->mask, 6);
    ck_assert_int_eq(epoch->from_ns, T0 + 400 * MS);
    ck_assert(!chain_ledger_hop_due(b->ledger, T0 + 20 * MS));
    ck_assert_int_eq(bring(20 * MS, 1, 1, 6, 400 * MS), CHAIN_UNSYNC_OP_PARAM); /* that one there is */
    ck_assert_int_eq(bring(30 * MS, 1, 3, 6, 400 * MS), CHAIN_UNSYNC_OP_PARAM);
    ck_assert_int_eq(bring(40 * MS, 2, 2, 6, 400 * MS), CHAIN_LIMIT);           /* its own, and none is due */
    ck_assert_ptr_null(chain_ledger_audit(b->ledger));
}
END_TEST

static const struct {
    const char *what;
    uint32_t author, epoch;
    uint8_t mask;
    int64_t from_ns;
    int boxes; /* more or fewer */
    enum chain_response code;
} refusals[] = {
    {"an empty mask", 0, 1, 0, 400 * MS, 0, CHAIN_INVALID_VALUE},
    {"the control channel", 0, 1, 7, 400 * MS, 0, CHAIN_INVALID_VALUE},
    {"a channel that is leased", 0, 1, 8, 400 * MS, 0, CHAIN_INVALID_VALUE},
    {"a channel less than there are", 0, 1, 2, 400 * MS, 0, CHAIN_INVALID_VALUE},
    {"a start that is past", 0, 1, 6, 10 * MS, 0, CHAIN_UNSYNC_OP_PARAM},
    {"a start at time zero", 0, 1, 6, -T0, 0, CHAIN_INVALID_VALUE},
    {"a start later than eight rounds", 0, 1, 6, 10 * MS + 8 * ROUND_MS * MS + 1, 0, CHAIN_UNSYNC_OP_PARAM},
    {"a start beyond time", 0, 1, 6, INT64_MAX - T0, 0, CHAIN_INVALID_VALUE},
    {"a box less", 0, 1, 6, 400 * MS, -1, CHAIN_INVALID_VALUE},
    {"a box more", 0, 1, 6, 400 * MS, 1, CHAIN_INVALID_VALUE},
    {"epoch 0", 0, 0, 6, 400 * MS, 0, CHAIN_INVALID_VALUE},
    {"an epoch left out", 0, 2, 6, 400 * MS, 0, CHAIN_UNSYNC_OP_PARAM},
};

START_TEST(what_a_member_may_not_fix_is_refused)
{
    struct chain_op op = epoch_op(refusals[_i].epoch, refusals[_i].mask, refusals[_i].from_ns);
    op.hop.boxes_len = (size_t)((int)op.hop.boxes_len + refusals[_i].boxes * CHAIN_HOP_BOX_BYTES);
    enum chain_response code = run_op(b, 10 * MS, refusals[_i].author, &op);
    ck_assert_msg(code == refusals[_i].code, "%s: %s", refusals[_i].what, chain_response_name(code));
    ck_assert_ptr_null(chain_ledger_hop(b->ledger));
    ck_assert(chain_ledger_hop_due(b->ledger, T0 + 10 * MS));
}
END_TEST

START_TEST(without_a_hop_set_there_is_no_epoch_and_no_entry)
{
    struct bench *hopping = b;
    b = bench_open(N);
    register_all(b, 1 * MS);
    struct chain_op op = epoch_op(1, 6, 400 * MS);
    ck_assert_int_eq(run_op(b, 10 * MS, 0, &op), CHAIN_INVALID_VALUE);
    ck_assert(!chain_ledger_hop_due(b->ledger, T0 + 10 * MS));
    bench_close(b);
    b = hopping;
}
END_TEST

START_TEST(who_has_no_seat_or_lied_brings_none)
{
    ck_assert_int_eq(bring(10 * MS, 0, 1, 6, 400 * MS), CHAIN_SUCCESS);
    change_seat(20 * MS, false, 3);
    ck_assert(chain_ledger_hop_due(b->ledger, T0 + 30 * MS));
    ck_assert_int_eq(bring(30 * MS, 3, 2, 6, 400 * MS), CHAIN_NOT_ENTITLED);
    b->ledger->convicted = 2;
    ck_assert_int_eq(bring(40 * MS, 1, 2, 6, 400 * MS), CHAIN_NOT_ENTITLED);
    ck_assert_int_eq(bring(50 * MS, 2, 2, 6, 400 * MS), CHAIN_SUCCESS);
}
END_TEST

START_TEST(a_jammed_channel_leaves_the_mask_until_its_hold_off_is_over)
{
    ck_assert_int_eq(bring(10 * MS, 0, 1, 6, 400 * MS), CHAIN_SUCCESS);
    name_jammed(500 * MS, 0); /* control is no channel of the set */
    ck_assert(!chain_ledger_hop_due(b->ledger, T0 + 510 * MS));
    name_jammed(600 * MS, 2);
    ck_assert(chain_ledger_hop_due(b->ledger, T0 + 610 * MS));
    ck_assert_uint_eq(chain_ledger_hop_mask(b->ledger, T0 + 610 * MS), 2);
    ck_assert_int_eq(bring(610 * MS, 1, 2, 6, 1000 * MS), CHAIN_INVALID_VALUE);
    ck_assert_int_eq(bring(620 * MS, 1, 2, 2, 1000 * MS), CHAIN_SUCCESS);
    ck_assert(!chain_ledger_hop_due(b->ledger, T0 + 630 * MS));
    int64_t over_ns = 600 * MS + 2 + 3000 * MS;
    ck_assert(!chain_ledger_hop_due(b->ledger, T0 + over_ns - 1));
    ck_assert(chain_ledger_hop_due(b->ledger, T0 + over_ns));
    ck_assert_int_eq(bring(over_ns, 2, 3, 6, over_ns + 400 * MS), CHAIN_SUCCESS);
    ck_assert_ptr_null(chain_ledger_audit(b->ledger));
}
END_TEST

START_TEST(where_all_channels_are_jammed_all_stay)
{
    ck_assert_int_eq(bring(10 * MS, 0, 1, 6, 400 * MS), CHAIN_SUCCESS);
    name_jammed(600 * MS, 1);
    name_jammed(620 * MS, 2);
    ck_assert_uint_eq(chain_ledger_hop_mask(b->ledger, T0 + 630 * MS), 6);
    ck_assert(!chain_ledger_hop_due(b->ledger, T0 + 630 * MS));
}
END_TEST

/* One that nobody can open: each of the others may replace it once, then nobody before one is due. */
START_TEST(each_member_repairs_once_between_two_that_were_due)
{
    ck_assert_int_eq(bring(10 * MS, 0, 1, 6, 400 * MS), CHAIN_SUCCESS);
    for (uint32_t i = 1; i < N; i++) {
        ck_assert(chain_ledger_hop_may_repair(b->ledger, i));
        ck_assert_int_eq(bring((10 + i) * MS, i, 1 + i, 6, 400 * MS), CHAIN_SUCCESS);
        ck_assert_int_eq(bring((10 + i) * MS + 1, i, 2 + i, 6, 400 * MS), CHAIN_LIMIT);
    }
    ck_assert_int_eq(bring(20 * MS, 1, N + 1, 6, 400 * MS), CHAIN_LIMIT);
    ck_assert_int_eq(bring(21 * MS, 0, N + 1, 6, 400 * MS), CHAIN_SUCCESS); /* what is due counts for nobody */
    ck_assert_int_eq(bring(22 * MS, 0, N + 2, 6, 400 * MS), CHAIN_LIMIT);
    name_jammed(600 * MS, 1);
    ck_assert_int_eq(bring(610 * MS, 1, N + 2, 4, 900 * MS), CHAIN_SUCCESS);
    ck_assert(chain_ledger_hop_may_repair(b->ledger, 2));
}
END_TEST

/* Another ledger from this one's snapshot goes on alike. */
START_TEST(a_snapshot_carries_epoch_boxes_and_hold_offs)
{
    static uint8_t octets[1 << 20];
    ck_assert_int_eq(bring(10 * MS, 0, 1, 6, 400 * MS), CHAIN_SUCCESS);
    name_jammed(600 * MS, 2);
    long len = chain_snapshot_encode(b->ledger, octets, sizeof octets);
    ck_assert_int_gt(len, 0);
    struct chain_signer signer = {.verify = accept_signature};
    struct chain_ledger *copy;
    void *mem = malloc(chain_ledger_bytes(&b->genesis));
    ck_assert_int_eq(chain_ledger_init(mem, chain_ledger_bytes(&b->genesis), &b->genesis, &signer, &copy, NULL), 0);
    ck_assert_int_eq(chain_snapshot_load(copy, octets, (size_t)len), 0);
    ck_assert_mem_eq(&chain_ledger_tip(copy)->state_root, &chain_ledger_tip(b->ledger)->state_root, CHAIN_HASH_BYTES);
    ck_assert_uint_eq(chain_ledger_hop(copy)->epoch, 1);
    ck_assert_uint_eq(chain_ledger_hop_mask(copy, T0 + 700 * MS), 2);
    const uint8_t *ephemeral, *theirs;
    for (uint32_t i = 0; i < N; i++)
        ck_assert_mem_eq(chain_ledger_hop_box(copy, i, &theirs), chain_ledger_hop_box(b->ledger, i, &ephemeral), CHAIN_HOP_BOX_BYTES);
    free(mem);
}
END_TEST

/* --- members ---------------------------------------------------------------------------------------------------------------------- */

static struct chain_hopper hoppers[N];

static void open_hoppers(void)
{
    for (uint32_t i = 0; i < N; i++) {
        struct chain_hopper_config cfg = {
            .self = i, .genesis = &b->genesis, .signer = chain_signer_ed25519(&b->ring.keys[i]), .turn_ns = 50 * MS};
        ck_assert_int_eq(chain_hopper_init(&hoppers[i], &cfg), 0);
    }
}

/* Every 10 ms up to then a block with what the members bring, but for those of the mask. Returns how many were brought. */
static unsigned run_members(int64_t from_ns, int64_t to_ns, uint32_t silent)
{
    unsigned n = 0;
    for (int64_t at_ns = from_ns; at_ns < to_ns; at_ns += 10 * MS) {
        struct chain_hopper_update update;
        for (uint32_t i = 0; i < N; i++) {
            chain_hopper_step(&hoppers[i], b->ledger, T0 + at_ns, &update);
            if (!update.submit || (silent >> i & 1))
                continue;
            add_op(b, i, &update.op);
            n++;
        }
        run_block(b, at_ns);
    }
    return n;
}

START_TEST(members_bring_one_epoch_and_then_are_on_one_channel)
{
    open_hoppers();
    ck_assert_uint_eq(run_members(10 * MS, 1000 * MS, 0), 1);
    bool seen[4] = {false};
    for (int64_t at_ns = 0; at_ns < 10000 * MS; at_ns += 50 * MS) {
        uint32_t channel = chain_hopper_channel(&hoppers[0], T0 + at_ns);
        seen[channel] = true;
        for (uint32_t i = 1; i < N; i++)
            ck_assert_uint_eq(chain_hopper_channel(&hoppers[i], T0 + at_ns), channel);
        if (T0 + at_ns < chain_ledger_hop(b->ledger)->from_ns || chain_hop_is_rendezvous(&b->genesis, chain_hop_slot(&b->genesis, T0 + at_ns)))
            ck_assert_uint_eq(channel, 0);
    }
    ck_assert(seen[0] && seen[1] && seen[2] && !seen[3]);
}
END_TEST

START_TEST(another_member_takes_its_turn_where_one_does_nothing)
{
    open_hoppers();
    ck_assert_uint_eq(run_members(10 * MS, 1000 * MS, 1 << 3 | 1 << 0), 1); /* epoch 1: 3 is first, then 0, then 1 */
    ck_assert_uint_eq(b->ledger->hop.issuer, 1);
}
END_TEST

START_TEST(who_left_does_not_know_where_the_others_are)
{
    open_hoppers();
    run_members(10 * MS, 1000 * MS, 0);
    struct chain_hopper_key known = hoppers[3].latest;
    ck_assert(known.good);
    change_seat(1000 * MS, false, 3);
    run_members(1010 * MS, 3000 * MS, 0);
    ck_assert_uint_eq(chain_ledger_hop(b->ledger)->epoch, 2);
    ck_assert(!chain_hopper_in_step(&hoppers[3], T0 + 3000 * MS));
    ck_assert_mem_ne(hoppers[0].latest.key, known.key, sizeof known.key);
    unsigned same = 0, slots = 0;
    for (int64_t at_ns = 3000 * MS; at_ns < 103000 * MS; at_ns += 50 * MS) {
        uint64_t slot = chain_hop_slot(&b->genesis, T0 + at_ns);
        uint32_t there = chain_hopper_channel(&hoppers[0], T0 + at_ns);
        ck_assert_uint_eq(there, chain_hopper_channel(&hoppers[1], T0 + at_ns));
        ck_assert_uint_eq(chain_hopper_channel(&hoppers[3], T0 + at_ns), 0);
        if (chain_hop_is_rendezvous(&b->genesis, slot))
            continue;
        slots++;
        same += there == chain_hop_channel(&b->genesis.members, known.key, 2, 6, slot); /* the best that its old key gives */
    }
    double z = (same - slots / 2.0) / (slots > 0 ? __builtin_sqrt(slots / 4.0) : 1);
    ck_assert_double_lt(z < 0 ? -z : z, 3.5);
}
END_TEST

START_TEST(who_comes_gets_the_next_epochs_key)
{
    open_hoppers();
    change_seat(10 * MS, false, 3);
    run_members(20 * MS, 1000 * MS, 0);
    ck_assert(!chain_hopper_in_step(&hoppers[3], T0 + 1000 * MS));
    change_seat(1000 * MS, true, 3);
    run_members(1010 * MS, 3000 * MS, 0);
    for (uint32_t i = 0; i < N; i++)
        ck_assert(chain_hopper_in_step(&hoppers[i], T0 + 3000 * MS));
}
END_TEST

/* A Byzantine issuer: one box is wrong, or the commitment is to another key. */
static void spoil_box(struct chain_op *op)
{
    (void)op;
    boxes[2 * CHAIN_HOP_BOX_BYTES] ^= 1;
}
static void spoil_commitment(struct chain_op *op)
{
    op->hop.commitment.octets[0] ^= 1;
}
static void spoil_ephemeral(struct chain_op *op)
{
    memset(op->hop.ephemeral, 0, sizeof op->hop.ephemeral);
}
static void (*const spoilers[])(struct chain_op *op) = {spoil_box, spoil_commitment, spoil_ephemeral};

START_TEST(an_epoch_that_does_not_open_is_replaced_by_who_cannot_open_it)
{
    open_hoppers();
    struct chain_op op = epoch_op(1, 6, 400 * MS);
    spoilers[_i](&op);
    ck_assert_int_eq(run_op(b, 10 * MS, 0, &op), CHAIN_SUCCESS);
    ck_assert_uint_le(run_members(20 * MS, 2000 * MS, 1), 2);
    for (uint32_t i = 0; i < N; i++)
        ck_assert(chain_hopper_in_step(&hoppers[i], T0 + 2000 * MS));
    ck_assert_uint_gt(hoppers[2].n_useless, 0);
    ck_assert_uint_ne(b->ledger->hop.issuer, 0);
    for (int64_t at_ns = 2000 * MS; at_ns < 4000 * MS; at_ns += 50 * MS)
        for (uint32_t i = 1; i < N; i++)
            ck_assert_uint_eq(chain_hopper_channel(&hoppers[i], T0 + at_ns), chain_hopper_channel(&hoppers[0], T0 + at_ns));
}
END_TEST

/* Before it counts, the one before does; a station that missed its block goes on with that and meets the others at rendezvous. */
START_TEST(who_missed_an_epoch_meets_the_others_on_the_control_channel)
{
    open_hoppers();
    run_members(10 * MS, 1000 * MS, 0);
    struct chain_hopper late = hoppers[3];
    name_jammed(1000 * MS, 2);
    run_members(1010 * MS, 3000 * MS, 0);
    unsigned met = 0, slots = 0;
    for (int64_t at_ns = 3000 * MS; at_ns < 7000 * MS; at_ns += 50 * MS) {
        bool meet = chain_hopper_channel(&late, T0 + at_ns) == chain_hopper_channel(&hoppers[0], T0 + at_ns);
        if (chain_hop_is_rendezvous(&b->genesis, chain_hop_slot(&b->genesis, T0 + at_ns)))
            ck_assert(meet);
        met += meet;
        slots++;
    }
    ck_assert_uint_ge(met, slots / 4);
    struct chain_hopper fresh; /* restarted: the ledger tells all that it needs */
    ck_assert_int_eq(chain_hopper_init(&fresh, &late.cfg), 0);
    ck_assert(!chain_hopper_in_step(&fresh, T0 + 7000 * MS));
    struct chain_hopper_update update;
    chain_hopper_step(&fresh, b->ledger, T0 + 3000 * MS, &update);
    ck_assert(chain_hopper_in_step(&fresh, T0 + 3000 * MS));
    for (int64_t at_ns = 3000 * MS; at_ns < 5000 * MS; at_ns += 50 * MS)
        ck_assert_uint_eq(chain_hopper_channel(&fresh, T0 + at_ns), chain_hopper_channel(&hoppers[0], T0 + at_ns));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("ledger_hop");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, the_first_epoch_is_due_and_any_member_brings_it_once);
    tcase_add_loop_test(tc, what_a_member_may_not_fix_is_refused, 0, sizeof refusals / sizeof *refusals);
    tcase_add_test(tc, without_a_hop_set_there_is_no_epoch_and_no_entry);
    tcase_add_test(tc, who_has_no_seat_or_lied_brings_none);
    tcase_add_test(tc, a_jammed_channel_leaves_the_mask_until_its_hold_off_is_over);
    tcase_add_test(tc, where_all_channels_are_jammed_all_stay);
    tcase_add_test(tc, each_member_repairs_once_between_two_that_were_due);
    tcase_add_test(tc, a_snapshot_carries_epoch_boxes_and_hold_offs);
    tcase_add_test(tc, members_bring_one_epoch_and_then_are_on_one_channel);
    tcase_add_test(tc, another_member_takes_its_turn_where_one_does_nothing);
    tcase_add_test(tc, who_left_does_not_know_where_the_others_are);
    tcase_add_test(tc, who_comes_gets_the_next_epochs_key);
    tcase_add_loop_test(tc, an_epoch_that_does_not_open_is_replaced_by_who_cannot_open_it, 0, sizeof spoilers / sizeof *spoilers);
    tcase_add_test(tc, who_missed_an_epoch_meets_the_others_on_the_control_channel);
    suite_add_tcase(suite, tc);
}
