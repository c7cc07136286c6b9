/* Synthetic primary users, as loops that phy_air_emit_loop plays: an OFDM broadcaster, a narrow carrier, a radar. Data are drawn by
 * key. Pure; memory is the caller's. */
#ifndef PHY_PRIMARY_H
#define PHY_PRIMARY_H

#include <complex.h>
#include <stddef.h>
#include <stdint.h>

enum phy_primary_kind {
    PHY_PRIMARY_OFDM,       /* 64 subcarriers and a prefix of 16, QPSK on those within the bandwidth but the middle one */
    PHY_PRIMARY_NARROWBAND, /* QPSK through a root raised cosine of roll-off 1/4, whose main lobe fills the bandwidth */
    PHY_PRIMARY_RADAR,      /* pulses, chirped if asked, sent only while the beam looks this way */
    PHY_PRIMARY_N_KINDS
};
/* "ofdm", "narrowband", "radar"; -1 for a word that is none of them. */
int phy_primary_kind_of(const char *name);

enum { PHY_PRIMARY_MAX_SAMPLES = 1 << 23 };

struct phy_primary {
    enum phy_primary_kind kind;
    uint64_t seed, stream;
    double bandwidth;        /* OFDM, narrowband: cycles a sample, 1/256 .. 0.95; radar: that a chirp runs through, 0: none */
    double offset;           /* shift of the middle, cycles a sample, -0.5..0.5 */
    uint32_t pulse_samples, period_samples; /* radar: length of a pulse, and from one to the next */
    uint32_t scan_samples, dwell_samples;   /* radar: a turn of the beam (rounded to whole periods), and how much of it looks
                                             * this way; scan 0: it stares */
};

/* Samples of the loop; 0, with the name of a field that is out of range. */
size_t phy_primary_samples(const struct phy_primary *p, const char **bad_field_out);
/* Writes them. Mean power is 1 (radar: of a pulse). */
void phy_primary_make(const struct phy_primary *p, float complex *out);
#endif
