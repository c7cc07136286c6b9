/* A node's own file, held against its cluster file and its key. */
#include "apps/node_config.h"

#include "apps/node_metrics.h"
#include "apps/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct app_yaml_field node_fields[] = {APP_NODE_CONFIG_ROWS, APP_NODE_CONFIG_TEXT("metrics", metrics, false, APP_NODE_ENDPOINT), {.name = ""}};

int app_node_config_check(void *root, void *item, const char **field_out, char *why)
{
    (void)item;
    const struct app_node_config *c = root;
    if (*c->bind && !app_node_endpoint_ok(c->bind)) {
        *field_out = "bind";
        snprintf(why, APP_YAML_MAX_WHY, "a bind address is written as tcp://0.0.0.0:7400");
        return -EINVAL;
    }
    if (*c->metrics && app_node_metrics_check(c->metrics)) {
        *field_out = "metrics";
        snprintf(why, APP_YAML_MAX_WHY, "an address for metrics is written as 127.0.0.1:9464 or [::1]:9464");
        return -EINVAL;
    }
    return 0;
}

int app_node_config_read_text(const char *name, const void *text, size_t len, struct app_node_config *out, char *error_out)
{
    memset(out, 0, sizeof *out);
    return app_yaml_read_text(name, text, len, node_fields, app_node_config_check, out, error_out);
}

__attribute__((format(printf, 4, 5))) static int refuse(char *error_out, const char *path, const char *field, const char *format, ...)
{
    char why[APP_NODE_MAX_ERROR];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    if (snprintf(error_out, APP_NODE_MAX_ERROR, "%s: field %s: %s", path, field, why) >= APP_NODE_MAX_ERROR)
        memcpy(error_out + APP_NODE_MAX_ERROR - 4, "...", 4);
    return -EINVAL;
}

/* Makes *name relative to the folder of `path` */
static int resolve(const char *path, const char *field, char name[APP_NODE_PATH], char *error_out)
{
    const char *slash = strrchr(path, '/');
    if (!slash || name[0] == '/')
        return 0;
    char joined[2 * APP_NODE_PATH];
    int len = snprintf(joined, sizeof joined, "%.*s/%s", (int)(slash - path), path, name);
    if (len < 0 || len >= APP_NODE_PATH)
        return refuse(error_out, path, field, "the path is longer than %d octets", APP_NODE_PATH - 1);
    memcpy(name, joined, (size_t)len + 1);
    return 0;
}

static int check_key(const char *path, struct app_node_config *c, char *error_out)
{
    char why[APP_KEYFILE_MAX_ERROR];
    int err = app_keyfile_read(c->key_path, &c->key, why);
    if (err) {
        refuse(error_out, path, "key", "%s", why);
        return err;
    }
    const struct app_node_party *self = &c->cluster.members[c->self];
    if (memcmp(c->key.ledger_public, self->ledger_key, CHAIN_KEY_BYTES) != 0)
        return refuse(error_out, path, "key", "%s is not the ledger_key of member %s in %s", c->key_path, self->name, c->cluster_path);
    if (memcmp(c->key.curve_public, self->curve_key, CHAIN_KEY_BYTES) != 0)
        return refuse(error_out, path, "key", "%s is not the curve_key of member %s in %s", c->key_path, self->name, c->cluster_path);
    return 0;
}

int app_node_config_read(const char *path, bool with_key, struct app_node_config *out, char *error_out)
{
    memset(out, 0, sizeof *out);
    int err = app_yaml_read(path, node_fields, app_node_config_check, out, error_out);
    return err ? err : app_node_config_finish(path, with_key, out, error_out);
}

int app_node_config_finish(const char *path, bool with_key, struct app_node_config *out, char *error_out)
{
    int err = resolve(path, "cluster", out->cluster_path, error_out);
    if (!err)
        err = resolve(path, "key", out->key_path, error_out);
    if (!err)
        err = resolve(path, "database", out->database_path, error_out);
    if (err)
        return err;
    err = app_node_cluster_read(out->cluster_path, &out->cluster, error_out);
    if (err)
        return err;
    out->self = app_node_cluster_find(&out->cluster, out->member);
    if (out->self >= out->cluster.n_members)
        return refuse(error_out, path, "member", "'%s' is no member in %s", out->member, out->cluster_path);
    if (!*out->bind)
        memcpy(out->bind, out->cluster.members[out->self].endpoint, sizeof out->bind);
    return with_key ? check_key(path, out, error_out) : 0;
}

bool app_node_config_is_node_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    char line[512];
    bool found = false;
    while (!found && fgets(line, sizeof line, file))
        found = strncmp(line, "cluster:", 8) == 0;
    fclose(file);
    return found;
}
