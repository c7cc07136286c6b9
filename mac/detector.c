#include "mac/detector.h"

#include <string.h>

/* A bad frame this close to the floor needs no attacker, and a lock on noise is no frame. */
static const double weak_db = 10.0, present_db = 6.0;
/* A power step that is no ripple of the signal: 3 dB is a jammer as strong as the frame. */
static const double step_db = 2.0;
/* A receiver that gives up at a broken header ends its measurement there, in the jammer's first microseconds: too few to see a step,
 * enough to lift the mean over that of the preamble. Two aligned frames lift both alike (measured: 1 dB at most times). */
static const double swell_db = 1.5;
static const int64_t tail_ns = 8000;
/* Energy without a pause for so long, and a queue that cannot move for so long, are more than any exchange of frames. */
static const int64_t solid_ns = 1000000000, pause_ns = 100000, stuck_ns = 100000000;

const char *mac_jam_kind_name(enum mac_jam_kind kind)
{
    static const char *const names[MAC_JAM_N_KINDS] = {"none", "congestion", "weak-link", "constant", "pulse", "reactive", "unknown"};
    return (unsigned)kind < MAC_JAM_N_KINDS ? names[kind] : "invalid";
}

bool mac_jam_is_attack(enum mac_jam_kind kind)
{
    return kind == MAC_JAM_CONSTANT || kind == MAC_JAM_PULSE || kind == MAC_JAM_REACTIVE || kind == MAC_JAM_UNKNOWN;
}

void mac_jam_init(struct mac_jam *j, const struct mac_jam_config *cfg, uint32_t channel)
{
    memset(j, 0, sizeof *j);
    j->cfg = *cfg;
    j->channel = channel;
    j->solid_from_ns = j->evidence_ns = INT64_MIN / 4;
}

/* Where the power rose within a bad frame in a way that no other member's frame explains, or -1. */
static int64_t find_step(const struct mac_jam *j, const struct mac_rx_quality *q)
{
    int64_t at_ns = -1;
    if (q->rise_ns >= 0 && q->rise_db >= step_db)
        at_ns = q->rise_ns;
    else if (q->rise_ns < 0 && !q->header_ok && q->rssi_dbfs - q->head_dbfs >= swell_db)
        at_ns = q->end_ns - q->start_ns - tail_ns;
    return at_ns >= j->cfg.collision_ns && q->head_dbfs - j->cfg.noise_dbfs >= present_db ? at_ns : -1;
}

/* Returns true if the frame was bad. */
static bool note_frame(struct mac_jam *j, const struct mac_rx_quality *q, int64_t now_ns)
{
    struct mac_jam_frame *f = &j->frames[j->n_frames++ % MAC_JAM_FRAMES];
    *f = (struct mac_jam_frame){.start_ns = q->start_ns, .seen_ns = now_ns, .rise_ns = -1};
    f->strength_db = q->rssi_dbfs - j->cfg.noise_dbfs;
    f->good = q->header_ok && q->fcs_ok;
    f->weak = !(q->head_dbfs - j->cfg.noise_dbfs >= weak_db); /* also when it is no number: that accuses nobody */
    if (!f->good)
        f->rise_ns = find_step(j, q);
    if (q->header_ok)
        j->solid_from_ns = now_ns;
    return !f->good;
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
    j->bursts[j->n_bursts++ % MAC_JAM_BURSTS] =
        (struct mac_jam_burst){.from_ns = j->busy_from_ns, .to_ns = now_ns, .locked = j->locked};
}

static bool is_constant(const struct mac_jam *j, int64_t now_ns)
{
    return j->busy && now_ns - j->solid_from_ns >= solid_ns && j->blocked_ns >= stuck_ns;
}

static enum mac_jam_kind form_opinion(struct mac_jam *j, const struct mac_jam_statistics *s, bool bad_frame, int64_t now_ns)
{
    if (is_constant(j, now_ns)) {
        j->evidence_ns = now_ns;
        return MAC_JAM_CONSTANT;
    }
    enum mac_jam_kind judged = mac_jam_judge(j, s);
    if (mac_jam_is_attack(judged) && bad_frame) {
        j->evidence_ns = now_ns;
        return judged;
    }
    /* an attack that has been named goes on while strong frames keep dying, whether or not each shows how */
    if (bad_frame && s->last_bad * 4 >= s->last * 3 && s->last_weak * 2 <= s->last_bad)
        j->evidence_ns = now_ns;
    if (!mac_jam_is_attack(j->opinion))
        return mac_jam_is_attack(judged) ? j->opinion : judged;
    bool over = now_ns - j->evidence_ns >= j->cfg.window_ns || (s->last == 8 && s->last_bad <= 2);
    return over ? MAC_JAM_NONE : j->opinion;
}

static void describe(const struct mac_jam *j, const struct mac_jam_statistics *s, int64_t now_ns, struct mac_jam_verdict *out)
{
    double strength = s->strength_bad_db * 100.0;
    *out = (struct mac_jam_verdict){
        .kind = j->opinion,
        .channel = j->channel,
        .from_ns = j->opinion == MAC_JAM_CONSTANT ? j->solid_from_ns : s->from_ns,
        .at_ns = now_ns,
        .confidence_permille = mac_jam_confidence(j->opinion, s),
        .n_frames = s->n,
        .n_good = s->n_good,
        .busy_permille = s->busy_permille,
        .mean_rise_us = s->rise_ns < 0 ? -1 : (int32_t)(s->rise_ns / 1000),
        .rssi_bad_cdb = strength > -100000.0 && strength < 100000.0 ? (int32_t)strength : 0,
    };
}

bool mac_jam_observe(struct mac_jam *j, const struct mac_jam_observation *seen, struct mac_jam_verdict *out)
{
    bool bad_frame = false;
    j->blocked_ns = seen->blocked_ns;
    switch (seen->kind) {
    case MAC_JAM_SEEN_FRAME:
        bad_frame = note_frame(j, seen->quality, seen->now_ns);
        break;
    case MAC_JAM_SEEN_LOCK:
        j->locked = true;
        return false;
    case MAC_JAM_SEEN_BUSY:
        note_busy(j, seen->now_ns);
        return false;
    case MAC_JAM_SEEN_IDLE:
        note_idle(j, seen->now_ns);
        return false;
    case MAC_JAM_SEEN_ANSWER:
        j->answers[j->n_answers % MAC_JAM_ANSWERS] = seen->acked;
        j->answered_ns[j->n_answers++ % MAC_JAM_ANSWERS] = seen->now_ns;
        return false;
    case MAC_JAM_SEEN_SENT:
        j->solid_from_ns = seen->now_ns;
        return false;
    case MAC_JAM_SEEN_TICK:
    default:
        break;
    }
    if (!bad_frame && j->opinion == MAC_JAM_NONE && !is_constant(j, seen->now_ns))
        return false; /* only trouble makes an opinion */
    struct mac_jam_statistics s;
    mac_jam_measure(j, seen->now_ns, &s);
    enum mac_jam_kind opinion = form_opinion(j, &s, bad_frame, seen->now_ns);
    if (opinion == j->opinion)
        return false;
    j->opinion = opinion;
    describe(j, &s, seen->now_ns, out);
    return true;
}

int64_t mac_jam_deadline(const struct mac_jam *j)
{
    if (mac_jam_is_attack(j->opinion) && j->opinion != MAC_JAM_CONSTANT)
        return j->evidence_ns + j->cfg.window_ns;
    if (j->opinion == MAC_JAM_CONSTANT)
        return (j->busy ? j->evidence_ns : j->idle_from_ns) + j->cfg.window_ns;
    if (j->opinion != MAC_JAM_NONE) { /* the last frame leaves the window */
        const struct mac_jam_frame *last = &j->frames[(j->n_frames - 1) % MAC_JAM_FRAMES];
        return last->seen_ns + j->cfg.window_ns;
    }
    return INT64_MAX;
}
