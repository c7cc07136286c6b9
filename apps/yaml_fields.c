/* The document tree, read through a table of fields. Calls nest as the table does, not as the file does. */
#include "apps/options.h"
#include "apps/yaml_tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { APP_YAML_MAX_NAME = 64 };

static int read_map(struct app_yaml_tree *t, const yaml_node_t *node, const struct app_yaml_field *fields, app_yaml_check *check,
                    void *base);

__attribute__((format(printf, 2, 3))) static size_t push_path(struct app_yaml_tree *t, const char *format, ...)
{
    size_t before = t->path_len;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->path + before, sizeof t->path - before, format, args);
    va_end(args);
    t->path_len += n < 0 ? 0 : (size_t)n;
    if (t->path_len >= sizeof t->path)
        t->path_len = sizeof t->path - 1;
    return before;
}

static void pop_path(struct app_yaml_tree *t, size_t before)
{
    t->path_len = before;
    t->path[before] = '\0';
}

static size_t push_field(struct app_yaml_tree *t, const char *name)
{
    return push_path(t, "%s%s", t->path_len ? "." : "", name);
}

static const char *scalar_text(const yaml_node_t *node)
{
    return (const char *)node->data.scalar.value;
}

static const char *kind_words(enum app_yaml_kind kind)
{
    switch (kind) {
    case APP_YAML_TEXT:
    case APP_YAML_PARSED: return "text";
    case APP_YAML_BOOL: return "true or false";
    case APP_YAML_U64:
    case APP_YAML_U32:
    case APP_YAML_I64: return "a whole number";
    case APP_YAML_REAL: return "a number";
    case APP_YAML_FREQ_HZ: return "a frequency such as 5.2G, 5200M or plain Hz";
    case APP_YAML_FREQ_U64_HZ:
    case APP_YAML_FREQ_U32_HZ: return "a frequency in whole Hz such as 5.2G, 5200M or plain Hz";
    case APP_YAML_DURATION_NS: return "a duration such as 10s, 600ms or 13us";
    case APP_YAML_MAP: return "a mapping of fields";
    case APP_YAML_LIST: return "a list";
    }
    return "";
}

static int refuse_kind(const struct app_yaml_tree *t, const yaml_node_t *node, enum app_yaml_kind kind)
{
    if (node->type != YAML_SCALAR_NODE)
        return app_yaml_refuse(t, node->start_mark.line, "this must be %s", kind_words(kind));
    return app_yaml_refuse(t, node->start_mark.line, "'%.60s' is not %s", scalar_text(node), kind_words(kind));
}

static enum app_option_kind quantity_of(enum app_yaml_kind kind)
{
    if (kind == APP_YAML_DURATION_NS)
        return APP_DURATION_NS;
    bool is_freq = kind == APP_YAML_FREQ_HZ || kind == APP_YAML_FREQ_U64_HZ || kind == APP_YAML_FREQ_U32_HZ;
    return is_freq ? APP_FREQ_HZ : APP_REAL;
}

static int check_range(const struct app_yaml_tree *t, const yaml_node_t *node, const struct app_yaml_field *f, enum app_yaml_kind kind,
                       double value)
{
    double low = f->min, high = f->max;
    bool is_u32 = kind == APP_YAML_U32 || kind == APP_YAML_FREQ_U32_HZ;
    if (low == 0 && high == 0) {
        if (!is_u32)
            return 0;
        high = UINT32_MAX;
    }
    if (value >= low && value <= high)
        return 0;
    char low_text[APP_QUANTITY_TEXT], high_text[APP_QUANTITY_TEXT];
    enum app_option_kind quantity = quantity_of(kind);
    app_format_quantity(quantity, low, low_text, sizeof low_text);
    app_format_quantity(quantity, high, high_text, sizeof high_text);
    const char *unit = f->unit ? f->unit : quantity == APP_FREQ_HZ ? "Hz" : "";
    return app_yaml_refuse(t, node->start_mark.line, "%.60s is out of range, it must be from %s to %s%s%s", scalar_text(node), low_text,
                           high_text, *unit ? " " : "", unit);
}

/* Decimal alone: YAML 1.1, YAML 1.2 and its JSON schema disagree on 0x10 and 010 */
static int parse_u64(const char *text, uint64_t *value_out)
{
    return strpbrk(text, "xX") ? -EINVAL : app_parse_u64(text, value_out);
}

static int parse_i64(const char *text, int64_t *value_out)
{
    uint64_t magnitude;
    bool negative = *text == '-';
    int err = parse_u64(text + negative, &magnitude);
    if (err)
        return err;
    if (magnitude > INT64_MAX)
        return -ERANGE;
    *value_out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return 0;
}

/* 2^53: above it doubles skip whole numbers */
static int parse_whole_hz(const char *text, uint64_t *value_out)
{
    double hz;
    int err = app_parse_freq(text, &hz);
    if (err)
        return err;
    if (hz < 0 || hz > 9007199254740992.0)
        return -ERANGE;
    *value_out = (uint64_t)hz;
    return (double)*value_out == hz ? 0 : -EINVAL;
}

union number {
    uint64_t u64;
    int64_t i64;
    double real;
};

/* *as_real_out: for the range */
static int parse_number(enum app_yaml_kind kind, const char *text, union number *out, double *as_real_out)
{
    int err = -EINVAL;
    switch (kind) {
    case APP_YAML_U64:
    case APP_YAML_U32: err = parse_u64(text, &out->u64); *as_real_out = (double)out->u64; break;
    case APP_YAML_FREQ_U64_HZ:
    case APP_YAML_FREQ_U32_HZ: err = parse_whole_hz(text, &out->u64); *as_real_out = (double)out->u64; break;
    case APP_YAML_I64: err = parse_i64(text, &out->i64); *as_real_out = (double)out->i64; break;
    case APP_YAML_DURATION_NS: err = app_parse_duration(text, &out->i64); *as_real_out = (double)out->i64; break;
    case APP_YAML_REAL: err = app_parse_real(text, &out->real); *as_real_out = out->real; break;
    case APP_YAML_FREQ_HZ: err = app_parse_freq(text, &out->real); *as_real_out = out->real; break;
    default: break;
    }
    return err;
}

static int read_number(const struct app_yaml_tree *t, const yaml_node_t *node, const struct app_yaml_field *f, enum app_yaml_kind kind,
                       void *value)
{
    union number number = {0};
    double as_real = 0;
    bool has_unit = quantity_of(kind) != APP_REAL;
    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE && !has_unit)
        return app_yaml_refuse(t, node->start_mark.line, "text in quotes is not %s", kind_words(kind));
    int err = parse_number(kind, scalar_text(node), &number, &as_real);
    if (err == -ERANGE)
        return app_yaml_refuse(t, node->start_mark.line, "%.60s is out of range", scalar_text(node));
    if (err)
        return refuse_kind(t, node, kind);
    err = check_range(t, node, f, kind, as_real);
    if (err)
        return err;
    if (kind == APP_YAML_U32 || kind == APP_YAML_FREQ_U32_HZ) {
        if (number.u64 > UINT32_MAX)
            return app_yaml_refuse(t, node->start_mark.line, "%.60s is out of range", scalar_text(node));
        *(uint32_t *)value = (uint32_t)number.u64;
    } else {
        memcpy(value, &number, sizeof number);
    }
    return 0;
}

static int read_text(const struct app_yaml_tree *t, const yaml_node_t *node, const struct app_yaml_field *f, size_t cap, char *value)
{
    const char *text = scalar_text(node);
    if (strlen(text) >= cap)
        return app_yaml_refuse(t, node->start_mark.line, "longer than %zu octets", cap - 1);
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return app_yaml_refuse(t, node->start_mark.line, "text with a control character in it");
    if (f->choices) {
        char known[120] = "";
        size_t i = 0;
        for (; f->choices[i] && strcmp(f->choices[i], text) != 0; i++)
            snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", i ? ", " : "", f->choices[i]);
        if (!f->choices[i])
            return app_yaml_refuse(t, node->start_mark.line, "'%.60s' is not one of %s", text, known);
    }
    memset(value, 0, cap);
    memcpy(value, text, strlen(text));
    return 0;
}

static int read_scalar(struct app_yaml_tree *t, const yaml_node_t *node, const struct app_yaml_field *f, enum app_yaml_kind kind,
                       size_t cap, void *value)
{
    if (node->type != YAML_SCALAR_NODE)
        return refuse_kind(t, node, kind);
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    const char *text = scalar_text(node);
    if (plain && (*text == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0))
        return app_yaml_refuse(t, node->start_mark.line, "has no value");
    if (kind == APP_YAML_TEXT)
        return read_text(t, node, f, cap, value);
    if (kind == APP_YAML_BOOL) {
        if (!plain || (strcmp(text, "true") != 0 && strcmp(text, "false") != 0))
            return refuse_kind(t, node, kind);
        *(bool *)value = *text == 't';
        return 0;
    }
    if (kind == APP_YAML_PARSED) {
        char why[APP_YAML_MAX_WHY] = "";
        if (f->parse(t->root, value, text, why))
            return f->secret ? app_yaml_refuse(t, node->start_mark.line, "%s", why)
                             : app_yaml_refuse(t, node->start_mark.line, "'%.60s': %s", text, why);
        return 0;
    }
    return read_number(t, node, f, kind, value);
}

static int read_item(struct app_yaml_tree *t, const yaml_node_t *node, const struct app_yaml_field *f, void *item)
{
    if (f->item != APP_YAML_MAP)
        return read_scalar(t, node, f, f->item, f->stride, item);
    if (f->item_defaults)
        memcpy(item, f->item_defaults, f->stride);
    else
        memset(item, 0, f->stride);
    return read_map(t, node, f->fields, f->check, item);
}

static int read_list(struct app_yaml_tree *t, const yaml_node_t *node, const struct app_yaml_field *f, uint8_t *base)
{
    if (node->type != YAML_SEQUENCE_NODE)
        return refuse_kind(t, node, APP_YAML_LIST);
    size_t n = (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (n > f->cap)
        return app_yaml_refuse(t, node->start_mark.line, "%zu items, at most %zu are read", n, f->cap);
    if (n < f->min_items)
        return app_yaml_refuse(t, node->start_mark.line, "%zu items, at least %zu are needed", n, f->min_items);
    for (size_t i = 0; i < n; i++) {
        const yaml_node_t *item = yaml_document_get_node(t->document, node->data.sequence.items.start[i]);
        size_t before = push_path(t, "[%zu]", i);
        int err = read_item(t, item, f, base + f->offset + i * f->stride);
        pop_path(t, before);
        if (err)
            return err;
        *(uint32_t *)(void *)(base + f->count_offset) = (uint32_t)(i + 1);
    }
    *(uint32_t *)(void *)(base + f->count_offset) = (uint32_t)n;
    return 0;
}

static int read_field(struct app_yaml_tree *t, const yaml_node_t *node, const struct app_yaml_field *f, uint8_t *base)
{
    if (f->kind == APP_YAML_MAP)
        return read_map(t, node, f->fields, f->check, base + f->offset);
    if (f->kind == APP_YAML_LIST)
        return read_list(t, node, f, base);
    return read_scalar(t, node, f, f->kind, f->cap, base + f->offset);
}

static const yaml_node_pair_t *find_pair(const struct app_yaml_tree *t, const yaml_node_t *map, const char *name,
                                         const yaml_node_pair_t *before)
{
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < (before ? before : map->data.mapping.pairs.top); p++) {
        const yaml_node_t *key = yaml_document_get_node(t->document, p->key);
        if (key->type == YAML_SCALAR_NODE && strcmp(scalar_text(key), name) == 0)
            return p;
    }
    return NULL;
}

static int refuse_unknown(struct app_yaml_tree *t, size_t line, const char *name, const struct app_yaml_field *fields)
{
    char known[APP_YAML_MAX_ERROR / 2] = "";
    for (const struct app_yaml_field *f = fields; *f->name; f++)
        snprintf(known + strlen(known), sizeof known - strlen(known), "%s%s", f == fields ? "" : ", ", f->name);
    char shown[61];
    snprintf(shown, sizeof shown, "%s", name);
    push_field(t, shown);
    return app_yaml_refuse(t, line, "unknown field; known here: %s", known);
}

static int check_keys(struct app_yaml_tree *t, const yaml_node_t *map, const struct app_yaml_field *fields)
{
    for (const yaml_node_pair_t *p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(t->document, p->key);
        if (key->type != YAML_SCALAR_NODE)
            return app_yaml_refuse(t, key->start_mark.line, "a field's name must be plain text");
        const struct app_yaml_field *f = fields;
        while (*f->name && strcmp(f->name, scalar_text(key)) != 0)
            f++;
        if (!*f->name)
            return refuse_unknown(t, key->start_mark.line, scalar_text(key), fields);
        if (find_pair(t, map, f->name, p)) {
            push_field(t, f->name);
            return app_yaml_refuse(t, key->start_mark.line, "given twice");
        }
    }
    return 0;
}

/* One step of "quiet.length" or "stations[2].x" below a node; *name_out moves on. NULL: the file does not give it. */
static const yaml_node_t *step_into(const struct app_yaml_tree *t, const yaml_node_t *node, const char **name, size_t *line_out)
{
    char word[APP_YAML_MAX_NAME];
    if (**name == '[') {
        char *end;
        unsigned long i = strtoul(*name + 1, &end, 10);
        size_t n = node->type == YAML_SEQUENCE_NODE ? (size_t)(node->data.sequence.items.top - node->data.sequence.items.start) : 0;
        *name = end + 1;
        const yaml_node_t *item = i < n ? yaml_document_get_node(t->document, node->data.sequence.items.start[i]) : NULL;
        *line_out = item ? item->start_mark.line : *line_out;
        return item;
    }
    *name += **name == '.';
    size_t len = strcspn(*name, ".[ ");
    snprintf(word, sizeof word, "%.*s", (int)len, *name);
    *name += len;
    const yaml_node_pair_t *pair = node->type == YAML_MAPPING_NODE ? find_pair(t, node, word, NULL) : NULL;
    if (!pair)
        return NULL;
    *line_out = yaml_document_get_node(t->document, pair->key)->start_mark.line;
    return yaml_document_get_node(t->document, pair->value);
}

/* Is the field given in the file? *line_out: of it, or of the innermost that is given. */
static bool find_line(const struct app_yaml_tree *t, const yaml_node_t *node, const char *name, size_t *line_out)
{
    while (node && *name && *name != ' ')
        node = step_into(t, node, &name, line_out);
    return node != NULL;
}

static int call_check(struct app_yaml_tree *t, const yaml_node_t *node, app_yaml_check *check, void *base)
{
    const char *field = NULL;
    char why[APP_YAML_MAX_WHY] = "";
    if (!check(t->root, base, &field, why))
        return 0;
    size_t line = node->start_mark.line;
    const char *given = field;
    while (given && !find_line(t, node, given, &line)) {
        given = strchr(given, ' ');
        if (given)
            given++;
    }
    if (!given)
        given = field;
    if (given)
        push_path(t, "%s%.*s", t->path_len ? "." : "", (int)strcspn(given, " "), given);
    return app_yaml_refuse(t, line, "%s", why);
}

static bool is_needed(const struct app_yaml_tree *t, const struct app_yaml_field *f)
{
    return f->required && !(f->required_unless && *((const bool *)t->root + f->required_unless));
}

static int read_map(struct app_yaml_tree *t, const yaml_node_t *node, const struct app_yaml_field *fields, app_yaml_check *check,
                    void *base)
{
    if (node->type != YAML_MAPPING_NODE)
        return refuse_kind(t, node, APP_YAML_MAP);
    int err = check_keys(t, node, fields);
    for (const struct app_yaml_field *f = fields; !err && *f->name; f++) {
        const yaml_node_pair_t *pair = find_pair(t, node, f->name, NULL);
        if (!pair && !is_needed(t, f))
            continue;
        size_t before = push_field(t, f->name);
        err = pair ? read_field(t, yaml_document_get_node(t->document, pair->value), f, base)
                   : app_yaml_refuse(t, node->start_mark.line, "missing");
        if (pair && f->line_offset) {
            uint32_t line = (uint32_t)yaml_document_get_node(t->document, pair->key)->start_mark.line + 1;
            memcpy((uint8_t *)base + f->line_offset, &line, sizeof line);
        }
        pop_path(t, before);
    }
    if (!err && check)
        err = call_check(t, node, check, base);
    return err;
}

int app_yaml_fields_read(struct app_yaml_tree *t, const struct app_yaml_field *fields, app_yaml_check *check, void *out)
{
    const yaml_node_t *root = yaml_document_get_root_node(t->document);
    if (!root)
        return app_yaml_refuse(t, 0, "empty file");
    return read_map(t, root, fields, check, out);
}
