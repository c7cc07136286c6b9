#include "phy/wifi/demod.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "phy/wifi/code.h"
#include "phy/wifi/payload.h"
#include "phy/wifi/signal.h"
#include "phy/wifi/symbols.h"
#include "phy/wifi/viterbi.h"

enum {
    N_DATA = PHY_WIFI_N_DATA,
    SIGNAL_RATE = 0, /* index: SIGNAL and HT-SIGNAL are coded as 6 Mb/s */
    HT_SYMBOLS = 2,
    MAX_CODED = 2 * PHY_WIFI_MAX_DATA_BITS
};

enum stage { STAGE_SIGNAL, STAGE_DATA, STAGE_HT_SIGNAL, STAGE_HT_BODY, STAGE_BAD_HEADER };

struct phy_wifi_demod {
    struct phy_wifi_symbols symbols;
    struct phy_wifi_preamble preamble;
    struct phy_viterbi *viterbi;
    enum stage stage;
    struct phy_wifi_signal signal;
    struct phy_wifi_ht_signal ht;
    unsigned n_symbols; /* of DATA, that SIGNAL announced */
    unsigned i_symbol;  /* of DATA, that comes next */
    float noise_db[PHY_N_SUBCARRIERS];
    uint16_t place[PHY_WIFI_N_RATES][PHY_WIFI_MAX_NCBPS]; /* where demapped bit j * 48 + i of a symbol goes among its 2 n_dbps */
    _Alignas(64) int8_t soft[MAX_CODED + 64];
    uint8_t packed[PHY_WIFI_MAX_DATA_BITS / 8 + 8];
    uint8_t psdu[PHY_WIFI_MAX_PSDU + 1];
};

static size_t own_bytes(void)
{
    return (sizeof(struct phy_wifi_demod) + 63) / 64 * 64;
}

size_t phy_wifi_demod_bytes(void)
{
    return own_bytes() + phy_viterbi_bytes(PHY_WIFI_MAX_DATA_BITS);
}

static void set_places(struct phy_wifi_demod *d, unsigned rate_index)
{
    const struct phy_wifi_rate *rate = phy_wifi_rate(rate_index);
    const uint16_t *interleaver = phy_wifi_interleaver(rate_index);
    unsigned period, n_sent = 0;
    const uint8_t *kept = phy_wifi_puncture_pattern(rate_index, &period);
    for (unsigned k = 0; k < 2 * rate->n_dbps; k++) {
        if (!kept[k % period])
            continue;
        unsigned at = interleaver[n_sent++];
        d->place[rate_index][at % rate->n_bpsc * N_DATA + at / rate->n_bpsc] = (uint16_t)k;
    }
    assert(n_sent == rate->n_cbps);
}

struct phy_wifi_demod *phy_wifi_demod_init(void *mem, enum phy_simd simd)
{
    struct phy_wifi_demod *d = mem;
    memset(d, 0, sizeof *d);
    phy_wifi_symbols_init(&d->symbols, simd);
    for (unsigned i = 0; i < PHY_WIFI_N_RATES; i++)
        set_places(d, i);
    d->viterbi = phy_viterbi_init((unsigned char *)mem + own_bytes(), PHY_WIFI_MAX_DATA_BITS, simd);
    return d;
}

void phy_wifi_demod_begin(struct phy_wifi_demod *d, const struct phy_wifi_preamble *preamble, const float complex *samples,
                          uint64_t base)
{
    d->preamble = *preamble;
    d->stage = STAGE_SIGNAL;
    d->n_symbols = d->i_symbol = 0;
    phy_wifi_symbols_begin(&d->symbols, preamble, samples, base);
}

static uint64_t first_data_sample(const struct phy_wifi_demod *d)
{
    return d->preamble.long_sample + 2 * PHY_WIFI_N_FFT + PHY_WIFI_SYMBOL;
}

static uint64_t end_sample(const struct phy_wifi_demod *d)
{
    return first_data_sample(d) + (uint64_t)d->n_symbols * PHY_WIFI_SYMBOL;
}

uint64_t phy_wifi_demod_wants(const struct phy_wifi_demod *d, uint64_t *first_out)
{
    uint64_t first = phy_wifi_symbols_next(&d->symbols), end = first + PHY_WIFI_N_FFT;
    if (d->stage == STAGE_HT_BODY)
        first = end = end_sample(d);
    else if (d->stage == STAGE_DATA && d->i_symbol + 1 == d->n_symbols && end < end_sample(d))
        end = end_sample(d);
    *first_out = first;
    return end;
}

static void put_soft(struct phy_wifi_demod *d, const struct phy_wifi_symbol *symbol, unsigned rate_index, int8_t *soft)
{
    const struct phy_wifi_rate *rate = phy_wifi_rate(rate_index);
    const uint16_t *place = d->place[rate_index];
    if (rate->n_cbps < 2 * rate->n_dbps)
        memset(soft, 0, 2 * rate->n_dbps);
    for (unsigned k = 0; k < rate->n_cbps; k++)
        soft[place[k]] = symbol->soft[k];
}

static uint64_t decode_word(struct phy_wifi_demod *d, unsigned n_bits)
{
    uint64_t word = 0;
    phy_viterbi_decode(d->viterbi, d->soft, n_bits, 1, d->packed);
    for (unsigned i = 0; i < n_bits; i++)
        word |= (uint64_t)(d->packed[i / 8] >> i % 8 & 1) << i;
    return word;
}

static void take_signal(struct phy_wifi_demod *d, const struct phy_wifi_symbol *symbol)
{
    put_soft(d, symbol, SIGNAL_RATE, d->soft);
    uint32_t bits = (uint32_t)decode_word(d, PHY_WIFI_SIGNAL_LEN);
    if (!phy_wifi_read_signal(bits, &d->signal)) {
        d->stage = STAGE_BAD_HEADER;
        return;
    }
    d->stage = STAGE_DATA;
    d->n_symbols = phy_wifi_n_symbols(d->signal.psdu_len, d->signal.rate_index);
}

static void take_ht_signal(struct phy_wifi_demod *d, const struct phy_wifi_symbol *symbol)
{
    put_soft(d, symbol, SIGNAL_RATE, d->soft + d->i_symbol * 2 * PHY_WIFI_SIGNAL_LEN);
    d->i_symbol++;
    d->stage = STAGE_HT_SIGNAL;
    if (d->i_symbol < HT_SYMBOLS)
        return;
    bool good = phy_wifi_read_ht_signal(decode_word(d, PHY_WIFI_HT_SIGNAL_LEN), &d->ht);
    d->stage = good ? STAGE_HT_BODY : STAGE_BAD_HEADER;
}

static void take_data(struct phy_wifi_demod *d, const struct phy_wifi_symbol *symbol)
{
    const struct phy_wifi_rate *rate = phy_wifi_rate(d->signal.rate_index);
    put_soft(d, symbol, d->signal.rate_index, d->soft + (size_t)d->i_symbol * 2 * rate->n_dbps);
    d->i_symbol++;
}

bool phy_wifi_demod_symbol(struct phy_wifi_demod *d, const float complex *samples, uint64_t base)
{
    if (d->stage == STAGE_HT_BODY)
        return true;
    struct phy_wifi_symbol symbol;
    unsigned n_bpsc = d->stage == STAGE_DATA ? phy_wifi_rate(d->signal.rate_index)->n_bpsc : 1;
    bool first_data = d->stage == STAGE_DATA && d->i_symbol == 0;
    bool maybe_ht = d->stage == STAGE_HT_SIGNAL ||
                    (first_data && d->signal.rate_index == SIGNAL_RATE && d->n_symbols > HT_SYMBOLS);
    phy_wifi_symbols_take(&d->symbols, samples + (phy_wifi_symbols_next(&d->symbols) - base), n_bpsc, maybe_ht, &symbol);
    if (d->stage == STAGE_SIGNAL)
        take_signal(d, &symbol);
    else if (d->stage == STAGE_HT_SIGNAL || symbol.quadrature)
        take_ht_signal(d, &symbol);
    else
        take_data(d, &symbol);
    return d->stage == STAGE_BAD_HEADER || (d->stage == STAGE_DATA && d->i_symbol == d->n_symbols);
}

bool phy_wifi_demod_has_header(const struct phy_wifi_demod *d)
{
    return d->stage != STAGE_SIGNAL && d->stage != STAGE_BAD_HEADER;
}

static void decode_payload(struct phy_wifi_demod *d, struct phy_frame *out)
{
    const struct phy_wifi_rate *rate = phy_wifi_rate(d->signal.rate_index);
    size_t n_bits = PHY_WIFI_SERVICE_BITS + 8 * (size_t)d->signal.psdu_len + PHY_WIFI_TAIL_BITS;
    size_t n_have = (size_t)d->i_symbol * 2 * rate->n_dbps;
    if (n_have < 2 * n_bits)
        memset(d->soft + n_have, 0, 2 * n_bits - n_have);
    phy_viterbi_decode(d->viterbi, d->soft, n_bits, 1, d->packed);
    phy_wifi_descramble(d->packed, d->signal.psdu_len, d->psdu);
    out->corrected_bits = phy_wifi_count_corrected(d->soft, d->packed, n_bits);
    out->psdu = d->psdu;
    out->psdu_len = d->signal.psdu_len;
    out->rate_kbps = rate->kbps_at_20msps / 20;
}

static void describe_errors(struct phy_wifi_demod *d, struct phy_frame *out)
{
    const struct phy_wifi_symbols *s = &d->symbols;
    if (s->n_data == 0)
        return;
    float power = 0.0f, n = (float)s->n_data;
    for (unsigned i = 0; i < PHY_WIFI_N_USED; i++)
        power += s->power[i] / PHY_WIFI_N_USED;
    for (unsigned i = 0; i < PHY_N_SUBCARRIERS; i++)
        d->noise_db[i] = NAN;
    for (unsigned i = 0; i < PHY_WIFI_N_USED; i++)
        d->noise_db[phy_wifi_used_bin(i)] = 10.0f * log10f(s->data_error[i] / (n * power) + 1e-12f);
    if (s->outbreak > 0)
        out->error_samples = (int64_t)(first_data_sample(d) - d->preamble.start_sample) + (int64_t)s->outbreak * PHY_WIFI_SYMBOL;
    out->evm_db = 10.0 * log10((double)(s->evm_sum / n) + 1e-12);
    out->noise_db = d->noise_db;
}

void phy_wifi_demod_finish(struct phy_wifi_demod *d, struct phy_frame *out)
{
    *out = (struct phy_frame){
        .start_sample = d->preamble.start_sample,
        .end_sample = end_sample(d),
        .header_ok = phy_wifi_demod_has_header(d) && d->stage != STAGE_HT_SIGNAL, /* the first half of HT-SIGNAL says nothing */
        .cfo_hz = phy_wifi_symbols_cfo(&d->symbols),
        .noise_dbfs = 10.0 * log10((double)d->symbols.channel.noise_power),
        .evm_db = NAN,
        .corrected_bits = -1,
        .error_samples = -1,
        .ht_mcs = -1,
    };
    if (d->stage == STAGE_DATA) {
        decode_payload(d, out);
        describe_errors(d, out);
    } else if (d->stage == STAGE_HT_BODY) {
        out->format = PHY_FORMAT_HT;
        out->ht_mcs = (int)d->ht.mcs;
        out->ht_len = d->ht.psdu_len;
        out->ht_wide = d->ht.wide;
        out->ht_short_guard = d->ht.short_guard;
        out->rate_kbps = phy_wifi_ht_kbps_at_1msps(&d->ht);
    }
}
