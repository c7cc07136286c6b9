#include "phy/air/propagation.h"

#include <math.h>

#include "phy/air/key.h"

double phy_free_space_db(double distance_m, double frequency_hz)
{
    return 20.0 * log10(4.0 * 3.14159265358979323846 * distance_m * frequency_hz / 299792458.0);
}

double phy_path_loss_db(const struct phy_path_loss *p, double distance_m, uint64_t seed, uint32_t a, uint32_t b)
{
    double reference_db = isnan(p->reference_db) ? phy_free_space_db(p->reference_m, p->frequency_hz) : p->reference_db;
    double distance = distance_m > p->reference_m ? distance_m : p->reference_m;
    uint64_t low = a < b ? a : b, high = a < b ? b : a;
    uint64_t key = phy_key(phy_key(seed, PHY_KEY_SHADOWING), low << 32 | high);
    double shadow_db = p->shadowing_db * sqrt(2.0) * creal(phy_key_gaussian(key));
    return reference_db + 10.0 * p->exponent * log10(distance / p->reference_m) + shadow_db;
}

double phy_thermal_noise_dbm(double bandwidth_hz, double noise_figure_db)
{
    return 10.0 * log10(1.380649e-23 * 290.0 * 1e3) + 10.0 * log10(bandwidth_hz) + noise_figure_db;
}
