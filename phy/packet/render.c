#include "phy/packet/render.h"

#include <math.h>
#include <string.h>

#include "phy/wifi/fft.h"

enum { N_FFT = PHY_WIFI_N_FFT, GUARD = 16, SYMBOL = N_FFT + GUARD, EDGE = 26, N_USED = 2 * EDGE };
_Static_assert(PHY_PACKET_RENDER_FRAME == PHY_PACKET_RENDER_SYMBOLS * SYMBOL, "whole symbols");

static void make_symbol(const struct phy_wifi_fft *fft, uint64_t *random, float complex *out)
{
    const float level = 1.0f / sqrtf(2.0f * N_USED);
    struct phy_wifi_bins x;
    memset(&x, 0, sizeof x);
    for (unsigned k = 1; k < N_FFT; k++) {
        *random = *random * 6364136223846793005u + 1442695040888963407u;
        if (k > EDGE && k < N_FFT - EDGE)
            continue;
        x.re[k] = *random >> 63 ? level : -level;
        x.im[k] = *random >> 62 & 1 ? level : -level;
    }
    phy_wifi_fft(fft, &x); /* forward or back: the points are as random either way */
    for (size_t i = 0; i < SYMBOL; i++) {
        size_t from = (i + N_FFT - GUARD) % N_FFT;
        out[i] = CMPLXF(x.re[from], x.im[from]);
    }
}

void phy_packet_render_init(struct phy_packet_render *r, uint64_t seed, uint64_t stream, enum phy_simd simd, double noise_power)
{
    uint64_t random = 1;
    struct phy_wifi_fft fft;
    phy_awgn_init(&r->noise, seed, stream, simd);
    r->noise_power = noise_power;
    phy_wifi_fft_init(&fft);
    for (size_t i = 0; i < PHY_PACKET_RENDER_SYMBOLS; i++)
        make_symbol(&fft, &random, r->frame + i * SYMBOL);
}

static bool overlaps(const struct phy_arrival *a, uint64_t start, uint64_t end)
{
    return a->start_sample < end && a->end_sample > start;
}

bool phy_packet_arrives(const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t start, uint64_t n)
{
    for (size_t i = 0; i < n_arrivals; i++)
        if (overlaps(&arrivals[i], start, start + n))
            return true;
    return false;
}

/* Each frame begins somewhere else in the loop. */
static void add_frame(const struct phy_packet_render *r, const struct phy_arrival *a, uint64_t start, uint64_t end, float complex *out)
{
    uint64_t first = a->start_sample > start ? a->start_sample : start, last = a->end_sample < end ? a->end_sample : end;
    float scale = (float)sqrt(a->power);
    uint64_t skipped = a->id * 7 % PHY_PACKET_RENDER_SYMBOLS * SYMBOL;
    for (uint64_t i = first; i < last; i++)
        out[i - start] += scale * r->frame[(i - a->start_sample + skipped) % PHY_PACKET_RENDER_FRAME];
}

static void add_samples(const struct phy_arrival *a, uint64_t start, uint64_t end, float complex *out)
{
    uint64_t first = a->start_sample > start ? a->start_sample : start, last = a->end_sample < end ? a->end_sample : end;
    const float complex *from = a->samples + (first - a->start_sample);
    for (uint64_t i = 0; i < last - first; i++)
        out[first - start + i] += a->scale * from[i];
}

bool phy_packet_render(struct phy_packet_render *r, const struct phy_arrival *arrivals, size_t n_arrivals, uint64_t start, size_t n,
                       float complex *out)
{
    memset(out, 0, n * sizeof *out);
    for (size_t i = 0; i < n_arrivals; i++) {
        const struct phy_arrival *a = &arrivals[i];
        if (!overlaps(a, start, start + n))
            continue;
        if (a->psdu)
            add_frame(r, a, start, start + n, out);
        else if (a->samples)
            add_samples(a, start, start + n, out);
        else
            return false;
    }
    phy_awgn_add(&r->noise, start, (float)r->noise_power, out, n);
    return true;
}
