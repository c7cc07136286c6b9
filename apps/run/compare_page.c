/* The comparison of access methods as a page: utilisation over the cycle of a lease, and what a cycle is made of. */
#include "apps/run/compare_access.h"
#include "apps/run/report_page.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1000, LEFT = 60, RIGHT = 860, TOP = 24, BOTTOM = 330, BAR_LEFT = 110, BAR_RIGHT = 700, BAR_STEP = 30, BAR = 16 };

struct comparison {
    FILE *page;
    const struct app_access_row *rows;
    int n_rows;
    double low, high; /* decades of seconds that the axis spans */
};

static double cycle_s(const struct app_access_row *r)
{
    return r->tenure_s + r->gap_s;
}

static bool is_drawn(const struct app_access_row *r)
{
    return r->lease_ns > 0 && cycle_s(r) > 0 && isfinite(cycle_s(r)) && isfinite(r->utilisation);
}

static double to_x(const struct comparison *c, double s)
{
    return LEFT + (RIGHT - LEFT) * (log10(s) - c->low) / (c->high - c->low);
}

static double to_y(double utilisation)
{
    return BOTTOM - (BOTTOM - TOP) * utilisation;
}

static void find_span(struct comparison *c)
{
    double least = INFINITY, most = 0;
    for (int i = 0; i < c->n_rows; i++)
        if (is_drawn(&c->rows[i])) {
            least = fmin(least, cycle_s(&c->rows[i]));
            most = fmax(most, cycle_s(&c->rows[i]));
        }
    c->low = most > 0 ? floor(log10(least)) : -1;
    c->high = most > 0 ? fmax(ceil(log10(most)), c->low + 1) : 1;
}

static void put_axes(const struct comparison *c)
{
    for (int percent = 0; percent <= 100; percent += 20)
        fprintf(c->page, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text class=\"m s e\" x=\"%d\" y=\"%.1f\">%d %%</text>\n",
                LEFT, to_y(percent / 100.0), RIGHT, to_y(percent / 100.0), LEFT - 6, to_y(percent / 100.0) + 4, percent);
    for (int decade = (int)c->low; decade <= (int)c->high; decade++) {
        double x = to_x(c, pow(10, decade));
        fprintf(c->page, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"/><text class=\"m s c\" x=\"%.1f\" y=\"%d\">%.12g s</text>\n", x,
                TOP, x, BOTTOM, x, BOTTOM + 16, pow(10, decade));
    }
    fprintf(c->page, "<text class=\"m s c\" x=\"%d\" y=\"%d\">a lease's cycle, tenure and A together (logarithmic)</text>\n", (LEFT + RIGHT) / 2,
            BOTTOM + 34);
}

static void put_curves(const struct comparison *c, const struct app_access_break_even *pays, int n_pays)
{
    const char *verb = "M";
    fputs("<path class=\"curve\" d=\"", c->page);
    for (int i = 0; i < c->n_rows; i++)
        if (is_drawn(&c->rows[i])) {
            fprintf(c->page, "%s%.1f %.1f", verb, to_x(c, cycle_s(&c->rows[i])), to_y(c->rows[i].utilisation));
            verb = "L";
        }
    fputs("\"/>\n", c->page);
    for (int i = 0; i < c->n_rows; i++) {
        const struct app_access_row *r = &c->rows[i];
        if (is_drawn(r))
            fprintf(c->page, "<circle class=\"consensus\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>leases of %.12g s: %.1f %%</title></circle>\n",
                    to_x(c, cycle_s(r)), to_y(r->utilisation), (double)r->lease_ns / 1e9, 100 * r->utilisation);
        else if (r->lease_ns == 0)
            fprintf(c->page, "<line class=\"guide\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\">%s %.1f %%</text>\n", LEFT,
                    to_y(r->utilisation), RIGHT, to_y(r->utilisation), RIGHT + 6, to_y(r->utilisation) + 4, r->access, 100 * r->utilisation);
    }
    for (int i = 0; i < n_pays; i++)
        if (isfinite(pays[i].measured_s)) {
            double x = to_x(c, pays[i].measured_s);
            fprintf(c->page, "<line class=\"mark\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\"><title>carries as much as %s from %.3f s</title></line>\n", x,
                    TOP, x, BOTTOM, pays[i].against, pays[i].measured_s);
        }
}

static void put_chart(const struct comparison *c, const struct app_access_break_even *pays, int n_pays)
{
    fprintf(c->page, "<h2>Utilisation</h2>\n<p class=\"note\">Acknowledged payload at the data rate, share of the time: leases of the ledger, measured "
                     "(dots), beside the methods that contend. From a red line on leases carry as much as one of these.</p>\n<div class=\"scroll\">"
                     "<svg class=\"chart\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"utilisation by access method\">\n",
            WIDTH, BOTTOM + 44);
    put_axes(c);
    put_curves(c, pays, n_pays);
    fputs("</svg></div>\n", c->page);
}

/* Of each lease's gap, the parts as a bar. */
static void put_parts(const struct comparison *c)
{
    double most = 0;
    int n = 0;
    for (int i = 0; i < c->n_rows; i++)
        if (is_drawn(&c->rows[i]) && isfinite(c->rows[i].end_s)) {
            most = fmax(most, c->rows[i].gap_s);
            n++;
        }
    if (most <= 0)
        return;
    fprintf(c->page, "<h2>What A is made of</h2>\n<div class=\"legend\"><span><svg width=\"18\" height=\"11\"><rect class=\"free\" width=\"18\" "
                     "height=\"11\"/></svg>last emission until a block ends the lease</span><span><svg width=\"18\" height=\"11\"><rect class=\"granted\" "
                     "width=\"18\" height=\"11\"/></svg>until the next one is granted</span><span><svg width=\"18\" height=\"11\"><rect class=\"lease\" "
                     "width=\"18\" height=\"11\"/></svg>until it is AUTHORIZED</span></div>\n<div class=\"scroll\"><svg class=\"chart\" "
                     "viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"parts of the time between leases\">\n",
            WIDTH, n * BAR_STEP + 20);
    double y = 12;
    for (int i = 0; i < c->n_rows; i++) {
        const struct app_access_row *r = &c->rows[i];
        const double parts_s[] = {r->end_s, r->ask_s, r->begin_s};
        static const char *const classes[] = {"free", "granted", "lease"};
        if (!is_drawn(r) || !isfinite(r->end_s))
            continue;
        double x = BAR_LEFT, scale = (BAR_RIGHT - BAR_LEFT) / most;
        fprintf(c->page, "<text class=\"e\" x=\"%d\" y=\"%.1f\">lease %.12g s</text>", BAR_LEFT - 8, y + BAR - 4, (double)r->lease_ns / 1e9);
        for (int k = 0; k < 3; k++) {
            double width = fmax(0, scale * parts_s[k]);
            fprintf(c->page, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\"/>", classes[k], x, y, width, BAR);
            x += width;
        }
        fprintf(c->page, "<text class=\"m\" x=\"%.1f\" y=\"%.1f\">%.0f ms = %.0f + %.0f + %.0f</text>\n", x + 8, y + BAR - 4, 1e3 * r->gap_s, 1e3 * r->end_s,
                1e3 * r->ask_s, 1e3 * r->begin_s);
        y += BAR_STEP;
    }
    fputs("</svg></div>\n", c->page);
}

static void put_number(FILE *page, int decimals, double x)
{
    if (isfinite(x))
        fprintf(page, "<td class=\"n\">%.*f</td>", decimals, x);
    else
        fputs("<td class=\"n\">-</td>", page);
}

static void put_rows(const struct comparison *c, const char *folder)
{
    const char *slash = strrchr(folder, '/'), *last = slash ? slash + 1 : folder; /* the page stands beside the run folders */
    fputs("<h2>Rows</h2>\n<div class=\"scroll\"><table><tr><th>access</th><th class=\"n\">utilisation</th><th class=\"n\">p50, ms</th>"
          "<th class=\"n\">p99, ms</th><th class=\"n\">Jain's index</th><th class=\"n\">tenure, s</th><th class=\"n\">A, s</th>"
          "<th class=\"n\">occupancy</th></tr>\n",
          c->page);
    for (int i = 0; i < c->n_rows; i++) {
        const struct app_access_row *r = &c->rows[i];
        if (r->lease_ns) {
            fputs("<tr><td><a href=\"", c->page);
            app_report_put_text(c->page, last);
            fprintf(c->page, "-lease-%dms/report.html\">lease %.12g s</a></td>", (int)(r->lease_ns / 1000000), (double)r->lease_ns / 1e9);
        } else {
            fprintf(c->page, "<tr><td>%s</td>", r->access);
        }
        put_number(c->page, 4, r->utilisation);
        put_number(c->page, 3, r->p50_ms);
        put_number(c->page, 3, r->p99_ms);
        put_number(c->page, 3, r->jain);
        put_number(c->page, 3, r->lease_ns ? r->tenure_s : NAN);
        put_number(c->page, 4, r->lease_ns ? r->gap_s : NAN);
        put_number(c->page, 4, r->lease_ns ? r->occupancy : NAN);
        fputs("</tr>\n", c->page);
    }
    fputs("</table></div>\n", c->page);
}

static void put_pays(FILE *page, const struct app_access_break_even *pays, int n_pays)
{
    fputs("<h2>A lease pays from</h2>\n<p class=\"note\">Cycles in seconds; the identity is A / (1 - U / occupancy), with A and occupancy as they are "
          "there, and with the mean A of all leases and the longest one's occupancy. A is no constant: below stands what it is made of.</p>\n"
          "<div class=\"scroll\"><table><tr><th>against</th><th class=\"n\">measured</th><th class=\"n\">identity, A and occupancy there</th>"
          "<th class=\"n\">A there</th><th class=\"n\">occupancy there</th><th class=\"n\">identity of means</th></tr>\n",
          page);
    for (int i = 0; i < n_pays; i++) {
        fprintf(page, "<tr><td>%s</td>", pays[i].against);
        put_number(page, 3, pays[i].measured_s);
        put_number(page, 3, pays[i].identity_s);
        put_number(page, 3, pays[i].gap_s);
        put_number(page, 3, pays[i].occupancy);
        put_number(page, 3, pays[i].of_means_s);
        fputs("</tr>\n", page);
    }
    fputs("</table></div>\n", page);
}

int app_compare_write_page(const char *path, const char *folder, const struct app_scenario *s, const struct app_access_row *rows, int n_rows,
                           const struct app_access_break_even *pays, int n_pays)
{
    struct comparison c = {.page = fopen(path, "wb"), .rows = rows, .n_rows = n_rows};
    struct app_report_model *head = calloc(1, sizeof *head);
    if (!c.page || !head) {
        int err = c.page ? -ENOMEM : -errno;
        if (c.page)
            fclose(c.page);
        free(head);
        return err;
    }
    snprintf(head->scenario, sizeof head->scenario, "%.39s", s->name);
    snprintf(head->version, sizeof head->version, "%s", AIRDEED_VERSION);
    snprintf(head->consensus, sizeof head->consensus, "%s", s->consensus);
    head->seed = (int64_t)s->seed;
    head->duration_ns = s->duration_ns;
    head->n_channels = s->n_channels;
    head->n_stations = s->n_stations;
    find_span(&c);
    app_report_put_head(c.page, head);
    put_chart(&c, pays, n_pays);
    put_rows(&c, folder);
    put_pays(c.page, pays, n_pays);
    put_parts(&c);
    fputs("</main></body></html>\n", c.page);
    free(head);
    errno = 0;
    int err = ferror(c.page) ? -EIO : 0;
    if (fclose(c.page) != 0 || err)
        err = errno ? -errno : -EIO;
    return err;
}
