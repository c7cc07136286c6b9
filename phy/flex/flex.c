/* The flex waveform: liquid-dsp's ofdmflexframe on the air. Frames are made by ofdmflexframegen; they are received by
 * ofdmframesync, the synchroniser inside ofdmflexframesync, with header and payload decoded here: this gives exact sample
 * stamps, and a stranger's header never makes the library use a code that it was built without. */
#include <assert.h>
#include <complex.h>
#include <errno.h>
#include <liquid/liquid.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "phy/sensing/energy.h"
#include "phy/flex/flex_frame.h"
#include "phy/waveform.h"

enum {
    SEEK_STEP = PHY_FLEX_N_FFT,  /* the synchroniser looks for a preamble once in so many samples */
    ACQUIRE_BLIND = 160,         /* from its first suspicion to the first symbol it takes at least this long ... */
    ACQUIRE_MAX = 288,           /* ... and, for a real preamble, at most this long */
    FIRST_SYMBOL = (PHY_FLEX_N_PREAMBLE_SYMBOLS + 1) * PHY_FLEX_SYMBOL /* frame start to first symbol done */
};

enum stage { STAGE_SEEK, STAGE_ACQUIRE, STAGE_HEADER, STAGE_PAYLOAD };

struct phy_waveform_demod {
    ofdmflexframegen gen;
    ofdmframesync sync;
    packetizer header_code;
    packetizer payload_code[PHY_FLEX_N_RATES];
    modemcf header_modem;
    modemcf modem[PHY_FLEX_N_RATES];
    unsigned char types[PHY_FLEX_N_FFT];
    phy_waveform_on_lock *on_lock;
    phy_waveform_on_frame *on_frame;
    void *ctx;

    double squelch_power;
    float complex block[SEEK_STEP]; /* of the seek stage, until it is whole */
    enum stage stage;
    unsigned n_in_stage;   /* samples since the stage (seek, acquire) or the symbol began */
    bool symbol_came;      /* set by the synchroniser's callback within an execute call */
    bool frame_ended;
    size_t offset;         /* samples consumed in this execute call */
    uint64_t start_offset; /* of the frame, from this call's first sample, modulo 2^64 */
    struct phy_flex_header header;
    unsigned n_symbols;    /* of the present part, header or payload */
    unsigned n_symbols_due;
    size_t n_bits;         /* filled of coded[] */
    float error_power[PHY_FLEX_N_FFT];
    float noise_db[PHY_FLEX_N_FFT];
    unsigned char coded[PHY_FLEX_MAX_CODED_BYTES];
    unsigned char decoded[PHY_FLEX_MAX_PADDED_BYTES];
};

/* --- receiving --- */

/* The generator scrambles the coded header once more than the packetizer does. */
static bool decode_header(struct phy_waveform_demod *d)
{
    unsigned char bytes[PHY_FLEX_HEADER_BYTES];
    unscramble_data(d->coded, PHY_FLEX_HEADER_CODED_BYTES);
    return packetizer_decode(d->header_code, d->coded, bytes) && phy_flex_read_header(bytes, &d->header);
}

static void demap_symbol(struct phy_waveform_demod *d, modemcf modem, unsigned bits_per_point, const float complex *points)
{
    for (unsigned i = 0; i < PHY_FLEX_N_FFT; i++) {
        if (d->types[i] != OFDMFRAME_SCTYPE_DATA)
            continue;
        unsigned value;
        float complex nearest;
        modemcf_demodulate(modem, points[i], &value);
        modemcf_get_demodulator_sample(modem, &nearest);
        float complex error = points[i] - nearest;
        d->error_power[i] += crealf(error) * crealf(error) + cimagf(error) * cimagf(error);
        liquid_pack_array(d->coded, sizeof d->coded, (unsigned)d->n_bits, bits_per_point, (unsigned char)value);
        d->n_bits += bits_per_point;
    }
}

static void begin_part(struct phy_waveform_demod *d, enum stage stage, unsigned n_symbols)
{
    d->stage = stage;
    d->n_symbols = 0;
    d->n_symbols_due = n_symbols;
    d->n_bits = 0;
    memset(d->coded, 0, sizeof d->coded);
    memset(d->error_power, 0, sizeof d->error_power);
}

/* Error vectors over the symbols of the present part. */
static void measure_errors(struct phy_waveform_demod *d, struct phy_frame *frame)
{
    double total = 0.0;
    for (unsigned i = 0; i < PHY_FLEX_N_FFT; i++) {
        double mean = (double)d->error_power[i] / d->n_symbols;
        bool data = d->types[i] == OFDMFRAME_SCTYPE_DATA;
        d->noise_db[i] = data ? (float)(10.0 * log10(mean + 1e-12)) : NAN;
        total += data ? mean : 0.0;
    }
    frame->evm_db = 10.0 * log10(total / PHY_FLEX_N_DATA + 1e-12);
    frame->noise_db = d->noise_db;
}

static void report_frame(struct phy_waveform_demod *d, bool header_ok)
{
    struct phy_frame frame = {
        .start_sample = d->start_offset,
        .end_sample = d->offset,
        .header_ok = header_ok,
        .cfo_hz = (double)ofdmframesync_get_cfo(d->sync) / (2.0 * acos(-1.0)),
        .noise_dbfs = NAN,
        .corrected_bits = -1,
        .error_samples = -1,
        .ht_mcs = -1,
    };
    measure_errors(d, &frame);
    if (header_ok) {
        frame.end_sample = d->start_offset + phy_flex_frame_samples(d->header.psdu_len, d->header.rate_index);
        frame.rate_kbps = phy_waveform_flex()->rate_kbps_at_1msps[d->header.rate_index];
        frame.psdu = d->decoded;
        frame.psdu_len = d->header.psdu_len;
    }
    d->frame_ended = true;
    d->on_frame(d->ctx, d->offset, &frame);
}

static void decode_payload(struct phy_waveform_demod *d)
{
    const struct phy_flex_rate *rate = phy_flex_rate(d->header.rate_index);
    size_t padded = phy_flex_padded_bytes(d->header.psdu_len, d->header.rate_index);
    packetizer *code = &d->payload_code[d->header.rate_index];
    *code = packetizer_recreate(*code, (unsigned)padded, LIQUID_CRC_NONE, rate->code, LIQUID_FEC_NONE);
    packetizer_decode(*code, d->coded, d->decoded);
    report_frame(d, true);
}

static int on_symbol(float complex *points, unsigned char *types, unsigned n_points, void *ctx)
{
    struct phy_waveform_demod *d = ctx;
    (void)types;
    (void)n_points;
    d->symbol_came = true;
    if (d->frame_ended)
        return 0;
    if (d->stage == STAGE_ACQUIRE)
        begin_part(d, STAGE_HEADER, PHY_FLEX_N_HEADER_SYMBOLS);
    const struct phy_flex_rate *rate = phy_flex_rate(d->header.rate_index);
    if (d->stage == STAGE_HEADER)
        demap_symbol(d, d->header_modem, 1, points);
    else
        demap_symbol(d, d->modem[d->header.rate_index], rate->bits_per_point, points);
    d->n_symbols++;
    return 0;
}

/* After the execute call that completed a symbol, with `offset` behind its last sample. */
static void take_symbol(struct phy_waveform_demod *d)
{
    if (d->stage == STAGE_HEADER && d->n_symbols == 1) {
        d->start_offset = d->offset - FIRST_SYMBOL;
        d->on_lock(d->ctx, d->offset);
    }
    if (d->n_symbols < d->n_symbols_due)
        return;
    if (d->stage == STAGE_PAYLOAD) {
        decode_payload(d);
    } else if (!decode_header(d)) {
        report_frame(d, false);
    } else {
        size_t padded = phy_flex_padded_bytes(d->header.psdu_len, d->header.rate_index);
        begin_part(d, STAGE_PAYLOAD, (unsigned)(padded / phy_flex_rate(d->header.rate_index)->bytes_per_symbol));
    }
}

static void seek_again(struct phy_waveform_demod *d)
{
    ofdmframesync_reset(d->sync);
    d->stage = STAGE_SEEK;
    d->n_in_stage = 0;
    d->frame_ended = false;
}

static void push(struct phy_waveform_demod *d, const float complex *samples, unsigned n)
{
    /* liquid's parameter lacks const; the samples are only read */
    ofdmframesync_execute(d->sync, (float complex *)(uintptr_t)samples, n);
}

/* Is a preamble to be looked for in this block? Not in noise. Nor where power rises within the block, since a frame that
 * begins there is seen with a wrong timing: the short training symbols are 160 samples, so that the next block lies wholly
 * within them. Either would make the synchroniser deaf for the next few hundred samples. */
static bool block_is_worth_it(const struct phy_waveform_demod *d)
{
    const double rise = 1.6; /* halves are whole periods of the training symbol, of equal power */
    double early = phy_energy_sum(d->block, SEEK_STEP / 2);
    double late = phy_energy_sum(d->block + SEEK_STEP / 2, SEEK_STEP / 2);
    return early + late > d->squelch_power * SEEK_STEP && late <= rise * early;
}

static size_t seek(struct phy_waveform_demod *d, const float complex *samples, size_t n)
{
    size_t n_take = SEEK_STEP - d->n_in_stage;
    n_take = n_take < n ? n_take : n;
    memcpy(d->block + d->n_in_stage, samples, n_take * sizeof *samples);
    d->n_in_stage += (unsigned)n_take;
    if (d->n_in_stage < SEEK_STEP)
        return n_take;
    d->n_in_stage = 0;
    if (!block_is_worth_it(d))
        return n_take;
    push(d, d->block, SEEK_STEP);
    if (ofdmframesync_is_frame_open(d->sync))
        d->stage = STAGE_ACQUIRE;
    return n_take;
}

/* From the suspicion to the first symbol; what comes out is looked for sample by sample. */
static size_t acquire(struct phy_waveform_demod *d, const float complex *samples, size_t n)
{
    size_t n_take = d->n_in_stage < ACQUIRE_BLIND ? ACQUIRE_BLIND - d->n_in_stage : 1;
    n_take = n_take < n ? n_take : n;
    push(d, samples, (unsigned)n_take);
    d->n_in_stage += (unsigned)n_take;
    if (!d->symbol_came && (d->n_in_stage >= ACQUIRE_MAX || !ofdmframesync_is_frame_open(d->sync)))
        seek_again(d);
    return n_take;
}

static size_t receive(struct phy_waveform_demod *d, const float complex *samples, size_t n)
{
    size_t n_take = PHY_FLEX_SYMBOL - d->n_in_stage;
    n_take = n_take < n ? n_take : n;
    push(d, samples, (unsigned)n_take);
    d->n_in_stage += (unsigned)n_take;
    return n_take;
}

static void execute(struct phy_waveform_demod *d, const float complex *samples, size_t n)
{
    d->offset = 0;
    while (d->offset < n) {
        const float complex *at = samples + d->offset;
        size_t n_left = n - d->offset;
        d->symbol_came = false;
        switch (d->stage) {
        case STAGE_SEEK: d->offset += seek(d, at, n_left); break;
        case STAGE_ACQUIRE: d->offset += acquire(d, at, n_left); break;
        case STAGE_HEADER:
        case STAGE_PAYLOAD: d->offset += receive(d, at, n_left); break;
        }
        if (!d->symbol_came)
            continue;
        d->n_in_stage = 0;
        take_symbol(d);
        if (d->frame_ended)
            seek_again(d);
    }
    d->start_offset -= n; /* from the next call's first sample */
}

static void set_squelch(struct phy_waveform_demod *d, double power)
{
    d->squelch_power = power;
}

/* --- sending --- */

static long modulate(struct phy_waveform_demod *d, const uint8_t *psdu, size_t psdu_len, unsigned rate_index,
                     float complex *out, size_t cap)
{
    const struct phy_flex_rate *rate = phy_flex_rate(rate_index);
    if (!rate || psdu_len == 0 || psdu_len > PHY_MAX_PSDU_BYTES)
        return -EINVAL;
    size_t n = phy_flex_frame_samples(psdu_len, rate_index);
    if (n > cap)
        return -ENOBUFS;
    size_t padded = phy_flex_padded_bytes(psdu_len, rate_index);
    unsigned char payload[PHY_FLEX_MAX_PADDED_BYTES] = {0};
    memcpy(payload, psdu, psdu_len);
    const unsigned char user_header[PHY_FLEX_USER_HEADER_BYTES] = {(unsigned char)(psdu_len >> 8), (unsigned char)psdu_len};
    ofdmflexframegenprops_s props = {
        .check = LIQUID_CRC_NONE,
        .fec0 = (unsigned)rate->code,
        .fec1 = LIQUID_FEC_NONE,
        .mod_scheme = (unsigned)rate->modulation,
    };
    ofdmflexframegen_setprops(d->gen, &props);
    ofdmflexframegen_assemble(d->gen, user_header, payload, (unsigned)padded);
    assert(ofdmflexframegen_getframelen(d->gen) * PHY_FLEX_SYMBOL + PHY_FLEX_TAPER == n);
    ofdmflexframegen_write(d->gen, out, (unsigned)n);
    return (long)n;
}

/* --- opening and closing --- */

static void close_demod(struct phy_waveform_demod *d)
{
    if (!d)
        return;
    if (d->gen)
        ofdmflexframegen_destroy(d->gen);
    if (d->sync)
        ofdmframesync_destroy(d->sync);
    if (d->header_code)
        packetizer_destroy(d->header_code);
    if (d->header_modem)
        modemcf_destroy(d->header_modem);
    for (unsigned i = 0; i < PHY_FLEX_N_RATES; i++) {
        if (d->payload_code[i])
            packetizer_destroy(d->payload_code[i]);
        if (d->modem[i])
            modemcf_destroy(d->modem[i]);
    }
}

static bool open_parts(struct phy_waveform_demod *d)
{
    phy_flex_subcarriers(d->types);
    d->gen = ofdmflexframegen_create(PHY_FLEX_N_FFT, PHY_FLEX_CP, PHY_FLEX_TAPER, d->types, NULL);
    d->sync = ofdmframesync_create(PHY_FLEX_N_FFT, PHY_FLEX_CP, PHY_FLEX_TAPER, d->types, on_symbol, d);
    d->header_code = packetizer_create(PHY_FLEX_HEADER_BYTES, LIQUID_CRC_32, LIQUID_FEC_GOLAY2412, LIQUID_FEC_NONE);
    d->header_modem = modemcf_create(LIQUID_MODEM_BPSK);
    if (!d->gen || !d->sync || !d->header_code || !d->header_modem)
        return false;
    ofdmflexframegen_set_header_len(d->gen, PHY_FLEX_USER_HEADER_BYTES);
    for (unsigned i = 0; i < PHY_FLEX_N_RATES; i++) {
        const struct phy_flex_rate *rate = phy_flex_rate(i);
        d->payload_code[i] = packetizer_create(rate->bytes_per_symbol, LIQUID_CRC_NONE, rate->code, LIQUID_FEC_NONE);
        d->modem[i] = modemcf_create((modulation_scheme)rate->modulation);
        if (!d->payload_code[i] || !d->modem[i])
            return false;
    }
    return packetizer_get_enc_msg_len(d->header_code) == PHY_FLEX_HEADER_CODED_BYTES;
}

static size_t demod_bytes(void)
{
    return sizeof(struct phy_waveform_demod);
}

static int open_demod(void *mem, const struct phy_waveform_config *cfg, struct phy_waveform_demod **out)
{
    struct phy_waveform_demod *d = mem;
    memset(d, 0, sizeof *d);
    d->on_lock = cfg->on_lock;
    d->on_frame = cfg->on_frame;
    d->ctx = cfg->ctx;
    if (!open_parts(d)) {
        close_demod(d);
        return -ENOMEM;
    }
    seek_again(d);
    *out = d;
    return 0;
}

static const struct phy_waveform flex = {
    .name = "flex",
    .n_rates = PHY_FLEX_N_RATES,
    .rate_kbps_at_1msps = {300, 600, 1200, 1800},
    .sure_snr_db = {INFINITY, INFINITY, INFINITY, INFINITY},
    .data_rate = 1,
    .lock_delay_samples = FIRST_SYMBOL + 4,
    .cca_delay_samples = 80,
    .frame_samples = phy_flex_frame_samples,
    .bytes = demod_bytes,
    .open = open_demod,
    .modulate = modulate,
    .execute = execute,
    .set_squelch = set_squelch,
    .reset = seek_again,
    .close = close_demod,
};

const struct phy_waveform *phy_waveform_flex(void)
{
    return &flex;
}
