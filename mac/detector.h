/* The jamming detector as a machine of its own: observations in, opinion out. mac/jam.h has configuration and verdict; docs/mac.md
 * gives each rule with its reason. Pure; all state is in the struct. */
#ifndef MAC_DETECTOR_H
#define MAC_DETECTOR_H

#include "mac/mac.h"

enum { MAC_JAM_FRAMES = 64, MAC_JAM_BURSTS = 128, MAC_JAM_ANSWERS = 16, MAC_JAM_SHAPES = 32, MAC_JAM_NAMES = 16 };

enum mac_jam_seen {
    MAC_JAM_SEEN_FRAME,  /* a lock ended */
    MAC_JAM_SEEN_LOCK,
    MAC_JAM_SEEN_BUSY,   /* energy above the CCA threshold */
    MAC_JAM_SEEN_IDLE,
    MAC_JAM_SEEN_ANSWER, /* own unicast: its ACK came or not */
    MAC_JAM_SEEN_SENT,   /* an own frame has left */
    MAC_JAM_SEEN_SHAPE,  /* what energy without a frame looks like */
    MAC_JAM_SEEN_NAME,   /* a good frame's transmitter and sequence number */
    MAC_JAM_SEEN_TICK
};

struct mac_jam_observation {
    enum mac_jam_seen kind;
    int64_t now_ns;
    int64_t blocked_ns; /* how long the head of the queue has waited; only mac_jam_form looks at it */
    union {
        const struct mac_rx_quality *quality;
        const struct mac_shape *shape;
        double power_dbfs;
        uint64_t name;
        bool acked;
    };
};

struct mac_jam_frame {
    int64_t start_ns, seen_ns;
    int64_t rise_ns; /* of a step that counts as evidence, -1 otherwise */
    double strength_db;
    bool good, weak;
    bool vanished; /* it began strongly and then there was nothing */
};

struct mac_jam_burst {
    int64_t from_ns, to_ns;
    bool locked;
    int64_t sum_ns;             /* how long it and all before it lasted */
    unsigned n_radar, n_pulses; /* such among these */
};

struct mac_jam_form {
    int64_t at_ns, burst_ns; /* burst: when the energy began that it is of */
    bool alone;              /* no lock in that energy, and it did not begin with the end of an own frame */
    int32_t kurtosis_permille, narrow_permille, repeat_permille, centre_khz;
};

struct mac_jam {
    bool busy, locked;   /* now */
    bool trouble;        /* the latest observation is, by itself: only such raise an accusation */
    enum mac_jam_kind opinion;
    int64_t evidence_ns; /* last observation that supports an accusing opinion */
    int64_t vanish_ns;   /* the latest frame has vanished if there is silence by then */
    int64_t sent_ns;     /* end of the latest own frame */
    int64_t busy_from_ns, idle_from_ns;
    int64_t solid_from_ns; /* start of energy that went on without a pause, a decoded header or an own frame */
    int64_t blocked_ns;
    uint64_t n_frames, n_bursts, n_answers, n_forms, n_names, n_copies; /* ever; the last ones are kept */
    struct mac_jam_config cfg;
    uint32_t channel;
    uint64_t names[MAC_JAM_NAMES];
    int64_t named_ns[MAC_JAM_NAMES], copied_ns[MAC_JAM_NAMES];
    struct mac_jam_frame frames[MAC_JAM_FRAMES];
    struct mac_jam_burst bursts[MAC_JAM_BURSTS];
    bool answers[MAC_JAM_ANSWERS];
    int64_t answered_ns[MAC_JAM_ANSWERS];
    struct mac_jam_form forms[MAC_JAM_SHAPES];
};

/* A bad frame this close to the floor needs no attacker; nor does one whose strength is no number. */
static inline bool mac_jam_is_weak(const struct mac_jam *j, const struct mac_rx_quality *q)
{
    return !(q->head_dbfs - j->cfg.noise_dbfs >= 10.0);
}

void mac_jam_init(struct mac_jam *j, const struct mac_jam_config *cfg, uint32_t channel);
/* Takes an observation in; true where an opinion is to be formed on it. */
bool mac_jam_note(struct mac_jam *j, const struct mac_jam_observation *seen);
/* Forms it. True when it changed: *out says to what. An accusation is raised only by an observation that is itself trouble. */
bool mac_jam_form(struct mac_jam *j, const struct mac_jam_observation *seen, struct mac_jam_verdict *out);
/* Both. */
bool mac_jam_observe(struct mac_jam *j, const struct mac_jam_observation *seen, struct mac_jam_verdict *out);
/* What mac_jam_note comes to where nobody jams: a LOCK; a FRAME that arrived whole; a NAME that was not heard lately (false: it was,
 * and nothing was taken in). */
static inline void mac_jam_note_lock(struct mac_jam *j)
{
    j->locked = true;
}

static inline bool mac_jam_note_good(struct mac_jam *j, const struct mac_rx_quality *q, int64_t start_ns, int64_t now_ns)
{
    j->frames[j->n_frames++ % MAC_JAM_FRAMES] =
        (struct mac_jam_frame){.start_ns = start_ns,
                               .seen_ns = now_ns,
                               .rise_ns = -1,
                               .strength_db = q->rssi_dbfs - j->cfg.noise_dbfs,
                               .good = true,
                               .weak = mac_jam_is_weak(j, q)};
    j->vanish_ns = INT64_MIN / 4;
    j->solid_from_ns = now_ns;
    j->trouble = false;
    return j->opinion != MAC_JAM_NONE;
}

static inline bool mac_jam_note_new_name(struct mac_jam *j, uint64_t name, int64_t now_ns)
{
    for (unsigned i = 0; i < MAC_JAM_NAMES; i++)
        if (j->names[i] == name)
            return false;
    unsigned next = j->n_names++ % MAC_JAM_NAMES;
    j->names[next] = name;
    j->named_ns[next] = now_ns;
    return true;
}

/* When to send a TICK. */
int64_t mac_jam_deadline(const struct mac_jam *j);

/* Medians over the shapes of one trouble; spread: half the difference of their ninth and first deciles. */
struct mac_jam_look {
    unsigned n, n_bursts;    /* shapes, and how many stretches of energy they are of */
    int32_t kurtosis_permille, narrow_permille, repeat_permille, centre_khz, spread_khz;
};

/* detector_rules.c: energy that was there since busy_from_ns has ended; what the last window holds */
void mac_jam_add_burst(struct mac_jam *j, int64_t now_ns);
struct mac_jam_statistics {
    unsigned n, n_good, n_weak;          /* locks in the window; weak: bad ones near the sensitivity */
    unsigned n_vanished;                 /* bad ones that were no more than a beginning */
    unsigned last, last_bad, last_weak;  /* of the last eight of them */
    unsigned last_rises, last_consistent; /* bad ones with a step inside; those whose step is where the others' are */
    unsigned memory_rises, memory_consistent; /* the same over all frames that are remembered */
    unsigned bad_run;                    /* bad frames in a row up to now */
    unsigned busy_permille;
    unsigned n_bursts, n_pulses;         /* stretches of energy; those without lock that are longer than a radar's pulse */
    unsigned n_radar;                    /* the same that are no longer than that */
    unsigned n_answers, n_acked;
    unsigned n_copies;                   /* frames that were heard before, though nobody repeats them */
    int64_t rise_ns;                     /* median offset of the steps */
    int64_t from_ns;                     /* first bad frame of the run of eight */
    int64_t solid_ns;                    /* energy without a pause up to now */
    struct mac_jam_look solid, bursts, answers; /* shapes of that; of energy that came and went by itself; of what frames left behind */
    double strength_bad_db;
};

void mac_jam_measure(const struct mac_jam *j, int64_t now_ns, struct mac_jam_statistics *out);
/* detector_look.c: shapes since an instant: any, those of energy that came by itself, or of what came with frames. */
enum mac_jam_where { MAC_JAM_ANY, MAC_JAM_ALONE, MAC_JAM_BEHIND };
void mac_jam_look(const struct mac_jam *j, int64_t since_ns, enum mac_jam_where where, struct mac_jam_look *out);
/* What such energy is: a kind, but none of the nameless ones; MAC_JAM_UNKNOWN for nothing that was ever seen in training. */
enum mac_jam_kind mac_jam_look_kind(const struct mac_jam_look *look, uint32_t nameless);
/* The opinion that these statistics alone would give. */
enum mac_jam_kind mac_jam_judge(const struct mac_jam *j, const struct mac_jam_statistics *s);
/* How much evidence there is for it: 0 .. MAC_JAM_LEVELS - 1. */
unsigned mac_jam_level(enum mac_jam_kind kind, const struct mac_jam_statistics *s);

/* detector_table.c, written by tests/calibrate_jam.py from episodes of `airdeed calibrate --jam`: what each kind of energy looks like,
 * and how often a verdict of each kind was right. */
struct mac_jam_box {
    enum mac_jam_kind kind;
    int32_t kurtosis_low, kurtosis_high, narrow_low, narrow_high, repeat_low, repeat_high, spread_low, spread_high;
};
extern const struct mac_jam_box mac_jam_boxes[];
extern const unsigned mac_jam_n_boxes;
enum { MAC_JAM_LEVELS = 3 };
extern const uint16_t mac_jam_confidences[MAC_JAM_N_KINDS][MAC_JAM_LEVELS]; /* by how much evidence there is */
#endif
