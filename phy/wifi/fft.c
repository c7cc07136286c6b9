/* 64 = 8 x 8: eight transforms of eight points side by side, a twiddle, a transposition, and eight more. Every loop runs over
 * eight neighbouring floats, which the compiler makes vectors of. */
#include "phy/wifi/fft.h"

enum { N = 8 };

/* exp(-j 2 pi i / 64) for i = 0..16; the others follow by symmetry */
static const float quarter_cos[17] = {
    1.0f,          0.995184727f, 0.98078528f,  0.956940336f, 0.923879533f, 0.881921264f, 0.831469612f, 0.773010453f, 0.707106781f,
    0.634393284f, 0.555570233f, 0.471396737f, 0.382683432f, 0.290284677f, 0.195090322f, 0.0980171403f, 0.0f};

static float cos_64th(unsigned i)
{
    i %= 64;
    if (i > 32)
        i = 64 - i;
    return i <= 16 ? quarter_cos[i] : -quarter_cos[32 - i];
}

/* Eight transforms of eight points: point p of transform c stands at row p, column c, before and after. */
static inline void transform_columns(float *restrict re, float *restrict im)
{
    const float h = 0.707106781f;
    for (int c = 0; c < N; c++) {
        float a0r = re[c] + re[32 + c], a0i = im[c] + im[32 + c], a1r = re[c] - re[32 + c], a1i = im[c] - im[32 + c];
        float a2r = re[16 + c] + re[48 + c], a2i = im[16 + c] + im[48 + c], a3r = re[16 + c] - re[48 + c],
              a3i = im[16 + c] - im[48 + c];
        float e0r = a0r + a2r, e0i = a0i + a2i, e2r = a0r - a2r, e2i = a0i - a2i;
        float e1r = a1r + a3i, e1i = a1i - a3r, e3r = a1r - a3i, e3i = a1i + a3r;
        float b0r = re[8 + c] + re[40 + c], b0i = im[8 + c] + im[40 + c], b1r = re[8 + c] - re[40 + c], b1i = im[8 + c] - im[40 + c];
        float b2r = re[24 + c] + re[56 + c], b2i = im[24 + c] + im[56 + c], b3r = re[24 + c] - re[56 + c],
              b3i = im[24 + c] - im[56 + c];
        float o0r = b0r + b2r, o0i = b0i + b2i, o2r = b0r - b2r, o2i = b0i - b2i;
        float o1r = b1r + b3i, o1i = b1i - b3r, o3r = b1r - b3i, o3i = b1i + b3r;
        float t1r = h * (o1r + o1i), t1i = h * (o1i - o1r), t3r = h * (o3i - o3r), t3i = -h * (o3r + o3i);
        re[c] = e0r + o0r, im[c] = e0i + o0i, re[32 + c] = e0r - o0r, im[32 + c] = e0i - o0i;
        re[8 + c] = e1r + t1r, im[8 + c] = e1i + t1i, re[40 + c] = e1r - t1r, im[40 + c] = e1i - t1i;
        re[16 + c] = e2r + o2i, im[16 + c] = e2i - o2r, re[48 + c] = e2r - o2i, im[48 + c] = e2i + o2r;
        re[24 + c] = e3r + t3r, im[24 + c] = e3i + t3i, re[56 + c] = e3r - t3r, im[56 + c] = e3i - t3i;
    }
}

static inline void transpose(const float *restrict from, float *restrict to)
{
    for (int r = 0; r < N; r++)
        for (int c = 0; c < N; c++)
            to[c * N + r] = from[r * N + c];
}

void phy_wifi_fft_init(struct phy_wifi_fft *f)
{
    for (unsigned r = 0; r < N; r++)
        for (unsigned c = 0; c < N; c++) {
            f->re[r * N + c] = cos_64th(r * c);
            f->im[r * N + c] = -cos_64th(r * c + 48);
        }
}

void phy_wifi_fft(const struct phy_wifi_fft *f, struct phy_wifi_bins *x)
{
    struct phy_wifi_bins t;
    transform_columns(x->re, x->im);
    for (int i = 0; i < PHY_WIFI_N_FFT; i++) {
        float re = x->re[i] * f->re[i] - x->im[i] * f->im[i];
        x->im[i] = x->re[i] * f->im[i] + x->im[i] * f->re[i];
        x->re[i] = re;
    }
    transpose(x->re, t.re);
    transpose(x->im, t.im);
    transform_columns(t.re, t.im);
    *x = t;
}
