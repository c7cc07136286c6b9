/* The frames that a recording is expected to hold, against those that came. */
#include "apps/options.h"
#include "apps/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 0, 1 for a line that holds no frame, or -EINVAL with *why_out */
static int parse_line(const char *line, size_t len, struct app_replay_key *out, const char **why_out)
{
    if (strspn(line, " \t\r\n") == len)
        return 1;
    json_t *object = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);
    const json_t *start = json_object_get(object, "start_sample");
    const json_t *hash = json_object_get(object, "psdu_sha256");
    const char *hex = json_string_value(hash);
    int result = 0;
    size_t n_hash = 0;
    if (!json_is_object(object)) {
        *why_out = "is no JSON object";
        result = -EINVAL;
    } else if (json_object_get(object, "summary")) {
        result = 1;
    } else if (!json_is_integer(start) || json_integer_value(start) < 0) {
        *why_out = "field 'start_sample' must be a non-negative integer";
        result = -EINVAL;
    } else if (!json_is_null(hash) && (!hex || sodium_hex2bin(out->psdu_sha256, sizeof out->psdu_sha256, hex, strlen(hex), NULL, &n_hash, NULL) ||
               n_hash != sizeof out->psdu_sha256)) {
        *why_out = "field 'psdu_sha256' must be a string of 64 hexadecimal digits, or null";
        result = -EINVAL;
    } else {
        out->start_sample = (uint64_t)json_integer_value(start);
        out->decoded = hex != NULL;
    }
    json_decref(object);
    return result;
}

static int add_key(struct app_replay_expectation *e, size_t *cap, const struct app_replay_key *key)
{
    if (e->n == *cap) {
        *cap = *cap ? 2 * *cap : 64;
        struct app_replay_key *more = realloc(e->keys, *cap * sizeof *more);
        if (!more)
            return -ENOMEM;
        e->keys = more;
    }
    e->keys[e->n++] = *key;
    return 0;
}

static int refuse(const char *path, unsigned line, const char *why)
{
    fprintf(stderr, "airdeed replay: %s:%u: %s\n", path, line, why);
    return APP_BAD_USAGE;
}

static int read_lines(FILE *file, const char *path, char *line, struct app_replay_expectation *e)
{
    size_t cap = 0;
    for (unsigned i_line = 1; fgets(line, APP_REPLAY_MAX_LINE, file); i_line++) {
        size_t len = strlen(line);
        if (len == APP_REPLAY_MAX_LINE - 1 && line[len - 1] != '\n')
            return refuse(path, i_line, "the line is too long");
        struct app_replay_key key;
        const char *why;
        int result = parse_line(line, len, &key, &why);
        if (result < 0)
            return refuse(path, i_line, why);
        if (result > 0)
            continue;
        if (e->n > 0 && key.start_sample < e->keys[e->n - 1].start_sample)
            return refuse(path, i_line, "field 'start_sample' is below the one of the frame before");
        if (e->n == APP_REPLAY_MAX_EXPECTED)
            return refuse(path, i_line, "too many frames");
        if (add_key(e, &cap, &key)) {
            fprintf(stderr, "airdeed replay: %s: no memory for its frames\n", path);
            return APP_SYSTEM_FAILED;
        }
    }
    return ferror(file) ? refuse(path, 1, "cannot read") : 0;
}

int app_replay_expect_read(const char *path, struct app_replay_expectation *out)
{
    *out = (struct app_replay_expectation){0};
    FILE *file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "airdeed replay: %s: cannot open: %s\n", path, strerror(errno));
        return APP_BAD_USAGE;
    }
    char *line = malloc(APP_REPLAY_MAX_LINE);
    int code = line ? read_lines(file, path, line, out) : APP_SYSTEM_FAILED;
    free(line);
    fclose(file);
    return code;
}

static void print_difference(struct app_replay_expectation *e, const char *what, const struct app_replay_key *key)
{
    enum { SHOWN_BYTES = 8 };
    char hex[2 * SHOWN_BYTES + 1];
    e->n_differences++;
    if (!key->decoded) {
        fprintf(stderr, "airdeed replay: %s: frame at sample %" PRIu64 ", octets not decoded\n", what, key->start_sample);
        return;
    }
    sodium_bin2hex(hex, sizeof hex, key->psdu_sha256, SHOWN_BYTES);
    fprintf(stderr, "airdeed replay: %s: frame at sample %" PRIu64 ", psdu_sha256 %s...\n", what, key->start_sample, hex);
}

void app_replay_expect_frame(struct app_replay_expectation *e, const struct app_replay_key *frame)
{
    /* what should have begun well before this one never came */
    for (; e->next < e->n && e->keys[e->next].start_sample + e->tolerance_samples < frame->start_sample; e->next++)
        print_difference(e, "missing", &e->keys[e->next]);
    if (e->next == e->n || e->keys[e->next].start_sample > frame->start_sample + e->tolerance_samples) {
        print_difference(e, "not expected", frame);
        return;
    }
    const struct app_replay_key *expected = &e->keys[e->next];
    if (expected->decoded != frame->decoded ||
        (frame->decoded && memcmp(expected->psdu_sha256, frame->psdu_sha256, sizeof frame->psdu_sha256) != 0))
        print_difference(e, "other octets than expected", frame);
    e->next++;
}

void app_replay_expect_end(struct app_replay_expectation *e)
{
    for (; e->next < e->n; e->next++)
        print_difference(e, "missing", &e->keys[e->next]);
}

void app_replay_expect_free(struct app_replay_expectation *e)
{
    free(e->keys);
    e->keys = NULL;
}
