/* The energy sensor: one window at a time, its samples summed as they come. */
#include <errno.h>

#include "phy/decibel.h"
#include "phy/machine.h"
#include "phy/sensing/energy.h"

int phy_sense_begin(struct phy *m, uint64_t start, uint64_t n_samples, double p_fa)
{
    const uint64_t max_samples = UINT64_C(1) << 32;
    struct phy_sense_window *s = &m->sense;
    if (s->pending || start < m->position || n_samples == 0 || n_samples > max_samples || !(p_fa > 0.0 && p_fa < 1.0))
        return -EBADMSG;
    bool same = s->detector.n_samples == n_samples && s->p_fa >= p_fa && s->p_fa <= p_fa;
    if (!same && phy_energy_init(&s->detector, n_samples, m->noise_power, 0.0, p_fa))
        return -EBADMSG;
    if (m->packet)
        phy_packet_sense(m->packet, start, n_samples);
    s->pending = true;
    s->start = start;
    s->n_samples = n_samples;
    s->next = start;
    s->sum = 0.0;
    s->p_fa = p_fa;
    return 0;
}

static void report_window(struct phy *m)
{
    struct phy_sense_window *s = &m->sense;
    double power = s->sum / (double)s->n_samples;
    struct phy_verdict verdict = phy_energy_judge_sum(&s->detector, s->sum);
    struct phy_signal *signal = phy_signal_add(m, PHY_SENSED, s->start + s->n_samples);
    signal->sense = (struct phy_sense){
        .start_sample = s->start,
        .n_samples = s->n_samples,
        .power_dbfs = phy_to_db(power),
        .threshold_dbfs = m->cfg.noise_dbfs + phy_to_db(verdict.threshold),
        .p_fa = s->p_fa,
        .occupied = verdict.occupied,
    };
    s->pending = false;
}

void phy_sense_take(struct phy *m, double mean_power)
{
    m->sense.sum = mean_power * (double)m->sense.n_samples;
    report_window(m);
}

void phy_sense_measure(struct phy *m, uint64_t end)
{
    struct phy_sense_window *s = &m->sense;
    size_t n_held = m->n_recent + (size_t)(end - m->position);
    while (s->pending) {
        uint64_t piece_end = (s->next / PHY_SENSE_PIECE + 1) * PHY_SENSE_PIECE;
        uint64_t window_end = s->start + s->n_samples;
        if (piece_end > window_end)
            piece_end = window_end;
        if (piece_end > end)
            return;
        s->sum += phy_energy_sum(m->recent + (n_held - (size_t)(end - s->next)), (size_t)(piece_end - s->next));
        s->next = piece_end;
        if (piece_end == window_end)
            report_window(m);
    }
}

void phy_sense_skip(struct phy *m, uint64_t n_skipped)
{
    struct phy_sense_window *s = &m->sense;
    if (s->pending && m->position + n_skipped > s->start) {
        s->pending = false;
        m->stats.n_sense_spoiled++;
    }
}
