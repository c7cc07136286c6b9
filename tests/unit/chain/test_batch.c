#include "chain/batch.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/chain/members.h"

#define SUITE_NAME "chain/batch"
#include "tests/unit/check_main.h"

static struct keyring ring;

static size_t make_batch(uint8_t *out, size_t cap, int64_t time_ns, size_t n)
{
    static uint8_t txs[CHAIN_MAX_BATCH_TXS + 1];
    struct chain_batch_view view = {.time_ns = time_ns, .n_txs = n};
    for (size_t i = 0; i < n; i++) {
        txs[i] = (uint8_t)i;
        view.txs[i].data = &txs[i];
        view.txs[i].len = 1;
    }
    long len = chain_batch_encode(&view, out, cap);
    ck_assert_int_gt(len, 0);
    return (size_t)len;
}

START_TEST(a_batch_comes_back)
{
    uint8_t wire[2048];
    size_t len = make_batch(wire, sizeof wire, 123456789, CHAIN_MAX_BATCH_TXS);
    struct chain_batch_view view;
    ck_assert_int_eq(chain_batch_decode(&view, wire, len), 0);
    ck_assert_int_eq(view.time_ns, 123456789);
    ck_assert_uint_eq(view.n_txs, CHAIN_MAX_BATCH_TXS);
    for (size_t i = 0; i < view.n_txs; i++) {
        ck_assert_uint_eq(view.txs[i].len, 1);
        ck_assert_uint_eq(view.txs[i].data[0], i % 256);
    }
    for (size_t i = 1; i < len; i++)
        ck_assert_int_eq(chain_batch_decode(&view, wire, i), -EBADMSG);
    wire[len] = 0;
    ck_assert_int_eq(chain_batch_decode(&view, wire, len + 1), -EBADMSG);
}
END_TEST

START_TEST(the_empty_batch_has_no_octets_and_a_digest)
{
    struct chain_batch_view view;
    ck_assert_int_eq(chain_batch_decode(&view, NULL, 0), 0);
    ck_assert_uint_eq(view.n_txs, 0);
    struct chain_hash empty, timed;
    ck_assert_int_eq(chain_batch_digest(&ring.members, NULL, 0, &empty), 0);
    uint8_t wire[32];
    size_t len = make_batch(wire, sizeof wire, 0, 0);
    ck_assert_int_eq(chain_batch_decode(&view, wire, len), 0);
    ck_assert_int_eq(chain_batch_digest(&ring.members, wire, len, &timed), 0);
    ck_assert_mem_ne(empty.octets, timed.octets, CHAIN_HASH_BYTES);
}
END_TEST

START_TEST(times_and_counts_out_of_range_are_refused)
{
    struct chain_batch_view view;
    static const uint8_t negative[] = {0x82, 0x20, 0x80};
    static const uint8_t late[] = {0x82, 0x1b, 0x40, 0, 0, 0, 0, 0, 0, 1, 0x80};
    static const uint8_t latest[] = {0x82, 0x1b, 0x40, 0, 0, 0, 0, 0, 0, 0, 0x80};
    ck_assert_int_eq(chain_batch_decode(&view, negative, sizeof negative), -EBADMSG);
    ck_assert_int_eq(chain_batch_decode(&view, late, sizeof late), -EBADMSG);
    ck_assert_int_eq(chain_batch_decode(&view, latest, sizeof latest), 0);
    uint8_t many[1024] = {0x82, 0x00, 0x99, 0x02, 0x01};
    memset(many + 5, 0x40, 513);
    ck_assert_int_eq(chain_batch_decode(&view, many, 5 + 513), -EBADMSG);
    many[4] = 0;
    ck_assert_int_eq(chain_batch_decode(&view, many, 5 + 512), 0);
    static uint8_t big[CHAIN_MAX_BATCH_BYTES + 1] = {0x82, 0x00, 0x81, 0x5a, 0x00, 0x01, 0xff, 0xf8};
    ck_assert_int_eq(chain_batch_decode(&view, big, CHAIN_MAX_BATCH_BYTES), 0);
    big[7] = 0xf9;
    ck_assert_int_eq(chain_batch_decode(&view, big, CHAIN_MAX_BATCH_BYTES + 1), -EBADMSG);
}
END_TEST

START_TEST(a_digest_binds_chain_epoch_time_and_transactions)
{
    uint8_t wire[64];
    size_t len = make_batch(wire, sizeof wire, 5, 3);
    struct chain_hash first, other;
    ck_assert_int_eq(chain_batch_digest(&ring.members, wire, len, &first), 0);
    ring.members.epoch = 1;
    ck_assert_int_eq(chain_batch_digest(&ring.members, wire, len, &other), 0);
    ck_assert_mem_ne(first.octets, other.octets, CHAIN_HASH_BYTES);
    ring.members.epoch = 0;
    ring.members.chain_id[0] ^= 1;
    ck_assert_int_eq(chain_batch_digest(&ring.members, wire, len, &other), 0);
    ck_assert_mem_ne(first.octets, other.octets, CHAIN_HASH_BYTES);
    ring.members.chain_id[0] ^= 1;
    len = make_batch(wire, sizeof wire, 6, 3);
    ck_assert_int_eq(chain_batch_digest(&ring.members, wire, len, &other), 0);
    ck_assert_mem_ne(first.octets, other.octets, CHAIN_HASH_BYTES);
    len = make_batch(wire, sizeof wire, 5, 4);
    ck_assert_int_eq(chain_batch_digest(&ring.members, wire, len, &other), 0);
    ck_assert_mem_ne(first.octets, other.octets, CHAIN_HASH_BYTES);
    len = make_batch(wire, sizeof wire, 5, 3);
    ck_assert_int_eq(chain_batch_digest(&ring.members, wire, len, &other), 0);
    ck_assert_mem_eq(first.octets, other.octets, CHAIN_HASH_BYTES);
}
END_TEST

START_TEST(a_header_comes_back_and_its_hash_binds_every_field)
{
    struct chain_header header = {.height = 9, .time_ns = 77}, back;
    header.parent.octets[0] = 1;
    header.batch_digest.octets[1] = 2;
    header.tx_root.octets[2] = 3;
    header.state_root.octets[3] = 4;
    uint8_t wire[CHAIN_MAX_HEADER_BYTES];
    size_t len = (size_t)chain_header_encode(&header, wire, sizeof wire);
    ck_assert_int_eq(chain_header_decode(&back, wire, len), 0);
    struct chain_hash first, other;
    chain_header_hash(&header, &first);
    chain_header_hash(&back, &other);
    ck_assert_mem_eq(first.octets, other.octets, CHAIN_HASH_BYTES);
    for (size_t i = 0; i < len; i++) {
        ck_assert_int_eq(chain_header_decode(&back, wire, i), -EBADMSG);
        wire[i] ^= 1;
        if (chain_header_decode(&back, wire, len) == 0) {
            chain_header_hash(&back, &other);
            ck_assert_mem_ne(first.octets, other.octets, CHAIN_HASH_BYTES);
        }
        wire[i] ^= 1;
    }
}
END_TEST

static struct chain_hash header_hash;

static struct chain_certificate certify(uint64_t signers, uint64_t height)
{
    struct chain_certificate cert = {.signers = signers};
    for (uint32_t i = 0; i < 4; i++) {
        if (!(signers >> i & 1))
            continue;
        struct chain_msg vote = {.kind = CHAIN_MSG_HEADER_VOTE, .author = i, .seq = height, .digest = header_hash};
        sign_msg(&ring, &vote);
        memcpy(cert.sigs[i], vote.sig, CHAIN_SIG_BYTES);
    }
    return cert;
}

START_TEST(a_certificate_is_worth_its_valid_signatures)
{
    struct chain_certificate cert = certify(0xb, 12), back;
    struct chain_signer signer = chain_signer_ed25519(&ring.keys[0]);
    uint8_t wire[CHAIN_MAX_CERT_BYTES];
    size_t len = (size_t)chain_certificate_encode(&cert, wire, sizeof wire);
    ck_assert_int_eq(chain_certificate_decode(&back, wire, len), 0);
    ck_assert_int_eq(chain_certificate_check(&back, &ring.members, &signer, 12, &header_hash), 3);
    ck_assert_int_eq(chain_certificate_check(&back, &ring.members, &signer, 13, &header_hash), -EBADMSG);
    back.sigs[3][9] ^= 1;
    ck_assert_int_eq(chain_certificate_check(&back, &ring.members, &signer, 12, &header_hash), -EBADMSG);
    back = cert;
    back.signers |= 1 << 4;
    ck_assert_int_eq(chain_certificate_check(&back, &ring.members, &signer, 12, &header_hash), -EBADMSG);
    for (size_t i = 0; i < len; i++)
        ck_assert_int_eq(chain_certificate_decode(&back, wire, i), -EBADMSG);
    wire[1] = 0xf;
    ck_assert_int_eq(chain_certificate_decode(&back, wire, len), -EBADMSG);
}
END_TEST

START_TEST(a_full_certificate_fits_its_bound)
{
    struct chain_certificate cert = {.signers = UINT32_MAX}, back;
    uint8_t wire[CHAIN_MAX_CERT_BYTES];
    long len = chain_certificate_encode(&cert, wire, sizeof wire);
    ck_assert_int_gt(len, CHAIN_MAX_MEMBERS * CHAIN_SIG_BYTES);
    ck_assert_int_eq(chain_certificate_decode(&back, wire, (size_t)len), 0);
    ck_assert_uint_eq(back.signers, UINT32_MAX);
}
END_TEST

static void set_up(void)
{
    make_keyring(&ring, 4, 6);
    memset(header_hash.octets, 0x11, CHAIN_HASH_BYTES);
}

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("batch");
    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, a_batch_comes_back);
    tcase_add_test(tc, the_empty_batch_has_no_octets_and_a_digest);
    tcase_add_test(tc, times_and_counts_out_of_range_are_refused);
    tcase_add_test(tc, a_digest_binds_chain_epoch_time_and_transactions);
    tcase_add_test(tc, a_header_comes_back_and_its_hash_binds_every_field);
    tcase_add_test(tc, a_certificate_is_worth_its_valid_signatures);
    tcase_add_test(tc, a_full_certificate_fits_its_bound);
    suite_add_tcase(suite, tc);
}
