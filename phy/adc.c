#include "phy/adc.h"

#include <stdint.h>

void phy_adc_quantise(float complex *samples, size_t n)
{
    float *part = (float *)samples;
    for (size_t i = 0; i < 2 * n; i++) {
        float scaled = part[i] * 32768.0f;
        scaled = scaled > 32767.0f ? 32767.0f : scaled;
        scaled = scaled < -32768.0f ? -32768.0f : scaled;
        /* round half away from zero, as int conversion truncates */
        int32_t code = (int32_t)(scaled + (scaled < 0.0f ? -0.5f : 0.5f));
        part[i] = (float)code * (1.0f / 32768.0f);
    }
}
