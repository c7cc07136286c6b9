/* Tiles, tables and the latency curve of the report. */
#include "apps/run/report_page.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static void put_seconds(FILE *page, int64_t t_ns)
{
    if (t_ns < 0)
        fputs("<td class=\"n\">\u2013</td>", page);
    else
        fprintf(page, "<td class=\"n\">%.3f s</td>", (double)t_ns / 1e9);
}

static void put_text_cell(FILE *page, const char *text)
{
    fputs("<td>", page);
    app_report_put_text(page, text);
    fputs("</td>", page);
}

/* --- tiles --- */

__attribute__((format(printf, 4, 5))) static void put_tile(FILE *page, const char *class, const char *label, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fprintf(page, "<div class=\"tile %s\"><b>", class);
    vfprintf(page, format, args);
    fprintf(page, "</b><span>%s</span></div>\n", label);
    va_end(args);
}

static void put_share_tile(FILE *page, const struct app_report_model *m)
{
    size_t n_sent = 0, n_received = 0;
    for (size_t i = 0; i < m->messages.n; i++) {
        const struct app_report_message *msg = app_report_at(&m->messages, i);
        n_sent += msg->step == APP_REPORT_SENT;
        n_received += msg->step == APP_REPORT_RECEIVED;
    }
    if (n_sent)
        put_tile(page, "", "of the data messages sent arrived", "%.1f %%", 100.0 * (double)n_received / (double)n_sent);
}

static void put_jam_tile(FILE *page, const struct app_report_model *m)
{
    double episodes = app_report_number(m, "jam.episodes"), missed = app_report_number(m, "jam.missed"),
           wrong = app_report_number(m, "jam.false");
    if (isnan(episodes) || isnan(missed))
        return;
    bool good = missed == 0 && !(wrong > 0);
    put_tile(page, good ? "good" : "bad", "jam episodes recognised", "%.0f of %.0f", episodes - missed, episodes);
    if (wrong > 0)
        put_tile(page, "bad", "jam verdicts without a jammer", "%.0f", wrong);
}

void app_report_put_tiles(FILE *page, const struct app_report_model *m)
{
    fputs("<div class=\"tiles\">\n", page);
    const json_t *equal = app_report_value(m, "agreement.all_equal");
    double height = app_report_number(m, "agreement.height");
    if (equal && !isnan(height))
        put_tile(page, json_is_true(equal) ? "good" : "bad", json_is_true(equal) ? "height at which all ledgers are the same" : "height; the ledgers differ",
                 "%.0f", height);
    double p50_ms = app_report_number(m, "commits.p50_ms"), p99_ms = app_report_number(m, "commits.p99_ms");
    if (!isnan(p50_ms) && !isnan(p99_ms))
        put_tile(page, "", "commit latency, median / p99", "%.1f / %.0f ms", p50_ms, p99_ms);
    double over = app_report_number(m, "commits.over_shortest");
    if (!isnan(over))
        put_tile(page, "", "median commit over the shortest possible", "%.1f \u00d7", over);
    put_share_tile(page, m);
    double outside = app_report_number(m, "transmissions_without_lease");
    if (!isnan(outside))
        put_tile(page, outside == 0 ? "good" : "bad", "transmissions without a lease", "%.0f", outside);
    double granted = app_report_number(m, "leases.granted"), suspended = app_report_number(m, "leases.suspended");
    if (!isnan(granted) && !isnan(suspended))
        put_tile(page, "", "leases granted / suspended", "%.0f / %.0f", granted, suspended);
    double vacate_ms = app_report_number(m, "leases.vacate_ms_max");
    if (!isnan(vacate_ms))
        put_tile(page, "", "to vacate a channel, at most", "%.0f ms", vacate_ms);
    put_jam_tile(page, m);
    fputs("</div>\n", page);
}

/* --- tables --- */

void app_report_put_story(FILE *page, const struct app_report_model *m)
{
    if (m->story.n == 0)
        return;
    fputs("<h2>What happened</h2>\n<div class=\"scroll tall\"><table><tr><th class=\"n\">time</th><th>says</th><th>what</th></tr>\n", page);
    for (size_t i = 0; i < m->story.n; i++) {
        const struct app_report_line *line = app_report_at(&m->story, i);
        fprintf(page, "<tr class=\"%s\">", line->tone);
        put_seconds(page, line->t_ns);
        fputs("<td class=\"who\">", page);
        app_report_put_text(page, line->who);
        fputs("</td><td class=\"wide\">", page);
        app_report_put_text(page, line->text);
        if (line->n > 1)
            fprintf(page, ", %u times", line->n);
        fputs("</td></tr>\n", page);
    }
    fputs("</table></div>\n", page);
}

void app_report_put_leases(FILE *page, const struct app_report_model *m)
{
    fputs("<h2>Leases</h2>\n", page);
    if (m->grants.n == 0) {
        fputs("<p class=\"note\">No lease was granted.</p>\n", page);
        return;
    }
    fputs("<div class=\"scroll\"><table><tr><th class=\"n\">grant</th><th>holder</th><th>channel</th><th class=\"n\">GRANTED</th>"
          "<th class=\"n\">AUTHORIZED</th><th class=\"n\">suspended</th><th class=\"n\">ended</th><th>how</th><th class=\"n\">heartbeats</th></tr>\n",
          page);
    for (size_t i = 0; i < m->grants.n; i++) {
        const struct app_report_grant *g = app_report_at(&m->grants, i);
        fprintf(page, "<tr><td class=\"n\">%" PRIu64 "</td>", g->id);
        put_text_cell(page, g->holder);
        put_text_cell(page, app_report_channel_name(m, g->channel));
        put_seconds(page, g->granted_ns);
        put_seconds(page, g->authorized_ns);
        put_seconds(page, g->suspended_ns);
        put_seconds(page, g->ended_ns);
        put_text_cell(page, *g->end_reason ? g->end_reason : g->suspended_ns >= 0 ? "suspended" : "held to the end");
        fprintf(page, "<td class=\"n\">%u</td></tr>\n", g->n_heartbeats);
    }
    fputs("</table></div>\n", page);
}

static void put_episode(FILE *page, const struct app_report_model *m, const struct app_report_episode *j)
{
    size_t n = 0;
    const struct app_report_verdict *first = NULL;
    for (size_t i = 0; i < m->verdicts.n; i++) {
        const struct app_report_verdict *v = app_report_at(&m->verdicts, i);
        if (app_report_matches(v, j)) {
            n++;
            first = first && first->t_ns <= v->t_ns ? first : v;
        }
    }
    fputs("<tr>", page);
    put_text_cell(page, j->name);
    put_text_cell(page, j->kind);
    put_text_cell(page, app_report_channel_name(m, j->channel));
    put_seconds(page, j->start_ns);
    put_seconds(page, j->end_ns);
    if (first) {
        fprintf(page, "<td class=\"good\">%s, by ", "recognised");
        app_report_put_text(page, first->station);
        fputs(" first</td>", page);
        if (j->first_hit_ns < 0)
            fputs("<td class=\"n\">\u2013</td>", page);
        else
            fprintf(page, "<td class=\"n\">%.0f ms</td>", (double)(first->t_ns - j->first_hit_ns) / 1e6);
        fprintf(page, "<td class=\"n\">%.1f %%</td><td class=\"n\">%zu</td></tr>\n", (double)first->confidence_permille / 10, n);
    } else {
        fputs("<td class=\"bad\">missed</td><td class=\"n\">\u2013</td><td class=\"n\">\u2013</td><td class=\"n\">0</td></tr>\n", page);
    }
}

static bool is_matched(const struct app_report_model *m, const struct app_report_verdict *v)
{
    for (size_t i = 0; i < m->jammers.n; i++)
        if (app_report_matches(v, app_report_at(&m->jammers, i)))
            return true;
    return false;
}

void app_report_put_jamming(FILE *page, const struct app_report_model *m)
{
    fputs("<h2>Jam verdicts against what the jammers did</h2>\n", page);
    if (m->jammers.n + m->verdicts.n == 0) {
        fputs("<p class=\"note\">Nobody jammed, and nobody said so.</p>\n", page);
        return;
    }
    fputs("<div class=\"scroll\"><table><tr><th>jammer</th><th>kind</th><th>channel</th><th class=\"n\">from</th><th class=\"n\">to</th>"
          "<th>the stations</th><th class=\"n\" title=\"from the first burst that met a frame\">after</th><th class=\"n\">confidence</th><th class=\"n\">verdicts</th></tr>\n",
          page);
    for (size_t i = 0; i < m->jammers.n; i++)
        put_episode(page, m, app_report_at(&m->jammers, i));
    for (size_t i = 0; i < m->verdicts.n; i++) {
        const struct app_report_verdict *v = app_report_at(&m->verdicts, i);
        if (is_matched(m, v))
            continue;
        fputs("<tr><td>nobody</td>", page);
        put_text_cell(page, v->kind);
        put_text_cell(page, app_report_channel_name(m, v->channel));
        put_seconds(page, v->t_ns);
        fputs("<td class=\"n\">\u2013</td><td class=\"bad\">false verdict of ", page);
        app_report_put_text(page, v->station);
        fprintf(page, "</td><td class=\"n\">\u2013</td><td class=\"n\">%.1f %%</td><td class=\"n\">1</td></tr>\n", (double)v->confidence_permille / 10);
    }
    fputs("</table></div>\n", page);
    double during = app_report_number(m, "jam.delivery_during");
    if (!isnan(during))
        fprintf(page, "<p class=\"note\">While a jammer was armed, %.1f %% of (frame, receiver) pairs on its channel arrived intact.</p>\n", 100 * during);
}

/* Enough of a hash to tell it from others. */
static void put_start(FILE *page, const char *hash)
{
    enum { N_SHOWN = 24 };
    char start[N_SHOWN + 1];
    snprintf(start, sizeof start, "%s", hash);
    app_report_put_text(page, start);
    if (strlen(hash) > N_SHOWN)
        fputs("\u2026", page);
}

void app_report_put_agreement(FILE *page, const struct app_report_model *m)
{
    fputs("<h2>Agreement</h2>\n<div class=\"scroll\"><table><tr><th>ledger</th><th class=\"n\">height</th><th>hash of its last block</th>"
          "<th>state root</th></tr>\n",
          page);
    const char *common = json_string_value(app_report_value(m, "agreement.state_root"));
    bool all_equal = json_is_true(app_report_value(m, "agreement.all_equal"));
    const json_t *ledgers = app_report_value(m, "agreement.ledgers");
    for (uint32_t i = 0; i < m->n_stations; i++) {
        const char *root = json_string_value(json_object_get(json_object_get(ledgers, m->stations[i]), "state_root"));
        if (!root && all_equal)
            root = common;
        fputs("<tr>", page);
        put_text_cell(page, m->stations[i]);
        fprintf(page, "<td class=\"n\">%" PRIu64 "</td><td title=\"", m->ledgers[i].height);
        app_report_put_text(page, m->ledgers[i].hash);
        fputs("\"><code>", page);
        put_start(page, m->ledgers[i].hash);
        fprintf(page, "</code></td><td class=\"%s\"><code>", root && common && strcmp(root, common) == 0 ? "good" : "bad");
        app_report_put_text(page, root ? root : "\u2013");
        fputs("</code></td></tr>\n", page);
    }
    fputs("</table></div>\n", page);
}

static void put_number_rows(FILE *page, const json_t *value, const char *path, int depth)
{
    enum { MAX_DEPTH = 6 };
    char below[APP_REPORT_TEXT];
    if (depth > MAX_DEPTH)
        return;
    if (json_is_object(value)) {
        const char *name;
        json_t *child;
        json_object_foreach((json_t *)value, name, child) {
            snprintf(below, sizeof below, "%s%s%s", path, *path ? "." : "", name);
            put_number_rows(page, child, below, depth + 1);
        }
        return;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
    fputs("<tr>", page);
    put_text_cell(page, path);
    fputs("<td class=\"wide\"><code>", page);
    app_report_put_text(page, text ? text : "");
    fputs("</code></td></tr>\n", page);
    free(text);
}

void app_report_put_numbers(FILE *page, const struct app_report_model *m)
{
    fputs("<h2>All numbers</h2>\n<details><summary>summary.json</summary><div class=\"scroll\"><table>\n", page);
    put_number_rows(page, m->summary, "", 0);
    fputs("</table></div></details>\n", page);
}
