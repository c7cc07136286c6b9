/* SigMF metadata from outside: whatever it says, opening it refuses in one line or gives samples within the data. */
#include "phy/radio/sigmf.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const uint8_t samples[256] = {1, 2, 3, 0x7f, 0x80, 0xff};
    static struct phy_sigmf_meta meta;
    char error[PHY_SIGMF_MAX_ERROR] = "";
    struct phy_radio *r;
    int err = phy_sigmf_open_memory("fuzz", data, len, samples, sizeof samples, &r, &meta, error);
    if (err) {
        assert(err < 0 && error[0] && strlen(error) < sizeof error && !strchr(error, '\n'));
        return 0;
    }
    float complex block[32];
    struct phy_radio_block info;
    uint64_t n = 0, expected = meta.captures[0].global_index;
    do {
        int failed = r->ops->receive(r, block, 32, 0, &info);
        assert(!failed && info.start_sample == expected + info.n_lost);
        expected = info.start_sample + info.n;
        n += info.n;
    } while (info.n);
    assert(n == meta.n_samples);
    assert(phy_sigmf_file_sample(&meta, expected) == n);
    r->ops->close(r);
    return 0;
}
