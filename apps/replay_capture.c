#include "apps/replay_capture.h"

#include "apps/options.h"
#include "apps/run/pcapng.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* core:datetime, which the recording's reader has checked; 1970 for none, and with a warning for one that no capture can hold. */
static int64_t read_datetime(const char *text)
{
    enum { FIRST_YEAR = 1970, LAST_YEAR = 2261 }; /* whole years that 63 bits of nanoseconds reach */
    int year, month, day, hour, minute;
    double second;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%lfZ", &year, &month, &day, &hour, &minute, &second) != 6)
        return 0;
    if (year < FIRST_YEAR || year > LAST_YEAR) {
        fprintf(stderr, "airdeed replay: warning: a capture cannot hold the recording's time %s; its packets begin at 1970-01-01\n", text);
        return 0;
    }
    struct tm utc = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day, .tm_hour = hour, .tm_min = minute};
    return (int64_t)timegm(&utc) * 1000000000 + (int64_t)llround(second * 1e9);
}

/* Captures of a recording may be any number of samples apart: what does not fit is the last time that does. */
static int64_t find_time(const struct app_replay_capture *c, uint64_t sample)
{
    bool before = sample < c->first_sample;
    double offset_ns = (double)(before ? c->first_sample - sample : sample - c->first_sample) / c->sample_rate_hz * 1e9;
    if (before)
        return offset_ns >= (double)c->start_unix_ns ? 0 : c->start_unix_ns - llround(offset_ns);
    return offset_ns >= (double)(INT64_MAX - c->start_unix_ns) ? INT64_MAX - 1 : c->start_unix_ns + llround(offset_ns);
}

int app_replay_capture_open(struct app_replay_capture *c, const struct phy_sigmf_meta *meta)
{
    static const char *const interface[] = {"replay"};
    if (!c->path)
        return 0;
    c->sample_rate_hz = meta->sample_rate_hz;
    c->first_sample = meta->n_captures ? meta->captures[0].global_index : 0;
    c->start_unix_ns = read_datetime(meta->datetime);
    int err = app_pcapng_open(c->path, interface, 1, &c->pcapng);
    if (!err)
        return 0;
    fprintf(stderr, "airdeed replay: %s: cannot write: %s\n", c->path, strerror(-err));
    return err == -ENOMEM || err == -EIO || err == -ENOSPC ? APP_SYSTEM_FAILED : APP_BAD_USAGE;
}

/* IEEE 802.11-2020 9.2.4, 9.3: control frames are headers throughout but for what follows their first 16 octets. */
static size_t find_header_len(const uint8_t *psdu)
{
    unsigned type = psdu[0] >> 2 & 3;
    if (type == 1)
        return 16;
    bool four_addresses = (psdu[1] & 3) == 3, qos = type == 2 && psdu[0] >> 7;
    return 24u + (type == 2 && four_addresses ? 6u : 0u) + (qos ? 2u : 0u);
}

void app_replay_capture_frame(struct app_replay_capture *c, const struct phy_frame *f, double center_hz)
{
    char comment[200], evm[32];
    if (!c->pcapng)
        return;
    size_t header_len = f->psdu_len < 2 ? f->psdu_len : find_header_len(f->psdu);
    if (isfinite(f->evm_db))
        snprintf(evm, sizeof evm, "%.2f", f->evm_db);
    else
        snprintf(evm, sizeof evm, "null");
    snprintf(comment, sizeof comment, "{\"start_sample\": %llu, \"evm_db\": %s, \"cfo_hz\": %.1f, \"length_octets\": %u%s}",
             (unsigned long long)f->start_sample, evm, f->cfo_hz,
             (unsigned)(f->format == PHY_FORMAT_HT ? f->ht_len : f->psdu_len), f->format == PHY_FORMAT_HT ? ", \"format\": \"ht\"" : "");
    struct app_pcapng_frame packet = {
        .unix_ns = find_time(c, f->start_sample),
        .rate_kbps = f->rate_kbps,
        .channel_center_hz = center_hz,
        .signal_dbfs = f->rssi_dbfs,
        .noise_dbfs = f->noise_dbfs,
        .ht = f->format == PHY_FORMAT_HT,
        .ht_mcs = f->format == PHY_FORMAT_HT ? (uint8_t)f->ht_mcs : 0,
        .ht_wide = f->ht_wide,
        .ht_short_guard = f->ht_short_guard,
        .fcs_bad = f->psdu_len > 0 && !f->fcs_ok,
        .psdu = f->psdu,
        .psdu_len = f->psdu_len,
        .omitted_len = c->with_payload || header_len >= f->psdu_len ? 0 : f->psdu_len - header_len,
        .comment = comment,
    };
    app_pcapng_write(c->pcapng, &packet);
}

int app_replay_capture_close(struct app_replay_capture *c)
{
    int err = c->pcapng ? app_pcapng_close(c->pcapng) : 0;
    c->pcapng = NULL;
    if (!err)
        return 0;
    fprintf(stderr, "airdeed replay: %s: cannot write: %s\n", c->path, strerror(-err));
    return APP_SYSTEM_FAILED;
}
