/* YAML files read through one table of fields: kind, unit, range, required. Every refusal is one line that names file, line and field:
 * "cluster.yaml:12: field members[2].port: 70000 is out of range, it must be from 1 to 65535".
 * Refused: unknown, missing and repeated fields, wrong types, values out of range, anchors and aliases, tags, more than one document,
 * files above APP_YAML_MAX_BYTES, nesting deeper than APP_YAML_MAX_DEPTH. */
#ifndef APPS_YAML_H
#define APPS_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { APP_YAML_MAX_BYTES = 1 << 18, APP_YAML_MAX_DEPTH = 8, APP_YAML_MAX_ERROR = 400, APP_YAML_MAX_WHY = 200 };

enum app_yaml_kind { /* what is stored at the field's offset */
    APP_YAML_TEXT,        /* char[cap], NUL-terminated */
    APP_YAML_BOOL,        /* bool: true or false */
    APP_YAML_U64,         /* uint64_t */
    APP_YAML_U32,         /* uint32_t */
    APP_YAML_I64,         /* int64_t */
    APP_YAML_REAL,        /* double, finite */
    APP_YAML_FREQ_HZ,     /* double: 5.2G, 5200M, 20k, plain Hz */
    APP_YAML_FREQ_U64_HZ, /* uint64_t, whole Hz */
    APP_YAML_FREQ_U32_HZ, /* uint32_t, whole Hz */
    APP_YAML_DURATION_NS, /* int64_t: 10s, 600ms, 13us */
    APP_YAML_PARSED,      /* what `parse` stores: a name that stands for an index, a key in base 64 */
    APP_YAML_MAP,         /* a nested struct, described by `fields` */
    APP_YAML_LIST         /* an array of up to cap items of kind `item`, `stride` octets apart */
};

struct app_yaml_field {
    const char *name;      /* "" ends the table */
    enum app_yaml_kind kind;
    size_t offset;         /* in the struct of this table (offsetof); a field that is not given is left as it was: fill in defaults first */
    bool required;
    size_t required_unless; /* not 0: of a bool in the outermost struct; where that is true, a required field may be left out */
    double min, max;       /* numbers, inclusive, in Hz or ns for frequencies and durations; both 0: only what the type holds */
    const char *unit;      /* for messages: "dB"; NULL where there is none or the value carries it */
    size_t cap;            /* TEXT: octets with the NUL; LIST: most items */
    size_t min_items;      /* LIST */
    bool secret;           /* messages do not repeat the value */
    size_t line_offset;    /* not 0: where the line of the field is stored, uint32_t, in the struct of this table */
    const char *const *choices; /* TEXT: the words allowed, NULL-terminated; or NULL */
    const struct app_yaml_field *fields; /* MAP, LIST of MAP */
    enum app_yaml_kind item; /* LIST: any kind but LIST; ranges, unit, choices hold for each item. Items of TEXT have `stride` octets */
    size_t stride;         /* LIST: sizeof an item */
    size_t count_offset;   /* LIST: uint32_t, the number of items */
    const void *item_defaults; /* LIST of MAP: an item that each one starts from; NULL: zeros */
    /* PARSED (or a LIST of it). root: the outermost struct. Fields are read in the order of the table, not of the file, so that names may
     * refer to what an earlier row of the table holds. 0, or negative errno with why_out (APP_YAML_MAX_WHY octets): "no station of this name" */
    int (*parse)(void *root, void *value, const char *text, char *why_out);
    /* MAP, LIST of MAP: called when all fields of one mapping are in. 0, or negative errno with why_out; *field_out may name
     * the field of this mapping that is to blame, as "quiet.length" or "stations[2].x" where it lies deeper. Of several, with spaces
     * between, that one is to blame which the file gives, the first if it gives none or all. */
    int (*check)(void *root, void *item, const char **field_out, char *why_out);
};

typedef int app_yaml_check(void *root, void *item, const char **field_out, char *why_out);

/* check: of the whole (item is root), or NULL. error_out: APP_YAML_MAX_ERROR octets, one line without newline.
 * 0; -EINVAL; -ENOENT and other errno where the file cannot be read; -ENOMEM. `out` is undefined after an error. */
__attribute__((warn_unused_result)) int app_yaml_read(const char *path, const struct app_yaml_field *fields, app_yaml_check *check,
                                                      void *out, char *error_out);
/* The same from memory; name: for messages. */
__attribute__((warn_unused_result)) int app_yaml_read_text(const char *name, const void *text, size_t len,
                                                           const struct app_yaml_field *fields, app_yaml_check *check, void *out,
                                                           char *error_out);
#endif
