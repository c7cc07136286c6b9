#include "apps/validate/stretch_log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_GROUPS = 256, MAX_SIGNALS = 40000, MAX_SENT = 40000 }; /* of a group; what comes later is left out */
/* Signals that come so long after a stretch's end are not of it. */
static const int64_t tail_ns = 60000;

struct sent {
    int64_t from_ns, to_ns;
    bool own, is_short;
};

struct piece { /* a stretch, by its place among the group's signals */
    uint32_t first, n;
};

struct group {
    struct app_heard *heard;
    size_t n_heard;
    struct piece *pieces[STRETCH_N_KINDS];
    size_t n_pieces[STRETCH_N_KINDS];
    uint32_t *shapes;
    size_t n_shapes, n_lost[STRETCH_SHORT + 1]; /* of frames that came alone */
};

struct app_stretch_log {
    struct group groups[MAX_GROUPS];
    int n_groups;
    struct app_heard *heard; /* of the group that is being recorded, at_ns absolute */
    struct sent *sent;
    size_t n_heard, n_sent;
};

struct app_stretch_log *app_stretch_open(void)
{
    struct app_stretch_log *log = calloc(1, sizeof *log);
    if (!log)
        return NULL;
    log->heard = calloc(MAX_SIGNALS, sizeof *log->heard);
    log->sent = calloc(MAX_SENT, sizeof *log->sent);
    if (log->heard && log->sent)
        return log;
    app_stretch_close(log);
    return NULL;
}

void app_stretch_close(struct app_stretch_log *log)
{
    if (!log)
        return;
    for (int g = 0; g <= log->n_groups && g < MAX_GROUPS; g++) {
        free(log->groups[g].heard);
        free(log->groups[g].shapes);
        for (int k = 0; k < STRETCH_N_KINDS; k++)
            free(log->groups[g].pieces[k]);
    }
    free(log->heard);
    free(log->sent);
    free(log);
}

/* --- recording --- */

void app_stretch_begin(struct app_stretch_log *log)
{
    log->n_heard = log->n_sent = 0;
}

void app_stretch_signal(struct app_stretch_log *log, const struct mac_event *signal)
{
    if (log->n_heard == MAX_SIGNALS || log->n_sent == MAX_SENT)
        return;
    struct app_heard *h = &log->heard[log->n_heard++];
    *h = (struct app_heard){.at_ns = signal->now_ns, .kind = signal->kind};
    if (signal->kind == MAC_EV_FRAME)
        h->quality = signal->frame.quality;
    if (signal->kind == MAC_EV_SHAPE)
        h->shape = signal->shape;
}

static int compare_sent(const void *a, const void *b)
{
    const struct sent *x = a, *y = b;
    return (x->from_ns > y->from_ns) - (x->from_ns < y->from_ns);
}

void app_stretch_sent(struct app_stretch_log *log, bool own, int64_t from_ns, int64_t to_ns, size_t len_bytes)
{
    if (log->n_heard == MAX_SIGNALS || log->n_sent == MAX_SENT)
        return;
    log->sent[log->n_sent++] = (struct sent){from_ns, to_ns, own, len_bytes <= STRETCH_SHORT_BYTES};
}

/* --- cutting --- */

static void add_piece(struct group *g, enum app_stretch_kind kind, size_t first, size_t n)
{
    g->pieces[kind][g->n_pieces[kind]++] = (struct piece){(uint32_t)first, (uint32_t)n};
    for (size_t i = first; i < first + n; i++) {
        struct app_heard *h = &g->heard[i];
        if (h->kind == MAC_EV_SHAPE)
            g->shapes[g->n_shapes++] = (uint32_t)i;
    }
}

static void count_from(struct app_heard *heard, size_t n, int64_t from_ns)
{
    for (size_t i = 0; i < n; i++) {
        heard[i].at_ns -= from_ns;
        if (heard[i].kind != MAC_EV_FRAME)
            continue;
        heard[i].quality.start_ns -= from_ns;
        heard[i].quality.end_ns -= from_ns;
    }
}

/* Signals [first, end) between stretches: each time that energy comes begins a pulse. */
static void cut_pulses(struct group *g, size_t first, size_t end)
{
    while (first < end) {
        size_t next = first + 1;
        while (next < end && g->heard[next].kind != MAC_EV_CCA_BUSY)
            next++;
        if (g->heard[first].kind == MAC_EV_CCA_BUSY) {
            int64_t from_ns = g->heard[first].at_ns;
            count_from(&g->heard[first], next - first, from_ns);
            add_piece(g, STRETCH_PULSE, first, next - first);
        }
        first = next;
    }
}

static bool has_good_frame(const struct app_heard *heard, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (heard[i].kind == MAC_EV_FRAME && heard[i].quality.header_ok && heard[i].quality.fcs_ok)
            return true;
    return false;
}

static void cut(struct app_stretch_log *log, struct group *g)
{
    size_t at = 0;
    for (size_t i = 0; i < log->n_sent;) {
        const struct sent *first = &log->sent[i];
        int64_t to_ns = first->to_ns;
        bool own = first->own;
        size_t k = i + 1;
        for (; k < log->n_sent && log->sent[k].from_ns < to_ns; k++) {
            to_ns = log->sent[k].to_ns > to_ns ? log->sent[k].to_ns : to_ns;
            own |= log->sent[k].own;
        }
        int64_t end_ns = to_ns + tail_ns;
        end_ns = k < log->n_sent && log->sent[k].from_ns < end_ns ? log->sent[k].from_ns : end_ns;
        size_t before = at;
        while (at < g->n_heard && g->heard[at].at_ns < first->from_ns)
            at++;
        cut_pulses(g, before, at);
        size_t begin = at;
        while (at < g->n_heard && g->heard[at].at_ns < end_ns)
            at++;
        enum app_stretch_kind kind = k - i > 2 ? STRETCH_CROWD : k - i == 2 ? STRETCH_PAIR : first->is_short ? STRETCH_SHORT : STRETCH_DATA;
        if (!own) {
            count_from(&g->heard[begin], at - begin, first->from_ns);
            add_piece(g, kind, begin, at - begin);
            if (kind <= STRETCH_SHORT)
                g->n_lost[kind] += !has_good_frame(&g->heard[begin], at - begin);
        }
        i = k;
    }
    cut_pulses(g, at, g->n_heard);
}

int app_stretch_finish(struct app_stretch_log *log)
{
    struct group *g = &log->groups[log->n_groups];
    if (log->n_groups == MAX_GROUPS)
        return -ENOMEM;
    qsort(log->sent, log->n_sent, sizeof *log->sent, compare_sent);
    g->n_heard = log->n_heard;
    g->heard = malloc((log->n_heard + 1) * sizeof *g->heard);
    g->shapes = malloc((log->n_heard + 1) * sizeof *g->shapes);
    bool ok = g->heard && g->shapes;
    for (int k = 0; k < STRETCH_N_KINDS; k++)
        ok = (g->pieces[k] = malloc((log->n_heard + log->n_sent + 1) * sizeof *g->pieces[k])) != NULL && ok;
    if (!ok)
        return -ENOMEM;
    memcpy(g->heard, log->heard, log->n_heard * sizeof *g->heard);
    cut(log, g);
    return log->n_groups++;
}

/* --- drawing --- */

struct app_stretch app_stretch_pick(const struct app_stretch_log *log, int group, enum app_stretch_kind kind, double u)
{
    struct app_stretch out = {.kind = kind};
    bool of_any = kind == STRETCH_PAIR || kind == STRETCH_CROWD;
    int first = of_any ? 0 : group, end = of_any ? log->n_groups : group + 1;
    size_t n = 0;
    for (int g = first; g < end; g++)
        n += log->groups[g].n_pieces[kind];
    size_t i = (size_t)(u * (double)n);
    for (int k = first; k < end; k++) {
        const struct group *g = &log->groups[k];
        if (i < g->n_pieces[kind]) {
            out.n = g->pieces[kind][i].n;
            out.heard = &g->heard[g->pieces[kind][i].first];
            return out;
        }
        i -= g->n_pieces[kind];
    }
    return out;
}

bool app_stretch_shape(const struct app_stretch_log *log, int group, double u, struct mac_shape *out)
{
    const struct group *g = &log->groups[group];
    if (g->n_shapes == 0)
        return false;
    *out = g->heard[g->shapes[(size_t)(u * (double)g->n_shapes)]].shape;
    return true;
}

double app_stretch_loss(const struct app_stretch_log *log, int group)
{
    const struct group *g = &log->groups[group];
    double survives = 1;
    for (int k = STRETCH_DATA; k <= STRETCH_SHORT; k++)
        if (g->n_pieces[k] > 0)
            survives *= 1 - (double)g->n_lost[k] / (double)g->n_pieces[k];
    return 1 - sqrt(survives);
}

size_t app_stretch_count(const struct app_stretch_log *log, enum app_stretch_kind kind)
{
    size_t n = 0;
    for (int g = 0; g < log->n_groups; g++)
        n += log->groups[g].n_pieces[kind];
    return n;
}
