/* What energy without frames looks like, over many shapes, and what that may be. */
#include "mac/detector.h"

#include <string.h>

static int32_t pick(int32_t *values, unsigned n, unsigned rank)
{
    for (unsigned i = 1; i < n; i++)
        for (unsigned k = i; k > 0 && values[k - 1] > values[k]; k--) {
            int32_t swap = values[k];
            values[k] = values[k - 1];
            values[k - 1] = swap;
        }
    return values[rank];
}

void mac_jam_look(const struct mac_jam *j, int64_t since_ns, enum mac_jam_where where, struct mac_jam_look *out)
{
    int32_t kurtosis[MAC_JAM_SHAPES], narrow[MAC_JAM_SHAPES], repeat[MAC_JAM_SHAPES], centre[MAC_JAM_SHAPES];
    int64_t burst_ns = INT64_MIN;
    unsigned n = 0;
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < MAC_JAM_SHAPES && i < j->n_forms; i++) {
        const struct mac_jam_form *f = &j->forms[(j->n_forms - 1 - i) % MAC_JAM_SHAPES];
        if (f->at_ns <= since_ns)
            break;
        if (where != MAC_JAM_ANY && f->alone != (where == MAC_JAM_ALONE))
            continue;
        out->n_bursts += f->burst_ns != burst_ns;
        burst_ns = f->burst_ns;
        kurtosis[n] = f->kurtosis_permille;
        narrow[n] = f->narrow_permille;
        repeat[n] = f->repeat_permille;
        centre[n++] = f->centre_khz;
    }
    out->n = n;
    if (n == 0)
        return;
    out->kurtosis_permille = pick(kurtosis, n, n / 2);
    out->narrow_permille = pick(narrow, n, n / 2);
    out->repeat_permille = pick(repeat, n, n / 2);
    out->centre_khz = pick(centre, n, n / 2);
    out->spread_khz = (centre[n - 1 - n / 10] - centre[n / 10]) / 2;
}

static bool is_within(int32_t value, int32_t low, int32_t high)
{
    return value >= low && value <= high;
}

enum mac_jam_kind mac_jam_look_kind(const struct mac_jam_look *l, uint32_t nameless)
{
    for (unsigned i = 0; i < mac_jam_n_boxes; i++) {
        const struct mac_jam_box *b = &mac_jam_boxes[i];
        if (nameless >> b->kind & 1)
            continue;
        if (is_within(l->kurtosis_permille, b->kurtosis_low, b->kurtosis_high) && is_within(l->narrow_permille, b->narrow_low, b->narrow_high) &&
            is_within(l->repeat_permille, b->repeat_low, b->repeat_high) && is_within(l->spread_khz, b->spread_low, b->spread_high))
            return b->kind;
    }
    return MAC_JAM_UNKNOWN;
}
