#define SUITE_NAME "phy crc"
#include "phy/crc.h"
#include "tests/unit/check_main.h"

START_TEST(the_check_value_of_crc_32_comes_out)
{
    ck_assert_uint_eq(phy_crc32((const uint8_t *)"123456789", 9), 0xcbf43926u);
    ck_assert_uint_eq(phy_crc32((const uint8_t *)"", 0), 0u);
}
END_TEST

START_TEST(every_single_bit_error_in_a_frame_changes_it)
{
    uint8_t frame[200];
    for (size_t i = 0; i < sizeof frame; i++)
        frame[i] = (uint8_t)(i * 37);
    uint32_t good = phy_crc32(frame, sizeof frame);
    for (size_t bit = 0; bit < 8 * sizeof frame; bit++) {
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_uint_ne(phy_crc32(frame, sizeof frame), good);
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

START_TEST(carry_less_multiplication_gives_what_the_plain_form_gives)
{
    uint8_t octets[1200];
    for (size_t i = 0; i < sizeof octets; i++)
        octets[i] = (uint8_t)(i * 89 + i / 7);
    for (size_t len = 0; len + 3 <= sizeof octets; len += 1 + len / 300)
        for (size_t from = 0; from < 3; from++)
            ck_assert_uint_eq(phy_crc32(octets + from, len), phy_crc32_plain(octets + from, len));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("crc");
    tcase_add_test(tcase, the_check_value_of_crc_32_comes_out);
    tcase_add_test(tcase, every_single_bit_error_in_a_frame_changes_it);
    tcase_add_test(tcase, carry_less_multiplication_gives_what_the_plain_form_gives);
    suite_add_tcase(suite, tcase);
}
