/* Annotations, added to the metadata of a recording that exists. */
#include "phy/radio/sigmf_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static json_int_t start_of(const json_t *annotation)
{
    return json_integer_value(json_object_get(annotation, "core:sample_start"));
}

/* An annotation with its place, so that sorting keeps the order of those that begin together. */
struct placed {
    json_t *annotation; /* borrowed */
    size_t place;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *x = a, *y = b;
    json_int_t start_x = start_of(x->annotation), start_y = start_of(y->annotation);
    if (start_x != start_y)
        return start_x < start_y ? -1 : 1;
    return x->place < y->place ? -1 : x->place > y->place;
}

static bool is_made_by(const json_t *annotation, const char *generator)
{
    const char *text = json_string_value(json_object_get(annotation, "core:generator"));
    return text && strcmp(text, generator) == 0;
}

static json_t *sort_annotations(const json_t *list)
{
    size_t n = json_array_size(list);
    struct placed *placed = calloc(n ? n : 1, sizeof *placed);
    json_t *sorted = json_array();
    if (!placed || !sorted) {
        free(placed);
        json_decref(sorted);
        return NULL;
    }
    for (size_t i = 0; i < n; i++)
        placed[i] = (struct placed){json_array_get(list, i), i};
    qsort(placed, n, sizeof *placed, compare_placed);
    int bad = 0;
    for (size_t i = 0; i < n; i++)
        bad |= json_array_append(sorted, placed[i].annotation);
    free(placed);
    if (!bad)
        return sorted;
    json_decref(sorted);
    return NULL;
}

/* Those of others, and the new ones, in ascending order. */
static json_t *merge(const json_t *old, const char *generator, const struct phy_sigmf_annotation *annotations, size_t n)
{
    json_t *list = json_array();
    int bad = !list;
    for (size_t i = 0; i < json_array_size(old); i++)
        if (!is_made_by(json_array_get(old, i), generator))
            bad |= json_array_append(list, json_array_get(old, i));
    for (size_t i = 0; i < n; i++)
        bad |= json_array_append_new(list, phy_sigmf_annotation_json(&annotations[i], generator));
    json_t *sorted = bad ? NULL : sort_annotations(list);
    json_decref(list);
    return sorted;
}

int phy_sigmf_annotate(const char *path, const char *out_path, const char *generator,
                       const struct phy_sigmf_annotation *annotations, size_t n, char *error_out)
{
    char meta_path[SIGMF_MAX_PATH], data_path[SIGMF_MAX_PATH], out_meta[SIGMF_MAX_PATH];
    char *json = NULL;
    size_t len = 0;
    int err = phy_sigmf_paths(path, meta_path, data_path, error_out);
    err = err ? err : phy_sigmf_paths(out_path ? out_path : path, out_meta, data_path, error_out);
    err = err ? err : phy_sigmf_slurp(meta_path, &json, &len, error_out);
    if (err)
        return err;
    json_t *root = phy_sigmf_load_json(meta_path, json, len, &err, error_out);
    free(json);
    if (!root)
        return err;
    bool sorted;
    const json_t *old = json_object_get(root, "annotations");
    err = phy_sigmf_check_annotations(meta_path, old, &sorted, error_out);
    if (!err && json_object_set_new(root, "annotations", merge(old, generator, annotations, n)))
        err = phy_sigmf_fail(error_out, -ENOMEM, "%s: no memory for %zu annotations", meta_path, n);
    err = err ? err : phy_sigmf_write_json(out_meta, root, error_out);
    json_decref(root);
    return err;
}
