#define SUITE_NAME "apps/yaml"
#include "tests/unit/check_main.h"

#include "apps/yaml.h"

#include <errno.h>
#include <string.h>

struct station {
    char name[8];
    double x_m;
    uint32_t nearest; /* index */
};

struct sample {
    char engine[8];
    bool clean;
    uint64_t seed;
    uint32_t port, rate_hz;
    int64_t offset, wait_ns;
    double gain_db, freq_hz;
    struct {
        int64_t period_ns, length_ns;
    } quiet;
    uint32_t n_stations, n_wanted;
    struct station stations[3];
    uint32_t wanted[4];
};

static int find_station(void *root, void *value, const char *text, char *why)
{
    const struct sample *s = root;
    for (uint32_t i = 0; i < s->n_stations; i++)
        if (strcmp(s->stations[i].name, text) == 0) {
            *(uint32_t *)value = i;
            return 0;
        }
    snprintf(why, APP_YAML_MAX_WHY, "no station of this name");
    return -EINVAL;
}

static int check_quiet(void *root, void *item, const char **field_out, char *why)
{
    (void)item;
    const struct sample *s = root;
    if (s->quiet.length_ns <= s->quiet.period_ns)
        return 0;
    *field_out = "length";
    snprintf(why, APP_YAML_MAX_WHY, "longer than the period");
    return -EINVAL;
}

static const char *const engines[] = {"pbft", "raft", NULL};
static const struct station station_defaults = {.x_m = 7};
#define AT(field) offsetof(struct sample, field)
static const struct app_yaml_field quiet_fields[] = {
    {.name = "period", .kind = APP_YAML_DURATION_NS, .offset = 0, .min = 1e6, .max = 1e10, .required = true},
    {.name = "length", .kind = APP_YAML_DURATION_NS, .offset = 8},
    {.name = ""},
};
static const struct app_yaml_field station_fields[] = {
    {.name = "name", .kind = APP_YAML_TEXT, .offset = offsetof(struct station, name), .cap = 8, .required = true},
    {.name = "x", .kind = APP_YAML_REAL, .offset = offsetof(struct station, x_m), .min = -100, .max = 100, .unit = "m"},
    {.name = ""},
};
static const struct app_yaml_field fields[] = {
    {.name = "engine", .kind = APP_YAML_TEXT, .offset = AT(engine), .cap = 8, .choices = engines, .required = true},
    {.name = "clean", .kind = APP_YAML_BOOL, .offset = AT(clean)},
    {.name = "seed", .kind = APP_YAML_U64, .offset = AT(seed)},
    {.name = "port", .kind = APP_YAML_U32, .offset = AT(port), .min = 1, .max = 65535},
    {.name = "rate", .kind = APP_YAML_FREQ_U32_HZ, .offset = AT(rate_hz)},
    {.name = "offset", .kind = APP_YAML_I64, .offset = AT(offset)},
    {.name = "wait", .kind = APP_YAML_DURATION_NS, .offset = AT(wait_ns), .min = 1e6, .max = 1e10},
    {.name = "gain", .kind = APP_YAML_REAL, .offset = AT(gain_db), .min = -10, .max = 10, .unit = "dB"},
    {.name = "freq", .kind = APP_YAML_FREQ_HZ, .offset = AT(freq_hz), .min = 1e6, .max = 6e9},
    {.name = "quiet", .kind = APP_YAML_MAP, .offset = AT(quiet), .fields = quiet_fields, .check = check_quiet},
    {.name = "stations", .kind = APP_YAML_LIST, .offset = AT(stations), .item = APP_YAML_MAP, .fields = station_fields, .cap = 3,
     .stride = sizeof(struct station), .count_offset = AT(n_stations), .item_defaults = &station_defaults},
    {.name = "wanted", .kind = APP_YAML_LIST, .offset = AT(wanted), .item = APP_YAML_PARSED, .parse = find_station, .cap = 4,
     .min_items = 1, .stride = sizeof(uint32_t), .count_offset = AT(n_wanted)},
    {.name = ""},
};

static char error[APP_YAML_MAX_ERROR];
static struct sample sample;

static int read_yaml(const char *text)
{
    memset(&sample, 0, sizeof sample);
    return app_yaml_read_text("f.yaml", text, strlen(text), fields, NULL, &sample, error);
}

START_TEST(every_kind_of_field_is_read)
{
    ck_assert_msg(read_yaml("engine: raft # why not\n"
                            "wanted: [b, a]\n"
                            "clean: true\nseed: 18446744073709551615\nport: 65535\nrate: 10M\noffset: -9\nwait: 600ms\ngain: -3.5\n"
                            "freq: \"5.2G\"\nquiet: {period: 1s, length: 20ms}\n"
                            "stations:\n  - name: a\n  - {name: 'b', x: -1e1}\n") == 0,
                  "%s", error);
    ck_assert_str_eq(sample.engine, "raft");
    ck_assert(sample.clean);
    ck_assert_uint_eq(sample.seed, UINT64_MAX);
    ck_assert_uint_eq(sample.port, 65535);
    ck_assert_uint_eq(sample.rate_hz, 10000000);
    ck_assert_int_eq(sample.offset, -9);
    ck_assert_int_eq(sample.wait_ns, 600000000);
    ck_assert_double_eq(sample.gain_db, -3.5);
    ck_assert_double_eq(sample.freq_hz, 5.2e9);
    ck_assert_int_eq(sample.quiet.length_ns, 20000000);
    ck_assert_uint_eq(sample.n_stations, 2);
    ck_assert_double_eq(sample.stations[0].x_m, 7);
    ck_assert_double_eq(sample.stations[1].x_m, -10);
    /* the table's order counts: a name may stand in the file before what it names */
    ck_assert_uint_eq(sample.n_wanted, 2);
    ck_assert_uint_eq(sample.wanted[0], 1);
    ck_assert_uint_eq(sample.wanted[1], 0);
}
END_TEST

static const struct {
    const char *text, *error;
} bad[] = {
    {"engine: raft\nfoo: 1\n", "f.yaml:2: field foo: unknown field; known here: engine, clean, seed, port, rate, offset, wait, gain, "
                               "freq, quiet, stations, wanted"},
    {"seed: 1\n", "f.yaml:1: field engine: missing"},
    {"engine: raft\nstations:\n  - name: a\n  - x: 1\n", "f.yaml:4: field stations[1].name: missing"},
    {"engine: raft\nseed: 1\nseed: 2\n", "f.yaml:3: field seed: given twice"},
    {"engine: paxos\n", "f.yaml:1: field engine: 'paxos' is not one of pbft, raft"},
    {"engine: raft\nseed: -1\n", "f.yaml:2: field seed: '-1' is not a whole number"},
    {"engine: raft\nseed: 0x10\n", "f.yaml:2: field seed: '0x10' is not a whole number"},
    {"engine: raft\noffset: -0x10\n", "f.yaml:2: field offset: '-0x10' is not a whole number"},
    {"engine: raft\nseed: \"1\"\n", "f.yaml:2: field seed: text in quotes is not a whole number"},
    {"engine: raft\nseed: [1]\n", "f.yaml:2: field seed: this must be a whole number"},
    {"engine: raft\nseed: 18446744073709551616\n", "f.yaml:2: field seed: 18446744073709551616 is out of range"},
    {"engine: raft\nseed:\n", "f.yaml:2: field seed: has no value"},
    {"engine: raft\nclean: yes\n", "f.yaml:2: field clean: 'yes' is not true or false"},
    {"engine: raft\nport: 70000\n", "f.yaml:2: field port: 70000 is out of range, it must be from 1 to 65535"},
    {"engine: raft\nrate: 5G\n", "f.yaml:2: field rate: 5G is out of range, it must be from 0 to 4.294967295G Hz"},
    {"engine: raft\nrate: 0.5\n", "f.yaml:2: field rate: '0.5' is not a frequency in whole Hz such as 5.2G, 5200M or plain Hz"},
    {"engine: raft\nwait: 10\n", "f.yaml:2: field wait: '10' is not a duration such as 10s, 600ms or 13us"},
    {"engine: raft\nwait: 11s\n", "f.yaml:2: field wait: 11s is out of range, it must be from 1ms to 10s"},
    {"engine: raft\ngain: .nan\n", "f.yaml:2: field gain: '.nan' is not a number"},
    {"engine: raft\ngain: 11\n", "f.yaml:2: field gain: 11 is out of range, it must be from -10 to 10 dB"},
    {"engine: raft\nfreq: 7G\n", "f.yaml:2: field freq: 7G is out of range, it must be from 1M to 6G Hz"},
    {"engine: raft\nquiet: 3\n", "f.yaml:2: field quiet: '3' is not a mapping of fields"},
    {"engine: raft\nquiet:\n  period: 1s\n  length: 2s\n", "f.yaml:4: field quiet.length: longer than the period"},
    {"engine: raft\nstations: [{name: a}, {name: b}, {name: c}, {name: d}]\n", "f.yaml:2: field stations: 4 items, at most 3 are read"},
    {"engine: raft\nwanted: []\n", "f.yaml:2: field wanted: 0 items, at least 1 are needed"},
    {"engine: raft\nstations:\n- {name: a}\nwanted: [a, z]\n", "f.yaml:4: field wanted[1]: 'z': no station of this name"},
    {"engine: raft\nstations: [{name: abcdefgh}]\n", "f.yaml:2: field stations[0].name: longer than 7 octets"},
    {"engine: raft\nstations: [{name: \"a\\nb\"}]\n", "f.yaml:2: field stations[0].name: text with a control character in it"},
    {"engine: raft\nstations: [{name: \"a\\0b\"}]\n", "f.yaml:2: a value with a NUL in it"},
    {"a: &x [1]\nb: *x\n", "f.yaml:1: anchors (&x) are not read here; write the value out"},
    {"a: !!int 3\n", "f.yaml:1: tags (tag:yaml.org,2002:int) are not read here"},
    {"[[[[[[[[[1]]]]]]]]]\n", "f.yaml:1: nested deeper than 8 levels"},
    {"engine: raft\n---\nengine: raft\n", "f.yaml:2: a second document; one file holds one"},
    {"", "f.yaml:1: empty file"},
    {"# only a comment\n", "f.yaml:1: empty file"},
    {"just text\n", "f.yaml:1: 'just text' is not a mapping of fields"},
    {"? [a]\n: 1\n", "f.yaml:1: a field's name must be plain text"},
    {"engine: raft\n\tseed: 1\n", "f.yaml:2: no YAML: found a tab character that violates indentation"},
    {"engine: \"raft\n", "f.yaml:2: no YAML: found unexpected end of stream"},
    {"engine: ra\xff\xfe\n", "f.yaml:1: no YAML text: invalid leading UTF-8 octet"},
    {"# one\n# two\nengine: ra\xff\xfe\n", "f.yaml:3: no YAML text: invalid leading UTF-8 octet"},
};

START_TEST(each_refusal_is_one_line_with_file_line_and_field)
{
    int err = read_yaml(bad[_i].text);
    ck_assert_str_eq(error, bad[_i].error);
    ck_assert_int_eq(err, -EINVAL);
}
END_TEST

START_TEST(a_file_that_is_none_is_named)
{
    ck_assert_int_eq(app_yaml_read("/nowhere/f.yaml", fields, NULL, &sample, error), -ENOENT);
    ck_assert_str_eq(error, "/nowhere/f.yaml: cannot be opened: No such file or directory");
    ck_assert_int_eq(app_yaml_read("/", fields, NULL, &sample, error), -EINVAL);
    ck_assert_str_eq(error, "/: not a file");
    ck_assert_int_eq(app_yaml_read("/dev/zero", fields, NULL, &sample, error), -EINVAL);
    ck_assert_str_eq(error, "/dev/zero: not a file");
}
END_TEST

START_TEST(a_file_larger_than_the_bound_is_refused)
{
    size_t len = APP_YAML_MAX_BYTES + 1;
    char *text = malloc(len);
    memset(text, '#', len);
    ck_assert_int_eq(app_yaml_read_text("f.yaml", text, len, fields, NULL, &sample, error), -EINVAL);
    ck_assert_str_eq(error, "f.yaml: larger than 262144 octets");
    free(text);
}
END_TEST

START_TEST(no_cut_of_a_good_file_is_read_beyond_its_end)
{
    const char *text = "engine: raft\nquiet: {period: 1s, length: 20ms}\nstations:\n  - {name: 'b', x: -1e1}\nwanted: [b]\n";
    for (size_t len = 0; len < strlen(text); len++) {
        char *cut = malloc(len + 1); /* its own block, so that the sanitizer sees one octet too many */
        memcpy(cut, text, len);
        memset(&sample, 0, sizeof sample);
        int err = app_yaml_read_text("f.yaml", cut, len, fields, NULL, &sample, error);
        ck_assert_msg(err == 0 || (err == -EINVAL && strncmp(error, "f.yaml:", 7) == 0 && !strchr(error, '\n')), "%zu: %s", len, error);
        free(cut);
    }
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *yaml = tcase_create("yaml");
    tcase_add_test(yaml, every_kind_of_field_is_read);
    tcase_add_loop_test(yaml, each_refusal_is_one_line_with_file_line_and_field, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(yaml, a_file_that_is_none_is_named);
    tcase_add_test(yaml, a_file_larger_than_the_bound_is_refused);
    tcase_add_test(yaml, no_cut_of_a_good_file_is_read_beyond_its_end);
    suite_add_tcase(suite, yaml);
}
