/* Shapes of energy without a frame. Decided for halves of pieces at fixed places in time, from what is known at a half's end, so that
 * nothing depends on how samples are cut into calls. */
#include <math.h>

#include "phy/decibel.h"
#include "phy/machine.h"

enum { LAG = 64, CHUNK = 64 };
static const float least_share = 0.25f; /* of the mean power: below this in a chunk the energy came or went within the half */

_Static_assert(PHY_PIECE_SAMPLES == 2 * PHY_SHAPE_SAMPLES, "two halves a piece");

void phy_shape_begin(struct phy *m)
{
    if (m->position % PHY_PIECE_SAMPLES != 0)
        return;
    m->had_silence[0] = m->had_silence[1] = false;
    m->had_lock[0] = m->had_lock[1] = m->locked;
}

void phy_shape_begin_half(struct phy *m)
{
    unsigned half = (unsigned)(m->position / PHY_SHAPE_SAMPLES % 2);
    if (m->position % PHY_SHAPE_SAMPLES != 0)
        return;
    m->had_silence[half] = !m->cca_busy;
    m->had_lock[half] = m->locked;
    m->n_recent = 0;
}

bool phy_shape_is_wanted(const struct phy *m)
{
    uint64_t done = m->position % PHY_SHAPE_SAMPLES, end = m->position - done + PHY_SHAPE_SAMPLES;
    unsigned half = (unsigned)(m->position / PHY_SHAPE_SAMPLES % 2);
    return m->n_recent == done && !m->had_silence[half] && !m->had_lock[half] && end >= m->shape_next;
}

/* In which half of the present piece, seen from where the samples of this call begin; 2: in the next piece. */
static unsigned half_of(const struct phy *m, uint64_t sample)
{
    uint64_t piece = m->position / PHY_PIECE_SAMPLES * PHY_PIECE_SAMPLES;
    uint64_t half = sample < piece ? 0 : (sample - piece) / PHY_SHAPE_SAMPLES;
    return half < 2 ? (unsigned)half : 2;
}

void phy_shape_silence(struct phy *m, uint64_t sample)
{
    unsigned half = half_of(m, sample);
    if (half < 2)
        m->had_silence[half] = true;
}

void phy_shape_lock(struct phy *m, uint64_t sample, bool locked)
{
    unsigned half = half_of(m, sample);
    if (locked && half < 2)
        m->had_lock[half] = true;
    if (half == 0)
        m->had_lock[1] = locked;
}

/* False where the energy does not fill the half. */
static bool describe(const float complex *x, uint32_t rate_hz, struct phy_shape *out)
{
    float chunk[PHY_SHAPE_SAMPLES / CHUNK] = {0}, square = 0.0f, fourth = 0.0f;
    float near_re = 0.0f, near_im = 0.0f, far_re = 0.0f, far_im = 0.0f, head = 0.0f, tail = 0.0f;
    for (size_t i = 0; i < PHY_SHAPE_SAMPLES; i++) {
        float re = crealf(x[i]), im = cimagf(x[i]), power = re * re + im * im;
        chunk[i / CHUNK] += power;
        square += power;
        fourth += power * power;
        if (i > 0) {
            float r = crealf(x[i - 1]), q = cimagf(x[i - 1]);
            near_re += re * r + im * q;
            near_im += im * r - re * q;
        }
        if (i >= LAG) {
            float r = crealf(x[i - LAG]), q = cimagf(x[i - LAG]);
            far_re += re * r + im * q;
            far_im += im * r - re * q;
            tail += power;
            head += r * r + q * q;
        }
    }
    for (size_t c = 0; c < PHY_SHAPE_SAMPLES / CHUNK; c++)
        if (!(chunk[c] * (PHY_SHAPE_SAMPLES / CHUNK) > least_share * square))
            return false;
    *out = (struct phy_shape){
        .power_dbfs = phy_to_db((double)square / PHY_SHAPE_SAMPLES),
        .kurtosis = (double)fourth * PHY_SHAPE_SAMPLES / ((double)square * square),
        .narrow = sqrt((double)near_re * near_re + (double)near_im * near_im) / (double)square,
        .centre_hz = atan2((double)near_im, (double)near_re) / 6.283185307179586 * rate_hz,
        .repeat = sqrt(((double)far_re * far_re + (double)far_im * far_im) / ((double)head * tail)),
    };
    return true;
}

void phy_shape_measure(struct phy *m, uint64_t from)
{
    uint64_t end = (from / PHY_SHAPE_SAMPLES + 1) * PHY_SHAPE_SAMPLES;
    for (; end <= m->position; end += PHY_SHAPE_SAMPLES) {
        unsigned half = (unsigned)((end - PHY_SHAPE_SAMPLES) / PHY_SHAPE_SAMPLES % 2);
        struct phy_shape shape;
        size_t n_back = (size_t)(m->position - end) + PHY_SHAPE_SAMPLES;
        if (m->had_silence[half] || m->had_lock[half] || end < m->shape_next || n_back > m->n_recent)
            continue;
        if (!describe(m->recent + m->n_recent - n_back, m->cfg.sample_rate_hz, &shape))
            continue;
        m->shape_next = end + PHY_SHAPE_SPACING;
        phy_signal_add(m, PHY_SHAPE, end)->shape = shape;
    }
}
