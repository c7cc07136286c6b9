/* Numbers with units, as people write them: frequencies, durations, counts. Durations are exact, by integer arithmetic. */
#include "apps/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    int64_t ns;
} duration_units[] = {{"h", 3600000000000}, {"m", 60000000000}, {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1}};
enum { N_DURATION_UNITS = sizeof duration_units / sizeof duration_units[0] };

static bool starts_number(const char *text)
{
    if (*text == '-' || *text == '+')
        text++;
    return isdigit((unsigned char)text[0]) || (text[0] == '.' && isdigit((unsigned char)text[1]));
}

int app_parse_u64(const char *text, uint64_t *value_out)
{
    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    if (hex && !isxdigit((unsigned char)text[2]))
        return -EINVAL;
    char *end;
    errno = 0;
    uint64_t value = strtoull(text, &end, hex ? 16 : 10);
    if (*end)
        return -EINVAL;
    if (errno)
        return -ERANGE;
    *value_out = value;
    return 0;
}

int app_parse_real(const char *text, double *value_out)
{
    /* digits first: strtod would take "nan", "inf" and leading blanks, and 0x */
    if (!starts_number(text) || strpbrk(text, "xX"))
        return -EINVAL;
    char *end;
    double value = strtod(text, &end);
    if (*end)
        return -EINVAL;
    if (!isfinite(value))
        return -ERANGE;
    *value_out = value;
    return 0;
}

int app_parse_freq(const char *text, double *hz_out)
{
    size_t len = strlen(text);
    if (len > 2 && strcmp(text + len - 2, "Hz") == 0)
        len -= 2;
    const char *exponent = "";
    if (len > 0) {
        switch (text[len - 1]) {
        case 'k': exponent = "e3"; break;
        case 'M': exponent = "e6"; break;
        case 'G': exponent = "e9"; break;
        default: break;
        }
    }
    if (*exponent)
        len--;
    char number[48];
    if (len == 0 || len + 3 > sizeof number || !isdigit((unsigned char)text[len - 1]))
        return -EINVAL;
    memcpy(number, text, len);
    number[len] = '\0';
    if (*exponent && strpbrk(number, "eE"))
        return -EINVAL;
    strcat(number, exponent); /* "5.2e9" is rounded once, 5.2 * 1e9 twice */
    double hz;
    if (app_parse_real(number, &hz))
        return -EINVAL;
    *hz_out = hz;
    return 0;
}

static int64_t find_duration_unit(const char *name)
{
    for (size_t i = 0; i < N_DURATION_UNITS; i++)
        if (strcmp(duration_units[i].name, name) == 0)
            return duration_units[i].ns;
    return 0;
}

static int64_t greatest_divisor(int64_t a, int64_t b)
{
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* .digits of a unit in whole nanoseconds; -EINVAL where they are not whole */
static int scale_fraction(const char *digits, size_t n, int64_t unit_ns, int64_t *ns_out)
{
    while (n > 0 && digits[n - 1] == '0')
        n--;
    if (n > 15)
        return -EINVAL;
    int64_t value = 0, scale = 1;
    for (size_t i = 0; i < n; i++) {
        value = value * 10 + (digits[i] - '0');
        scale *= 10;
    }
    int64_t common = greatest_divisor(unit_ns, scale);
    if (value % (scale / common))
        return -EINVAL;
    *ns_out = value / (scale / common) * (unit_ns / common); /* below one unit */
    return 0;
}

int app_parse_duration(const char *text, int64_t *ns_out)
{
    if (!starts_number(text))
        return -EINVAL;
    bool negative = *text == '-';
    if (*text == '-' || *text == '+')
        text++;
    size_t n_whole = strspn(text, "0123456789");
    const char *fraction = text + n_whole + (text[n_whole] == '.');
    size_t n_fraction = text[n_whole] == '.' ? strspn(fraction, "0123456789") : 0;
    if (text[n_whole] == '.' && n_fraction == 0)
        return -EINVAL;
    int64_t unit_ns = find_duration_unit(fraction + n_fraction);
    if (unit_ns == 0)
        return -EINVAL;
    int64_t whole = 0, rest_ns;
    for (size_t i = 0; i < n_whole; i++) {
        if (whole > (INT64_MAX / unit_ns - 1) / 10 - 1)
            return -ERANGE;
        whole = whole * 10 + (text[i] - '0');
    }
    if (scale_fraction(fraction, n_fraction, unit_ns, &rest_ns))
        return -EINVAL;
    int64_t ns = whole * unit_ns + rest_ns;
    *ns_out = negative ? -ns : ns;
    return 0;
}

static void format_duration(int64_t ns, char *out, size_t cap)
{
    for (size_t i = 0; i < N_DURATION_UNITS; i++) {
        if (ns % duration_units[i].ns)
            continue;
        snprintf(out, cap, "%lld%s", (long long)(ns / duration_units[i].ns), ns ? duration_units[i].name : "s");
        return;
    }
}

static void format_freq(double hz, char *out, size_t cap)
{
    static const struct {
        double hz;
        const char *name;
    } units[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (fabs(hz) >= units[i].hz) {
            snprintf(out, cap, "%.12g%s", hz / units[i].hz, units[i].name);
            return;
        }
    snprintf(out, cap, "%.12g", hz);
}

void app_format_quantity(enum app_option_kind kind, double value, char *out, size_t cap)
{
    if (kind == APP_DURATION_NS)
        format_duration((int64_t)value, out, cap);
    else if (kind == APP_FREQ_HZ)
        format_freq(value, out, cap);
    else /* a whole number in all its digits */
        snprintf(out, cap, value == floor(value) && fabs(value) < 1e19 ? "%.0f" : "%.12g", value);
}
