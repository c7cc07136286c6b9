/* Energy CCA and the power profile of frames. */
#include <math.h>

#include "phy/decibel.h"
#include "phy/machine.h"
#include "phy/sensing/energy.h"

void phy_power_restart(struct phy *m)
{
    uint64_t cca = m->cfg.cca_samples;
    m->cca_next = (m->position + cca - 1) / cca * cca;
    m->profile_first = (m->position + PHY_PROFILE_SAMPLES - 1) / PHY_PROFILE_SAMPLES;
    m->profile_next = m->profile_first;
    m->power_next = m->position;
    m->profile_sum = m->cca_sum = 0.0;
}

void phy_power_take_profile(struct phy *m, uint64_t block, double power)
{
    if (block != m->profile_next)
        m->profile_first = m->profile_next = block;
    m->profile[block % PHY_PROFILE_BLOCKS] = power;
    m->profile_next++;
}

void phy_power_take_cca(struct phy *m, uint64_t end_sample, double power)
{
    bool busy = power > m->cca_power;
    if (busy && !m->cca_busy)
        phy_signal_add(m, PHY_CCA_BUSY, end_sample)->power_dbfs = phy_to_db(power);
    else if (!busy && m->cca_busy)
        phy_signal_add(m, PHY_CCA_IDLE, end_sample);
    m->cca_busy = busy;
    if (!busy)
        phy_shape_silence(m, end_sample - 1);
}

/* Every sample is summed once, in pieces that end where a block of either kind ends. What came before the first whole block is
 * dropped with the block that it is part of. */
void phy_power_measure(struct phy *m, uint64_t end)
{
    const float complex *fresh_end = m->recent + m->n_recent + (size_t)(end - m->position);
    for (;;) {
        uint64_t profile_start = m->profile_next * PHY_PROFILE_SAMPLES;
        bool in_profile = m->power_next >= profile_start, in_cca = m->power_next >= m->cca_next;
        uint64_t profile_end = in_profile ? profile_start + PHY_PROFILE_SAMPLES : profile_start;
        uint64_t cca_end = in_cca ? m->cca_next + m->cfg.cca_samples : m->cca_next;
        uint64_t piece_end = profile_end < cca_end ? profile_end : cca_end;
        if (piece_end > end)
            return;
        double sum = phy_energy_sum(fresh_end - (end - m->power_next), (size_t)(piece_end - m->power_next));
        m->power_next = piece_end;
        m->profile_sum += sum;
        m->cca_sum += sum;
        if (piece_end == profile_end) {
            if (in_profile)
                phy_power_take_profile(m, m->profile_next, m->profile_sum / PHY_PROFILE_SAMPLES);
            m->profile_sum = 0.0;
        }
        if (piece_end == cca_end) {
            if (in_cca) {
                m->cca_next += m->cfg.cca_samples;
                phy_power_take_cca(m, m->cca_next, m->cca_sum / m->cfg.cca_samples);
            }
            m->cca_sum = 0.0;
        }
    }
}

static double block_power(const struct phy *m, uint64_t block)
{
    return m->profile[block % PHY_PROFILE_BLOCKS];
}

static double mean_power(const struct phy *m, uint64_t first, uint64_t end)
{
    double sum = 0.0;
    for (uint64_t b = first; b < end; b++)
        sum += block_power(m, b);
    return end > first ? sum / (double)(end - first) : 0.0;
}

/* A reactive jammer starts within a frame: from some block on, power is clearly above that of the preamble. One block
 * alone proves nothing (an OFDM symbol's power varies by some 10 %): the rise has to last MIN_RUN blocks, or to the end. */
static void find_rise(const struct phy *m, struct phy_frame *frame, uint64_t from, uint64_t end, double head)
{
    enum { MIN_RUN = 4, MIN_RUN_AT_END = 2 };
    const double rise_ratio = 1.41; /* 1.5 dB */
    frame->rise_samples = -1;
    frame->rise_db = 0.0;
    uint64_t run = 0;
    for (uint64_t b = from; b <= end; b++) {
        bool high = b < end && block_power(m, b) > head * rise_ratio;
        if (high) {
            run++;
            continue;
        }
        bool lasting = run >= MIN_RUN || (b == end && run >= MIN_RUN_AT_END);
        if (lasting) {
            frame->rise_samples = (int64_t)((b - run) * PHY_PROFILE_SAMPLES - frame->start_sample);
            frame->rise_db = phy_to_db(mean_power(m, b - run, b) / head);
            return;
        }
        run = 0;
    }
}

void phy_power_describe(const struct phy *m, struct phy_frame *frame)
{
    enum { N_HEAD_BLOCKS = 2 };
    uint64_t first = (frame->start_sample + PHY_PROFILE_SAMPLES - 1) / PHY_PROFILE_SAMPLES;
    uint64_t end = frame->end_sample / PHY_PROFILE_SAMPLES;
    if (end > m->profile_next)
        end = m->profile_next;
    if (first < m->profile_first)
        first = m->profile_first;
    frame->rise_samples = -1;
    frame->rise_db = 0.0;
    frame->rssi_dbfs = frame->head_dbfs = frame->snr_db = NAN;
    if (end < first + N_HEAD_BLOCKS + 1)
        return;
    double head = mean_power(m, first, first + N_HEAD_BLOCKS);
    double body = mean_power(m, first + N_HEAD_BLOCKS, end);
    frame->rssi_dbfs = phy_to_db(mean_power(m, first, end));
    frame->head_dbfs = phy_to_db(head);
    frame->snr_db = phy_to_db((body - m->noise_power) / m->noise_power);
    if (head > 0.0)
        find_rise(m, frame, first + N_HEAD_BLOCKS, end, head);
}
