/* A value that drifts, and its drift, from noisy observations of the value, one a symbol: a Kalman filter of two states. The receiver
 * follows the common phase with one (its drift is the carrier offset that is left) and the timing with another. */
#ifndef PHY_WIFI_TRACK_H
#define PHY_WIFI_TRACK_H

struct phy_wifi_track {
    float value, drift;             /* of the present symbol, and by how much it changes to the next */
    float var, cov, drift_var;      /* of their errors */
    float walk_var, drift_walk_var; /* what each symbol adds to the variances */
};

/* To the next symbol. */
void phy_wifi_track_predict(struct phy_wifi_track *t);
/* error: observed less predicted value, of variance noise_var. Returns by how much the value changed. */
float phy_wifi_track_correct(struct phy_wifi_track *t, float error, float noise_var);
#endif
