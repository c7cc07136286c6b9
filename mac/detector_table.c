/* Written by tests/calibrate_jam.py from 104 episodes; not by hand. */
#include "mac/detector.h"

const struct mac_jam_box mac_jam_boxes[] = {
    {MAC_JAM_TONE, 914, 1130, 955, 1001, 0, 1001, 0, 41}, /* tone */
    {MAC_JAM_CONSTANT, 1814, 2179, 0, 93, 0, 132, 0, 99999}, /* noise */
    {MAC_JAM_FOREIGN, 1136, 1364, 846, 1001, 0, 1001, 0, 99999}, /* narrowband */
    {MAC_JAM_SWEEP, 911, 1135, 0, 1001, 0, 1001, 0, 99999}, /* sweep */
    {MAC_JAM_PILOT, 0, 99999, 118, 181, 608, 1001, 0, 99999}, /* pilot */
    {MAC_JAM_FOREIGN, 0, 99999, 0, 1001, 133, 607, 0, 99999}, /* ofdm */
};
const unsigned mac_jam_n_boxes = sizeof mac_jam_boxes / sizeof *mac_jam_boxes;

const uint16_t mac_jam_confidences[MAC_JAM_N_KINDS][MAC_JAM_LEVELS] = {
    [MAC_JAM_NONE] = {500, 500, 500},
    [MAC_JAM_CONGESTION] = {875, 875, 875},
    [MAC_JAM_WEAK_LINK] = {944, 944, 944},
    [MAC_JAM_CONSTANT] = {944, 944, 944},
    [MAC_JAM_PULSE] = {971, 971, 962},
    [MAC_JAM_REACTIVE] = {917, 917, 917},
    [MAC_JAM_UNKNOWN] = {500, 500, 500},
    [MAC_JAM_FOREIGN] = {944, 944, 944},
    [MAC_JAM_TONE] = {944, 944, 944},
    [MAC_JAM_SWEEP] = {944, 944, 944},
    [MAC_JAM_PREAMBLE] = {944, 944, 944},
    [MAC_JAM_PILOT] = {944, 944, 944},
    [MAC_JAM_DECEPTIVE] = {944, 944, 944},
};
