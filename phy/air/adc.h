/* The receiver's converter: 16 bits in each part, full scale 1.0 = 32768, saturating. */
#ifndef PHY_ADC_H
#define PHY_ADC_H

#include <complex.h>
#include <stddef.h>

/* In place: every sample becomes what its ci16 recording reads back as. */
void phy_adc_quantise(float complex *samples, size_t n);
#endif
