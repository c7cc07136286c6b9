/* Saturated stations that share one channel of 802.11a: the production MAC on the ether, and beside it a second implementation of the
 * same rules that shares no code with it, for whatever no published figure speaks of. */
#ifndef APPS_VALIDATE_SATURATE_H
#define APPS_VALIDATE_SATURATE_H

#include <stdbool.h>
#include <stdint.h>

struct app_saturate {
    uint32_t n;         /* senders; each sends to the next one, a single one to a station that only listens */
    bool hidden;        /* two senders, neither hears the other, and a receiver between them that both send to; n is 2 */
    bool rts;           /* each frame follows an RTS and its CTS; RTS are repeated without end */
    uint32_t payload;   /* octets behind LLC/SNAP, 5..2300 */
    unsigned rate;      /* index, of data; all else goes at 6 Mb/s */
    uint32_t cw;        /* CWmin, 2^k - 1; CWmax is 1023, or this if that is more */
    uint32_t attempts;  /* at one frame in all, 1.. */
    uint64_t trials;    /* attempts to measure, behind a twentieth as many to settle */
    uint64_t seed;
};

struct app_saturated {
    double s_mbps, p;                 /* payload that was acknowledged; share of attempts that failed */
    double s_mbps_error, p_error;     /* standard errors, from the means of batches */
    uint64_t trials;
};

/* 0, or -ENOMEM. */
__attribute__((warn_unused_result)) int app_saturate_mac(const struct app_saturate *cfg, struct app_saturated *out);
__attribute__((warn_unused_result)) int app_saturate_reference(const struct app_saturate *cfg, struct app_saturated *out);

/* Means of batches. */
enum { SATURATE_BATCHES = 40 };
struct app_batches {
    uint64_t trials;         /* to measure in all */
    uint64_t attempts, acked; /* in this batch */
    int64_t from_ns;
    int n;                   /* batches done; -1: settling */
    double s[SATURATE_BATCHES], p[SATURATE_BATCHES];
};
/* Closes a batch where it is full; true when all are done. bits: of one frame. */
bool app_batches_turn(struct app_batches *b, int64_t now_ns, double bits);
void app_batches_result(const struct app_batches *b, struct app_saturated *out);
#endif
