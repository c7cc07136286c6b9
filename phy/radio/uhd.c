/* Opening and closing USRPs, and finding them. */
#include "phy/radio/uhd.h"

#include <errno.h>
#include <stdio.h>

#ifdef AIRDEED_HAVE_UHD
#include "phy/radio/uhd_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct {
    const char *name, *words;
} count_words[UHD_N_COUNTS] = {
    [UHD_OVERFLOWS] = {"overflows", "the host did not read fast enough and samples were lost (UHD prints O)"},
    [UHD_LOST_PACKETS] = {"lost_packets", "packets were lost on the way from the radio to the host (UHD prints D)"},
    [UHD_LOST_SAMPLES] = {"lost_samples", "received samples missing in all gaps together"},
    [UHD_GAPS] = {"gaps", "jumps of the receive timestamps"},
    [UHD_STREAM_LATE] = {"late_starts", "the receive stream was to start at a time that was past, and was started again"},
    [UHD_BROKEN_CHAINS] = {"broken_chains", "the radio expected another stream command, and the stream was started again"},
    [UHD_MISALIGNED] = {"misaligned", "channels did not line up"},
    [UHD_BAD_PACKETS] = {"bad_packets", "packets could not be parsed, or had a time that was past, and were dropped"},
    [UHD_RESTARTS] = {"restarts", "the receive stream fell silent or broke and was started again"},
    [UHD_BURSTS] = {"bursts", "bursts handed over for transmission"},
    [UHD_BURSTS_DONE] = {"bursts_done", "bursts that the radio says were sent whole"},
    [UHD_LATE_HOST] = {"late_host", "bursts whose time had passed before they left the host; not sent"},
    [UHD_LATE_DEVICE] = {"late_device", "bursts whose time had passed when they reached the radio; not sent (UHD prints L)"},
    [UHD_UNDERFLOWS] = {"underflows", "the radio ran out of samples within a burst (UHD prints U)"},
    [UHD_SEQUENCE_ERRORS] = {"sequence_errors", "packets were lost on the way from the host to the radio (UHD prints S)"},
    [UHD_CUT] = {"cut_bursts", "bursts ended early: the radio was closed, vanished, or the program stood still"},
    [UHD_STALLED] = {"stalls", "times that the program stood still with a burst waiting, which was dropped"},
    [UHD_QUEUE_FULL] = {"queue_full", "bursts refused because too many were waiting"},
    [UHD_REPORTS_LOST] = {"reports_lost", "reports on bursts that nobody asked for in time"},
};

static const int64_t lock_ns = 1000000000;

int64_t uhd_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void uhd_count(struct uhd_radio *u, enum uhd_count which, uint64_t n)
{
    pthread_mutex_lock(&u->lock);
    u->count[which] += n;
    pthread_mutex_unlock(&u->lock);
}

void uhd_last_line(char *out, size_t cap)
{
    out[0] = '\0';
    (void)uhd_get_last_error(out, cap);
    out[cap - 1] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
}

int uhd_fail(struct uhd_radio *u, int err, const char *what)
{
    char line[200];
    uhd_last_line(line, sizeof line);
    snprintf(u->error, sizeof u->error, "%s%s%s", what, *line ? ": " : "", line);
    return err;
}

static size_t list_counters(const struct phy_radio *r, struct phy_radio_counter *out, size_t cap)
{
    struct uhd_radio *u = (struct uhd_radio *)(uintptr_t)r;
    size_t n = cap < UHD_N_COUNTS ? cap : UHD_N_COUNTS;
    pthread_mutex_lock(&u->lock);
    for (size_t i = 0; i < n; i++)
        out[i] = (struct phy_radio_counter){count_words[i].name, count_words[i].words, u->count[i]};
    pthread_mutex_unlock(&u->lock);
    return n;
}

static const char *tell_error(const struct phy_radio *r)
{
    return ((const struct uhd_radio *)r)->error;
}

static void close_radio(struct phy_radio *r)
{
    struct uhd_radio *u = (struct uhd_radio *)r;
    uhd_transmit_close(u);
    uhd_stream_cmd_t stop = {.stream_mode = UHD_STREAM_MODE_STOP_CONTINUOUS, .stream_now = true};
    if (u->rx && u->origin > 0 && !u->gone)
        (void)uhd_rx_streamer_issue_stream_cmd(u->rx, &stop);
    if (u->rx)
        (void)uhd_rx_streamer_free(&u->rx);
    if (u->rx_md)
        (void)uhd_rx_metadata_free(&u->rx_md);
    if (u->usrp)
        (void)uhd_usrp_free(&u->usrp);
    pthread_cond_destroy(&u->wake);
    pthread_mutex_destroy(&u->lock);
    free(u);
}

static const struct phy_radio_ops ops = {
    .name = "uhd",
    .receive = uhd_receive,
    .transmit = uhd_transmit,
    .lead_samples = uhd_lead_samples,
    .report = uhd_report,
    .counters = list_counters,
    .last_error = tell_error,
    .close = close_radio,
};

/* --- settings; each leaves one line in u->error where the radio does not do as asked ------------------------------------------- */

static int refuse(struct uhd_radio *u, const char *what, double asked, double got)
{
    snprintf(u->error, sizeof u->error, "the radio cannot do a %s of %.12g; the nearest is %.12g", what, asked, got);
    return -EINVAL;
}

static int refuse_name(struct uhd_radio *u, const char *what, const char *name)
{
    char line[80];
    snprintf(line, sizeof line, "the radio does not take the %s '%.30s'", what, name);
    return uhd_fail(u, -EINVAL, line);
}

static int set_subdev(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    uhd_subdev_spec_handle spec;
    if (uhd_subdev_spec_make(&spec, cfg->subdev) != UHD_ERROR_NONE)
        return refuse_name(u, "subdevice", cfg->subdev);
    bool ok = uhd_usrp_set_rx_subdev_spec(u->usrp, spec, 0) == UHD_ERROR_NONE &&
              (!cfg->transmit || uhd_usrp_set_tx_subdev_spec(u->usrp, spec, 0) == UHD_ERROR_NONE);
    int rc = ok ? 0 : refuse_name(u, "subdevice", cfg->subdev);
    (void)uhd_subdev_spec_free(&spec);
    return rc;
}

/* Any later call would fail for a channel that is not there, in words about something else. */
static int check_channel(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    size_t n = 0, n_tx = SIZE_MAX;
    if (uhd_usrp_get_rx_num_channels(u->usrp, &n) != UHD_ERROR_NONE ||
        (cfg->transmit && uhd_usrp_get_tx_num_channels(u->usrp, &n_tx) != UHD_ERROR_NONE))
        return uhd_fail(u, -EIO, "the radio does not tell its channels");
    n = n < n_tx ? n : n_tx;
    if (cfg->channel < n)
        return 0;
    snprintf(u->error, sizeof u->error, "the radio has no channel %u; its channels count from 0 and are %zu", (unsigned)cfg->channel, n);
    return -EINVAL;
}

static int set_sources(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    int rc = cfg->subdev[0] ? set_subdev(u, cfg) : 0;
    rc = rc ? rc : check_channel(u, cfg);
    if (rc)
        return rc;
    if (cfg->clock_source[0] && uhd_usrp_set_clock_source(u->usrp, cfg->clock_source, 0) != UHD_ERROR_NONE)
        return refuse_name(u, "clock reference", cfg->clock_source);
    if (cfg->time_source[0] && uhd_usrp_set_time_source(u->usrp, cfg->time_source, 0) != UHD_ERROR_NONE)
        return refuse_name(u, "time source", cfg->time_source);
    return 0;
}

static bool has_sensor(const struct uhd_radio *u, const char *name)
{
    uhd_string_vector_handle names;
    size_t n = 0;
    bool found = false;
    if (uhd_string_vector_make(&names) != UHD_ERROR_NONE)
        return false;
    if (uhd_usrp_get_mboard_sensor_names(u->usrp, 0, &names) == UHD_ERROR_NONE)
        (void)uhd_string_vector_size(names, &n);
    for (size_t i = 0; i < n && !found; i++) {
        char text[64] = "";
        found = uhd_string_vector_at(names, i, text, sizeof text) == UHD_ERROR_NONE && strcmp(text, name) == 0;
    }
    (void)uhd_string_vector_free(&names);
    return found;
}

/* A radio that has such a sensor and does not lock within a second is not used as if it had. */
static int await_reference(struct uhd_radio *u)
{
    uhd_sensor_value_handle sensor;
    if (!has_sensor(u, "ref_locked") || uhd_sensor_value_make_from_bool(&sensor, "ref_locked", false, "", "") != UHD_ERROR_NONE)
        return 0;
    bool locked = false;
    for (int64_t until_ns = uhd_now_ns() + lock_ns; !locked && uhd_now_ns() < until_ns;) {
        /* libuhd 4.3 frees the value before it asks for the new one: where that fails, it must not be freed again */
        if (uhd_usrp_get_mboard_sensor(u->usrp, "ref_locked", 0, &sensor) != UHD_ERROR_NONE)
            return uhd_fail(u, -EIO, "the radio does not tell whether it is locked to its clock reference");
        (void)uhd_sensor_value_to_bool(sensor, &locked);
        struct timespec pause = {.tv_nsec = 20000000};
        nanosleep(&pause, NULL);
    }
    (void)uhd_sensor_value_free(&sensor);
    if (locked)
        return 0;
    snprintf(u->error, sizeof u->error, "the radio does not lock to its clock reference");
    return -EIO;
}

static bool is_outside(const char *source)
{
    return source[0] && strcmp(source, "internal") != 0;
}

/* The radio's own time starts at 0 with a pulse, so that radios on one pulse and one reference count alike. */
static int follow_sources(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    int rc = is_outside(cfg->clock_source) ? await_reference(u) : 0;
    if (rc == 0 && is_outside(cfg->time_source) && uhd_usrp_set_time_unknown_pps(u->usrp, 0, 0) != UHD_ERROR_NONE)
        rc = uhd_fail(u, -EIO, "no pulse a second arrives");
    return rc;
}

static int set_rate(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    double rx = 0, tx = cfg->sample_rate_hz;
    if (uhd_usrp_set_rx_rate(u->usrp, cfg->sample_rate_hz, u->channel) != UHD_ERROR_NONE ||
        uhd_usrp_get_rx_rate(u->usrp, u->channel, &rx) != UHD_ERROR_NONE)
        return uhd_fail(u, -EINVAL, "the radio does not take this sample rate");
    if (cfg->transmit && (uhd_usrp_set_tx_rate(u->usrp, cfg->sample_rate_hz, u->channel) != UHD_ERROR_NONE ||
                          uhd_usrp_get_tx_rate(u->usrp, u->channel, &tx) != UHD_ERROR_NONE))
        return uhd_fail(u, -EINVAL, "the radio does not take this transmit sample rate");
    /* sample numbers and times of the device are one only where the rate is a whole number of Hz (uhd_time.h) */
    double worst = fabs(rx - cfg->sample_rate_hz) > fabs(tx - cfg->sample_rate_hz) ? rx : tx;
    return fabs(worst - cfg->sample_rate_hz) > 1e-3 ? refuse(u, "sample rate", cfg->sample_rate_hz, worst) : 0;
}

static uhd_tune_request_t make_request(const struct phy_radio_config *cfg)
{
    uhd_tune_request_t request = {.target_freq = cfg->center_hz,
                                  .rf_freq_policy = UHD_TUNE_REQUEST_POLICY_AUTO,
                                  .dsp_freq_policy = UHD_TUNE_REQUEST_POLICY_AUTO};
    if (cfg->lo_offset_hz != 0 && !isnan(cfg->lo_offset_hz)) {
        request.rf_freq_policy = UHD_TUNE_REQUEST_POLICY_MANUAL;
        request.rf_freq = cfg->center_hz + cfg->lo_offset_hz;
    }
    return request;
}

static int tune(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    uhd_tune_request_t request = make_request(cfg);
    uhd_tune_result_t result;
    double rx = 0, tx = cfg->center_hz;
    if (uhd_usrp_set_rx_freq(u->usrp, &request, u->channel, &result) != UHD_ERROR_NONE ||
        uhd_usrp_get_rx_freq(u->usrp, u->channel, &rx) != UHD_ERROR_NONE)
        return uhd_fail(u, -EINVAL, "the radio cannot be tuned to this frequency");
    if (cfg->transmit && (uhd_usrp_set_tx_freq(u->usrp, &request, u->channel, &result) != UHD_ERROR_NONE ||
                          uhd_usrp_get_tx_freq(u->usrp, u->channel, &tx) != UHD_ERROR_NONE))
        return uhd_fail(u, -EINVAL, "the radio's transmitter cannot be tuned to this frequency");
    double worst = fabs(rx - cfg->center_hz) > fabs(tx - cfg->center_hz) ? rx : tx;
    /* synthesizers and DSP chains have steps of a few Hz; more means that the frequency is out of range */
    if (fabs(worst - cfg->center_hz) > 1000)
        return refuse(u, "center frequency", cfg->center_hz, worst);
    u->port.center_hz = cfg->transmit ? tx : rx;
    return 0;
}

static int set_receiver(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    if (cfg->antenna_rx[0] && uhd_usrp_set_rx_antenna(u->usrp, cfg->antenna_rx, u->channel) != UHD_ERROR_NONE)
        return refuse_name(u, "receive antenna", cfg->antenna_rx);
    if (!isnan(cfg->rx_gain_db) && uhd_usrp_set_rx_gain(u->usrp, cfg->rx_gain_db, u->channel, "") != UHD_ERROR_NONE)
        return uhd_fail(u, -EINVAL, "the radio does not take this receive gain");
    if (cfg->bandwidth_hz > 0 && uhd_usrp_set_rx_bandwidth(u->usrp, cfg->bandwidth_hz, u->channel) != UHD_ERROR_NONE)
        return uhd_fail(u, -EINVAL, "the radio does not take this bandwidth");
    return 0;
}

/* The gain never exceeds the cap, whatever the radio makes of what it is asked for. */
static int set_transmitter(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    double cap = isnan(cfg->max_tx_gain_db) ? 0 : cfg->max_tx_gain_db;
    double asked = isnan(cfg->tx_gain_db) ? fmin(0, cap) : cfg->tx_gain_db, got = 0;
    if (asked > cap) {
        snprintf(u->error, sizeof u->error, "a transmit gain of %g dB is above the cap of %g dB", asked, cap);
        return -EINVAL;
    }
    if (cfg->antenna_tx[0] && uhd_usrp_set_tx_antenna(u->usrp, cfg->antenna_tx, u->channel) != UHD_ERROR_NONE)
        return refuse_name(u, "transmit antenna", cfg->antenna_tx);
    if (uhd_usrp_set_tx_gain(u->usrp, asked, u->channel, "") != UHD_ERROR_NONE ||
        uhd_usrp_get_tx_gain(u->usrp, u->channel, "", &got) != UHD_ERROR_NONE)
        return uhd_fail(u, -EINVAL, "the radio does not take this transmit gain");
    if (got > cap + .01)
        return refuse(u, "transmit gain", asked, got);
    if (cfg->bandwidth_hz > 0 && uhd_usrp_set_tx_bandwidth(u->usrp, cfg->bandwidth_hz, u->channel) != UHD_ERROR_NONE)
        return uhd_fail(u, -EINVAL, "the radio's transmitter does not take this bandwidth");
    return 0;
}

/* Packets of a millisecond, where the transport's would be longer: who answers has to wait for a packet to be full. "spp=N" in the
 * device arguments says otherwise. */
static void choose_packets(const struct phy_radio_config *cfg, char *args, size_t cap)
{
    const char *given = strstr(cfg->address, "spp=");
    if (given && (given == cfg->address || given[-1] == ','))
        snprintf(args, cap, "%.*s", (int)strcspn(given, ","), given);
    else if (cfg->sample_rate_hz <= 2000000)
        snprintf(args, cap, "spp=%u", cfg->sample_rate_hz / 1000 > 64 ? cfg->sample_rate_hz / 1000 : 64);
    else
        args[0] = '\0';
}

static int open_receiver(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    static char cpu_format[] = "fc32";
    char args[32];
    choose_packets(cfg, args, sizeof args);
    char wire[sizeof cfg->wire_format + 1];
    snprintf(wire, sizeof wire, "%s", cfg->wire_format[0] ? cfg->wire_format : "sc16");
    uhd_stream_args_t stream = {.cpu_format = cpu_format, .otw_format = wire, .args = args, .channel_list = &u->channel, .n_channels = 1};
    if (uhd_rx_streamer_make(&u->rx) != UHD_ERROR_NONE || uhd_rx_metadata_make(&u->rx_md) != UHD_ERROR_NONE)
        return uhd_fail(u, -ENOMEM, "the receive stream cannot be made");
    if (uhd_usrp_get_rx_stream(u->usrp, &stream, u->rx) != UHD_ERROR_NONE)
        return uhd_fail(u, -EINVAL, "the receive stream cannot be opened");
    return 0;
}

static int set_up(struct uhd_radio *u, const struct phy_radio_config *cfg)
{
    if (!(cfg->center_hz > 0)) {
        snprintf(u->error, sizeof u->error, "a USRP needs a center frequency");
        return -EINVAL;
    }
    uhd_error err = uhd_usrp_make(&u->usrp, cfg->address);
    if (err == UHD_ERROR_KEY) {
        snprintf(u->error, sizeof u->error, "no USRP answers%s%s%s; 'airdeed probe' lists what there is", cfg->address[0] ? " to '" : "",
                 cfg->address, cfg->address[0] ? "'" : "");
        return -ENODEV;
    }
    if (err != UHD_ERROR_NONE)
        return uhd_fail(u, -EIO, "the USRP cannot be opened");
    int rc = set_sources(u, cfg);
    rc = rc ? rc : set_rate(u, cfg);
    rc = rc ? rc : follow_sources(u, cfg);
    rc = rc ? rc : tune(u, cfg);
    rc = rc ? rc : set_receiver(u, cfg);
    rc = rc || !cfg->transmit ? rc : set_transmitter(u, cfg);
    rc = rc ? rc : open_receiver(u, cfg);
    rc = rc || !cfg->transmit ? rc : uhd_transmit_open(u, cfg->wire_format);
    rc = rc ? rc : uhd_start(u);
    return rc;
}

static int init_lock(struct uhd_radio *u)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&u->lock, NULL) != 0)
        return -ENOMEM;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(&u->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return rc == 0 ? 0 : -ENOMEM;
}

static int open_radio(const struct phy_radio_config *cfg, struct phy_radio **out, char *error_out)
{
    struct uhd_radio *u = calloc(1, sizeof *u);
    if (!u || init_lock(u) != 0) {
        snprintf(error_out, PHY_RADIO_MAX_ERROR, "not enough memory");
        free(u);
        return -ENOMEM;
    }
    u->port = (struct phy_radio){.ops = &ops, .sample_rate_hz = cfg->sample_rate_hz, .center_hz = cfg->center_hz};
    u->rate_hz = cfg->sample_rate_hz;
    u->channel = cfg->channel;
    u->called_ns = u->seen_ns = uhd_now_ns();
    int rc = set_up(u, cfg);
    if (rc == 0) {
        *out = &u->port;
        return 0;
    }
    snprintf(error_out, PHY_RADIO_MAX_ERROR, "%s", u->error[0] ? u->error : strerror(-rc));
    close_radio(&u->port);
    return rc;
}

int phy_uhd_find(const char *args, char devices_out[PHY_UHD_MAX_DEVICES][256], size_t *n_out, char *error_out)
{
    uhd_string_vector_handle found;
    size_t n = 0;
    *n_out = 0;
    if (uhd_string_vector_make(&found) != UHD_ERROR_NONE || uhd_usrp_find(args, &found) != UHD_ERROR_NONE ||
        uhd_string_vector_size(found, &n) != UHD_ERROR_NONE) {
        char line[200];
        uhd_last_line(line, sizeof line);
        snprintf(error_out, PHY_RADIO_MAX_ERROR, "libuhd cannot look for radios: %s", line);
        return -EIO;
    }
    for (size_t i = 0; i < n && *n_out < PHY_UHD_MAX_DEVICES; i++)
        if (uhd_string_vector_at(found, i, devices_out[*n_out], sizeof devices_out[0]) == UHD_ERROR_NONE)
            (*n_out)++;
    (void)uhd_string_vector_free(&found);
    return 0;
}

void phy_uhd_version(char *out, size_t cap)
{
    out[0] = '\0';
    (void)uhd_get_version_string(out, cap);
    out[cap - 1] = '\0';
}
#else
static int open_radio(const struct phy_radio_config *cfg, struct phy_radio **out, char *error_out)
{
    (void)cfg;
    (void)out;
    snprintf(error_out, PHY_RADIO_MAX_ERROR, "this airdeed was built without libuhd: install libuhd-dev and build it again");
    return -ENOSYS;
}

int phy_uhd_find(const char *args, char devices_out[PHY_UHD_MAX_DEVICES][256], size_t *n_out, char *error_out)
{
    (void)args;
    (void)devices_out;
    *n_out = 0;
    snprintf(error_out, PHY_RADIO_MAX_ERROR, "this airdeed was built without libuhd: install libuhd-dev and build it again");
    return -ENOSYS;
}

void phy_uhd_version(char *out, size_t cap)
{
    if (cap > 0)
        out[0] = '\0';
}
#endif

const struct phy_radio_backend phy_radio_uhd = {.scheme = "uhd", .open = open_radio};
