#include "phy/air/adc.h"

/* Adding and taking away 1.5 * 2^23 leaves a float of small size rounded to a whole number, ties to even: two additions that any
 * vector unit does, where a conversion would not. */
static const float to_whole = 12582912.0f;

void phy_adc_quantise(float complex *samples, size_t n)
{
    float *part = (float *)samples;
    for (size_t i = 0; i < 2 * n; i++) {
        float code = part[i] * 32768.0f;
        code = code > 32767.0f ? 32767.0f : code;
        code = code < -32768.0f ? -32768.0f : code;
        part[i] = ((code + to_whole) - to_whole) * (1.0f / 32768.0f);
    }
}
