/* Written by tests/calibrate_jam.py from 1056 episodes; not by hand. */
#include "mac/detector.h"

const struct mac_jam_box mac_jam_boxes[] = {
    {MAC_JAM_TONE, 903, 1128, 931, 1001, 0, 1001, 0, 42}, /* tone */
    {MAC_JAM_CONSTANT, 1772, 2243, 0, 98, 0, 128, 0, 99999}, /* noise */
    {MAC_JAM_FOREIGN, 1119, 1428, 780, 1001, 0, 1001, 0, 99999}, /* narrowband */
    {MAC_JAM_SWEEP, 910, 1118, 0, 1001, 0, 1001, 0, 99999}, /* sweep */
    {MAC_JAM_PILOT, 0, 99999, 111, 184, 631, 1001, 0, 99999}, /* pilot */
    {MAC_JAM_FOREIGN, 0, 99999, 0, 1001, 129, 630, 0, 99999}, /* ofdm */
};
const unsigned mac_jam_n_boxes = sizeof mac_jam_boxes / sizeof *mac_jam_boxes;

const uint16_t mac_jam_confidences[MAC_JAM_N_KINDS][MAC_JAM_LEVELS] = {
    [MAC_JAM_NONE] = {951, 951, 951},
    [MAC_JAM_CONGESTION] = {951, 990, 951},
    [MAC_JAM_WEAK_LINK] = {989, 989, 989},
    [MAC_JAM_CONSTANT] = {990, 990, 990},
    [MAC_JAM_PULSE] = {975, 982, 992},
    [MAC_JAM_REACTIVE] = {969, 989, 976},
    [MAC_JAM_UNKNOWN] = {940, 871, 979},
    [MAC_JAM_FOREIGN] = {974, 990, 984},
    [MAC_JAM_TONE] = {990, 990, 990},
    [MAC_JAM_SWEEP] = {990, 990, 990},
    [MAC_JAM_PREAMBLE] = {988, 990, 990},
    [MAC_JAM_PILOT] = {990, 990, 990},
    [MAC_JAM_DECEPTIVE] = {990, 990, 990},
};
