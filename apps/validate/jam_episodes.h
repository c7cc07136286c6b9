/* Episodes by class: what the detector is trained on and what it is held against. Every range is cut into twenty slots; those with even
 * numbers are for training, those with odd ones for the test, so that no value of one is in the other. */
#ifndef APPS_VALIDATE_JAM_EPISODES_H
#define APPS_VALIDATE_JAM_EPISODES_H

#include "apps/validate/jam_world.h"

enum app_jam_class {
    JAM_CLASS_NONE, JAM_CLASS_CONGESTION, JAM_CLASS_WEAK_LINK, JAM_CLASS_FOREIGN,
    JAM_CLASS_NOISE, JAM_CLASS_TONE, JAM_CLASS_SWEEP, JAM_CLASS_PULSE, JAM_CLASS_RANDOM, JAM_CLASS_REACTIVE, JAM_CLASS_PREAMBLE,
    JAM_CLASS_PILOT, JAM_CLASS_DECEPTIVE,
    JAM_CLASS_HOPPING, /* a carrier that comes and goes, each time at another frequency: in no training set */
    JAM_N_CLASSES
};

/* What a detector should say of it, and the class's name. */
enum mac_jam_kind app_jam_class_kind(enum app_jam_class class);
const char *app_jam_class_name(enum app_jam_class class);
/* The episode of this number; J/S in *jsr_db_out, NAN without a jammer. The same whatever else is drawn. */
void app_jam_draw(enum app_jam_class class, bool training, uint64_t seed, uint64_t number, struct app_jam_episode *out, double *jsr_db_out);
#endif
