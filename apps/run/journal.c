/* events.jsonl, written by hand: no locale, no rounding but the stated one, the first failed write kept. */
#include "apps/run/journal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines wait in a reorder buffer, since what is known at one instant may be stamped a little earlier or later. */
struct waiting {
    int64_t t_ns;
    uint64_t order; /* of writing: lines of one instant keep it */
    char *text;
    size_t len;
};

struct app_journal {
    FILE *file;
    int error;   /* negative errno of the first failed write */
    bool in_line;
    char *line;  /* under construction */
    size_t line_len, line_cap;
    int64_t line_t_ns;
    struct waiting *waiting;
    size_t n_waiting, waiting_cap;
    uint64_t n_lines;
};

static void note_failure(struct app_journal *j)
{
    if (!j->error)
        j->error = errno ? -errno : -EIO;
}

static bool grow(struct app_journal *j, void **memory, size_t *cap, size_t wanted, size_t size)
{
    if (wanted <= *cap)
        return true;
    void *larger = realloc(*memory, 2 * wanted * size);
    if (!larger) {
        errno = ENOMEM;
        note_failure(j);
        return false;
    }
    *memory = larger;
    *cap = 2 * wanted;
    return true;
}

static void put(struct app_journal *j, const char *text, size_t len)
{
    void *line = j->line;
    if (j->error || !grow(j, &line, &j->line_cap, j->line_len + len, 1))
        return;
    j->line = line;
    memcpy(j->line + j->line_len, text, len);
    j->line_len += len;
}

static void put_text(struct app_journal *j, const char *text)
{
    put(j, text, strlen(text));
}

/* Length of the well-formed UTF-8 sequence at text (RFC 3629, table of section 4), 0 if it is none. */
static size_t measure_utf8(const unsigned char *text)
{
    unsigned char first = text[0], low = 0x80, high = 0xbf;
    size_t len;
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        len = 2;
    else if (first >= 0xe0 && first <= 0xef)
        len = 3;
    else if (first >= 0xf0 && first <= 0xf4)
        len = 4;
    else
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    if (first == 0xed)
        high = 0x9f;
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xf4)
        high = 0x8f;
    for (size_t i = 1; i < len; i++, low = 0x80, high = 0xbf)
        if (text[i] < low || text[i] > high)
            return 0;
    return len;
}

/* A JSON string; an octet that is not UTF-8 becomes U+FFFD. */
static void put_string(struct app_journal *j, const char *value)
{
    put_text(j, "\"");
    for (const unsigned char *c = (const unsigned char *)value; *c;) {
        size_t len = measure_utf8(c);
        char escaped[8];
        if (len == 0) {
            put_text(j, "\\ufffd");
            len = 1;
        } else if (*c == '"' || *c == '\\') {
            char pair[2] = {'\\', (char)*c};
            put(j, pair, sizeof pair);
        } else if (*c < 0x20 || *c == 0x7f) {
            int n = snprintf(escaped, sizeof escaped, "\\u%04x", *c);
            put(j, escaped, (size_t)n);
        } else {
            put(j, (const char *)c, len);
        }
        c += len;
    }
    put_text(j, "\"");
}

static void put_name(struct app_journal *j, const char *name)
{
    assert(j->in_line);
    put_text(j, ",");
    put_string(j, name);
    put_text(j, ":");
}

static void put_int(struct app_journal *j, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%" PRId64, value);
    put(j, text, (size_t)n);
}

int app_journal_open(const char *path, struct app_journal **out)
{
    struct app_journal *j = calloc(1, sizeof *j);
    if (!j)
        return -ENOMEM;
    j->file = fopen(path, "wb");
    if (!j->file) {
        int err = -errno;
        free(j);
        return err;
    }
    *out = j;
    return 0;
}

void app_journal_begin(struct app_journal *j, int64_t t_ns, const char *event, const char *station)
{
    assert(!j->in_line);
    j->in_line = true;
    j->line_t_ns = t_ns;
    j->line_len = 0;
    put_text(j, "{\"t_ns\":");
    put_int(j, t_ns);
    app_journal_text(j, "event", event);
    if (station) {
        app_journal_text(j, "station", station);
    } else {
        put_name(j, "station");
        put_text(j, "null");
    }
}

void app_journal_text(struct app_journal *j, const char *name, const char *value)
{
    put_name(j, name);
    put_string(j, value);
}

void app_journal_int(struct app_journal *j, const char *name, int64_t value)
{
    put_name(j, name);
    put_int(j, value);
}

void app_journal_bool(struct app_journal *j, const char *name, bool value)
{
    put_name(j, name);
    put_text(j, value ? "true" : "false");
}

/* The value times 10^decimals as a whole number, half away from zero; what printf rounds would depend on more digits than are kept. */
void app_journal_real(struct app_journal *j, const char *name, double value, int decimals)
{
    assert(decimals >= 0 && decimals <= 9);
    put_name(j, name);
    int64_t scale = 1;
    for (int i = 0; i < decimals; i++)
        scale *= 10;
    if (!isfinite(value) || fabs(value) >= 9e18 / (double)scale) {
        put_text(j, "null");
        return;
    }
    double scaled = value * (double)scale;
    int64_t whole = (int64_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
    int64_t size = whole < 0 ? -whole : whole;
    char text[48];
    int n = snprintf(text, sizeof text, "%s%" PRId64, whole < 0 ? "-" : "", size / scale);
    if (decimals)
        n += snprintf(text + n, sizeof text - (size_t)n, ".%0*" PRId64, decimals, size % scale);
    put(j, text, (size_t)n);
}

void app_journal_hex(struct app_journal *j, const char *name, const uint8_t *data, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    put_name(j, name);
    put_text(j, "\"");
    for (size_t i = 0; i < len; i++) {
        char pair[2] = {digits[data[i] >> 4], digits[data[i] & 15]};
        put(j, pair, sizeof pair);
    }
    put_text(j, "\"");
}

void app_journal_end(struct app_journal *j)
{
    assert(j->in_line);
    j->in_line = false;
    put_text(j, "}\n");
    void *waiting = j->waiting;
    if (j->error || !grow(j, &waiting, &j->waiting_cap, j->n_waiting + 1, sizeof *j->waiting))
        return;
    j->waiting = waiting;
    char *text = malloc(j->line_len);
    if (!text) {
        errno = ENOMEM;
        note_failure(j);
        return;
    }
    memcpy(text, j->line, j->line_len);
    j->waiting[j->n_waiting++] =
        (struct waiting){.t_ns = j->line_t_ns, .order = j->n_lines++, .text = text, .len = j->line_len};
}

static int compare_waiting(const void *left, const void *right)
{
    const struct waiting *a = left, *b = right;
    if (a->t_ns != b->t_ns)
        return a->t_ns < b->t_ns ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

/* Those that wait are in order. */
static void write_waiting(struct app_journal *j, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        errno = 0;
        if (!j->error && fwrite(j->waiting[i].text, 1, j->waiting[i].len, j->file) != j->waiting[i].len)
            note_failure(j);
        free(j->waiting[i].text);
    }
    j->n_waiting -= n;
    if (n && j->n_waiting)
        memmove(j->waiting, j->waiting + n, j->n_waiting * sizeof *j->waiting);
}

static void sort_waiting(struct app_journal *j)
{
    if (j->n_waiting)
        qsort(j->waiting, j->n_waiting, sizeof *j->waiting, compare_waiting);
}

void app_journal_settle(struct app_journal *j, int64_t before_ns)
{
    size_t n = 0;
    sort_waiting(j);
    while (n < j->n_waiting && j->waiting[n].t_ns < before_ns)
        n++;
    write_waiting(j, n);
}

int app_journal_close(struct app_journal *j)
{
    sort_waiting(j);
    write_waiting(j, j->n_waiting);
    errno = 0;
    if (fclose(j->file) != 0)
        note_failure(j);
    int err = j->error;
    free(j->waiting);
    free(j->line);
    free(j);
    return err;
}
