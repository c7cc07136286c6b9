/* SigMF metadata: JSON in, checked fields out (SigMF specification 1.2.5, "Global object" and "Captures array"). */
#include "phy/radio/sigmf_internal.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

struct parse {
    const char *name; /* of the file */
    char *error_out;
    struct phy_sigmf_meta *meta;
    struct phy_sigmf_parsed *parsed;
};

static const char *const supported_extensions[] = {"airdeed"};
static const double max_rate_hz = 4e9; /* fits 32 bits, and no converter is faster */
static const double max_frequency_hz = 1e12; /* the schema's bound */

json_t *phy_sigmf_load_json(const char *name, const void *json, size_t len, int *err_out, char *error_out)
{
    json_error_t where;
    json_t *root = json_loadb(json, len, JSON_REJECT_DUPLICATES, &where);
    if (!root) {
        *err_out = phy_sigmf_fail(error_out, -EINVAL, "%s: line %d: not JSON: %s", name, where.line > 0 ? where.line : 1,
                                  where.text);
        return NULL;
    }
    static const char *const wanted[] = {"global", "captures", "annotations"};
    *err_out = 0;
    if (!json_is_object(root))
        *err_out = phy_sigmf_fail(error_out, -EINVAL, "%s: the JSON is no object, so this is no SigMF metadata", name);
    for (size_t i = 0; !*err_out && i < 3; i++) {
        const json_t *part = json_object_get(root, wanted[i]);
        if (!part)
            *err_out = phy_sigmf_fail(error_out, -EINVAL, "%s: required field '%s' is missing", name, wanted[i]);
        else if (i == 0 ? !json_is_object(part) : !json_is_array(part))
            *err_out = phy_sigmf_fail(error_out, -EINVAL, "%s: field '%s' must be an %s", name, wanted[i],
                                      i == 0 ? "object" : "array");
    }
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value)
        if (!*err_out && strcmp(key, "global") != 0 && strcmp(key, "captures") != 0 && strcmp(key, "annotations") != 0)
            *err_out = phy_sigmf_fail(error_out, -EINVAL,
                                      "%s: unknown field '%.60s'; the top level holds global, captures and annotations only",
                                      name, key);
    if (!*err_out)
        return root;
    json_decref(root);
    return NULL;
}

/* A text of the global object. 0: present or (not required) absent with *out NULL. */
static int get_text(const struct parse *p, const json_t *global, const char *key, bool required, const char **out)
{
    const json_t *value = json_object_get(global, key);
    *out = NULL;
    if (!value && !required)
        return 0;
    if (!value)
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: global: required field '%s' is missing", p->name, key);
    if (!json_is_string(value))
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: global: field '%s' must be a string", p->name, key);
    *out = json_string_value(value);
    return 0;
}

/* A field that must be absent or have this value for us to read the data. */
static int want_integer(const struct parse *p, const json_t *object, const char *where, const char *key, json_int_t wanted,
                        const char *why)
{
    const json_t *value = json_object_get(object, key);
    if (!value)
        return 0;
    if (!json_is_integer(value))
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: %s: field '%s' must be an integer", p->name, where, key);
    if (json_integer_value(value) != wanted)
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: %s: field '%s' is %" JSON_INTEGER_FORMAT ", supported is %"
                              JSON_INTEGER_FORMAT " only: %s", p->name, where, key, json_integer_value(value), wanted, why);
    return 0;
}

static int parse_datatype(const struct parse *p, const json_t *global)
{
    const char *text;
    bool suffix_missing;
    int err = get_text(p, global, "core:datatype", true, &text);
    if (err || !text)
        return err;
    if (phy_sigmf_type_find(text, &p->meta->type, &suffix_missing))
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: global: field 'core:datatype' is '%.40s'; supported are cf32_le, ci16_le, ci8 and cu8",
                              p->name, text);
    if (suffix_missing)
        phy_sigmf_fail(p->meta->warning, 0, "%s: global: field 'core:datatype' is '%s' without a byte order; taken as %s",
                       p->name, text, phy_sigmf_type_name(p->meta->type));
    return 0;
}

/* "1.2.5": numbers between dots. Versions 0.x and 1.x share what is read here. */
static int parse_version(const struct parse *p, const json_t *global)
{
    const char *text;
    int err = get_text(p, global, "core:version", true, &text);
    if (err || !text)
        return err;
    bool known = (text[0] == '0' || text[0] == '1') && text[1] == '.' && isdigit((unsigned char)text[2]);
    if (!known)
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: global: field 'core:version' is '%.40s'; supported are versions 0.x and 1.x", p->name, text);
    return 0;
}

static int parse_sample_rate(const struct parse *p, const json_t *global)
{
    const json_t *value = json_object_get(global, "core:sample_rate");
    if (!value)
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: global: field 'core:sample_rate' is missing; without it no time can be told", p->name);
    if (!json_is_number(value))
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: global: field 'core:sample_rate' must be a number", p->name);
    double rate = json_number_value(value);
    if (!(rate >= 1 && rate <= max_rate_hz))
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: global: field 'core:sample_rate' is %g Hz; it must be from 1 to %g Hz", p->name, rate,
                              max_rate_hz);
    p->meta->sample_rate_hz = rate;
    return 0;
}

static int parse_sha512(const struct parse *p, const json_t *global)
{
    const char *text;
    p->parsed->sha512[0] = '\0';
    int err = get_text(p, global, "core:sha512", false, &text);
    if (err || !text)
        return err;
    size_t len = strspn(text, "0123456789abcdefABCDEF");
    if (len != SIGMF_HASH_HEX - 1 || text[len])
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: global: field 'core:sha512' must be 128 hexadecimal digits", p->name);
    for (size_t i = 0; i <= len; i++)
        p->parsed->sha512[i] = (char)tolower((unsigned char)text[i]);
    return 0;
}

static int parse_extension(const struct parse *p, const json_t *extension, size_t index)
{
    const json_t *name = json_object_get(extension, "name");
    const json_t *optional = json_object_get(extension, "optional");
    if (!json_is_string(name) || !json_is_string(json_object_get(extension, "version")) || !json_is_boolean(optional))
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: global: field 'core:extensions', entry %zu: needs a name and a version (strings) and "
                              "optional (true or false)", p->name, index);
    if (json_is_true(optional))
        return 0;
    for (size_t i = 0; i < sizeof supported_extensions / sizeof *supported_extensions; i++)
        if (strcmp(json_string_value(name), supported_extensions[i]) == 0)
            return 0;
    return phy_sigmf_fail(p->error_out, -EINVAL,
                          "%s: global: field 'core:extensions': extension '%.60s' is not optional and not supported", p->name,
                          json_string_value(name));
}

static int parse_extensions(const struct parse *p, const json_t *global)
{
    const json_t *list = json_object_get(global, "core:extensions");
    if (list && !json_is_array(list))
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: global: field 'core:extensions' must be an array", p->name);
    int err = 0;
    for (size_t i = 0; !err && i < json_array_size(list); i++)
        err = parse_extension(p, json_array_get(list, i), i);
    return err;
}

static int copy_text(const struct parse *p, const json_t *global, const char *key, char *out, size_t cap)
{
    const char *text;
    int err = get_text(p, global, key, false, &text);
    if (err || !text)
        return err;
    if (strlen(text) >= cap)
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: global: field '%s' is longer than %zu octets", p->name, key, cap - 1);
    memcpy(out, text, strlen(text) + 1);
    return 0;
}

/* docs/airdeed.sigmf-ext.md */
static int parse_airdeed(const struct parse *p, const json_t *global)
{
    int err = copy_text(p, global, "airdeed:waveform", p->meta->waveform, sizeof p->meta->waveform);
    if (!err)
        err = copy_text(p, global, "airdeed:profile", p->meta->profile, sizeof p->meta->profile);
    const json_t *noise = json_object_get(global, "airdeed:noise_dbfs");
    if (err || !noise)
        return err;
    double dbfs = json_is_number(noise) ? json_number_value(noise) : NAN;
    if (!(dbfs >= -300 && dbfs <= 100))
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: global: field 'airdeed:noise_dbfs' must be a number from -300 to 100", p->name);
    p->meta->noise_dbfs = dbfs;
    return 0;
}

static int parse_global(const struct parse *p, const json_t *global)
{
    if (json_object_get(global, "core:dataset"))
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: global: field 'core:dataset' is not supported; name the data file like the metadata, ending "
                              "in .sigmf-data", p->name);
    const json_t *metadata_only = json_object_get(global, "core:metadata_only");
    if (metadata_only && !json_is_boolean(metadata_only))
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: global: field 'core:metadata_only' must be true or false", p->name);
    if (json_is_true(metadata_only))
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: global: field 'core:metadata_only' is true: there are no samples",
                              p->name);
    int err = parse_datatype(p, global);
    err = err ? err : parse_version(p, global);
    err = err ? err : parse_sample_rate(p, global);
    err = err ? err : want_integer(p, global, "global", "core:num_channels", 1, "split the channels into files of their own");
    err = err ? err : want_integer(p, global, "global", "core:offset", 0, "parts of a split recording are not read");
    err = err ? err : want_integer(p, global, "global", "core:trailing_bytes", 0, "the data file holds samples and nothing else");
    err = err ? err : parse_sha512(p, global);
    err = err ? err : parse_extensions(p, global);
    return err ? err : parse_airdeed(p, global);
}

/* A non-negative integer of a capture or annotation. 0 with *present_out false where an optional one is absent. */
static int get_index(const struct parse *p, const json_t *object, const char *where, size_t i, const char *key, bool required,
                     uint64_t *out, bool *present_out)
{
    const json_t *value = json_object_get(object, key);
    *present_out = value != NULL;
    if (!value && !required)
        return 0;
    if (!value)
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: %s[%zu]: required field '%s' is missing", p->name, where, i, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: %s[%zu]: field '%s' must be a non-negative integer", p->name, where, i,
                              key);
    *out = (uint64_t)json_integer_value(value);
    return 0;
}

/* RFC 3339 with Z, as the specification wants it: 2020-01-01T00:00:00Z, any number of digits after a dot. */
static bool is_datetime(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd";
    size_t i = 0;
    for (; shape[i]; i++)
        if (shape[i] == 'd' ? !isdigit((unsigned char)text[i]) : text[i] != shape[i])
            return false;
    if (text[i] == '.') {
        size_t n_digits = strspn(text + i + 1, "0123456789");
        if (n_digits == 0)
            return false;
        i += 1 + n_digits;
    }
    return text[i] == 'Z' && text[i + 1] == '\0';
}

static unsigned read_digits(const char *text, size_t n)
{
    unsigned value = 0;
    for (size_t i = 0; i < n; i++)
        value = 10 * value + (unsigned)(text[i] - '0');
    return value;
}

/* Of the Gregorian calendar, which RFC 3339 extends to year 0; any minute may have a leap second. */
static bool is_possible(const char *datetime)
{
    static const uint8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year = read_digits(datetime, 4), month = read_digits(datetime + 5, 2), day = read_digits(datetime + 8, 2);
    bool leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month < 1 || month > 12 || day < 1 || day > month_days[month - 1] + (month == 2 && leap_year ? 1u : 0u))
        return false;
    return read_digits(datetime + 11, 2) < 24 && read_digits(datetime + 14, 2) < 60 && read_digits(datetime + 17, 2) <= 60;
}

static int parse_datetime(const struct parse *p, const json_t *capture, size_t i)
{
    const json_t *value = json_object_get(capture, "core:datetime");
    if (!value)
        return 0;
    const char *text = json_string_value(value);
    if (!text || !is_datetime(text) || strlen(text) >= sizeof p->meta->datetime)
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: captures[%zu]: field 'core:datetime' must look like 2020-01-31T23:59:59.5Z", p->name, i);
    if (!is_possible(text))
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: captures[%zu]: field 'core:datetime' is '%s': there is no such time", p->name, i,
                              text);
    if (i == 0)
        memcpy(p->meta->datetime, text, strlen(text) + 1);
    return 0;
}

static int parse_frequency(const struct parse *p, const json_t *capture, size_t i, double *out)
{
    const json_t *value = json_object_get(capture, "core:frequency");
    *out = NAN;
    if (!value)
        return 0;
    if (!json_is_number(value) || !(fabs(json_number_value(value)) <= max_frequency_hz))
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: captures[%zu]: field 'core:frequency' must be a number of Hz, at most %g",
                              p->name, i, max_frequency_hz);
    *out = json_number_value(value);
    return 0;
}

/* The fields of one capture by themselves. */
static int parse_capture_fields(const struct parse *p, const json_t *object, size_t i, struct phy_sigmf_capture *out)
{
    if (!json_is_object(object))
        return phy_sigmf_fail(p->error_out, -EINVAL, "%s: captures[%zu]: must be an object", p->name, i);
    bool present;
    int err = get_index(p, object, "captures", i, "core:sample_start", true, &out->sample_start, &present);
    if (err)
        return err;
    out->global_index = out->sample_start;
    err = get_index(p, object, "captures", i, "core:global_index", false, &out->global_index, &present);
    err = err ? err : want_integer(p, object, "captures", "core:header_bytes", 0, "the data file holds samples and nothing else");
    err = err ? err : parse_datetime(p, object, i);
    return err ? err : parse_frequency(p, object, i, &out->frequency_hz);
}

/* One capture against the one before it. */
static int check_order(const struct parse *p, size_t i, const struct phy_sigmf_capture *before,
                       const struct phy_sigmf_capture *now)
{
    if (now->sample_start <= before->sample_start)
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: captures[%zu]: field 'core:sample_start' is %llu, not above the %llu of the capture before",
                              p->name, i, (unsigned long long)now->sample_start, (unsigned long long)before->sample_start);
    uint64_t expected = before->global_index + (now->sample_start - before->sample_start);
    if (now->global_index < expected)
        return phy_sigmf_fail(p->error_out, -EINVAL,
                              "%s: captures[%zu]: field 'core:global_index' is %llu, but the captures before reach to %llu",
                              p->name, i, (unsigned long long)now->global_index, (unsigned long long)expected);
    return 0;
}

static int parse_captures(const struct parse *p, const json_t *list)
{
    size_t n = json_array_size(list);
    struct phy_sigmf_meta *meta = p->meta;
    for (size_t i = 0; i < n; i++) {
        if (meta->n_captures == PHY_SIGMF_MAX_CAPTURES)
            return phy_sigmf_fail(p->error_out, -EINVAL, "%s: captures: there are %zu; at most %d are read", p->name, n,
                                  PHY_SIGMF_MAX_CAPTURES);
        struct phy_sigmf_capture *capture = &meta->captures[meta->n_captures];
        int err = parse_capture_fields(p, json_array_get(list, i), i, capture);
        if (err)
            return err;
        if (i == 0 && capture->sample_start > 0) {
            /* samples before the first capture belong to one that says nothing */
            capture[1] = *capture;
            *capture = (struct phy_sigmf_capture){.frequency_hz = NAN};
            capture = &meta->captures[++meta->n_captures];
        }
        if (meta->n_captures > 0 && (err = check_order(p, i, capture - 1, capture)))
            return err;
        meta->n_captures++;
    }
    if (n == 0) {
        /* "captures": [] implies one that begins with the data */
        meta->captures[0] = (struct phy_sigmf_capture){.frequency_hz = NAN};
        meta->n_captures = 1;
    }
    return 0;
}

int phy_sigmf_check_annotations(const char *name, const json_t *annotations, bool *sorted_out, char *error_out)
{
    const struct parse p = {.name = name, .error_out = error_out};
    uint64_t before = 0;
    *sorted_out = true;
    for (size_t i = 0; i < json_array_size(annotations); i++) {
        const json_t *object = json_array_get(annotations, i);
        if (!json_is_object(object))
            return phy_sigmf_fail(error_out, -EINVAL, "%s: annotations[%zu]: must be an object", name, i);
        uint64_t start = 0, count = 0;
        bool present;
        int err = get_index(&p, object, "annotations", i, "core:sample_start", true, &start, &present);
        err = err ? err : get_index(&p, object, "annotations", i, "core:sample_count", false, &count, &present);
        if (err)
            return err;
        *sorted_out &= start >= before;
        before = start;
    }
    return 0;
}

int phy_sigmf_parse(const char *name, const void *json, size_t len, struct phy_sigmf_meta *meta_out,
                    struct phy_sigmf_parsed *parsed_out, char *error_out)
{
    const struct parse p = {.name = name, .error_out = error_out, .meta = meta_out, .parsed = parsed_out};
    memset(meta_out, 0, sizeof *meta_out);
    meta_out->noise_dbfs = NAN;
    int err;
    json_t *root = phy_sigmf_load_json(name, json, len, &err, error_out);
    if (!root)
        return err;
    bool sorted = true;
    const json_t *annotations = json_object_get(root, "annotations");
    err = parse_global(&p, json_object_get(root, "global"));
    err = err ? err : parse_captures(&p, json_object_get(root, "captures"));
    err = err ? err : phy_sigmf_check_annotations(name, annotations, &sorted, error_out);
    if (!err && !sorted && !meta_out->warning[0])
        phy_sigmf_fail(meta_out->warning, 0, "%s: annotations are not in ascending order of core:sample_start", name);
    json_decref(root);
    return err;
}
