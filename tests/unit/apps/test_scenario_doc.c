/* docs/scenario.md says what the table of fields says, and each of its examples loads. */
#define SUITE_NAME "docs/scenario.md"
#include "tests/unit/check_main.h"

#include "apps/options.h"
#include "apps/run/scenario_table.h"

#include <string.h>

enum { MAX_DOC = 1 << 17, MAX_ROW = 1024, MAX_NAME = 80, MAX_EXAMPLE = 8192 };
static char doc[MAX_DOC];

static void read_doc(void)
{
    const char *path = AIRDEED_ROOT "/docs/scenario.md";
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    size_t len = fread(doc, 1, sizeof doc - 1, file);
    doc[len] = '\0';
    fclose(file);
}

static enum app_option_kind quantity_kind(enum app_yaml_kind kind)
{
    switch (kind) {
    case APP_YAML_DURATION_NS: return APP_DURATION_NS;
    case APP_YAML_FREQ_HZ:
    case APP_YAML_FREQ_U32_HZ: return APP_FREQ_HZ;
    default: return APP_REAL;
    }
}

static const char *kind_word(enum app_yaml_kind kind)
{
    switch (kind) {
    case APP_YAML_DURATION_NS: return "duration";
    case APP_YAML_FREQ_HZ:
    case APP_YAML_FREQ_U32_HZ: return "frequency";
    case APP_YAML_REAL: return "number";
    case APP_YAML_U32:
    case APP_YAML_U64: return "whole number";
    case APP_YAML_LIST: return "list";
    case APP_YAML_PARSED: return "name";
    case APP_YAML_BOOL: return "true or false";
    default: return "text";
    }
}

static void print_range(const struct app_yaml_field *f, char *out, size_t cap)
{
    char low[APP_QUANTITY_TEXT], high[APP_QUANTITY_TEXT];
    out[0] = '\0';
    if (f->kind == APP_YAML_LIST) {
        snprintf(out, cap, "%zu to %zu items", f->min_items, f->cap);
    } else if (f->choices) {
        for (size_t i = 0; f->choices[i]; i++)
            snprintf(out + strlen(out), cap - strlen(out), "%s`%s`", i ? ", " : "", f->choices[i]);
    } else if (f->kind == APP_YAML_TEXT) {
        snprintf(out, cap, "up to %zu octets", f->cap - 1);
    } else if (f->min < 0 || f->max > 0) {
        app_format_quantity(quantity_kind(f->kind), f->min, low, sizeof low);
        app_format_quantity(quantity_kind(f->kind), f->max, high, sizeof high);
        snprintf(out, cap, "%s to %s%s%s", low, high, f->unit ? " " : "", f->unit ? f->unit : "");
    }
}

static void print_default(const struct app_yaml_field *f, const void *defaults, char *out, size_t cap)
{
    double value = 0;
    const char *at = defaults ? (const char *)defaults + f->offset : NULL;
    if (f->required) {
        snprintf(out, cap, "required");
        return;
    }
    if (f->kind == APP_YAML_LIST || f->kind == APP_YAML_PARSED) {
        snprintf(out, cap, "none");
        return;
    }
    if (f->kind == APP_YAML_TEXT) {
        snprintf(out, cap, "`%s`", at ? at : "");
        return;
    }
    if (f->kind == APP_YAML_BOOL) {
        snprintf(out, cap, "%s", at && *(const bool *)at ? "true" : "false");
        return;
    }
    if (at && f->kind == APP_YAML_DURATION_NS)
        value = (double)*(const int64_t *)at;
    else if (at && (f->kind == APP_YAML_U32 || f->kind == APP_YAML_FREQ_U32_HZ))
        value = *(const uint32_t *)at;
    else if (at && f->kind == APP_YAML_U64)
        value = (double)*(const uint64_t *)at;
    else if (at)
        value = *(const double *)at;
    app_format_quantity(quantity_kind(f->kind), value, out, cap);
}

/* Each field has a row that begins with its name, kind, range and default; the words after it are for people. */
static unsigned check_rows(const struct app_yaml_field *fields, const void *defaults, const char *prefix)
{
    unsigned n = 0;
    for (const struct app_yaml_field *f = fields; *f->name; f++) {
        char name[MAX_NAME], row[MAX_ROW], range[MAX_ROW / 4], value[MAX_ROW / 4];
        snprintf(name, sizeof name, "%s%s", prefix, f->name);
        if (f->kind == APP_YAML_MAP || (f->kind == APP_YAML_LIST && f->item == APP_YAML_MAP)) {
            char below[MAX_NAME + 4];
            snprintf(below, sizeof below, "%s%s", name, f->kind == APP_YAML_MAP ? "." : "[].");
            n += check_rows(f->fields, f->kind == APP_YAML_MAP ? (const char *)defaults + f->offset : f->item_defaults, below);
            if (f->kind == APP_YAML_MAP)
                continue;
        }
        print_range(f, range, sizeof range);
        print_default(f, defaults, value, sizeof value);
        snprintf(row, sizeof row, "\n| `%s` | %s | %s | %s | ", name, kind_word(f->kind), range, value);
        ck_assert_msg(strstr(doc, row) != NULL, "docs/scenario.md lacks this row: %s", row + 1);
        n++;
    }
    return n;
}

START_TEST(each_field_is_described_with_its_range_and_default)
{
    unsigned n_documented = 0;
    for (const char *at = doc; (at = strstr(at, "\n| `")) != NULL; at++)
        n_documented++;
    ck_assert_uint_eq(check_rows(app_scenario_fields, &app_scenario_defaults, ""), n_documented);
}
END_TEST

/* An example that does not begin with a name is a part of a scenario: it is added to this one. */
static const char base[] = "name: base\n"
                           "channels:\n"
                           "  - {name: control, low: 5.18G, high: 5.19G}\n"
                           "  - {name: \"1\", low: 5.19G, high: 5.2G}\n"
                           "  - {name: \"2\", low: 5.2G, high: 5.21G}\n"
                           "control: control\n"
                           "stations: [{name: alpha}, {name: bravo}]\n";

START_TEST(each_example_loads)
{
    unsigned n = 0;
    for (const char *at = doc; (at = strstr(at, "```yaml\n")) != NULL; n++) {
        static char text[MAX_EXAMPLE];
        char error[APP_SCENARIO_MAX_ERROR];
        at += strlen("```yaml\n");
        const char *end = strstr(at, "```");
        ck_assert_ptr_nonnull(end);
        bool whole = strncmp(at, "name:", 5) == 0;
        snprintf(text, sizeof text, "%s%.*s", whole ? "" : base, (int)(end - at), at);
        static struct app_scenario scenario;
        scenario = app_scenario_defaults;
        int err = app_yaml_read_text("example", text, strlen(text), app_scenario_fields, app_scenario_check_whole, &scenario, error);
        ck_assert_msg(err == 0, "example %u: %s\n%s", n + 1, error, text);
        at = end;
    }
    ck_assert_uint_ge(n, 2);
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *t = tcase_create("doc");
    tcase_add_checked_fixture(t, read_doc, NULL);
    tcase_add_test(t, each_field_is_described_with_its_range_and_default);
    tcase_add_test(t, each_example_loads);
    suite_add_tcase(suite, t);
}
