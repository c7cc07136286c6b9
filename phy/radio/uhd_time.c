#include "phy/radio/uhd_time.h"

#include <math.h>

struct phy_uhd_time phy_uhd_time_of(int64_t number, uint32_t rate_hz)
{
    int64_t rate = rate_hz;
    return (struct phy_uhd_time){.full_secs = number / rate, .frac_secs = (double)(number % rate) / (double)rate};
}

int64_t phy_uhd_number_of(struct phy_uhd_time time, uint32_t rate_hz)
{
    static const double most = 4e9; /* seconds of fraction; a sane one is below 1 */
    int64_t number;
    if (!(fabs(time.frac_secs) < most) || __builtin_mul_overflow(time.full_secs, (int64_t)rate_hz, &number) ||
        __builtin_add_overflow(number, (int64_t)llround(time.frac_secs * (double)rate_hz), &number))
        return INT64_MIN;
    return number;
}
