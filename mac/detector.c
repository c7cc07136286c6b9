#include "mac/detector.h"

#include <string.h>

/* A lock on noise is no frame. */
static const double present_db = 6.0;
/* A power step that is no ripple of the signal: 3 dB is a jammer as strong as the frame. */
static const double step_db = 2.0;
/* A receiver that gives up at a broken header ends its measurement there, in the jammer's first microseconds: too few to see a step,
 * enough to lift the mean over that of the preamble. Two aligned frames lift both alike (measured: 1 dB at most times). */
static const double swell_db = 1.5;
static const int64_t tail_ns = 8000;
static const double vanish_db = 3.0;
/* Silence this soon after the end of a header that could not be read: there was no payload. */
static const int64_t silence_ns = 24000;
static const int64_t pause_ns = 100000;
/* A burst that begins so soon after an own frame answers it. */
static const int64_t answer_ns = 400000;
enum { SHAPES_A_LOOK = 8 }; /* an opinion is formed on every so many */

const char *mac_jam_kind_name(enum mac_jam_kind kind)
{
    static const char *const names[MAC_JAM_N_KINDS] = {"none", "congestion", "weak-link", "constant", "pulse", "reactive", "jammed",
                                                       "foreign", "tone", "sweep", "preamble", "pilot", "deceptive"};
    return (unsigned)kind < MAC_JAM_N_KINDS ? names[kind] : "invalid";
}

bool mac_jam_is_attack(enum mac_jam_kind kind)
{
    return kind >= MAC_JAM_CONSTANT && kind < MAC_JAM_N_KINDS && kind != MAC_JAM_FOREIGN;
}

void mac_jam_init(struct mac_jam *j, const struct mac_jam_config *cfg, uint32_t channel)
{
    memset(j, 0, sizeof *j);
    j->cfg = *cfg;
    j->channel = channel;
    j->solid_from_ns = j->evidence_ns = j->sent_ns = j->vanish_ns = INT64_MIN / 4;
}

/* Where the power rose within a bad frame in a way that no other member's frame explains, or -1. */
static int64_t find_step(const struct mac_jam *j, const struct mac_rx_quality *q)
{
    int64_t at_ns = -1;
    if (q->rise_ns >= 0 && q->rise_db >= step_db)
        at_ns = q->rise_ns;
    else if (q->error_ns > 0) /* a jammer weaker than the frame lifts its errors, and hardly its power */
        at_ns = q->error_ns;
    else if (q->rise_ns < 0 && !q->header_ok && q->rssi_dbfs - q->head_dbfs >= swell_db)
        at_ns = q->end_ns - q->start_ns - tail_ns;
    return at_ns >= j->cfg.collision_ns && q->head_dbfs - j->cfg.noise_dbfs >= present_db ? at_ns : -1;
}

/* Was there energy already when the frame began? Then it is what the receiver found in others that met. */
static bool began_in_energy(const struct mac_jam *j, int64_t start_ns)
{
    const struct mac_jam_burst *last = &j->bursts[(j->n_bursts - 1) % MAC_JAM_BURSTS];
    if (j->busy)
        return j->busy_from_ns < start_ns;
    return j->n_bursts > 0 && last->from_ns < start_ns && last->to_ns > start_ns;
}

/* A strong beginning and nothing behind it, of a bad frame. Where a header could be read of what followed, noise was taken for a frame and lasts. */
static void note_vanished(struct mac_jam *j, struct mac_jam_frame *f, const struct mac_rx_quality *q, int64_t now_ns)
{
    j->vanish_ns = INT64_MIN / 4;
    if (f->rise_ns >= 0 || began_in_energy(j, q->start_ns) || !(q->head_dbfs - j->cfg.noise_dbfs >= present_db))
        return;
    f->vanished = q->header_ok ? q->head_dbfs - q->rssi_dbfs >= vanish_db : !j->busy;
    if (!q->header_ok && !f->vanished)
        j->vanish_ns = now_ns + silence_ns;
}

/* Returns true if the frame was bad. */
static bool note_frame(struct mac_jam *j, const struct mac_rx_quality *q, int64_t now_ns)
{
    if (q->header_ok && q->fcs_ok) {
        (void)mac_jam_note_good(j, q, q->start_ns, now_ns);
        return false;
    }
    struct mac_jam_frame *f = &j->frames[j->n_frames++ % MAC_JAM_FRAMES];
    *f = (struct mac_jam_frame){.start_ns = q->start_ns, .seen_ns = now_ns, .rise_ns = find_step(j, q), .weak = mac_jam_is_weak(j, q)};
    f->strength_db = q->rssi_dbfs - j->cfg.noise_dbfs;
    note_vanished(j, f, q, now_ns);
    if (q->header_ok)
        j->solid_from_ns = now_ns;
    return true;
}

static void note_busy(struct mac_jam *j, int64_t now_ns)
{
    if (j->busy)
        return;
    if (now_ns - j->idle_from_ns > pause_ns || j->solid_from_ns < 0)
        j->solid_from_ns = now_ns;
    j->busy = true;
    j->locked = false;
    j->busy_from_ns = now_ns;
}

static void note_idle(struct mac_jam *j, int64_t now_ns)
{
    if (!j->busy)
        return;
    j->busy = false;
    j->idle_from_ns = now_ns;
    if (now_ns <= j->vanish_ns)
        j->frames[(j->n_frames - 1) % MAC_JAM_FRAMES].vanished = true;
    j->vanish_ns = INT64_MIN / 4;
    mac_jam_add_burst(j, now_ns);
}

static bool is_plain(double value)
{
    return value >= 0.0 && value < 1e6;
}

static void note_shape(struct mac_jam *j, const struct mac_shape *shape, int64_t now_ns)
{
    /* no number fails every comparison and is left out */
    if (!is_plain(shape->kurtosis) || !is_plain(shape->narrow) || !is_plain(shape->repeat) || !is_plain(shape->centre_hz / 1e4 + 1e5))
        return;
    j->forms[j->n_forms++ % MAC_JAM_SHAPES] = (struct mac_jam_form){
        .at_ns = now_ns,
        .burst_ns = j->busy_from_ns,
        .alone = !j->locked && (j->busy_from_ns < j->sent_ns || j->busy_from_ns - j->sent_ns > answer_ns),
        .kurtosis_permille = (int32_t)(shape->kurtosis * 1000.0),
        .narrow_permille = (int32_t)(shape->narrow * 1000.0),
        .repeat_permille = (int32_t)(shape->repeat * 1000.0),
        .centre_khz = (int32_t)(shape->centre_hz / 1000.0),
    };
}

static bool note_name(struct mac_jam *j, uint64_t name, int64_t now_ns)
{
    for (unsigned i = 0; i < MAC_JAM_NAMES && i < j->n_names; i++)
        if (j->names[i] == name && now_ns - j->named_ns[i] <= j->cfg.window_ns) {
            j->named_ns[i] = now_ns;
            j->copied_ns[j->n_copies++ % MAC_JAM_NAMES] = now_ns;
            return true;
        }
    unsigned next = j->n_names++ % MAC_JAM_NAMES;
    j->names[next] = name;
    j->named_ns[next] = now_ns;
    return false;
}

static enum mac_jam_kind form_opinion(struct mac_jam *j, const struct mac_jam_statistics *s, int64_t now_ns)
{
    bool trouble = j->trouble;
    enum mac_jam_kind judged = mac_jam_judge(j, s);
    bool lasts = j->busy && (judged == j->opinion || !mac_jam_is_attack(j->opinion)); /* energy that is there now */
    if ((mac_jam_is_attack(judged) || judged == MAC_JAM_FOREIGN) && (trouble || (lasts && s->solid_ns >= j->cfg.window_ns))) {
        j->evidence_ns = now_ns;
        /* what has a name keeps it until it is over: traces of one kind of jammer, left behind, look like another's */
        return mac_jam_is_attack(j->opinion) && j->opinion != MAC_JAM_UNKNOWN ? j->opinion : judged;
    }
    /* an attack that has been named goes on while strong frames keep dying, whether or not each shows how */
    if (trouble && s->last_bad * 4 >= s->last * 3 && s->last_weak * 2 <= s->last_bad)
        j->evidence_ns = now_ns;
    if (!mac_jam_is_attack(j->opinion) && j->opinion != MAC_JAM_FOREIGN)
        return mac_jam_is_attack(judged) || judged == MAC_JAM_FOREIGN ? j->opinion : judged;
    /* a radar does not end with the frames that its pulses spare */
    bool spared = s->last == 8 && s->last_bad <= 2 && s->n_vanished + s->n_copies + s->bursts.n + s->answers.n == 0;
    bool over = now_ns - j->evidence_ns >= j->cfg.window_ns || (spared && j->opinion != MAC_JAM_FOREIGN);
    return over ? MAC_JAM_NONE : j->opinion;
}

/* A carrier's band is its line, that of what wanders all that it was seen at; what is as wide as the channel has none. */
static void describe_look(const struct mac_jam_look *l, struct mac_jam_verdict *out)
{
    out->kurtosis_permille = l->kurtosis_permille;
    out->narrow_permille = l->narrow_permille;
    out->repeat_permille = l->repeat_permille;
    out->spread_khz = l->spread_khz;
    if (out->kind != MAC_JAM_TONE && out->kind != MAC_JAM_SWEEP)
        return;
    out->low_khz = l->centre_khz - l->spread_khz - 1;
    out->high_khz = l->centre_khz + l->spread_khz + 1;
}

static void describe(const struct mac_jam *j, const struct mac_jam_statistics *s, int64_t now_ns, struct mac_jam_verdict *out)
{
    double strength = s->strength_bad_db * 100.0;
    *out = (struct mac_jam_verdict){
        .kind = j->opinion,
        .channel = j->channel,
        .from_ns = s->solid.n > 0 || j->opinion == MAC_JAM_CONSTANT ? j->solid_from_ns : s->from_ns,
        .at_ns = now_ns,
        .confidence_permille = mac_jam_confidences[j->opinion][mac_jam_level(j->opinion, s)],
        .level = mac_jam_level(j->opinion, s),
        .n_frames = s->n,
        .n_good = s->n_good,
        .busy_permille = s->busy_permille,
        .mean_rise_us = s->rise_ns < 0 ? -1 : (int32_t)(s->rise_ns / 1000),
        .rssi_bad_cdb = strength > -100000.0 && strength < 100000.0 ? (int32_t)strength : 0,
    };
    describe_look(s->solid.n > 0 ? &s->solid : s->bursts.n > 0 ? &s->bursts : &s->answers, out);
}

/* Takes an observation in. True if it is trouble by itself: only that raises an accusation. */
static bool note(struct mac_jam *j, const struct mac_jam_observation *seen, bool *ignore_out)
{
    *ignore_out = seen->kind != MAC_JAM_SEEN_FRAME && seen->kind != MAC_JAM_SEEN_TICK;
    switch (seen->kind) {
    case MAC_JAM_SEEN_FRAME:
        return note_frame(j, seen->quality, seen->now_ns);
    case MAC_JAM_SEEN_LOCK:
        mac_jam_note_lock(j);
        return false;
    case MAC_JAM_SEEN_BUSY:
        note_busy(j, seen->now_ns);
        return false;
    case MAC_JAM_SEEN_IDLE:
        note_idle(j, seen->now_ns);
        *ignore_out = j->n_bursts % SHAPES_A_LOOK != 0;
        return !*ignore_out;
    case MAC_JAM_SEEN_ANSWER:
        j->answers[j->n_answers % MAC_JAM_ANSWERS] = seen->acked;
        j->answered_ns[j->n_answers++ % MAC_JAM_ANSWERS] = seen->now_ns;
        return false;
    case MAC_JAM_SEEN_SENT:
        j->solid_from_ns = j->sent_ns = seen->now_ns;
        return false;
    case MAC_JAM_SEEN_SHAPE:
        note_shape(j, seen->shape, seen->now_ns);
        *ignore_out = j->busy_from_ns == j->solid_from_ns && j->n_forms % SHAPES_A_LOOK != 0;
        return !*ignore_out;
    case MAC_JAM_SEEN_NAME:
        *ignore_out = !note_name(j, seen->name, seen->now_ns);
        return !*ignore_out;
    case MAC_JAM_SEEN_TICK:
    default:
        return false;
    }
}

bool mac_jam_note(struct mac_jam *j, const struct mac_jam_observation *seen)
{
    bool ignore;
    j->trouble = note(j, seen, &ignore);
    bool stuck = j->busy && seen->now_ns - j->solid_from_ns >= j->cfg.window_ns;
    return !ignore && (j->trouble || j->opinion != MAC_JAM_NONE || stuck);
}

bool mac_jam_observe(struct mac_jam *j, const struct mac_jam_observation *seen, struct mac_jam_verdict *out)
{
    return mac_jam_note(j, seen) && mac_jam_form(j, seen, out);
}

bool mac_jam_form(struct mac_jam *j, const struct mac_jam_observation *seen, struct mac_jam_verdict *out)
{
    struct mac_jam_statistics s;
    j->blocked_ns = seen->blocked_ns;
    mac_jam_measure(j, seen->now_ns, &s);
    enum mac_jam_kind opinion = form_opinion(j, &s, seen->now_ns);
    if (opinion == j->opinion)
        return false;
    j->opinion = opinion;
    describe(j, &s, seen->now_ns, out);
    return true;
}

int64_t mac_jam_deadline(const struct mac_jam *j)
{
    if (mac_jam_is_attack(j->opinion) || j->opinion == MAC_JAM_FOREIGN)
        return j->evidence_ns + j->cfg.window_ns;
    if (j->opinion != MAC_JAM_NONE) { /* the last frame leaves the window */
        const struct mac_jam_frame *last = &j->frames[(j->n_frames - 1) % MAC_JAM_FRAMES];
        return last->seen_ns + j->cfg.window_ns;
    }
    return INT64_MAX;
}
