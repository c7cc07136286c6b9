/* Sample numbers and the times that UHD speaks, whole seconds and a fraction. With a rate of a whole number of Hz, sample number k
 * is the instant k / rate of the device's clock, exactly: nothing is ever added up in double. Pure. */
#ifndef PHY_UHD_TIME_H
#define PHY_UHD_TIME_H

#include <stdint.h>

struct phy_uhd_time {
    int64_t full_secs;
    double frac_secs; /* 0 <= frac < 1 */
};

/* number >= 0 */
struct phy_uhd_time phy_uhd_time_of(int64_t number, uint32_t rate_hz);
/* The nearest sample number; a fraction outside [0, 1) carries over. INT64_MIN where it lies beyond int64_t, or is no number. */
int64_t phy_uhd_number_of(struct phy_uhd_time time, uint32_t rate_hz);
#endif
