/* What a detector says of one window of samples. */
#ifndef PHY_VERDICT_H
#define PHY_VERDICT_H

#include <stdbool.h>

struct phy_verdict {
    double statistic; /* what was measured; the detector's header says in what */
    double threshold; /* for the target false-alarm probability, in the same */
    bool occupied;    /* statistic > threshold */
};
#endif
