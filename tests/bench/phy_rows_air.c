/* The virtual air under full load: eight stations all send and each hears the seven others, every path with three Rayleigh taps and a
 * carrier offset, every receiver with its own noise. The figure is the sample rate of each station that one core keeps up with. */
#include <math.h>

#include "phy/air/air.h"
#include "phy/air/awgn.h"
#include "tests/bench/phy_rows.h"

enum { N_STATIONS = 8, BLOCK = 80, N_BLOCKS = 1000, N_BURST = 1 << 16, RATE_HZ = 8000000 };

struct mesh {
    struct phy_air *air;
    struct phy_fading fading;
    const struct phy_fading *fadings[N_STATIONS * N_STATIONS];
    struct phy_air_link links[N_STATIONS * N_STATIONS];
    double noise_dbfs[N_STATIONS], offset_hz[N_STATIONS], clock_ppm[N_STATIONS];
    float complex *burst;
    float complex out[BLOCK];
    uint64_t at;
    double power;
};

/* One after the other in blocks of 80 samples, as a run does. */
static double render_all(void *ctx)
{
    struct mesh *m = ctx;
    for (size_t b = 0; b < N_BLOCKS; b++) {
        for (uint32_t l = 0; l < N_STATIONS; l++) {
            phy_air_render(m->air, l, 0, m->at, BLOCK, m->out);
            m->power += (double)(crealf(m->out[0]) * crealf(m->out[0]) + cimagf(m->out[0]) * cimagf(m->out[0]));
        }
        m->at += BLOCK;
    }
    return 0.0;
}

/* Seven senders of power 1, one of noise, within a factor of three: fading is drawn, and a sample a block is looked at. */
static bool check_power(void *ctx)
{
    const struct mesh *m = ctx;
    double mean = m->power / ((double)m->at / BLOCK * N_STATIONS);
    return mean > 8.0 / 3.0 && mean < 8.0 * 3.0;
}

static struct mesh *open_mesh(enum phy_simd simd, double doppler_hz, double apart_ppm)
{
    struct mesh *m = phy_rows_memory(sizeof *m);
    struct phy_awgn *source = phy_rows_memory(sizeof *source);
    m->burst = phy_rows_memory(N_BURST * sizeof *m->burst);
    phy_awgn_init(source, 1, 1, simd);
    phy_awgn_add(source, 0, 1.0f, m->burst, N_BURST);
    m->fading = (struct phy_fading){.kind = PHY_FADING_RAYLEIGH, .n_taps = 3, .taps = {{0, 0.0f}, {3, -3.0f}, {7, -6.0f}},
                                    .doppler_hz = doppler_hz};
    for (size_t i = 0; i < (size_t)N_STATIONS * N_STATIONS; i++)
        m->fadings[i] = &m->fading;
    for (uint32_t i = 0; i < N_STATIONS; i++) {
        m->offset_hz[i] = 700.0 * i;
        m->clock_ppm[i] = apart_ppm * i;
        for (uint32_t l = 0; l < N_STATIONS; l++)
            m->links[i * N_STATIONS + l].delay_samples = i;
    }
    struct phy_air_config cfg = {.seed = 1, .n_nodes = N_STATIONS, .n_channels = 1, .sample_rate_hz = RATE_HZ,
                                 .noise_dbfs = m->noise_dbfs, .carrier_offset_hz = m->offset_hz, .links = m->links,
                                 .max_emissions = N_STATIONS, .fading = m->fadings, .clock_ppm = m->clock_ppm, .simd = simd};
    const char *bad_field;
    size_t len = phy_air_bytes(&cfg);
    if (phy_air_init(phy_rows_memory(len), len, &cfg, &m->air, &bad_field) != 0)
        phy_rows_fail("phy_air_init");
    for (uint32_t i = 0; i < N_STATIONS; i++)
        if (phy_air_emit_loop(m->air, i, 0, 0, UINT64_MAX, m->burst, N_BURST, 8191 * i, 1.0f) < 0)
            phy_rows_fail("phy_air_emit_loop");
    return m;
}

void phy_rows_air(struct phy_rows *rows)
{
    static const struct {
        const char *name;
        double doppler_hz, apart_ppm;
    } kinds[] = {{"air_mesh", 0.0, 0.0}, {"air_mesh_doppler_100hz", 100.0, 0.0}, {"air_mesh_clocks_apart", 0.0, 1.0}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct phy_row row = {.name = kinds[i].name, .unit = "Msps", .work = (double)BLOCK * N_BLOCKS, .run = render_all,
                              .check = check_power, .ctx = open_mesh(rows->simd, kinds[i].doppler_hz, kinds[i].apart_ppm)};
        phy_rows_add(rows, row);
    }
}
