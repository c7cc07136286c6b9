#include "chain/hop.h"

#include <errno.h>
#include <math.h>
#include <sodium.h>

#include "tests/unit/chain/ledger_fixture.h"

#define SUITE_NAME "chain/hop"
#include "tests/unit/check_main.h"

static struct keyring ring;
static struct chain_genesis genesis;

static void make_hopping_genesis(uint32_t n)
{
    genesis = make_genesis(&ring, n);
    give_hop_set(&genesis);
    ck_assert_int_eq(chain_genesis_finish(&genesis, NULL, NULL), 0);
}

START_TEST(slots_count_from_time_zero_and_every_fourth_is_a_rendezvous)
{
    make_hopping_genesis(4);
    ck_assert_uint_eq(chain_hop_slot(&genesis, 0), 0);
    ck_assert_uint_eq(chain_hop_slot(&genesis, 50 * MS - 1), 0);
    ck_assert_uint_eq(chain_hop_slot(&genesis, 50 * MS), 1);
    ck_assert_uint_eq(chain_hop_slot(&genesis, -1), 0);
    ck_assert_int_eq(chain_hop_edge_after(&genesis, 49 * MS), 50 * MS);
    ck_assert_int_eq(chain_hop_edge_after(&genesis, 50 * MS), 100 * MS);
    ck_assert_int_eq(chain_hop_edge_after(&genesis, INT64_MAX), CHAIN_MAX_TIME_NS);
    for (uint64_t k = 0; k < 12; k++)
        ck_assert(chain_hop_is_rendezvous(&genesis, k) == (k % 4 == 0));
}
END_TEST

/* Pearson's statistic against its normal approximation: mean n - 1, variance 2 (n - 1). */
START_TEST(every_channel_of_a_mask_is_drawn_alike)
{
    enum { SLOTS = 20000 };
    static const uint8_t masks[] = {0x06, 0x0e, 0x2a, 0x7e, 0xff};
    uint8_t key[CHAIN_HOP_KEY_BYTES] = {1, 2, 3};
    make_hopping_genesis(4);
    unsigned counts[CHAIN_MAX_CHANNELS] = {0}, n = 0;
    for (uint64_t k = 0; k < SLOTS; k++)
        counts[chain_hop_channel(&genesis.members, key, 1, masks[_i], k)]++;
    double chi2 = 0;
    for (unsigned c = 0; c < CHAIN_MAX_CHANNELS; c++)
        n += masks[_i] >> c & 1;
    for (unsigned c = 0; c < CHAIN_MAX_CHANNELS; c++) {
        if (!(masks[_i] >> c & 1)) {
            ck_assert_uint_eq(counts[c], 0);
            continue;
        }
        double expected = (double)SLOTS / n;
        chi2 += (counts[c] - expected) * (counts[c] - expected) / expected;
    }
    double z = (chi2 - (n - 1)) / sqrt(2.0 * (n - 1));
    printf("mask %02x: chi-square %.2f of %u degrees, %.2f standard errors\n", masks[_i], chi2, n - 1, z);
    ck_assert_double_lt(fabs(z), 3.5);
}
END_TEST

/* Neighbours, and what another key, epoch or chain draws, agree as often as chance has it. */
START_TEST(a_slot_tells_nothing_of_the_next_one_or_of_another_key)
{
    enum { SLOTS = 20000, WAYS = 4 };
    uint8_t key[CHAIN_HOP_KEY_BYTES] = {1, 2, 3}, other[CHAIN_HOP_KEY_BYTES] = {1, 2, 3, [31] = 1};
    make_hopping_genesis(4);
    struct chain_members elsewhere = genesis.members;
    elsewhere.chain_id[0] ^= 1;
    unsigned same[WAYS] = {0};
    for (uint64_t k = 0; k < SLOTS; k++) {
        uint32_t here = chain_hop_channel(&genesis.members, key, 1, 0x0e, k);
        same[0] += here == chain_hop_channel(&genesis.members, key, 1, 0x0e, k + 1);
        same[1] += here == chain_hop_channel(&genesis.members, other, 1, 0x0e, k);
        same[2] += here == chain_hop_channel(&genesis.members, key, 2, 0x0e, k);
        same[3] += here == chain_hop_channel(&elsewhere, key, 1, 0x0e, k);
    }
    for (unsigned i = 0; i < WAYS; i++) {
        double z = (same[i] - SLOTS / 3.0) / sqrt(SLOTS * 2.0 / 9.0);
        ck_assert_double_lt(fabs(z), 3.5);
    }
}
END_TEST

/* Computed once with Python's hashlib.blake2b and a CBOR written by hand. */
START_TEST(the_sequence_has_its_known_answer)
{
    static const char wanted[] = "1226632132652151253111555533562555125262";
    uint8_t key[CHAIN_HOP_KEY_BYTES];
    struct chain_members members = {.chain_id = {0, 1, 2, 3, 4, 5, 6, 7}};
    for (size_t i = 0; i < sizeof key; i++)
        key[i] = (uint8_t)i;
    for (uint64_t k = 0; k < sizeof wanted - 1; k++)
        ck_assert_uint_eq(chain_hop_channel(&members, key, 7, 0x6e, 1000000 + k), (uint32_t)(wanted[k] - '0'));
}
END_TEST

START_TEST(a_key_sealed_to_the_seats_opens_for_each_and_for_nobody_else)
{
    enum { N = 7 };
    uint8_t key[CHAIN_HOP_KEY_BYTES] = {42}, secret[CHAIN_CURVE_BYTES] = {5}, ephemeral[CHAIN_CURVE_BYTES], got[CHAIN_HOP_KEY_BYTES];
    uint8_t boxes[N][CHAIN_HOP_BOX_BYTES];
    make_hopping_genesis(N);
    struct chain_hop_epoch epoch = {.epoch = 3, .mask = 6};
    chain_hop_commit(&genesis.members, 3, key, &epoch.commitment);
    ck_assert_int_eq(chain_hop_seal(&genesis.members, key, secret, ephemeral, boxes[0]), 0);
    for (uint32_t member = 0; member < N; member++)
        for (uint32_t box = 0; box < N; box++) {
            struct chain_signer signer = chain_signer_ed25519(&ring.keys[member]);
            int rc = chain_hop_open(&signer, &genesis.members, &epoch, ephemeral, boxes[box], got);
            ck_assert_int_eq(rc, member == box ? 0 : -EBADMSG);
            if (rc == 0)
                ck_assert_mem_eq(got, key, sizeof key);
        }
    struct chain_signer signer = chain_signer_ed25519(&ring.keys[0]), none = {0};
    boxes[0][20] ^= 1;
    ck_assert_int_eq(chain_hop_open(&signer, &genesis.members, &epoch, ephemeral, boxes[0], got), -EBADMSG);
    boxes[0][20] ^= 1;
    ck_assert_int_eq(chain_hop_open(&none, &genesis.members, &epoch, ephemeral, boxes[0], got), -EBADMSG);
    epoch.epoch = 4; /* the key of another epoch is not this one's */
    ck_assert_int_eq(chain_hop_open(&signer, &genesis.members, &epoch, ephemeral, boxes[0], got), -EBADMSG);
}
END_TEST

/* What libsodium sealed opens here, and what was sealed here with libsodium. */
START_TEST(boxes_are_those_of_crypto_box_seal)
{
    uint8_t key[CHAIN_HOP_KEY_BYTES] = {42}, secret[CHAIN_CURVE_BYTES] = {5}, ephemeral[CHAIN_CURVE_BYTES], got[CHAIN_HOP_KEY_BYTES];
    uint8_t box[2 * CHAIN_HOP_BOX_BYTES], sealed[CHAIN_CURVE_BYTES + CHAIN_HOP_BOX_BYTES], public[32], hidden[32];
    make_hopping_genesis(2);
    struct chain_hop_epoch epoch = {.epoch = 3};
    chain_hop_commit(&genesis.members, 3, key, &epoch.commitment);
    ck_assert_int_eq(chain_hop_seal(&genesis.members, key, secret, ephemeral, box), 0);
    memcpy(sealed, ephemeral, sizeof ephemeral);
    memcpy(sealed + sizeof ephemeral, box, CHAIN_HOP_BOX_BYTES);
    ck_assert_int_eq(crypto_sign_ed25519_pk_to_curve25519(public, genesis.members.keys[0]), 0);
    ck_assert_int_eq(crypto_sign_ed25519_sk_to_curve25519(hidden, ring.keys[0].secret), 0);
    ck_assert_int_eq(crypto_box_seal_open(got, sealed, sizeof sealed, public, hidden), 0);
    ck_assert_mem_eq(got, key, sizeof key);
    ck_assert_int_eq(crypto_box_seal(sealed, key, sizeof key, public), 0);
    struct chain_signer signer = chain_signer_ed25519(&ring.keys[0]);
    ck_assert_int_eq(chain_hop_open(&signer, &genesis.members, &epoch, sealed, sealed + CHAIN_CURVE_BYTES, got), 0);
}
END_TEST

START_TEST(a_seat_whose_key_is_no_point_gets_a_box_that_does_not_open)
{
    uint8_t key[CHAIN_HOP_KEY_BYTES] = {42}, secret[CHAIN_CURVE_BYTES] = {5}, ephemeral[CHAIN_CURVE_BYTES];
    uint8_t boxes[2][CHAIN_HOP_BOX_BYTES], nothing[CHAIN_HOP_BOX_BYTES] = {0};
    make_hopping_genesis(2);
    memset(genesis.members.keys[1], 0xff, CHAIN_KEY_BYTES);
    ck_assert_int_eq(chain_hop_seal(&genesis.members, key, secret, ephemeral, boxes[0]), 0);
    ck_assert_mem_ne(boxes[0], nothing, sizeof nothing);
    ck_assert_mem_eq(boxes[1], nothing, sizeof nothing);
}
END_TEST

/* A hop set is in the genesis block's octets only where there is one, and comes back. */
START_TEST(a_genesis_block_without_a_hop_set_has_the_octets_it_always_had)
{
    uint8_t without[CHAIN_MAX_GENESIS_BYTES], with[CHAIN_MAX_GENESIS_BYTES];
    struct chain_genesis again;
    genesis = make_genesis(&ring, 4);
    long n = chain_genesis_encode(&genesis, without, sizeof without);
    ck_assert_uint_eq(without[1], 42);
    give_hop_set(&genesis);
    ck_assert_int_eq(chain_genesis_finish(&genesis, NULL, NULL), 0);
    long m = chain_genesis_encode(&genesis, with, sizeof with);
    ck_assert_uint_eq(with[1], 43);
    ck_assert_int_gt(m, n);
    ck_assert_mem_eq(with + 2, without + 2, (size_t)n - 2);
    ck_assert_int_eq(chain_genesis_decode(&again, with, (size_t)m), 0);
    ck_assert_int_eq(chain_genesis_finish(&again, NULL, NULL), 0);
    ck_assert_mem_eq(again.members.chain_id, genesis.members.chain_id, 8);
    ck_assert_uint_eq(chain_genesis_hop_set(&again), 6);
    for (long len = 0; len < m; len++)
        ck_assert_int_ne(chain_genesis_decode(&again, with, (size_t)len), 0);
}
END_TEST

START_TEST(a_hop_set_that_cannot_work_is_refused_by_name)
{
    const char *bad = "";
    for (int i = 0; i < 8; i++) {
        genesis = make_genesis(&ring, 4);
        give_hop_set(&genesis);
        static const char *const fields[] = {"channels.hop", "hop_dwell_ns", "hop_dwell_ns", "hop_rendezvous_every", "hop_rendezvous_every",
                                             "hop_hold_off_ns", "hop_dwell_ns", "hop_rendezvous_every"};
        switch (i) {
        case 0: genesis.channels[0].hop = true; break;                /* the control channel itself */
        case 1: genesis.hop_dwell_ns = 0; break;
        case 2: genesis.hop_dwell_ns = 8 * genesis.max_skew_ns - 1; break;
        case 3: genesis.hop_rendezvous_every = 1; break;
        case 4: genesis.hop_rendezvous_every = 1001; break;
        case 5: genesis.hop_hold_off_ns = 1; break;
        case 6: genesis.channels[1].hop = genesis.channels[2].hop = false; break; /* nothing to hop over */
        default: genesis.hop_dwell_ns = 0, genesis.channels[1].hop = genesis.channels[2].hop = false; break;
        }
        ck_assert_int_eq(chain_genesis_finish(&genesis, NULL, &bad), -EINVAL);
        ck_assert_str_eq(bad, fields[i]);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("hop");
    tcase_add_test(tc, slots_count_from_time_zero_and_every_fourth_is_a_rendezvous);
    tcase_add_loop_test(tc, every_channel_of_a_mask_is_drawn_alike, 0, 5);
    tcase_add_test(tc, a_slot_tells_nothing_of_the_next_one_or_of_another_key);
    tcase_add_test(tc, the_sequence_has_its_known_answer);
    tcase_add_test(tc, a_key_sealed_to_the_seats_opens_for_each_and_for_nobody_else);
    tcase_add_test(tc, boxes_are_those_of_crypto_box_seal);
    tcase_add_test(tc, a_seat_whose_key_is_no_point_gets_a_box_that_does_not_open);
    tcase_add_test(tc, a_genesis_block_without_a_hop_set_has_the_octets_it_always_had);
    tcase_add_test(tc, a_hop_set_that_cannot_work_is_refused_by_name);
    suite_add_tcase(suite, tc);
}
