#define SUITE_NAME "apps canvas"
#include "apps/canvas.h"

#include <errno.h>
#include <math.h>
#include <png.h>
#include <string.h>

#include "tests/unit/check_main.h"

static double linear(uint8_t v)
{
    double x = v / 255.0;
    return x <= .04045 ? x / 12.92 : pow((x + .055) / 1.055, 2.4);
}

/* CIE L*, 0 .. 100 */
static double lightness(struct app_colour c)
{
    double y = .2126 * linear(c.red) + .7152 * linear(c.green) + .0722 * linear(c.blue);
    return y > .008856 ? 116 * cbrt(y) - 16 : 903.3 * y;
}

START_TEST(the_colour_map_grows_lighter_step_by_step)
{
    enum { STEPS = 64 };
    double before = lightness(app_colour_map(0)), first = before;
    for (int i = 1; i <= STEPS; i++) {
        double now = lightness(app_colour_map((double)i / STEPS));
        ck_assert_double_gt(now, before);
        if (i > STEPS / 8)
            ck_assert_double_le(now - before, 2 * 100.0 / STEPS);
        before = now;
    }
    ck_assert_double_le(first, 5);
    ck_assert_double_ge(before, 92);
    ck_assert_int_eq(app_colour_map(-3).blue, app_colour_map(0).blue);
    ck_assert_int_eq(app_colour_map(7).red, app_colour_map(1).red);
}
END_TEST

START_TEST(a_png_reads_back_as_it_was_drawn)
{
    const struct app_colour white = {255, 255, 255}, red = {200, 10, 20};
    struct app_canvas c;
    ck_assert_int_eq(app_canvas_open(&c, 60, 40, white), 0);
    app_canvas_box(&c, -5, 30, 12, 100, red); /* mostly outside */
    app_canvas_text(&c, 10, 5, "1.M", red);
    app_canvas_text(&c, 55, 35, "8", red);
    FILE *f = tmpfile();
    ck_assert_int_eq(app_canvas_write_png(&c, f), 0);
    rewind(f);
    png_image image = {.version = PNG_IMAGE_VERSION};
    ck_assert_int_ne(png_image_begin_read_from_stdio(&image, f), 0);
    ck_assert_uint_eq(image.width, 60);
    ck_assert_uint_eq(image.height, 40);
    image.format = PNG_FORMAT_RGB;
    struct app_colour back[60 * 40];
    ck_assert_int_ne(png_image_finish_read(&image, NULL, back, 0, NULL), 0);
    ck_assert_mem_eq(back, c.pixels, sizeof back);
    ck_assert_int_eq(back[39 * 60].red, 200);
    ck_assert_int_eq(back[39 * 60 + 7].red, 255);
    size_t n_inked = 0;
    for (size_t i = 0; i < 20 * 60; i++)
        n_inked += back[i].red == 200;
    ck_assert_uint_eq(n_inked, 4 * (10 + 4 + 18)); /* dots of "1", "." and "M", two by two pixels each */
    fclose(f);
    app_canvas_close(&c);
}
END_TEST

START_TEST(a_full_disk_is_told)
{
    const struct app_colour white = {255, 255, 255};
    struct app_canvas c;
    FILE *f = fopen("/dev/full", "wb");
    ck_assert_ptr_nonnull(f);
    setvbuf(f, NULL, _IONBF, 0);
    ck_assert_int_eq(app_canvas_open(&c, 300, 300, white), 0);
    ck_assert_int_eq(app_canvas_write_png(&c, f), -ENOSPC);
    fclose(f);
    app_canvas_close(&c);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tcase = tcase_create("canvas");
    tcase_add_test(tcase, the_colour_map_grows_lighter_step_by_step);
    tcase_add_test(tcase, a_png_reads_back_as_it_was_drawn);
    tcase_add_test(tcase, a_full_disk_is_told);
    suite_add_tcase(suite, tcase);
}
