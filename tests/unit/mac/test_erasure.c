/* The erasure code: any k of the pieces give the message back. */
#define SUITE_NAME "mac erasure"
#include "tests/unit/check_main.h"

#include "mac/draw.h"
#include "mac/erasure.h"

#include <stdbool.h>
#include <string.h>

enum { PIECE_BYTES = 37 };

static uint64_t draw(uint64_t *counter)
{
    struct mac_draw_key key = {.seed = 5};
    return mac_draw(&key, MAC_DRAW_BACKOFF, (*counter)++);
}

/* A choice of k of n piece numbers. */
static void choose(uint8_t *chosen, unsigned k, unsigned n, uint64_t *counter)
{
    uint8_t all[MAC_ERASURE_PIECES];
    for (unsigned i = 0; i < n; i++)
        all[i] = (uint8_t)i;
    for (unsigned i = 0; i < k; i++) {
        unsigned j = i + (unsigned)(draw(counter) % (n - i));
        chosen[i] = all[j];
        all[j] = all[i];
    }
}

static void check_choice(unsigned k, unsigned n, uint64_t *counter)
{
    static uint8_t message[MAC_ERASURE_PIECES * PIECE_BYTES], received[sizeof message];
    uint8_t chosen[MAC_ERASURE_PIECES], holes[MAC_ERASURE_PIECES], numbers[MAC_ERASURE_PIECES];
    bool have[MAC_ERASURE_PIECES] = {false};
    for (size_t i = 0; i < k * PIECE_BYTES; i++)
        message[i] = (uint8_t)draw(counter);
    choose(chosen, k, n, counter);
    unsigned n_holes = 0, n_coded = 0;
    for (unsigned i = 0; i < k; i++)
        if (chosen[i] < k)
            have[chosen[i]] = true;
        else
            numbers[n_coded++] = chosen[i];
    for (unsigned i = 0; i < k; i++)
        if (have[i])
            memcpy(received + i * PIECE_BYTES, message + i * PIECE_BYTES, PIECE_BYTES);
        else
            holes[n_holes++] = (uint8_t)i;
    ck_assert_uint_eq(n_holes, n_coded);
    if (n_holes > MAC_ERASURE_HOLES)
        return;
    for (unsigned i = 0; i < n_holes; i++)
        mac_erasure_encode(message, k, PIECE_BYTES, numbers[i], received + holes[i] * PIECE_BYTES);
    mac_erasure_decode(received, k, PIECE_BYTES, holes, numbers, n_holes);
    ck_assert_msg(memcmp(received, message, k * PIECE_BYTES) == 0, "k %u n %u, %u holes", k, n, n_holes);
}

START_TEST(any_k_pieces_of_a_random_choice_restore_the_message)
{
    uint64_t counter = 0;
    for (unsigned trial = 0; trial < 300; trial++) {
        unsigned k = 1 + (unsigned)(draw(&counter) % 60);
        unsigned n = k + (unsigned)(draw(&counter) % (MAC_ERASURE_PIECES - k + 1));
        check_choice(k, n, &counter);
    }
}
END_TEST

START_TEST(every_choice_of_four_of_nine_pieces_restores_the_message)
{
    static uint8_t message[4 * PIECE_BYTES], received[4 * PIECE_BYTES];
    uint64_t counter = 1000;
    unsigned n_choices = 0;
    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)draw(&counter);
    for (unsigned set = 0; set < 1u << 9; set++) {
        uint8_t holes[4], numbers[9];
        unsigned n_holes = 0, n_coded = 0;
        for (unsigned i = 0; i < 9; i++)
            if (i < 4 && (set >> i & 1) == 0)
                holes[n_holes++] = (uint8_t)i;
            else if (i >= 4 && (set >> i & 1) != 0)
                numbers[n_coded++] = (uint8_t)i;
        if (n_holes != n_coded)
            continue;
        n_choices++;
        memcpy(received, message, sizeof message);
        for (unsigned i = 0; i < n_holes; i++)
            mac_erasure_encode(message, 4, PIECE_BYTES, numbers[i], received + holes[i] * PIECE_BYTES);
        mac_erasure_decode(received, 4, PIECE_BYTES, holes, numbers, n_holes);
        ck_assert_msg(memcmp(received, message, sizeof message) == 0, "set %#x", set);
    }
    ck_assert_uint_eq(n_choices, 126);
}
END_TEST

START_TEST(coefficients_are_those_of_the_documented_field)
{
    /* 1 / (3 + 1) = 1 / 2 = 0x8e and 1 / (3 + 2) = 1 in GF(2^8) with 0x11d */
    const uint8_t message[3] = {1, 0, 0}, second[3] = {0, 0, 1};
    uint8_t out;
    mac_erasure_encode(message, 3, 1, 3, &out);
    ck_assert_uint_eq(out, 0xf4); /* 1 / 3 */
    mac_erasure_encode(second, 3, 1, 3, &out);
    ck_assert_uint_eq(out, 1);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("erasure");
    tcase_add_test(tc, any_k_pieces_of_a_random_choice_restore_the_message);
    tcase_add_test(tc, every_choice_of_four_of_nine_pieces_restores_the_message);
    tcase_add_test(tc, coefficients_are_those_of_the_documented_field);
    suite_add_tcase(suite, tc);
}
