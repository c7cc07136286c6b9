/* What the detector computes and how it judges. The reasons for each rule are in docs/mac.md. */
#include "mac/detector.h"

#include <string.h>

enum { RUN = 8 };
static const unsigned least_pulses = 16;
/* Radars send pulses of up to 30 us at a fixed period (ETSI EN 301 893, table D.4), which channel assessment in blocks of 8 us makes up to
 * 16 us longer. A train of those is a primary user or cannot be told from one, and accuses nobody. */
static const int64_t longest_radar_ns = 46000;
static const int64_t same_offset_ns = 50000; /* a jammer's reaction time and the receiver's estimate of it vary less */

static int64_t median_of(int64_t *values, unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        for (unsigned k = i; k > 0 && values[k - 1] > values[k]; k--) {
            int64_t swap = values[k];
            values[k] = values[k - 1];
            values[k - 1] = swap;
        }
    return values[n / 2];
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
    unsigned n_bad = 0;
    bool in_run = true;
    for (unsigned i = 0; (f = frame_back(j, i)) != NULL; i++) {
        if (f->rise_ns >= 0) {
            s->memory_rises++;
            s->memory_consistent += is_near(f->rise_ns, s->rise_ns);
        }
        in_run = in_run && !f->good && f->seen_ns > since_ns;
        s->bad_run += in_run;
        if (f->seen_ns <= since_ns)
            continue;
        s->n++;
        s->n_good += f->good;
        if (f->good)
            continue;
        n_bad++;
        s->n_weak += f->weak;
        s->strength_bad_db += f->strength_db;
    }
    if (n_bad > 0)
        s->strength_bad_db /= n_bad;
}

/* Energy bursts without a lock, longer than a radar's and at one interval, are a jammer's pulses. */
static void measure_bursts(const struct mac_jam *j, int64_t now_ns, struct mac_jam_statistics *s)
{
    int64_t since_ns = now_ns - j->cfg.window_ns, busy_ns = 0;
    int64_t starts[MAC_JAM_BURSTS], gaps[MAC_JAM_BURSTS], sorted[MAC_JAM_BURSTS];
    for (unsigned i = 0; i < MAC_JAM_BURSTS && i < j->n_bursts; i++) {
        const struct mac_jam_burst *b = &j->bursts[(j->n_bursts - 1 - i) % MAC_JAM_BURSTS];
        if (b->to_ns <= since_ns)
            break;
        busy_ns += b->to_ns - (b->from_ns > since_ns ? b->from_ns : since_ns);
        if (!b->locked && b->to_ns - b->from_ns > longest_radar_ns)
            starts[s->n_pulses++] = b->from_ns;
    }
    if (j->busy)
        busy_ns += now_ns - (j->busy_from_ns > since_ns ? j->busy_from_ns : since_ns);
    s->busy_permille = busy_ns >= j->cfg.window_ns ? 1000 : (unsigned)(busy_ns * 1000 / j->cfg.window_ns);
    if (s->n_pulses < least_pulses)
        return;
    for (unsigned i = 0; i + 1 < s->n_pulses; i++)
        sorted[i] = gaps[i] = starts[i] - starts[i + 1];
    int64_t middle_ns = median_of(sorted, s->n_pulses - 1);
    for (unsigned i = 0; i + 1 < s->n_pulses; i++)
        s->n_regular += gaps[i] - middle_ns <= middle_ns / 20 && middle_ns - gaps[i] <= middle_ns / 20;
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
    for (unsigned i = 0; i < MAC_JAM_ANSWERS && i < j->n_answers; i++) {
        bool recent = j->answered_ns[i] > since_ns;
        out->n_answers += recent;
        out->n_acked += recent && j->answers[i];
    }
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
    return s->n_pulses >= least_pulses && s->n_regular * 4 >= (s->n_pulses - 1) * 3 && bad * 2 >= j->cfg.min_frames && bad * 10 >= s->n * 3 &&
           s->n_weak * 2 <= bad;
}

/* On a channel that is mostly silent no strong frame survives, and none shows where another one met it. */
static bool looks_hostile(const struct mac_jam_statistics *s)
{
    unsigned stray = s->memory_rises - s->memory_consistent;
    return s->bad_run >= 2 * RUN && s->n_weak * 10 <= s->n - s->n_good && s->busy_permille < 500 && stray <= 3;
}

enum mac_jam_kind mac_jam_judge(const struct mac_jam *j, const struct mac_jam_statistics *s)
{
    unsigned bad = s->n - s->n_good;
    if (s->n == 0)
        return MAC_JAM_NONE;
    if (s->n < j->cfg.min_frames)
        return mac_jam_is_attack(j->opinion) ? MAC_JAM_NONE : j->opinion;
    bool answered = s->n_answers >= 4 && s->n_acked * 5 > s->n_answers * 4; /* own frames get through */
    if (!answered && looks_reactive(j, s))
        return MAC_JAM_REACTIVE;
    if (!answered && looks_pulsed(j, s))
        return MAC_JAM_PULSE;
    if (!answered && looks_hostile(s))
        return MAC_JAM_UNKNOWN;
    bool troubled = j->opinion == MAC_JAM_CONGESTION || j->opinion == MAC_JAM_WEAK_LINK;
    if (bad * 100 >= s->n * (troubled ? 15 : 40) && s->n_weak * 4 >= bad * 3)
        return MAC_JAM_WEAK_LINK;
    if (bad * 100 >= s->n * (troubled ? 10 : 25) && bad >= 3)
        return MAC_JAM_CONGESTION;
    return MAC_JAM_NONE;
}

unsigned mac_jam_confidence(enum mac_jam_kind kind, const struct mac_jam_statistics *s)
{
    unsigned bad = s->n - s->n_good;
    switch (kind) {
    case MAC_JAM_REACTIVE: { /* more bad frames with the step, and fewer good ones, each raise it */
        unsigned evidence = s->last_consistent * 2 + (s->last_bad - s->last_consistent);
        return 1000 * evidence / (evidence + 2 + (s->last - s->last_bad));
    }
    case MAC_JAM_CONSTANT:
        return 900;
    case MAC_JAM_PULSE:
        return 1000 * s->n_regular / (s->n_regular + 4);
    case MAC_JAM_UNKNOWN:
        return 1000 * s->bad_run / (s->bad_run * 2 + 8);
    case MAC_JAM_CONGESTION:
    case MAC_JAM_WEAK_LINK:
        return 1000 * bad / (s->n + 2);
    case MAC_JAM_NONE:
    case MAC_JAM_N_KINDS:
    default:
        return s->n == 0 ? 500 : 1000 * s->n_good / s->n;
    }
}
