/* SigMF recordings, specification 1.2.5: read and write. Streams: memory is bounded whatever the file's size. */
#ifndef PHY_RADIO_SIGMF_H
#define PHY_RADIO_SIGMF_H

#include "phy/radio/radio.h"

enum { PHY_SIGMF_MAX_CAPTURES = 256, PHY_SIGMF_MAX_ERROR = 320 };

enum phy_sigmf_type { PHY_SIGMF_CF32_LE, PHY_SIGMF_CI16_LE, PHY_SIGMF_CI8, PHY_SIGMF_CU8 };

struct phy_sigmf_capture {
    uint64_t sample_start;
    uint64_t global_index; /* sample_start where the file does not say */
    double frequency_hz;   /* NAN if unknown */
};

struct phy_sigmf_meta {
    enum phy_sigmf_type type;
    double sample_rate_hz;
    uint64_t n_samples;
    size_t n_captures;
    struct phy_sigmf_capture captures[PHY_SIGMF_MAX_CAPTURES];
    char datetime[40];          /* of the first capture, "" if unknown */
    char waveform[16];          /* extension airdeed:waveform, "" if absent */
    char profile[32];           /* extension airdeed:profile */
    double noise_dbfs;          /* extension airdeed:noise_dbfs, NAN if absent */
};

/* error_out: caller's PHY_SIGMF_MAX_ERROR octets; on failure one line that names file, field and what is wrong. */

/* Opens NAME.sigmf-meta (or NAME.sigmf-data, or NAME), checks the JSON, the data's size and, where given, its SHA-512.
 * Returns 0; -EINVAL for bad content; -ENOENT and other errno for the file system. */
__attribute__((warn_unused_result)) int phy_sigmf_open(const char *path, struct phy_radio **out,
                                                       struct phy_sigmf_meta *meta_out, char *error_out);
/* The same for a recording in memory (compiled in): meta JSON and data octets, borrowed until close. */
__attribute__((warn_unused_result)) int phy_sigmf_open_memory(const char *name, const void *meta, size_t meta_len,
                                                              const void *data, size_t data_len, struct phy_radio **out,
                                                              struct phy_sigmf_meta *meta_out, char *error_out);

struct phy_sigmf_writer;

struct phy_sigmf_annotation {
    uint64_t sample_start, sample_count;
    double low_hz, high_hz;  /* NAN to leave out */
    const char *label;       /* at most 20 characters, or NULL */
    const char *comment;     /* or NULL */
};

/* Writes PATH.sigmf-data as samples come; PATH.sigmf-meta (sha512, captures, annotations) at finish. Unknown doubles are NAN,
 * unknown texts "". Only datatype cf32_le and ci16_le are written; ci16_le saturates at full scale 1.0 = 32768. */
__attribute__((warn_unused_result)) int phy_sigmf_create(const char *path, const struct phy_sigmf_meta *meta,
                                                         struct phy_sigmf_writer **out, char *error_out);
__attribute__((warn_unused_result)) int phy_sigmf_write(struct phy_sigmf_writer *w, const float complex *samples, size_t n,
                                                        char *error_out);
__attribute__((warn_unused_result)) int phy_sigmf_finish(struct phy_sigmf_writer *w, const char *description,
                                                         const struct phy_sigmf_annotation *annotations, size_t n,
                                                         char *error_out);
/* Removes what was written. */
void phy_sigmf_abort(struct phy_sigmf_writer *w);

/* Adds annotations to an existing recording's metadata, keeping every other field, by writing a new file and renaming it. */
__attribute__((warn_unused_result)) int phy_sigmf_annotate(const char *path, const char *generator,
                                                           const struct phy_sigmf_annotation *annotations, size_t n,
                                                           char *error_out);
#endif
