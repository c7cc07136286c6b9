/* What the files of the SigMF back end share; nobody else includes it. */
#ifndef PHY_RADIO_SIGMF_INTERNAL_H
#define PHY_RADIO_SIGMF_INTERNAL_H

#include "phy/radio/sigmf.h"

#include <jansson.h>

enum { SIGMF_MAX_PATH = 4096, SIGMF_HASH_HEX = 129 };

#define SIGMF_VERSION "1.2.5"
#define SIGMF_AIRDEED_VERSION "0.1.0"

/* One line, control characters replaced; returns err so that a refusal is one statement. */
__attribute__((format(printf, 3, 4))) int phy_sigmf_fail(char *error_out, int err, const char *format, ...);

/* sigmf_sample.c */
size_t phy_sigmf_sample_bytes(enum phy_sigmf_type type);
/* 0, or -EINVAL. *suffix_missing_out: cf32 was written where cf32_le is meant. */
int phy_sigmf_type_find(const char *name, enum phy_sigmf_type *out, bool *suffix_missing_out);
/* n samples from octets; adds to the block's counts of clipped and non-finite samples. */
void phy_sigmf_decode(enum phy_sigmf_type type, const uint8_t *octets, size_t n, float complex *out,
                      struct phy_radio_block *counts);
/* The first sample with a component that is not finite, or beyond 1e9 times full scale, and that component; n if there is none. */
size_t phy_sigmf_find_bad(enum phy_sigmf_type type, const uint8_t *octets, size_t n, float *value_out);
void phy_sigmf_encode(enum phy_sigmf_type type, const float complex *samples, size_t n, uint8_t *octets_out);

/* sigmf_meta.c */
struct phy_sigmf_parsed {
    char sha512[SIGMF_HASH_HEX]; /* lower case, "" if absent */
};
/* name is the file's, for messages. meta_out's n_samples stays 0: only the data tells. */
int phy_sigmf_parse(const char *name, const void *json, size_t len, struct phy_sigmf_meta *meta_out,
                    struct phy_sigmf_parsed *parsed_out, char *error_out);
/* The JSON itself, checked as far as its syntax and its top level. NULL with *err_out and error_out set. */
json_t *phy_sigmf_load_json(const char *name, const void *json, size_t len, int *err_out, char *error_out);
/* Checks the annotations array alone (phy_sigmf_annotate merges into it). */
int phy_sigmf_check_annotations(const char *name, const json_t *annotations, bool *sorted_out, char *error_out);

/* sigmf_path.c */
/* NAME.sigmf-meta and NAME.sigmf-data from NAME with or without either ending. */
int phy_sigmf_paths(const char *path, char meta_out[SIGMF_MAX_PATH], char data_out[SIGMF_MAX_PATH], char *error_out);
/* Whole file into memory, at most PHY_SIGMF_MAX_META_BYTES; free() it. */
int phy_sigmf_slurp(const char *path, char **octets_out, size_t *len_out, char *error_out);
/* Writes path.partial and renames it to path, whose mode it takes; removes it if that fails. -EPERM where path is read-only. */
int phy_sigmf_write_json(const char *path, const json_t *root, char *error_out);
json_t *phy_sigmf_annotation_json(const struct phy_sigmf_annotation *annotation, const char *generator);
#endif
