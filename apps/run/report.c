/* The report page, part by part. */
#include "apps/run/report.h"

#include "apps/run/report_page.h"

#include <errno.h>
#include <string.h>

static int write_page(const char *path, const struct app_report_model *m)
{
    FILE *page = fopen(path, "wb");
    if (!page)
        return -errno;
    app_report_put_head(page, m);
    app_report_put_tiles(page, m);
    app_report_put_timeline(page, m);
    app_report_put_story(page, m);
    app_report_put_leases(page, m);
    app_report_put_jamming(page, m);
    app_report_put_latency(page, m);
    app_report_put_agreement(page, m);
    app_report_put_numbers(page, m);
    fputs("<p class=\"note\">Computed by airdeed from summary.json and events.jsonl beside this page. Times are virtual.</p>\n"
          "</main></body></html>\n",
          page);
    errno = 0;
    int err = ferror(page) ? -EIO : 0;
    if (fclose(page) != 0 || err)
        err = errno ? -errno : -EIO;
    return err;
}

int app_report_write(const char *folder, char *error_out)
{
    struct app_report_model m;
    int err = app_report_model_load(folder, &m, error_out);
    if (!err) {
        char path[1024];
        snprintf(path, sizeof path, "%s/report.html", folder);
        err = write_page(path, &m);
        if (err)
            snprintf(error_out, APP_REPORT_MAX_ERROR, "%.300s: %s", path, strerror(-err));
    }
    app_report_model_free(&m);
    return err;
}
