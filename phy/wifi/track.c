#include "phy/wifi/track.h"

void phy_wifi_track_predict(struct phy_wifi_track *t)
{
    t->value += t->drift;
    t->var += 2.0f * t->cov + t->drift_var + t->walk_var;
    t->cov += t->drift_var;
    t->drift_var += t->drift_walk_var;
}

float phy_wifi_track_correct(struct phy_wifi_track *t, float error, float noise_var)
{
    float total = t->var + noise_var;
    float gain = t->var / total, drift_gain = t->cov / total;
    float change = gain * error;
    t->value += change;
    t->drift += drift_gain * error;
    t->drift_var -= drift_gain * t->cov;
    t->cov -= gain * t->cov;
    t->var -= gain * t->var;
    return change;
}
