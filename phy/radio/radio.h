/* The radio port: where samples come from and go to. A back end is a table of functions.
 * Time is the sample index. Each block of received samples says how many samples were lost before it. */
#ifndef PHY_RADIO_RADIO_H
#define PHY_RADIO_RADIO_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct phy_radio_block {
    uint64_t start_sample;
    size_t n;            /* samples delivered; 0 at the end of a recording */
    uint64_t n_lost;     /* samples lost right before this block */
    uint64_t n_clipped;  /* samples at full scale */
    uint64_t n_nonfinite; /* replaced by zero */
};

struct phy_radio {
    const struct phy_radio_ops *ops;
    uint32_t sample_rate_hz;
    double center_hz;  /* NAN if unknown */
};

struct phy_radio_ops {
    const char *name;
    /* Up to cap samples. Returns 0 or negative errno. */
    int (*receive)(struct phy_radio *r, float complex *out, size_t cap, struct phy_radio_block *block_out);
    /* NULL where a back end cannot transmit; there is no path from a file to a transmitting back end. */
    int (*transmit)(struct phy_radio *r, uint64_t start_sample, const float complex *samples, size_t n);
    void (*close)(struct phy_radio *r);
};
#endif
