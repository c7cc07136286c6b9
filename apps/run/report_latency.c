/* Commit latency: the share of commits that took at most so long, on a logarithmic axis. */
#include "apps/run/report_page.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 760, LEFT = 54, RIGHT = 736, TOP = 42, BOTTOM = 252 };

struct curve {
    FILE *page;
    const int64_t *us; /* rising */
    size_t n;
    double low, high; /* decades of ms that the axis spans */
};

static int compare_us(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static double to_x(const struct curve *c, double ms)
{
    return LEFT + (RIGHT - LEFT) * (log10(ms) - c->low) / (c->high - c->low);
}

static double to_y(double share)
{
    return BOTTOM - (BOTTOM - TOP) * share;
}

/* Nearest rank. */
static double quantile_ms(const struct curve *c, double share)
{
    size_t rank = (size_t)ceil(share * (double)c->n);
    return (double)c->us[rank ? rank - 1 : 0] / 1e3;
}

static void put_axes(const struct curve *c)
{
    for (int percent = 0; percent <= 100; percent += 25)
        fprintf(c->page, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text class=\"m s e\" x=\"%d\" y=\"%.1f\">%d %%</text>\n",
                LEFT, to_y(percent / 100.0), RIGHT, to_y(percent / 100.0), LEFT - 6, to_y(percent / 100.0) + 4, percent);
    static const int steps[] = {1, 2, 5};
    for (int decade = (int)c->low; decade <= (int)c->high; decade++)
        for (size_t i = 0; i < 3; i++) {
            double ms = steps[i] * pow(10, decade), x = to_x(c, ms);
            if (x > RIGHT + 0.5)
                continue;
            fprintf(c->page, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text class=\"m s c\" x=\"%.1f\" y=\"%d\">%.12g</text>\n",
                    x, TOP, x, BOTTOM, x, BOTTOM + 16, ms);
        }
    fprintf(c->page, "<text class=\"m s c\" x=\"%d\" y=\"%d\">ms from proposal to the last replica (logarithmic)</text>\n", (LEFT + RIGHT) / 2,
            BOTTOM + 34);
}

static void put_curve(const struct curve *c)
{
    fprintf(c->page, "<path class=\"curve\" d=\"M%.1f %.1f", to_x(c, (double)c->us[0] / 1e3), to_y(0));
    for (size_t i = 0; i < c->n; i++)
        fprintf(c->page, "H%.1fV%.1f", to_x(c, (double)c->us[i] / 1e3), to_y((double)(i + 1) / (double)c->n));
    fprintf(c->page, "H%d\"/>\n", RIGHT);
}

/* The label stands on the side of the line that has room. */
static void put_quantile(const struct curve *c, double share, const char *name, int label_y)
{
    double ms = quantile_ms(c, share), x = to_x(c, ms);
    bool left = x > (LEFT + RIGHT) / 2.0;
    fprintf(c->page, "<line class=\"mark\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text class=\"%s\" x=\"%.1f\" y=\"%d\">%s %.1f ms</text>\n", x,
            label_y - 11, x, BOTTOM, left ? "e" : "", x + (left ? -6 : 6), label_y, name, ms);
}

void app_report_put_latency(FILE *page, const struct app_report_model *m)
{
    int64_t *us = malloc((m->commits.n + 1) * sizeof *us);
    struct curve c = {.page = page, .us = us};
    if (!us)
        return;
    for (size_t i = 0; i < m->commits.n; i++) {
        const struct app_report_commit *commit = app_report_at(&m->commits, i);
        if (commit->latency_us > 0)
            us[c.n++] = commit->latency_us;
    }
    if (c.n) {
        qsort(us, c.n, sizeof *us, compare_us);
        c.low = floor(log10((double)us[0] / 1e3));
        c.high = log10((double)us[c.n - 1] / 1e3) + 0.05;
        if (c.high < c.low + 1)
            c.high = c.low + 1;
        fprintf(page, "<h2>Commit latency</h2>\n<p class=\"note\">Share of %zu commits that took at most so long.</p>\n<div class=\"scroll\">"
                      "<svg class=\"chart small\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"distribution of commit latency\">\n",
                c.n, WIDTH, BOTTOM + 44);
        put_axes(&c);
        put_curve(&c);
        put_quantile(&c, 0.5, "p50", 15);
        put_quantile(&c, 0.99, "p99", 31);
        fputs("</svg></div>\n", page);
    }
    free(us);
}
