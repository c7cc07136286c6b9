#include "chain/place.h"

#include <math.h>
#include <stdlib.h>

#define SUITE_NAME "chain/place"
#include "tests/unit/check_main.h"

#define DEG(x) ((int32_t)((x) * 10000000LL))
static const double PI = 3.14159265358979323846, R_CM = 637100880.0;

/* Degrees of arc as the chord in cm. */
static double chord_cm(double degrees)
{
    return 2 * R_CM * sin(degrees * PI / 360);
}

START_TEST(chords_between_known_places_are_exact_to_centimetres)
{
    static const struct {
        struct chain_place a, b;
        double degrees; /* of the great circle between them, from the definition */
    } rows[] = {
        {{0, 0}, {0, 0}, 0},
        {{DEG(48), DEG(11)}, {DEG(48), DEG(11)}, 0},
        {{0, 0}, {0, DEG(90)}, 90},
        {{0, 0}, {0, DEG(180)}, 180},
        {{0, 0}, {0, DEG(-180)}, 180},
        {{DEG(90), 0}, {DEG(-90), 0}, 180},
        {{DEG(90), DEG(13)}, {DEG(90), DEG(-121)}, 0},    /* one pole, two longitudes */
        {{DEG(-90), DEG(180)}, {DEG(-90), DEG(7)}, 0},
        {{DEG(12), DEG(180)}, {DEG(12), DEG(-180)}, 0},   /* one meridian, two names */
        {{0, DEG(180) - 5000000}, {0, DEG(-180) + 5000000}, 1}, /* over the antimeridian */
        {{DEG(89), DEG(0)}, {DEG(89), DEG(180)}, 2},      /* over the pole */
        {{DEG(89), DEG(-90)}, {DEG(89), DEG(90)}, 2},
        {{DEG(30), DEG(45)}, {DEG(-30), DEG(-135)}, 180}, /* antipodes */
        {{DEG(10), DEG(5)}, {DEG(11), DEG(5)}, 1},
        {{DEG(60), 0}, {DEG(60), DEG(180)}, 60},
        {{0, DEG(45)}, {0, DEG(44)}, 1},
        {{DEG(45), DEG(135)}, {DEG(-45), DEG(135)}, 90},
        {{0, 0}, {0, 1000}, 1e-4},                        /* 11.1 m */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert(chain_place_valid(&rows[i].a) && chain_place_valid(&rows[i].b));
        double got = sqrt((double)chain_place_chord2_cm2(&rows[i].a, &rows[i].b));
        ck_assert_msg(fabs(got - chord_cm(rows[i].degrees)) <= 4, "row %zu: %f cm, %f expected", i, got, chord_cm(rows[i].degrees));
        ck_assert_int_eq(chain_place_chord2_cm2(&rows[i].b, &rows[i].a), chain_place_chord2_cm2(&rows[i].a, &rows[i].b));
    }
}
END_TEST

static int32_t draw(uint64_t *state, int32_t max)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int32_t)((int64_t)((*state >> 32) * (2 * (uint64_t)max + 1) >> 32) - max);
}

START_TEST(chords_between_any_places_agree_with_floating_point)
{
    uint64_t state = 7;
    double worst_cm = 0;
    for (int i = 0; i < 200000; i++) {
        struct chain_place a = {draw(&state, DEG(90)), draw(&state, DEG(180))};
        struct chain_place b = {draw(&state, DEG(90)), draw(&state, DEG(180))};
        if (i % 2) /* and close by */
            b = (struct chain_place){(int32_t)(a.lat_e7 / 2 + a.lat_e7 / 2 * .99), a.lon_e7 / 2 + a.lon_e7 / 4};
        double to_rad = PI / 1.8e9, p = a.lat_e7 * to_rad, q = b.lat_e7 * to_rad, dl = (a.lon_e7 - (double)b.lon_e7) * to_rad;
        double h = sin((p - q) / 2) * sin((p - q) / 2) + cos(p) * cos(q) * sin(dl / 2) * sin(dl / 2); /* haversine */
        double error_cm = fabs(sqrt((double)chain_place_chord2_cm2(&a, &b)) - 2 * R_CM * sqrt(h));
        worst_cm = error_cm > worst_cm ? error_cm : worst_cm;
    }
    ck_assert_msg(worst_cm <= 4, "%f cm", worst_cm);
}
END_TEST

START_TEST(a_radius_is_measured_along_the_ground)
{
    /* a degree of arc is 111195.0797 m on this sphere */
    static const struct {
        struct chain_place a, b;
        uint64_t in_m, out_m;
    } rows[] = {
        {{0, 0}, {0, 0}, 0, UINT64_MAX},
        {{DEG(5), DEG(9)}, {DEG(6), DEG(9)}, 111196, 111195},
        {{0, DEG(180) - 5000000}, {0, DEG(-180) + 5000000}, 111196, 111195},
        {{DEG(89), DEG(-90)}, {DEG(89), DEG(90)}, 222391, 222390},
        {{0, 0}, {0, DEG(80)}, 8895607, 8895606},
        {{0, 0}, {0, DEG(100)}, 11119509, 11119507},
        {{0, 0}, {DEG(90), DEG(77)}, 10007558, 10007557},
        {{0, 0}, {0, DEG(170)}, 18903164, 18903163},
        {{DEG(90), 0}, {DEG(-90), 0}, CHAIN_PLACE_EVERYWHERE_M, 19990000},
        {{DEG(30), DEG(45)}, {DEG(-30), DEG(-135)}, UINT64_MAX, 19990000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ck_assert_msg(chain_place_within(&rows[i].a, &rows[i].b, rows[i].in_m), "row %zu", i);
        ck_assert_msg(rows[i].out_m == UINT64_MAX || !chain_place_within(&rows[i].a, &rows[i].b, rows[i].out_m), "row %zu", i);
    }
}
END_TEST

START_TEST(a_larger_radius_never_holds_less)
{
    uint64_t state = 3;
    for (int i = 0; i < 2000; i++) {
        struct chain_place a = {draw(&state, DEG(90)), draw(&state, DEG(180))}, b = {draw(&state, DEG(90)), draw(&state, DEG(180))};
        bool before = false;
        for (uint64_t r = 1; r < 3 * (uint64_t)CHAIN_PLACE_EVERYWHERE_M; r += 1 + r / 7) {
            bool now = chain_place_within(&a, &b, r);
            ck_assert(now || !before);
            before = now;
        }
        ck_assert(before);
    }
}
END_TEST

START_TEST(what_is_no_place_is_refused)
{
    static const struct chain_place bad[] = {{DEG(90) + 1, 0}, {-DEG(90) - 1, 0}, {0, DEG(180) + 1}, {0, -DEG(180) - 1}, {INT32_MIN, INT32_MIN}, {INT32_MAX, INT32_MAX}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert(!chain_place_valid(&bad[i]));
    ck_assert(chain_place_valid(&(struct chain_place){-DEG(90), -DEG(180)}));
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("place");
    tcase_add_test(tc, chords_between_known_places_are_exact_to_centimetres);
    tcase_add_test(tc, chords_between_any_places_agree_with_floating_point);
    tcase_add_test(tc, a_radius_is_measured_along_the_ground);
    tcase_add_test(tc, a_larger_radius_never_holds_less);
    tcase_add_test(tc, what_is_no_place_is_refused);
    suite_add_tcase(suite, tc);
}
