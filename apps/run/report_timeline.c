/* The timeline: one lane a channel, one for the delivery of data, one for commits, all over the same time axis. */
#include "apps/run/report_page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    WIDTH = 1130, LEFT = 156, RIGHT = 1110, TOP = 34,
    LANE = 92, BAR = 15, ROW_PRIMARY = 8, ROW_LEASE = 27, ROW_AIR = 48, AIR_HEIGHT = 26, ROW_SENSE = 79,
    DATA_LANE = 78, COMMIT_LANE = 118, N_BINS = (RIGHT - LEFT) / 4, DELIVERY_BIN_NS = 200000000
};

struct drawing {
    FILE *page;
    const struct app_report_model *m;
};

static double to_x(const struct drawing *d, int64_t t_ns)
{
    double share = (double)t_ns / (double)d->m->duration_ns;
    return LEFT + (RIGHT - LEFT) * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static double to_s(int64_t ns)
{
    return (double)ns / 1e9;
}

/* A bar from start to end with what it is as tooltip, and written into it where it fits. */
static void put_bar(const struct drawing *d, const char *class, int64_t start_ns, int64_t end_ns, double y, double height,
                    const char *label)
{
    double x = to_x(d, start_ns), width = to_x(d, end_ns) - x;
    fprintf(d->page, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.0f\" rx=\"2\"><title>", class, x, y,
            width < 1 ? 1 : width, height);
    app_report_put_text(d->page, label);
    fprintf(d->page, ", %.3f s to %.3f s</title></rect>\n", to_s(start_ns), to_s(end_ns));
}

/* The longer text if it fits into the bar, else the shorter, else nothing. */
static void put_bar_label(const struct drawing *d, int64_t start_ns, int64_t end_ns, double y, const char *longer, const char *shorter)
{
    enum { LETTER = 7, MARGIN = 10 };
    double x = to_x(d, start_ns), width = to_x(d, end_ns) - x - MARGIN;
    if (width < LETTER * (double)strlen(shorter))
        return;
    fprintf(d->page, "<text class=\"w\" x=\"%.1f\" y=\"%.1f\" pointer-events=\"none\">", x + 5, y + BAR - 4);
    app_report_put_text(d->page, width < LETTER * (double)strlen(longer) ? shorter : longer);
    fputs("</text>\n", d->page);
}

static void put_lane_name(const struct drawing *d, double y, const char *name, const char *more)
{
    fprintf(d->page, "<text x=\"10\" y=\"%.1f\" font-weight=\"600\">", y + 20);
    app_report_put_text(d->page, name);
    fprintf(d->page, "</text><text class=\"m s\" x=\"10\" y=\"%.1f\">", y + 36);
    app_report_put_text(d->page, more);
    fputs("</text>\n", d->page);
}

static void put_axis(const struct drawing *d, double bottom)
{
    double duration_s = to_s(d->m->duration_ns), step = app_report_step(duration_s, 12);
    for (int i = 0; i * step <= duration_s * 1.0001; i++) {
        double x = LEFT + (RIGHT - LEFT) * i * step / duration_s;
        fprintf(d->page, "<line class=\"grid\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.0f\"/>", x, TOP, x, bottom);
        fprintf(d->page, "<text class=\"m s c\" x=\"%.1f\" y=\"%d\">%.12g s</text><text class=\"m s c\" x=\"%.1f\" y=\"%.0f\">%.12g s</text>\n",
                x, TOP - 8, i * step, x, bottom + 16, i * step);
    }
}

/* of air time, by kind of frame */
typedef double shares[APP_REPORT_N_KINDS];

/* The share of each bin that frames of each kind fill; returns the share of the busiest bin. */
static double fill_bins(const struct drawing *d, uint32_t channel, shares *bins)
{
    double bin_ns = (double)d->m->duration_ns / N_BINS, most = 0;
    for (size_t i = 0; i < d->m->emissions.n; i++) {
        const struct app_report_emission *e = app_report_at(&d->m->emissions, i);
        if (e->channel != channel)
            continue;
        for (int bin = (int)fmax(0, (double)e->start_ns / bin_ns); bin < N_BINS && (double)e->end_ns > bin * bin_ns; bin++)
            bins[bin][e->kind] += (fmin((double)e->end_ns, (bin + 1) * bin_ns) - fmax((double)e->start_ns, bin * bin_ns)) / bin_ns;
    }
    for (int bin = 0; bin < N_BINS; bin++) {
        double sum = 0;
        for (int kind = 0; kind < APP_REPORT_N_KINDS; kind++)
            sum += bins[bin][kind];
        most = fmax(most, sum);
    }
    return most;
}

/* Frames on air, stacked by kind; the full height is the busiest bin of the lane, whose share stands beside it. */
static void put_air(const struct drawing *d, uint32_t channel, double y)
{
    static const char *const classes[] = {"consensus", "data", "ack", "jam"};
    double bin_width = (double)(RIGHT - LEFT) / N_BINS;
    shares *bins = calloc(N_BINS, sizeof *bins);
    if (!bins)
        return;
    double most = fill_bins(d, channel, bins);
    for (int kind = 0; most > 0 && kind < APP_REPORT_N_KINDS; kind++) {
        fprintf(d->page, "<path class=\"%s\" d=\"", classes[kind]);
        for (int bin = 0; bin < N_BINS; bin++) {
            double below = 0, height = AIR_HEIGHT * bins[bin][kind] / most;
            for (int other = 0; other < kind; other++)
                below += AIR_HEIGHT * bins[bin][other] / most;
            if (height > 0.05)
                fprintf(d->page, "M%.1f %.2fh%.1fv%.2fh-%.1fz", LEFT + bin * bin_width, y + AIR_HEIGHT - below, bin_width, -height, bin_width);
        }
        fputs("\"/>\n", d->page);
    }
    if (most > 0)
        fprintf(d->page, "<text class=\"m s e\" x=\"%d\" y=\"%.1f\">%.0f %%</text>\n", LEFT - 6, y + 8, 100 * most);
    fprintf(d->page, "<line class=\"rule\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n", LEFT, y + AIR_HEIGHT, RIGHT, y + AIR_HEIGHT);
    free(bins);
}

static void put_grants(const struct drawing *d, uint32_t channel, double y)
{
    for (size_t i = 0; i < d->m->grants.n; i++) {
        const struct app_report_grant *g = app_report_at(&d->m->grants, i);
        if (g->channel != channel)
            continue;
        int64_t end_ns = g->ended_ns >= 0 ? g->ended_ns : d->m->duration_ns;
        int64_t suspended_ns = g->suspended_ns >= 0 ? g->suspended_ns : end_ns;
        int64_t authorized_ns = g->authorized_ns >= 0 ? g->authorized_ns : suspended_ns;
        char label[APP_REPORT_TEXT];
        snprintf(label, sizeof label, "grant %llu of %s: GRANTED", (unsigned long long)g->id, g->holder);
        if (authorized_ns > g->granted_ns)
            put_bar(d, "granted", g->granted_ns, authorized_ns, y, BAR, label);
        snprintf(label, sizeof label, "grant %llu of %s: AUTHORIZED", (unsigned long long)g->id, g->holder);
        if (suspended_ns > authorized_ns)
            put_bar(d, "lease", authorized_ns, suspended_ns, y, BAR, label);
        snprintf(label, sizeof label, "%s, grant %llu", g->holder, (unsigned long long)g->id);
        put_bar_label(d, authorized_ns, suspended_ns, y, label, g->holder);
        snprintf(label, sizeof label, "grant %llu of %s: suspended", (unsigned long long)g->id, g->holder);
        if (end_ns > suspended_ns)
            put_bar(d, "suspended", suspended_ns, end_ns, y, BAR, label);
    }
}

static void put_attack(const struct drawing *d, uint32_t channel, double y)
{
    for (size_t i = 0; i < d->m->jammers.n; i++) {
        const struct app_report_episode *j = app_report_at(&d->m->jammers, i);
        if (j->channel != channel)
            continue;
        char label[APP_REPORT_TEXT];
        snprintf(label, sizeof label, "%s (%s)", j->name, j->kind);
        put_bar(d, "jamband", j->start_ns, j->end_ns, y, LANE, label);
        put_bar(d, "jam", j->start_ns, j->end_ns, y + ROW_PRIMARY, BAR, label);
        put_bar_label(d, j->start_ns, j->end_ns, y + ROW_PRIMARY, label, j->name);
    }
    for (size_t i = 0; i < d->m->verdicts.n; i++) {
        const struct app_report_verdict *v = app_report_at(&d->m->verdicts, i);
        if (v->channel != channel)
            continue;
        fprintf(d->page, "<path class=\"consensus\" d=\"M%.1f %.1fl6 7l-6 7l-6 -7z\"><title>", to_x(d, v->t_ns), y + ROW_LEASE + 1);
        app_report_put_text(d->page, v->station);
        fputs(" says ", d->page);
        app_report_put_text(d->page, v->kind);
        fprintf(d->page, " at %.3f s</title></path>\n", to_s(v->t_ns));
    }
}

static void put_windows(const struct drawing *d, uint32_t channel, double y)
{
    for (size_t i = 0; i < d->m->windows.n; i++) {
        const struct app_report_window *w = app_report_at(&d->m->windows, i);
        if (w->channel == channel)
            fprintf(d->page, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"3\" height=\"6\"/>", w->occupied ? "primary" : "free",
                    to_x(d, w->t_ns) - 1.5, y);
    }
    fputs("\n", d->page);
}

static bool has_hop_set(const struct app_report_model *m)
{
    for (uint32_t i = 0; i < m->n_channels; i++)
        if (m->channels[i].hop)
            return true;
    return false;
}

/* What a channel is to stations that hop. */
static void put_role(const struct drawing *d, uint32_t channel, double y)
{
    if (d->m->channels[channel].hop)
        fprintf(d->page, "<rect class=\"hop\" x=\"0\" y=\"%.1f\" width=\"4\" height=\"%d\"><title>of the hop set</title></rect>"
                         "<text class=\"s hop\" x=\"10\" y=\"%.1f\">hop set</text>\n",
                y, LANE, y + 66);
    else if (d->m->channels[channel].control && has_hop_set(d->m))
        fprintf(d->page, "<text class=\"s hop\" x=\"10\" y=\"%.1f\">rendezvous</text>\n", y + 66);
}

static void put_channel(const struct drawing *d, uint32_t channel, double y)
{
    char name[APP_REPORT_TEXT], range[APP_REPORT_TEXT];
    const char *own = app_report_channel_name(d->m, channel);
    snprintf(name, sizeof name, "%s%s", strcmp(own, "control") == 0 ? "" : "channel ", own);
    snprintf(range, sizeof range, "%.12g\u2013%.12g MHz", d->m->channels[channel].low_hz / 1e6, d->m->channels[channel].high_hz / 1e6);
    put_lane_name(d, y, name, range);
    if (d->m->channels[channel].control || d->m->channels[channel].hop)
        fprintf(d->page, "<text class=\"m s\" x=\"10\" y=\"%.1f\">never leased</text>\n", y + 51);
    put_role(d, channel, y);
    put_attack(d, channel, y);
    for (size_t i = 0; i < d->m->primaries.n; i++) {
        const struct app_report_episode *p = app_report_at(&d->m->primaries, i);
        if (p->channel != channel)
            continue;
        put_bar(d, "primary", p->start_ns, p->end_ns, y + ROW_PRIMARY, BAR, p->name);
        put_bar_label(d, p->start_ns, p->end_ns, y + ROW_PRIMARY, p->name, p->name);
    }
    put_grants(d, channel, y + ROW_LEASE);
    put_air(d, channel, y + ROW_AIR);
    put_windows(d, channel, y + ROW_SENSE);
}

static void put_delivery(const struct drawing *d, double y)
{
    size_t n_bins = (size_t)((d->m->duration_ns + DELIVERY_BIN_NS - 1) / DELIVERY_BIN_NS);
    unsigned(*counts)[2] = calloc(n_bins, sizeof *counts), most = 1, n_sent = 0, n_received = 0;
    if (!counts)
        return;
    for (size_t i = 0; i < d->m->messages.n; i++) {
        const struct app_report_message *msg = app_report_at(&d->m->messages, i);
        size_t bin = (size_t)(msg->t_ns / DELIVERY_BIN_NS);
        if (msg->step == APP_REPORT_ACKED || bin >= n_bins)
            continue;
        counts[bin][msg->step == APP_REPORT_RECEIVED]++;
        n_sent += msg->step == APP_REPORT_SENT;
        n_received += msg->step == APP_REPORT_RECEIVED;
        for (int which = 0; which < 2; which++)
            most = counts[bin][which] > most ? counts[bin][which] : most;
    }
    char total[APP_REPORT_TEXT];
    snprintf(total, sizeof total, "%u of %u arrived", n_received, n_sent);
    put_lane_name(d, y, "data", total);
    fprintf(d->page, "<text class=\"m s\" x=\"10\" y=\"%.1f\">messages a 200 ms</text>\n", y + 51);
    double base = y + DATA_LANE - 8, full = DATA_LANE - 22, width = to_x(d, DELIVERY_BIN_NS) - LEFT;
    for (size_t bin = 0; bin < n_bins; bin++) {
        double x = to_x(d, (int64_t)bin * DELIVERY_BIN_NS) + 1, sent = full * counts[bin][0] / most, received = full * counts[bin][1] / most;
        if (counts[bin][0] + counts[bin][1] == 0)
            continue;
        fprintf(d->page,
                "<rect class=\"data\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%u received</title></rect>"
                "<rect class=\"sent\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%u sent, %u received</title></rect>\n",
                x, base - received, width - 2, received, counts[bin][1], x, base - sent, width - 2, sent, counts[bin][0], counts[bin][1]);
    }
    fprintf(d->page, "<text class=\"m s e\" x=\"%d\" y=\"%.1f\">%u</text><line class=\"rule\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/>\n",
            LEFT - 6, base - full + 4, most, LEFT, base, RIGHT, base);
    free(counts);
}

/* Latency over time on a logarithmic axis from 1 ms to what is needed. */
static void put_commits(const struct drawing *d, double y)
{
    char total[APP_REPORT_TEXT];
    double slowest_ms = 100;
    for (size_t i = 0; i < d->m->commits.n; i++) {
        const struct app_report_commit *c = app_report_at(&d->m->commits, i);
        slowest_ms = fmax(slowest_ms, (double)c->latency_us / 1e3);
    }
    double decades = ceil(log10(slowest_ms) - 1e-9), base = y + COMMIT_LANE - 20, height = COMMIT_LANE - 34;
    snprintf(total, sizeof total, "%zu blocks", d->m->commits.n);
    put_lane_name(d, y, "commits", total);
    fprintf(d->page, "<text class=\"m s\" x=\"10\" y=\"%.1f\">proposal to last</text><text class=\"m s\" x=\"10\" y=\"%.1f\">replica, ms</text>\n",
            y + 51, y + 65);
    for (int decade = 0; decade <= (int)decades; decade++) {
        double line_y = base - height * decade / decades;
        fprintf(d->page, "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text class=\"m s e\" x=\"%d\" y=\"%.1f\">%.0f</text>\n",
                LEFT, line_y, RIGHT, line_y, LEFT - 6, line_y + 4, pow(10, decade));
    }
    for (size_t i = 0; i < d->m->commits.n; i++) {
        const struct app_report_commit *c = app_report_at(&d->m->commits, i);
        double ms = (double)c->latency_us / 1e3, x = to_x(d, c->t_ns);
        fprintf(d->page, "<line class=\"rule\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x, base + 4, x, base + 12);
        if (c->latency_us > 0)
            fprintf(d->page, "<circle class=\"consensus\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>block %llu: %.2f ms</title></circle>", x,
                    base - height * fmax(0, log10(ms)) / decades, (unsigned long long)c->height, ms);
    }
    fputs("\n", d->page);
}

/* Dashed lines through all lanes where something happened to the stations. */
static void put_guides(const struct drawing *d, double bottom)
{
    const struct app_report_list *lists[] = {&d->m->primaries, &d->m->jammers};
    for (size_t which = 0; which < 2; which++)
        for (size_t i = 0; i < lists[which]->n; i++) {
            const struct app_report_episode *e = app_report_at(lists[which], i);
            int64_t times_ns[] = {e->start_ns, e->end_ns};
            for (size_t k = 0; k < 2; k++)
                if (times_ns[k] > 0 && times_ns[k] < d->m->duration_ns)
                    fprintf(d->page, "<line class=\"guide\" x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%.0f\"/>\n", to_x(d, times_ns[k]), TOP,
                            to_x(d, times_ns[k]), bottom);
        }
}

static void put_legend(FILE *page, bool hops)
{
    static const struct {
        const char *shape, *text;
    } entries[] = {
        {"<rect class=\"primary\" width=\"18\" height=\"11\" rx=\"2\"/>", "primary user"},
        {"<rect class=\"granted\" width=\"18\" height=\"11\" rx=\"2\"/>", "lease GRANTED"},
        {"<rect class=\"lease\" width=\"18\" height=\"11\" rx=\"2\"/>", "AUTHORIZED"},
        {"<rect class=\"suspended\" x=\".5\" y=\".5\" width=\"17\" height=\"10\" rx=\"2\"/>", "suspended"},
        {"<rect class=\"consensus\" width=\"18\" height=\"11\"/>", "consensus frames, share of air time"},
        {"<rect class=\"data\" width=\"18\" height=\"11\"/>", "data"},
        {"<rect class=\"ack\" width=\"18\" height=\"11\"/>", "acknowledgements"},
        {"<rect class=\"jam\" width=\"18\" height=\"11\" rx=\"2\"/>", "jammer: armed, and its bursts"},
        {"<path class=\"consensus\" d=\"M9 -1l6 6.5l-6 6.5l-6 -6.5z\"/>", "jam verdict of a station"},
        {"<rect class=\"primary\" x=\"3\" y=\"2\" width=\"4\" height=\"7\"/><rect class=\"free\" x=\"11\" y=\"2\" width=\"4\" height=\"7\"/>",
         "quiet window on the ledger: occupied, free"},
        {"<rect class=\"sent\" x=\".5\" y=\".5\" width=\"17\" height=\"10\"/>", "data sent"},
    };
    fputs("<div class=\"legend\">", page);
    for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++)
        fprintf(page, "<span><svg width=\"18\" height=\"11\" overflow=\"visible\">%s</svg>%s</span>", entries[i].shape, entries[i].text);
    if (hops)
        fputs("<span><svg width=\"18\" height=\"11\"><rect class=\"hop\" width=\"4\" height=\"11\"/></svg>channel of the hop set, over which the "
              "control channel moves</span>",
              page);
    fputs("</div>\n", page);
}

void app_report_put_timeline(FILE *page, const struct app_report_model *m)
{
    struct drawing d = {.page = page, .m = m};
    double bottom = TOP + (double)m->n_channels * LANE + DATA_LANE + COMMIT_LANE;
    fputs("<h2>Timeline</h2>\n", page);
    put_legend(page, has_hop_set(m));
    fprintf(page,
            "<div class=\"scroll\"><svg class=\"chart\" viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"timeline of the run\">"
            "<defs><pattern id=\"stripes\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">"
            "<line class=\"stripe\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" stroke-width=\"4\"/></pattern></defs>\n",
            WIDTH, bottom + 26);
    put_axis(&d, bottom);
    double y = TOP;
    for (uint32_t i = 0; i < m->n_channels + 2; i++) {
        fprintf(page, "<line class=\"rule\" x1=\"0\" y1=\"%.0f\" x2=\"%d\" y2=\"%.0f\"/>\n", y, WIDTH, y);
        if (i < m->n_channels)
            put_channel(&d, i, y);
        else if (i == m->n_channels)
            put_delivery(&d, y);
        else
            put_commits(&d, y);
        y += i < m->n_channels ? LANE : i == m->n_channels ? DATA_LANE : 0;
    }
    fprintf(page, "<line class=\"rule\" x1=\"0\" y1=\"%.0f\" x2=\"%d\" y2=\"%.0f\"/>\n", bottom, WIDTH, bottom);
    put_guides(&d, bottom);
    fputs("</svg></div>\n", page);
}
