/* Scenario files: found on disk or among the embedded ones, read through the table. */
#include "apps/run/scenario.h"

#include "apps/embedded.h"
#include "apps/run/scenario_table.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)APP_SCENARIO_MAX_ERROR >= (int)APP_YAML_MAX_ERROR, "messages of the YAML reader fit");

static const char yaml_suffix[] = ".yaml";

static const struct app_embedded_file *find_embedded(const char *name)
{
    size_t len = strlen(name);
    for (const struct app_embedded_file *f = app_embedded_files; f->name; f++)
        if (strncmp(f->name, name, len) == 0 && strcmp(f->name + len, yaml_suffix) == 0)
            return f;
    return NULL;
}

static int load_embedded(const struct app_embedded_file *file, const char *name, struct app_scenario *out, char *error_out)
{
    snprintf(out->file, sizeof out->file, "%s (embedded)", name);
    char title[sizeof out->file];
    memcpy(title, out->file, sizeof title);
    return app_yaml_read_text(title, file->data, file->n_bytes, app_scenario_fields, app_scenario_check_whole, out, error_out);
}

static int load_file(const char *path, struct app_scenario *out, char *error_out)
{
    const char *slash = strrchr(path, '/');
    size_t folder_len = slash ? (size_t)(slash - path) + (slash == path) : 1;
    if (strlen(path) >= sizeof out->file || folder_len >= sizeof out->folder) {
        snprintf(error_out, APP_SCENARIO_MAX_ERROR, "%.40s...: the path is longer than %d octets", path, APP_MAX_TEXT - 1);
        return -EINVAL;
    }
    memcpy(out->file, path, strlen(path) + 1);
    memcpy(out->folder, slash ? path : ".", folder_len);
    out->folder[folder_len] = '\0';
    int err = app_yaml_read(path, app_scenario_fields, app_scenario_check_whole, out, error_out);
    if (err == -ENOENT && !slash && !strchr(path, '.')) {
        int n = snprintf(error_out, APP_SCENARIO_MAX_ERROR, "%.100s: there is no such file, and no embedded scenario of this name;", path);
        const char *separator = " embedded are ";
        for (const struct app_embedded_file *f = app_embedded_files; f->name && n < APP_SCENARIO_MAX_ERROR; f++) {
            size_t len = strlen(f->name);
            if (len <= strlen(yaml_suffix) || strcmp(f->name + len - strlen(yaml_suffix), yaml_suffix) != 0)
                continue;
            n += snprintf(error_out + n, (size_t)(APP_SCENARIO_MAX_ERROR - n), "%s%.*s", separator, (int)(len - strlen(yaml_suffix)),
                          f->name);
            separator = ", ";
        }
    }
    return err;
}

/* The folder of recordings and tables stays this scenario's. */
int app_scenario_read_base(void *root, void *value, const char *text, char *why_out)
{
    struct app_scenario *s = root;
    char path[2 * APP_MAX_TEXT], error[APP_SCENARIO_MAX_ERROR] = "";
    (void)value;
    if (s->reads_base) {
        snprintf(why_out, APP_YAML_MAX_WHY, "a base has no base of its own");
        return -EINVAL;
    }
    const struct app_embedded_file *embedded = find_embedded(text);
    snprintf(path, sizeof path, "%s%s%s", embedded || text[0] == '/' || !*s->folder ? "" : s->folder,
             embedded || text[0] == '/' || !*s->folder ? "" : "/", text);
    s->reads_base = true;
    int err = embedded ? app_yaml_read_text(text, embedded->data, embedded->n_bytes, app_scenario_fields, app_scenario_check_whole, s, error)
                       : app_yaml_read(path, app_scenario_fields, app_scenario_check_whole, s, error);
    s->reads_base = false;
    s->has_base = true;
    if (err)
        snprintf(why_out, APP_YAML_MAX_WHY, "%.190s", error);
    return err;
}

bool app_scenario_is_packet(const struct app_scenario *s)
{
    return strcmp(*s->wanted_fidelity ? s->wanted_fidelity : s->fidelity, "packet") == 0;
}

int app_scenario_load(const char *path, const char *fidelity, struct app_scenario *out, char *error_out)
{
    *out = app_scenario_defaults;
    snprintf(out->wanted_fidelity, sizeof out->wanted_fidelity, "%.7s", fidelity ? fidelity : "");
    const struct app_embedded_file *embedded = find_embedded(path);
    return embedded ? load_embedded(embedded, path, out, error_out) : load_file(path, out, error_out);
}
