/* Sensing windows: commitments, reveals, fusion, white-space and incumbent records. */
#include <errno.h>
#include <string.h>

#include "chain/ledger_state.h"

static size_t window_index(const struct chain_ledger *l, uint64_t window)
{
    size_t i = 0;
    while (i < l->n_windows && l->windows[i].window != window)
        i++;
    return i;
}

static struct chain_window_state *find_window(struct chain_ledger *l, uint64_t window)
{
    size_t i = window_index(l, window);
    return i < l->n_windows ? &l->windows[i] : NULL;
}

/* Keeps the order; NULL when every slot is taken. */
static struct chain_window_state *open_window(struct chain_ledger *l, uint64_t window)
{
    if (l->n_windows == CHAIN_MAX_WINDOWS)
        return NULL;
    size_t at = l->n_windows;
    while (at > 0 && l->windows[at - 1].window > window)
        at--;
    memmove(&l->windows[at + 1], &l->windows[at], (l->n_windows - at) * sizeof l->windows[0]);
    memset(&l->windows[at], 0, sizeof l->windows[at]);
    l->windows[at].window = window;
    l->n_windows++;
    return &l->windows[at];
}

enum chain_response chain_ledger_commit(struct chain_ledger *l, uint32_t author, const struct chain_op *op)
{
    int64_t start_ns, end_ns;
    uint64_t window = op->commit.window;
    if (!chain_genesis_window_span(&l->genesis, window, &start_ns, &end_ns))
        return CHAIN_INVALID_VALUE;
    /* the author's clock may be ahead of the proposer's */
    if (l->time_ns < end_ns - l->genesis.max_skew_ns || l->time_ns > end_ns + l->genesis.fuse_after_ns)
        return CHAIN_UNSYNC_OP_PARAM;
    if (window < l->next_window)
        return CHAIN_UNSYNC_OP_PARAM;
    struct chain_window_state *w = find_window(l, window);
    if (!w)
        w = open_window(l, window);
    if (!w || w->any_revealed || w->by_station[author].committed)
        return CHAIN_UNSYNC_OP_PARAM;
    struct chain_sensing *s = &w->by_station[author];
    s->committed = true;
    s->commit_height = l->height;
    s->commitment = op->commit.commitment;
    chain_ledger_touch(l, CHAIN_TABLE_SENSING, window, author);
    return CHAIN_SUCCESS;
}

enum chain_response chain_ledger_reveal(struct chain_ledger *l, uint32_t author, const struct chain_op *op)
{
    const struct chain_sense_report *report = &op->reveal;
    struct chain_window_state *w = find_window(l, report->window);
    if (!w)
        return CHAIN_UNSYNC_OP_PARAM;
    struct chain_sensing *s = &w->by_station[author];
    /* in the commitment's own block the others' reveals could have been known to its author */
    if (!s->committed || s->revealed || s->commit_height >= l->height || !chain_ledger_may_reveal(l, report->window, l->time_ns))
        return CHAIN_UNSYNC_OP_PARAM;
    struct chain_hash commitment;
    if (chain_sense_commitment(author, report, &commitment) != 0 ||
        memcmp(commitment.octets, s->commitment.octets, CHAIN_HASH_BYTES) != 0)
        return CHAIN_INVALID_VALUE;
    for (uint32_t c = 0; c < report->n_channels; c++)
        s->occupied |= (uint8_t)(report->occupied[c] << c);
    s->revealed = true;
    w->any_revealed = true;
    chain_ledger_touch(l, CHAIN_TABLE_SENSING, report->window, author);
    return CHAIN_SUCCESS;
}

static uint32_t count_reports(const struct chain_ledger *l, const struct chain_window_state *w)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->genesis.members.n_keys; i++)
        n += w->by_station[i].revealed;
    return n;
}

/* Only who was registered when a window began is waited for. */
static bool was_there(const struct chain_ledger *l, uint32_t station, int64_t start_ns)
{
    return l->stations[station].registered && l->stations[station].registered_ns <= start_ns;
}

static bool is_due(const struct chain_ledger *l, const struct chain_window_state *w)
{
    int64_t start_ns, end_ns;
    if (!chain_genesis_window_span(&l->genesis, w->window, &start_ns, &end_ns) ||
        l->time_ns >= end_ns + l->genesis.fuse_after_ns)
        return true;
    for (uint32_t i = 0; i < l->genesis.members.n_keys; i++)
        if (was_there(l, i, start_ns) && !w->by_station[i].revealed)
            return false;
    return count_reports(l, w) >= 2;
}

static void record_verdict(struct chain_ledger *l, uint32_t channel, uint64_t window, bool occupied)
{
    struct chain_channel_record *record = &l->channels[channel];
    enum chain_channel_status status = record->status;
    if (occupied) {
        record->free_windows = 0;
        status = CHAIN_CHANNEL_INCUMBENT;
    } else {
        if (record->free_windows < UINT32_MAX)
            record->free_windows++;
        if (record->free_windows >= l->genesis.white_after)
            status = CHAIN_CHANNEL_WHITE;
    }
    if (status == record->status)
        return;
    record->status = status;
    record->since_window = window;
    record->since_ns = l->time_ns;
    struct chain_ledger_event *event =
        chain_ledger_emit(l, status == CHAIN_CHANNEL_WHITE ? CHAIN_LE_WHITE_SPACE : CHAIN_LE_INCUMBENT);
    event->channel = channel;
    event->id = window;
    if (status == CHAIN_CHANNEL_INCUMBENT)
        chain_ledger_suspend_channel(l, channel);
}

/* The reports of a window, with the weight that each station has in all of its verdicts. */
struct reports {
    size_t n;
    uint32_t n_with_say;
    uint32_t station[CHAIN_MAX_KEYS];
    uint8_t occupied[CHAIN_MAX_KEYS]; /* bit per channel */
    struct chain_fuse_weights weights[CHAIN_MAX_KEYS];
};

static void collect_reports(const struct chain_ledger *l, const struct chain_window_state *w, struct reports *out)
{
    out->n = 0;
    out->n_with_say = 0;
    for (uint32_t i = 0; i < l->genesis.members.n_keys; i++) {
        if (!w->by_station[i].revealed)
            continue;
        out->station[out->n] = i;
        out->occupied[out->n] = w->by_station[i].occupied;
        out->weights[out->n] = chain_fuse_weights_of(&l->stations[i].sensing, l->genesis.local_p_fa_ppb);
        out->n_with_say += out->weights[out->n].occupied > 0;
        out->n++;
    }
}

static bool fuse_channel(const struct chain_ledger *l, const struct reports *reports, uint32_t channel, uint32_t *n_positive_out)
{
    struct chain_fuse_vote votes[CHAIN_MAX_KEYS];
    *n_positive_out = 0;
    for (size_t i = 0; i < reports->n; i++) {
        votes[i].occupied = reports->occupied[i] >> channel & 1;
        votes[i].weights = reports->weights[i];
        *n_positive_out += votes[i].occupied;
    }
    if (l->genesis.fuse_plain)
        return *n_positive_out >= l->genesis.fuse_min_positive;
    return chain_fuse_occupied(l->genesis.fuse_min_positive, votes, reports->n);
}

static void update_reputations(struct chain_ledger *l, const struct reports *reports, uint8_t verdict, bool is_void)
{
    for (size_t i = 0; i < reports->n; i++) {
        struct chain_fuse_record *record = &l->stations[reports->station[i]].sensing;
        for (uint32_t c = 0; c < l->genesis.n_channels && !is_void; c++)
            chain_fuse_learn(record, reports->occupied[i] >> c & 1, verdict >> c & 1);
        if (is_void && reports->weights[i].occupied == 0)
            chain_fuse_forgive(record, l->genesis.local_p_fa_ppb);
        if (!is_void && reports->occupied[i] == verdict) {
            chain_fuse_agree(record);
            chain_ledger_earn(l, reports->station[i], l->genesis.sense_reward);
        }
        chain_ledger_touch(l, CHAIN_TABLE_STATIONS, reports->station[i], 0);
    }
}

static void close_window(struct chain_ledger *l, const struct chain_window_state *w)
{
    l->next_window = w->window + 1;
    chain_ledger_touch(l, CHAIN_TABLE_COUNTERS, 0, 0);
    for (uint32_t i = 0; i < l->genesis.members.n_keys; i++)
        if (w->by_station[i].committed)
            chain_ledger_touch(l, CHAIN_TABLE_SENSING, w->window, i);
}

static void fuse_window(struct chain_ledger *l, const struct chain_window_state *w)
{
    struct reports reports;
    collect_reports(l, w, &reports);
    uint8_t verdict = 0;
    bool is_void = reports.n < 2 || (reports.n_with_say < 2 && !l->genesis.fuse_plain);
    /* white space takes consecutive windows: one that nobody reported breaks the row */
    bool gap = w->window != l->next_window;
    for (uint32_t c = 0; c < l->genesis.n_channels; c++) {
        uint32_t n_positive;
        bool occupied = fuse_channel(l, &reports, c, &n_positive);
        if (gap || is_void)
            l->channels[c].free_windows = 0;
        chain_ledger_touch(l, CHAIN_TABLE_CHANNELS, c, 0);
        struct chain_ledger_event *event = chain_ledger_emit(l, CHAIN_LE_WINDOW_FUSED);
        event->channel = c;
        event->id = w->window;
        event->n_reports = (uint32_t)reports.n;
        event->n_positive = n_positive;
        event->occupied = occupied && !is_void;
        event->code = is_void ? CHAIN_UNSYNC_OP_PARAM : CHAIN_SUCCESS;
        if (is_void)
            continue;
        verdict |= (uint8_t)(occupied << c);
        record_verdict(l, c, w->window, occupied);
    }
    if (reports.n >= 2)
        update_reputations(l, &reports, verdict, is_void);
    close_window(l, w);
}

void chain_ledger_fuse_due(struct chain_ledger *l)
{
    size_t n_due = l->n_windows;
    while (n_due > 0 && !is_due(l, &l->windows[n_due - 1]))
        n_due--;
    /* older ones go with it: a later verdict is never overruled by an earlier window */
    for (size_t i = 0; i < n_due; i++)
        fuse_window(l, &l->windows[i]);
    memmove(&l->windows[0], &l->windows[n_due], (l->n_windows - n_due) * sizeof l->windows[0]);
    l->n_windows -= n_due;
}

bool chain_ledger_committed(const struct chain_ledger *l, uint32_t station, uint64_t window)
{
    size_t i = window_index(l, window);
    if (i == l->n_windows || station >= CHAIN_MAX_KEYS)
        return false;
    return l->windows[i].by_station[station].committed && !l->windows[i].by_station[station].revealed;
}

bool chain_ledger_may_reveal(const struct chain_ledger *l, uint64_t window, int64_t time_ns)
{
    size_t at = window_index(l, window);
    int64_t start_ns, end_ns;
    if (at == l->n_windows || !chain_genesis_window_span(&l->genesis, window, &start_ns, &end_ns))
        return false;
    if (time_ns >= end_ns + l->genesis.fuse_after_ns / 2 || l->windows[at].any_revealed)
        return true;
    for (uint32_t i = 0; i < l->genesis.members.n_keys; i++)
        if (was_there(l, i, start_ns) && !l->windows[at].by_station[i].committed)
            return false;
    return true;
}
