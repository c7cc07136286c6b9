/* Sentences from a table: %s-like marks stand for an event's fields. */
#include "apps/run/report_story.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* In a sentence @c is the channel, @b who wrote the transaction, @n a name, @k a kind, @i the id, @e the code, @p the confidence,
 * @r the reason, @o the operation. "event:what" stands for events of that kind or code only, and comes before the
 * others. who: NULL stands for the event's station. */
static const struct {
    const char *event, *who, *tone, *text;
} sentences[] = {
    {"primary_on", "air", "truth", "primary user @n appears on channel @c"},
    {"primary_off", "air", "truth", "primary user @n leaves channel @c"},
    {"jam_on", "air", "bad", "@n, a jammer (@k), attacks channel @c"},
    {"jam_off", "air", "bad", "@n leaves channel @c"},
    {"spoof", NULL, "verdict", "a frame under the address of @n came from somebody else: @r"},
    {"jam_verdict", NULL, "verdict", "channel @c is jammed: @k, confidence @p"},
    {"link_verdict:none", NULL, "", "channel @c is in order again"},
    {"link_verdict:congestion", NULL, "", "frames are lost on channel @c because it is crowded, not jammed (confidence @p)"},
    {"link_verdict:weak-link", NULL, "", "frames are lost on channel @c because they arrive weak, not jammed (confidence @p)"},
    {"link_verdict", NULL, "", "channel @c: @k, confidence @p"},
    {"violation", NULL, "bad", "an emission on channel @c that no deed covers: @r"},
    {"registered", "ledger", "", "@b is registered"},
    {"white-space", "ledger", "good", "channel @c is recorded as white space"},
    {"incumbent", "ledger", "truth", "a primary user is recorded on channel @c"},
    {"granted", "ledger", "good", "channel @c is granted to @b (grant @i)"},
    {"authorized", "ledger", "good", "grant @i is authorized: @b may send on channel @c"},
    {"suspended", "ledger", "bad", "grant @i on channel @c is suspended (code @e)"},
    {"expired:500", "ledger", "bad", "grant @i on channel @c ends: grantExpireTime passed"},
    {"expired", "ledger", "", "transmitExpireTime of grant @i on channel @c passed without a heartbeat: it is no longer authorized"},
    {"barred", "ledger", "bad", "@b is barred from channel @c"},
    {"relinquished", "ledger", "", "@b gives grant @i on channel @c back"},
    {"evidence", "ledger", "verdict", "@b's evidence of what is wrong on channel @c is recorded"},
    {"evidence-confirmed", "ledger", "verdict", "what is wrong on channel @c is confirmed by enough witnesses"},
    {"refused", "ledger", "", "a @o of @b is refused (code @e)"},
};

struct sentence {
    char *out;
    size_t len;
};

static void add(struct sentence *s, const char *text)
{
    int n = snprintf(s->out + s->len, APP_REPORT_TEXT - s->len, "%s", *text ? text : "?");
    s->len += (size_t)n < APP_REPORT_TEXT - s->len ? (size_t)n : APP_REPORT_TEXT - 1 - s->len;
}

static void add_field(struct sentence *s, char mark, const struct app_report_model *m, const struct app_report_facts *f)
{
    char number[32] = "";
    switch (mark) {
    case 'c': add(s, app_report_channel_name(m, f->channel)); return;
    case 'b': add(s, f->by); return;
    case 'n': add(s, f->name); return;
    case 'k': add(s, f->kind); return;
    case 'r': add(s, f->reason); return;
    case 'o': add(s, *f->op ? f->op : "transaction"); return;
    case 'i': snprintf(number, sizeof number, "%" PRId64, f->id); break;
    case 'e': snprintf(number, sizeof number, "%" PRId64, f->code); break;
    case 'p': snprintf(number, sizeof number, "%.1f %%", (double)f->confidence_permille / 10); break;
    default: break;
    }
    add(s, number);
}

static bool fits(const char *row, const struct app_report_facts *f)
{
    char code[24];
    size_t len = strcspn(row, ":");
    if (strlen(f->event) != len || strncmp(row, f->event, len) != 0)
        return false;
    snprintf(code, sizeof code, "%" PRId64, f->code);
    return row[len] == '\0' || strcmp(row + len + 1, f->kind) == 0 || strcmp(row + len + 1, code) == 0;
}

bool app_report_tell(const struct app_report_model *m, const struct app_report_facts *facts, struct app_report_line *out)
{
    size_t i = 0, n = sizeof sentences / sizeof sentences[0];
    while (i < n && !fits(sentences[i].event, facts))
        i++;
    if (i == n)
        return false;
    out->tone = sentences[i].tone;
    snprintf(out->who, sizeof out->who, "%s", sentences[i].who ? sentences[i].who : facts->station);
    struct sentence s = {.out = out->text};
    for (const char *c = sentences[i].text; *c; c++) {
        char one[2] = {*c, '\0'};
        if (*c == '@' && c[1])
            add_field(&s, *++c, m, facts);
        else
            add(&s, one);
    }
    return true;
}
