/* SigMF datatypes: octets to samples and back, whatever this machine's byte order. */
#include "phy/radio/sigmf_internal.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t n_bytes;
} types[] = {
    [PHY_SIGMF_CF32_LE] = {"cf32_le", 8},
    [PHY_SIGMF_CI16_LE] = {"ci16_le", 4},
    [PHY_SIGMF_CI8] = {"ci8", 2},
    [PHY_SIGMF_CU8] = {"cu8", 2},
};

/* beyond this a component is no sample: its square would not fit a float sum */
static const float max_level = 1e9f;

const char *phy_sigmf_type_name(enum phy_sigmf_type type)
{
    return types[type].name;
}

size_t phy_sigmf_sample_bytes(enum phy_sigmf_type type)
{
    return types[type].n_bytes;
}

int phy_sigmf_type_find(const char *name, enum phy_sigmf_type *out, bool *suffix_missing_out)
{
    /* of one octet a component, so that a byte order says nothing; some tools write one anyway */
    static const struct {
        const char *name;
        enum phy_sigmf_type type;
        bool suffix_missing;
    } aliases[] = {
        {"cf32", PHY_SIGMF_CF32_LE, true}, {"ci16", PHY_SIGMF_CI16_LE, true},  {"ci8_le", PHY_SIGMF_CI8, false},
        {"ci8_be", PHY_SIGMF_CI8, false},  {"cu8_le", PHY_SIGMF_CU8, false},  {"cu8_be", PHY_SIGMF_CU8, false},
    };
    *suffix_missing_out = false;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i].name, name) == 0) {
            *out = (enum phy_sigmf_type)i;
            return 0;
        }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].name, name) == 0) {
            *out = aliases[i].type;
            *suffix_missing_out = aliases[i].suffix_missing;
            return 0;
        }
    return -EINVAL;
}

static float get_f32(const uint8_t *p)
{
    uint32_t bits = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static int get_i16(const uint8_t *p)
{
    int value = p[0] | p[1] << 8;
    return value < 0x8000 ? value : value - 0x10000;
}

/* A complex number is laid out as an array of two (C17 6.2.5); CMPLXF is not there with every compiler. */
static float complex make_sample(float re, float im)
{
    const float parts[2] = {re, im};
    float complex sample;
    memcpy(&sample, parts, sizeof sample);
    return sample;
}

/* false for a NaN as well */
static bool is_level(float value)
{
    return fabsf(value) <= max_level;
}

size_t phy_sigmf_find_bad(enum phy_sigmf_type type, const uint8_t *octets, size_t n, float *value_out)
{
    if (type != PHY_SIGMF_CF32_LE)
        return n;
    for (size_t i = 0; i < 2 * n; i++) {
        float value = get_f32(octets + 4 * i);
        if (!is_level(value)) {
            *value_out = value;
            return i / 2;
        }
    }
    return n;
}

static void decode_f32(const uint8_t *p, size_t n, float complex *out, struct phy_radio_block *counts)
{
    for (size_t i = 0; i < n; i++, p += 8) {
        float re = get_f32(p), im = get_f32(p + 4);
        if (!is_level(re) || !is_level(im)) {
            counts->n_nonfinite++;
            out[i] = 0;
            continue;
        }
        counts->n_clipped += fabsf(re) >= 1 || fabsf(im) >= 1;
        out[i] = make_sample(re, im);
    }
}

static void decode_i16(const uint8_t *p, size_t n, float complex *out, struct phy_radio_block *counts)
{
    for (size_t i = 0; i < n; i++, p += 4) {
        int re = get_i16(p), im = get_i16(p + 2);
        counts->n_clipped += re == 32767 || re == -32768 || im == 32767 || im == -32768;
        out[i] = make_sample((float)re / 32768, (float)im / 32768);
    }
}

static void decode_i8(const uint8_t *p, size_t n, float complex *out, struct phy_radio_block *counts)
{
    for (size_t i = 0; i < n; i++, p += 2) {
        int re = p[0] < 0x80 ? p[0] : p[0] - 0x100;
        int im = p[1] < 0x80 ? p[1] : p[1] - 0x100;
        counts->n_clipped += re == 127 || re == -128 || im == 127 || im == -128;
        out[i] = make_sample((float)re / 128, (float)im / 128);
    }
}

static void decode_u8(const uint8_t *p, size_t n, float complex *out, struct phy_radio_block *counts)
{
    for (size_t i = 0; i < n; i++, p += 2) {
        counts->n_clipped += p[0] == 0 || p[0] == 255 || p[1] == 0 || p[1] == 255;
        out[i] = make_sample(((float)p[0] - 127.5f) / 127.5f, ((float)p[1] - 127.5f) / 127.5f);
    }
}

void phy_sigmf_decode(enum phy_sigmf_type type, const uint8_t *octets, size_t n, float complex *out,
                      struct phy_radio_block *counts)
{
    switch (type) {
    case PHY_SIGMF_CF32_LE: decode_f32(octets, n, out, counts); return;
    case PHY_SIGMF_CI16_LE: decode_i16(octets, n, out, counts); return;
    case PHY_SIGMF_CI8: decode_i8(octets, n, out, counts); return;
    case PHY_SIGMF_CU8: decode_u8(octets, n, out, counts); return;
    }
}

static uint8_t *put_f32(uint8_t *p, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; i++)
        *p++ = (uint8_t)(bits >> 8 * i);
    return p;
}

/* Rounds to the nearest step and saturates; what is no number becomes 0. */
static int quantise(float value, int full_scale)
{
    float scaled = value * (float)full_scale;
    if (!(scaled == scaled))
        return 0;
    if (scaled >= (float)(full_scale - 1))
        return full_scale - 1;
    if (scaled <= (float)-full_scale)
        return -full_scale;
    return (int)lrintf(scaled);
}

static uint8_t *put_component(enum phy_sigmf_type type, uint8_t *p, float value)
{
    if (type == PHY_SIGMF_CF32_LE)
        return put_f32(p, value);
    int full_scale = type == PHY_SIGMF_CI16_LE ? 32768 : 128;
    unsigned step = (unsigned)quantise(value, full_scale);
    *p++ = (uint8_t)step;
    if (type == PHY_SIGMF_CI16_LE)
        *p++ = (uint8_t)(step >> 8);
    return p;
}

void phy_sigmf_encode(enum phy_sigmf_type type, const float complex *samples, size_t n, uint8_t *octets_out)
{
    for (size_t i = 0; i < n; i++) {
        octets_out = put_component(type, octets_out, crealf(samples[i]));
        octets_out = put_component(type, octets_out, cimagf(samples[i]));
    }
}
