/* YAML: from a file or memory to libyaml's document tree, after a first pass that bounds it. */
#include "apps/yaml_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int app_yaml_refuse(const struct app_yaml_tree *t, size_t line, const char *format, ...)
{
    char why[APP_YAML_MAX_ERROR];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    int len = snprintf(t->error, APP_YAML_MAX_ERROR, "%s:%zu: %s%s%s%s", t->name, line + 1, t->path_len ? "field " : "", t->path,
                       t->path_len ? ": " : "", why);
    if (len >= APP_YAML_MAX_ERROR) /* cut, and seen to be cut */
        memcpy(t->error + APP_YAML_MAX_ERROR - 4, "...", 4);
    /* a file may hold anything; the message stays one line of text */
    for (char *c = t->error; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return -EINVAL;
}

/* The reader runs ahead of the parser's mark: what it could not read is found by its offset in the text. */
static size_t line_at(const yaml_parser_t *parser, size_t offset)
{
    const unsigned char *at = parser->input.string.start;
    size_t line = 0;
    for (size_t i = 0; i < offset && at + i < parser->input.string.end; i++)
        line += at[i] == '\n';
    return line;
}

static int refuse_syntax(const struct app_yaml_tree *t, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        snprintf(t->error, APP_YAML_MAX_ERROR, "%s: not enough memory", t->name);
        return -ENOMEM;
    }
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    if (parser->error == YAML_READER_ERROR)
        return app_yaml_refuse(t, line_at(parser, parser->problem_offset), "no YAML text: %s", problem);
    return app_yaml_refuse(t, parser->problem_mark.line, "no YAML: %s", problem);
}

struct first_pass {
    size_t depth, n_documents;
};

/* Anchors are refused: they make a tree of a few octets as large as one likes, and no field here needs them. */
static int check_event(const struct app_yaml_tree *t, struct first_pass *pass, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;
    size_t line = event->start_mark.line;
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return app_yaml_refuse(t, line, "aliases (*%s) are not read here; write the value out", event->data.alias.anchor);
    case YAML_DOCUMENT_START_EVENT:
        if (++pass->n_documents > 1)
            return app_yaml_refuse(t, line, "a second document; one file holds one");
        break;
    case YAML_SCALAR_EVENT:
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
        if (strlen((const char *)event->data.scalar.value) != event->data.scalar.length)
            return app_yaml_refuse(t, line, "a value with a NUL in it");
        break;
    case YAML_SEQUENCE_START_EVENT:
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
        pass->depth++;
        break;
    case YAML_MAPPING_START_EVENT:
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
        pass->depth++;
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        pass->depth--;
        break;
    default:
        break;
    }
    if (anchor)
        return app_yaml_refuse(t, line, "anchors (&%s) are not read here; write the value out", anchor);
    if (tag)
        return app_yaml_refuse(t, line, "tags (%s) are not read here", tag);
    if (pass->depth > APP_YAML_MAX_DEPTH)
        return app_yaml_refuse(t, line, "nested deeper than %d levels", APP_YAML_MAX_DEPTH);
    return 0;
}

static int check_events(const struct app_yaml_tree *t, const void *text, size_t len)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, text, len);
    struct first_pass pass = {0};
    int err = 0;
    bool end = false;
    while (!err && !end) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            err = refuse_syntax(t, &parser);
            break;
        }
        err = check_event(t, &pass, &event);
        end = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    if (!err && pass.n_documents == 0)
        err = app_yaml_refuse(t, 0, "empty file");
    yaml_parser_delete(&parser);
    return err;
}

int app_yaml_read_text(const char *name, const void *text, size_t len, const struct app_yaml_field *fields, app_yaml_check *check,
                       void *out, char *error_out)
{
    struct app_yaml_tree t = {.name = name, .root = out, .error = error_out};
    if (len > APP_YAML_MAX_BYTES) {
        snprintf(error_out, APP_YAML_MAX_ERROR, "%s: larger than %d octets", name, APP_YAML_MAX_BYTES);
        return -EINVAL;
    }
    snprintf(error_out, APP_YAML_MAX_ERROR, "%s: not enough memory", name);
    int err = check_events(&t, text, len);
    if (err)
        return err;
    yaml_parser_t parser;
    yaml_document_t document;
    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, text, len);
    if (yaml_parser_load(&parser, &document)) {
        t.document = &document;
        err = app_yaml_fields_read(&t, fields, check, out);
        yaml_document_delete(&document);
    } else {
        err = refuse_syntax(&t, &parser);
    }
    yaml_parser_delete(&parser);
    if (!err)
        error_out[0] = '\0';
    return err;
}

static int read_octets(int fd, uint8_t *data, size_t cap, size_t *len_out)
{
    size_t len = 0;
    while (len < cap) {
        ssize_t n = read(fd, data + len, cap - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    *len_out = len;
    return 0;
}

int app_yaml_read(const char *path, const struct app_yaml_field *fields, app_yaml_check *check, void *out, char *error_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        int err = errno;
        if (fd >= 0)
            close(fd);
        snprintf(error_out, APP_YAML_MAX_ERROR, "%s: cannot be opened: %s", path, strerror(err));
        return -err;
    }
    if (!S_ISREG(st.st_mode)) {
        close(fd);
        snprintf(error_out, APP_YAML_MAX_ERROR, "%s: not a file", path);
        return -EINVAL;
    }
    size_t len = 0;
    uint8_t *data = malloc(APP_YAML_MAX_BYTES + 1); /* one more shows that a file is too large */
    int err = data ? read_octets(fd, data, APP_YAML_MAX_BYTES + 1, &len) : -ENOMEM;
    close(fd);
    if (err)
        snprintf(error_out, APP_YAML_MAX_ERROR, "%s: cannot be read: %s", path, strerror(-err));
    else
        err = app_yaml_read_text(path, data, len, fields, check, out, error_out);
    free(data);
    return err;
}
