#include "mac/slot_plan.h"

#include <string.h>

/* version 1, rate 1, slot 2, phases 1; each phase: offset 4, stations 1, ids 2 each; little-endian */
enum { HEAD_BYTES = 5, PHASE_HEAD_BYTES = 5, MAX_RATE = 255 };
static const int64_t us_ns = 1000;

static int64_t in_us(int64_t ns)
{
    return (ns + us_ns - 1) / us_ns;
}

static void put(uint8_t *out, uint32_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get(const uint8_t *in, size_t n)
{
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++)
        value |= (uint32_t)in[i] << (8 * i);
    return value;
}

size_t mac_slot_plan_write(const struct mac_slot_plan *plan, uint8_t *out, size_t cap)
{
    if (plan->rate_index > MAX_RATE || plan->slot_ns <= 0 || in_us(plan->slot_ns) > UINT16_MAX || plan->n_phases == 0 ||
        plan->n_phases > MAC_SLOT_PHASES || cap < HEAD_BYTES)
        return 0;
    put(out, MAC_SLOT_PLAN_VERSION, 1);
    put(out + 1, plan->rate_index, 1);
    put(out + 2, (uint32_t)in_us(plan->slot_ns), 2);
    put(out + 4, (uint32_t)plan->n_phases, 1);
    size_t at = HEAD_BYTES;
    for (size_t i = 0; i < plan->n_phases; i++) {
        const struct mac_slot_phase *p = &plan->phases[i];
        if (p->offset_ns < 0 || in_us(p->offset_ns) > INT32_MAX || p->n == 0 || p->n > MAC_SLOT_STATIONS ||
            cap - at < PHASE_HEAD_BYTES + 2 * p->n)
            return 0;
        put(out + at, (uint32_t)in_us(p->offset_ns), 4);
        put(out + at + 4, (uint32_t)p->n, 1);
        at += PHASE_HEAD_BYTES;
        for (size_t k = 0; k < p->n; k++, at += 2)
            put(out + at, p->order[k], 2);
    }
    return at;
}

enum mac_slot_fault mac_slot_plan_read(const uint8_t *data, size_t len, struct mac_slot_plan *out)
{
    memset(out, 0, sizeof *out);
    if (len < HEAD_BYTES || data[0] != MAC_SLOT_PLAN_VERSION || data[4] == 0 || data[4] > MAC_SLOT_PHASES)
        return MAC_SLOT_MALFORMED;
    out->rate_index = data[1];
    out->slot_ns = (int64_t)get(data + 2, 2) * us_ns;
    out->n_phases = data[4];
    size_t at = HEAD_BYTES;
    for (size_t i = 0; i < out->n_phases; i++) {
        struct mac_slot_phase *p = &out->phases[i];
        if (len - at < PHASE_HEAD_BYTES)
            return MAC_SLOT_MALFORMED;
        uint32_t offset_us = get(data + at, 4);
        p->offset_ns = (int64_t)offset_us * us_ns;
        p->n = data[at + 4];
        at += PHASE_HEAD_BYTES;
        if (offset_us > INT32_MAX || p->n == 0 || p->n > MAC_SLOT_STATIONS || len - at < 2 * p->n)
            return MAC_SLOT_MALFORMED;
        for (size_t k = 0; k < p->n; k++, at += 2)
            p->order[k] = (uint16_t)get(data + at, 2);
    }
    return at == len && out->slot_ns > 0 ? MAC_SLOT_GOOD : MAC_SLOT_MALFORMED;
}

static int64_t phase_end_ns(const struct mac_slot_plan *plan, size_t phase)
{
    return plan->phases[phase].offset_ns + (int64_t)plan->phases[phase].n * plan->slot_ns;
}

int64_t mac_slot_plan_end_ns(const struct mac_slot_plan *plan)
{
    return phase_end_ns(plan, plan->n_phases - 1);
}

int mac_slot_plan_find(const struct mac_slot_phase *phase, uint32_t station)
{
    for (size_t i = 0; i < phase->n; i++)
        if (phase->order[i] == station)
            return (int)i;
    return -1;
}

enum mac_slot_fault mac_slot_plan_check(const struct mac_slot_plan *plan, uint32_t n_stations, unsigned n_rates, int64_t least_ns,
                                        int64_t most_ns)
{
    if (plan->rate_index >= n_rates)
        return MAC_SLOT_MALFORMED;
    if (plan->phases[0].offset_ns < least_ns)
        return MAC_SLOT_LATE;
    for (size_t i = 0; i < plan->n_phases; i++) {
        const struct mac_slot_phase *p = &plan->phases[i];
        for (size_t k = 0; k < p->n; k++) {
            if (p->order[k] >= n_stations)
                return MAC_SLOT_STRANGER;
            if (mac_slot_plan_find(p, p->order[k]) != (int)k) /* two slots of one station */
                return MAC_SLOT_OVERLAP;
        }
        if (i > 0 && p->offset_ns < phase_end_ns(plan, i - 1))
            return MAC_SLOT_OVERLAP;
    }
    return mac_slot_plan_end_ns(plan) > most_ns ? MAC_SLOT_TOO_LONG : MAC_SLOT_GOOD;
}
