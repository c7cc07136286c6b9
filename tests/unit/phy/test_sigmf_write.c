#define SUITE_NAME "SigMF: writing and annotating"
#include "tests/unit/check_main.h"

#include "phy/radio/sigmf.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/airdeed-sigmf-XXXXXX";
static char path[64], meta_path[80], data_path[80], partial_path[100], error[PHY_SIGMF_MAX_ERROR];

static float complex make(float re, float im)
{
    const float parts[2] = {re, im};
    float complex sample;
    memcpy(&sample, parts, sizeof sample);
    return sample;
}

static void make_folder(void)
{
    strcpy(folder, "/tmp/airdeed-sigmf-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/rec", folder);
    snprintf(meta_path, sizeof meta_path, "%s.sigmf-meta", path);
    snprintf(data_path, sizeof data_path, "%s.sigmf-data", path);
    snprintf(partial_path, sizeof partial_path, "%s.partial", data_path);
}

static void remove_folder(void)
{
    unlink(meta_path);
    unlink(data_path);
    /* fails where anything else was left behind */
    ck_assert_int_eq(rmdir(folder), 0);
}

static struct phy_sigmf_meta make_meta(enum phy_sigmf_type type)
{
    struct phy_sigmf_meta meta = {.type = type, .sample_rate_hz = 10e6, .noise_dbfs = -60.5};
    strcpy(meta.waveform, "flex");
    strcpy(meta.profile, "virtual");
    strcpy(meta.datetime, "2020-01-01T00:00:00Z");
    meta.n_captures = 1;
    meta.captures[0] = (struct phy_sigmf_capture){0, 50, 5.2e9};
    return meta;
}

static struct phy_sigmf_writer *create(enum phy_sigmf_type type)
{
    struct phy_sigmf_meta meta = make_meta(type);
    struct phy_sigmf_writer *w;
    ck_assert_msg(phy_sigmf_create(path, &meta, &w, error) == 0, "%s", error);
    return w;
}

static void write_some(struct phy_sigmf_writer *w, size_t n)
{
    float complex samples[64];
    for (size_t i = 0; i < n; i++)
        samples[i] = make((float)i / 128, -(float)i / 128);
    ck_assert_msg(phy_sigmf_write(w, samples, n, error) == 0, "%s", error);
}

START_TEST(what_is_written_is_read_back)
{
    static const enum phy_sigmf_type types[] = {PHY_SIGMF_CF32_LE, PHY_SIGMF_CI16_LE, PHY_SIGMF_CI8};
    for (size_t k = 0; k < 3; k++) {
        struct phy_sigmf_writer *w = create(types[k]);
        write_some(w, 20);
        ck_assert_int_eq(phy_sigmf_new_capture(w, 30, 5.3e9, error), 0);
        write_some(w, 12);
        /* nothing follows this one: it does not get into the metadata */
        ck_assert_int_eq(phy_sigmf_new_capture(w, 5, NAN, error), 0);
        const struct phy_sigmf_annotation notes[] = {{3, 4, NAN, NAN, "a label that is cut at twenty", "why"}};
        ck_assert_msg(phy_sigmf_finish(w, "a test", notes, 1, error) == 0, "%s", error);
        struct phy_radio *r;
        struct phy_sigmf_meta meta;
        ck_assert_msg(phy_sigmf_open(meta_path, &r, &meta, error) == 0, "%s", error);
        ck_assert_uint_eq(meta.n_samples, 32);
        ck_assert_uint_eq(meta.n_captures, 2);
        ck_assert_uint_eq(meta.captures[0].global_index, 50);
        ck_assert_uint_eq(meta.captures[1].global_index, 100);
        ck_assert_double_eq(meta.captures[1].frequency_hz, 5.3e9);
        ck_assert_double_eq(meta.noise_dbfs, -60.5);
        ck_assert_str_eq(meta.waveform, "flex");
        ck_assert_str_eq(meta.profile, "virtual");
        float complex got[32];
        size_t n;
        ck_assert_int_eq(phy_sigmf_read_at(r, 0, got, 32, &n), 0);
        ck_assert_uint_eq(n, 32);
        ck_assert_float_eq(crealf(got[19]), 19 / 128.f);
        ck_assert_float_eq(cimagf(got[31]), -11 / 128.f);
        r->ops->close(r);
    }
    remove_folder();
}
END_TEST

START_TEST(integers_saturate_at_full_scale)
{
    struct phy_sigmf_writer *w = create(PHY_SIGMF_CI16_LE);
    const float complex loud[] = {make(3, -3), make(NAN, 1)};
    ck_assert_int_eq(phy_sigmf_write(w, loud, 2, error), 0);
    ck_assert_int_eq(phy_sigmf_finish(w, NULL, NULL, 0, error), 0);
    FILE *file = fopen(data_path, "rb");
    uint8_t octets[9];
    ck_assert_uint_eq(fread(octets, 1, 9, file), 8);
    fclose(file);
    const uint8_t wanted[8] = {0xff, 0x7f, 0x00, 0x80, 0x00, 0x00, 0xff, 0x7f};
    ck_assert_mem_eq(octets, wanted, 8);
    remove_folder();
}
END_TEST

START_TEST(nothing_has_its_final_name_before_the_end_and_abort_removes_all)
{
    struct phy_sigmf_writer *w = create(PHY_SIGMF_CI16_LE);
    write_some(w, 20);
    ck_assert_int_eq(access(partial_path, F_OK), 0);
    ck_assert_int_ne(access(data_path, F_OK), 0);
    ck_assert_int_ne(access(meta_path, F_OK), 0);
    phy_sigmf_abort(w);
    remove_folder();
}
END_TEST

START_TEST(a_recording_without_samples_is_not_finished)
{
    struct phy_sigmf_writer *w = create(PHY_SIGMF_CI16_LE);
    ck_assert_int_eq(phy_sigmf_finish(w, NULL, NULL, 0, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "no samples were written"));
    phy_sigmf_abort(w);
    remove_folder();
}
END_TEST

START_TEST(a_folder_that_is_not_there_is_named)
{
    struct phy_sigmf_meta meta = make_meta(PHY_SIGMF_CI16_LE);
    struct phy_sigmf_writer *w;
    ck_assert_int_eq(phy_sigmf_create("/nowhere/rec", &meta, &w, error), -ENOENT);
    ck_assert_str_eq(error, "/nowhere/rec.sigmf-data: cannot create: No such file or directory");
    remove_folder();
}
END_TEST

START_TEST(a_full_disk_is_told_with_the_file_and_leaves_nothing)
{
    ck_assert_int_eq(symlink("/dev/full", partial_path), 0);
    struct phy_sigmf_writer *w = create(PHY_SIGMF_CF32_LE);
    static float complex samples[20000];
    ck_assert_int_eq(phy_sigmf_write(w, samples, 20000, error), -ENOSPC);
    ck_assert_ptr_nonnull(strstr(error, "rec.sigmf-data: cannot write: No space left on device"));
    phy_sigmf_abort(w);
    remove_folder();
}
END_TEST

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(name, "wb");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    ck_assert_int_eq(fclose(file), 0);
}

static json_t *load(const char *name)
{
    json_error_t where;
    json_t *root = json_load_file(name, JSON_REJECT_DUPLICATES, &where);
    ck_assert_msg(root != NULL, "%s:%d: %s", name, where.line, where.text);
    return root;
}

START_TEST(annotating_keeps_every_other_field_and_the_order)
{
    static const char before[] =
        "{\"global\": {\"core:datatype\": \"ci8\", \"core:version\": \"1.2.5\", \"core:sample_rate\": 0.1, \"x:unknown\": [1, {\"y\": null}], "
        "\"core:offset\": 9007199254740993}, \"captures\": [{\"core:sample_start\": 0, \"x:z\": 1e-7}], "
        "\"annotations\": [{\"core:sample_start\": 50, \"core:label\": \"theirs\", \"x:more\": true}]}";
    write_text(meta_path, before);
    const struct phy_sigmf_annotation notes[] = {{10, 5, 1e9, 2e9, "ours 1", NULL}, {90, 5, NAN, 2e9, "ours 2", NULL}};
    /* twice: what the same generator wrote before is replaced */
    for (int pass = 0; pass < 2; pass++)
        ck_assert_msg(phy_sigmf_annotate(meta_path, NULL, "test", notes, 2, error) == 0, "%s", error);
    json_t *now = load(meta_path), *old = json_loads(before, 0, NULL);
    ck_assert(json_equal(json_object_get(now, "global"), json_object_get(old, "global")));
    ck_assert(json_equal(json_object_get(now, "captures"), json_object_get(old, "captures")));
    const json_t *list = json_object_get(now, "annotations");
    ck_assert_uint_eq(json_array_size(list), 3);
    ck_assert(json_equal(json_array_get(list, 1), json_array_get(json_object_get(old, "annotations"), 0)));
    const json_t *first = json_array_get(list, 0), *last = json_array_get(list, 2);
    ck_assert_str_eq(json_string_value(json_object_get(first, "core:label")), "ours 1");
    ck_assert_double_eq(json_number_value(json_object_get(first, "core:freq_upper_edge")), 2e9);
    /* one edge alone is not allowed */
    ck_assert_ptr_null(json_object_get(last, "core:freq_upper_edge"));
    ck_assert_str_eq(json_string_value(json_object_get(last, "core:generator")), "test");
    json_decref(now);
    json_decref(old);
    remove_folder();
}
END_TEST

START_TEST(annotating_elsewhere_leaves_the_recording_alone)
{
    static const char before[] = "{\"global\": {}, \"captures\": [], \"annotations\": []}";
    char other[100];
    write_text(meta_path, before);
    snprintf(other, sizeof other, "%s/other.sigmf-meta", folder);
    const struct phy_sigmf_annotation note = {10, 5, NAN, NAN, NULL, NULL};
    ck_assert_msg(phy_sigmf_annotate(path, other, "test", &note, 1, error) == 0, "%s", error);
    json_t *root = load(meta_path), *copy = load(other);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "annotations")), 0);
    ck_assert_uint_eq(json_array_size(json_object_get(copy, "annotations")), 1);
    json_decref(root);
    json_decref(copy);
    unlink(other);
    remove_folder();
}
END_TEST

START_TEST(annotating_keeps_the_mode_and_leaves_a_read_only_file_alone)
{
    static const char before[] = "{\"global\": {}, \"captures\": [], \"annotations\": []}";
    const struct phy_sigmf_annotation note = {10, 5, NAN, NAN, NULL, NULL};
    struct stat st;
    write_text(meta_path, before);
    ck_assert_int_eq(chmod(meta_path, 0640), 0);
    ck_assert_msg(phy_sigmf_annotate(path, NULL, "test", &note, 1, error) == 0, "%s", error);
    ck_assert_int_eq(stat(meta_path, &st), 0);
    ck_assert_uint_eq(st.st_mode & 07777, 0640);
    write_text(meta_path, before);
    ck_assert_int_eq(chmod(meta_path, 0444), 0);
    ck_assert_int_eq(phy_sigmf_annotate(path, NULL, "test", &note, 1, error), -EPERM);
    ck_assert_ptr_nonnull(strstr(error, ".sigmf-meta: is read-only (mode 0444); it is not replaced"));
    json_t *root = load(meta_path);
    ck_assert_uint_eq(json_array_size(json_object_get(root, "annotations")), 0);
    json_decref(root);
    remove_folder();
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("write");
    tcase_add_checked_fixture(tc, make_folder, NULL);
    tcase_add_test(tc, what_is_written_is_read_back);
    tcase_add_test(tc, integers_saturate_at_full_scale);
    tcase_add_test(tc, nothing_has_its_final_name_before_the_end_and_abort_removes_all);
    tcase_add_test(tc, a_recording_without_samples_is_not_finished);
    tcase_add_test(tc, a_folder_that_is_not_there_is_named);
    tcase_add_test(tc, a_full_disk_is_told_with_the_file_and_leaves_nothing);
    tcase_add_test(tc, annotating_keeps_every_other_field_and_the_order);
    tcase_add_test(tc, annotating_elsewhere_leaves_the_recording_alone);
    tcase_add_test(tc, annotating_keeps_the_mode_and_leaves_a_read_only_file_alone);
    suite_add_tcase(suite, tc);
}
