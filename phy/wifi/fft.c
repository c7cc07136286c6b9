#include "phy/wifi/fft.h"

#include "phy/wifi/fft_kernel.h"

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
    phy_wifi_fft_here(f, x);
}
