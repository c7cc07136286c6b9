/* What the detector computes and how it judges. The reasons for each rule are in docs/mac.md. */
#include "mac/detector.h"

#include <string.h>

enum { RUN = 8 };
static const unsigned least_pulses = 16;
/* Radars send pulses of up to 30 us at a fixed period (ETSI EN 301 893, table D.4), which channel assessment in blocks of 8 us makes up to
 * 16 us longer. A train of those is a primary user or cannot be told from one, and accuses nobody. */
static const int64_t longest_radar_ns = 46000;
/* Without shapes: energy for so long, and a queue that cannot move for so long, are more than any exchange of frames. With them a
 * hundred slots will do. */
static const int64_t solid_ns = 1000000000, stuck_ns = 100000000, least_solid_ns = 20000000, least_blocked_ns = 5000000;
static const unsigned least_shapes = 6, least_copies = 3, least_vanished = 5, least_answers = 6;
static const int64_t same_offset_ns = 50000; /* a jammer's reaction time and the receiver's estimate of it vary less */

static bool knows(const struct mac_jam *j, enum mac_jam_kind kind)
{
    return !(j->cfg.nameless >> kind & 1);
}

/* Hoare's FIND; the values are left in another order. */
static int64_t median_of(int64_t *values, unsigned n)
{
    int k = (int)n / 2;
    for (int low = 0, high = (int)n - 1; low < high;) {
        int64_t pivot = values[k];
        int i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot)
                i++;
            while (values[j] > pivot)
                j--;
            if (i > j)
                break;
            int64_t swap = values[i];
            values[i++] = values[j];
            values[j--] = swap;
        }
        low = j < k ? i : low;
        high = k < i ? j : high;
    }
    return values[k];
}

static bool is_near(int64_t a, int64_t b)
{
    return a - b <= same_offset_ns && b - a <= same_offset_ns;
}

/* The i-th frame from the latest on, or NULL. */
static const struct mac_jam_frame *frame_back(const struct mac_jam *j, unsigned i)
{
    if (i >= MAC_JAM_FRAMES || i >= j->n_frames)
        return NULL;
    return &j->frames[(j->n_frames - 1 - i) % MAC_JAM_FRAMES];
}

static void measure_run(const struct mac_jam *j, int64_t since_ns, struct mac_jam_statistics *s)
{
    const struct mac_jam_frame *f;
    int64_t rises[RUN];
    for (unsigned i = 0; i < RUN && (f = frame_back(j, i)) != NULL && f->seen_ns > since_ns; i++) {
        s->last++;
        if (f->good)
            continue;
        s->last_bad++;
        s->last_weak += f->weak;
        s->from_ns = f->start_ns;
        if (f->rise_ns >= 0)
            rises[s->last_rises++] = f->rise_ns;
    }
    if (s->last_rises == 0)
        return;
    s->rise_ns = median_of(rises, s->last_rises);
    for (unsigned i = 0; i < s->last_rises; i++)
        s->last_consistent += is_near(rises[i], s->rise_ns);
}

static void measure_frames(const struct mac_jam *j, int64_t since_ns, struct mac_jam_statistics *s)
{
    const struct mac_jam_frame *f;
    unsigned n_bad = 0, n = j->n_frames < MAC_JAM_FRAMES ? (unsigned)j->n_frames : MAC_JAM_FRAMES;
    for (unsigned i = 0; (f = frame_back(j, i)) != NULL && !f->good && f->seen_ns > since_ns; i++)
        s->bad_run++;
    for (unsigned i = 0; i < n; i++) {
        f = frame_back(j, i);
        s->n += f->seen_ns > since_ns;
        if (f->good) {
            s->n_good += f->seen_ns > since_ns;
            continue;
        }
        if (f->rise_ns >= 0) {
            s->memory_rises++;
            s->memory_consistent += is_near(f->rise_ns, s->rise_ns);
        }
        if (f->seen_ns <= since_ns)
            continue;
        n_bad++;
        s->n_weak += f->weak;
        s->n_vanished += f->vanished;
        s->strength_bad_db += f->strength_db;
    }
    if (n_bad > 0)
        s->strength_bad_db /= n_bad;
}

/* The i-th burst from the latest on. */
static const struct mac_jam_burst *burst_back(const struct mac_jam *j, unsigned i)
{
    return &j->bursts[(j->n_bursts - 1 - i) % MAC_JAM_BURSTS];
}

static bool is_radar(const struct mac_jam_burst *b)
{
    return !b->locked && b->to_ns - b->from_ns <= longest_radar_ns;
}

static bool is_pulse(const struct mac_jam_burst *b)
{
    return !b->locked && b->to_ns - b->from_ns > longest_radar_ns;
}

void mac_jam_add_burst(struct mac_jam *j, int64_t now_ns)
{
    struct mac_jam_burst b = {.from_ns = j->busy_from_ns, .to_ns = now_ns, .locked = j->locked};
    const struct mac_jam_burst *before = burst_back(j, 0);
    b.sum_ns = before->sum_ns + now_ns - b.from_ns;
    b.n_radar = before->n_radar + is_radar(&b);
    b.n_pulses = before->n_pulses + is_pulse(&b);
    j->bursts[j->n_bursts++ % MAC_JAM_BURSTS] = b;
}

/* How many of them ended after since_ns. */
static unsigned count_bursts(const struct mac_jam *j, int64_t since_ns)
{
    unsigned low = 0, high = j->n_bursts < MAC_JAM_BURSTS ? (unsigned)j->n_bursts : MAC_JAM_BURSTS;
    while (low < high) {
        unsigned middle = (low + high) / 2;
        if (burst_back(j, middle)->to_ns > since_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Energy bursts without a lock. Those at one interval are a radar, or longer than a radar's a jammer's pulses. */
static void measure_bursts(const struct mac_jam *j, int64_t now_ns, struct mac_jam_statistics *s)
{
    int64_t since_ns = now_ns - j->cfg.window_ns, busy_ns = 0;
    int64_t oldest_ns = j->bursts[j->n_bursts % MAC_JAM_BURSTS].from_ns; /* on a full channel fewer than the window holds are remembered */
    if (j->n_bursts >= MAC_JAM_BURSTS && oldest_ns > since_ns)
        since_ns = oldest_ns;
    s->n_bursts = count_bursts(j, since_ns);
    if (s->n_bursts > 0) {
        const struct mac_jam_burst *last = burst_back(j, 0), *first = burst_back(j, s->n_bursts - 1);
        busy_ns = last->sum_ns - first->sum_ns + first->to_ns - (first->from_ns > since_ns ? first->from_ns : since_ns);
        s->n_radar = last->n_radar - first->n_radar + is_radar(first);
        s->n_pulses = last->n_pulses - first->n_pulses + is_pulse(first);
    }
    if (j->busy)
        busy_ns += now_ns - (j->busy_from_ns > since_ns ? j->busy_from_ns : since_ns);
    int64_t span_ns = now_ns - since_ns;
    s->busy_permille = busy_ns >= span_ns ? 1000 : (unsigned)(busy_ns * 1000 / span_ns);
}

/* Do three of four of them, of one sort, follow each other at the median interval? */
static bool is_regular(const struct mac_jam *j, const struct mac_jam_statistics *s, bool radar)
{
    int64_t gaps[MAC_JAM_BURSTS], sorted[MAC_JAM_BURSTS], later_ns = 0;
    unsigned n = 0, n_regular = 0;
    for (unsigned i = 0; i < s->n_bursts; i++) {
        const struct mac_jam_burst *b = burst_back(j, i);
        if (radar ? !is_radar(b) : !is_pulse(b))
            continue;
        if (n > 0)
            sorted[n - 1] = gaps[n - 1] = later_ns - b->from_ns;
        later_ns = b->from_ns;
        n++;
    }
    if (n < least_pulses)
        return false;
    int64_t middle_ns = median_of(sorted, n - 1);
    for (unsigned i = 0; i + 1 < n; i++)
        n_regular += gaps[i] - middle_ns <= middle_ns / 20 && middle_ns - gaps[i] <= middle_ns / 20;
    return n_regular * 4 >= (n - 1) * 3 && (!radar || n_regular >= least_pulses);
}

static void measure_shapes(const struct mac_jam *j, int64_t now_ns, struct mac_jam_statistics *s)
{
    s->solid_ns = j->busy ? now_ns - j->solid_from_ns : 0;
    if (s->solid_ns >= least_solid_ns)
        mac_jam_look(j, j->solid_from_ns > now_ns - j->cfg.window_ns ? j->solid_from_ns : now_ns - j->cfg.window_ns, MAC_JAM_ANY, &s->solid);
    mac_jam_look(j, now_ns - j->cfg.window_ns, MAC_JAM_ALONE, &s->bursts);
    mac_jam_look(j, now_ns - j->cfg.window_ns, MAC_JAM_BEHIND, &s->answers);
}

void mac_jam_measure(const struct mac_jam *j, int64_t now_ns, struct mac_jam_statistics *out)
{
    int64_t since_ns = now_ns - j->cfg.window_ns;
    memset(out, 0, sizeof *out);
    out->rise_ns = -1;
    out->from_ns = now_ns;
    measure_run(j, since_ns, out);
    measure_frames(j, since_ns, out);
    measure_bursts(j, now_ns, out);
    measure_shapes(j, now_ns, out);
    for (unsigned i = 0; i < MAC_JAM_ANSWERS && i < j->n_answers; i++) {
        bool recent = j->answered_ns[i] > since_ns;
        out->n_answers += recent;
        out->n_acked += recent && j->answers[i];
    }
    for (unsigned i = 0; i < MAC_JAM_NAMES && i < j->n_copies; i++)
        out->n_copies += j->copied_ns[i] > since_ns;
}

/* Energy without a pause while an own message waits. Where its shape was seen, that says what it is, soon; else only that it lasts. */
static enum mac_jam_kind judge_solid(const struct mac_jam *j, const struct mac_jam_statistics *s)
{
    if (s->solid.n >= least_shapes && s->solid_ns >= least_solid_ns && j->blocked_ns >= least_blocked_ns)
        return mac_jam_look_kind(&s->solid, j->cfg.nameless);
    return s->solid.n == 0 && s->solid_ns >= solid_ns && j->blocked_ns >= stuck_ns ? MAC_JAM_CONSTANT : MAC_JAM_NONE;
}

/* Noise that outlasts frames, which it comes with, whether or not it hurt them. */
static bool looks_answered(const struct mac_jam *j, const struct mac_jam_statistics *s)
{
    return s->answers.n_bursts >= least_answers && s->bursts.n_bursts * 3 <= s->answers.n_bursts &&
           mac_jam_look_kind(&s->answers, j->cfg.nameless) == MAC_JAM_CONSTANT;
}

/* Energy that comes and goes without frames: noise is somebody's pulses, and what was never seen in training is an attack without a name. */
static enum mac_jam_kind judge_bursts(const struct mac_jam *j, const struct mac_jam_statistics *s)
{
    if (s->bursts.n_bursts < least_shapes)
        return MAC_JAM_NONE;
    enum mac_jam_kind kind = mac_jam_look_kind(&s->bursts, j->cfg.nameless);
    if (kind == MAC_JAM_CONSTANT)
        return MAC_JAM_PULSE;
    return kind == MAC_JAM_FOREIGN ? MAC_JAM_NONE : MAC_JAM_UNKNOWN;
}

/* Frames begin well and die at one offset after their start: somebody hears them and answers with noise. */
static bool looks_reactive(const struct mac_jam *j, const struct mac_jam_statistics *s)
{
    unsigned least = j->cfg.min_frames * 3 / 4 > 5 ? j->cfg.min_frames * 3 / 4 : 5;
    least = least > RUN ? RUN : least;
    /* of eight frames six, or a run without a good one: the frames before the attack must not delay the verdict */
    if (s->last_bad * 4 < s->last * 3 && s->bad_run < least)
        return false;
    /* steps at many offsets are hidden stations or a stranger's bursts, and make steps at one offset a coincidence */
    bool one_offset = s->last_consistent * 4 >= s->last_rises * 3 && s->memory_consistent * 10 >= s->memory_rises * 7;
    if (!one_offset)
        return false;
    if (s->last_consistent >= least)
        return true;
    /* fewer steps seen, because receivers give up before them: then all else must fit */
    return s->last == RUN && s->last_bad >= RUN - 1 && s->last_weak == 0 && s->last_consistent >= 3 && s->busy_permille < 500;
}

static bool looks_pulsed(const struct mac_jam *j, const struct mac_jam_statistics *s)
{
    unsigned bad = s->n - s->n_good;
    return s->n_pulses >= least_pulses && bad * 2 >= j->cfg.min_frames && bad * 10 >= s->n * 3 && s->n_weak * 2 <= bad &&
           is_regular(j, s, false);
}

/* On a channel that is mostly silent no strong frame survives, and none shows where another one met it. */
static bool looks_hostile(const struct mac_jam_statistics *s)
{
    unsigned stray = s->memory_rises - s->memory_consistent;
    return s->bad_run >= 2 * RUN && s->n_weak * 10 <= s->n - s->n_good && s->busy_permille < 500 && stray <= 3;
}

/* Beginnings without a frame. On a full channel receivers find such in what collides, too, and preambles alone fill none. */
static bool looks_empty(const struct mac_jam_statistics *s)
{
    return s->n_vanished >= least_vanished && s->n_vanished * 2 >= s->n - s->n_good && s->busy_permille < 500;
}

/* What needs no count of frames. */
static enum mac_jam_kind judge_traces(const struct mac_jam *j, const struct mac_jam_statistics *s)
{
    if (s->n_copies >= least_copies && knows(j, MAC_JAM_DECEPTIVE))
        return MAC_JAM_DECEPTIVE;
    if (looks_empty(s) && knows(j, MAC_JAM_PREAMBLE))
        return MAC_JAM_PREAMBLE;
    return judge_solid(j, s);
}

enum mac_jam_kind mac_jam_judge(const struct mac_jam *j, const struct mac_jam_statistics *s)
{
    unsigned bad = s->n - s->n_good;
    enum mac_jam_kind trace = judge_traces(j, s);
    if (trace != MAC_JAM_NONE)
        return trace;
    bool answered = s->n_answers >= 4 && s->n_acked * 5 > s->n_answers * 4; /* own frames get through */
    bool enough = s->n >= j->cfg.min_frames;
    if (enough && !answered && looks_reactive(j, s) && knows(j, MAC_JAM_REACTIVE))
        return MAC_JAM_REACTIVE;
    if (looks_answered(j, s) && knows(j, MAC_JAM_REACTIVE))
        return MAC_JAM_REACTIVE;
    trace = judge_bursts(j, s);
    if (trace != MAC_JAM_NONE)
        return trace;
    if (s->n_radar > least_pulses && is_regular(j, s, true))
        return MAC_JAM_FOREIGN;
    if (s->n == 0)
        return MAC_JAM_NONE;
    if (!enough)
        return mac_jam_is_attack(j->opinion) ? MAC_JAM_NONE : j->opinion;
    if (!answered && looks_pulsed(j, s) && knows(j, MAC_JAM_PULSE))
        return MAC_JAM_PULSE;
    if (!answered && looks_hostile(s))
        return MAC_JAM_UNKNOWN;
    bool troubled = j->opinion == MAC_JAM_CONGESTION || j->opinion == MAC_JAM_WEAK_LINK;
    if (bad * 100 >= s->n * (troubled ? 15 : 40) && s->n_weak * 4 >= bad * 3)
        return MAC_JAM_WEAK_LINK;
    /* on a full channel each success shows as two good frames, data and ACK, a collision as one bad one */
    unsigned least = troubled ? 10 : s->busy_permille >= 500 ? 12 : 25;
    if (bad * 100 >= s->n * least && bad >= 3)
        return MAC_JAM_CONGESTION;
    return MAC_JAM_NONE;
}

static unsigned level_of(unsigned evidence, unsigned some, unsigned much)
{
    return evidence >= much ? 2 : evidence >= some ? 1 : 0;
}

unsigned mac_jam_level(enum mac_jam_kind kind, const struct mac_jam_statistics *s)
{
    switch (kind) {
    case MAC_JAM_REACTIVE: return level_of(s->last_consistent + s->last_bad + s->answers.n_bursts, 10, 13);
    case MAC_JAM_PULSE: return level_of(s->bursts.n, 8, 12);
    case MAC_JAM_UNKNOWN: return level_of(s->bursts.n + s->solid.n, 1, 10);
    case MAC_JAM_PREAMBLE: return level_of(s->n_vanished, 6, 9);
    case MAC_JAM_DECEPTIVE: return level_of(s->n_copies, 4, 6);
    case MAC_JAM_CONGESTION:
    case MAC_JAM_WEAK_LINK: return level_of(s->n - s->n_good, 8, 16);
    default: return level_of(s->solid.n, 8, 24);
    }
}
