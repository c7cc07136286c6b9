#define SUITE_NAME "tables of packet fidelity"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "apps/calibrate/tables.h"
#include "tests/unit/check_main.h"

static struct phy_packet_tables make_tables(void)
{
    struct phy_packet_tables t = {.waveform = "flex", .n_rates = 4, .cca_delay_samples = 44, .lock_delay_samples = 320, .frame_delay_samples = 3,
                                  .max_cut_samples = 72, .captures = true, .n_snr = 5, .snr_first_db = -2.0f, .snr_step_db = 0.5f,
                                  .n_grid_snr = 2, .n_grid_sir = 3, .grid_snr_db = {5, 10}, .grid_sir_db = {-10, 0, 10}};
    for (unsigned i = 0; i < t.n_snr; i++) {
        t.lock[i] = (float)i / 8.0f;
        t.header_loss[i] = -(float)i;
        for (unsigned r = 0; r < t.n_rates; r++)
            t.symbol_loss[r][i] = -(float)(i + r);
    }
    for (unsigned k = 1; k < PHY_N_INTERFERENCE; k++)
        for (unsigned i = 0; i < 2; i++)
            for (unsigned j = 0; j < 3; j++) {
                t.grid_lock[0][k][i][j] = t.grid_lock[1][k][i][j] = 0.25f;
                t.grid_header_loss[k][i][j] = -(float)(k + i);
                for (unsigned r = 0; r < t.n_rates; r++)
                    t.grid_symbol_loss[0][k][r][i][j] = t.grid_symbol_loss[1][k][r][i][j] = -(float)(k + i + j + r);
            }
    t.twins = (struct phy_packet_twins){.n_offset = 2, .n_cfo = 2, .n_snr = 2, .n_sir = 2, .offset = {0, 16}, .cfo = {0, 0.5f},
                                       .snr_db = {8, 20}, .sir_db = {-3, 6}, .span_samples = 20};
    for (unsigned o = 0; o < 4; o++)
        for (unsigned i = 0; i < 2; i++)
            for (unsigned j = 0; j < 2; j++) {
                t.twins.lock[o][i][j] = 0.125f * (float)(1 + o + i + j);
                t.twins.other_header_loss[o][i][j] = (float)o - (float)j;
                for (unsigned r = 0; r < t.n_rates; r++) {
                    t.twins.header_loss[r][o][i][j] = -(float)(1 + o + i + j + r);
                    t.twins.frame_loss[r][o][i][j] = (float)o - (float)(i + j + r);
                    t.twins.symbol_loss[r][o][i][j] = -(float)(9 + o + i + j + r);
                }
            }
    return t;
}

static char *make_text(void)
{
    struct phy_packet_tables t = make_tables();
    json_t *json = app_tables_json(&t, 10000000, json_object());
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(7));
    json_decref(json);
    return text;
}

START_TEST(what_is_written_is_read)
{
    struct phy_packet_tables t = make_tables(), back;
    uint32_t rate_hz;
    char error[APP_TABLES_MAX_ERROR] = "", *text = make_text();
    ck_assert_msg(app_tables_parse("t.json", text, strlen(text), &back, &rate_hz, error) == 0, "%s", error);
    ck_assert_uint_eq(rate_hz, 10000000);
    ck_assert_mem_eq(&t, &back, sizeof t);
    free(text);
}
END_TEST

/* The text with `what` replaced. */
static void check_refusal(const char *what, const char *by, const char *message)
{
    char *text = make_text(), *at = strstr(text, what), error[APP_TABLES_MAX_ERROR] = "";
    ck_assert_msg(at != NULL, "%s is not in the text", what);
    size_t cap = strlen(text) + strlen(by) + 1;
    char *changed = malloc(cap);
    snprintf(changed, cap, "%.*s%s%s", (int)(at - text), text, by, at + strlen(what));
    struct phy_packet_tables t;
    uint32_t rate_hz;
    ck_assert_int_eq(app_tables_parse("t.json", changed, strlen(changed), &t, &rate_hz, error), -EINVAL);
    ck_assert_msg(strstr(error, message) && strncmp(error, "t.json: ", 8) == 0, "'%s' does not say '%s'", error, message);
    free(changed);
    free(text);
}

START_TEST(what_is_wrong_is_named)
{
    check_refusal("\"airdeed_tables\":2", "\"airdeed_tables\":1", "is no file of tables");
    check_refusal("\"waveform\":\"flex\"", "\"waveform\":\"fles\"", "field waveform");
    check_refusal("\"captures\":true", "\"captures\":1", "field captures");
    check_refusal("\"snr_step_db\":0.5", "\"snr_step_db\":0", "field snr_step_db must be a number");
    check_refusal("\"snr_first_db\"", "\"snr_last_db\"", "field snr_first_db is missing");
    check_refusal("\"lock\":[0.0,", "\"lock\":[", "field header_loss_log2 must be an array of 4 numbers");
    check_refusal("\"lock\":[0.0", "\"lock\":[-0.5", "field lock must be a number from 0 to 1");
    check_refusal("\"grid_sir_db\":[-10.0,0.0,", "\"grid_sir_db\":[10.0,0.0,", "field grid_sir_db must ascend");
    check_refusal("\"offset_samples\":[0.0,16.0]", "\"offset_samples\":[16.0,0.0]", "field twins.offset_samples must ascend");
    check_refusal("\"frame_loss_log2\":[[", "\"frame_loss_log2\":[[1],[", "field twins.frame_loss_log2 must have grids for each rate");
    check_refusal("\"provenance\"", "\"origin\"", "field provenance is missing");
    check_refusal("\"tone\"", "\"bell\"", "field tone is missing");
    check_refusal("{\"airdeed", "{{\"airdeed", "line 1");
}
END_TEST

START_TEST(every_cut_of_a_file_is_refused)
{
    char *text = make_text(), error[APP_TABLES_MAX_ERROR];
    size_t len = strlen(text);
    struct phy_packet_tables t;
    uint32_t rate_hz;
    for (size_t n = 0; n < len; n += 7)
        ck_assert_int_eq(app_tables_parse("t.json", text, n, &t, &rate_hz, error), -EINVAL);
    free(text);
    ck_assert_int_eq(app_tables_load("/no/such/file", "flex", &t, &rate_hz, error), -ENOENT);
    ck_assert_str_eq(error, "/no/such/file: No such file or directory");
}
END_TEST

static void add_cases(Suite *suite)
{
    TCase *tc = tcase_create("tables");
    tcase_add_test(tc, what_is_written_is_read);
    tcase_add_test(tc, what_is_wrong_is_named);
    tcase_add_test(tc, every_cut_of_a_file_is_refused);
    suite_add_tcase(suite, tc);
}
