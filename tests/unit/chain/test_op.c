#include "chain/op.h"

#include <errno.h>
#include <string.h>

#define SUITE_NAME "chain/op"
#include "tests/unit/check_main.h"

struct golden {
    struct chain_op op;
    size_t len;
    const char *octets;
};

static const struct golden goldens[] = {
    {{.kind = CHAIN_OP_REGISTER, .reg = {.call_sign = "DL1ABC", .lat_e7 = -1, .lon_e7 = 24, .height_cm = 1000}},
     15,
     "\x85\x01\x66"
     "DL1ABC\x20\x18\x18\x19\x03\xe8"},
    {{.kind = CHAIN_OP_SENSE_COMMIT, .commit = {.window = 65536, .commitment = {{1, 2, 3}}}},
     41,
     "\x83\x02\x1a\x00\x01\x00\x00\x58\x20\x01\x02\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
    {{.kind = CHAIN_OP_SENSE_REVEAL,
      .reveal = {.window = 5, .n_channels = 3, .occupied = {true, false, true}, .power_cdb = {-3000, -9500, 0}, .salt = {0xff}}},
     29,
     "\x85\x03\x05\x05\x83\x39\x0b\xb7\x39\x25\x1b\x00\x50\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
    {{.kind = CHAIN_OP_GRANT, .grant = {.low_hz = 5190000000, .high_hz = 5200000000, .max_eirp_cdbm_mhz = 2000, .n_peers = 2, .peers = {1, 30}}},
     27,
     "\x85\x04\x1b\0\0\0\x01\x35\x59\x1d\x80\x1b\0\0\0\x01\x35\xf1\xb4\0\x19\x07\xd0\x82\x01\x18\x1e"},
    {{.kind = CHAIN_OP_HEARTBEAT, .lease = {.grant_id = 7}}, 3, "\x82\x05\x07"},
    {{.kind = CHAIN_OP_RELINQUISH, .lease = {.grant_id = 255}}, 4, "\x82\x06\x18\xff"},
    {{.kind = CHAIN_OP_EVIDENCE, .evidence = {.channel = 0, .kind = 4, .from_ns = 1, .at_ns = 2, .confidence_permille = 990, .n_frames = 20, .n_good = 3}},
     11,
     "\x88\x07\x00\x04\x01\x02\x19\x03\xde\x14\x03"},
    {{.kind = CHAIN_OP_ADMIT, .admit = {.key = {0xaa, 0xbb}}},
     36,
     "\x82\x08\x58\x20\xaa\xbb\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
    {{.kind = CHAIN_OP_MOVE, .move = {.lat_e7 = 900000000, .lon_e7 = -1800000000, .height_cm = -1}},
     13,
     "\x84\x09\x1a\x35\xa4\xe9\x00\x3a\x6b\x49\xd1\xff\x20"},
    {{.kind = CHAIN_OP_DEREGISTER}, 2, "\x81\x0a"},
    {{.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = true, .key_id = 33}}, 5, "\x83\x0b\xf5\x18\x21"},
    {{.kind = CHAIN_OP_RECONFIGURE, .reconfigure = {.add = false, .key_id = 2}}, 4, "\x83\x0b\xf4\x02"},
    {{.kind = CHAIN_OP_EQUIVOCATION,
      .equivocation = {.kind = 33, .epoch = 2, .author = 3, .view = 4, .seq = 1000, .digest = {{{1}}, {{2}}}, .sig = {{3}, {4}}}},
     210,
     "\x8a\x0c\x18\x21\x02\x03\x04\x19\x03\xe8"
     "\x58\x20\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
     "\x58\x40\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
     "\x58\x20\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
     "\x58\x40\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},
    {{.kind = CHAIN_OP_SPECTRUM,
      .spectrum = {.kind = CHAIN_SPECTRUM_INCUMBENT, .low_hz = 10, .high_hz = 20, .from_ns = 1, .until_ns = 2, .lat_e7 = -3, .lon_e7 = 4,
                   .radius_m = 30000, .protection_cdbm_mhz = -10000}},
     15,
     "\x8a\x0d\x01\x0a\x14\x01\x02\x22\x04\x19\x75\x30\x39\x27\x0f"},
    {{.kind = CHAIN_OP_WITHDRAW, .withdraw = {.record_id = 9}}, 3, "\x82\x0e\x09"},
    {{.kind = CHAIN_OP_PUT, .put = {.key = 5, .value = (const uint8_t *)"abc", .value_len = 3}}, 7, "\x83\x0f\x05\x43" "abc"},
    {{.kind = CHAIN_OP_PUT, .put = {.key = 70000}}, 8, "\x83\x0f\x1a\x00\x01\x11\x70\x40"},
    {{.kind = CHAIN_OP_UNAUTHORISED, .unauthorised = {.channel = 1, .suspect = 7, .from_ns = 1, .at_ns = 2, .level_cdb = -3000}},
     9,
     "\x86\x10\x01\x07\x01\x02\x39\x0b\xb7"},
    {{.kind = CHAIN_OP_UNAUTHORISED, .unauthorised = {.channel = 1, .suspect = CHAIN_MAX_KEYS, .from_ns = 1, .at_ns = 2}},
     7,
     "\x86\x10\x01\xf6\x01\x02\x00"},
    {{.kind = CHAIN_OP_PAY, .pay = {.to = 3, .amount = UINT64_MAX}}, 12, "\x83\x11\x03\x1b\xff\xff\xff\xff\xff\xff\xff\xff"},
    {{.kind = CHAIN_OP_HOP_EPOCH, .hop = {.epoch = 2, .mask = 6, .from_ns = 1000, .commitment = {{1}}, .ephemeral = {2}}},
     76,
     "\x87\x12\x02\x06\x19\x03\xe8"
     "\x58\x20\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
     "\x58\x20\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x40"},
};
enum { N_GOLDENS = sizeof goldens / sizeof *goldens };

START_TEST(operations_have_their_octets_and_come_back)
{
    const struct golden *g = &goldens[_i];
    uint8_t wire[CHAIN_MAX_OP_BYTES], again[CHAIN_MAX_OP_BYTES];
    long len = chain_op_encode(&g->op, wire, sizeof wire);
    ck_assert_int_eq(len, (long)g->len);
    ck_assert_mem_eq(wire, g->octets, g->len);
    struct chain_op back;
    ck_assert_int_eq(chain_op_decode(&back, wire, (size_t)len), 0);
    ck_assert_int_eq(back.kind, g->op.kind);
    ck_assert_int_eq(chain_op_encode(&back, again, sizeof again), len);
    ck_assert_mem_eq(again, wire, (size_t)len);
    for (size_t i = 0; i < (size_t)len; i++) {
        ck_assert_int_eq(chain_op_decode(&back, wire, i), -EBADMSG);
        ck_assert_int_eq(chain_op_encode(&g->op, again, i), -ENOSPC);
    }
    wire[len] = 0;
    ck_assert_int_eq(chain_op_decode(&back, wire, (size_t)len + 1), -EBADMSG);
}
END_TEST

struct bad {
    size_t len;
    const char *octets;
};

static const struct bad bads[] = {
    {2, "\x82\x00"},                                                             /* kind 0 */
    {3, "\x82\x12\x01"},                                                         /* kind 18 */
    {3, "\x82\x08\x01"},                                                         /* a key that is a number */
    {5, "\x83\x0b\x01\x18\x21"},                                                 /* add: a number */
    {3, "\x82\x0a\x00"},                                                         /* an item too many */
    {9, "\x86\x10\x01\x18\x40\x01\x02\x00"},                                    /* a suspect of 64 */
    {16, "\x8a\x0d\x19\x01\x00\x0a\x14\x01\x02\x22\x04\x19\x75\x30\x39\x27\x0f"}, /* a record of kind 256 */
    {4, "\x83\x11\x03\x20"},                                                     /* a negative amount */
    {3, "\x83\x05\x07"},                                                         /* an item too few */
    {4, "\x82\x05\x18\x07"},                                                     /* not the shortest */
    {3, "\x82\x05\x20"},                                                         /* a negative id */
    {22, "\x85\x03\x05\x02\x81\x00\x50\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"},          /* a verdict on a channel without a power */
    {14, "\x88\x07\x00\x19\x01\x00\x01\x02\x19\x03\xde\x14\x03"},                /* an evidence kind of 256 */
    {12, "\x85\x01\x61\x41\x1a\x80\x00\x00\x00\x00\x00"},                        /* a latitude of 2^31 */
    {40, "\x85\x01\x78\x20" "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x00\x00\x00"},     /* a call sign of 32 */
};

START_TEST(what_is_no_operation_is_refused)
{
    struct chain_op op;
    ck_assert_int_eq(chain_op_decode(&op, (const uint8_t *)bads[_i].octets, bads[_i].len), -EBADMSG);
}
END_TEST

START_TEST(operations_that_cannot_be_written_are_not)
{
    uint8_t wire[CHAIN_MAX_OP_BYTES];
    struct chain_op op = {.kind = CHAIN_OP_GRANT, .grant = {.n_peers = 9}};
    ck_assert_int_eq(chain_op_encode(&op, wire, sizeof wire), -EINVAL);
    op = (struct chain_op){.kind = CHAIN_OP_SENSE_REVEAL, .reveal = {.n_channels = 9}};
    ck_assert_int_eq(chain_op_encode(&op, wire, sizeof wire), -EINVAL);
    op = (struct chain_op){.kind = CHAIN_OP_REGISTER};
    memset(op.reg.call_sign, 'A', sizeof op.reg.call_sign);
    ck_assert_int_eq(chain_op_encode(&op, wire, sizeof wire), -EINVAL);
    op = (struct chain_op){.kind = CHAIN_OP_PUT, .put = {.value = wire, .value_len = CHAIN_MAX_PUT_BYTES + 1}};
    ck_assert_int_eq(chain_op_encode(&op, wire, sizeof wire), -EINVAL);
    op = (struct chain_op){.kind = CHAIN_OP_UNAUTHORISED, .unauthorised = {.suspect = CHAIN_MAX_KEYS + 1}};
    ck_assert_int_eq(chain_op_encode(&op, wire, sizeof wire), -EINVAL);
    op = (struct chain_op){.kind = CHAIN_OP_N};
    ck_assert_int_eq(chain_op_encode(&op, wire, sizeof wire), -EINVAL);
    op.kind = (enum chain_op_kind)0;
    ck_assert_int_eq(chain_op_encode(&op, wire, sizeof wire), -EINVAL);
}
END_TEST

START_TEST(the_largest_operations_fit)
{
    uint8_t wire[CHAIN_MAX_OP_BYTES];
    struct chain_op op = {.kind = CHAIN_OP_GRANT, .grant = {.low_hz = UINT64_MAX, .high_hz = UINT64_MAX, .max_eirp_cdbm_mhz = INT32_MIN, .n_peers = 8}};
    memset(op.grant.peers, 0xff, sizeof op.grant.peers);
    ck_assert_int_gt(chain_op_encode(&op, wire, sizeof wire), 0);
    op = (struct chain_op){.kind = CHAIN_OP_SENSE_REVEAL, .reveal = {.window = UINT64_MAX, .n_channels = 8}};
    for (size_t i = 0; i < 8; i++)
        op.reveal.power_cdb[i] = INT32_MIN;
    ck_assert_int_gt(chain_op_encode(&op, wire, sizeof wire), 0);
    struct chain_hash hash;
    ck_assert_int_eq(chain_sense_commitment(UINT32_MAX, &op.reveal, &hash), 0);
    op.reveal.n_channels = 9;
    ck_assert_int_eq(chain_sense_commitment(0, &op.reveal, &hash), -EINVAL);
    op = (struct chain_op){.kind = CHAIN_OP_EQUIVOCATION, .equivocation = {.kind = 255, .epoch = UINT32_MAX, .author = UINT32_MAX, .view = UINT64_MAX, .seq = UINT64_MAX}};
    ck_assert_int_gt(chain_op_encode(&op, wire, sizeof wire), 0);
    op = (struct chain_op){.kind = CHAIN_OP_SPECTRUM, .spectrum = {255, UINT64_MAX, UINT64_MAX, INT64_MIN, INT64_MAX, INT32_MIN, INT32_MIN, UINT32_MAX, INT32_MIN}};
    ck_assert_int_gt(chain_op_encode(&op, wire, sizeof wire), 0);
    uint8_t value[CHAIN_MAX_PUT_BYTES + 1] = {0};
    op = (struct chain_op){.kind = CHAIN_OP_PUT, .put = {.key = UINT32_MAX, .value = value, .value_len = CHAIN_MAX_PUT_BYTES}};
    long len = chain_op_encode(&op, wire, sizeof wire);
    ck_assert_int_eq(len, 1 + 1 + 5 + 3 + CHAIN_MAX_PUT_BYTES);
    ck_assert_int_eq(chain_op_decode(&op, wire, (size_t)len), 0);
    wire[9]++; /* the value's length */
    ck_assert_int_eq(chain_op_decode(&op, wire, (size_t)len + 1), -EBADMSG);
}
END_TEST

START_TEST(a_commitment_binds_author_and_report)
{
    struct chain_sense_report report = goldens[2].op.reveal;
    struct chain_hash first, other;
    chain_sense_commitment(1, &report, &first);
    chain_sense_commitment(2, &report, &other);
    ck_assert_mem_ne(first.octets, other.octets, CHAIN_HASH_BYTES);
    report.occupied[1] = true;
    chain_sense_commitment(1, &report, &other);
    ck_assert_mem_ne(first.octets, other.octets, CHAIN_HASH_BYTES);
    report = goldens[2].op.reveal;
    report.power_cdb[0]++;
    chain_sense_commitment(1, &report, &other);
    ck_assert_mem_ne(first.octets, other.octets, CHAIN_HASH_BYTES);
    report = goldens[2].op.reveal;
    report.salt[15]++;
    chain_sense_commitment(1, &report, &other);
    ck_assert_mem_ne(first.octets, other.octets, CHAIN_HASH_BYTES);
}
END_TEST

START_TEST(operations_have_names)
{
    ck_assert_str_eq(chain_op_name(CHAIN_OP_SENSE_COMMIT), "sense-commit");
    ck_assert_str_eq(chain_op_name((enum chain_op_kind)0), "unknown");
    ck_assert_str_eq(chain_op_name(CHAIN_OP_N), "unknown");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("op");
    tcase_add_loop_test(tc, operations_have_their_octets_and_come_back, 0, N_GOLDENS);
    tcase_add_loop_test(tc, what_is_no_operation_is_refused, 0, (int)(sizeof bads / sizeof *bads));
    tcase_add_test(tc, operations_that_cannot_be_written_are_not);
    tcase_add_test(tc, the_largest_operations_fit);
    tcase_add_test(tc, a_commitment_binds_author_and_report);
    tcase_add_test(tc, operations_have_names);
    suite_add_tcase(suite, tc);
}
