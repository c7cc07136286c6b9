/* Between apps/yaml.c, which turns octets into a checked document tree, and apps/yaml_fields.c, which reads the tree through a table. */
#ifndef APPS_YAML_TREE_H
#define APPS_YAML_TREE_H

#include "apps/yaml.h"

#include <yaml.h>

struct app_yaml_tree {
    const char *name;        /* of the file, for messages */
    yaml_document_t *document;
    void *root;
    char *error;             /* APP_YAML_MAX_ERROR octets */
    char path[160];          /* of the field at hand: "stations[3].x" */
    size_t path_len;
};

/* -EINVAL with the line written; line counts from 0 as libyaml's marks do */
__attribute__((format(printf, 3, 4))) int app_yaml_refuse(const struct app_yaml_tree *t, size_t line, const char *format, ...);
int app_yaml_fields_read(struct app_yaml_tree *t, const struct app_yaml_field *fields, app_yaml_check *check, void *out);
#endif
