/* Timing profiles of the MAC by the names that files and options give them, and whether a radio can hold one, in words. */
#ifndef APPS_PROFILE_H
#define APPS_PROFILE_H

#include "mac/mac.h"

enum { APP_PROFILE_MAX_WHY = 160 };

/* name: a profile of mac_profile_by_name, which has to hold for the radio's turnaround; or "host-TIME", for instance host-2ms, the profile
 * that follows from that turnaround, which the radio's own may not exceed. ahead: frames are handed to the radio a turnaround before
 * they start, so that a slot has to hold it, too. 0; -ENOENT for no such name, -ERANGE where it does not hold: why is one line. */
__attribute__((warn_unused_result)) int app_profile_find(const char *name, const struct mac_host_timing *radio, bool ahead,
                                                         struct mac_profile *out, char why[APP_PROFILE_MAX_WHY]);
#endif
