/* A picture in memory: pixels, text in a small built-in font, a colour map, and PNG. */
#ifndef APPS_CANVAS_H
#define APPS_CANVAS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct app_colour {
    uint8_t red, green, blue;
};

struct app_canvas {
    unsigned width, height;
    struct app_colour *pixels; /* rows from the top, on the heap */
};

enum { APP_TEXT_HEIGHT = 14, APP_TEXT_ADVANCE = 12 }; /* of a character, pixels */

/* 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int app_canvas_open(struct app_canvas *c, unsigned width, unsigned height, struct app_colour fill);
void app_canvas_close(struct app_canvas *c);
/* What lies outside the picture is not drawn. */
void app_canvas_box(struct app_canvas *c, int x, int y, int width, int height, struct app_colour colour);
/* x, y: the upper left corner. Digits, lower-case letters, "BFGHMS.,-+/" and blanks; others are blanks. */
void app_canvas_text(struct app_canvas *c, int x, int y, const char *text, struct app_colour colour);
/* 0 or negative errno. */
__attribute__((warn_unused_result)) int app_canvas_write_png(const struct app_canvas *c, FILE *out);

/* A colour map whose lightness rises evenly from near black (0) to light yellow (1): a straight line in lightness and hue of
 * Oklab (Ottosson 2020). */
struct app_colour app_colour_map(double share);
#endif
