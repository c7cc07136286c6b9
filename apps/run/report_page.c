/* Head of the page, its style, and escaping. */
#include "apps/run/report_page.h"

#include <string.h>

void app_report_put_text(FILE *page, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': fputs("&lt;", page); break;
        case '>': fputs("&gt;", page); break;
        case '&': fputs("&amp;", page); break;
        case '"': fputs("&quot;", page); break;
        case '\'': fputs("&#39;", page); break;
        default: fputc(*text, page);
        }
    }
}

double app_report_step(double span, int n)
{
    double step = 1e-9;
    static const double factors[] = {2, 2.5, 2}; /* 1, 2, 5, 10 */
    for (int i = 0; span / step > n && i < 90; i++)
        step *= factors[i % 3];
    return step;
}

static const char *const style =
    ":root{--bg:#fff;--panel:#f5f7f9;--line:#dde2e8;--grid:#e6eaef;--text:#1b2127;--muted:#5b6673;--primary:#d97a0b;--lease:#2468cf;"
    "--data:#12886a;--ack:#7cc9b1;--consensus:#7b5cc4;--jam:#cf2f3f;--good:#12886a;--on:#fff}"
    "@media(prefers-color-scheme:dark){:root{--bg:#12161b;--panel:#1a2027;--line:#333c47;--grid:#262e37;--text:#e4e9ef;--muted:#98a4b1;"
    "--primary:#f29a38;--lease:#5f9df7;--data:#2fb98f;--ack:#176b56;--consensus:#a78bf0;--jam:#ff6470;--good:#35c79b;--on:#10151a}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--text);font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,"
    "'DejaVu Sans',sans-serif}main{max-width:1180px;margin:0 auto;padding:28px 24px 60px}"
    "h1{font-size:26px;line-height:1.2;margin:0 0 4px}h2{font-size:18px;margin:36px 0 8px}p{margin:6px 0;max-width:80ch}"
    ".sub,.note{color:var(--muted)}.note{font-size:13px}"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(240px,1fr));gap:10px;margin:20px 0 0}"
    ".tile{background:var(--panel);border:1px solid var(--line);border-radius:8px;padding:10px 14px}"
    ".tile b{display:block;font-size:22px;line-height:1.3;font-variant-numeric:tabular-nums}.tile span{color:var(--muted);font-size:13px}"
    ".tile.good b{color:var(--good)}.tile.bad b{color:var(--jam)}"
    ".scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px;background:var(--bg)}.tall{max-height:430px;overflow-y:auto}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}"
    "th,td{text-align:left;padding:5px 12px;border-bottom:1px solid var(--grid);white-space:nowrap}td.wide{white-space:normal;width:99%}"
    "th{color:var(--muted);font-weight:600;background:var(--panel);position:sticky;top:0}td.n,th.n{text-align:right}"
    "tr:last-child td{border-bottom:0}code{font:12.5px ui-monospace,'DejaVu Sans Mono',monospace}"
    ".who{color:var(--muted)}.good td.wide,td.good{color:var(--good)}.bad td.wide,td.bad{color:var(--jam)}"
    ".truth td.wide{color:var(--primary)}.verdict td.wide{color:var(--consensus)}"
    ".legend{display:flex;flex-wrap:wrap;gap:4px 18px;margin:8px 0;font-size:13px;color:var(--muted)}"
    ".legend span{display:inline-flex;align-items:center;gap:6px}.legend svg{flex:none}"
    "svg.chart{display:block;width:100%;min-width:900px;height:auto}svg.small{min-width:560px;max-width:820px}"
    "svg text{fill:var(--text);font:12px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}svg .m{fill:var(--muted)}svg .s{font-size:11px}"
    "svg .e{text-anchor:end}svg .c{text-anchor:middle}svg .w{fill:var(--on);font-size:11px}"
    ".grid{stroke:var(--grid)}.rule{stroke:var(--line)}.primary{fill:var(--primary)}.lease{fill:var(--lease)}"
    ".granted{fill:var(--lease);opacity:.35}.suspended{fill:url(#stripes);stroke:var(--lease)}.stripe{stroke:var(--lease)}"
    "svg .hop{fill:var(--consensus)}"
    ".data{fill:var(--data)}.ack{fill:var(--ack)}.consensus{fill:var(--consensus)}.jam{fill:var(--jam)}.jamband{fill:var(--jam);opacity:.13}"
    ".guide{stroke:var(--muted);stroke-dasharray:2 3;opacity:.8}.sent{fill:none;stroke:var(--muted)}.free{fill:var(--line)}"
    ".curve{fill:none;stroke:var(--consensus);stroke-width:2}.mark{stroke:var(--jam);stroke-dasharray:4 3}"
    ".broken{background:var(--jam);color:var(--on);border-radius:8px;padding:12px 18px;margin:16px 0}.broken ul{margin:6px 0 0;padding-left:20px}"
    "details{margin-top:8px}summary{cursor:pointer;color:var(--muted)}";

/* What the run promised and did not keep, where nobody can overlook it. */
static void put_broken(FILE *page, const struct app_report_model *m)
{
    const json_t *broken = app_report_value(m, "broken");
    if (json_array_size(broken) == 0)
        return;
    fputs("<div class=\"broken\" role=\"alert\"><b>BROKEN: this run did not keep what it promises</b><ul>", page);
    for (size_t i = 0; i < json_array_size(broken); i++) {
        const char *text = json_string_value(json_array_get(broken, i));
        fputs("<li>", page);
        app_report_put_text(page, text ? text : "?");
        fputs("</li>", page);
    }
    fputs("</ul></div>\n", page);
}

void app_report_put_head(FILE *page, const struct app_report_model *m)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">"
          "<meta name=\"color-scheme\" content=\"light dark\"><title>airdeed: ",
          page);
    app_report_put_text(page, m->scenario);
    fprintf(page, "</title>\n<style>%s</style></head>\n<body><main>\n<h1>", style);
    app_report_put_text(page, *m->scenario ? m->scenario : "a run");
    fputs("</h1>\n<p class=\"sub\">", page);
    fprintf(page, "%u stations agreeing by %s on %u channels, %.12g s of virtual time, seed %lld; airdeed ", m->n_stations,
            strcmp(m->consensus, "raft") == 0 ? "Raft" : strcmp(m->consensus, "pbft") == 0 ? "PBFT" : "consensus", m->n_channels,
            (double)m->duration_ns / 1e9, (long long)m->seed);
    app_report_put_text(page, m->version);
    fputs("</p>\n", page);
    put_broken(page, m);
    if (m->cut)
        fputs("<p class=\"note\">There were more events than a page can show: the last ones are left out.</p>\n", page);
}
