/* A slot plan: what a group message reserves for the answers to it. Its wire form stands in the message's last frame (docs/mac.md).
 * In each phase every station listed has one slot, in that order, and begins to send exactly there, without contention. Pure. */
#ifndef MAC_SLOT_PLAN_H
#define MAC_SLOT_PLAN_H

#include <stddef.h>
#include <stdint.h>

enum { MAC_SLOT_PHASES = 2, MAC_SLOT_STATIONS = 32, MAC_SLOT_PLAN_VERSION = 1,
       MAC_SLOT_PLAN_BYTES = 5 + MAC_SLOT_PHASES * (5 + 2 * MAC_SLOT_STATIONS) };

struct mac_slot_phase {
    int64_t offset_ns; /* of the first slot, from the end of the frame that holds the plan */
    size_t n;
    uint16_t order[MAC_SLOT_STATIONS]; /* station ids */
};

struct mac_slot_plan {
    unsigned rate_index; /* of the answers */
    int64_t slot_ns;     /* from one slot's beginning to the next one's: an answer and SIFS */
    size_t n_phases;
    struct mac_slot_phase phases[MAC_SLOT_PHASES];
};

/* What is wrong with a plan. */
enum mac_slot_fault { MAC_SLOT_GOOD, MAC_SLOT_MALFORMED, MAC_SLOT_STRANGER, MAC_SLOT_OVERLAP, MAC_SLOT_TOO_LONG, MAC_SLOT_LATE, MAC_SLOT_N_FAULTS };

/* Times go over the wire in whole us; they are rounded up. Returns the octets written, 0 where the plan does not fit or has no wire form. */
size_t mac_slot_plan_write(const struct mac_slot_plan *plan, uint8_t *out, size_t cap);
/* Any octets: MAC_SLOT_GOOD, or MAC_SLOT_MALFORMED. */
enum mac_slot_fault mac_slot_plan_read(const uint8_t *data, size_t len, struct mac_slot_plan *out);
/* May it be followed? Stations have ids below n_stations; the first answer begins at the earliest after least_ns; all is over after
 * most_ns. */
enum mac_slot_fault mac_slot_plan_check(const struct mac_slot_plan *plan, uint32_t n_stations, unsigned n_rates, int64_t least_ns,
                                        int64_t most_ns);
/* From the frame's end to that of the last slot. */
int64_t mac_slot_plan_end_ns(const struct mac_slot_plan *plan);
/* Position of a station in a phase, or -1. */
int mac_slot_plan_find(const struct mac_slot_phase *phase, uint32_t station);
#endif
