#include "chain/cbor.h"

#include <errno.h>
#include <string.h>

#define SUITE_NAME "chain/cbor"
#include "tests/unit/check_main.h"

struct example {
    int64_t value;
    size_t len;
    uint8_t octets[9];
};

/* RFC 8949 appendix A */
static const struct example integers[] = {
    {0, 1, {0x00}},
    {1, 1, {0x01}},
    {10, 1, {0x0a}},
    {23, 1, {0x17}},
    {24, 2, {0x18, 0x18}},
    {25, 2, {0x18, 0x19}},
    {100, 2, {0x18, 0x64}},
    {1000, 3, {0x19, 0x03, 0xe8}},
    {1000000, 5, {0x1a, 0x00, 0x0f, 0x42, 0x40}},
    {1000000000000, 9, {0x1b, 0x00, 0x00, 0x00, 0xe8, 0xd4, 0xa5, 0x10, 0x00}},
    {-1, 1, {0x20}},
    {-10, 1, {0x29}},
    {-100, 2, {0x38, 0x63}},
    {-1000, 3, {0x39, 0x03, 0xe7}},
    {INT64_MIN, 9, {0x3b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
};

START_TEST(integers_have_the_octets_of_rfc_8949_appendix_a)
{
    const struct example *e = &integers[_i];
    uint8_t out[16];
    struct chain_cbor_writer w = {.out = out, .cap = sizeof out};
    chain_cbor_put_int(&w, e->value);
    ck_assert_int_eq(chain_cbor_finish(&w), (long)e->len);
    ck_assert_mem_eq(out, e->octets, e->len);
    struct chain_cbor_reader r = {.data = e->octets, .len = e->len};
    ck_assert_int_eq(chain_cbor_get_int(&r), e->value);
    ck_assert_int_eq(chain_cbor_end(&r), 0);
}
END_TEST

START_TEST(the_largest_unsigned_integer_survives)
{
    uint8_t out[16];
    struct chain_cbor_writer w = {.out = out, .cap = sizeof out};
    chain_cbor_put_uint(&w, UINT64_MAX);
    static const uint8_t expected[] = {0x1b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    ck_assert_mem_eq(out, expected, sizeof expected);
    struct chain_cbor_reader r = {.data = out, .len = w.len};
    ck_assert(chain_cbor_get_uint(&r) == UINT64_MAX);
    r = (struct chain_cbor_reader){.data = out, .len = w.len};
    chain_cbor_get_int(&r);
    ck_assert_int_eq(chain_cbor_end(&r), -EBADMSG);
}
END_TEST

START_TEST(every_kind_of_item_comes_back)
{
    uint8_t out[64];
    struct chain_cbor_writer w = {.out = out, .cap = sizeof out};
    chain_cbor_put_array(&w, 6);
    chain_cbor_put_bytes(&w, "\x00\xff", 2);
    chain_cbor_put_text(&w, "IETF \xc3\xbc");
    chain_cbor_put_bool(&w, true);
    chain_cbor_put_bool(&w, false);
    chain_cbor_put_null(&w);
    chain_cbor_put_bytes(&w, "abcd", 4);
    static const uint8_t expected[] = "\x86\x42\x00\xff\x67IETF \xc3\xbc\xf5\xf4\xf6\x44"
                                      "abcd";
    ck_assert_int_eq(chain_cbor_finish(&w), (long)sizeof expected - 1);
    ck_assert_mem_eq(out, expected, sizeof expected - 1);
    struct chain_cbor_reader r = {.data = out, .len = w.len};
    size_t len;
    char text[8], fixed[4];
    chain_cbor_expect_array(&r, 6);
    ck_assert_mem_eq(chain_cbor_get_bytes(&r, &len), "\x00\xff", 2);
    ck_assert_uint_eq(len, 2);
    chain_cbor_get_text(&r, text, sizeof text);
    ck_assert_str_eq(text, "IETF \xc3\xbc");
    ck_assert(chain_cbor_get_bool(&r));
    ck_assert(!chain_cbor_get_bool(&r));
    ck_assert(chain_cbor_get_null(&r));
    ck_assert(!chain_cbor_get_null(&r));
    chain_cbor_get_fixed(&r, fixed, 4);
    ck_assert_mem_eq(fixed, "abcd", 4);
    ck_assert_int_eq(chain_cbor_end(&r), 0);
}
END_TEST

struct refused {
    size_t len;
    uint8_t octets[12];
};

/* longer than needed, reserved, indefinite, truncated, empty */
static const struct refused bad_integers[] = {
    {2, {0x18, 0x17}}, {3, {0x19, 0x00, 0xff}}, {5, {0x1a, 0x00, 0x00, 0xff, 0xff}}, {9, {0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},
    {1, {0x1c}},       {1, {0x1f}},             {1, {0x18}},                         {8, {0x1b, 1, 2, 3, 4, 5, 6, 7}},
    {0, {0}},          {2, {0x01, 0x01}},       {1, {0x40}},                         {1, {0xf9}},
    {2, {0x38, 0x00}}, {9, {0x3b, 0x80}},
};

START_TEST(what_is_not_deterministic_is_refused)
{
    const struct refused *e = &bad_integers[_i];
    struct chain_cbor_reader r = {.data = e->octets, .len = e->len};
    chain_cbor_get_int(&r);
    ck_assert_int_eq(chain_cbor_end(&r), -EBADMSG);
}
END_TEST

static const struct refused bad_texts[] = {
    {2, {0x61, 0x00}},       {2, {0x61, 0x80}},             {2, {0x61, 0xc3}},
    {3, {0x62, 0xc0, 0x80}}, {4, {0x63, 0xed, 0xa0, 0x80}}, {5, {0x64, 0xf4, 0x90, 0x80, 0x80}},
    {1, {0x61}},             {2, {0x41, 0x41}},             {9, {0x68, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'}},
    {2, {0x7f, 0xff}},       {4, {0x63, 0xe0, 0x80, 0x80}}, {5, {0x64, 0xf0, 0x80, 0x80, 0x80}},
};

START_TEST(text_that_is_not_utf8_or_does_not_fit_is_refused)
{
    const struct refused *e = &bad_texts[_i];
    struct chain_cbor_reader r = {.data = e->octets, .len = e->len};
    char text[8];
    chain_cbor_get_text(&r, text, sizeof text);
    ck_assert_int_eq(chain_cbor_end(&r), -EBADMSG);
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(an_array_longer_than_allowed_or_than_its_octets_is_refused)
{
    static const uint8_t four[] = {0x84, 1, 2, 3, 4}, huge[] = {0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    struct chain_cbor_reader r = {.data = four, .len = sizeof four};
    ck_assert_uint_eq(chain_cbor_get_array(&r, 4), 4);
    r = (struct chain_cbor_reader){.data = four, .len = sizeof four};
    ck_assert_uint_eq(chain_cbor_get_array(&r, 3), 0);
    ck_assert(r.bad);
    r = (struct chain_cbor_reader){.data = four, .len = 4};
    ck_assert_uint_eq(chain_cbor_get_array(&r, 4), 0);
    ck_assert(r.bad);
    r = (struct chain_cbor_reader){.data = huge, .len = sizeof huge};
    ck_assert_uint_eq(chain_cbor_get_array(&r, SIZE_MAX), 0);
    ck_assert(r.bad);
}
END_TEST

START_TEST(the_first_error_sticks)
{
    static const uint8_t data[] = {0x18, 0x01, 0x05};
    struct chain_cbor_reader r = {.data = data, .len = sizeof data};
    chain_cbor_get_uint(&r);
    ck_assert_uint_eq(chain_cbor_get_uint(&r), 0);
    size_t len;
    ck_assert_ptr_null(chain_cbor_get_bytes(&r, &len));
    ck_assert_uint_eq(len, 0);
    ck_assert(!chain_cbor_get_null(&r));
    ck_assert_int_eq(chain_cbor_end(&r), -EBADMSG);
}
END_TEST

START_TEST(a_full_writer_stays_full_and_writes_no_octet_more)
{
    uint8_t out[8];
    memset(out, 0xaa, sizeof out);
    struct chain_cbor_writer w = {.out = out, .cap = 4};
    chain_cbor_put_uint(&w, 1);
    chain_cbor_put_bytes(&w, "abc", 3);
    ck_assert(w.full);
    chain_cbor_put_uint(&w, 2);
    ck_assert_uint_eq(w.len, 1);
    ck_assert_int_eq(chain_cbor_finish(&w), -ENOSPC);
    ck_assert_uint_eq(out[1], 0xaa);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("cbor");
    tcase_add_loop_test(tc, integers_have_the_octets_of_rfc_8949_appendix_a, 0, (int)(sizeof integers / sizeof *integers));
    tcase_add_test(tc, the_largest_unsigned_integer_survives);
    tcase_add_test(tc, every_kind_of_item_comes_back);
    tcase_add_loop_test(tc, what_is_not_deterministic_is_refused, 0, (int)(sizeof bad_integers / sizeof *bad_integers));
    tcase_add_loop_test(tc, text_that_is_not_utf8_or_does_not_fit_is_refused, 0, (int)(sizeof bad_texts / sizeof *bad_texts));
    tcase_add_test(tc, an_array_longer_than_allowed_or_than_its_octets_is_refused);
    tcase_add_test(tc, the_first_error_sticks);
    tcase_add_test(tc, a_full_writer_stays_full_and_writes_no_octet_more);
    suite_add_tcase(suite, tc);
}
