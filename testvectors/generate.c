/* Makes the small recordings that are kept with the sources, each from a seed:
 *
 *   flex-frames.sigmf-*          frames of the flex waveform with noise, carrier offsets, a gap of lost samples
 *   flex-frames.expect.jsonl     the frames that were sent and can be received: the truth, not a receiver's opinion
 *   primary.sigmf-*              a primary user's signal to be looped: QPSK, 4 MHz wide, made of integers
 *
 * usage: generate_testvectors FOLDER */
#include "phy/air/awgn.h"
#include "phy/phy.h"
#include "phy/radio/sigmf.h"
#include "phy/waveform.h"

#include <math.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLEX_RATE_HZ = 10000000, FLEX_SAMPLES = 52000, FLEX_LOST_AT = 30000, FLEX_LOST = 12345, MAX_PSDU = 400 };

static const double flex_noise_dbfs = -45;
static const double two_pi = 6.283185307179586;

struct flex_frame {
    uint64_t start_sample; /* in the stream as it was before samples were lost */
    unsigned rate_index;
    size_t mpdu_len;
    double level_dbfs, cfo_hz;
};

/* The fifth frame loses its end to the gap. Carrier offsets stay within the waveform's +-.4 subcarriers (156 kHz each). */
static const struct flex_frame flex_frames[] = {
    {1000, 0, 24, -20, 0},      {4500, 1, 100, -25, 12000},  {9000, 2, 300, -12, -41000}, {14000, 3, 300, -15, 300},
    {28500, 0, 60, -20, -7000}, {44000, 0, 200, -33, 5000},  {55000, 3, 36, -12, -2500},  {56500, 2, 90, -20, 55000},
    {59000, 1, 24, -28, -30000}};

enum { N_FLEX = sizeof flex_frames / sizeof *flex_frames };

static void die(const char *what)
{
    fprintf(stderr, "generate_testvectors: %s\n", what);
    exit(3);
}

static void make_mpdu(size_t i_frame, uint8_t *out, size_t len)
{
    /* splitmix64: octets that depend on (frame, place) only */
    for (size_t i = 0; i < len; i++) {
        uint64_t z = (uint64_t)(i_frame + 1) * 0x9e3779b97f4a7c15u + (uint64_t)i * 0xd1342543de82ef95u;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        out[i] = (uint8_t)(z >> 56);
    }
}

static struct phy *open_phy(void)
{
    struct phy_config cfg = {.waveform = phy_waveform_flex(),
                             .sample_rate_hz = FLEX_RATE_HZ,
                             .noise_dbfs = flex_noise_dbfs,
                             .cca_energy_db = 10,
                             .cca_samples = 64};
    size_t len = (phy_bytes(&cfg) + 63) / 64 * 64;
    struct phy *phy = NULL;
    const char *bad_field;
    void *mem = aligned_alloc(64, len);
    if (!mem || phy_init(mem, len, &cfg, &phy, &bad_field))
        die("the modulator cannot start");
    return phy;
}

/* Mixes one frame into the air; *position is where the machine's time stands. Returns how many samples the frame took. */
static size_t add_frame(struct phy *phy, uint64_t *position, size_t i_frame, float complex *air)
{
    static struct phy_update update;
    const struct flex_frame *f = &flex_frames[i_frame];
    uint8_t mpdu[MAX_PSDU];
    make_mpdu(i_frame, mpdu, f->mpdu_len);
    struct phy_event transmit = {.kind = PHY_EV_TRANSMIT,
                                 .transmit = {.start_sample = f->start_sample, .mpdu = mpdu, .len_bytes = f->mpdu_len,
                                              .rate_index = f->rate_index}};
    if (phy_step(phy, &transmit, &update))
        die("a frame cannot be modulated");
    size_t n = update.burst_len;
    double amplitude = pow(10, f->level_dbfs / 20);
    for (size_t i = 0; i < n; i++) {
        double phase = two_pi * f->cfo_hz / FLEX_RATE_HZ * (double)i;
        double complex turn = amplitude * (cos(phase) + (double complex)I * sin(phase));
        air[f->start_sample + i] += (float complex)(turn * (double complex)update.burst[i]);
    }
    /* the machine sends one frame at a time: let this one pass */
    struct phy_event skip = {.kind = PHY_EV_SKIP, .skip.n = f->start_sample + n - *position};
    if (phy_step(phy, &skip, &update))
        die("a frame cannot be passed");
    *position = f->start_sample + n;
    return n;
}

static bool is_lost(uint64_t start, uint64_t end)
{
    return start < FLEX_LOST_AT + FLEX_LOST && end > FLEX_LOST_AT;
}

/* The keys that replay prints, as far as they are known without receiving. */
static void expect_frame(FILE *file, size_t i_frame)
{
    const struct flex_frame *f = &flex_frames[i_frame];
    uint8_t psdu[MAX_PSDU + 4], hash[crypto_hash_sha256_BYTES];
    make_mpdu(i_frame, psdu, f->mpdu_len);
    /* CRC-32 bit by bit, apart from the production code */
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < f->mpdu_len; i++) {
        crc ^= psdu[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    for (int i = 0; i < 4; i++)
        psdu[f->mpdu_len + (size_t)i] = (uint8_t)(~crc >> 8 * i);
    crypto_hash_sha256(hash, psdu, f->mpdu_len + 4);
    char hex[2 * sizeof hash + 1];
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    fprintf(file, "{\"start_sample\": %llu, \"length_octets\": %zu, \"fcs_ok\": true, \"psdu_sha256\": \"%s\"}\n",
            (unsigned long long)f->start_sample, f->mpdu_len + 4, hex);
}

static void write_flex(const char *path, const float complex *air)
{
    struct phy_sigmf_meta meta = {.type = PHY_SIGMF_CI16_LE, .sample_rate_hz = FLEX_RATE_HZ, .noise_dbfs = flex_noise_dbfs};
    strcpy(meta.waveform, "flex");
    struct phy_sigmf_writer *w;
    char error[PHY_SIGMF_MAX_ERROR];
    if (phy_sigmf_create(path, &meta, &w, error) || phy_sigmf_write(w, air, FLEX_LOST_AT, error) ||
        phy_sigmf_new_capture(w, FLEX_LOST, NAN, error) ||
        phy_sigmf_write(w, air + FLEX_LOST_AT + FLEX_LOST, FLEX_SAMPLES - FLEX_LOST_AT, error) ||
        phy_sigmf_finish(w, "Frames of airdeed's flex waveform, made from a seed: noise at -45 dBFS, samples lost after 3 ms",
                         NULL, 0, error))
        die(error);
}

static void make_flex(const char *folder)
{
    char path[4096];
    static float complex air[FLEX_SAMPLES + FLEX_LOST];
    struct phy_awgn noise;
    phy_awgn_init(&noise, 20, 1, PHY_SIMD_BASELINE);
    phy_awgn_add(&noise, 0, (float)pow(10, flex_noise_dbfs / 10), air, FLEX_SAMPLES + FLEX_LOST);
    snprintf(path, sizeof path, "%s/flex-frames.expect.jsonl", folder);
    FILE *expect = fopen(path, "wb");
    if (!expect)
        die("flex-frames.expect.jsonl cannot be written");
    struct phy *phy = open_phy();
    uint64_t position = 0;
    for (size_t i = 0; i < N_FLEX; i++) {
        size_t n = add_frame(phy, &position, i, air);
        uint64_t end = flex_frames[i].start_sample + n;
        if (end > FLEX_SAMPLES + FLEX_LOST || (i + 1 < N_FLEX && end > flex_frames[i + 1].start_sample))
            die("frames overlap");
        if (!is_lost(flex_frames[i].start_sample, end))
            expect_frame(expect, i);
    }
    phy_close(phy);
    free(phy);
    if (fclose(expect))
        die("flex-frames.expect.jsonl cannot be written");
    snprintf(path, sizeof path, "%s/flex-frames", folder);
    write_flex(path, air);
}

/* --- the primary user --- */

/* 16 symbols take 25 samples, so 4000 samples hold 2560 symbols: at 5 Msps 3.2 Msymbols/s, 4 MHz wide with roll-off 1/4. The
 * pulse is a table of integers, by 25ths of a symbol, over +-8 symbols. All that follows is integer arithmetic on it. */
enum { PRIMARY_SAMPLES = 4000, PRIMARY_SYMBOLS = 2560, PER_SYMBOL = 25, SPAN = 8, TABLE = 2 * SPAN * PER_SYMBOL + 1 };

static double root_raised_cosine(double t)
{
    const double beta = .25, pi = two_pi / 2;
    if (t == 0)
        return 1 + beta * (4 / pi - 1);
    double x = 4 * beta * t;
    if (fabs(fabs(x) - 1) < 1e-9)
        return beta / sqrt(2) * ((1 + 2 / pi) * sin(pi / (4 * beta)) + (1 - 2 / pi) * cos(pi / (4 * beta)));
    return (sin(pi * t * (1 - beta)) + x * cos(pi * t * (1 + beta))) / (pi * t * (1 - x * x));
}

/* x^15 + x^14 + 1, 2 bits a symbol */
static void make_symbols(int (*symbols)[2])
{
    unsigned state = 0x5a5a & 0x7fff;
    for (size_t i = 0; i < PRIMARY_SYMBOLS; i++)
        for (int part = 0; part < 2; part++) {
            unsigned bit = (state >> 14 ^ state >> 13) & 1;
            state = (state << 1 | bit) & 0x7fff;
            symbols[i][part] = bit ? 1 : -1;
        }
}

static void make_primary(const char *folder)
{
    static int symbols[PRIMARY_SYMBOLS][2];
    static float complex samples[PRIMARY_SAMPLES];
    long table[TABLE];
    make_symbols(symbols);
    for (int i = 0; i < TABLE; i++)
        table[i] = lround(5000 * root_raised_cosine((double)(i - SPAN * PER_SYMBOL) / PER_SYMBOL));
    for (int n = 0; n < PRIMARY_SAMPLES; n++) {
        long sum[2] = {0, 0};
        int nearest = 16 * n / PER_SYMBOL;
        for (int k = nearest - SPAN; k <= nearest + SPAN + 1; k++) {
            int place = 16 * n - PER_SYMBOL * k + SPAN * PER_SYMBOL;
            if (place < 0 || place >= TABLE)
                continue;
            const int *symbol = symbols[(k + PRIMARY_SYMBOLS) % PRIMARY_SYMBOLS];
            sum[0] += symbol[0] * table[place];
            sum[1] += symbol[1] * table[place];
        }
        samples[n] = (float)sum[0] / 32768 + (float)sum[1] / 32768 * I;
    }
    char path[4096], error[PHY_SIGMF_MAX_ERROR];
    snprintf(path, sizeof path, "%s/primary", folder);
    struct phy_sigmf_meta meta = {.type = PHY_SIGMF_CI16_LE, .sample_rate_hz = 5e6, .noise_dbfs = NAN};
    struct phy_sigmf_writer *w;
    if (phy_sigmf_create(path, &meta, &w, error) || phy_sigmf_write(w, samples, PRIMARY_SAMPLES, error) ||
        phy_sigmf_finish(w, "A primary user to be played in a loop: QPSK, 3.2 Msymbols/s, 4 MHz wide; for conducted use only", NULL,
                         0, error))
        die(error);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: generate_testvectors FOLDER\n");
        return 2;
    }
    make_flex(argv[1]);
    make_primary(argv[1]);
    return 0;
}
