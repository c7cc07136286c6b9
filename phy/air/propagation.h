/* What distance and obstacles take from a signal. Pure. */
#ifndef PHY_PROPAGATION_H
#define PHY_PROPAGATION_H

#include <stdint.h>

/* Free space (Friis 1946): 20 log10(4 pi d f / c), dB. */
double phy_free_space_db(double distance_m, double frequency_hz);

struct phy_path_loss {
    double exponent;       /* 2 in free space, 3 to 4 among obstacles */
    double reference_m;    /* up to here free space; nothing is nearer than this */
    double reference_db;   /* loss there; NAN: free space at frequency_hz */
    double frequency_hz;
    double shadowing_db;   /* standard deviation of the log-normal part */
};
/* Log-distance model (Rappaport): reference_db + 10 n log10(d / d0), and a Gaussian draw in dB by (seed, a, b): the same both ways. */
double phy_path_loss_db(const struct phy_path_loss *p, double distance_m, uint64_t seed, uint32_t a, uint32_t b);
/* Thermal noise at 290 K: -174 dBm/Hz + 10 log10(bandwidth) + noise figure. */
double phy_thermal_noise_dbm(double bandwidth_hz, double noise_figure_db);
#endif
