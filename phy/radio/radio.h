/* The radio port: where samples come from and go to. A back end is a table of functions.
 * Time is the sample index of the receive stream. Each block of received samples says how many samples were lost before it. */
#ifndef PHY_RADIO_RADIO_H
#define PHY_RADIO_RADIO_H

#include <complex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PHY_RADIO_MAX_TEXT = 128, PHY_RADIO_MAX_ERROR = 320, PHY_RADIO_MAX_COUNTERS = 24 };

struct phy_radio_block {
    uint64_t start_sample;
    size_t n;            /* samples delivered; 0 at the end of a recording */
    uint64_t n_lost;     /* samples lost right before this block */
    uint64_t n_clipped;  /* samples at full scale */
    uint64_t n_nonfinite; /* replaced by zero */
};

struct phy_radio {
    const struct phy_radio_ops *ops;
    uint32_t sample_rate_hz;
    double center_hz;  /* NAN if unknown */
};

/* What became of a burst, when it is known. */
enum phy_radio_report_kind { PHY_RADIO_BURST_DONE, PHY_RADIO_LATE, PHY_RADIO_UNDERFLOW, PHY_RADIO_SEQUENCE_ERROR, PHY_RADIO_FAULT };

struct phy_radio_report {
    enum phy_radio_report_kind kind;
    uint64_t sample; /* when, as far as the device says */
};

struct phy_radio_counter {
    const char *name;  /* "overflows" */
    const char *words; /* what it means, one sentence: "the host did not read fast enough and samples were lost" */
    uint64_t count;
};

struct phy_radio_ops {
    const char *name;
    /* Up to cap samples, waiting for at most timeout_ns (a recording does not wait). 0; -EAGAIN when nothing came in time; -ENODEV when
     * the device vanished; other negative errno. */
    int (*receive)(struct phy_radio *r, float complex *out, size_t cap, int64_t timeout_ns, struct phy_radio_block *block_out);
    /* One whole burst, its first sample on the air at start_sample of the receive stream. Samples are copied. NULL where a back end
     * cannot transmit; there is no path from a file to a transmitting back end. -ETIME: too late, not sent, counted; -EPERM:
     * transmission was not allowed when the radio was opened; -EBUSY: overlaps the burst before. */
    int (*transmit)(struct phy_radio *r, uint64_t start_sample, const float complex *samples, size_t n);
    /* Nothing will be transmitted before this sample that was not handed over yet. Stream back ends send zeros up to it. NULL: not needed. */
    int (*idle_until)(struct phy_radio *r, uint64_t sample);
    /* How far ahead of the latest received sample a burst has to be handed over, samples; as far as the back end knows. NULL: 0. */
    uint64_t (*lead_samples)(const struct phy_radio *r);
    /* The next report, 1; 0 if there is none. NULL: none ever. */
    int (*report)(struct phy_radio *r, struct phy_radio_report *out);
    /* Everything that was counted. Returns how many of cap were filled. NULL: nothing is. */
    size_t (*counters)(const struct phy_radio *r, struct phy_radio_counter *out, size_t cap);
    /* Text of what failed last, one line. NULL: strerror has to do. */
    const char *(*last_error)(const struct phy_radio *r);
    /* Ends a burst in progress, frees the radio. */
    void (*close)(struct phy_radio *r);
};

/* What live back ends are opened with. Zero or NAN or "" is the back end's default; a gain's is NAN alone. */
struct phy_radio_config {
    char address[PHY_RADIO_MAX_TEXT]; /* uhd: device args; zmq: "tx=tcp://127.0.0.1:2000,rx=tcp://127.0.0.1:2001" */
    uint32_t sample_rate_hz;
    double center_hz;
    double rx_gain_db, tx_gain_db;
    char antenna_rx[16], antenna_tx[16], subdev[16], clock_source[16], time_source[16], wire_format[8];
    uint32_t channel;
    double bandwidth_hz, lo_offset_hz;
    bool transmit;                 /* without it no transmitter is opened */
    double max_tx_gain_db;         /* a larger tx_gain_db is refused; NAN: 0 */
};

/* A live radio. uri: "uhd" or "uhd:ARGS", "zmq:tx=...,rx=..."; what follows the colon replaces cfg->address. 0, or negative errno
 * with one line in error_out (PHY_RADIO_MAX_ERROR octets): -ENODEV no such device, -ENOSYS built without this back end,
 * -EINVAL a bad uri or option. */
__attribute__((warn_unused_result)) int phy_radio_open(const char *uri, const struct phy_radio_config *cfg, struct phy_radio **out,
                                                       char *error_out);

/* Back ends; each takes the configuration with the address filled in. */
struct phy_radio_backend {
    const char *scheme; /* "uhd" */
    int (*open)(const struct phy_radio_config *cfg, struct phy_radio **out, char *error_out);
};
extern const struct phy_radio_backend phy_radio_uhd, phy_radio_zmq;
#endif
