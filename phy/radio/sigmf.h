/* SigMF recordings, specification 1.2.5: read and write. Streams: memory is bounded whatever the file's size. */
#ifndef PHY_RADIO_SIGMF_H
#define PHY_RADIO_SIGMF_H

#include "phy/radio/radio.h"

enum {
    PHY_SIGMF_MAX_CAPTURES = 256,
    PHY_SIGMF_MAX_ERROR = 320,
    PHY_SIGMF_MAX_META_BYTES = 64 << 20, /* of the JSON */
    PHY_SIGMF_MAX_LABEL = 20
};

enum phy_sigmf_type { PHY_SIGMF_CF32_LE, PHY_SIGMF_CI16_LE, PHY_SIGMF_CI8, PHY_SIGMF_CU8 };

struct phy_sigmf_capture {
    uint64_t sample_start;
    uint64_t global_index; /* sample_start where the file does not say */
    double frequency_hz;   /* NAN if unknown */
};

/* What a recording was made with; written, not read. */
struct phy_sigmf_receiver {
    char hardware[PHY_RADIO_MAX_TEXT + 16]; /* core:hw; "": none of this is written */
    char antenna[16];                       /* extension airdeed:antenna, "" if unknown */
    double gain_db;                         /* extension airdeed:rx_gain_db, NAN if unknown */
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
    struct phy_sigmf_receiver receiver;
    char warning[PHY_SIGMF_MAX_ERROR]; /* one line on what was accepted though it is not in order, "" if nothing */
};

/* error_out: caller's PHY_SIGMF_MAX_ERROR octets; on failure one line that names file, field and what is wrong. */

/* Opens NAME.sigmf-meta (or NAME.sigmf-data, or NAME), checks the JSON, the data's size and, where given, its SHA-512.
 * Blocks received never cross a capture's start; start_sample counts in the global index (the first capture's global index is
 * the first), and n_lost is how far the global index jumped. Full scale is 1.0. A component that is not finite, or beyond
 * 1e9, is bad content, too: the first such sample is named. Returns 0; -EINVAL for bad content; -ENOENT and other errno for the file system. */
__attribute__((warn_unused_result)) int phy_sigmf_open(const char *path, struct phy_radio **out,
                                                       struct phy_sigmf_meta *meta_out, char *error_out);
/* The same for a recording in memory (compiled in): meta JSON and data octets, borrowed until close. */
__attribute__((warn_unused_result)) int phy_sigmf_open_memory(const char *name, const void *meta, size_t meta_len,
                                                              const void *data, size_t data_len, struct phy_radio **out,
                                                              struct phy_sigmf_meta *meta_out, char *error_out);

/* Both functions below take a radio that phy_sigmf_open or phy_sigmf_open_memory made. */
/* The next receive starts at the recording's first sample again. */
void phy_sigmf_rewind(struct phy_radio *r);
/* Reads up to cap samples from a sample of the file (not of the global index), without moving the stream. n_out may be short
 * only at the end. 0 or negative errno. */
__attribute__((warn_unused_result)) int phy_sigmf_read_at(struct phy_radio *r, uint64_t file_sample, float complex *out,
                                                          size_t cap, size_t *n_out);
/* Index in the file of a sample of the global index that receive delivered. */
uint64_t phy_sigmf_file_sample(const struct phy_sigmf_meta *meta, uint64_t global_sample);
/* "ci16_le" and so on. */
const char *phy_sigmf_type_name(enum phy_sigmf_type type);

struct phy_sigmf_writer;

struct phy_sigmf_annotation {
    uint64_t sample_start, sample_count;
    double low_hz, high_hz;  /* NAN to leave out */
    const char *label;       /* at most 20 characters, or NULL */
    const char *comment;     /* or NULL */
};

/* Writes PATH.sigmf-data as samples come; PATH.sigmf-meta (sha512, captures, annotations) at finish. Until then both have
 * names that end in .partial. PATH may carry either ending. Unknown doubles are NAN, unknown texts "". All four datatypes but
 * cu8 are written; ci16_le saturates at full scale 1.0 = 32768, ci8 at 1.0 = 128. meta's captures are the ones to write (none
 * means one at 0); n_samples is ignored. After an error only abort is left; -ENOSPC where the disk is full. */
__attribute__((warn_unused_result)) int phy_sigmf_create(const char *path, const struct phy_sigmf_meta *meta,
                                                         struct phy_sigmf_writer **out, char *error_out);
__attribute__((warn_unused_result)) int phy_sigmf_write(struct phy_sigmf_writer *w, const float complex *samples, size_t n,
                                                        char *error_out);
/* From the next sample on a new capture holds: n_lost samples were lost, or the frequency changed (NAN: unknown).
 * -ENOBUFS when the recording has PHY_SIGMF_MAX_CAPTURES. */
__attribute__((warn_unused_result)) int phy_sigmf_new_capture(struct phy_sigmf_writer *w, uint64_t n_lost, double frequency_hz,
                                                              char *error_out);
/* Ends the recording, frees the writer if it returns 0. description and annotations may be NULL. */
__attribute__((warn_unused_result)) int phy_sigmf_finish(struct phy_sigmf_writer *w, const char *description,
                                                         const struct phy_sigmf_annotation *annotations, size_t n,
                                                         char *error_out);
/* Removes what was written. */
void phy_sigmf_abort(struct phy_sigmf_writer *w);

/* Adds annotations to an existing recording's metadata, keeping every other field, by writing a new file and renaming it.
 * Annotations that the same generator wrote before are replaced. out_path: where to write; NULL: in place. */
__attribute__((warn_unused_result)) int phy_sigmf_annotate(const char *path, const char *out_path, const char *generator,
                                                           const struct phy_sigmf_annotation *annotations, size_t n,
                                                           char *error_out);
#endif
