#include "chain/msg.h"

#include <errno.h>
#include <string.h>

#include "chain/batch.h"
#include "tests/unit/chain/members.h"

#define SUITE_NAME "chain/msg"
#include "tests/unit/check_main.h"

static struct keyring ring;

static struct chain_msg make_msg(uint8_t kind, uint32_t author, const char *body)
{
    struct chain_msg msg = {.kind = kind, .author = author, .view = 3, .seq = 70000, .body = (const uint8_t *)body};
    msg.body_len = body ? strlen(body) : 0;
    if (body)
        ck_assert_int_eq(chain_msg_digest(&ring.members, kind, msg.body, msg.body_len, &msg.digest), 0);
    else
        memset(msg.digest.octets, 0x77, CHAIN_HASH_BYTES);
    sign_msg(&ring, &msg);
    return msg;
}

static int verify(const struct chain_msg *msg)
{
    struct chain_signer signer = chain_signer_ed25519(&ring.keys[0]);
    return signer.verify(signer.ctx, &ring.members, msg);
}

START_TEST(a_message_with_a_body_comes_back_and_verifies)
{
    struct chain_msg msg = make_msg(CHAIN_MSG_TX, 5, "body of the message"), back;
    uint8_t wire[256];
    long len = chain_msg_encode(&ring.members, &msg, wire, sizeof wire);
    ck_assert_int_gt(len, 0);
    size_t consumed;
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, sizeof wire, &back, &consumed), 0);
    ck_assert_uint_eq(consumed, (size_t)len);
    ck_assert_uint_eq(back.kind, CHAIN_MSG_TX);
    ck_assert_uint_eq(back.author, 5);
    ck_assert_uint_eq(back.view, 3);
    ck_assert_uint_eq(back.seq, 70000);
    ck_assert_uint_eq(back.body_len, msg.body_len);
    ck_assert_mem_eq(back.body, msg.body, msg.body_len);
    ck_assert(back.body >= wire && back.body < wire + len);
    ck_assert_mem_eq(back.digest.octets, msg.digest.octets, CHAIN_HASH_BYTES);
    ck_assert_int_eq(verify(&back), 0);
}
END_TEST

START_TEST(a_vote_carries_its_digest_and_takes_at_most_124_octets)
{
    struct chain_msg msg = make_msg(CHAIN_MSG_HEADER_VOTE, 2, NULL), back;
    uint8_t wire[256];
    long len = chain_msg_encode(&ring.members, &msg, wire, sizeof wire);
    ck_assert_int_gt(len, 0);
    ck_assert_int_le(len, 124);
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, (size_t)len, &back, NULL), 0);
    ck_assert_mem_eq(back.digest.octets, msg.digest.octets, CHAIN_HASH_BYTES);
    ck_assert_uint_eq(back.body_len, 0);
    ck_assert_int_eq(verify(&back), 0);
}
END_TEST

START_TEST(changing_any_signed_field_breaks_the_signature)
{
    struct chain_msg msg = make_msg(CHAIN_MSG_PBFT_COMMIT, 1, NULL);
    ck_assert_int_eq(verify(&msg), 0);
    struct chain_msg other = msg;
    other.kind = CHAIN_MSG_PBFT_PREPARE;
    ck_assert_int_eq(verify(&other), -EBADMSG);
    other = msg;
    other.author = 2;
    ck_assert_int_eq(verify(&other), -EBADMSG);
    other = msg;
    other.view++;
    ck_assert_int_eq(verify(&other), -EBADMSG);
    other = msg;
    other.seq++;
    ck_assert_int_eq(verify(&other), -EBADMSG);
    other = msg;
    other.digest.octets[31] ^= 1;
    ck_assert_int_eq(verify(&other), -EBADMSG);
    other = msg;
    other.sig[0] ^= 1;
    ck_assert_int_eq(verify(&other), -EBADMSG);
    ring.members.epoch++;
    ck_assert_int_eq(verify(&msg), -EBADMSG);
    ring.members.epoch--;
    ring.members.chain_id[7] ^= 1;
    ck_assert_int_eq(verify(&msg), -EBADMSG);
    ring.members.chain_id[7] ^= 1;
    ck_assert_int_eq(verify(&msg), 0);
}
END_TEST

START_TEST(no_octet_of_a_message_can_change_unnoticed)
{
    struct chain_msg msg = make_msg(CHAIN_MSG_TX, 5, "pay"), back;
    uint8_t wire[256];
    size_t len = (size_t)chain_msg_encode(&ring.members, &msg, wire, sizeof wire);
    for (size_t i = 0; i < len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            wire[i] ^= (uint8_t)(1 << bit);
            size_t consumed = 0;
            int rc = chain_msg_decode(&ring.members, wire, len, &back, &consumed);
            ck_assert_msg(rc != 0 || consumed != len || verify(&back) != 0, "octet %zu bit %d", i, bit);
            wire[i] ^= (uint8_t)(1 << bit);
        }
    }
}
END_TEST

START_TEST(every_truncation_is_refused)
{
    struct chain_msg msg = make_msg(CHAIN_MSG_RAFT_APPEND, 1, "entries"), back;
    uint8_t wire[256];
    size_t len = (size_t)chain_msg_encode(&ring.members, &msg, wire, sizeof wire);
    for (size_t i = 0; i < len; i++) {
        ck_assert_int_eq(chain_msg_decode(&ring.members, wire, i, &back, NULL), -EBADMSG);
        ck_assert_int_eq(chain_msg_encode(&ring.members, &msg, wire, i), -ENOSPC);
        chain_msg_encode(&ring.members, &msg, wire, sizeof wire);
    }
}
END_TEST

START_TEST(strangers_other_chains_and_other_epochs_are_refused)
{
    uint8_t wire[256];
    struct chain_msg back, tx = make_msg(CHAIN_MSG_TX, 5, "x"), vote = make_msg(CHAIN_MSG_HEADER_VOTE, 5, NULL);
    size_t len = (size_t)chain_msg_encode(&ring.members, &vote, wire, sizeof wire);
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, len, &back, NULL), -EBADMSG);
    ck_assert_int_eq(verify(&vote), -EBADMSG);
    tx.author = 6;
    len = (size_t)chain_msg_encode(&ring.members, &tx, wire, sizeof wire);
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, len, &back, NULL), -EBADMSG);
    vote.author = 0;
    len = (size_t)chain_msg_encode(&ring.members, &vote, wire, sizeof wire);
    ring.members.epoch = 1;
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, len, &back, NULL), -ESTALE);
    ring.members.chain_id[0] ^= 1;
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, len, &back, NULL), -EBADMSG);
    ring.members.epoch = 0;
    ring.members.chain_id[0] ^= 1;
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, len, &back, NULL), 0);
}
END_TEST

START_TEST(a_transaction_holds_in_every_epoch)
{
    uint8_t wire[256];
    struct chain_msg back, tx = make_msg(CHAIN_MSG_TX, 5, "x");
    size_t len = (size_t)chain_msg_encode(&ring.members, &tx, wire, sizeof wire);
    ring.members.epoch = 1;
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, len, &back, NULL), 0);
    ck_assert_int_eq(verify(&back), 0);
    ring.members.epoch = 0;
}
END_TEST

START_TEST(a_pre_prepare_names_the_batch_digest_even_of_the_empty_batch)
{
    struct chain_msg msg = {.kind = CHAIN_MSG_PBFT_PRE_PREPARE, .author = 0, .seq = 1}, back;
    ck_assert_int_eq(chain_batch_digest(&ring.members, NULL, 0, &msg.digest), 0);
    sign_msg(&ring, &msg);
    uint8_t wire[256];
    size_t len = (size_t)chain_msg_encode(&ring.members, &msg, wire, sizeof wire);
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, len, &back, NULL), 0);
    ck_assert_mem_eq(back.digest.octets, msg.digest.octets, CHAIN_HASH_BYTES);
    ck_assert_int_eq(verify(&back), 0);
    /* a body that is no batch has no digest */
    msg.body = (const uint8_t *)"no batch";
    msg.body_len = 8;
    len = (size_t)chain_msg_encode(&ring.members, &msg, wire, sizeof wire);
    ck_assert_int_eq(chain_msg_decode(&ring.members, wire, len, &back, NULL), -EBADMSG);
}
END_TEST

START_TEST(a_key_follows_from_its_seed)
{
    /* RFC 8032 section 7.1, TEST 1 */
    static const uint8_t seed[32] = {0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
                                     0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60};
    static const uint8_t public_head[4] = {0xd7, 0x5a, 0x98, 0x01};
    uint8_t public_key[CHAIN_KEY_BYTES], secret[CHAIN_SECRET_BYTES];
    chain_ed25519_from_seed(seed, public_key, secret);
    ck_assert_mem_eq(public_key, public_head, sizeof public_head);
    ck_assert_mem_eq(secret, seed, 32);
}
END_TEST

START_TEST(quorums_are_those_of_raft_and_pbft_for_every_n)
{
    static const uint32_t f[] = {0, 0, 0, 0, 1, 1, 1, 2}, q[] = {1, 1, 2, 2, 3, 4, 4, 5};
    for (uint32_t n = 1; n < 8; n++) {
        ck_assert_uint_eq(chain_pbft_f(n), f[n]);
        ck_assert_uint_eq(chain_pbft_quorum(n), q[n]);
    }
    for (uint32_t n = 1; n <= CHAIN_MAX_MEMBERS; n++) {
        uint32_t quorum = chain_pbft_quorum(n);
        ck_assert_uint_gt(2 * quorum, n + chain_pbft_f(n)); /* two quorums share an honest member */
        ck_assert_uint_le(quorum, n - chain_pbft_f(n));     /* the honest alone make one */
        ck_assert_uint_gt(2 * chain_majority(n), n);
        ck_assert_uint_le(2 * (chain_majority(n) - 1), n);
    }
}
END_TEST

static void set_up(void)
{
    make_keyring(&ring, 4, 6);
}

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("msg");
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, a_message_with_a_body_comes_back_and_verifies);
    tcase_add_test(tc, a_vote_carries_its_digest_and_takes_at_most_124_octets);
    tcase_add_test(tc, changing_any_signed_field_breaks_the_signature);
    tcase_add_test(tc, no_octet_of_a_message_can_change_unnoticed);
    tcase_add_test(tc, every_truncation_is_refused);
    tcase_add_test(tc, a_transaction_holds_in_every_epoch);
    tcase_add_test(tc, strangers_other_chains_and_other_epochs_are_refused);
    tcase_add_test(tc, a_pre_prepare_names_the_batch_digest_even_of_the_empty_batch);
    tcase_add_test(tc, a_key_follows_from_its_seed);
    tcase_add_test(tc, quorums_are_those_of_raft_and_pbft_for_every_n);
    suite_add_tcase(suite, tc);
}
