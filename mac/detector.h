/* The jamming detector as a machine of its own: observations in, opinion out. mac/jam.h has configuration and verdict; docs/mac.md
 * gives each rule with its reason. Pure; all state is in the struct. */
#ifndef MAC_DETECTOR_H
#define MAC_DETECTOR_H

#include "mac/mac.h"

enum { MAC_JAM_FRAMES = 64, MAC_JAM_BURSTS = 128, MAC_JAM_ANSWERS = 16 };

enum mac_jam_seen {
    MAC_JAM_SEEN_FRAME,  /* a lock ended */
    MAC_JAM_SEEN_LOCK,
    MAC_JAM_SEEN_BUSY,   /* energy above the CCA threshold */
    MAC_JAM_SEEN_IDLE,
    MAC_JAM_SEEN_ANSWER, /* own unicast: its ACK came or not */
    MAC_JAM_SEEN_SENT,   /* an own frame has left */
    MAC_JAM_SEEN_TICK
};

struct mac_jam_observation {
    enum mac_jam_seen kind;
    int64_t now_ns;
    int64_t blocked_ns; /* how long the head of the queue has waited */
    union {
        const struct mac_rx_quality *quality;
        double power_dbfs;
        bool acked;
    };
};

struct mac_jam_frame {
    int64_t start_ns, seen_ns;
    int64_t rise_ns; /* of a step that counts as evidence, -1 otherwise */
    double strength_db;
    bool good, weak;
};

struct mac_jam_burst {
    int64_t from_ns, to_ns;
    bool locked;
};

struct mac_jam {
    struct mac_jam_config cfg;
    uint32_t channel;
    uint64_t n_frames, n_bursts, n_answers; /* ever; the last ones are kept */
    struct mac_jam_frame frames[MAC_JAM_FRAMES];
    struct mac_jam_burst bursts[MAC_JAM_BURSTS];
    bool answers[MAC_JAM_ANSWERS];
    int64_t answered_ns[MAC_JAM_ANSWERS];
    bool busy, locked;   /* now */
    int64_t busy_from_ns, idle_from_ns;
    int64_t solid_from_ns; /* start of energy that went on without a pause, a decoded header or an own frame */
    int64_t blocked_ns;
    enum mac_jam_kind opinion;
    int64_t evidence_ns; /* last observation that supports an accusing opinion */
};

void mac_jam_init(struct mac_jam *j, const struct mac_jam_config *cfg, uint32_t channel);
/* True when the opinion changed: *out says to what. An accusation is raised only by an observation that is itself trouble. */
bool mac_jam_observe(struct mac_jam *j, const struct mac_jam_observation *seen, struct mac_jam_verdict *out);
/* When to send a TICK. */
int64_t mac_jam_deadline(const struct mac_jam *j);

/* detector_rules.c: what the last window holds */
struct mac_jam_statistics {
    unsigned n, n_good, n_weak;          /* locks in the window; weak: bad ones near the sensitivity */
    unsigned last, last_bad, last_weak;  /* of the last eight of them */
    unsigned last_rises, last_consistent; /* bad ones with a step inside; those whose step is where the others' are */
    unsigned memory_rises, memory_consistent; /* the same over all frames that are remembered */
    unsigned bad_run;                    /* bad frames in a row up to now */
    unsigned busy_permille;
    unsigned n_pulses, n_regular;        /* energy without lock, longer than a radar's pulse; such that follow each other at the median interval */
    unsigned n_answers, n_acked;
    int64_t rise_ns;                     /* median offset of the steps */
    int64_t from_ns;                     /* first bad frame of the run of eight */
    double strength_bad_db;
};

void mac_jam_measure(const struct mac_jam *j, int64_t now_ns, struct mac_jam_statistics *out);
/* The opinion that these statistics alone would give. */
enum mac_jam_kind mac_jam_judge(const struct mac_jam *j, const struct mac_jam_statistics *s);
unsigned mac_jam_confidence(enum mac_jam_kind kind, const struct mac_jam_statistics *s);
#endif
