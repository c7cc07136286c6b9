/* airdeed sense: the report, for people and for programs. */
#include "apps/sense.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

/* "value" with this format, or null where there is none */
static void print_number(FILE *out, const char *key, int digits, double value)
{
    if (isfinite(value))
        fprintf(out, "\"%s\": %.*f", key, digits, value);
    else
        fprintf(out, "\"%s\": null", key);
}

static double floor_dbfs(const struct app_sense *s)
{
    return s->scan.noise_power > 0 ? 10 * log10(s->scan.noise_power) : NAN;
}

static double first_frequency(const struct app_sense *s)
{
    return s->meta.captures[0].frequency_hz;
}

static void print_json_head(const struct app_sense *s)
{
    FILE *out = s->report;
    const struct phy_sigmf_meta *m = &s->meta;
    json_t *name = json_string(s->options.path);
    char *quoted = name ? json_dumps(name, JSON_ENCODE_ANY) : NULL;
    fprintf(out, "{\"file\": %s, \"datatype\": \"%s\", ", quoted ? quoted : "null", phy_sigmf_type_name(m->type));
    free(quoted);
    json_decref(name);
    print_number(out, "sample_rate_hz", 0, m->sample_rate_hz);
    fprintf(out, ", \"n_samples\": %llu, ", (unsigned long long)m->n_samples);
    print_number(out, "duration_s", 9, (double)m->n_samples / m->sample_rate_hz);
    fprintf(out, ", ");
    print_number(out, "frequency_hz", 0, first_frequency(s));
    fprintf(out, ", \"captures\": %zu, \"lost_samples\": %llu, \"clipped_samples\": %llu, \"silent_share\": %.6f,\n ",
            m->n_captures, (unsigned long long)s->scan.n_lost, (unsigned long long)s->scan.n_clipped,
            s->scan.silent_share);
    print_number(out, "noise_floor_dbfs", 2, floor_dbfs(s));
    fprintf(out, ", \"noise_floor_from\": \"%s\", \"p_fa\": %g,\n \"bursts\": [", s->scan.floor_method, s->options.p_fa);
}

static void print_text_head(const struct app_sense *s)
{
    FILE *out = s->report;
    const struct phy_sigmf_meta *m = &s->meta;
    fprintf(out, "recording    %s\n", s->options.path);
    fprintf(out, "samples      %llu of %s at %.6g Msps, %.6g ms", (unsigned long long)m->n_samples, phy_sigmf_type_name(m->type),
            m->sample_rate_hz / 1e6, (double)m->n_samples / m->sample_rate_hz * 1e3);
    if (m->n_captures > 1)
        fprintf(out, ", %zu captures, %llu samples lost between them", m->n_captures, (unsigned long long)s->scan.n_lost);
    fprintf(out, "\nfrequency    ");
    if (isfinite(first_frequency(s)))
        fprintf(out, "%.6f MHz\n", first_frequency(s) / 1e6);
    else
        fprintf(out, "unknown\n");
    if (s->scan.n_clipped)
        fprintf(out, "clipped      %llu sample%s at full scale\n", (unsigned long long)s->scan.n_clipped, s->scan.n_clipped == 1 ? "" : "s");
    if (s->scan.silent_share > 0)
        fprintf(out, "silence      exact zeros %.1f %% of the time, left out of the noise floor\n", 100 * s->scan.silent_share);
    if (s->scan.noise_power > 0)
        fprintf(out, "noise floor  %.1f dBFS in %.6g MHz, %.1f dBFS/Hz, from %s\n", floor_dbfs(s), m->sample_rate_hz / 1e6,
                floor_dbfs(s) - 10 * log10(m->sample_rate_hz), s->scan.floor_method);
    else
        fprintf(out, "noise floor  none: every sample is zero\n");
    fprintf(out, "\n%6s %12s %14s %11s %10s %10s %8s %10s %10s\n", "burst", "sample", "start_us", "length_us", "mean_dbfs",
            "peak_dbfs", "snr_db", "band_khz", "offset_khz");
}

void app_sense_print_head(const struct app_sense *s)
{
    if (s->options.format == APP_SENSE_JSON)
        print_json_head(s);
    else
        print_text_head(s);
}

static double start_us(const struct app_sense *s, const struct app_sense_burst *b)
{
    return (double)(b->start_sample - s->meta.captures[0].global_index) / s->meta.sample_rate_hz * 1e6;
}

static void print_json_burst(const struct app_sense *s, uint64_t index, const struct app_sense_burst *b)
{
    FILE *out = s->report;
    fprintf(out, "%s\n  {\"start_sample\": %llu, \"file_sample\": %llu, \"n_samples\": %llu, ", index ? "," : "",
            (unsigned long long)b->start_sample, (unsigned long long)b->file_sample, (unsigned long long)b->n_samples);
    print_number(out, "start_us", 3, start_us(s, b));
    fprintf(out, ", ");
    print_number(out, "length_us", 3, (double)b->n_samples / s->meta.sample_rate_hz * 1e6);
    fprintf(out, ", ");
    print_number(out, "mean_dbfs", 2, b->mean_dbfs);
    fprintf(out, ", ");
    print_number(out, "peak_dbfs", 2, b->peak_dbfs);
    fprintf(out, ", ");
    print_number(out, "snr_db", 2, b->snr_db);
    fprintf(out, ", ");
    print_number(out, "bandwidth_hz", 0, b->has_band ? b->high_hz - b->low_hz : NAN);
    fprintf(out, ", ");
    print_number(out, "offset_hz", 0, b->has_band ? (b->low_hz + b->high_hz) / 2 : NAN);
    fprintf(out, "}");
}

void app_sense_print_burst(const struct app_sense *s, uint64_t index, const struct app_sense_burst *b)
{
    if (s->options.format == APP_SENSE_JSON) {
        print_json_burst(s, index, b);
        return;
    }
    fprintf(s->report, "%6llu %12llu %14.2f %11.2f %10.1f %10.1f %8.1f", (unsigned long long)index + 1,
            (unsigned long long)b->start_sample, start_us(s, b), (double)b->n_samples / s->meta.sample_rate_hz * 1e6,
            b->mean_dbfs, b->peak_dbfs, b->snr_db);
    if (b->has_band)
        fprintf(s->report, " %10.0f %10.0f\n", (b->high_hz - b->low_hz) / 1e3, (b->low_hz + b->high_hz) / 2e3);
    else
        fprintf(s->report, " %10s %10s\n", "-", "-");
}

void app_sense_print_tail(const struct app_sense *s, uint64_t n_bursts, double occupied_share)
{
    if (s->options.format == APP_SENSE_JSON)
        fprintf(s->report, "%s],\n \"n_bursts\": %llu, \"occupied_share\": %.6f}\n", n_bursts ? "\n " : "",
                (unsigned long long)n_bursts, occupied_share);
    else
        fprintf(s->report, "\n%llu burst%s, occupied %.1f %% of the time\n", (unsigned long long)n_bursts,
                n_bursts == 1 ? "" : "s", 100 * occupied_share);
}
