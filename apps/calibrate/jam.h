/* Episodes that the table of the jam detector is made from. */
#ifndef APPS_CALIBRATE_JAM_H
#define APPS_CALIBRATE_JAM_H

#include <stdint.h>

/* Runs n training episodes of every class but the one that is to stay unknown, those of jammers once more with a detector that does not
 * know their kind ("left_out"), and prints what the detector said of each and on what statistics, one JSON object a line. An exit code. */
int app_calibrate_jam(uint64_t n, uint64_t seed);
#endif
